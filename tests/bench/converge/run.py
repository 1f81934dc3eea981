#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a second master with many small tables takes: the plain procedure, and the playbook.

Both start with two containers that have PostgreSQL but no Bucardo; one holds the database. At the
end of both, every table must be equal on both sides and replicate in both directions. The
playbook runs twice, and must change nothing the second time.

    tests/bench/converge/run.py [--tables 1000] [--methods plain ours] [--profile]
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import servers

ORIGIN, COPY = "here", "there"
SUPERUSER, BUCARDO = "bench-superuser", "bench-bucardo"
# Seconds within which a row written on one side has to be on the other.
ARRIVAL = 60

SCHEMA = """
SELECT format('CREATE TABLE small_%1$s (id serial PRIMARY KEY, name text NOT NULL, number int);
               CREATE INDEX ON small_%1$s (number);
               INSERT INTO small_%1$s (name, number)
               SELECT md5(g::text), g %% 7 FROM generate_series(1, %2$s) g', i, 20 + i % 180)
  FROM generate_series(1, {tables}) i
\\gexec
VACUUM ANALYZE;
"""
ROWS = """
SELECT format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)) FROM %s t', c.oid::regclass,
              c.oid::regclass)
  FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
\\gexec
"""
# What the post says, step by step, with one command per step and no needless start of a program.
PLAIN = f"""
set -e
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PGUSER=postgres
{servers.INSTALL} bucardo >/dev/null 2>&1
createdb -h {COPY} app
pg_dump -h {ORIGIN} --schema-only app | psql -qX -v ON_ERROR_STOP=1 -h {COPY} -d app >/dev/null
for host in {ORIGIN} {COPY}; do
    psql -qX -v ON_ERROR_STOP=1 -v password="$BUCARDO" -h $host -d postgres <<END
CREATE ROLE bucardo SUPERUSER LOGIN PASSWORD :'password';
END
done
psql -qX -h {COPY} -d postgres -c 'CREATE DATABASE bucardo OWNER bucardo'
export PGUSER=bucardo
psql -qX -h {COPY} -d bucardo -f /usr/share/bucardo/bucardo.schema >/dev/null 2>&1
cat > /etc/bucardorc <<END
dbhost = {COPY}
dbname = bucardo
dbuser = bucardo
piddir = /tmp
log_conflict_file = /tmp/bucardo_conflict.log
warning_file = /tmp/bucardo.warning.log
END
run() {{ runuser -u bucardo -- bucardo "$@" >/dev/null; }}
for host in {ORIGIN} {COPY}; do
    run add db $host dbname=app host=$host user=bucardo pass="$BUCARDO"
done
run add table $(psql -qXAt -h {ORIGIN} -d app -c "SELECT 'public.' || relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1") \
    relgroup=bench db={ORIGIN}
run add dbgroup bench {ORIGIN}:source {COPY}:source
run add sync bench relgroup=bench dbs=bench autokick=0
pg_dump -h {ORIGIN} --data-only -N bucardo app | PGOPTIONS='-c session_replication_role=replica' \
    psql -qX -v ON_ERROR_STOP=1 -h {COPY} -d app >/dev/null
runuser -u bucardo -- bucardo start --log-destination /tmp >/dev/null
run update sync bench autokick=1
run reload config
run kick bench 120
"""


class Pair(servers.Servers):
    """The live server and the one that is to be its second master."""

    def __init__(self, image: str) -> None:
        super().__init__("converge", image, (ORIGIN, COPY))

    def prepare(self, tables: int) -> None:
        """Servers that ask for passwords, as they should; the origin holds the database."""
        for host in self.hosts:
            self.sql(host, f"ALTER ROLE postgres PASSWORD '{quoted(SUPERUSER)}'", "postgres")
            self.configure(host, servers.LOCKS, auth="scram-sha-256")
        self.sql(ORIGIN, "CREATE DATABASE app", "postgres")
        self.sql(ORIGIN, SCHEMA.format(tables=tables))

    def plain(self) -> float:
        """Seconds by hand."""
        lines = [f"*:*:*:postgres:{SUPERUSER}", f"*:*:*:bucardo:{BUCARDO}", ""]
        self.run(
            COPY,
            "useradd --system --user-group --home-dir /var/lib/bucardo --create-home bucardo;"
            'for home in /root /var/lib/bucardo; do (umask 077; echo "$LINES_" > $home/.pgpass);'
            " done; chown bucardo: /var/lib/bucardo/.pgpass",
            LINES_="\n".join(lines),
        )
        begun = time.monotonic()
        self.run(COPY, PLAIN, BUCARDO=BUCARDO)
        return time.monotonic() - begun

    def play(self, inventory: str, profile: bool) -> tuple[float, int]:
        """Seconds of one run of the playbook, and how many of its tasks changed something."""
        env = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False"}
        if profile:
            env["ANSIBLE_CALLBACKS_ENABLED"] = "ansible.posix.profile_tasks"
            env["PROFILE_TASKS_TASK_OUTPUT_LIMIT"] = "70"
        begun = time.monotonic()
        done = subprocess.run(
            ["ansible-playbook", "-i", inventory, "multimaster.bucardo.bootstrap"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - begun
        if done.returncode:
            raise RuntimeError(f"the playbook failed\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}")
        recap = done.stdout.rpartition("PLAY RECAP")[2]
        if profile:
            print(recap)
        return seconds, sum(int(number) for number in re.findall(r"changed=(\d+)", recap))

    def inventory(self) -> dict[str, t.Any]:
        """As a user would write it."""
        master = {"master_db": "app", "master_user": "postgres", "master_password": SUPERUSER}
        bucardo = {
            "ansible_connection": "community.docker.docker",
            "ansible_host": self.container(COPY),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        return {
            "all": {
                "vars": {"multimaster_bucardo_password": BUCARDO},
                "children": {
                    "masters": {
                        "vars": master,
                        "hosts": {
                            ORIGIN: {"master_host": ORIGIN, "master_origin": True},
                            COPY: {"master_host": COPY},
                        },
                    },
                    "bucardo": {"hosts": {COPY: {}}, "vars": bucardo},
                },
            }
        }

    def check(self, tables: int) -> None:
        """Equal rows everywhere, and both directions replicate."""
        here, there = (self.sql(host, ROWS) for host in (ORIGIN, COPY))
        if here != there or len(here.splitlines()) != tables:
            raise RuntimeError("the two sides do not hold the same rows")
        for source, target in ((ORIGIN, COPY), (COPY, ORIGIN)):
            self.sql(source, f"INSERT INTO small_1 (id, name) VALUES (-{len(source)}, '{source}')")
            deadline = time.monotonic() + ARRIVAL
            while not self.sql(target, f"SELECT 1 FROM small_1 WHERE name = '{source}'"):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"a row of {source} did not arrive on {target}")
                time.sleep(0.5)


def quoted(text: str) -> str:
    """Inside of an SQL literal."""
    return text.replace("'", "''")


def figures_of(tables: int, taken: dict[str, float]) -> list[servers.Figure]:
    """The lines of the table."""
    figures = []
    plain, first, second = (taken.get(way) for way in ("plain", "first", "second"))
    if first:
        figures.append(
            servers.Figure(
                *("converge", f"{tables} tables, first run", plain, first, "s"),
                *((first / plain, 1.5) if plain else (None, None)),
            )
        )
    if second:
        case = f"{tables} tables, second run"
        figures.append(servers.Figure("converge", case, None, second, "s", None, 20))
    return figures


def main() -> int:
    """Measure both, print seconds."""
    parser = servers.parser(__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument(
        "--methods", nargs="+", choices=["plain", "ours"], default=["plain", "ours"]
    )
    parser.add_argument("--profile", action="store_true", help="show the seconds of every task")
    options = parser.parse_args()
    tables = 10 if options.small else options.tables
    taken: dict[str, float] = {}
    for method in options.methods:
        with Pair(options.image) as pair:
            pair.prepare(tables)
            if method == "plain":
                taken["plain"] = pair.plain()
                print(f"{tables} tables, plain procedure: {taken['plain']:.1f} s", flush=True)
            else:
                with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                    json.dump(pair.inventory(), file)
                    file.flush()
                    for run in ("first", "second"):
                        taken[run], changed = pair.play(file.name, options.profile)
                        print(
                            f"{tables} tables, {run} run: {taken[run]:.1f} s, changed={changed}",
                            flush=True,
                        )
                if changed:
                    raise RuntimeError(f"the second run reports changed={changed}")
            pair.check(tables)
            # What is measured is kept, also when the other way fails.
            servers.hand_on(options.json, figures_of(tables, taken), taken)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to copy a database into a clone of its schema: other ways, and ours.

Needs Docker and an image with Debian's postgresql, pgbench and python3-psycopg2 (pgcopydb is
measured where the image has it). Makes two containers of its own and removes them at the end.
All ways end with the same rows and the same valid indexes, which is checked after each. The order
turns from round to round; what counts are the ratios of the medians.

    tests/bench/seed/run.py --image IMAGE [--rounds 3] [--scale 30] [--small-tables 1000] [--tuned]
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
SOURCE, TARGET = "here", "there"
TUNED = ("shared_buffers = 1GB", "max_wal_size = 8GB", "maintenance_work_mem = 256MB")
WORK = "cd /tmp && export PGUSER=postgres"
REPLICA = "PGOPTIONS='-c session_replication_role=replica'"
PARTS = "--data-only -N bucardo -N multimaster -d 'host=here dbname=app'"
WAYS = {
    "pg_dump | psql": f"pg_dump {PARTS} | {REPLICA} psql -q -X -v ON_ERROR_STOP=1"
    " -d 'host=there dbname=app' >/dev/null",
    "pg_dump -Fd -j2, pg_restore -j2": f"rm -rf d; pg_dump {PARTS} -Fd -j2 -f d && pg_restore"
    " --data-only --disable-triggers --exit-on-error -j2 -d 'host=there dbname=app' d",
    "ours, without proof": """python3 /bench/seed.py '{"proof": false}'""",
    "ours": "python3 /bench/seed.py '{}'",
}
PGCOPYDB = f"rm -rf p; {REPLICA} pgcopydb copy table-data --dir p --table-jobs 2 --index-jobs 2"
PGCOPYDB += " --source 'host=here dbname=app' --target 'host=there dbname=app'"
SCHEMA = """
CREATE TABLE events (id bigserial PRIMARY KEY, account int, token uuid UNIQUE, amount numeric,
                     ratio float8, at timestamptz, tags int[]);
CREATE INDEX ON events (at);
CREATE INDEX ON events (account);
CREATE TABLE docs (id int PRIMARY KEY, title text, body text, data jsonb);
CREATE INDEX ON docs (title);
CREATE INDEX ON docs USING gin (data jsonb_path_ops);
SELECT format('CREATE TABLE small_%1$s (id int PRIMARY KEY, name text, number int);
               CREATE INDEX ON small_%1$s (number)', i) FROM generate_series(1, {small}) i
\\gexec
"""
DATA = """
INSERT INTO events (account, token, amount, ratio, at, tags)
SELECT 1 + i % 1000, md5(i::text)::uuid, i / 7.0, i / 3.0, now() - i * interval '1 second',
       ARRAY[i, i + 1] FROM generate_series(1, {events}) i;
INSERT INTO docs SELECT i, md5(i::text), repeat(md5(i::text), 20 + i % 100),
       jsonb_build_object('id', i, 'text', repeat(md5((i * 7)::text), 20))
  FROM generate_series(1, {docs}) i;
SELECT format('INSERT INTO small_%s SELECT g, md5(g::text), g %% 7 FROM generate_series(1, %s) g',
              i, 20 + i % 180) FROM generate_series(1, {small}) i
\\gexec
VACUUM ANALYZE;
"""
CHECK = """
SELECT count(*) FILTER (WHERE NOT (indisvalid AND indisready)), count(*)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
 WHERE c.relnamespace = 'public'::regnamespace;
SELECT format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)) FROM %s t', c.oid::regclass,
              c.oid::regclass)
  FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
\\gexec
"""


def docker(*args: str, text: str | None = None) -> str:
    """Run docker and return its output."""
    return subprocess.run(
        ["docker", *args], input=text, text=True, check=True, stdout=subprocess.PIPE
    ).stdout


class Bench:
    """Two containers on a network of their own."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.prefix = f"bench-seed-{os.getpid()}"

    def __enter__(self) -> Bench:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        """Make the containers and what is in them."""
        docker("network", "create", self.prefix)
        lines = ["listen_addresses = '*'", *(TUNED if self.options.tuned else ())]
        for name in (SOURCE, TARGET):
            docker(
                *("run", "-d", "--init", "--name", f"{self.prefix}-{name}"),
                *("--network", self.prefix, "--network-alias", name, "--shm-size", "1g"),
                *(self.options.image, "sleep", "infinity"),
            )
            self.run(
                name,
                "set -e; v=$(pg_lsclusters -h | cut -d' ' -f1 | head -1);"
                " d=/etc/postgresql/$v/main;"
                f' echo "{chr(10).join(lines)}" > $d/conf.d/bench.conf;'
                " printf 'local all all trust\\nhost all all all trust\\n' > $d/pg_hba.conf;"
                " pg_ctlcluster $v main start",
            )
        place = "/bench/ansible_collections/multimaster/bucardo"
        self.run(TARGET, f"mkdir -p {place}")
        docker("cp", str(REPOSITORY / "plugins"), f"{self.prefix}-{TARGET}:{place}/plugins")
        docker("cp", str(HERE / "seed.py"), f"{self.prefix}-{TARGET}:/bench/seed.py")
        self.prepare()

    def __exit__(self, *exc: object) -> None:
        for name in (SOURCE, TARGET):
            docker("rm", "-f", "-v", f"{self.prefix}-{name}")
        docker("network", "rm", self.prefix)

    def run(self, name: str, script: str) -> str:
        """Run a shell script in a container."""
        return docker("exec", f"{self.prefix}-{name}", "bash", "-o", "pipefail", "-c", script)

    def sql(self, name: str, dbname: str, text: str) -> str:
        """Run SQL as postgres."""
        psql = ("psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", dbname)
        return docker("exec", "-i", f"{self.prefix}-{name}", *psql, text=text)

    def prepare(self) -> None:
        """The source with its rows, and a template with its schema on the target."""
        options = self.options
        sizes = {
            "small": options.small_tables,
            "events": options.scale * 30_000,
            "docs": options.scale * 2_000,
        }
        self.sql(SOURCE, "postgres", "CREATE DATABASE app")
        self.run(SOURCE, f"pgbench -q -U postgres -i -s {options.scale} app 2>/dev/null")
        self.sql(
            SOURCE,
            "app",
            SCHEMA.format(**sizes)
            + "CREATE INDEX ON pgbench_accounts (bid); CREATE INDEX ON pgbench_accounts (abalance);"
            "ALTER TABLE events ADD FOREIGN KEY (account) REFERENCES pgbench_accounts NOT VALID;"
            + DATA.format(**sizes),
        )
        self.sql(TARGET, "postgres", "CREATE DATABASE blank")
        self.run(
            TARGET,
            f"{WORK}; pg_dump -s -d 'host=here dbname=app' | psql -q -X -v ON_ERROR_STOP=1 -d blank"
            " >/dev/null",
        )
        self.expected = self.sql(SOURCE, "app", CHECK)
        size = self.sql(SOURCE, "app", "SELECT pg_size_pretty(pg_database_size('app'))").strip()
        print(f"{size}, {options.small_tables} small tables, {os.cpu_count()} processors")

    def measure(self, script: str) -> float:
        """Seconds of one way, checked."""
        drop = "SET client_min_messages = warning;\nDROP DATABASE IF EXISTS app WITH (FORCE);"
        self.sql(TARGET, "postgres", f"{drop}\nCREATE DATABASE app TEMPLATE blank;\nCHECKPOINT;")
        begun = time.monotonic()
        self.run(TARGET, f"{WORK} PYTHONPATH=/bench; {script}")
        seconds = time.monotonic() - begun
        if self.sql(TARGET, "app", CHECK) != self.expected:
            raise SystemExit(f"not the same rows and indexes after: {script}")
        return seconds


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=int, default=30, help="100,000 accounts each")
    parser.add_argument("--small-tables", type=int, default=1000)
    parser.add_argument("--tuned", action="store_true", help="not with Debian's default settings")
    options = parser.parse_args()
    ways = dict(WAYS)
    with Bench(options) as bench:
        if bench.run(TARGET, "command -v pgcopydb || true").strip():
            ways["pgcopydb copy table-data"] = PGCOPYDB
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(options.rounds):
            order = list(ways) if number % 2 == 0 else list(reversed(ways))
            for way in order:
                taken[way].append(bench.measure(ways[way]))
                print(f"  round {number + 1}: {way}: {taken[way][-1]:.2f} s", flush=True)
    base = statistics.median(taken["pg_dump | psql"])
    print(f"\n{'way':34} {'median':>8} {'min':>8} {'ratio':>6}")
    for way, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{way:34} {median:7.2f}s {min(seconds):7.2f}s {median / base:6.2f}")
    print(json.dumps({way: [round(s, 2) for s in seconds] for way, seconds in taken.items()}))


if __name__ == "__main__":
    main()

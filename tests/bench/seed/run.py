#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to copy a database: other ways, ours, and what the hardware needs at least.

All ways end with the same rows and the same valid indexes, which is checked after each. The order
turns from round to round; what counts are the ratios of the medians. Three databases: "mixed"
(pgbench, a table of events, wide documents, many small tables), "dominating" (one table with ten
times the rest) and "small" (small tables only).

    tests/bench/seed/run.py [--rounds 3] [--scale 30] [--small-tables 1000]
                            [--cases default-mixed tuned-mixed default-dominating default-small]
                            [--ways ours "ours, without proof" "bound, with proof"]

pgcopydb, a tool that does the same, is installed into the container where a mirror answers; it
makes the schema too, so that its own figure for data and indexes is shown as well.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import statistics
import sys
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import servers

SOURCE, TARGET = "here", "there"
TUNED = ("shared_buffers = 1GB", "max_wal_size = 8GB", "maintenance_work_mem = 256MB")
# Megabytes that the processes of a seed may take together.
MEMORY = 100.0

WORK = "cd /tmp && export PGUSER=postgres PYTHONPATH=/bench"
REPLICA = "PGOPTIONS='-c session_replication_role=replica'"
PARTS = "--data-only -N bucardo -N multimaster -d 'host=here dbname=app'"
PLAIN, PARALLEL, PGCOPYDB = "pg_dump | psql", "pg_dump -j2, pg_restore -j2", "pgcopydb clone"
OURS, UNPROVEN = "ours", "ours, without proof"
BOUND, BOUND_PROVEN = "bound", "bound, with proof"
# What a DBA does after the plain procedure, and ours does itself.
ANALYZED = f"{PLAIN}, ANALYZE"
SCRIPTS = {
    PLAIN: f"pg_dump {PARTS} | {REPLICA} psql -q -X -v ON_ERROR_STOP=1"
    " -d 'host=there dbname=app' >/dev/null",
    PARALLEL: f"rm -rf d; pg_dump {PARTS} -Fd -j2 -f d && pg_restore"
    " --data-only --disable-triggers --exit-on-error -j2 -d 'host=there dbname=app' d",
    PGCOPYDB: "rm -rf p; pgcopydb clone --dir p --table-jobs 2 --index-jobs 2"
    " --source 'host=here dbname=app' --target 'host=there dbname=app' 2>&1",
    OURS: """python3 /bench/seed.py '{}'""",
    UNPROVEN: """python3 /bench/seed.py '{"proof": false}'""",
    BOUND: "python3 /bench/bound.py load",
    BOUND_PROVEN: "python3 /bench/bound.py prove",
}
WAYS = {
    "default-mixed": (PLAIN, PARALLEL, PGCOPYDB, OURS, UNPROVEN, BOUND, BOUND_PROVEN),
    "tuned-mixed": (PLAIN, OURS, UNPROVEN, BOUND, BOUND_PROVEN),
    "default-dominating": (PLAIN, OURS, BOUND, BOUND_PROVEN),
    "default-small": (PLAIN, PGCOPYDB, OURS, BOUND, BOUND_PROVEN),
}

ACCOUNTS = """
CREATE INDEX ON pgbench_accounts (bid);
CREATE INDEX ON pgbench_accounts (abalance);
"""
EVENTS = """
CREATE TABLE events (id bigserial PRIMARY KEY, account int, token uuid UNIQUE, amount numeric,
                     ratio float8, at timestamptz, tags int[]);
CREATE INDEX ON events (at);
CREATE INDEX ON events (account);
ALTER TABLE events ADD FOREIGN KEY (account) REFERENCES pgbench_accounts;
INSERT INTO events (account, token, amount, ratio, at, tags)
SELECT 1 + i % 100000, md5(i::text)::uuid, i / 7.0, i / 3.0, now() - i * interval '1 second',
       ARRAY[i, i + 1] FROM generate_series(1, {events}) i;
"""
DOCS = """
CREATE TABLE docs (id int PRIMARY KEY, title text, body text, data jsonb);
CREATE INDEX ON docs (title);
CREATE INDEX ON docs ((data ->> 'id'));
CREATE INDEX ON docs USING gin (data jsonb_path_ops);
INSERT INTO docs SELECT i, md5(i::text),
       (SELECT string_agg(md5((i * g)::text), ' ') FROM generate_series(1, 15 + i % 105) g),
       jsonb_build_object('id', i, 'text',
         (SELECT string_agg(md5((i + g)::text), '') FROM generate_series(1, 30) g))
  FROM generate_series(1, {docs}) i;
"""
# Every table has at least 20 rows, so that there always is a parent.
SMALL = """
SELECT format('CREATE TABLE small_%1$s (id int PRIMARY KEY, name text, number int, parent int);
               CREATE INDEX ON small_%1$s (number);
               INSERT INTO small_%1$s
               SELECT g, md5(g::text), g %% 7, 1 + g %% 20 FROM generate_series(1, %2$s) g',
              i, 20 + i % 180)
  FROM generate_series(1, {small}) i
\\gexec
SELECT format('ALTER TABLE small_%s ADD FOREIGN KEY (parent) REFERENCES small_%s', i, i - 1)
  FROM generate_series(2, {small}) i WHERE i % 5 <> 0
\\gexec
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
# What pgcopydb calls the part that is neither schema nor its own catalogs.
PGCOPYDB_PART = re.compile(r"COPY, INDEX, CONSTRAINTS, VACUUM \(wall clock\)\s.*?([\d][\dhms]*)\s")


class Bench(servers.Servers):
    """The live server and the empty one."""

    def __init__(self, image: str) -> None:
        super().__init__("seed", image, (SOURCE, TARGET))
        self.expected = ""
        self.pgcopydb = False
        # Seconds of the last plain procedure together with ANALYZE.
        self.analyzed = 0.0

    def start(self) -> None:
        """The containers, and on the target what runs there."""
        super().start()
        self.copy_collection(TARGET, "/bench")
        for script in ("seed.py", "bound.py"):
            self.copy(TARGET, HERE / script, f"/bench/{script}")
        self.run(SOURCE, "install -d -o postgres /var/tmp/bound")
        self.run(TARGET, "install -d -o postgres /var/tmp/bound")

    def prepare(self, settings: str, data: str, scale: int, small: int) -> str:
        """The source with its rows, a template with its schema on the target; returns the size."""
        for host in self.hosts:
            self.configure(host, TUNED if settings == "tuned" else ())
            drop = "SET client_min_messages = warning; DROP DATABASE IF EXISTS"
            for name in ("app", "blank"):
                self.sql(host, f"{drop} {name} WITH (FORCE)", "postgres")
        self.sql(SOURCE, "CREATE DATABASE app", "postgres")
        text = ""
        if data != "small":
            self.run(SOURCE, f"pgbench -q -U postgres -i -s {scale} app 2>/dev/null")
            text += ACCOUNTS + EVENTS
        if data == "mixed":
            text += DOCS
        if data != "dominating":
            text += SMALL
        # The accounts are to take ten times as much as the rest where they dominate.
        events = scale * (33_333 if data == "mixed" else 8_000)
        self.sql(SOURCE, text.format(events=events, docs=scale * 2_000, small=small))
        self.sql(SOURCE, "VACUUM ANALYZE")
        self.sql(TARGET, "CREATE DATABASE blank", "postgres")
        self.run(
            TARGET,
            f"{WORK}; pg_dump -s -d 'host=here dbname=app' | psql -q -X -v ON_ERROR_STOP=1 -d blank"
            " >/dev/null",
        )
        self.expected = self.sql(SOURCE, CHECK)
        return self.sql(SOURCE, "SELECT pg_size_pretty(pg_database_size('app'))").strip()

    def measure(self, way: str) -> tuple[float, str]:
        """Seconds of one way, checked, and what it printed."""
        template = "template0" if way == PGCOPYDB else "blank"
        drop = "SET client_min_messages = warning;\nDROP DATABASE IF EXISTS app WITH (FORCE);"
        self.sql(TARGET, f"{drop}\nCREATE DATABASE app TEMPLATE {template};", "postgres")
        for host in self.hosts:
            self.sql(host, "CHECKPOINT", "postgres")
        begun = time.monotonic()
        said = self.run(TARGET, f"{WORK}; {SCRIPTS[way]}")
        seconds = time.monotonic() - begun
        if way == PLAIN:
            self.sql(TARGET, "ANALYZE")
            self.analyzed = time.monotonic() - begun
        if self.sql(TARGET, CHECK) != self.expected:
            raise RuntimeError(f"not the same rows and indexes after {way}: {said[-1000:]}")
        return seconds, said

    def case(self, name: str, options: t.Any, found: dict[str, t.Any]) -> None:
        """All ways of one case, round by round; medians are the caller's."""
        settings, _dash, data = name.partition("-")
        size = self.prepare(settings, data, options.scale, options.small_tables)
        print(f"{name}: {size}, {os.cpu_count()} processors", flush=True)
        ways = [way for way in WAYS[name] if way in options.ways]
        if not self.pgcopydb:
            ways = [way for way in ways if way != PGCOPYDB]
        found.update(size=size, seconds={way: [] for way in [*ways, ANALYZED]})
        found.update(pgcopydb_part=[], memory=0.0)
        if {BOUND, BOUND_PROVEN} & set(ways):
            # Untimed: the files that the bound is loaded from.
            self.measure(UNPROVEN)
            self.run(TARGET, f"{WORK}; python3 /bench/bound.py unload")
        for number in range(options.rounds):
            for way in ways if number % 2 == 0 else list(reversed(ways)):
                seconds, said = self.measure(way)
                found["seconds"][way].append(round(seconds, 2))
                print(f"  round {number + 1}: {way}: {seconds:.2f} s", flush=True)
                if way == PLAIN:
                    found["seconds"][ANALYZED].append(round(self.analyzed, 2))
                if way == PGCOPYDB:
                    part = PGCOPYDB_PART.search(said)
                    if part:
                        found["pgcopydb_part"].append(duration(part[1]))
                if way in (OURS, UNPROVEN):
                    memory = json.loads(said.strip().splitlines()[-1])["megabytes"]
                    found["memory"] = max(found["memory"], memory)


def duration(text: str) -> float:
    """Seconds of pgcopydb's "1m02s", "8s123" or "870ms"."""
    if text.endswith("ms"):
        return int(text[:-2]) / 1000
    minutes, _m, rest = text.rpartition("m")
    seconds, _s, milliseconds = rest.partition("s")
    return int(minutes or 0) * 60 + int(seconds or 0) + int(milliseconds or 0) / 1000


def figures_of(name: str, found: dict[str, t.Any]) -> list[servers.Figure]:
    """The lines of the table for one case."""
    median = {way: statistics.median(taken) for way, taken in found["seconds"].items() if taken}
    lines: list[servers.Figure] = []
    if OURS not in median:
        return lines

    def line(way: str, seconds: float, limit: float | None, ours: str = OURS) -> None:
        what = f"{name}: {way}" + (f" ({ours})" if ours != OURS else "")
        ratio = median[ours] / seconds
        lines.append(servers.Figure("seed", what, seconds, median[ours], "s", ratio, limit))

    if PLAIN in median:
        line(PLAIN, median[PLAIN], 0.40 if name.endswith("small") else 0.35)
        line(ANALYZED, median[ANALYZED], None)
    if PARALLEL in median:
        line(PARALLEL, median[PARALLEL], None)
    if PGCOPYDB in median:
        line(PGCOPYDB, median[PGCOPYDB], 0.40)
        if found["pgcopydb_part"]:
            part = statistics.median(found["pgcopydb_part"])
            line(f"{PGCOPYDB}, data and indexes", part, 0.50)
    if BOUND in median:
        line(BOUND, median[BOUND], None)
    if BOUND_PROVEN in median:
        line(BOUND_PROVEN, median[BOUND_PROVEN], 1.10)
    for way in (PLAIN, BOUND):
        if {UNPROVEN, way} <= median.keys():
            line(way, median[way], None, UNPROVEN)
    memory = found["memory"]
    lines.append(servers.Figure("seed", f"{name}: memory", None, memory, "MB", None, MEMORY))
    return lines


def main() -> int:
    """Measure, and print a table."""
    parser = servers.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=int, default=30, help="100,000 accounts each")
    parser.add_argument("--small-tables", type=int, default=1000)
    parser.add_argument("--cases", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--ways", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    options = parser.parse_args()
    if options.small:
        options.rounds, options.scale, options.small_tables = 1, 1, 20
        options.cases = ["default-mixed", "default-small"]
    figures: list[servers.Figure] = []
    details: dict[str, t.Any] = {}
    with Bench(options.image) as bench:
        # It comes from a mirror, on which tests must not depend.
        wanted = PGCOPYDB in options.ways and not options.small
        bench.pgcopydb = wanted and bench.install(TARGET, "pgcopydb")
        for name in options.cases:
            details[name] = {}
            try:
                bench.case(name, options, details[name])
            finally:
                # Rounds that ended count, also when the next one is interrupted.
                if details[name].get("seconds"):
                    figures += figures_of(name, details[name])
                servers.hand_on(options.json, figures, details)
    return 0


if __name__ == "__main__":
    sys.exit(main())

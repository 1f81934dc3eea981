#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the writers of the origin wait while a sync is created: Bucardo's way, and ours.

Makes three containers of its own (the Bucardo host and two masters), and removes
them at the end. Cases: a: nothing special; b: one transaction holds one table; c: the masters are
10 ms away.

    tests/bench/write_stall/run.py [--tables 600 1000] [--cases a b c] [--small]
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import servers

BUCARDO_HOST, ORIGIN, COPY = "hub", "here", "there"
# Seconds that the writers run alone, before and after.
CALM = 2.0
# Fewer in all that time mean that nobody was writing.
MIN_WRITES = 50
LOCK_TIMEOUT_MS = 200
# Each takes the plain procedure half a second there.
FAR_TABLES = 200
# An autovacuum of all tables makes sessions that hold the plans of as many trigger functions
# compute for a second or two, enrolment or not; docs/performance.md has the figures.
SETTINGS = (*servers.LOCKS, "autovacuum = off")
# The goals.
LONGEST_MS = {"a": 250, "b": LOCK_TIMEOUT_MS + 250, "c": 500}


class Bench(servers.Servers):
    """Three containers on a network of their own."""

    def __init__(self, image: str) -> None:
        super().__init__("write-stall", image, (BUCARDO_HOST, ORIGIN, COPY))

    def start(self) -> None:
        """The containers; on the Bucardo host the control database and what runs there."""
        super().start()
        if not self.install(BUCARDO_HOST, "bucardo"):
            raise RuntimeError("the package bucardo cannot be installed")
        for name in self.hosts:
            self.configure(name, SETTINGS)
            self.sql(name, "CREATE ROLE bucardo SUPERUSER LOGIN", "postgres")
        self.copy_collection(BUCARDO_HOST, "/bench/collections")
        for script in ("enrol.py", "delay_proxy.py"):
            self.copy(BUCARDO_HOST, HERE / script, f"/bench/{script}")
        self.copy(ORIGIN, HERE / "writer.py", "/writer.py")
        self.sql(BUCARDO_HOST, "CREATE DATABASE bucardo OWNER bucardo", "postgres")
        self.run(
            BUCARDO_HOST,
            "psql -X -q -d bucardo -f /usr/share/bucardo/bucardo.schema >/dev/null 2>&1",
            user="postgres",
        )

    def prepare(self, tables: int) -> None:
        """Fresh databases with so many tables, and a relgroup that holds them all."""
        for name in (ORIGIN, COPY):
            self.sql(name, "DROP DATABASE IF EXISTS app WITH (FORCE)", "postgres")
            self.sql(name, "CREATE DATABASE app", "postgres")
            lines = [
                f"CREATE TABLE t{number:04d} (id bigint PRIMARY KEY, v text, n int DEFAULT 0);"
                f" INSERT INTO t{number:04d} SELECT generate_series(1, 9);"
                for number in range(tables)
            ]
            self.sql(name, "\n".join(lines))
        # All goats by one statement, their keys given: the trigger would connect for every one.
        self.sql(
            BUCARDO_HOST,
            f"""
            DELETE FROM bucardo.sync; DELETE FROM bucardo.goat; DELETE FROM bucardo.herd;
            DELETE FROM bucardo.dbgroup; DELETE FROM bucardo.db;
            INSERT INTO bucardo.db (name, dbhost, dbport, dbname, dbuser)
            VALUES ('{ORIGIN}', '{ORIGIN}', '5432', 'app', 'bucardo'),
                   ('{COPY}', '{COPY}', '5432', 'app', 'bucardo');
            INSERT INTO bucardo.dbgroup (name) VALUES ('stall');
            INSERT INTO bucardo.dbmap (db, dbgroup, role)
            VALUES ('{ORIGIN}', 'stall', 'source'), ('{COPY}', 'stall', 'source');
            INSERT INTO bucardo.herd (name) VALUES ('stall');
            SET session_replication_role = replica;
            INSERT INTO bucardo.goat (db, schemaname, tablename, reltype, pkey, qpkey, pkeytype)
            SELECT '{ORIGIN}', 'public', 't' || lpad(n::text, 4, '0'), 'table', 'id', 'id',
                   'bigint' FROM generate_series(0, {tables - 1}) n;
            INSERT INTO bucardo.herdmap (herd, goat) SELECT 'stall', id FROM bucardo.goat;
            """,
            "bucardo",
        )

    @contextlib.contextmanager
    def distance(self, seconds: float) -> t.Iterator[str]:
        """Put the masters so far away (round trip) from the Bucardo host; yields the means."""
        if not seconds:
            yield "none"
            return
        netem = f"tc qdisc add dev eth0 root netem delay {seconds * 1000:g}ms"
        try:
            self.run(BUCARDO_HOST, f"{netem} 2>/dev/null")
        except RuntimeError:
            pass
        else:
            try:
                yield "netem"
            finally:
                self.run(BUCARDO_HOST, "tc qdisc del dev eth0 root")
            return
        process = subprocess.Popen(
            [
                *("docker", "exec", self.container(BUCARDO_HOST), "sh", "-c"),
                "echo $$ > /tmp/proxy.pid; exec python3 /bench/delay_proxy.py"
                f" {seconds / 2} 6001={ORIGIN}:5432 6002={COPY}:5432",
            ],
            stdout=subprocess.PIPE,
        )
        assert process.stdout
        process.stdout.readline()
        self.sql(
            BUCARDO_HOST,
            f"UPDATE bucardo.db SET dbhost = '127.0.0.1', dbport ="
            f" CASE name WHEN '{ORIGIN}' THEN '6001' ELSE '6002' END",
            "bucardo",
        )
        try:
            yield "proxy"
        finally:
            self.run(BUCARDO_HOST, "kill $(cat /tmp/proxy.pid)", check=False)
            process.wait()

    @contextlib.contextmanager
    def holder(self, seconds: float) -> t.Iterator[None]:
        """A transaction that wrote to one table and stays open."""
        if not seconds:
            yield
            return
        process = subprocess.Popen(
            [
                *("docker", "exec", "-u", "postgres", self.container(ORIGIN), "psql", "-q"),
                *("-d", "app", "-c", "UPDATE t0001 SET n = n + 1 WHERE id = 9"),
                *("-c", f"SELECT pg_sleep({seconds})", "-1"),
            ],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(1.5)
        try:
            yield
        finally:
            process.wait()

    @contextlib.contextmanager
    def writers(self, tables: int, figures: dict[str, t.Any]) -> t.Iterator[None]:
        """Writers on the origin; their figures are there at the end."""
        process = subprocess.Popen(
            [
                *("docker", "exec", "-u", "postgres", self.container(ORIGIN)),
                *(
                    "sh",
                    "-c",
                    f"echo $$ > /tmp/writer.pid; exec python3 /writer.py --tables {tables}",
                ),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        process.stdout.readline()
        time.sleep(CALM)
        try:
            yield
            time.sleep(CALM)
        finally:
            self.run(ORIGIN, "kill $(cat /tmp/writer.pid)", check=False)
            last = process.communicate()[0].strip().splitlines()
            figures.update(json.loads(last[-1]) if last else {})
        # Writers that died early saw no stall: such figures must not pass as good ones.
        if process.returncode or figures.get("writes", 0) < MIN_WRITES:
            raise RuntimeError(f"the writers failed, nothing was measured: {figures}")

    def plain(self) -> None:
        """What the manual says."""
        self.run(
            BUCARDO_HOST,
            "LC_ALL=C bucardo --no-bucardorc --dbname bucardo --dbuser bucardo"
            " add sync stall relgroup=stall dbs=stall status=inactive",
            user="bucardo",
        )

    def ours(self) -> dict[str, t.Any]:
        """This collection's code."""
        said = self.run(
            BUCARDO_HOST,
            f"python3 /bench/enrol.py --lock-timeout {LOCK_TIMEOUT_MS}",
            user="bucardo",
        )
        found: dict[str, t.Any] = json.loads(said.strip().splitlines()[-1])
        return found

    def missing(self) -> int:
        """Triggers that are not there on the masters, of three per table."""
        return sum(
            int(
                self.sql(
                    name,
                    "SELECT 3 * count(*) - (SELECT count(*) FROM pg_trigger WHERE tgname ~"
                    " '^bucardo_(delta|kick_stall|note_trunc_stall)$')"
                    " FROM pg_class WHERE relname ~ '^t[0-9]{4}$'",
                )
            )
            for name in (ORIGIN, COPY)
        )

    def measure(self, method: str, case: str, tables: int, hold: float) -> dict[str, t.Any]:
        """One method in one case, from fresh databases."""
        self.prepare(tables)
        figures: dict[str, t.Any] = {"case": case, "tables": tables, "method": method}
        with self.distance(0.010 if case == "c" else 0.0) as means:
            if case == "c":
                figures["distance"] = means
            with self.writers(tables, figures), self.holder(hold if case == "b" else 0.0):
                begun = time.monotonic()
                try:
                    if method == "plain":
                        self.plain()
                    else:
                        figures["detail"] = self.ours()
                except RuntimeError as error:
                    figures["failed"] = " ".join(str(error).split())[-300:]
                figures["seconds"] = round(time.monotonic() - begun, 1)
        figures["missing_triggers"] = self.missing()
        # What this machine does to writers in as much time without anybody else, triggers in place.
        alone: dict[str, t.Any] = {}
        with self.writers(tables, alone):
            time.sleep(figures["seconds"] if method == "ours" else 0)
        figures["longest_alone_ms"] = alone["longest_ms"]
        figures["slow_waits_alone"] = alone["slow_waits"]
        return figures


def figures_of(results: list[dict[str, t.Any]]) -> list[servers.Figure]:
    """The lines of the table."""
    plain = {(one["case"], one["tables"]): one for one in results if one["method"] == "plain"}
    lines = []
    for ours in (one for one in results if one["method"] == "ours"):
        case, tables = ours["case"], ours["tables"]
        other = plain.get((case, tables))
        words = {"a": "", "b": ", one held", "c": ", 10 ms away"}[case]
        lines.append(
            servers.Figure(
                "write_stall",
                f"{case}: longest write, {tables} tables{words}"
                f" (writers alone {ours['longest_alone_ms']} ms)",
                other and other["longest_ms"],
                ours["longest_ms"],
                "ms",
                None,
                LONGEST_MS[case],
            )
        )
        if case == "a" and other:
            ratio = ours["seconds"] / other["seconds"]
            lines.append(
                servers.Figure(
                    *("write_stall", f"a: enrolling {tables} tables"),
                    *(other["seconds"], ours["seconds"], "s", ratio, 2.0),
                )
            )
    return lines


def main() -> int:
    """Measure, print a table and JSON lines; non-zero when our way left anything out."""
    parser = servers.parser(__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[600, 1000])
    parser.add_argument("--cases", nargs="+", choices=["a", "b", "c"], default=["a", "b", "c"])
    parser.add_argument(
        "--methods", nargs="+", choices=["plain", "ours"], default=["plain", "ours"]
    )
    parser.add_argument("--hold", type=float, default=60.0, help="case b: seconds")
    options = parser.parse_args()
    sizes, hold = ([30], 4.0) if options.small else (options.tables, options.hold)
    results = []
    with Bench(options.image) as bench:
        for case in options.cases:
            for tables in {"a": sizes, "b": sizes[:1], "c": [min(FAR_TABLES, sizes[0])]}[case]:
                for method in options.methods:
                    figures = bench.measure(method, case, tables, hold)
                    results.append(figures)
                    print(json.dumps(figures), flush=True)
                    servers.hand_on(options.json, figures_of(results), results)
    print(f"\n{'case':4} {'tables':>6} {'method':6} {'seconds':>8} {'longest write':>14}  alone")
    for figures in results:
        print(
            f"{figures['case']:4} {figures['tables']:6} {figures['method']:6}"
            f" {figures['seconds']:8.1f} {figures.get('longest_ms', 0):11} ms"
            f" {figures['longest_alone_ms']:4} ms {figures.get('failed', '')[:60]}"
        )
    ours = [figures for figures in results if figures["method"] == "ours"]
    return int(any("failed" in one or one["missing_triggers"] for one in ours))


if __name__ == "__main__":
    sys.exit(main())

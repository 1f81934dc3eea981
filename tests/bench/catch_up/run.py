#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to bring over what has queued: Bucardo, our catch-up, native replication.

Two databases of one server that the playbook has made masters of each other, and two with native
logical replication. While nothing is replicated, rows are changed in transactions of 5,000, the
same ones for each way: `single` updates distinct rows of one table, `mixed` does all kinds of
changes to 50 tables. Measured is the time until nothing of them waits, from the release on for
Bucardo, and from the start of the task for ours, both with Ansible. Both sides must be equal then.

    tests/bench/catch_up/run.py [--sets single mixed] [--changes 200000 ...]
        [--ways default settings ours native] [--killed 2]

`default` is Bucardo with its own statement_chunk_size, `settings` with that of the role; what takes
longer than --limit is ended. --killed kills the process of ours at random moments and starts it
again, the time going on. --write puts the last runs into docs/performance.md, with pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import pathlib
import random
import sys
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "live"), str(HERE.parents[2] / ".cache")]

import document
import report
import servers
import watch
from runs import Run, keep, kept
from sets import SETS, Set
from site_of_tests import PIPELINED, PLAY_TIMEOUT, Master, Site

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

WAYS = ("default", "settings", "ours", "native")
RESULTS = servers.REPOSITORY / ".cache" / "bench"
DOCS = servers.REPOSITORY / "docs"
SYNC = "multimaster"
NAMED = {"name": SYNC}
WORDS = {**NAMED, "relgroup": SYNC, "dbgroup": SYNC}
CHUNK = {"default": 6000, "settings": 300, "ours": 300}
SUM = "SELECT '{0}', count(*), sum(hashtextextended(t::text, 0)) FROM public.{0} t"
# What waits is gone when all are purged, or marked as brought.
WAITING = """
SELECT '{0}' FROM bucardo.delta_public_{0} d WHERE NOT EXISTS (
  SELECT FROM bucardo.track_public_{0} k WHERE k.txntime = d.txntime) HAVING count(*) > 0
"""
QUEUED = "SELECT count(*) FROM bucardo.delta_public_{0}"
KILL = f"pkill -9 -f -- '[b]ucardo_catch_up|{PIPELINED}' && echo hit"


class Bench(Site):
    """Masters of each other, and a pair with native replication, with the tables of one set.

    :param rows: of all tables together.
    """

    def __init__(self, tables: Set, rows: int, image: str) -> None:
        super().__init__("catch-up", image=image)
        self.tables, self.rows = tables, rows

    def prepare(self) -> None:
        """All tables empty, nothing replicated."""
        self.configure(self.hosts[0], ["wal_level = logical", "max_wal_size = 8GB"])
        self.pair = [self.master("left", schema=self.tables.schema), self.master("right")]
        self.inventory_ = self.inventory(self.pair)
        self.play("bootstrap", self.inventory_)
        self.hold()

    def prepare_native(self) -> None:
        """The same tables, and a publication of them."""
        self.native = [
            self.master(f"native_{side}", schema=self.tables.schema) for side in ("left", "right")
        ]
        self.native[0].sql(f"CREATE PUBLICATION p FOR TABLE {', '.join(self.tables.names)}")

    def each(self, text: str, between: str = " UNION ALL ") -> str:
        """A statement for every table."""
        return between.join(text.format(name) for name in self.tables.names)

    def fill(self, way: str, pair: t.Sequence[Master]) -> None:
        """The same rows on both sides, for each way anew, and nothing that waits."""
        native = way == "native"
        if native:
            pair[1].sql("DROP SUBSCRIPTION IF EXISTS s")
        # Without Bucardo's triggers.
        filled = f"SET session_replication_role = replica; {self.tables.fill(self.rows)}"
        queues = self.each("bucardo.delta_public_{0}, bucardo.track_public_{0}", ", ")
        for master in reversed(pair):
            master.sql(filled + ("" if native else f"TRUNCATE {queues}"))
        if native:
            pair[0].sql("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
            pair[1].sql(
                "CREATE SUBSCRIPTION s CONNECTION 'dbname=native_left' PUBLICATION p"
                " WITH (create_slot = false, enabled = false, copy_data = false)"
            )
            return
        self.bucardo("set", f"statement_chunk_size={CHUNK[way]}")
        # A daemon reads its settings when it is told to.
        self.bucardo("reload", "config")

    def hold(self) -> None:
        """Let changes queue."""
        self.module("bucardo_sync", self.inventory_, **WORDS, status="held", enrol=False)

    def release(self) -> None:
        """Let Bucardo bring them."""
        masters = self.masters_option(self.inventory_)
        self.module("bucardo_sync", self.inventory_, **WORDS, status="active", masters=masters)
        # With a number of seconds it would wait.
        self.bucardo("kick", SYNC)

    def catch_up(self, run: Run, clock: watch.Clock, kills: int) -> None:
        """Ours, killed so often before it may end."""
        words = {**NAMED, "masters": self.masters_option(self.inventory_)}
        for number in range(kills, 0, -1):
            run.killed += self.killed(words, clock, number / (number + 1))
        done = self.module("bucardo_catch_up", self.inventory_, **words)
        if done["left_alone"]:
            raise SystemExit(f"error: ours left tables alone: {done['left_alone']}")
        run.alone = 0.0 if kills else float(done["totals"]["seconds"])

    def killed(self, words: dict[str, t.Any], clock: watch.Clock, least: float) -> bool:
        """Start ours and kill it on the way; whether it was hit before all was brought.

        :param least: part of what waits that is to be left for the next start.
        """
        enough = clock.left * random.uniform(least, 0.98)
        task = self.task("bucardo_catch_up", **words)
        with self.started(task, self.inventory_) as process:
            while process.poll() is None and clock.left > enough:
                time.sleep(watch.LOOK)
            # What is seen has been committed; it is to be hit anywhere.
            time.sleep(random.uniform(0, 2 * watch.LOOK))
            left = clock.left
            hit = "hit" in self.run(self.bucardo_host, KILL, check=False)
            said, _errors = process.communicate(timeout=PLAY_TIMEOUT)
        result = json.loads(pathlib.Path(task).with_name("result.json").read_text("utf-8"))
        if result.get("failed") and not hit:
            raise SystemExit(f"error: ours failed: {said}")
        on_the_way = hit and left > 0
        said = "killed" if on_the_way else "had brought all before it was killed"
        print(f"{said}, {left} waited", flush=True)
        return on_the_way

    def measured(self, way: str, changes: int, limit: float, kills: int = 0) -> Run:
        """Until nothing waits."""
        pair = self.native if way == "native" else self.pair
        self.fill(way, pair)
        pair[0].sql(self.tables.write(changes, self.rows))
        for master in pair:
            master.sql(f"VACUUM ANALYZE {', '.join(self.tables.names)}")
        run = Run(way, changes, None, limit, set=self.tables.name)
        with watch.memory(self, self.hosts[0], run), self.backlog(run, pair) as clock:
            if way == "native":
                pair[1].sql("ALTER SUBSCRIPTION s ENABLE")
            else:
                if way == "ours":
                    self.catch_up(run, clock, kills)
                self.release()
            run.seconds = clock.wait()
        self.check(run, pair)
        return run

    def check(self, run: Run, pair: t.Sequence[Master]) -> None:
        """Hold the sync again, with equal rows."""
        where = f"{run.case}, {run.way}"
        if run.way == "native":
            pair[1].sql("ALTER SUBSCRIPTION s DISABLE")
        else:
            waits = pair[0].sql(self.each(WAITING)) if run.seconds is not None else []
            if waits:
                raise SystemExit(f"error: {where}: changes wait: {waits}")
            self.hold()
        if run.seconds is None:
            return
        # Parts of a query come in any order.
        left, right = (sorted(master.sql(self.each(SUM))) for master in pair)
        differ = [(one, other) for one, other in zip(left, right) if one != other]
        if differ:
            raise SystemExit(f"error: {where}: rows differ (table, rows, sum): {differ}")

    @contextlib.contextmanager
    def backlog(self, run: Run, pair: t.Sequence[Master]) -> t.Iterator[watch.Clock]:
        """Note what waits, from now on."""
        native = run.way == "native"
        gone, over = watch.queries(self.tables, native)
        queued = run.changes
        if not native:
            queued = sum(int(row[0]) for row in pair[0].sql(self.each(QUEUED)))
        with Session(self.conninfo(pair[1 if native else 0])) as session:
            clock = watch.Clock(run, session, watch.Queue(gone, over, queued))
            clock.start()
            try:
                yield clock
            finally:
                clock.stop()


def main() -> int:
    """Measure every way with every set at every size."""
    parser = servers.parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--changes", type=int, nargs="+", default=[100_000, 500_000, 2_000_000])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--limit", type=float, default=900, help="seconds for one way")
    parser.add_argument("--rows", type=int, default=0, help="of all tables, if more than changes")
    parser.add_argument("--killed", type=int, default=0, help="how often ours is killed on the way")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    parser.add_argument(
        "--keep",
        type=pathlib.Path,
        default=RESULTS / "catch_up-runs.json",
        help="file of all runs, of which new ones replace those of the same set, way and size",
    )
    options = parser.parse_args()
    if options.small:
        options.changes, options.ways, options.keep = [3000], ["settings", "ours", "native"], None
    runs = measure(options)
    print(report.table(runs))
    found = list(report.figures(runs))
    servers.hand_on(options.json, found, [dataclasses.asdict(run) for run in runs])
    if options.write:
        report.write(document.DOCUMENT, DOCS, kept(options.keep) if options.keep else runs)
    return 0


def measure(options: argparse.Namespace) -> list[Run]:
    """All that was asked for, each set on servers of its own."""
    runs = []
    for name in options.sets:
        with Bench(SETS[name], max(options.rows, *options.changes), options.image) as bench:
            bench.prepare()
            if "native" in options.ways:
                bench.prepare_native()
            for changes in options.changes:
                for way in options.ways:
                    run = bench.measured(way, changes, options.limit, options.killed)
                    said = f"{run.time}, {run.memory} MB, load {document.load()}"
                    print(f"{run.case}, {way}: {said}", flush=True)
                    runs.append(run)
                    if options.keep:
                        keep(options.keep, run)
    return runs


if __name__ == "__main__":
    sys.exit(main())

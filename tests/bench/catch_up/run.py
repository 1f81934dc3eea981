#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to bring over what has queued: Bucardo, our catch-up, native replication.

Two databases of one server that the playbook has made masters of each other, and two with native
logical replication. While nothing is replicated, distinct rows of one table are updated in
transactions of 5,000. Measured is the time until nothing of them waits, from the release on for
Bucardo, and from the start of the task for ours, both with Ansible. Both sides must be equal then.

    tests/bench/catch_up/run.py [--changes 200000 ...] [--ways default settings ours native]

`default` is Bucardo with its own statement_chunk_size, `settings` with that of the role; what takes
longer than --limit is ended. --write puts the last runs into docs/performance.md, with a picture.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import pathlib
import sys
import threading
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "live"), str(HERE.parents[2] / ".cache")]

import document
import report
import servers
from report import Run
from site_of_tests import Master, Site

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

WAYS = ("default", "settings", "ours", "native")
RESULTS = servers.REPOSITORY / ".cache" / "bench"
PICTURE = servers.REPOSITORY / "docs" / "catch-up.svg"
SYNC = "multimaster"
NAMED = {"name": SYNC}
WORDS = {**NAMED, "relgroup": SYNC, "dbgroup": SYNC}
CHUNK = {"default": 6000, "settings": 300, "ours": 300}
# Seconds between two looks at what waits.
LOOK = 0.25
SCHEMA = """
CREATE TABLE item (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0, body text NOT NULL);
INSERT INTO item SELECT i, 0, md5(i::text) || md5((-i)::text) FROM generate_series(1, {rows}) i;
"""
WRITE = """
DO $$ BEGIN
  FOR i IN 0 .. ({changes} - 1) / 5000 LOOP
    UPDATE item SET n = n + 1 WHERE id > i * 5000 AND id <= least({changes}, (i + 1) * 5000);
    COMMIT;
  END LOOP;
END $$;
"""
SUM = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM public.item t"
# What waits is gone when all are purged, or marked as brought.
WAITING = """
SELECT EXISTS (SELECT FROM bucardo.delta_public_item d WHERE NOT EXISTS (
  SELECT FROM bucardo.track_public_item k WHERE k.txntime = d.txntime))
"""
# The same in little time, as nobody writes: Bucardo marks all at once.
BROUGHT = """
SELECT NOT EXISTS (SELECT FROM bucardo.delta_public_item)
    OR EXISTS (SELECT FROM bucardo.track_public_item)
"""
# Rows that have left the queue since the beginning, or that native replication has written.
DELETED = "SELECT pg_stat_get_tuples_deleted('bucardo.delta_public_item'::regclass)"
UPDATED = "SELECT pg_stat_get_tuples_updated('public.item'::regclass)"
# Largest memory of the process that does the work, as long as the file is there. Of a server's
# process only what is its own counts.
WATCH = """
touch /tmp/watched; : > /tmp/memory
while [ -e /tmp/watched ]; do
  for pid in $(pgrep -f -- "$PATTERN"); do
    sed -n "s/^$FIELD: *//p" /proc/$pid/status 2>/dev/null >> /tmp/memory
  done
  sleep 0.2
done
"""
PATTERN = {
    "ours": ("[b]ucardo_catch_up", "VmHWM"),
    "default": ("^Bucardo [K]id", "VmHWM"),
    "settings": ("^Bucardo [K]id", "VmHWM"),
    "native": ("logical replication [w]orker|[w]alsender", "RssAnon"),
}


class Bench(Site):
    """Masters of each other, and a pair with native replication."""

    def prepare(self, rows: int) -> None:
        """Everything equal, nothing replicated."""
        self.configure(self.hosts[0], ["wal_level = logical", "max_wal_size = 8GB"])
        schema = SCHEMA.format(rows=rows)
        self.pair = [self.master("left", schema=schema), self.master("right")]
        self.inventory_ = self.inventory(self.pair)
        self.play("bootstrap", self.inventory_)
        self.hold()

    def prepare_native(self, rows: int) -> None:
        """A subscription that waits."""
        schema = SCHEMA.format(rows=rows)
        self.native = [self.master(f"native_{side}", schema=schema) for side in ("left", "right")]
        left, right = self.native
        left.sql(
            "CREATE PUBLICATION p FOR TABLE item;"
            " SELECT pg_create_logical_replication_slot('s', 'pgoutput')"
        )
        right.sql(
            "CREATE SUBSCRIPTION s CONNECTION 'dbname=native_left' PUBLICATION p"
            " WITH (create_slot = false, enabled = false, copy_data = false)"
        )

    def hold(self) -> None:
        """Let changes queue."""
        self.module("bucardo_sync", self.inventory_, **WORDS, status="held", enrol=False)

    def release(self) -> None:
        """Let Bucardo bring them."""
        masters = self.masters_option(self.inventory_)
        self.module("bucardo_sync", self.inventory_, **WORDS, status="active", masters=masters)
        # With a number of seconds it would wait.
        self.bucardo("kick", SYNC)

    def catch_up(self) -> float:
        """Ours; returns seconds without Ansible's."""
        masters = self.masters_option(self.inventory_)
        done = self.module("bucardo_catch_up", self.inventory_, **NAMED, masters=masters)
        return float(done["totals"]["seconds"])

    def measured(self, way: str, changes: int, limit: float) -> Run:
        """Until nothing waits."""
        pair = self.native if way == "native" else self.pair
        if way != "native":
            self.bucardo("set", f"statement_chunk_size={CHUNK[way]}")
            # A daemon reads its settings when it is told to.
            self.bucardo("reload", "config")
            for master in pair:
                master.sql("TRUNCATE bucardo.delta_public_item, bucardo.track_public_item")
        pair[0].sql(WRITE.format(changes=changes))
        for master in pair:
            master.sql("VACUUM ANALYZE item")
        run = Run(way, changes, None, limit)
        with self.memory(run), self.backlog(run, pair) as clock:
            if way == "native":
                pair[1].sql("ALTER SUBSCRIPTION s ENABLE")
            else:
                run.alone = self.catch_up() if way == "ours" else 0.0
                self.release()
            run.seconds = clock.wait()
        if way == "native":
            pair[1].sql("ALTER SUBSCRIPTION s DISABLE")
        else:
            self.check(run, pair)
        if run.seconds is not None and pair[0].sql(SUM) != pair[1].sql(SUM):
            raise SystemExit(f"error: {way}: rows differ after {changes} changes")
        return run

    def check(self, run: Run, pair: t.Sequence[Master]) -> None:
        """Hold the sync again, with equal rows."""
        if run.seconds is not None and pair[0].value(WAITING) != "f":
            raise SystemExit(f"error: {run.way}: changes wait after {run.changes} changes")
        self.hold()
        if run.seconds is None:
            self.catch_up()

    @contextlib.contextmanager
    def backlog(self, run: Run, pair: t.Sequence[Master]) -> t.Iterator[Clock]:
        """Note what waits, from now on."""
        native = run.way == "native"
        with Session(self.conninfo(pair[1 if native else 0])) as session:
            clock = Clock(run, session, UPDATED if native else DELETED, "" if native else BROUGHT)
            clock.start()
            try:
                yield clock
            finally:
                clock.stop()

    @contextlib.contextmanager
    def memory(self, run: Run) -> t.Iterator[None]:
        """Note the memory of the processes that do the work."""
        pattern, field = PATTERN[run.way]
        servers.docker(
            *("exec", "--detach", "--env", f"PATTERN={pattern}", "--env", f"FIELD={field}"),
            *(self.container(self.hosts[0]), "bash", "-c", WATCH),
        )
        yield
        said = self.run(self.hosts[0], "rm -f /tmp/watched; sleep 0.3; cat /tmp/memory")
        run.memory = max((int(line.split()[0]) // 1024 for line in said.splitlines()), default=0)


class Clock(threading.Thread):
    """Looks at what waits until nothing does, or the time is over."""

    def __init__(self, run: Run, session: Session, gone: str, brought: str) -> None:
        super().__init__(daemon=True)
        self._run, self._session, self._gone, self._brought = run, session, gone, brought
        self._base = session.value(gone)
        self._begun = time.monotonic()
        self._ended: float | None = None
        self._over = False

    def run(self) -> None:
        """Note what waits; a straight line needs no more than its ends."""
        while not self._over:
            left = self._left()
            passed = time.monotonic() - self._begun
            if not self._run.backlog or self._run.backlog[-1][1] != left:
                self._run.backlog.append((round(passed, 2), left))
            if left == 0 and self._ended is None:
                self._ended = passed
            time.sleep(LOOK)

    def _left(self) -> int:
        changes = self._run.changes
        left = max(0, changes - (self._session.value(self._gone) - self._base))
        if self._brought and self._session.value(self._brought):
            return 0
        return left

    def wait(self) -> float | None:
        """Seconds until nothing waited, None when that takes too long."""
        while self._ended is None and time.monotonic() - self._begun < self._run.limit:
            time.sleep(LOOK)
        return self._ended

    def stop(self) -> None:
        """Before the session is closed."""
        self._over = True
        self.join()


def main() -> int:
    """Measure every way at every size."""
    parser = servers.parser(__doc__)
    parser.add_argument("--changes", type=int, nargs="+", default=[100_000, 500_000, 2_000_000])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--limit", type=float, default=900, help="seconds for one way")
    parser.add_argument("--rows", type=int, default=0, help="of the table, if more than changes")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    parser.add_argument(
        "--keep",
        type=pathlib.Path,
        default=RESULTS / "catch_up-runs.json",
        help="file of all runs, of which new ones replace those of the same way and size",
    )
    options = parser.parse_args()
    if options.small:
        options.changes, options.ways, options.keep = [3000], ["settings", "ours"], None
    runs = measure(options)
    print(report.table(runs))
    servers.hand_on(options.json, list(figures(runs)), [dataclasses.asdict(run) for run in runs])
    if options.write:
        report.write(document.DOCUMENT, PICTURE, kept(options.keep) if options.keep else runs)
    return 0


def measure(options: argparse.Namespace) -> list[Run]:
    """All that was asked for."""
    runs = []
    rows = max(options.rows, *options.changes)
    with Bench("catch-up", image=options.image) as bench:
        bench.prepare(rows)
        if "native" in options.ways:
            bench.prepare_native(rows)
        for changes in options.changes:
            for way in options.ways:
                run = bench.measured(way, changes, options.limit)
                said = f"{run.time}, {run.memory} MB, load {document.load()}"
                print(f"{changes} {way}: {said}", flush=True)
                runs.append(run)
                if options.keep:
                    keep(options.keep, run)
    return runs


def kept(file: pathlib.Path) -> list[Run]:
    """The last runs of every way and size."""
    return [Run(**one) for one in json.loads(file.read_text("utf-8"))] if file.exists() else []


def keep(file: pathlib.Path, run: Run) -> None:
    """At once: the next way may take very long."""
    others = [one for one in kept(file) if (one.way, one.changes) != (run.way, run.changes)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([dataclasses.asdict(one) for one in (*others, run)]), "utf-8")


def figures(runs: t.Sequence[Run]) -> t.Iterator[servers.Figure]:
    """Ours against each other way."""
    limits = {"default": 1 / 30, "settings": 1.0, "native": 0.5}
    for ours in (run for run in runs if run.way == "ours" and run.seconds is not None):
        for other in (run for run in runs if run.changes == ours.changes and run is not ours):
            # Of one that was ended it is known only that it takes longer.
            seconds = other.limit if other.seconds is None else other.seconds
            words = " (ended)" if other.seconds is None else ""
            yield servers.Figure(
                "catch_up",
                f"{ours.changes:,} changes: {report.WORDS[other.way]}{words}",
                seconds,
                ours.seconds,
                ratio=ours.seconds / seconds,
                limit=limits[other.way] if ours.changes >= 2_000_000 else None,
            )
        case = f"{ours.changes:,} changes: memory"
        yield servers.Figure("catch_up", case, None, ours.memory, unit="MB", limit=150)


if __name__ == "__main__":
    sys.exit(main())

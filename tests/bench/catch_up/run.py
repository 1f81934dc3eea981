#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to bring over what has queued: Bucardo, our catch-up, native replication.

Two databases of one server that the playbook has made masters of each other, and two with native
logical replication. While nothing is replicated, distinct rows of one table are updated in
transactions of 5,000. Measured is the time from there until nothing waits; both sides must be equal
then. For ours it includes Ansible, the release and Bucardo's own run afterwards.

    tests/bench/catch_up/run.py [--changes 200000 ...] [--ways default settings ours native]

`default` is Bucardo with its own statement_chunk_size, `settings` with that of the role.
"""

from __future__ import annotations

import pathlib
import sys
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "live")]

import servers
from site_of_tests import Site, eventually

WAYS = ("default", "settings", "ours", "native")
SYNC = "multimaster"
NAMED = {"name": SYNC}
WORDS = {**NAMED, "relgroup": SYNC, "dbgroup": SYNC}
CHUNK = {"default": 6000, "settings": 300, "ours": 300}
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
SUM = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM item t"
# What waits is gone when all are purged, or marked as brought.
WAITING = """
SELECT EXISTS (SELECT FROM bucardo.delta_public_item d WHERE NOT EXISTS (
  SELECT FROM bucardo.track_public_item k WHERE k.txntime = d.txntime))
"""
# Largest memory of the process that does the work, as long as the file is there.
WATCH = """
touch /tmp/watched; : > /tmp/memory
while [ -e /tmp/watched ]; do
  for pid in $(pgrep -f -- "$PATTERN"); do
    sed -n 's/^VmHWM: *//p' /proc/$pid/status 2>/dev/null >> /tmp/memory
  done
  sleep 0.2
done
"""
PATTERN = {"ours": "[b]ucardo_catch_up", "default": "^Bucardo [K]id", "settings": "^Bucardo [K]id"}


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
        self.bucardo("kick", SYNC, "0")

    def caught_up(self, way: str, changes: int, timeout: float) -> tuple[float, int, float]:
        """Seconds until nothing waits, megabytes, and seconds of the catch-up alone."""
        left, right = self.pair
        self.bucardo("set", f"statement_chunk_size={CHUNK[way]}")
        # A daemon reads its settings when it is told to.
        self.bucardo("reload", "config")
        for master in self.pair:
            master.sql("TRUNCATE bucardo.delta_public_item, bucardo.track_public_item; VACUUM item")
        left.sql(WRITE.format(changes=changes))
        left.sql("VACUUM ANALYZE item")
        self.watch(PATTERN[way])
        begun, alone = time.monotonic(), 0.0
        if way == "ours":
            masters = self.masters_option(self.inventory_)
            done = self.module("bucardo_catch_up", self.inventory_, **NAMED, masters=masters)
            alone = done["totals"]["seconds"]
        self.release()
        ended = eventually(lambda: left.value(WAITING) == "f", timeout)
        seconds = time.monotonic() - begun if ended else float("inf")
        memory = self.watched()
        self.hold()
        if ended and left.sql(SUM) != right.sql(SUM):
            raise SystemExit(f"error: {way}: rows differ after {changes} changes")
        if not ended:
            # The next way must begin with equal rows.
            self.module(
                "bucardo_catch_up",
                self.inventory_,
                **NAMED,
                masters=self.masters_option(self.inventory_),
            )
        return seconds, memory, alone

    def natively(self, changes: int, timeout: float) -> float:
        """Seconds of native logical replication."""
        left, right = self.native
        left.sql(WRITE.format(changes=changes))
        lsn = left.value("SELECT pg_current_wal_lsn()")
        begun = time.monotonic()
        right.sql("ALTER SUBSCRIPTION s ENABLE")
        flushed = f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots"
        ended = eventually(lambda: left.value(flushed) == "t", timeout)
        seconds = time.monotonic() - begun if ended else float("inf")
        right.sql("ALTER SUBSCRIPTION s DISABLE")
        if ended and left.sql(SUM) != right.sql(SUM):
            raise SystemExit(f"error: native: rows differ after {changes} changes")
        return seconds

    def watch(self, pattern: str) -> None:
        """Note the memory of processes from now on."""
        servers.docker(
            *("exec", "--detach", "--env", f"PATTERN={pattern}", self.container(self.hosts[0])),
            *("bash", "-c", WATCH),
        )

    def watched(self) -> int:
        """Megabytes at the most; 0 when no process was seen."""
        said = self.run(self.hosts[0], "rm -f /tmp/watched; sleep 0.3; cat /tmp/memory")
        return max((int(line.split()[0]) // 1024 for line in said.splitlines()), default=0)


def rounded(seconds: float) -> str:
    return "too long" if seconds == float("inf") else f"{seconds:.1f} s"


def main() -> int:
    """Measure every way at every size."""
    parser = servers.parser(__doc__)
    parser.add_argument("--changes", type=int, nargs="+", default=[100_000, 500_000])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["settings", "ours", "native"])
    parser.add_argument("--timeout", type=float, default=1800)
    options = parser.parse_args()
    if options.small:
        options.changes, options.ways = [3000], ["settings", "ours"]
    rows = max(options.changes)
    figures: list[servers.Figure] = []
    details: dict[str, t.Any] = {}
    with Bench("catch-up", image=options.image) as bench:
        bench.prepare(rows)
        if "native" in options.ways:
            bench.prepare_native(rows)
        for changes in options.changes:
            seconds: dict[str, float] = {}
            for way in options.ways:
                if way == "native":
                    seconds[way], memory, alone = bench.natively(changes, options.timeout), 0, 0.0
                else:
                    seconds[way], memory, alone = bench.caught_up(way, changes, options.timeout)
                about = f", {memory} MB" if memory else ""
                about += f", the catch-up alone {alone:.1f} s" if alone else ""
                print(f"{changes} changes, {way}: {rounded(seconds[way])}{about}", flush=True)
                details[f"{changes} {way}"] = {
                    "seconds": seconds[way] if seconds[way] != float("inf") else None,
                    "memory": memory,
                    "alone": alone,
                }
            figures += _figures(changes, seconds, details)
    servers.hand_on(options.json, figures, details)
    return 0


def _figures(
    changes: int, seconds: dict[str, float], details: dict[str, t.Any]
) -> t.Iterator[servers.Figure]:
    ours = seconds.get("ours")
    if ours is None:
        return
    limits = {"default": 1 / 30, "settings": 1.0, "native": 0.5}
    for way, limit in limits.items():
        other = seconds.get(way)
        if other is not None and other != float("inf"):
            case = f"{changes} changes, against {way}"
            goal = limit if changes >= 2_000_000 else None
            yield servers.Figure("catch_up", case, other, ours, ratio=ours / other, limit=goal)
    memory = details[f"{changes} ours"]["memory"]
    if memory:
        case = f"{changes} changes, memory"
        yield servers.Figure("catch_up", case, None, memory, unit="MB", limit=150)


if __name__ == "__main__":
    sys.exit(main())

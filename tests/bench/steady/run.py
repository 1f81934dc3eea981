#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What replication costs its writers, and how far behind the other master is.

Two databases of one server that the playbook has made masters of each other; pgbench updates single
rows of one of them, each in a transaction that is flushed to disk. For the writers' part the sync
is held, so that only the triggers differ: none, those that note changes, and those that also wake
Bucardo (NOTIFY, for which commits wait for each other). Then with the sync replicating. For the lag
a row is written ten times a second beside a fixed rate of updates, and looked for on the other
master every 5 ms.

    tests/bench/steady/run.py [--clients 1 8 32] [--rates 50 200 500 1000] [--seconds 20]
"""

from __future__ import annotations

import pathlib
import statistics
import sys
import threading
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "live"), str(HERE.parents[2] / ".cache")]

import servers
from site_of_tests import Site, eventually

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

SYNC = "multimaster"
WORDS = {"name": SYNC, "relgroup": SYNC, "dbgroup": SYNC}
ROWS = 100_000
SCHEMA = f"""
CREATE TABLE item (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0, body text NOT NULL);
INSERT INTO item SELECT i, 0, md5(i::text) || md5((-i)::text) FROM generate_series(1, {ROWS}) i;
CREATE TABLE beat (id integer PRIMARY KEY, at double precision NOT NULL);
"""
SCRIPT = rf"""
\set id random(1, {ROWS})
UPDATE public.item SET n = n + 1 WHERE id = :id;
"""
KICK = f"bucardo_kick_{SYNC}"
TRIGGERS = {
    "no triggers": f"ALTER TABLE item DISABLE TRIGGER bucardo_delta, DISABLE TRIGGER {KICK}",
    "delta": f"ALTER TABLE item ENABLE TRIGGER bucardo_delta, DISABLE TRIGGER {KICK}",
    "delta and kick": f"ALTER TABLE item ENABLE TRIGGER bucardo_delta, ENABLE TRIGGER {KICK}",
}
REPLICATING = "delta and kick, replicating"
# Seconds between two rows of which the way is timed, and between two looks for them.
BEAT, LOOK = 0.1, 0.005


class Written(t.NamedTuple):
    """Transactions per second, and the latency in milliseconds that one in a hundred exceeds."""

    tps: float
    p99: float


class Bench(Site):
    """Masters of each other on one server whose commits wait for the disk."""

    def prepare(self) -> None:
        """They replicate."""
        self.configure(self.hosts[0], ["fsync = on", "max_connections = 200"])
        self.pair = [self.master("left", schema=SCHEMA), self.master("right")]
        self.inventory_ = self.inventory(self.pair)
        self.play("bootstrap", self.inventory_)
        self.run(self.hosts[0], 'echo "$SCRIPT" > /tmp/write.sql', SCRIPT=SCRIPT)

    def hold(self) -> None:
        """Only the triggers are left."""
        self.module("bucardo_sync", self.inventory_, **WORDS, status="held", enrol=False)

    def release(self) -> None:
        """Replicate again, from equal rows."""
        masters = self.masters_option(self.inventory_)
        self.forget()
        self.pair[0].sql(TRIGGERS["no triggers"])
        self.pair[0].sql("UPDATE item SET n = 0")
        self.pair[1].sql(f"{TRIGGERS['no triggers']}; UPDATE item SET n = 0")
        for master in self.pair:
            master.sql(TRIGGERS["delta and kick"])
        self.module("bucardo_sync", self.inventory_, **WORDS, status="active", masters=masters)

    def forget(self) -> None:
        """Empty the queue, which nobody is to bring."""
        for master in self.pair:
            master.sql(
                "TRUNCATE bucardo.delta_public_item, bucardo.track_public_item; VACUUM item;"
            )

    def write(self, clients: int, seconds: float, rate: int = 0) -> Written:
        """Let so many clients write."""
        limit = f"-R {rate}" if rate else ""
        said = self.run(
            self.hosts[0],
            "cd $(mktemp -d) && chmod 777 . && runuser -u postgres --"
            f" pgbench -n -c {clients} -j {min(clients, 2)} -T {seconds:.0f} {limit}"
            " -f /tmp/write.sql -l left >&2 && cat pgbench_log.*",
        )
        # The third field is the latency in microseconds; at a fixed rate it is from the moment at
        # which the transaction was due.
        latencies = sorted(int(line.split()[2]) / 1000 for line in said.splitlines())
        return Written(len(latencies) / seconds, latencies[int(len(latencies) * 0.99)])

    def lag(self, rate: int, seconds: float) -> list[float]:
        """Seconds that a row takes to the other master, sorted; while others write at a rate."""
        with (
            Session(self.conninfo(self.pair[0])) as left,
            Session(self.conninfo(self.pair[1])) as right,
        ):
            found = Beats(left, right)
            found.start()
            self.write(4, seconds, rate)
            found.stop()
        return sorted(found.lags)


class Beats(threading.Thread):
    """Writes rows on one master, and notes when they are on the other."""

    def __init__(self, left: Session, right: Session) -> None:
        super().__init__(daemon=True)
        self._left, self._right = left, right
        self._over = False
        self.lags: list[float] = []

    def run(self) -> None:
        """Both in one loop: the times are of one clock."""
        left, right = self._left, self._right
        number = int(left.value("SELECT COALESCE(max(id), 0) FROM public.beat"))
        sent: dict[int, float] = {}
        due = time.monotonic()
        while not self._over or sent:
            now = time.monotonic()
            if now >= due and not self._over:
                number, due = number + 1, due + BEAT
                left.execute("INSERT INTO public.beat VALUES (%s, %s)", (number, now))
                sent[number] = now
            if sent:
                arrived = right.column(
                    "SELECT id FROM public.beat WHERE id = ANY (%s)", (list(sent),)
                )
                self.lags += [time.monotonic() - sent.pop(one) for one in arrived]
            time.sleep(LOOK)

    def stop(self) -> None:
        """When the last has arrived."""
        self._over = True
        self.join()


def main() -> int:
    """Measure."""
    parser = servers.parser(__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rates", type=int, nargs="+", default=[50, 200, 500, 1000])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.small:
        options.clients, options.rates, options.seconds, options.rounds = [2], [50], 3, 1
    figures: list[servers.Figure] = []
    with Bench("steady", image=options.image) as bench:
        bench.prepare()
        figures += writers(bench, options.clients, options.seconds, options.rounds)
        figures += lags(bench, options.rates, options.seconds)
        if not eventually(lambda: bench.pair[0].rows("item") == bench.pair[1].rows("item")):
            raise SystemExit("error: rows differ")
    servers.hand_on(options.json, figures, None)
    return 0


def writers(
    bench: Bench, clients: t.Sequence[int], seconds: float, rounds: int
) -> t.Iterator[servers.Figure]:
    """Throughput and latency, by kind of triggers; the kinds take turns."""
    found: dict[tuple[str, int], list[Written]] = {}
    bench.hold()
    for _round in range(rounds):
        for kind, statement in TRIGGERS.items():
            for count in clients:
                bench.forget()
                bench.pair[0].sql(statement)
                found.setdefault((kind, count), []).append(bench.write(count, seconds))
    bench.release()
    for count in clients:
        found[REPLICATING, count] = [bench.write(count, seconds) for _round in range(rounds)]
    for count in clients:
        base = median(found["no triggers", count])
        for kind in (*TRIGGERS, REPLICATING):
            now = median(found[kind, count])
            print(
                f"{count} clients, {kind}: {now.tps:.0f} per second"
                f" ({now.tps / base.tps:.0%}), p99 {now.p99:.1f} ms",
                flush=True,
            )
            if kind == "no triggers":
                continue
            name = f"writers, {count} clients: {kind}"
            yield servers.Figure(
                *("steady", f"{name}, time per transaction", 1000 * count / base.tps),
                *(1000 * count / now.tps, "ms"),
                ratio=base.tps and base.tps / now.tps,
                limit=1.25 if kind == "delta and kick" and count == 32 else None,
            )
            yield servers.Figure("steady", f"{name}, p99", base.p99, now.p99, "ms")


def median(found: t.Sequence[Written]) -> Written:
    """Of several rounds."""
    return Written(*(statistics.median(values) for values in zip(*found)))


def lags(bench: Bench, rates: t.Sequence[int], seconds: float) -> t.Iterator[servers.Figure]:
    """How far behind the other master is."""
    # What was written at full speed before is brought over first.
    bench.lag(1, 2)
    for rate in rates:
        found = bench.lag(rate, seconds)
        p50, p99 = statistics.median(found), found[int(len(found) * 0.99)]
        print(f"{rate} a second: lag {p50:.2f} s, p99 {p99:.2f} s, max {found[-1]:.2f} s")
        yield servers.Figure("steady", f"lag at {rate}/s: p50", None, p50, limit=1)
        yield servers.Figure("steady", f"lag at {rate}/s: p99", None, p99, limit=3)


if __name__ == "__main__":
    sys.exit(main())

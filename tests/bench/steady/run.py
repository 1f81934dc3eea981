#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What replication costs its writers, how far behind the other master is, and what idling costs.

Two databases of one server that the playbook has made masters of each other, a pair for each way to
wake Bucardo, and two with native logical replication both ways; one pair replicates at a time.
pgbench updates single rows of one of them, each in a transaction that is flushed to disk.

writers: transactions and latency. While nothing is replicated only the triggers differ: none, those
    that note changes, and those that also wake Bucardo; then each way while it replicates.
lags: a row is written ten times a second beside a fixed rate of updates, and looked for on the
    other master every 5 ms.
highest: the highest rate at which what waits does not grow in the second half of a try, and the lag
    at 80 % of it. What waits is counted in the same way for all: the updates that one master
    has and the other not.
idle: processor time of Bucardo's daemon and of the server, when nobody writes to 1,000 tables.

    tests/bench/steady/run.py [--parts writers lags highest idle] [--ways poll notify native]
                              [--clients 1 8 32] [--rates 50 200 500 1000] [--seconds 20] [--try 60]

--write puts the last figures of every part into docs/performance.md, with a picture. Native
replication that leaves out what it has brought itself takes PostgreSQL 16.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "live"), str(HERE.parents[2] / ".cache")]

import document
import highest
import idle
import load
import pairs
import report
import servers
from results import Highest, Idle, Lag, Results, Writers
from site_of_tests import Site

IMAGE = "multimaster/postgresql:trixie"
PARTS = ("writers", "lags", "highest", "idle")
KEPT = servers.REPOSITORY / ".cache" / "bench" / "steady-results.json"
PICTURE = servers.REPOSITORY / "docs" / "steady.svg"
# The same for all: of a server that can replicate natively.
SETTINGS = ("wal_level = logical", "max_connections = 200")


def main() -> int:
    """Measure."""
    options = arguments()
    results = Results() if options.small else Results.read(options.keep)
    about = document.facts(options.image)
    ways = possible(options.ways, about["PostgreSQL"])
    if not ways:
        raise SystemExit("error: nothing is left to be measured")

    def take(part: str, rows: t.Sequence[t.Any]) -> None:
        measured = {
            "writers": f"{options.seconds:g} s, median of {options.rounds}",
            "lags": f"{options.seconds:g} s each",
            "highest": f"{options.attempt:g} s each try",
            "idle": f"{options.idle:g} s each",
        }
        results.take(part, rows, {**about, "measured": measured[part], "load": document.load()})
        # At once: the next part may take very long.
        if not options.small:
            results.save(options.keep)

    if set(options.parts) - {"idle"}:
        with Site("steady", image=options.image) as site:
            site.configure(site.hosts[0], [*SETTINGS, "fsync = on"])
            stage = pairs.Stage(site, ways)
            if "writers" in options.parts:
                take("writers", list(writers(stage, options)))
            found: dict[str, list[t.Any]] = {
                part: [] for part in OF_A_PAIR if part in options.parts
            }
            for pair in stage.pairs.values() if found else ():
                stage.only(pair)
                for part, rows in found.items():
                    rows += OF_A_PAIR[part](pair, options)
                    take(part, rows)
                pair.check()
    if "idle" in options.parts:
        take("idle", list(idles(ways, options)))
    print(f"\n{report.text(results)}")
    servers.hand_on(options.json, list(report.figures(results)), None)
    if options.write:
        report.write(document.DOCUMENT, PICTURE, results)
    return 0


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = servers.parser(__doc__)
    parser.set_defaults(image=IMAGE)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--ways", nargs="+", choices=list(pairs.WAYS), default=list(pairs.WAYS))
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rates", type=int, nargs="+", default=[50, 200, 500, 1000])
    parser.add_argument("--seconds", type=float, default=20, help="of writers, and of lags")
    parser.add_argument("--rounds", type=int, default=3, help="of writers")
    parser.add_argument(
        "--try", type=float, default=60, dest="attempt", help="seconds for which a rate is tried"
    )
    parser.add_argument("--first", type=int, default=1000, help="rate that is tried first")
    parser.add_argument("--doublings", type=int, default=6, help="of that rate, or halvings")
    parser.add_argument("--halvings", type=int, default=3, help="of what is between two rates")
    parser.add_argument("--tables", type=int, default=1000, help="of a pair that idles")
    parser.add_argument("--settle", type=float, default=90, help="seconds before it is looked at")
    parser.add_argument("--idle", type=float, default=120, help="seconds for which it is")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    parser.add_argument("--keep", type=pathlib.Path, default=KEPT, help="file of the last figures")
    options = parser.parse_args()
    if options.small and options.write:
        parser.error("--write with --small: times of small runs say nothing")
    if options.small:
        options.clients, options.rates, options.seconds, options.rounds = [2], [50], 2, 1
        options.attempt, options.first, options.doublings, options.halvings = 4, 50, 1, 0
        options.tables, options.settle, options.idle = 12, 0, 3
    return options


def possible(asked: t.Collection[str], version: str) -> list[str]:
    """The ways that this version of PostgreSQL has; an unknown one is trusted."""
    major = version.partition(".")[0]
    old = major.isdecimal() and int(major) < pairs.NATIVE_SINCE
    if old and pairs.NATIVE in asked:
        print(f"native replication is left out: PostgreSQL {version} is too old", flush=True)
    return [way for way in pairs.WAYS if way in asked and not (old and way == pairs.NATIVE)]


def writers(stage: pairs.Stage, options: argparse.Namespace) -> t.Iterator[Writers]:
    """Throughput and latency; the kinds take turns."""
    found: dict[tuple[str, int], list[load.Written]] = {}

    def note(kind: str, count: int, pair: pairs.Pair) -> None:
        written = load.write(pair, count, options.seconds)
        found.setdefault((kind, count), []).append(written)
        said = f"{written.tps:.0f} per second, p99 {written.p99:.1f} ms"
        print(f"{count} clients, {kind}: {said}", flush=True)

    for _round in range(options.rounds):
        for kind, (kick, enabled) in pairs.TRIGGERS.items():
            stage.only(None)
            pair = stage.pairs.get(kick)
            if isinstance(pair, pairs.Bucardo):
                pair.enable(enabled)
                for count in options.clients:
                    pair.forget()
                    note(kind, count, pair)
        # The first at last: what comes next begins with it.
        for way, pair in reversed(list(stage.pairs.items())):
            stage.only(pair)
            for count in options.clients:
                note(pairs.WAYS[way], count, pair)
                pair.drain()
            pair.check()
    for (kind, count), rounds in found.items():
        tps, p99 = (statistics.median(values) for values in zip(*rounds))
        yield Writers(kind, count, tps, p99)


def lags(pair: pairs.Pair, options: argparse.Namespace) -> t.Iterator[Lag]:
    """How far behind the other master is."""
    for rate in options.rates:
        seen = load.watched(pair, rate, options.seconds)
        p50, p99 = statistics.median(seen.lags), load.p99(seen.lags)
        found = Lag(pair.name, rate, p50, p99, seen.lags[-1], seen.written.tps)
        print(found, flush=True)
        yield found


def highests(pair: pairs.Pair, options: argparse.Namespace) -> t.Iterator[Highest]:
    """What can be sustained."""
    yield highest.highest(
        *(pair, options.first, options.attempt, options.halvings, options.doublings)
    )


def idles(ways: t.Iterable[str], options: argparse.Namespace) -> t.Iterator[Idle]:
    """What it costs when nobody writes; each way has a server of its own."""
    for way in (idle.NOTHING, *ways):
        found = idle.measure(
            *(options.image, way, options.tables, options.settle, options.idle, SETTINGS)
        )
        print(f"idle: {found}", flush=True)
        yield found


# Of a pair that replicates.
OF_A_PAIR: dict[str, t.Callable[[pairs.Pair, argparse.Namespace], t.Iterator[t.Any]]] = {
    "lags": lags,
    "highest": highests,
}


if __name__ == "__main__":
    sys.exit(main())

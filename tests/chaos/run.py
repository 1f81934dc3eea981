#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chaos: clients write on all masters while everything fails that can; then all must be right.

    tests/chaos/run.py [--minutes 2] [--seed N] [--masters 2|3] [--only FAULT ...]

The seed is printed and repeats the schedule. See docs/chaos.md.
"""

from __future__ import annotations

import argparse
import collections
import pathlib
import random
import shutil
import signal
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The last one has our own collection.
sys.path[:0] = [str(HERE), *(str(ROOT / name) for name in ("tests/live", "tests/bench", ".cache"))]

import checker
import damage
import schedule
from history import History, Row, Transaction
from schedule import Event
from world import Failed, World

RESULTS = ROOT / ".cache" / "chaos"
# Seconds in which all queues must be empty once nothing disturbs. A worker whose connection was
# dropped silently is stuck for 120 before the watchdog takes it for that.
DRAIN = 300


class Run:
    """Rounds of faults, each with a check at its end."""

    def __init__(self, world: World, seed: str, rule: tuple[str, ...], only: list[str]) -> None:
        self.world, self.seed, self.rule, self.only = world, seed, rule, only
        self.faults: collections.Counter[str] = collections.Counter()
        self.baseline: dict[Row, int] = {}
        self.before: dict[Row, int] = {}
        self.last: list[Transaction] = []
        self.numbers: dict[Row, str] = {}
        self.rounds = self.conflicts = 0
        self._errors: list[str] = []

    def begin(self) -> None:
        """The masters, replicating."""
        self.world.make_rows()
        first = [change for done in self.world.history.take() for change in done.changes]
        self.baseline = {change.row: change.wrote for change in first if change.wrote is not None}
        self.numbers = dict.fromkeys(self.baseline, self.world.origin)
        self.world.start_clients(self.world.origin)
        self.world.until_good("bootstrap")
        self.world.start_clients(*self.world.names[1:])

    def round(self) -> None:
        """Faults, then calm, then the check."""
        self.rounds += 1
        world = self.world
        plan = schedule.round_of(self.seed, self.rounds, world.names, self.only)
        print(f"round {self.rounds}", flush=True)
        for name in world.names:
            if name not in world.clients:
                world.start_clients(name)
        operation = threading.Thread(target=self._operation, args=(plan.operation,))
        world.calm.clear()
        operation.start()
        try:
            self._weather(plan.weather)
            world.heal()
        finally:
            world.calm_since = time.monotonic()
            world.calm.set()
            operation.join()
        if self._errors:
            raise Failed("\n".join(self._errors))
        if plan.bootstrap:
            world.until_good("bootstrap")
        self.check()

    def _weather(self, events: tuple[Event, ...]) -> None:
        end = time.monotonic() + schedule.ROUND
        for event in events:
            time.sleep(event.after)
            if time.monotonic() > end:
                return
            self._act(event)
        time.sleep(max(0.0, end - time.monotonic()))

    def _operation(self, event: Event | None) -> None:
        if event is None:
            return
        try:
            time.sleep(event.after)
            self._act(event)
        except Failed as error:
            self._errors.append(f"{event}: {error}")
        except Exception:
            self._errors.append(f"{event}: {traceback.format_exc()}")

    def _act(self, event: Event) -> None:
        self.faults[event.fault.name] += 1
        self.world.tell(str(event))
        event.fault.act(self.world, **event.particulars)

    def check(self) -> None:
        """When nobody writes and nothing waits, ask the checker."""
        world = self.world
        world.stop_clients()
        begun = time.monotonic()
        if self._waiting():
            # The watchdog restarts a daemon twice in an hour, and no more.
            world.by_hand += 1
            world.until_good("bootstrap")
        if waiting := self._waiting():
            status = world.try_play("status", world.wanted())
            raise Failed(f"not brought over in {DRAIN} s: {waiting}\n{status.text[-4000:]}")
        drained = time.monotonic() - begun
        transactions = world.history.take()
        verdict = checker.check(transactions, self.baseline, world.read(), self.rule, self.numbers)
        self.conflicts += verdict.conflicts
        if verdict.violations:
            told = "\n".join(map(str, verdict.violations[:40]))
            raise Failed(f"{len(verdict.violations)} violation(s):\n{told}")
        world.tell(
            f"checked after {drained:.0f} s: {len(transactions)} transactions, {verdict.rows} rows,"
            f" {verdict.conflicts} conflicts: no violation"
        )
        self.before, self.baseline = self.baseline, verdict.baseline
        self.last = transactions

    def _waiting(self) -> dict[str, int]:
        """What waits when the queues have had their time."""
        end = time.monotonic() + DRAIN
        while (waiting := self.world.waiting()) and time.monotonic() < end:
            time.sleep(0.5)
        return waiting

    def prove_checker(self) -> None:
        """Damage on purpose must be seen, each kind at its row, and nothing else."""
        wanted = damage.damage(self.world, self.last, self.baseline)
        rows = self.world.read()
        verdict = checker.check(self.last, self.before, rows, self.rule)
        seen: dict[str, set[Row]] = {}
        for violation in verdict.violations:
            seen.setdefault(violation.kind, set()).add(violation.where)
        if seen != wanted:
            raise Failed(f"the checker does not see damage as it must: {seen}, but did: {wanted}")
        self.world.tell(f"damage done on purpose was seen: {', '.join(wanted) or 'none possible'}")

    def figures(self, minutes: float) -> str:
        """What happened in all."""
        counts, world = self.world.history.counts, self.world
        lines = [
            f"seed {self.seed}: {len(world.names)} masters, conflict rule {world.rule},"
            f" {minutes:.1f} minutes, {self.rounds} rounds",
            f"transactions {counts}, rows written {world.history.rows}, conflicts {self.conflicts}",
            f"faults {sum(self.faults.values())}: {dict(self.faults)}",
            f"plays {dict(world.plays)}; by hand after the watchdog's time: {world.by_hand}",
            f"errors of clients {dict(world.errors)}",
        ]
        return "\n".join(lines)


def options() -> argparse.Namespace:
    """Of the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", default="")
    parser.add_argument("--masters", type=int, choices=(2, 3), default=0)
    parser.add_argument("--only", nargs="+", default=[], help="names of faults")
    return parser.parse_args()


def main() -> int:
    """Ends with 1 when something was not as it must be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = options()
    seed = wanted.seed or str(random.SystemRandom().randrange(10**6))
    names = schedule.masters(seed, wanted.masters)
    rule = schedule.rule(seed, names)
    again = f"make chaos SEED={seed} MINUTES={wanted.minutes:g}"
    print(f"seed {seed} (the same again: {again})", flush=True)
    results = RESULTS / seed
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    history = History(results / "history.jsonl")
    failed = ""
    with World(names, history, results, " ".join(rule) or "bucardo_latest") as world:
        run = Run(world, seed, rule, wanted.only)
        begun = time.monotonic()
        try:
            run.begin()
            begun = time.monotonic()
            while time.monotonic() - begun < wanted.minutes * 60:
                run.round()
            run.prove_checker()
        except Failed as error:
            failed = str(error)
        finally:
            if failed or sys.exc_info()[0]:
                world.keep_logs()
        print(run.figures((time.monotonic() - begun) / 60), flush=True)
    history.close()
    if failed:
        print(f"FAILED in round {run.rounds}: {failed}\nall that was said: {results}; {again}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

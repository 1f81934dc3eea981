# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The highest rate of writes at which what waits does not grow."""

from __future__ import annotations

import statistics
import typing as t

import load
from pairs import Pair
from results import Highest, Try

# Of a try: the seconds' worth of writes by which more may wait in its last quarter than in the one
# before, and the part of the rate that the writers must have reached.
TOLERATED, REACHED = 0.5, 0.97
# Of the highest rate, at which the lag is looked at.
PART = 0.8


def growth(waiting: t.Sequence[tuple[float, int]], seconds: float) -> float:
    """How many updates more wait in the last quarter of a try than in the one before, on average.

    Bucardo brings changes in runs, so that single looks go up and down.
    """
    third, last = (
        [count for at, count in waiting if low * seconds <= at < high * seconds]
        for low, high in ((0.5, 0.75), (0.75, 1.0))
    )
    if not third or not last:
        raise SystemExit("error: what waits was not seen in time")
    return statistics.mean(last) - statistics.mean(third)


def tried(pair: Pair, rate: int, seconds: float) -> Try:
    """Write at a rate, and see whether it can be sustained."""
    seen = load.watched(pair, rate, seconds, glance=True)
    more = growth(seen.waiting, seconds)
    due = rate * seconds
    # Writers draw lots when to write: as many as are due, give or take its root.
    reached = seen.written.tps * seconds >= REACHED * due - 3 * due**0.5
    return Try(rate, reached and more <= TOLERATED * rate, reached, seen.written.tps, more)


def search(
    holds: t.Callable[[int], bool], first: int, halvings: int, steps: int = 6
) -> tuple[int, int]:
    """The highest rate that holds and the lowest that does not, 0 when there was none.

    :param halvings: how often what is between them is halved.
    :param steps: how often the first rate is doubled, or halved.
    """
    good, bad, rate = 0, 0, first
    for _step in range(steps):
        if holds(rate):
            good, rate = rate, rate * 2
        else:
            bad, rate = rate, rate // 2
        if (good and bad) or not rate:
            break
    for _halving in range(halvings if good and bad else 0):
        rate = (good + bad) // 2
        if holds(rate):
            good = rate
        else:
            bad = rate
    return good, bad


def highest(pair: Pair, first: int, seconds: float, halvings: int, steps: int) -> Highest:
    """Search it, and look at the lag below it; the pair replicates."""
    tries: list[Try] = []

    def holds(rate: int) -> bool:
        tries.append(tried(pair, rate, seconds))
        print(f"{pair.name}: {tries[-1]}", flush=True)
        return tries[-1].held

    good, bad = search(holds, first, halvings, steps)
    found = Highest(pair.name, good, bad, seconds, tries)
    if good:
        seen = load.watched(pair, int(good * PART), seconds)
        found.p50, found.p99 = statistics.median(seen.lags), load.p99(seen.lags)
    return found

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which faults happen when: nothing but the seed decides."""

from __future__ import annotations

import dataclasses
import random
import typing as t

from faults import FAULTS, OPERATION, WEATHER, Fault, Particulars

# Seconds of a round in which faults begin.
ROUND = 30.0
# Seconds between two faults, from end to begin.
GAP = (0.5, 6.0)
# How many rounds of a hundred have an operation.
OPERATIONS = 60
NAMES = ("oslo", "paris", "rome")


@dataclasses.dataclass(frozen=True)
class Event:
    """A fault with its particulars, some seconds after the one before it has ended."""

    after: float
    fault: Fault
    particulars: Particulars

    def __str__(self) -> str:
        words = ", ".join(f"{name} {value}" for name, value in self.particulars.items())
        return f"{self.fault.name}: {words}" if words else self.fault.name


@dataclasses.dataclass(frozen=True)
class Round:
    """What happens between two checks. Events of the weather begin until the round is over.

    :param bootstrap: whether it is run at the end; else the watchdog has to mend everything.
    """

    weather: tuple[Event, ...]
    operation: Event | None
    bootstrap: bool


def masters(seed: str, number: int = 0) -> tuple[str, ...]:
    """Two or three, unless the number is given."""
    return NAMES[: number or random.Random(f"{seed} masters").choice((2, 3))]


def rule(seed: str, names: t.Sequence[str]) -> tuple[str, ...]:
    """Who wins conflicts: masters in an order of preference, or nobody for `bucardo_latest`."""
    rng = random.Random(f"{seed} rule")
    return tuple(rng.sample(names, len(names))) if rng.random() < 0.5 else ()


def round_of(seed: str, number: int, names: t.Sequence[str], only: t.Sequence[str] = ()) -> Round:
    """The round with this number.

    :param only: names of faults; others do not happen.
    """
    rng = random.Random(f"{seed} round {number}")
    chosen = [fault for fault in FAULTS if not only or fault.name in only]
    weather = [fault for fault in chosen if fault.kind == WEATHER]
    operations = [fault for fault in chosen if fault.kind == OPERATION]
    events = [_event(rng, weather, names) for _number in range(20 if weather else 0)]
    rare = rng.randrange(100) >= OPERATIONS and weather
    operation = None if rare or not operations else _event(rng, operations, names)
    return Round(tuple(events), operation, rng.random() < 0.4)


def _event(rng: random.Random, faults: t.Sequence[Fault], names: t.Sequence[str]) -> Event:
    fault = rng.choices(faults, [one.weight for one in faults])[0]
    return Event(round(rng.uniform(*GAP), 1), fault, fault.draw(rng, names))

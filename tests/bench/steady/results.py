# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, and the file that keeps it from run to run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t


@dataclasses.dataclass
class Writers:
    """Transactions per second, and the latency in milliseconds that one in a hundred exceeds."""

    kind: str
    clients: int
    tps: float
    p99: float


@dataclasses.dataclass
class Lag:
    """Seconds that rows take to the other master while others write at a rate.

    :param written: what the writers reached of it.
    """

    way: str
    rate: int
    p50: float
    p99: float
    longest: float
    written: float


@dataclasses.dataclass
class Try:
    """A rate, and whether it was sustained.

    :param reached: whether the writers wrote as much.
    :param written: what they wrote per second.
    :param growth: updates more that waited in the last quarter than in the one before.
    """

    rate: int
    held: bool
    reached: bool
    written: float
    growth: float

    def __str__(self) -> str:
        return (
            f"{self.rate} a second {self.verdict}: {self.written:.0f} written,"
            f" {self.growth:+.0f} updates waiting"
        )

    @property
    def verdict(self) -> str:
        """For people."""
        if self.held:
            return "held"
        return "more and more waits" if self.reached else f"only {self.written:,.0f} written"


@dataclasses.dataclass
class Highest:
    """The highest rate that was sustained, and the lag at a part of it.

    :param rate: 0 when none was.
    :param above: the lowest that was not; 0 when each was.
    """

    way: str
    rate: int
    above: int
    seconds: float
    tries: list[Try]
    p50: float = 0.0
    p99: float = 0.0


@dataclasses.dataclass
class Idle:
    """Seconds of the processor per minute."""

    way: str
    tables: int
    daemon: float
    server: float


Row = t.Union[Writers, Lag, Highest, Idle]


@dataclasses.dataclass
class Results:
    """All that is known.

    :param about: for each part: the machine, the versions and how it was measured.
    """

    writers: list[Writers] = dataclasses.field(default_factory=list)
    lags: list[Lag] = dataclasses.field(default_factory=list)
    highest: list[Highest] = dataclasses.field(default_factory=list)
    idle: list[Idle] = dataclasses.field(default_factory=list)
    about: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, file: pathlib.Path) -> Results:
        """What is in a file; nothing if there is none."""
        if not file.exists():
            return cls()
        found = json.loads(file.read_text("utf-8"))
        highest = [
            Highest(**{**one, "tries": [Try(**each) for each in one["tries"]]})
            for one in found["highest"]
        ]
        return cls(
            [Writers(**one) for one in found["writers"]],
            [Lag(**one) for one in found["lags"]],
            highest,
            [Idle(**one) for one in found["idle"]],
            found["about"],
        )

    def save(self, file: pathlib.Path) -> None:
        """For the next run."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", "utf-8")

    def take(self, part: str, rows: t.Sequence[Row], about: dict[str, str]) -> None:
        """Have a part as it was measured now: figures of two occasions are not put side by side."""
        setattr(self, part, list(rows))
        self.about[part] = about

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, and how it is kept."""

from __future__ import annotations

import dataclasses
import json
import pathlib


@dataclasses.dataclass
class Run:
    """One way with one set at one size.

    :param seconds: None when it was ended after `limit`.
    :param alone: seconds of the catch-up itself, without Ansible's start.
    :param memory: megabytes of the process that does the work; 0 when not known.
    :param backlog: seconds since the start, and changes that wait then.
    :param set: see `sets`; what was kept before there were several has none.
    :param killed: how often the process was killed on the way.
    """

    way: str
    changes: int
    seconds: float | None
    limit: float
    memory: int = 0
    alone: float = 0.0
    backlog: list[tuple[float, int]] = dataclasses.field(default_factory=list)
    set: str = "single"
    killed: int = 0

    @property
    def key(self) -> tuple[str, int, int, str]:
        """What a later one replaces."""
        return (self.set, self.changes, self.killed, self.way)

    @property
    def size(self) -> str:
        """For people: what it had to do."""
        return f"{self.changes:,}{self._killed}"

    @property
    def case(self) -> str:
        """For people: the same, with words."""
        return f"{self.set}, {self.changes:,} changes{self._killed}"

    @property
    def _killed(self) -> str:
        return f", killed {self.killed}×" if self.killed else ""

    @property
    def time(self) -> str:
        """For people."""
        if self.seconds is None:
            return f"> {self.limit:.0f} s"
        alone = f" ({self.alone:.1f} s)" if self.alone else ""
        return f"{self.seconds:.1f} s{alone}"


def kept(file: pathlib.Path) -> list[Run]:
    """The last runs of every set, way and size."""
    return [Run(**one) for one in json.loads(file.read_text("utf-8"))] if file.exists() else []


def keep(file: pathlib.Path, run: Run) -> None:
    """At once: the next way may take very long."""
    others = [one for one in kept(file) if one.key != run.key]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([dataclasses.asdict(one) for one in (*others, run)]), "utf-8")

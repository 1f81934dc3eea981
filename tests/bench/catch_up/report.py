# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured as a table, and what waited over time as a picture."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import typing as t

import document
import picture

WORDS = {
    "default": "Bucardo, its own settings",
    "settings": "Bucardo, the role's settings",
    "ours": "bucardo_catch_up",
    "native": "native logical replication",
}
_COLOURS = {
    "default": picture.GREY,
    "settings": picture.ORANGE,
    "ours": picture.GREEN,
    "native": picture.BLUE,
}


@dataclasses.dataclass
class Run:
    """One way at one size.

    :param seconds: None when it was ended after `limit`.
    :param alone: seconds of the catch-up itself, without Ansible's start.
    :param memory: megabytes of the process that does the work; 0 when not known.
    :param backlog: seconds since the start, and changes that wait then.
    """

    way: str
    changes: int
    seconds: float | None
    limit: float
    memory: int = 0
    alone: float = 0.0
    backlog: list[tuple[float, int]] = dataclasses.field(default_factory=list)

    @property
    def time(self) -> str:
        """For people."""
        if self.seconds is None:
            return f"> {self.limit:.0f} s"
        alone = f" ({self.alone:.1f} s)" if self.alone else ""
        return f"{self.seconds:.1f} s{alone}"


def table(runs: t.Sequence[Run]) -> str:
    """Markdown: a line for each size, time and memory of each way."""
    ways = [way for way in WORDS if any(run.way == way for run in runs)]
    lines = []
    for changes in sorted({run.changes for run in runs}):
        cells = [f"{changes:,}"]
        for way in ways:
            found = [run for run in runs if (run.way, run.changes) == (way, changes)]
            memory = f", {found[0].memory} MB" if found and found[0].memory else ""
            cells.append(found[0].time + memory if found else "–")
        lines.append(cells)
    return document.table(["changes", *(WORDS[way] for way in ways)], lines)


def write(place: pathlib.Path, drawing: pathlib.Path, runs: t.Sequence[Run]) -> None:
    """Replace the table of a document, and the picture beside it."""
    document.replace(place, "catch_up", table(runs))
    # The largest size that most ways were measured at.
    seen = [run for run in runs if run.backlog]
    ways = {size: sum(run.changes == size for run in seen) for size in {r.changes for r in seen}}
    largest = max(ways, key=lambda size: (ways[size], size))
    drawing.write_text(svg([run for run in seen if run.changes == largest]), encoding="utf-8")


def svg(runs: t.Sequence[Run]) -> str:
    """What waits over time; the time is logarithmic."""
    changes = runs[0].changes
    last = max([run.seconds or run.limit for run in runs] + [10.0])
    end = 10 ** (math.ceil(math.log10(last) * 4) / 4)
    marks = [(one, f"{one} s") for one in (1, 3, 10, 30, 100, 300, 1000, 3000) if one <= end]
    parts = [(changes * part, f"{changes * part:,.0f}") for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    drawn = picture.Picture(
        f"Changes that wait over time, by way of catching up, {changes:,} changes",
        picture.Axis(1, end, marks, logarithmic=True),
        picture.Axis(0, changes, parts),
        "seconds since the start (logarithmic); what waits, not yet committed on both",
    )
    for run in runs:
        words = f"{WORDS[run.way]}: {run.time.partition(' (')[0]}"
        drawn.line(_steps(run), _COLOURS[run.way], words)
    return drawn.svg()


def _steps(run: Run) -> list[tuple[float, float]]:
    """From all to what is left; what is committed at once goes straight down."""
    points: list[tuple[float, float]] = [(0.0, run.changes)]
    for seconds, left in run.backlog:
        if left == 0 and points[-1][1] == run.changes:
            points.append((seconds, run.changes))
        points.append((seconds, left))
    if run.seconds is None:
        points.append((run.limit, run.changes))
    return points

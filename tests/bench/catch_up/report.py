# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured as a table, as figures, and what waited over time as pictures."""

from __future__ import annotations

import math
import pathlib
import typing as t

import document
import picture
import servers
from runs import Run
from sets import SETS

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
# Largest good part of the other way's time, for so many changes.
_LIMITS = {"default": 1 / 30, "settings": 1.0, "native": 0.5}
_LIMITS_FROM = 2_000_000


def table(runs: t.Sequence[Run]) -> str:
    """Markdown: a line for each set and size, time and memory of each way."""
    ways = [way for way in WORDS if any(run.way == way for run in runs)]
    lines = []
    for key in sorted({run.key[:3] for run in runs}, key=_order):
        found = {run.way: run for run in runs if run.key[:3] == key}
        cells = [key[0], next(iter(found.values())).size]
        for way in ways:
            run = found.get(way)
            memory = f", {run.memory} MB" if run and run.memory else ""
            cells.append(run.time + memory if run else "–")
        lines.append(cells)
    return document.table(["set", "changes", *(WORDS[way] for way in ways)], lines)


def _order(key: tuple[str, int, int]) -> tuple[int, int, int]:
    return (list(SETS).index(key[0]), *key[1:])


def write(place: pathlib.Path, folder: pathlib.Path, runs: t.Sequence[Run]) -> None:
    """Replace the table of a document, and the pictures, one for each set."""
    parts = [table(runs)]
    for name in SETS:
        seen = [run for run in runs if run.set == name and run.backlog and not run.killed]
        if not seen:
            continue
        # The largest size that most ways were measured at.
        sizes = [run.changes for run in seen]
        largest = max(sizes, key=lambda size: (sizes.count(size), size))
        drawing = folder / ("catch-up.svg" if name == "single" else f"catch-up-{name}.svg")
        drawing.write_text(svg([run for run in seen if run.changes == largest]), encoding="utf-8")
        words = f"{largest:,} changes that wait over time, for each way, {SETS[name].words}"
        parts.append(f"![{words}]({drawing.name})")
    document.replace(place, "catch_up", "\n\n".join(parts))


def figures(runs: t.Sequence[Run]) -> t.Iterator[servers.Figure]:
    """Ours against each other way."""
    for ours in (run for run in runs if run.way == "ours" and run.seconds is not None):
        others = [run for run in runs if (run.set, run.changes) == (ours.set, ours.changes)]
        for other in (run for run in others if run.way != "ours"):
            # Of one that was ended it is known only that it takes longer.
            seconds = other.limit if other.seconds is None else other.seconds
            words = " (ended)" if other.seconds is None else ""
            judged = ours.changes >= _LIMITS_FROM and not ours.killed
            yield servers.Figure(
                "catch_up",
                f"{ours.case}: {WORDS[other.way]}{words}",
                seconds,
                ours.seconds,
                ratio=ours.seconds / seconds,
                limit=_LIMITS[other.way] if judged else None,
            )
        yield servers.Figure(
            "catch_up", f"{ours.case}: memory", None, ours.memory, unit="MB", limit=150
        )


def svg(runs: t.Sequence[Run]) -> str:
    """What waits over time; the time is logarithmic."""
    changes = runs[0].changes
    last = max([run.seconds or run.limit for run in runs] + [10.0])
    end = 10 ** (math.ceil(math.log10(last) * 4) / 4)
    marks = [(one, f"{one} s") for one in (1, 3, 10, 30, 100, 300, 1000, 3000) if one <= end]
    parts = [(changes * part, f"{changes * part:,.0f}") for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    drawn = picture.Picture(
        f"Changes that wait over time, by way of catching up, {changes:,} changes:"
        f" {SETS[runs[0].set].words}",
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

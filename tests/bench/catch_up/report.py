# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured as a table, and what waited over time as a picture."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import typing as t
from xml.sax.saxutils import escape

WORDS = {
    "default": "Bucardo, its own settings",
    "settings": "Bucardo, the role's settings",
    "ours": "bucardo_catch_up",
    "native": "native logical replication",
}
BEGIN, END = "<!-- catch_up -->", "<!-- end of catch_up -->"
# Told apart in grey as well, and on white and dark ground.
_COLOURS = {"default": "#9b9b9b", "settings": "#c2703d", "ours": "#2f7d4f", "native": "#3b6fb6"}
_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 64, 52


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
    lines = ["| changes | " + " | ".join(WORDS[way] for way in ways) + " |"]
    lines.append("|---" * (len(ways) + 1) + "|")
    for changes in sorted({run.changes for run in runs}):
        cells = [f"{changes:,}"]
        for way in ways:
            found = [run for run in runs if (run.way, run.changes) == (way, changes)]
            memory = f", {found[0].memory} MB" if found and found[0].memory else ""
            cells.append(found[0].time + memory if found else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(document: pathlib.Path, picture: pathlib.Path, runs: t.Sequence[Run]) -> None:
    """Replace the table of a document, and the picture beside it."""
    text = document.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _old, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"error: {document} lacks {BEGIN} and {END}")
    document.write_text(f"{head}{begin}\n\n{table(runs)}\n\n{end}{tail}", encoding="utf-8")
    # The largest size that most ways were measured at.
    seen = [run for run in runs if run.backlog]
    ways = {size: sum(run.changes == size for run in seen) for size in {r.changes for r in seen}}
    largest = max(ways, key=lambda size: (ways[size], size))
    picture.write_text(svg([run for run in seen if run.changes == largest]), encoding="utf-8")


def svg(runs: t.Sequence[Run]) -> str:
    """What waits over time; the time is logarithmic."""
    changes = runs[0].changes
    last = max([run.seconds or run.limit for run in runs] + [10.0])
    decades = math.ceil(math.log10(last) * 4) / 4
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(seconds: float, left: float) -> str:
        x = _LEFT + across * math.log10(max(seconds, 1.0)) / decades
        return f"{x:.1f},{_TOP + down * (1 - left / changes):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        ' font-family="sans-serif" font-size="13">',
        f"<title>Changes that wait over time, by way of catching up, {changes:,} changes</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        *_axes(changes, decades, place),
    ]
    for number, run in enumerate(runs):
        points = " ".join(place(*point) for point in _steps(run))
        colour = _COLOURS[run.way]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        )
        x, y = _LEFT + across // 2 * (number % 2), 22 + 20 * (number // 2)
        parts.append(f'<rect x="{x}" y="{y - 9}" width="22" height="5" fill="{colour}"/>')
        said = escape(f"{WORDS[run.way]}: {run.time.partition(' (')[0]}")
        parts.append(f'<text x="{x + 30}" y="{y}" fill="#222222">{said}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(changes: int, decades: float, place: t.Callable[[float, float], str]) -> t.Iterator[str]:
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        left, y = place(1, changes * part).split(",")
        right = place(10**decades, 0).split(",")[0]
        yield f'<path d="M{left} {y}H{right}" stroke="#dddddd"/>'
        yield (
            f'<text x="{float(left) - 8:.0f}" y="{float(y) + 4:.0f}" text-anchor="end"'
            f' fill="#555555">{changes * part:,.0f}</text>'
        )
    for seconds in (1, 3, 10, 30, 100, 300, 1000, 3000):
        if seconds > 10**decades:
            break
        x, y = place(seconds, 0).split(",")
        yield (
            f'<text x="{x}" y="{float(y) + 20:.0f}" text-anchor="middle"'
            f' fill="#555555">{seconds} s</text>'
        )
    yield (
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 10}" text-anchor="end" fill="#555555">'
        "seconds since the start (logarithmic); what waits, not yet committed on both</text>"
    )


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

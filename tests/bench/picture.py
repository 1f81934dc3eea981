# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A picture of lines, as SVG."""

from __future__ import annotations

import dataclasses
import math
import typing as t
from xml.sax.saxutils import escape

# Told apart in grey as well, and on white and dark ground.
GREY, ORANGE, GREEN, BLUE = "#9b9b9b", "#c2703d", "#2f7d4f", "#3b6fb6"
_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 64, 52
_ACROSS, _DOWN = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM


@dataclasses.dataclass(frozen=True)
class Axis:
    """What a length means.

    :param marks: values with what is said beside them.
    :param logarithmic: then values below `low` are shown at it.
    """

    low: float
    high: float
    marks: t.Sequence[tuple[float, str]]
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Where a value is, between 0 and 1."""
        if not self.logarithmic:
            return (value - self.low) / (self.high - self.low)
        return math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)


class Picture:
    """Lines over two axes, with what they mean above.

    :param caption: what the axes are.
    """

    def __init__(self, title: str, across: Axis, down: Axis, caption: str) -> None:
        self._across, self._down = across, down
        self._lines = 0
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
            ' font-family="sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
            *self._axes(),
            f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 10}" text-anchor="end" fill="#555555">'
            f"{escape(caption)}</text>",
        ]

    def line(
        self,
        points: t.Iterable[tuple[float, float]],
        colour: str,
        words: str,
        dashed: bool = False,
    ) -> None:
        """Draw a line through points, and say what it is."""
        places = " ".join(f"{self._x(one):.1f},{self._y(other):.1f}" for one, other in points)
        dashes = ' stroke-dasharray="7 5"' if dashed else ""
        self._parts.append(
            f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2.5"'
            f"{dashes}/>"
        )
        x, y = _LEFT + _ACROSS // 2 * (self._lines % 2), 22 + 20 * (self._lines // 2)
        for shift, width in ((0, 9), (13, 9)) if dashed else ((0, 22),):
            self._parts.append(
                f'<rect x="{x + shift}" y="{y - 9}" width="{width}" height="5" fill="{colour}"/>'
            )
        self._parts.append(f'<text x="{x + 30}" y="{y}" fill="#222222">{escape(words)}</text>')
        self._lines += 1

    def svg(self) -> str:
        """The whole."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"

    def _x(self, value: float) -> float:
        return _LEFT + _ACROSS * self._across.part(value)

    def _y(self, value: float) -> float:
        return _TOP + _DOWN * (1 - self._down.part(value))

    def _axes(self) -> t.Iterator[str]:
        for value, words in self._down.marks:
            y = f"{self._y(value):.1f}"
            yield f'<path d="M{_LEFT:.1f} {y}H{_LEFT + _ACROSS:.1f}" stroke="#dddddd"/>'
            yield (
                f'<text x="{_LEFT - 8}" y="{float(y) + 4:.0f}" text-anchor="end"'
                f' fill="#555555">{escape(words)}</text>'
            )
        for value, words in self._across.marks:
            yield (
                f'<text x="{self._x(value):.1f}" y="{_TOP + _DOWN + 20}" text-anchor="middle"'
                f' fill="#555555">{escape(words)}</text>'
            )

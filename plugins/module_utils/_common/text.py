# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists, sizes, times and tables as text for people (pure)."""

from __future__ import annotations

import difflib
import typing as t
import unicodedata

_GAP = "  "


def listed(
    items: t.Iterable[object], limit: int = 5, separator: str = ", ", more: str = "more"
) -> str:
    """The first few of a list, for a message of one line, and how many are left.

    :param more: what the others are called, e.g. "more tables".
    """
    texts = [str(item) for item in items]
    left = len(texts) - limit
    if left <= 0:
        return separator.join(texts)
    # A list of sentences goes on with another.
    glue = " " if separator == ", " else separator
    return f"{separator.join(texts[:limit])}{glue}and {left} {more}"


def nearest(name: str, names: t.Iterable[str], otherwise: str = "", cutoff: float = 0.6) -> str:
    """A hint for a misspelt name.

    :param otherwise: the hint when nothing is like it.
    """
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return f"Did you mean {near[0]}?" if near else otherwise


def size(count: float) -> str:
    """Bytes: `1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 9.95 else f"{count:.1f} {unit}"


def duration(seconds: float) -> str:
    """How long something takes: `42 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def age(seconds: float) -> str:
    """How long ago something was: `0.4 s`, `42 s`, `3 min`, `2 h 07 min`, `4 d 02 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def table(
    head: t.Sequence[str], rows: t.Sequence[t.Sequence[str]], right: t.Collection[str] = ()
) -> list[str]:
    """Rows under a head in columns.

    :param right: columns, by their head, of which the ends are aligned.
    """
    widths = [max(_width(row[place]) for row in [head, *rows]) for place in range(len(head))]
    found = []
    for row in [head, *rows]:
        cells = []
        for title, width, cell in zip(head, widths, row):
            blank = " " * (width - _width(cell))
            cells.append(blank + cell if title in right else cell + blank)
        found.append(_GAP.join(cells).rstrip())
    return found


def _width(text: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )

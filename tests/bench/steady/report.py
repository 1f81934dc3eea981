# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured as tables, as a picture, and as figures against goals."""

from __future__ import annotations

import pathlib
import typing as t

import document
import pairs
import picture
import servers
from results import Highest, Idle, Lag, Results, Writers

WORDS = {
    **{kick: f"Bucardo, {kick}" for kick in pairs.KICKS},
    pairs.NATIVE: "native logical replication",
}
# Ours as they come, then native.
_COLOURS = (picture.GREEN, picture.ORANGE, picture.GREY)
# What of "delta and kick" is left at so many clients of what goes without triggers.
_CLIENTS, _LEFT = 32, 1.25
_MARKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


def text(results: Results) -> str:
    """All tables, each with what it says and how it was measured; above what holds for all."""
    parts: list[str] = []
    abouts = list(results.about.values())
    common = {
        key: value
        for key, value in (abouts[0] if abouts else {}).items()
        if key not in ("measured", "load") and all(one.get(key) == value for one in abouts)
    }
    for part, words, made in (
        (
            "writers",
            "Transactions per second and, in brackets, the latency that one in a hundred exceeds",
            _writers(results.writers),
        ),
        (
            "lags",
            "How long a row took to the other master while so many were updated per second:"
            " half of the rows, 99 of 100, the last",
            _lags(results.lags),
        ),
        (
            "highest",
            "The highest rate that the writers reached without what waits growing, the lowest at"
            " which that was not so, and the lag (half of the rows, 99 of 100) at 80 % of the"
            " former",
            _highest(results.highest),
        ),
        (
            "idle",
            "Time of the processor per minute when nobody writes",
            _idle(results.idle),
        ),
    ):
        if part in results.about:
            about = results.about[part]
            own = {key: value for key, value in about.items() if key not in common}
            parts.append(f"{words} ({document.sentence(own)[:-1]}):\n\n{made}")
    return "\n\n".join([document.sentence(common), *parts] if common else parts)


def write(place: pathlib.Path, drawing: pathlib.Path, results: Results) -> None:
    """Replace the tables of a document, and the picture beside it."""
    made = text(results)
    if results.lags:
        drawing.write_text(svg(results.lags), encoding="utf-8")
        made += f"\n\n![How long rows take to the other master, by rate of writes]({drawing.name})"
    document.replace(place, "steady", made)


def _writers(rows: t.Sequence[Writers]) -> str:
    there = {row.kind for row in rows}
    kinds = [kind for kind in (*pairs.TRIGGERS, *pairs.WAYS.values()) if kind in there]
    lines = []
    for clients in sorted({row.clients for row in rows}):
        found = {
            row.kind: f"{row.tps:,.0f} ({ms(row.p99)})" for row in rows if row.clients == clients
        }
        lines.append([str(clients), *(found.get(kind, "–") for kind in kinds)])
    return document.table(["clients", *kinds], lines)


def _lags(rows: t.Sequence[Lag]) -> str:
    rates = sorted({row.rate for row in rows})
    lines = []
    for way in dict.fromkeys(row.way for row in rows):
        cells = []
        for rate in rates:
            found = [row for row in rows if (row.way, row.rate) == (way, rate)]
            cells += [
                ", ".join(ms(1000 * value) for value in (row.p50, row.p99, row.longest))
                # Of a rate that was none.
                + (f" ({row.written:,.0f} written)" if row.written < 0.9 * rate else "")
                for row in found
            ] or ["–"]
        lines.append([WORDS.get(way, way), *cells])
    return document.table(["updates a second", *(f"{rate:,}" for rate in rates)], lines)


def _highest(rows: t.Sequence[Highest]) -> str:
    lines = []
    for row in rows:
        lag = f"{ms(1000 * row.p50)}, {ms(1000 * row.p99)}" if row.rate else "–"
        why = {one.rate: one.verdict for one in row.tries}
        rate = f"{row.rate:,}" if row.rate else "–"
        above = f"{row.above:,} ({why[row.above]})" if row.above else "–"
        lines.append([WORDS.get(row.way, row.way), rate, above, lag])
    return document.table(["", "sustained", "not sustained", "lag"], lines)


def _idle(rows: t.Sequence[Idle]) -> str:
    return document.table(
        ["", "tables", "Bucardo's daemon", "PostgreSQL"],
        [
            [
                WORDS.get(row.way, row.way),
                f"{row.tables:,}",
                ms(1000 * row.daemon) if row.way in pairs.KICKS else "–",
                ms(1000 * row.server),
            ]
            for row in rows
        ],
    )


def ms(value: float) -> str:
    """Milliseconds for people."""
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def svg(rows: t.Sequence[Lag]) -> str:
    """The lag by rate; both are logarithmic."""
    rates = sorted({row.rate for row in rows})
    lags = [value for row in rows for value in (row.p50, row.p99)]
    low = max([mark for mark in _MARKS if mark <= min(lags)], default=_MARKS[0])
    high = min([mark for mark in _MARKS if mark >= max(lags) and mark > low], default=_MARKS[-1])
    drawn = picture.Picture(
        "How long rows take to the other master, by rate of writes",
        # A single rate makes no line, but is no error.
        picture.Axis(rates[0], max(rates[-1], rates[0] + 1), [(r, f"{r:,}") for r in rates], True),
        picture.Axis(low, high, [(m, f"{m:g} s") for m in _MARKS if low <= m <= high], True),
        "updates a second; seconds to the other master (both logarithmic)",
    )
    ways = list(dict.fromkeys(row.way for row in rows))
    for number, way in enumerate(ways):
        colour = picture.BLUE if way == pairs.NATIVE else _COLOURS[number % len(_COLOURS)]
        found = sorted((row for row in rows if row.way == way), key=lambda row: row.rate)
        words = WORDS.get(way, way)
        drawn.line([(r.rate, r.p50) for r in found], colour, f"{words}: half of the rows")
        drawn.line([(r.rate, r.p99) for r in found], colour, f"{words}: 99 of 100", dashed=True)
    return drawn.svg()


def figures(results: Results) -> t.Iterator[servers.Figure]:
    """Writers against those without triggers, ours against native."""
    yield from _figures_of_writers(results.writers)
    native = {row.rate: row for row in results.lags if row.way == pairs.NATIVE}
    for row in results.lags:
        other = native.get(row.rate)
        if row is not other:
            name = f"{row.way}, lag at {row.rate}/s"
            yield servers.Figure("steady", f"{name}: p50", other and other.p50, row.p50, limit=1)
            yield servers.Figure("steady", f"{name}: p99", other and other.p99, row.p99, limit=3)
    sustained = {row.way: row.rate for row in results.highest}
    for way in pairs.KICKS:
        if way in sustained:
            rates = sustained.get(pairs.NATIVE), sustained[way]
            yield servers.Figure("steady", f"{way}, highest sustained rate", *rates, "/s")
    idle = {row.way: row for row in results.idle}
    for way in pairs.KICKS:
        if way in idle:
            other_idle, row_idle = idle.get(pairs.NATIVE), idle[way]
            name = f"{way}, {row_idle.tables:,} tables idle, a minute"
            yield servers.Figure("steady", f"{name}: daemon", None, row_idle.daemon)
            other_server = other_idle and other_idle.server
            yield servers.Figure("steady", f"{name}: server", other_server, row_idle.server)


def _figures_of_writers(rows: t.Sequence[Writers]) -> t.Iterator[servers.Figure]:
    bases = {row.clients: row for row in rows if row.kind == pairs.NO_TRIGGERS}
    for row in rows:
        base = bases.get(row.clients)
        if base is None or row is base:
            continue
        name = f"writers, {row.clients} clients: {row.kind}"
        goal = row.clients == _CLIENTS and row.kind.startswith("delta and ") and "," not in row.kind
        yield servers.Figure(
            *("steady", f"{name}, time per transaction", 1000 * row.clients / base.tps),
            *(1000 * row.clients / row.tps, "ms"),
            ratio=base.tps / row.tps,
            limit=_LEFT if goal else None,
        )
        yield servers.Figure("steady", f"{name}, p99", base.p99, row.p99, "ms")

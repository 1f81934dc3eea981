# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the benchmark of the steady state judges, searches and tells; the numbers are made up."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import highest
import pytest
import report
from results import Highest, Idle, Lag, Results, Try, Writers


def waiting(function, seconds=60):
    return [(float(second), function(second)) for second in range(1, seconds)]


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda second: 500, 0, 0),
        # In runs: up and down, but no more in the end.
        (lambda second: 1000 * (second % 3), -200, 200),
        # It grew first and then no more.
        (lambda second: min(second, 25) * 100, 0, 0),
        (lambda second: 100 * second, 1400, 1600),
        # What is brought over in the end is not growth.
        (lambda second: 6000 - 100 * second, -1600, -1400),
    ],
)
def test_growth(function, low, high):
    assert low <= highest.growth(waiting(function), 60) <= high


def test_growth_that_was_not_seen_is_no_verdict():
    with pytest.raises(SystemExit, match="not seen"):
        highest.growth([(1.0, 5), (59.0, 5)], 60)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (3300, (3250, 3500)),
        (300, (281, 312)),
        # None held, and none failed.
        (0, (0, 31)),
        (10**9, (32000, 0)),
    ],
)
def test_search(limit, expected):
    assert highest.search(lambda rate: rate <= limit, 1000, 3) == expected


@pytest.fixture
def results():
    found = Results()
    facts = {"date": "today", "load": "1", "measured": "never"}
    found.take(
        "writers", [Writers("no triggers", 32, 1000, 5), Writers("delta", 32, 500, 9)], facts
    )
    rows = [Lag("poll", 50, 0.3, 0.6, 0.7, 50), Lag("poll", 500, 0.4, 0.9, 1.5, 400)]
    found.take("lags", [*rows, Lag("native", 50, 0.002, 0.01, 0.1, 50)], facts)
    tries = [Try(1000, True, True, 1000, 0), Try(2000, False, True, 2000, 9999)]
    found.take("highest", [Highest("poll", 1000, 2000, 60, tries, 0.5, 1.5)], facts)
    found.take("idle", [Idle("poll", 1000, 0.5, 0.25)], {**facts, "date": "later"})
    return found


def test_what_is_kept_is_read_again(results, tmp_path):
    results.save(tmp_path / "kept" / "file.json")
    assert Results.read(tmp_path / "kept" / "file.json") == results
    assert Results.read(tmp_path / "none.json") == Results()


def test_text_and_picture(results, tmp_path):
    document = tmp_path / "document.md"
    document.write_text("before\n<!-- steady -->\nold\n<!-- end of steady -->\nafter\n", "utf-8")
    report.write(document, tmp_path / "steady.svg", results)
    text = document.read_text("utf-8")
    assert text.startswith("before\n<!-- steady -->\n\n")
    assert text.endswith(
        "![How long rows take to the other master, by rate of writes](steady.svg)"
        "\n\n<!-- end of steady -->\nafter\n"
    )
    assert "old" not in text
    assert "| 32 | 1,000 (5.0 ms) | 500 (9.0 ms) |" in text
    # Of a rate that the writers did not reach.
    assert "400 ms, 900 ms, 1.50 s (400 written)" in text
    assert "| Bucardo, poll | 1,000 | 2,000 (more and more waits) | 500 ms, 1.50 s |" in text
    assert "(date later; load 1; measured never)" in text
    lines = ET.parse(tmp_path / "steady.svg").findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4


def test_figures(results):
    found = {figure.case: figure for figure in report.figures(results)}
    assert found["poll, lag at 50/s: p50"].other == 0.002
    assert found["poll, lag at 500/s: p50"].other is None
    assert found["writers, 32 clients: delta, time per transaction"].ratio == 2

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How people read lists, sizes, times and tables."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.text import (
    age,
    duration,
    listed,
    nearest,
    size,
    table,
)


def test_a_short_list_is_whole():
    assert listed([1, "b", "c"], 3) == "1, b, c"
    assert listed([]) == ""


def test_a_long_list_ends_with_a_number():
    assert listed("abcd", 3) == "a, b, c and 1 more"
    assert listed("abcd", 3, more="more tables") == "a, b, c and 1 more tables"


def test_a_list_of_sentences_keeps_its_separator():
    assert listed("abcd", 2, "; ") == "a; b; and 2 more"


def test_the_nearest_name():
    assert nearest("odrers", ["orders", "items"]) == "Did you mean orders?"
    assert nearest("zzz", ["orders"]) == ""
    assert nearest("zzz", ["orders"], "Add it.") == "Add it."


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (15_300, "15 kB"),
        (999_700, "1.0 MB"),
        (1.5e9, "1.5 GB"),
        (2e15, "2000 TB"),
    ],
)
def test_size(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_columns_stay_straight_with_wide_and_combining_characters():
    text = table(("Table", "n"), [("public.注文", "1"), ("public.e\u0301", "22")], ("n",))
    assert text == ["Table         n", "public.注文   1", "public.e\u0301     22"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3599.6, "1 h 00 min"),
        (86399, "23 h 59 min"),
        (90000, "1 d 01 h"),
    ],
)
def test_ages(seconds, text):
    assert age(seconds) == text

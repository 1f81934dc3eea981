# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people and results are told of changes that would be lost."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import departure
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending


def pending(name, changes, truncated=False):
    return Pending(TableName("public", name), changes, 1.5, truncated)


def test_changes_are_counted_by_master_and_table():
    found = {"here": [pending("a", 12), pending("b", 3)], "there": [pending("a", 1)]}
    assert departure.counted(found) == (
        "15 on here (public.a 12, public.b 3); 1 on there (public.a 1)"
    )


def test_a_truncate_without_rows_is_named():
    assert departure.counted({"here": [pending("a", 0, truncated=True)]}) == (
        "0 on here (public.a 0 and a TRUNCATE)"
    )


def test_only_the_largest_tables_are_named():
    found = {"here": [pending(name, 9 - number) for number, name in enumerate("abcde")]}
    assert departure.counted(found) == (
        "35 on here (public.a 9, public.b 8, public.c 7 and 2 more tables)"
    )


def test_rows_for_results_hold_every_table():
    found = {"here": [pending(name, 1) for name in "abcde"]}
    assert [row["table"] for row in departure.rows(found)] == [f"public.{n}" for n in "abcde"]


def test_a_check_speaks_of_what_waits():
    found = {"here": [pending("a", 2)]}
    assert "Changes that wait: 2 on here" in departure.waits(found)
    assert "lost" in departure.were_lost(found)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of the rows that a lost master took with it."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import missing
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending

from ..fake_session import FakeSession

ORDERS = TableName("public", "orders")
UNTIL = "2026-01-02 03:04:05 UTC"


def found(others=("here",), **values):
    known = {
        "masters": ["third"],
        "until": UNTIL,
        "seconds": 90.0,
        "interrupted": False,
        "waiting": {},
        **values,
    }
    return missing.Missing(**known).text(others)


def test_the_last_good_run_divides_what_it_wrote():
    said = found()
    assert said.startswith(f"What third committed before {UNTIL} has reached here; what was")
    assert "only third can tell" in said
    assert "under way" not in said


def test_nothing_has_arrived_where_no_run_ever_ended_well():
    assert found(until="") == "Nothing that third wrote since the seed has reached here."


def test_a_run_that_was_under_way_may_have_reached_some_of_several():
    assert "may have reached some of them and not all" in found(("a", "b"), interrupted=True)
    # One other has it whole or not at all.
    assert "under way" not in found(("a",), interrupted=True)


def test_what_waited_for_it_is_counted_and_not_lost():
    waiting = {"a": [Pending(ORDERS, 3, 1.0), Pending(ORDERS, 4, 2.0)], "b": []}
    said = found(("a", "b"), waiting=waiting)
    assert said.endswith("Changes that waited for it and are not lost: 7 on a.")


def test_the_result_has_every_table_that_waits():
    shown = missing.Missing(["third"], UNTIL, 1.26, True, {"a": [Pending(ORDERS, 3, 1.0)]}).shown()
    assert shown["seconds"] == 1.3
    assert [(row["master"], row["table"], row["changes"]) for row in shown["waiting"]] == [
        ("a", "public.orders", 3)
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [{"until": UNTIL, "seconds": 5.0, "interrupted": True}],
            (UNTIL, 5.0, True),
        ),
        ([{"until": None, "seconds": None, "interrupted": False}], ("", 0.0, False)),
        # No such sync.
        ([], ("", 0.0, False)),
    ],
)
def test_the_runs_of_the_sync_are_asked(rows, expected):
    control = FakeSession({"FROM bucardo.syncrun": rows})
    read = missing.read(control, "shop", ["third"], {})
    assert (read.until, read.seconds, read.interrupted) == expected
    assert control.ran[0].params == ("shop",)

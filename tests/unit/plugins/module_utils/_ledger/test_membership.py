# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an entry of a ledger is worth today."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger.doubts import (
    Today,
    doubt,
    doubts,
    old_identity,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger.states import (
    COPIED,
    COPYING,
    SEEDED,
    Entry,
)

ORDERS, ITEMS = TableName("public", "orders"), TableName("public", "Order Items")
TODAY = Today(
    source="7/16400/shop",
    source_oids={ORDERS: 5, ITEMS: 6},
    target="00000001/8/16500/shop",
    epoch="second",
)


def entry(name, state=SEEDED, **changes):
    made = Entry(
        name=name,
        table_oid=1,
        state=state,
        rows=0,
        bytes=0,
        hash=None,
        format="text",
        index_mode="keep",
        snapshot="",
        source=TODAY.source,
        seconds=0.0,
        source_oid=TODAY.source_oids.get(name),
        target=TODAY.target,
        epoch=TODAY.epoch,
    )
    return dataclasses.replace(made, **changes)


def old(name, source="7/shop"):
    """As 1.0.0 left it."""
    return entry(name, source=source, source_oid=None, target=None, epoch=None)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([entry(ORDERS), entry(ITEMS)], True),
        ([entry(ORDERS), entry(ITEMS), entry(TableName("public", "other"), COPIED)], True),
        ([entry(ORDERS)], False),
        ([entry(ORDERS), entry(ITEMS, COPIED)], False),
        ([entry(ORDERS), entry(ITEMS, COPYING)], False),
        ([], False),
    ],
    ids=["all", "more", "one is missing", "indexes are missing", "half copied", "none"],
)
def test_a_ledger_vouches_for_what_is_seeded_to_the_end(found, expected):
    assert (not doubts({one.name: one for one in found}, [ORDERS, ITEMS], TODAY)) is expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": "first"}, "before this membership began"),
        ({"epoch": None}, "before this membership began"),
        ({"target": "00000002/8/16500/shop"}, "restored, moved or promoted"),
        ({"target": "00000001/8/16501/shop"}, "restored, moved or promoted"),
        ({"source": "7/16401/shop"}, "another database"),
        ({"source_oid": 7}, "made anew"),
        ({"state": COPYING}, "not finished"),
    ],
)
def test_an_entry_of_other_times_or_sides_is_worth_nothing(change, words):
    assert words in doubt(entry(ORDERS, **change), TODAY)


def test_no_tables_are_without_doubt():
    assert doubts({ORDERS: entry(ORDERS)}, [], TODAY) == {}


def test_an_entry_of_today_is_worth_something():
    assert doubt(entry(ORDERS), TODAY) == ""
    assert "never" in doubt(None, TODAY)


def test_entries_of_the_first_release_count_until_their_master_gets_an_epoch():
    before = dataclasses.replace(TODAY, epoch=None)
    assert doubt(old(ORDERS), before) == ""
    assert "another database" in doubt(old(ORDERS, "8/shop"), before)
    assert "before this membership" in doubt(old(ORDERS), TODAY)


def test_a_name_with_slashes_is_told_from_what_surrounds_it():
    assert old_identity("7/16400/a/b") == "7/a/b"

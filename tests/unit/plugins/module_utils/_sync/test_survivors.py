# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledgers of those that remain are worth, when their origin is lost."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import states
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import survivors
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.survivors import Survivor

from ..fake_session import FakeSession
from ..ledger_entries import entry

ORDERS, ITEMS = TableName("public", "orders"), TableName("public", "items")
LOST = "1/16384/shop"


def copied(name, number, **changes):
    about = {"table_oid": number, "source": LOST, "source_oid": 100 + number, "target": "1/at"}
    return entry(name, **{**about, "epoch": "epoch", **changes})


def survivor(name="here", entries=None, epoch="epoch"):
    entries = [copied(ORDERS, 1), copied(ITEMS, 2)] if entries is None else entries
    return Survivor(
        name,
        FakeSession({"to_regclass('multimaster.membership')": [{"is": True}]}, name),
        epoch,
        f"id-{name}",
        "1/at",
        {ORDERS: 1, ITEMS: 2},
        {one.name: one for one in entries},
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": states.COPIED}, "its indexes are missing"),
        ({"epoch": "former"}, "it was away in between"),
        ({"target": "2/at"}, "the server went back"),
        ({"table_oid": 9}, "the table was made anew"),
        ({"source_oid": states.MISSED}, "changes may have been missed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_entry_vouches_for_this_very_table_in_this_membership(change, why):
    assert survivor().vouches(ORDERS) == (LOST, 101)
    assert survivor(entries=[copied(ORDERS, 1, **change)]).vouches(ORDERS) is None


def test_without_an_epoch_or_an_entry_nobody_vouches():
    assert survivor(epoch=None, entries=[copied(ORDERS, 1, epoch=None)]).vouches(ORDERS) is None
    assert survivor(entries=[]).vouches(ORDERS) is None


def test_the_least_doubted_becomes_the_origin_and_the_first_of_equals():
    doubted = survivor("a", entries=[copied(ORDERS, 1)])
    assert survivors.best([doubted, survivor("b"), survivor("c")], [ORDERS, ITEMS]) == "b"
    assert survivors.best([survivor("b"), survivor("c")], [ORDERS, ITEMS]) == "b"


def written(one):
    return [ran for ran in one.session.ran if ran.text.startswith(("UPDATE", "INSERT"))]


def test_all_ledgers_speak_of_the_new_origin():
    new, other = survivor("here"), survivor("there")
    assert survivors.readdress([new, other], "here", "shop") == {}
    [noted] = written(new)
    assert noted.params == ("shop", "epoch", True)
    [moved, noted] = written(other)
    assert noted.params == ("shop", "epoch", False)
    assert moved.text.startswith("UPDATE multimaster.seed s SET source = v.source::text")
    schemas, tables, sources, oids, *_rest = moved.params
    assert (schemas, tables) == (["public"] * 2, ["orders", "items"])
    # The new origin's own tables.
    assert (sources, oids) == (["id-here"] * 2, ["1", "2"])
    assert other.session.texts[0].startswith("BEGIN")
    assert other.session.texts[-1] == "COMMIT"


def test_copies_of_something_else_stay_doubted():
    others = [copied(ORDERS, 1), copied(ITEMS, 2, source="2/16384/other")]
    new, other = survivor("here"), survivor("there", entries=others)
    assert survivors.readdress([new, other], "here", "shop") == {"there": 1}
    # What the new origin does not vouch for itself is worth nothing against it.
    new, other = survivor("here", entries=[copied(ORDERS, 1)]), survivor("there")
    assert survivors.readdress([new, other], "here", "shop") == {"there": 1}


def test_a_run_after_one_that_was_killed_finds_them_as_they_shall_be():
    done = [copied(ORDERS, 1, source="id-here", source_oid=1), copied(ITEMS, 2)]
    assert survivors.readdress([survivor(), survivor("there", done)], "here", "shop") == {}


def test_a_master_whose_membership_was_never_noted_is_doubted_and_not_noted():
    new, other = survivor("here"), survivor("there", epoch=None)
    assert survivors.readdress([new, other], "here", "shop") == {"there": 2}
    assert written(other) == []


def test_reading():
    session = FakeSession(
        {
            "multimaster.seed') IS NOT NULL": [{"is": False}],
            "pg_is_in_recovery": [{"is": True}],
            "system_identifier": [{"identity": "7/1/shop"}],
            "unnest(%s::text[], %s::text[]) AS w": [
                {"schema": "public", "name": "orders", "oid": 5}
            ],
        }
    )
    [one] = survivors.read({"here": session}, {"here": "e"}, [ORDERS, ITEMS])
    assert (one.name, one.epoch, one.identity, one.place) == ("here", "e", "7/1/shop", "0/7/1/shop")
    assert (one.oids, one.entries) == ({ORDERS: 5}, {})

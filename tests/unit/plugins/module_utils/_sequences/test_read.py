# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the catalogs and the ledger of a master say about its sequences."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import read
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import (
    INT8_MAX,
    Share,
    Survey,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

A, B, TABLE = (TableName("public", name) for name in ("a_seq", "b_seq", "t"))


def row(oid, name, last, **more):
    found = {"schema": "public", "name": name, "oid": oid, "start": 1, "increment": 2}
    found |= {"minimum": 1, "maximum": INT8_MAX, "cycle": False, "last": last}
    return {**found, "persistence": "p", "extension": False, "owned": False, **more}


def used_by(oid, column="id", kind="r", limit=None, indexed=True):
    found = {"oid": oid, "schema": "public", "name": "t", "column": column, "kind": kind}
    return {**found, "limit": limit, "indexed": indexed}


def session(rows, users=(), entries=None):
    return FakeSession(
        {
            "FROM pg_catalog.pg_sequence s": rows,
            "to_regclass('multimaster.sequence')": [{"x": None if entries is None else "there"}],
            "FROM multimaster.sequence l": list(entries or ()),
            "WITH RECURSIVE users": list(users),
            # Nothing in the schema is somebody else's.
            "WITH ours": [],
            "SELECT 0 AS i, last_value": [{"i": 0, "last_value": 12, "is_called": False}],
            "pg_catalog.max": [{"i": 0, "highest": 40}, {"i": 1, "highest": None}],
        }
    )


def test_a_sequence_that_was_placed_is_read_itself():
    # pg_sequence_last_value() hides what setval(..., false) has set.
    fake = session([row(1, "a_seq", 7), row(2, "b_seq", None)])
    found = read.read(fake)
    assert (found.sequences[A].last_value, found.sequences[A].is_called) == (7, True)
    assert (found.sequences[B].last_value, found.sequences[B].is_called) == (12, False)
    (asked,) = [text for text in fake.texts if "AS i, last_value" in text]
    assert asked.endswith('FROM "public"."b_seq"')
    assert not found.ledger


def test_columns_that_it_fills_bound_it_and_tell_its_highest_value():
    users = [
        used_by(1, limit=2**31 - 1),
        used_by(1, "small", limit=2**15 - 1, indexed=False),
        used_by(1, "of_parent", kind="p"),
        used_by(99),
    ]
    found = read.read(session([row(1, "a_seq", 7, owned=True)], users))
    assert found.sequences[A].limit == 2**15 - 1
    assert found.users == {A: frozenset({TABLE})}
    assert found.owned == {A}
    assert found.indexed == {A: ((TABLE, "id"),)}


def test_entries_of_the_first_release_take_what_the_sequence_itself_says():
    entries = [
        {"oid": 1, "entry": {"original": 1, "slots": 2, "slot": 0}},
        {
            "oid": 2,
            "entry": {"original": 1, "slots": 2, "slot": 1, "start": 5, "first": 8, "syncs": ["x"]},
        },
    ]
    found = read.read(session([row(1, "a_seq", 7, start=3), row(2, "b_seq", 8)], (), entries))
    assert found.sequences[A].share == Share(1, 2, 0, 3, None, frozenset())
    assert found.sequences[B].share == Share(1, 2, 1, 5, 8, frozenset({"x"}))
    assert found.ledger


def test_where_nothing_was_ever_shared_out_one_question_is_enough():
    fake = session([row(1, "a_seq", 7)])
    assert read.read_shared(fake) == Survey()
    assert len(fake.texts) == 1


def test_the_highest_stored_value_comes_from_every_indexed_column():
    fake = session([row(1, "a_seq", 7)], [used_by(1), used_by(1, "other")])
    found = read.with_stored(fake, read.read(fake), [A])
    assert found.sequences[A].highest == 40


def test_a_master_without_a_session_stays_as_it_was():
    survey = Survey()
    fake = session([row(1, "a_seq", 7)], [used_by(1), used_by(1, "other")])
    found = read.all_with_stored({"here": fake}, {"here": read.read(fake), "new": survey}, [A])
    assert found["here"].sequences[A].highest == 40
    assert found["new"] is survey

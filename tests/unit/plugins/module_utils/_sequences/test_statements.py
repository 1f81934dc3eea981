# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that move sequences, letter for letter."""

from __future__ import annotations

import dataclasses

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import (
    Sequence,
    Share,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.plan import (
    Follow,
    Move,
    Note,
    SequencePlan,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    text_of,
)

NAME = TableName("my schema", 'n"1')
SEQUENCE = Sequence(NAME, 42, 1, 1, 1, 2**31 - 1, False, 7, True)
SHARE = Share(original=1, slots=2, slot=1, start=1, first=10, syncs=frozenset({"b", "a"}))
MOVE = Move("there", SEQUENCE, SHARE, SHARE.numbers, 2)


def test_the_step_locks_and_leaves_the_position_alone():
    assert text_of(statements.step(MOVE)) == (
        'ALTER SEQUENCE "my schema"."n""1" INCREMENT BY 2 START WITH 2'
    )


def test_a_sequence_is_placed_by_its_oid():
    assert text_of(statements.place(42, 10)) == (
        "SELECT pg_catalog.setval(42::oid::regclass, 10, false)"
    )


def test_the_ledger_takes_a_share_anew():
    assert text_of(statements.entry(42, SHARE)) == (
        'INSERT INTO multimaster.sequence (sequence, "original", "slots", "slot", "start", "first",'
        " \"syncs\") VALUES (42::oid, 1, 2, 1, 1, 10, ARRAY['a', 'b']) ON CONFLICT (sequence) DO"
        ' UPDATE SET ("original", "slots", "slot", "start", "first", "syncs") ='
        ' ROW("excluded"."original", "excluded"."slots", "excluded"."slot", "excluded"."start",'
        ' "excluded"."first", "excluded"."syncs")'
    )


def test_without_a_share_the_entry_goes():
    assert text_of(statements.notes([Note("here", SEQUENCE, None)])) == (
        "DELETE FROM multimaster.sequence WHERE sequence = 42::oid"
    )


def test_a_position_is_only_followed_while_nobody_has_used_the_sequence():
    fresh = dataclasses.replace(SEQUENCE, last_value=1, is_called=False)
    assert text_of(statements.follow(Follow("there", fresh, 99, True))) == (
        'SELECT pg_catalog.setval(42::oid::regclass, 99, true) FROM "my schema"."n""1"'
        " WHERE NOT is_called AND last_value = 1"
    )


def test_values_and_highest_are_told_apart_by_their_place():
    assert text_of(statements.values([NAME, TableName("public", "b")])) == (
        'SELECT 0 AS i, last_value, is_called FROM "my schema"."n""1"'
        ' UNION ALL SELECT 1 AS i, last_value, is_called FROM "public"."b"'
    )
    (query,) = statements.highest([(TableName("public", "t"), "id")])
    assert text_of(query) == (
        'SELECT 0 AS i, pg_catalog.max("id")::bigint AS highest FROM ONLY "public"."t"'
    )


def test_people_see_the_first_value_once_it_is_known():
    planned = SequencePlan(NAME, (MOVE,))
    (only,) = statements.of(planned, {})
    assert (only[0], text_of(only[1])[:14]) == ("there", "ALTER SEQUENCE")
    assert [text_of(one) for _master, one in statements.of(planned, {(NAME, "there"): 10})][1:] == [
        "SELECT pg_catalog.setval(42::oid::regclass, 10, false)"
    ]

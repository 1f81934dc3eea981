# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left to Bucardo, and how the rest is divided."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    CORRECTIONS,
    Customcode,
    Override,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up import plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    SyncKey,
    TableName,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.enrolled import Found

NAME = TableName("public", "a")
INTEGER = (23, -1, 0)
COLUMNS = (
    Column("id", "integer", True),
    Column("body", "text", False, collation="default"),
    Column("twice", "text", False, generated="s"),
)
SIDE = plan.Side(
    table=Table(NAME, 1, "r", "p", COLUMNS),
    found=Found(delta=(("id", INTEGER),)),
    targets=frozenset({"dbgroup g"}),
    syncs=frozenset({"s"}),
)


PLAIN = plan.Special()


def why(special=PLAIN, key=("id",), **changed):
    """With the second master's table changed."""
    second = dataclasses.replace(SIDE, **changed)
    return plan.left_alone(NAME, key, {"one": SIDE, "two": second}, special, SyncKey("s", "g"))


def table(*columns, kind="r"):
    return Table(NAME, 1, kind, "p", columns)


def test_nothing_stands_against_a_plain_table():
    assert why() == ""


def test_nor_against_one_that_the_release_will_register():
    assert why(targets=frozenset(), syncs=frozenset()) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"found": Found(delta=None)}, "not enrolled on two"),
        ({"found": Found(delta=(("other", INTEGER),))}, "another key on two"),
        ({"targets": frozenset({"dbgroup g", "dbgroup h"})}, "others than sync s wait"),
        ({"syncs": frozenset({"s", "r"})}, "others than sync s wait"),
        ({"table": table(*COLUMNS[:1])}, "columns differ"),
        ({"table": table(*COLUMNS, kind="p")}, "not enrolled on two"),
    ],
)
def test_what_a_master_has_stands_against_it(changed, said):
    assert said in why(**changed)


def test_a_table_without_key_or_on_one_master_only_is_left_alone():
    assert "another key" in why(key=())
    sides = {"one": SIDE, "two": None}
    assert "two" in plan.left_alone(NAME, ("id",), sides, PLAIN, SyncKey("s", "g"))


@pytest.mark.parametrize(
    ("special", "said"),
    [
        (plan.Special(names=[Override(1, "one", NAME, "b")]), "custom name"),
        (plan.Special(names=[Override(1, "one", NAME, "b", sync="r")]), ""),
        (plan.Special(columns=[Override(1, "one", NAME, "SELECT 1", sync="s")]), "custom columns"),
        (plan.Special(codes=[Customcode("c", "after_txn", "1", syncs={"s": (True, 0)})]), "code c"),
        (plan.Special(codes=[Customcode("c", "conflict", "1", syncs={"s": (True, 0)})]), ""),
        (plan.Special(codes=[Customcode("c", "after_txn", "1", relations={NAME: (True, 0)})]), "c"),
        (plan.Special(codes=[Customcode(CORRECTIONS, "x", "1", syncs={"s": (True, 0)})]), ""),
        (plan.Special(makedelta={NAME}), "makedelta"),
    ],
)
def test_what_bucardo_does_beside_rows_stands_against_it(special, said):
    found = why(special)
    assert (said in found) if said else found == ""


def test_generated_columns_are_not_written():
    assert plan.written(SIDE.table) == ["id", "body"]


@pytest.mark.parametrize(
    ("type_", "collation", "changes", "parts"),
    [
        ("integer", "", 10**6, 4),
        ("integer", "", 1000, 1),
        ("character varying(20)", "default", 10**6, 4),
        ("text", "case_insensitive", 10**6, 1),
        ("numeric(10,2)", "", 10**6, 1),
        ("citext", "default", 10**6, 1),
    ],
)
def test_a_table_is_divided_only_where_equal_keys_look_alike(type_, collation, changes, parts):
    columns = (Column("id", type_, True, collation=collation), COLUMNS[1])
    side = dataclasses.replace(SIDE, table=table(*columns))
    assert plan.parts(("id",), side, changes, 4) == parts


def test_a_chunk_of_wide_rows_has_fewer():
    assert plan.pages_per_chunk(0) == plan.pages_per_chunk(100) > 100
    assert plan.pages_per_chunk(100, 2) == 2 * plan.pages_per_chunk(100) + 1
    assert plan.pages_per_chunk(100_000) < 5
    assert plan.pages_per_chunk(1 << 30) == 1


def test_a_chunk_takes_about_a_second_of_the_rate():
    assert plan.pages_per_chunk(100, rate_limit=140_000) == 10
    assert plan.pages_per_chunk(100, rate_limit=1 << 40) == plan.pages_per_chunk(100)


@pytest.mark.parametrize(
    ("before", "left", "worth"),
    [(1000, 500, True), (1000, 10, False), (1000, 900, False), (1000, 2000, False)],
)
def test_rounds_end_when_little_is_left_or_no_less(before, left, worth):
    assert plan.another(before, left, enough=100) is worth

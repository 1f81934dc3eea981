# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tables take part."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Table,
    select,
)


def table(name, schema="public", **more):
    fields = {"oid": 1, "kind": "r", "persistence": "p", "columns": (), **more}
    return Table(name=TableName(schema, name), **fields)


ORDERS = table("orders")
ITEMS = table("Order Items")
LOGS = [table("log_2025", "sales"), table("log_2026", "sales")]
PARENT = table("measurements", kind="p")
LEAF = table("measurements_1", is_partition=True)
ALL = [ORDERS, ITEMS, *LOGS, PARENT, LEAF]


def names(tables):
    return [f"{one.name.schema}.{one.name.name}" for one in tables]


def test_all_ordinary_tables_and_leaves_sorted_by_name():
    assert select(reversed(ALL), ["*.*"], []) == [ITEMS, LEAF, ORDERS, *LOGS]


@pytest.mark.parametrize(
    ("include", "exclude", "found"),
    [
        (["orders"], [], ["public.orders"]),
        (["public.orders", "orders"], [], ["public.orders"]),
        (['"Order Items"'], [], ["public.Order Items"]),
        (["Order Items"], [], ["public.Order Items"]),
        (["Order*"], [], ["public.Order Items"]),
        (["sales.*"], [], ["sales.log_2025", "sales.log_2026"]),
        (["*.log_*"], ["sales.log_2025"], ["sales.log_2026"]),
        (["sales.log_202[6-9]"], [], ["sales.log_2026"]),
        (["sales.log_202?"], ["*.log_2026"], ["sales.log_2025"]),
        (["*.*"], ["public.*"], ["sales.log_2025", "sales.log_2026"]),
        (["*.*"], ["*.*"], []),
        ([], [], []),
    ],
)
def test_patterns(include, exclude, found):
    assert names(select(ALL, include, exclude)) == found


@pytest.mark.parametrize(
    "odd",
    [
        table("parent", kind="p"),
        table("view", kind="m"),
        table("foreign", kind="f"),
        table("unlogged", persistence="u"),
        table("temporary", persistence="t"),
        table("of_postgis", extension="postgis"),
    ],
    ids=lambda one: one.name.name,
)
def test_what_is_not_ordinary_takes_part_only_when_named(odd):
    assert select([odd, ORDERS], ["*.*"], []) == [ORDERS]
    assert select([odd, ORDERS], [f"{odd.name.name}*", "orders"], []) == [ORDERS]
    assert select([odd, ORDERS], [odd.name.name], []) == [odd]
    assert select([odd], [odd.name.name], [odd.name.name]) == []


def test_a_pattern_that_only_matches_what_is_not_ordinary_is_no_mistake():
    assert select([PARENT, ORDERS], ["*.meas*"], []) == []


def test_a_name_that_looks_like_a_pattern_means_itself():
    odd, other = table("odd[1]"), table("odd1")
    assert select([odd, other], ["odd[1]"], []) == [odd]
    assert select([other], ["odd[1]"], []) == [other]


@pytest.mark.parametrize("schema", ["bucardo", "multimaster"])
def test_bookkeeping_never_takes_part(schema):
    own = table("seed", schema)
    assert select([own, ORDERS], ["*.*"], []) == [ORDERS]
    with pytest.raises(Refused):
        select([own, ORDERS], [f"{schema}.seed"], [])


@pytest.mark.parametrize(
    ("include", "exclude", "message"),
    [
        (["ordres"], [], "tables: 'ordres' matches no table of the origin. Did you mean"),
        (["public.ordres"], [], "Did you mean public.orders?"),
        (["Orders"], [], "Did you mean public.orders?"),
        (["*.*"], ["public.Order Item"], "exclude: 'public.Order Item' matches no table"),
        (["*.*"], ["public.Order Item"], "Did you mean public.Order Items?"),
        (["xyzzy.*"], [], "Check schema, capitals and spelling."),
    ],
)
def test_an_entry_without_effect_is_a_mistake(include, exclude, message):
    with pytest.raises(Refused) as caught:
        select(ALL, include, exclude)
    assert message in caught.value.one_line


def test_an_empty_database_is_no_mistake():
    assert select([], ["*.*"], []) == []

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, and what Bucardo makes of them."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    IDENTIFIER_MAX,
    SYNC_NAME_MAX,
    TableName,
    delta_suffix,
    problem_with_dbname,
    problem_with_object_name,
    problem_with_sync_name,
)

AWKWARD = [
    "orders",
    "Orders",
    "Order Items",
    " blanks around ",
    "a.b",
    'say "hi"',
    '"',
    "'",
    "größe",
    "注文",
    "e\u0301",
    "1st",
    "_x",
    "a\\b",
    "100%",
    "*",
    "odd[1]",
    "tab\tulator",
    "line\nbreak",
    "ends with one\n",
    "select",
    "$money",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_what_is_written_is_read_again(name):
    for schema in AWKWARD:
        table = TableName(schema, name)
        assert TableName.parse(str(table)) == table


@pytest.mark.parametrize(
    ("text", "schema", "name"),
    [
        ("orders", "public", "orders"),
        ("Orders", "public", "Orders"),
        ("sales.Orders", "sales", "Orders"),
        ("sales.order items", "sales", "order items"),
        ('"My Schema"."Order Items"', "My Schema", "Order Items"),
        ('sales."a.b"', "sales", "a.b"),
        ('"a.b"', "public", "a.b"),
        ('"a""b".c', 'a"b', "c"),
        ("  sales.orders  ", "sales", "orders"),
        ("orders\n", "public", "orders"),
        ("注文.größe", "注文", "größe"),
    ],
)
def test_notations(text, schema, name):
    assert TableName.parse(text) == TableName(schema, name)


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "a.", ".a", "a.b.c", '"a', 'a"b', '""', '"".a', 'a."b"c', "a . b", 'x "y".z'],
)
def test_what_is_no_name(text):
    with pytest.raises(ValueError, match="is not a table name"):
        TableName.parse(text)


def test_only_awkward_parts_are_quoted():
    assert str(TableName("public", "Orders_2")) == "public.Orders_2"
    assert str(TableName("public", "Order Items")) == 'public."Order Items"'
    assert str(TableName('a"b', "1st")) == '"a""b"."1st"'


def test_names_sort_by_schema_and_name():
    names = [TableName("b", "a"), TableName("a", "b"), TableName("a", "a")]
    assert sorted(names) == [TableName("a", "a"), TableName("a", "b"), TableName("b", "a")]


# What bucardo.bucardo_tablename_maker() of Bucardo 5.6.0 returned, without its quotes.
@pytest.mark.parametrize(
    ("schema", "name", "suffix"),
    [
        ("public", "orders", "public_orders"),
        ("My Schema", "Order Items", "My Schema_Order Items"),
        ("a.b", "c.d", "a_b_c_d"),
        ("public", "x" * 50, "public_" + "x" * 50),
        ("public", "x" * 51, "public_" + "x" * 39 + "!2dbb3c5a88"),
        ("public", "ö" * 60, "public_" + "ö" * 39 + "!ac4b210151"),
        ("größe", "注文", "größe_注文"),
        ("s" * 40, "t" * 20, "s" * 40 + "_ttttt!ac191636a8"),
        ("public", "a'b", "public_a'b"),
    ],
)
def test_suffixes_are_bucardos(schema, name, suffix):
    assert delta_suffix(TableName(schema, name)) == suffix


def test_different_tables_can_share_a_suffix():
    assert delta_suffix(TableName("a_b", "c")) == delta_suffix(TableName("a", "b_c"))
    assert delta_suffix(TableName("a", "b.c")) == delta_suffix(TableName("a", "b_c"))


@pytest.mark.parametrize("name", ["multimaster", "Sync2", "a", "a" * SYNC_NAME_MAX])
def test_good_names_of_syncs(name):
    assert problem_with_sync_name(name) == ""


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "must start with a letter"),
        ("1a", "must start with a letter"),
        ("_a", "must start with a letter"),
        ("a b", "must start with a letter"),
        ("a-b", "must start with a letter"),
        ("größe", "must start with a letter"),
        ("a\n", "must start with a letter"),
        ("swap", "is reserved"),
        ("SWAP", "is reserved"),
        ("fullcopy", "is reserved"),
        ("a" * (SYNC_NAME_MAX + 1), "is longer than 42"),
    ],
)
def test_bad_names_of_syncs(name, problem):
    assert problem_with_sync_name(name).startswith(problem)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("here", ""),
        ("swap", ""),
        ("a" * IDENTIFIER_MAX, ""),
        ("a" * (IDENTIFIER_MAX + 1), "is longer than 63"),
        ("db-1", "must start with a letter"),
        ("a\n", "must start with a letter"),
    ],
)
def test_names_of_databases_and_groups(name, problem):
    assert problem_with_object_name(name).startswith(problem)
    assert bool(problem_with_object_name(name)) == bool(problem)


@pytest.mark.parametrize("name", ["shop", "Shop & Söhne", "a,b", "a=b", "a\\b", 'a"b', "100 %"])
def test_names_that_bucardo_can_connect_to(name):
    assert problem_with_dbname(name) == ""


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "empty"),
        ("a\nb", "line break"),
        ("it's", "single quote"),
        ("x db=y", "'db='"),
        ("database = y", "'db='"),
        ('"a', "double quote"),
        ('a "b"', "double quote"),
    ],
)
def test_names_that_bucardo_cannot_connect_to(name, problem):
    assert problem in problem_with_dbname(name)

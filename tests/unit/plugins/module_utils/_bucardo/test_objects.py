# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection strings as DBD::Pg reads them."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    DatabaseRecord,
    decode_dbname,
    encode_dbname,
    format_dsn,
    libpq_params,
    parse_dsn,
    split_list,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    problem_with_dbname,
)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", {}),
        ("sslmode=require", {"sslmode": "require"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("a=1 b=2; ;c=", {"a": "1", "b": "2", "c": ""}),
        ("options='-c a=b;c';d=e", {"options": "-c a=b;c", "d": "e"}),
        (r"a='it\'s' b=x\ y", {"a": "it's", "b": "x y"}),
    ],
)
def test_parse_dsn(text, params):
    assert parse_dsn(text) == params


@pytest.mark.parametrize("text", ["sslmode", "a=1;b", "a='open"])
def test_what_is_no_dsn(text):
    with pytest.raises(ValueError, match=r"'"):
        parse_dsn(text)


@pytest.mark.parametrize(
    "params",
    [{}, {"a": ""}, {"a": "x y", "b": "1;2"}, {"a": "it's", "b": "back\\slash"}, {"ü": "ß"}],
)
def test_a_formatted_dsn_reads_the_same(params):
    assert parse_dsn(format_dsn(params)) == params


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("shop", "shop"),
        ("CamelCase", "CamelCase"),
        ("Ünï", "Ünï"),
        ("a-b,c:d%e=f", "a-b,c:d%e=f"),
        ('a"b', 'a"b'),
        ("My Db", "'My Db'"),
        ("a;b", "'a;b'"),
        ("a\\b", "'a\\\\b'"),
    ],
)
def test_names_of_databases_that_bucardo_can_take(name, stored):
    # Each pair was tried with DBD::Pg 3.16 against PostgreSQL 15.
    assert not problem_with_dbname(name)
    assert encode_dbname(name) == stored
    assert decode_dbname(stored) == name


@pytest.mark.parametrize(
    "name", ["", "it's", "'quoted'", "db=x", "a database =y", 'a "b"', '"a', "a\nb"]
)
def test_names_of_databases_that_it_cannot(name):
    assert problem_with_dbname(name)


def test_libpq_params_hold_only_what_is_given_and_conn_wins():
    database = DatabaseRecord(
        "A", host="db1", dbname="shop", user="u", conn="port=1;sslmode=require"
    )
    assert libpq_params(database, "pw") == {
        "host": "db1",
        "dbname": "shop",
        "user": "u",
        "password": "pw",
        "port": "1",
        "sslmode": "require",
    }


def test_split_list():
    assert split_list("a|b") == ("a", "b")
    assert split_list("") == split_list(None) == ()

"""Which columns are hashed natively (the hash itself is tested against servers)."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._rowhash import (
    Types,
    columns_as_text,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tables import Column, Table

BUILTIN = {16: "bool", 23: "int4", 25: "text", 1700: "numeric", 3802: "jsonb", 1007: "_int4"}


def table(**types):
    return Table(
        name=TableName("public", "t"),
        oid=1,
        kind="r",
        persistence="p",
        columns=tuple(Column(name, "", True, type_oid=oid) for name, oid in types.items()),
    )


def test_domains_are_followed_to_their_base():
    types = Types(BUILTIN, {20001: 20000, 20000: 23, 20002: 30000})
    assert types.native_name(20001) == "int4"
    assert types.builtin_name(20002) == ""


def test_types_whose_hash_is_not_exact_go_through_text():
    types = Types(BUILTIN, {})
    assert types.native_name(23) == "int4"
    assert [types.native_name(oid) for oid in (1700, 3802, 1007, 99999)] == [""] * 4
    assert types.builtin_name(1700) == "numeric"


def test_columns_that_servers_would_hash_differently_go_through_text_everywhere():
    here = (table(a=23, b=25, c=1700), Types(BUILTIN, {}))
    there = (table(a=25, b=20000, c=1700), Types(BUILTIN, {20000: 25}))
    assert columns_as_text([here, there]) == {"a"}

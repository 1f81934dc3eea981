"""Which columns are hashed natively (the hash itself is tested against servers)."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._rowhash import (
    Types,
    columns_as_text,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tables import Column, Table

BUILTIN = {16: "bool", 23: "int4", 25: "text", 1700: "numeric", 3802: "jsonb", 1007: "_int4"}
BUILTIN[1042] = "bpchar"


def column(oid, name="c", kind=""):
    return Column(name, kind, True, type_oid=oid)


def table(*columns):
    return Table(name=TableName("public", "t"), oid=1, kind="r", persistence="p", columns=columns)


def test_domains_are_followed_to_their_base():
    types = Types(BUILTIN, {20001: 20000, 20000: 23, 20002: 30000})
    assert types.native_name(column(20001)) == "int4"
    assert types.builtin_name(20002) == ""


def test_types_whose_hash_is_not_exact_go_through_text():
    types = Types(BUILTIN, {})
    assert types.native_name(column(23)) == "int4"
    assert [types.native_name(column(oid)) for oid in (1700, 3802, 1007, 99999)] == [""] * 4
    assert types.builtin_name(1700) == "numeric"


@pytest.mark.parametrize(
    ("oid", "kind", "native"),
    [
        (1700, "numeric(12,2)", "numeric"),
        (1700, "numeric(5,-2)", "numeric"),
        (1700, "numeric", ""),
        (1042, "character(84)", "bpchar"),
        (1042, "bpchar", ""),
        # A domain's own name says nothing of its length.
        (20001, "positive_amount", ""),
        (1231, "numeric(12,2)[]", ""),
    ],
)
def test_types_with_a_length_have_one_form_for_each_value(oid, kind, native):
    assert (
        Types({**BUILTIN, 1231: "_numeric"}, {20001: 1700}).native_name(column(oid, kind=kind))
        == native
    )


def test_columns_with_other_decimals_go_through_text():
    types = Types(BUILTIN, {})
    here, there = (table(column(1700, kind=f"numeric(12,{digits})")) for digits in (2, 4))
    assert columns_as_text([(here, types), (there, types)]) == {"c"}
    assert columns_as_text([(here, types), (here, types)]) == set()


def test_columns_that_servers_would_hash_differently_go_through_text_everywhere():
    here = (table(column(23, "a"), column(25, "b"), column(1700)), Types(BUILTIN, {}))
    there = (table(column(25, "a"), column(20000, "b"), column(1700)), Types(BUILTIN, {20000: 25}))
    assert columns_as_text([here, there]) == {"a"}

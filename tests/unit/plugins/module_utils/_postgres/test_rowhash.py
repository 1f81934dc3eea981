# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which columns are hashed natively (the hash itself is tested against servers)."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.rowhash import (
    Method,
    Types,
    columns_as_text,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Table,
)

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
    assert [types.native_name(column(oid)) for oid in (3802, 1007, 99999)] == [""] * 3
    assert types.builtin_name(3802) == "jsonb"


@pytest.mark.parametrize(
    ("oid", "kind", "native"),
    [
        (1700, "numeric(12,2)", "numeric"),
        (1700, "numeric", "numeric"),
        # A domain, whose own name says nothing of digits: they are in the value.
        (20001, "positive_amount", "numeric"),
        (1042, "character(84)", "bpchar"),
        (1042, "bpchar", ""),
        # Nor does it say anything of a length, which is not in the value.
        (20002, "code", ""),
        (1231, "numeric(12,2)[]", ""),
    ],
)
def test_types_whose_equal_values_have_one_form_are_hashed_natively(oid, kind, native):
    types = Types({**BUILTIN, 1231: "_numeric"}, {20001: 1700, 20002: 1042})
    assert types.native_name(column(oid, kind=kind)) == native


def test_columns_of_another_length_go_through_text():
    types = Types(BUILTIN, {})
    here, there = (table(column(1042, kind=f"character({length})")) for length in (2, 4))
    assert columns_as_text([(here, types), (there, types)]) == {"c"}
    assert columns_as_text([(here, types), (here, types)]) == set()


def test_every_comparison_has_a_key_of_its_own():
    assert len({Method().key for _draw in range(100)}) == 100
    assert all(0 <= Method().key < 2**63 for _draw in range(100))


def test_columns_that_servers_would_hash_differently_go_through_text_everywhere():
    here = (table(column(23, "a"), column(25, "b"), column(1700)), Types(BUILTIN, {}))
    there = (table(column(25, "a"), column(20000, "b"), column(1700)), Types(BUILTIN, {20000: 25}))
    assert columns_as_text([here, there]) == {"a"}

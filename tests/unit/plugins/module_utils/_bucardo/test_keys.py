# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which columns rows are told apart."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.keys import (
    registered_key,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Index,
    Table,
)


def column(name, not_null=True):
    return Column(name, "integer", not_null)


def index(name, *columns, **more):
    fields = {"unique": True, "primary": False, "valid": True, "partial": False, **more}
    return Index(name=name, columns=columns, **fields)


COLUMNS = (column("a"), column("b"), column("n", not_null=False))
UNIQUE = index("x", "a", "b")


def table(indexes):
    return Table(TableName("public", "t"), 1, "r", "p", COLUMNS, tuple(indexes))


@pytest.mark.parametrize(
    ("indexes", "key"),
    [
        ([], ()),
        ([UNIQUE], ("a", "b")),
        ([index("pk", "b", primary=True), index("a", "a")], ("b",)),
        ([UNIQUE, index("y", "b")], ("b",)),
        ([index("z", "b"), index("y", "a")], ("a",)),
        ([index("x", "b", "a")], ("b", "a")),
        ([index("x", "n")], ()),
        ([index("x", "a", "n")], ()),
        ([index("x")], ()),
    ],
)
def test_the_key(indexes, key):
    assert registered_key(table(indexes)) == key


@pytest.mark.parametrize("flaw", [{"unique": False}, {"valid": False}, {"partial": True}])
def test_an_index_that_is_no_key(flaw):
    assert registered_key(table((dataclasses.replace(UNIQUE, **flaw),))) == ()


def test_an_invalid_primary_key_identifies_nothing():
    broken = index("pk", "b", primary=True, valid=False)
    assert registered_key(table((broken,))) == ()
    assert registered_key(table((broken, UNIQUE))) == ("a", "b")

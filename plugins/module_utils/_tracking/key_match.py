# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows and changes by their key, with the operators by which it is unique (pure).

Everything names its schema: the database's own path may be set.
"""

from __future__ import annotations

import typing as t

from .._common.names import TableName
from .._postgres import sql
from .delta_function import Equality

# A column of the key, and how its values are compared.
KeyColumn = t.Tuple[str, Equality]

# Of a row d of the delta table: that a target is still to get it (Bucardo.pm 5.6.0, getdelta).
NOT_REPLICATED = (
    "NOT EXISTS (SELECT FROM {track} k WHERE k.txntime OPERATOR(pg_catalog.=) d.txntime"
    " AND k.target OPERATOR(pg_catalog.=) {target})"
)


def truncated(name: TableName) -> sql.Composable:
    """Whether a TRUNCATE of the table waits, after which no key tells what is meant."""
    return sql.SQL(
        "SELECT EXISTS (SELECT FROM bucardo.bucardo_truncate_trigger"
        " WHERE replicated IS NULL AND sname OPERATOR(pg_catalog.=) {}"
        " AND tname OPERATOR(pg_catalog.=) {})"
    ).format(sql.Literal(name.schema), sql.Literal(name.name))


def columns(alias: str, names: t.Iterable[str]) -> sql.Composable:
    """A list of columns."""
    prefix = (alias,) if alias else ()
    return sql.SQL(", ").join(sql.Identifier(*prefix, name) for name in names)


def same(left: str, right: str, key: t.Iterable[KeyColumn]) -> sql.Composable:
    """That two rows have the same key.

    :param left: alias of one table, `right` of the other.
    """
    return sql.SQL(" AND ").join(
        sql.SQL("{} OPERATOR({}.{}) {}").format(
            sql.Identifier(left, column),
            sql.Identifier(schema),
            sql.SQL(operator),
            sql.Identifier(right, column),
        )
        for column, (schema, operator) in key
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The building blocks of SQL text, for files that compose statements and ask no server (pure).

Without psycopg2 the names are missing and `pg.IMPORT_ERROR` says why; only annotations may name
them outside of functions.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._common.names import TableName

with contextlib.suppress(ImportError):
    from psycopg2.sql import SQL, Composable, Composed, Identifier, Literal, Placeholder

# The path that the database or the role sets, until the transaction ends: for statements that run
# functions of the database's own (in constraints, defaults, indexes), and for nothing else.
DATABASE_PATH = "SET LOCAL search_path TO DEFAULT"

__all__ = [
    "DATABASE_PATH",
    "SQL",
    "Composable",
    "Composed",
    "Identifier",
    "Literal",
    "Placeholder",
    "any_row",
    "columns",
    "relation",
    "together",
]


def relation(name: TableName) -> Identifier:
    """A relation's name, quoted."""
    return Identifier(name.schema, name.name)


def columns(names: t.Iterable[str]) -> Composed:
    """Names of columns, quoted, with commas between."""
    return SQL(", ").join(map(Identifier, names))


def any_row(query: Composable) -> Composed:
    """Whether a query finds a row; it is planned for all of them, and ends at the first.

    For EXISTS and LIMIT the planner takes what finds one soon. Where there is none, a nested loop
    over rows of which it expects few, since nobody has counted them yet, goes over all of them for
    each row of the outer side.
    """
    return SQL("WITH q AS MATERIALIZED ({}) SELECT EXISTS (SELECT FROM q)").format(query)


def together(statements: t.Iterable[Composable]) -> Composed:
    """Many statements as one, which costs one round trip."""
    return SQL("; ").join(statements)

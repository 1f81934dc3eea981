# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Foreign keys, and the rows that break them (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName
from .._common.text import listed
from .._postgres import sql


@dataclasses.dataclass(frozen=True)
class ForeignKey:
    """One that all rows of a table should obey.

    :param whole: whether the table is a partitioned one, and all of its partitions are meant.
    :param operators: between a column of the parent and one of the table, as text.
    """

    table: TableName
    whole: bool
    parent: TableName
    whole_parent: bool
    name: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    operators: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Orphans:
    """Rows of one table whose parent is missing on some masters.

    :param rows: their number by master.
    :param keys: of the missing parents, as text, by the table's own columns.
    """

    key: ForeignKey
    rows: t.Mapping[str, int]
    keys: tuple[dict[str, str], ...]

    @property
    def text(self) -> str:
        """In one line."""
        some = listed(
            ", ".join(f"{name} {value}" for name, value in key.items()) for key in self.keys
        )
        count = max(self.rows.values())
        rows = "1 row refers" if count == 1 else f"{count} rows refer"
        return (
            f"{self.key.table}: {rows} by {self.key.name} to what is not in {self.key.parent}"
            f" ({some}; on {', '.join(self.rows)})"
        )

    def to_dict(self) -> dict[str, t.Any]:
        """For the result of a task."""
        return {
            "table": str(self.key.table),
            "constraint": self.key.name,
            "parent": str(self.key.parent),
            "rows": dict(self.rows),
            "keys": list(self.keys),
        }


def orphans(key: ForeignKey) -> sql.Composed:
    """How many rows refer to nothing. Rows with a null in the columns refer to nothing rightly."""
    return sql.SQL("SELECT count(*) AS n FROM {} WHERE {}").format(
        _from(key.table, key.whole, "c"), _alone(key)
    )


def missing_parents(key: ForeignKey) -> sql.Composed:
    """What the first of them refer to, as text; takes the number of rows as parameter."""
    columns = sql.SQL(", ").join(sql.Identifier("c", name) for name in key.columns)
    texts = sql.SQL(", ").join(
        sql.SQL("concat({})").format(sql.Identifier("c", name)) for name in key.columns
    )
    return sql.SQL(
        "SELECT ARRAY[{}] AS key FROM {} WHERE {} GROUP BY {} ORDER BY {} LIMIT %s"
    ).format(texts, _from(key.table, key.whole, "c"), _alone(key), columns, columns)


def _from(table: TableName, whole: bool, alias: str) -> sql.Composed:
    """Without those that inherit, to which no foreign key applies; with all partitions."""
    return sql.SQL("{} {} {}").format(
        sql.SQL("" if whole else "ONLY"),
        sql.Identifier(table.schema, table.name),
        sql.Identifier(alias),
    )


def _alone(key: ForeignKey) -> sql.Composed:
    same = sql.SQL(" AND ").join(
        sql.SQL("{} {} {}").format(
            sql.Identifier("p", parent), sql.SQL(operator), sql.Identifier("c", own)
        )
        for own, parent, operator in zip(key.columns, key.parent_columns, key.operators)
    )
    there = sql.SQL(" AND ").join(
        sql.SQL("{} IS NOT NULL").format(sql.Identifier("c", name)) for name in key.columns
    )
    return sql.SQL("{} AND NOT EXISTS (SELECT FROM {} WHERE {})").format(
        there, _from(key.parent, key.whole_parent, "p"), same
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table of an extension that holds rows of users: those that pg_dump would dump (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName
from .._postgres import sql

FORMAT = "text"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """One such table.

    :param condition: of the extension's own script, e.g. "WHERE srid > 900000", or "".
    :param columns: those that a row is given.
    """

    extension: str
    name: TableName
    oid: int
    condition: str
    columns: tuple[str, ...]

    def planned(self) -> dict[str, t.Any]:
        """For people."""
        return {
            "table": str(self.name),
            "rows": 0,
            "size": 0,
            "format": FORMAT,
            "reason": f"what users put into this table of extension {self.extension}",
            "index_mode": "keep",
            "parts": 1,
        }

    def rows(self, what: str = "") -> sql.Composable:
        """A query for its rows of users.

        :param what: an expression; the columns otherwise.
        """
        return self._with_condition(
            "SELECT {} FROM ONLY {} ", sql.SQL(what) if what else sql.columns(self.columns)
        )

    def delete(self) -> sql.Composable:
        """A statement that removes them."""
        return self._with_condition("DELETE FROM ONLY {} ")

    def _with_condition(self, words: str, *parts: sql.Composable) -> sql.Composable:
        return sql.SQL(words).format(*parts, sql.relation(self.name)) + sql.SQL(self.condition)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexes that a killed seed left invalid: a primary key among them accepts duplicates.

Only the ledger tells that they are this collection's to rebuild, so it must not go before.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused, StatementFailed
from .._common.names import TableName
from .._ledger import ledger
from .._postgres import pg, sql

_INVALID = """
SELECT n.nspname AS schema, c.relname AS name, x.relname AS index
  FROM multimaster.seed s
  JOIN pg_catalog.pg_class c ON c.oid = s.table_oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND NOT (i.indisvalid AND i.indisready)
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 ORDER BY 1, 2, 3
"""


@dataclasses.dataclass(frozen=True)
class Broken:
    """An index that does not hold all rows of its table."""

    table: TableName
    index: str

    def __str__(self) -> str:
        return f"{self.index} of {self.table}"


def broken(session: pg.Session, tables: t.Collection[TableName] | None = None) -> list[Broken]:
    """Invalid indexes of tables that the ledger knows, or of some of these."""
    if not ledger.exists(session):
        return []
    found = [
        Broken(TableName(row["schema"], row["name"]), row["index"])
        for row in session.rows(_INVALID)
    ]
    return [one for one in found if tables is None or one.table in tables]


def rebuild(master: str, session: pg.Session, found: t.Sequence[Broken]) -> None:
    """Make indexes complete, and unique again where they have to be.

    :raises Refused: naming those that can't be, with the key that stands in the way.
    """
    failed = []
    for one in found:
        try:
            # Functions in an index may rely on the database's own path.
            session.execute(
                sql.SQL("{}; REINDEX INDEX {}").format(
                    sql.SQL(sql.DATABASE_PATH), sql.Identifier(one.table.schema, one.index)
                )
            )
        except StatementFailed as error:
            failed.append(f"{one}: {error.message}{_detail(error)}")
    if failed:
        raise Refused(
            f"{master} has indexes that a seed left invalid and that cannot be rebuilt:"
            f" {'; '.join(failed[:5])}",
            "They check nothing: correct the rows that are in the way, deciding for each key"
            " which one stays, then run again.",
            indexes=failed,
        )


def _detail(error: StatementFailed) -> str:
    """PostgreSQL's detail, which names the key."""
    text = str(error.details.get("detail", ""))
    return f" ({text.rstrip('.')})" if text else ""

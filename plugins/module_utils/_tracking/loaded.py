# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Bucardo's daemon still knows the columns of the tables.

The controller of a sync reads them once, when it starts (Bucardo.pm 5.6.0, "tcolumns"), and goes on
announcing the old ones to COPY when the tables have others. PostgreSQL does not say when a column
came, so what the tables looked like at the last reload is kept on the masters.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import typing as t

from .._common.errors import StatementFailed
from .._common.names import TableName
from .._ledger.own_table import OwnTable
from .._postgres.pg import Session

_COLUMNS = """
SELECT m.s, m.t, c.oid::bigint,
       pg_catalog.json_agg(a.attname ORDER BY a.attnum)::text
  FROM pg_catalog.json_to_recordset(%s) AS m (s text, t text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = m.s
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = m.t
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 GROUP BY 1, 2, 3
 ORDER BY 1, 2
"""
_LOADED = OwnTable("loaded", ("sync text PRIMARY KEY", "columns text NOT NULL"))


def signature(session: Session, tables: t.Mapping[TableName, t.Sequence[str]]) -> str:
    """Stands for the columns of the tables on one master, and for their registered keys."""
    names = sorted(tables)
    given = json.dumps([{"s": name.schema, "t": name.name} for name in names])
    columns = [list(row.values()) for row in session.rows(_COLUMNS, (given,))]
    keys = [list(tables[name]) for name in names]
    return hashlib.sha256(json.dumps([columns, keys]).encode("utf-8")).hexdigest()


def loaded(session: Session, sync: str) -> str:
    """The signature of the last reload, "" when none is known."""
    if not _LOADED.exists(session):
        return ""
    return str(
        session.value("SELECT columns FROM multimaster.loaded WHERE sync = %s", (sync,)) or ""
    )


def remember(session: Session, sync: str, text: str) -> None:
    """The daemon has just read everything anew."""
    _LOADED.ensure(session)
    session.execute(
        "INSERT INTO multimaster.loaded VALUES (%s, %s)"
        " ON CONFLICT (sync) DO UPDATE SET columns = excluded.columns",
        (sync, text),
    )


def forget(session: Session, sync: str) -> None:
    """The sync leaves this master; so does what is only kept for it."""
    if not _LOADED.exists(session):
        return
    session.execute("DELETE FROM multimaster.loaded WHERE sync = %s", (sync,))
    if _LOADED.drop_if_empty(session):
        with contextlib.suppress(StatementFailed):
            session.execute("DROP SCHEMA multimaster RESTRICT")

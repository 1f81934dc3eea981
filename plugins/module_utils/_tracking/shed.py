# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables whose changes a master no longer queues, since they waited too long for one that is away.

The mark is on the master that the table was shed on: a control database can be lost, and the ledger
of the master that was away could not be told. It is there before the first trigger goes, and stays
until the table was made new everywhere. docs/decisions/shedding.md says why.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused
from .._common.names import TableName
from .._ledger.own_table import OwnTable
from .._postgres import locks, sql
from .._postgres.pg import Session
from .plan import own_object

if t.TYPE_CHECKING:
    from .queue import Pending

_SHED = OwnTable(
    "shed",
    (
        "sync text NOT NULL",
        "schema_name text NOT NULL",
        "table_name text NOT NULL",
        "changes bigint NOT NULL",
        "bytes bigint NOT NULL",
        "since timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()",
        "told boolean NOT NULL DEFAULT false",
        "done_at timestamptz",
        "PRIMARY KEY (sync, schema_name, table_name)",
    ),
)
_READ = """
SELECT schema_name, table_name, changes, bytes,
       pg_catalog.date_trunc('second', since)::text AS since,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - since)::float8 AS age,
       done_at IS NOT NULL AS done, told
  FROM multimaster.shed WHERE sync = %s ORDER BY multimaster.shed.since
"""
_NOTE = """
INSERT INTO multimaster.shed (sync, schema_name, table_name, changes, bytes)
VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_FORGET = """
DELETE FROM multimaster.shed s USING unnest(%s::text[], %s::text[]) AS n (s, t)
 WHERE s.sync = %s AND s.schema_name = n.s AND s.table_name = n.t
"""
_TRIGGERS = """
SELECT g.tgname::text FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
 WHERE g.tgrelid = pg_catalog.to_regclass(%s) AND NOT g.tgisinternal
   AND p.pronamespace = pg_catalog.to_regnamespace('bucardo')
 ORDER BY 1
"""
_OTHER_SYNCS = """
SELECT DISTINCT sync FROM bucardo.bucardo_delta_names
 WHERE pg_catalog.to_regclass(tablename) = pg_catalog.to_regclass(%s) AND sync <> %s ORDER BY 1
"""
# Rows of a queue are alike: the key and a time.
_SAMPLE = 1000
# Bytes of a change beside its row, and the row's share in the index of keys: line pointer, index
# entries and what pages leave free. Measured: 134 for each of 60,000 changes with an integer key.
_BESIDE = 60
_QUEUE = ("delta_", "track_", "stage_")
# Whoever uses the table now is waited for in turns; the next look tries again.
_POLICY = locks.LockPolicy(timeout=20)


@dataclasses.dataclass(frozen=True)
class Shed:
    """A table that was shed on a master.

    :param changes: how many waited then, and `bytes` what they took.
    :param age: seconds since `since`.
    :param done: its triggers are gone. Until then all its changes are still queued.
    :param told: no process of the daemon is left that knows the table.
    """

    table: TableName
    changes: int
    bytes: int
    since: str
    age: float
    done: bool
    told: bool = True


def read(session: Session, sync: str) -> tuple[Shed, ...]:
    """The tables of a sync that were shed on this master, the longest ago first."""
    if not _SHED.exists(session):
        return ()
    return tuple(
        Shed(TableName(row.pop("schema_name"), row.pop("table_name")), **row)
        for row in session.rows(_READ, (sync,))
    )


def sizes(session: Session, pending: t.Iterable[Pending]) -> dict[TableName, int]:
    """Bytes that the waiting changes of each table take here, as far as a sample tells.

    Not the size of the files: what was brought over and purged leaves room in them that the next
    changes fill.
    """
    found = {}
    for one in pending:
        if one.changes:
            average = session.value(
                sql.SQL(
                    "SELECT pg_catalog.avg(pg_catalog.pg_column_size(d.*))::float8"
                    " FROM (SELECT * FROM {} LIMIT {}) d"
                ).format(
                    own_object("delta_", one.table),
                    sql.Literal(_SAMPLE),
                )
            )
            found[one.table] = int(one.changes * (2 * float(average or 0) + _BESIDE))
    return found


def check(session: Session, master: str, sync: str, table: TableName) -> None:
    """:raises Refused: when another sync needs the same changes."""
    others = session.column(_OTHER_SYNCS, (_quoted(session, table), sync))
    if others:
        raise Refused(
            f"{table} on {master} takes part in other syncs: {', '.join(others)}",
            "Its queue is theirs as well, so it is not shed.",
        )


def note(session: Session, sync: str, table: TableName, changes: int, bytes_: int) -> None:
    """Mark a table, before anything of it goes."""
    _SHED.ensure(session)
    session.execute(_NOTE, (sync, table.schema, table.name, changes, bytes_))


def note_told(session: Session, sync: str, table: TableName) -> None:
    """Any daemon that is started from now on leaves the table out."""
    session.execute(
        "UPDATE multimaster.shed SET told = true"
        " WHERE sync = %s AND schema_name = %s AND table_name = %s",
        (sync, table.schema, table.name),
    )


def drop(session: Session, sync: str, table: TableName) -> list[str]:
    """Let nothing note its changes any more, and give back the room of those that wait.

    In one transaction, so that a change is either queued or behind the mark; the triggers' writers
    hold locks on both. What the purge goes by stays: it tells whose table it is.

    :returns: the triggers that there were.
    :raises DeadlineExceeded: when the table is in use all the time; nothing has changed then.
    """
    quoted = _quoted(session, table)
    triggers = [str(name) for name in session.column(_TRIGGERS, (quoted,))]
    oid = session.value("SELECT pg_catalog.to_regclass(%s)::oid::bigint", (quoted,))
    if oid is None:
        session.execute(_done(sync, table))
        return []
    queue = sql.SQL(", ").join(own_object(prefix, table) for prefix in _QUEUE)
    statements: list[sql.Composable] = [
        sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(name), sql.relation(table))
        for name in triggers
    ]
    statements += [
        sql.SQL("TRUNCATE {}").format(queue),
        sql.SQL("DELETE FROM bucardo.bucardo_truncate_trigger WHERE tablename = {}").format(
            sql.Literal(oid)
        ),
        _done(sync, table),
    ]
    job = locks.LockJob(table, int(oid), statements)
    locks.run_locked(session, [job], locks.ACCESS_EXCLUSIVE, _POLICY)
    return triggers


def forget(session: Session, sync: str, tables: t.Iterable[TableName] | None = None) -> None:
    """The tables were made new everywhere.

    :param tables: None for all, as the sync leaves this master.
    """
    if not _SHED.exists(session):
        return
    if tables is None:
        session.execute("DELETE FROM multimaster.shed WHERE sync = %s", (sync,))
    else:
        names = list(tables)
        session.execute(
            _FORGET, ([name.schema for name in names], [name.name for name in names], sync)
        )
    _SHED.drop_if_empty(session)


def _done(sync: str, table: TableName) -> sql.Composable:
    return sql.SQL(
        "UPDATE multimaster.shed SET done_at = pg_catalog.clock_timestamp()"
        " WHERE sync = {} AND schema_name = {} AND table_name = {}"
    ).format(sql.Literal(sync), sql.Literal(table.schema), sql.Literal(table.name))


def _quoted(session: Session, table: TableName) -> str:
    return session.as_text(sql.relation(table))

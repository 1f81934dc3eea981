# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies the rows that users put into tables of extensions: those that pg_dump would dump.

Once, and to a target whose tables still hold what CREATE EXTENSION put there and nothing else: such
rows have the same xmin as the extension itself. They are not replicated, unless such a table is
named among those that take part; then it is copied like any other.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
import typing as t

from .._common.errors import MultimasterError
from .._common.names import TableName
from .._ledger import ledger, states
from .._ledger.doubts import Today
from .._postgres import pg, sql
from .._postgres.tables import WITHOUT_KEY, Selection, Table
from .configuration import FORMAT, Configuration
from .options import Options

# In memory, before a file takes the rest.
_SPOOL = 8 << 20
# Every table that an extension marked, with its condition.
_TABLES = """
SELECT e.extname::text AS extension, n.nspname::text AS schema, c.relname::text AS name,
       c.oid::bigint AS oid, COALESCE(e.extcondition[m.position], '') AS condition,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                AND a.attgenerated = '' ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_extension e
 CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) WITH ORDINALITY AS m (oid, position)
  JOIN pg_catalog.pg_class c ON c.oid = m.oid AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1, 2, 3
"""
_SEQUENCES = """
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_extension e
 CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) AS m (oid)
  JOIN pg_catalog.pg_class c ON c.oid = m.oid AND c.relkind = 'S'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE e.extname = ANY (%s)
 ORDER BY 1, 2
"""


def read(session: pg.Session) -> list[Configuration]:
    """All of a database."""
    return [
        Configuration(
            row["extension"],
            TableName(row["schema"], row["name"]),
            row["oid"],
            row["condition"],
            tuple(row["columns"]),
        )
        for row in session.rows(_TABLES)
    ]


def to_copy(
    source: pg.Session,
    target: pg.Session | None,
    everything: t.Sequence[Table],
    options: Options,
    entries: t.Mapping[TableName, states.Entry],
    today: Today,
) -> list[Configuration]:
    """Those that hold rows of users on the source, and on the target nothing but what it was given
    by the extension.

    :param everything: the source's tables.
    :param entries: the target's ledger.
    """
    known = {table.name: table for table in read(source)}
    if not known:
        return []
    selected = {table.name for table in options.selection.of(everything)}
    excluded = [
        one for one in options.exclude if one not in options.copy_once and one != WITHOUT_KEY
    ]
    wanted = Selection.named(known).without(excluded).of(everything)
    done = {
        name
        for name, entry in entries.items()
        if entry.how == states.ONCE and entry.target == today.target
    }
    found = [
        known[table.name]
        for table in wanted
        if table.name not in selected | done and _any(source, known[table.name])
    ]
    if target is None or not found:
        return found
    there = {table.name: table for table in read(target)}
    return [
        table for table in found if table.name in there and not _touched(target, there[table.name])
    ]


def _any(session: pg.Session, table: Configuration) -> bool:
    """Whether it holds rows of users."""
    return bool(session.rows(table.rows("true AS one") + sql.SQL(" LIMIT 1")))


def _touched(session: pg.Session, table: Configuration) -> bool:
    """Whether it holds such rows, and another one than CREATE EXTENSION may have put them there."""
    rows = sql.SQL(
        "SELECT true AS one FROM ({}) r WHERE r.by IS DISTINCT FROM"
        " (SELECT e.xmin::text FROM pg_catalog.pg_extension e WHERE e.extname = {}) LIMIT 1"
    ).format(table.rows("xmin::text AS by"), sql.Literal(table.extension))
    return bool(session.rows(rows))


def copy(
    source: pg.Session, target: pg.Session, tables: t.Sequence[Configuration], today: Today
) -> list[dict[str, t.Any]]:
    """Bring the rows over, all or none of them, and prove it.

    Triggers and foreign keys of the target stay out of it, as for every table of a seed.

    :returns: what was done with each.
    :raises MultimasterError: naming the table that the target does not take.
    """
    done = []
    there = {table.name: table for table in read(target)}
    with (
        source.transaction("ISOLATION LEVEL REPEATABLE READ", "READ ONLY"),
        target.transaction("READ WRITE"),
    ):
        target.execute("SET LOCAL session_replication_role TO replica")
        for table in tables:
            done.append(_copy(source, target, table, there[table.name], today))
        _sequences(source, target, {table.extension for table in tables})
        # By this, extensions also learn of it that keep in memory what they have read.
        names = sql.SQL(", ").join(sql.relation(table.name) for table in tables)
        target.execute(sql.SQL("ANALYZE {}").format(names))
    return done


def _copy(
    source: pg.Session,
    target: pg.Session,
    here: Configuration,
    there: Configuration,
    today: Today,
) -> dict[str, t.Any]:
    started = time.monotonic()
    try:
        with tempfile.SpooledTemporaryFile(_SPOOL) as spool:
            rows = source.copy(_out(here.rows()), spool)
            size = spool.tell()
            sent = _fingerprint(spool)
            spool.seek(0)
            target.execute(there.delete())
            columns = sql.columns(here.columns)
            target.copy(
                sql.SQL("COPY {} ({}) FROM STDIN").format(sql.relation(here.name), columns), spool
            )
        with tempfile.SpooledTemporaryFile(_SPOOL) as spool:
            # By the condition of the source, which may be that of another version.
            target.copy(_out(here.rows()), spool)
            arrived = _fingerprint(spool)
        if arrived != sent:
            raise MultimasterError("the rows are not the same afterwards")
        target.execute(ledger.record([_entry(here, there, rows, size, today, started)]))
    except MultimasterError as error:
        raise MultimasterError(
            f"Cannot copy what users put into {here.name}, a table of extension {here.extension}:"
            f" {error.message}",
            "Nothing of it was changed. Give the extension the same version on both sides, or put"
            " the table into exclude (the roles' multimaster_exclude) to leave it alone.",
            **error.details,
        ) from error
    return {
        **here.planned(),
        "rows": rows,
        "size": size,
        "bytes": size,
        "seconds": round(time.monotonic() - started, 3),
    }


def _out(query: sql.Composable) -> sql.Composable:
    return sql.SQL("COPY ({}) TO STDOUT").format(query)


def _fingerprint(rows: t.IO[bytes]) -> tuple[int, int]:
    """Number and sum of hashes of lines, whatever their order."""
    rows.seek(0)
    count = total = 0
    for line in rows:
        count += 1
        total += int.from_bytes(hashlib.sha256(line).digest()[:16], "big")
    return count, total


def _entry(
    here: Configuration,
    there: Configuration,
    rows: int,
    size: int,
    today: Today,
    started: float,
) -> states.Entry:
    return states.Entry(
        name=here.name,
        table_oid=there.oid,
        state=states.SEEDED,
        rows=rows,
        bytes=size,
        hash=None,
        format=FORMAT,
        index_mode="keep",
        snapshot="",
        source=today.source,
        seconds=time.monotonic() - started,
        source_oid=here.oid,
        target=today.target,
        epoch=today.epoch,
        how=states.ONCE,
    )


def _sequences(source: pg.Session, target: pg.Session, extensions: t.Collection[str]) -> None:
    """Let the sequences that an extension marked go on where the source's are."""
    known = (list(extensions),)
    there = {(row["schema"], row["name"]) for row in target.rows(_SEQUENCES, known)}
    for row in source.rows(_SEQUENCES, known):
        name = (row["schema"], row["name"])
        if name not in there:
            continue
        sequence = sql.Identifier(*name)
        state = source.row(sql.SQL("SELECT last_value, is_called FROM {}").format(sequence))
        if state:
            target.execute(
                "SELECT pg_catalog.setval(%s::regclass, %s, %s)",
                (target.as_text(sequence), state["last_value"], state["is_called"]),
            )

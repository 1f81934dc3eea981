# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the sequences of masters."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName
from .._ledger import own_objects
from .._postgres import pg, sql
from .._postgres.parallel import each
from . import statements
from .facts import INT8_MAX, Sequence, Share, Survey

Item = t.TypeVar("Item")

# Relations read in one statement; the time to plan one grows with the square of their number.
_CHUNK = 200

_READ = """
SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid::bigint AS oid,
       s.seqstart AS start, s.seqincrement AS increment, s.seqmin AS minimum,
       s.seqmax AS maximum, s.seqcycle AS cycle,
       pg_catalog.pg_sequence_last_value(c.oid) AS last, c.relpersistence::text AS persistence,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype = 'e') AS extension,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass
                  AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0) AS owned
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')
   AND c.relpersistence <> 't'
"""
# Columns that a sequence fills: it is owned by them, or their default names it. A partition or
# child table shares the sequence of its parent, so ancestors of a table count as the table.
_USERS = """
WITH RECURSIVE users AS (
  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
   WHERE d.classid = 'pg_catalog.pg_class'::regclass
     AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
   UNION
  SELECT d.refobjid, f.adrelid, f.adnum
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.refobjid
   WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
     AND d.refclassid = 'pg_catalog.pg_class'::regclass
), tables AS (
  SELECT u.sequence, u.relation, a.attname
    FROM users u
    JOIN pg_catalog.pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.attnum
   UNION
  SELECT u.sequence, i.inhrelid, u.attname
    FROM tables u
    JOIN pg_catalog.pg_inherits i ON i.inhparent = u.relation
)
SELECT u.sequence::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
       u.attname::text AS column, c.relkind::text AS kind,
       CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
       END::bigint AS "limit",
       EXISTS (SELECT FROM pg_catalog.pg_index x
                 JOIN pg_catalog.pg_attribute a
                   ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
                 JOIN pg_catalog.pg_class k ON k.oid = x.indexrelid
                 JOIN pg_catalog.pg_am m ON m.oid = k.relam
                WHERE x.indrelid = u.relation AND a.attname = u.attname AND m.amname = 'btree'
                  AND x.indisvalid AND x.indpred IS NULL)
       AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AS indexed
  FROM tables u
  JOIN pg_catalog.pg_class c ON c.oid = u.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.relation AND a.attname = u.attname
"""
# As a document: entries of the first release lack the later columns.
_LEDGER = """
SELECT l.sequence::oid::bigint AS oid, pg_catalog.to_jsonb(l) AS entry FROM multimaster.sequence l
"""


def read(session: pg.Session) -> Survey:
    """All sequences of a database, except those of the system, Bucardo and this collection.

    Without the highest values that columns hold, see `with_stored`. Four round trips, and one per
    200 sequences that have handed out nothing since they were placed.
    """
    found = session.rows(_READ)
    names = {row["oid"]: TableName(row["schema"], row["name"]) for row in found}
    # The function hides the value of a sequence that setval(..., false) has placed.
    placed = _read_values(session, [names[row["oid"]] for row in found if row["last"] is None])
    ledger = bool(session.value("SELECT pg_catalog.to_regclass('multimaster.sequence')"))
    if ledger:
        own_objects.require_ours(session)
    entries = session.rows(_LEDGER) if ledger else []
    shares = {row["oid"]: row["entry"] for row in entries}
    users: dict[TableName, set[TableName]] = {}
    indexed: dict[TableName, list[tuple[TableName, str]]] = {}
    limits: dict[int, int] = {}
    for row in session.rows(_USERS):
        if row["oid"] not in names:
            continue
        name, table = names[row["oid"]], TableName(row["schema"], row["name"])
        users.setdefault(name, set()).add(table)
        if row["limit"]:
            limits[row["oid"]] = min(row["limit"], limits.get(row["oid"], INT8_MAX))
        if row["indexed"] and row["kind"] == "r":
            indexed.setdefault(name, []).append((table, row["column"]))
    sequences = {}
    for row in found:
        name, oid = names[row["oid"]], row["oid"]
        last_value, is_called = placed.get(name, (row["last"], True))
        sequences[name] = Sequence(
            name=name,
            oid=oid,
            start=row["start"],
            increment=row["increment"],
            minimum=row["minimum"],
            maximum=row["maximum"],
            cycle=row["cycle"],
            last_value=last_value,
            is_called=is_called,
            limit=limits.get(oid, INT8_MAX),
            persistence=row["persistence"],
            extension=row["extension"],
            share=_share(shares[oid], row["start"]) if oid in shares else None,
        )
    return Survey(
        sequences=sequences,
        users={name: frozenset(tables) for name, tables in users.items()},
        owned=frozenset(names[row["oid"]] for row in found if row["owned"]),
        indexed={name: tuple(columns) for name, columns in indexed.items()},
        ledger=ledger,
    )


def read_shared(session: pg.Session) -> Survey:
    """The same; nothing where no sequence was ever shared out."""
    if not session.value("SELECT pg_catalog.to_regclass('multimaster.sequence')"):
        return Survey()
    return read(session)


def _share(entry: t.Mapping[str, t.Any], start: int) -> Share:
    before = entry.get("start")
    return Share(
        original=entry["original"],
        slots=entry["slots"],
        slot=entry["slot"],
        start=start if before is None else before,
        first=entry.get("first"),
        syncs=frozenset(entry.get("syncs") or ()),
    )


def with_stored(session: pg.Session, survey: Survey, names: t.Iterable[TableName]) -> Survey:
    """With the highest values that the columns of these sequences hold, where an index tells.

    One round trip per 200 columns.
    """
    columns = [(name, *place) for name in names for place in survey.indexed.get(name, ())]
    queries = statements.highest((table, column) for _name, table, column in columns)
    highest: dict[TableName, int] = {}
    for chunk in _chunks(queries):
        for row in session.rows(sql.SQL(" UNION ALL ").join(chunk)):
            if row["highest"] is not None:
                name = columns[row["i"]][0]
                highest[name] = max(row["highest"], highest.get(name, row["highest"]))
    sequences = {
        name: dataclasses.replace(one, highest=highest.get(name, one.highest))
        for name, one in survey.sequences.items()
    }
    return dataclasses.replace(survey, sequences=sequences)


def _read_values(
    session: pg.Session, names: t.Sequence[TableName]
) -> dict[TableName, tuple[int, bool]]:
    """The last value of each sequence, and whether it was handed out."""
    return {
        chunk[row["i"]]: (row["last_value"], row["is_called"])
        for chunk in _chunks(names)
        for row in session.rows(statements.values(chunk))
    }


def _chunks(items: t.Sequence[Item]) -> t.Iterator[t.Sequence[Item]]:
    """Parts of a size that one statement can be made of; deeper ones exceed the parser's stack."""
    return (items[first : first + _CHUNK] for first in range(0, len(items), _CHUNK))


def read_all(sessions: t.Mapping[str, pg.Session]) -> dict[str, Survey]:
    """The surveys of all masters, read at the same time."""
    return each(sessions, lambda _master, session: read(session))


def all_with_stored(
    sessions: t.Mapping[str, pg.Session],
    surveys: t.Mapping[str, Survey],
    names: t.Collection[TableName],
) -> dict[str, Survey]:
    """The same for all masters; those without a session stay as they are."""
    read_anew = each(sessions, lambda master, session: with_stored(session, surveys[master], names))
    return {**surveys, **read_anew}

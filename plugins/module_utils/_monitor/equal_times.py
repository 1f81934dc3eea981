# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes that equal transaction times have cost.

Bucardo takes a change for replicated when its transaction's time has been (getdelta, Bucardo.pm
5.6.0). Two transactions may begin in the same microsecond; of the one that ends after the run has
looked, nothing is brought over, and nothing waits. The evidence lasts until the purge.
"""

from __future__ import annotations

import contextlib
import json
import typing as t

from .._common.errors import StatementFailed
from .._common.names import TableName
from .._postgres import pg, rowhash, sql
from .._tracking.plan import own_object, target_name
from .facts import EqualTimes

# Keys per table that are compared, and named.
_COMPARED = 200
_NAMED = 5


def read(
    sessions: t.Mapping[str, pg.Session],
    dbgroup: str,
    keys: t.Mapping[TableName, t.Sequence[str]],
    filled: t.Mapping[str, t.Collection[TableName]],
    remembered: t.Mapping[TableName, t.Sequence[str]],
) -> tuple[EqualTimes, ...]:
    """Rows that were changed by such transactions, differ, and do not wait.

    :param sessions: to the masters.
    :param filled: by master, the tables whose queue holds anything.
    :param remembered: keys that differed at an earlier look; the purge has taken the evidence.
    """
    suspects = {table: set(texts) for table, texts in remembered.items() if table in keys}
    for master, session in sessions.items():
        for table in sorted(filled.get(master, ())):
            if table in keys:
                found = session.column(_suspects(table, keys[table], dbgroup))
                suspects.setdefault(table, set()).update(found)
    suspects = {table: texts for table, texts in suspects.items() if texts}
    if suspects:
        for session in sessions.values():
            # Else the same row looks different where a server writes values in another way.
            rowhash.pin_session(session)
    result = []
    for table, texts in sorted(suspects.items()):
        # Keys of extensions' types have no operator in this path; verify compares them.
        with contextlib.suppress(StatementFailed):
            differing = _differing(sessions, dbgroup, table, keys[table], sorted(texts))
            if differing:
                result.append(EqualTimes(table, tuple(differing[:_NAMED])))
    return tuple(result)


def _differing(
    sessions: t.Mapping[str, pg.Session],
    dbgroup: str,
    table: TableName,
    key: t.Sequence[str],
    texts: t.Sequence[str],
) -> list[str]:
    seen: dict[str, list[str]] = {text: [] for text in texts}
    waiting: set[str] = set()
    given = {"keys": json.dumps([json.loads(text) for text in texts])}
    for session in sessions.values():
        for row in session.rows(_rows(table, key, dbgroup), given):
            if row["waits"]:
                waiting.add(row["key"])
            seen[row["key"]].append(row["hash"] or "")
    return [text for text, hashes in seen.items() if len(set(hashes)) > 1 and text not in waiting]


def _suspects(table: TableName, key: t.Sequence[str], dbgroup: str) -> sql.Composable:
    """Keys of replicated changes whose time several transactions share."""
    return sql.SQL(
        "SELECT DISTINCT {object} FROM {delta} r WHERE r.txntime IN"
        " (SELECT d.txntime FROM {delta} d GROUP BY d.txntime"
        "  HAVING pg_catalog.min(d.xmin::text) <> pg_catalog.max(d.xmin::text))"
        " AND EXISTS (SELECT FROM {track} k WHERE k.txntime = r.txntime AND k.target = {target})"
        " LIMIT {limit}"
    ).format(
        object=_object(key),
        delta=own_object("delta_", table),
        track=own_object("track_", table),
        target=sql.Literal(target_name(dbgroup)),
        limit=sql.Literal(_COMPARED),
    )


def _rows(table: TableName, key: t.Sequence[str], dbgroup: str) -> sql.Composable:
    """Each key with a hash of its row, NULL without one, and whether a change of it waits."""
    names = [sql.Identifier(name) for name in key]
    return sql.SQL(
        "SELECT {object} AS key, pg_catalog.md5(t::text) AS hash,"
        " EXISTS (SELECT FROM {delta} d WHERE {of_delta} AND NOT EXISTS"
        " (SELECT FROM {track} k WHERE k.txntime = d.txntime AND k.target = {target})) AS waits"
        " FROM pg_catalog.json_populate_recordset(NULL::{table}, %(keys)s) r"
        " LEFT JOIN {table} t ON {of_table}"
    ).format(
        object=_object(key),
        delta=own_object("delta_", table),
        track=own_object("track_", table),
        target=sql.Literal(target_name(dbgroup)),
        table=sql.Identifier(table.schema, table.name),
        of_delta=sql.SQL(" AND ").join(sql.SQL("d.{0} = r.{0}").format(name) for name in names),
        of_table=sql.SQL(" AND ").join(sql.SQL("t.{0} = r.{0}").format(name) for name in names),
    )


def _object(key: t.Sequence[str]) -> sql.Composable:
    parts = sql.SQL(", ").join(
        sql.SQL("{}, r.{}").format(sql.Literal(name), sql.Identifier(name)) for name in key
    )
    return sql.SQL("pg_catalog.json_build_object({})::text").format(parts)

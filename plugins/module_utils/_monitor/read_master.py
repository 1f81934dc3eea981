# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads one master for the detectors, each in one round trip or a few."""

from __future__ import annotations

import contextlib
import json
import typing as t

from .._common.errors import Refused
from .._common.names import TableName
from .._postgres import pg, sql
from .._postgres.catalog import read_tables
from .._postgres.tables import Table, select
from .._tracking import enrolled, loaded, plan
from .._tracking import kick as tracking_kick
from .._tracking import read as tracking_read
from .facts import Process

# Tables per statement: each takes several entries of the server's lock table.
_CHUNK = 200

_PROCESSES = """
SELECT (pg_catalog.regexp_match(a.application_name, '^bucardo (MCP|CTL|KID|VAC)'))[1] AS kind,
       (pg_catalog.regexp_match(a.application_name, 'PID ([0-9]+)'))[1]::int AS pid,
       COALESCE((pg_catalog.regexp_match(a.application_name, '^bucardo KID \\((.*)\\) \\(PID'))[1],
                '') AS sync,
       COALESCE(a.state, '') AS state,
       COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.state_change), 0)::float8
         AS still,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.backend_start)::float8 AS age,
       COALESCE(pg_catalog.host(a.client_addr), 'this host') AS client,
       CASE WHEN a.wait_event_type = 'Lock' THEN ARRAY(
         SELECT 'PID ' || b.pid || ' (' || b.usename || ', ' || b.application_name || ', '
                || COALESCE(b.state, '?') || ' since ' || b.state_change::timestamptz(0) || ')'
           FROM pg_catalog.pg_stat_activity b
          WHERE b.pid = ANY (pg_catalog.pg_blocking_pids(a.pid))) ELSE '{}' END AS blockers
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database()
   AND a.application_name ~ '^bucardo (MCP|CTL|KID|VAC) .*PID [0-9]+'
 ORDER BY a.backend_start
"""
_FILLED = """
SELECT c.relname::text FROM pg_catalog.pg_class c
 WHERE c.relnamespace = pg_catalog.to_regnamespace('bucardo') AND c.relkind = 'r'
   AND pg_catalog.starts_with(c.relname, %s) AND pg_catalog.pg_relation_size(c.oid) > 0
"""
_SIZE = """
SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint
  FROM pg_catalog.pg_class c
 WHERE c.relnamespace = pg_catalog.to_regnamespace('bucardo') AND c.relkind = 'r'
"""
# What Bucardo does with a table; replica role makes it need no right on other objects.
_RIGHTS = """
SELECT n.nspname AS schema, c.relname AS name,
       ARRAY(SELECT p FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE',
                                                   'TRUNCATE']) p
              WHERE NOT pg_catalog.has_table_privilege(r.oid, c.oid, p)) AS missing,
       NOT r.rolsuper AND NOT r.rolbypassrls AND c.relrowsecurity
         AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE'))
         AS hidden
  FROM pg_catalog.json_to_recordset(%(tables)s) AS m (s text, t text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = m.s
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = m.t
  JOIN pg_catalog.pg_roles r ON r.rolname = %(role)s
 WHERE NOT r.rolsuper
"""
_POLLING = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity
                WHERE datname = pg_catalog.current_database() AND application_name = %s)
"""
_KICKS = """
SELECT p.prosrc FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = pg_catalog.to_regnamespace('bucardo') AND p.proname = %s
"""


def processes(session: pg.Session) -> tuple[Process, ...]:
    """The daemon's sessions in this database."""
    return tuple(
        Process(**{**row, "blockers": tuple(row["blockers"])}) for row in session.rows(_PROCESSES)
    )


def polling(control: pg.Session) -> bool:
    """Whether the program that wakes syncs is connected to the control database."""
    return bool(control.value(_POLLING, (tracking_kick.APPLICATION_NAME,)))


def polled(session: pg.Session, sync: str) -> bool:
    """Whether writes on a master wake a sync by a sequence."""
    body = session.value(_KICKS, (tracking_kick.name(sync),))
    return body is not None and tracking_kick.kick_of(str(body)) == tracking_kick.POLL


def filled(
    session: pg.Session, names: t.Iterable[TableName], prefix: str = "delta_"
) -> list[TableName]:
    """Tables of which the delta (or track) table has a page."""
    there = set(session.column(_FILLED, (prefix,)))
    return [name for name in names if plan.object_name(prefix, name) in there]


def size(session: pg.Session) -> int:
    """Bytes of everything that Bucardo keeps here."""
    return int(session.value(_SIZE))


def faults(
    session: pg.Session, sync: str, autokick: bool, keys: t.Mapping[TableName, t.Sequence[str]]
) -> dict[TableName, tuple[str, ...]]:
    """What is wrong with the enrolment of each table."""
    there = tracking_read.read(session, keys)
    result: dict[TableName, tuple[str, ...]] = {}
    for name, key in keys.items():
        if name not in there:
            result[name] = ("the table does not exist",)
            continue
        specs = plan.specs(name, sync, autokick, is_child=there[name].is_child)
        # How a table is enrolled otherwise, the bootstrap sees to; here, what costs changes.
        found = [
            fault.text
            for fault in enrolled.faults(name, there[name], specs)
            if fault.lost or fault.trigger == tracking_kick.name(sync)
        ]
        if not found and tuple(key) not in there[name].keys:
            found = [f"the registered key ({', '.join(key)}) is none any more"]
        if found:
            result[name] = tuple(found)
    return result


def rights(
    session: pg.Session, role: str, names: t.Iterable[TableName]
) -> dict[TableName, tuple[str, ...]]:
    """What Bucardo's role may not do with tables."""
    given = json.dumps([{"s": name.schema, "t": name.name} for name in names])
    result = {}
    for row in session.rows(_RIGHTS, {"tables": given, "role": role}):
        lacks = [f"may not {right}" for right in row["missing"]]
        if row["hidden"]:
            lacks.append("does not see the rows that row security hides")
        if lacks:
            result[TableName(row["schema"], row["name"])] = tuple(lacks)
    return result


def strangers(
    session: pg.Session,
    names: t.Container[TableName],
    tables: t.Sequence[str],
    exclude: t.Sequence[str],
) -> tuple[TableName, ...]:
    """Tables that are meant to take part and are not in the sync."""
    if not tables:
        return ()
    everything = read_tables(session, sizes=False)
    chosen = {table.name for table in _selected(everything, tables)}
    chosen -= {table.name for table in _selected(everything, exclude)}
    return tuple(sorted(name for name in chosen if name not in names))


def _selected(everything: t.Sequence[Table], patterns: t.Sequence[str]) -> list[Table]:
    found: list[Table] = []
    for pattern in patterns:
        # A table of that name may be gone, or be on another master.
        with contextlib.suppress(Refused):
            found += select(everything, [pattern], [])
    return found


def doubled(
    session: pg.Session, dbgroup: str, names: t.Iterable[TableName]
) -> dict[TableName, int]:
    """How many times are marked as replicated more than once, by table."""
    some = filled(session, names, "track_")
    result = {}
    for start in range(0, len(some), _CHUNK):
        chunk = some[start : start + _CHUNK]
        for row in session.rows(_doubled(chunk, plan.target_name(dbgroup))):
            if row["count"]:
                result[chunk[row["position"]]] = row["count"]
    return result


def _doubled(names: t.Sequence[TableName], target: str) -> sql.Composable:
    return sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT {position}::int AS position, pg_catalog.count(*) AS count FROM"
            " (SELECT FROM {track} k WHERE k.target = {target}"
            "   GROUP BY k.txntime HAVING pg_catalog.count(*) > 1) d"
        ).format(
            position=sql.Literal(position),
            track=plan.own_object("track_", name),
            target=sql.Literal(target),
        )
        for position, name in enumerate(names)
    )


def stale(session: pg.Session, sync: str, keys: t.Mapping[TableName, t.Sequence[str]]) -> bool:
    """Whether tables have other columns than when the daemon last read them."""
    known = loaded.loaded(session, sync)
    return bool(known) and known != loaded.signature(session, keys)

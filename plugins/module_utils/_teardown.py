# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.
"""Takes change tracking off the masters again, with the care with which it was put there."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils import _ledger, _locks, _pg
from ansible_collections.multimaster.bucardo.plugins.module_utils import _trigger_plan as plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._pg import Session
from ansible_collections.multimaster.bucardo.plugins.module_utils._tables import (
    BUCARDO_SCHEMA,
    OWN_SCHEMA,
)

if t.TYPE_CHECKING:
    from psycopg2 import sql

# See _enrolment: dropped relations need entries in the server's lock table too.
_CHUNK = 100

# Whatever their names, the triggers that call into schema bucardo, outside of it.
_TRIGGERS = """
SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid::bigint AS oid,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS quoted,
       pg_catalog.array_agg(g.tgname::text ORDER BY g.tgname) AS triggers
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
 WHERE NOT g.tgisinternal AND p.pronamespace = pg_catalog.to_regnamespace('bucardo')
   AND n.nspname <> 'bucardo'
 GROUP BY n.nspname, c.relname, c.oid
 ORDER BY 1, 2
"""


@dataclasses.dataclass(frozen=True)
class Tracked:
    """A table of the user with triggers of Bucardo."""

    name: TableName
    oid: int
    quoted: str
    triggers: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Traces:
    """What Bucardo and this collection have left on a master.

    :param schemas: which of the two own schemas are there.
    :param registered: sync to the tables registered for it, as C(Tracked.quoted).
    :param is_control: whether this is a control database, which is nobody's to remove here.
    """

    master: str
    tables: tuple[Tracked, ...] = ()
    schemas: tuple[str, ...] = ()
    registered: t.Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    is_control: bool = False

    @property
    def syncs(self) -> list[str]:
        """Every sync that is registered or has triggers, sorted."""
        names = {name for name, tables in self.registered.items() if tables}
        for table in self.tables:
            names.update(filter(None, (sync_of(trigger) for trigger in table.triggers)))
        return sorted(names)

    def __bool__(self) -> bool:
        return bool(self.tables or self.schemas)


def sync_of(trigger: str) -> str:
    """The sync that a trigger belongs to, "" for the one that all share."""
    for prefix in ("bucardo_note_trunc_", "bucardo_kick_", "btrunc_", "bkick_"):
        if trigger.startswith(prefix):
            return trigger[len(prefix) :]
    return ""


def to_drop(
    traces: Traces, sync: str, keep: t.Collection[TableName] = (), kick_only: bool = False
) -> dict[Tracked, tuple[str, ...]]:
    """Which triggers go when a sync leaves these tables (pure).

    The trigger that notes changes is shared: it stays while another sync uses the table.

    :param keep: tables that stay in the sync.
    :param kick_only: only the triggers that wake the sync, on every table.
    """
    found = {}
    for table in traces.tables:
        if kick_only:
            names = tuple(name for name in table.triggers if name == plan.kick_name(sync))
        elif table.name in keep:
            continue
        else:
            names = tuple(name for name in table.triggers if sync_of(name) == sync)
            ours = bool(names) or table.quoted in traces.registered.get(sync, frozenset())
            if ours and not used_by_others(traces, table, sync):
                names = tuple(table.triggers)
        if names:
            found[table] = names
    return found


def used_by_others(traces: Traces, table: Tracked, sync: str) -> bool:
    """Whether another sync needs this table's changes."""
    return any(sync_of(name) not in ("", sync) for name in table.triggers) or any(
        table.quoted in tables for name, tables in traces.registered.items() if name != sync
    )


def look(master: str, session: Session) -> Traces:
    """Read what is there, in a constant number of round trips."""
    session.execute("SET search_path = pg_catalog")
    schemas = session.column(
        "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname = ANY(%s) ORDER BY 1",
        ([BUCARDO_SCHEMA, OWN_SCHEMA],),
    )
    registered: dict[str, set[str]] = {}
    if session.value("SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_names') IS NOT NULL"):
        for row in session.rows("SELECT sync, tablename FROM bucardo.bucardo_delta_names"):
            registered.setdefault(row["sync"], set()).add(row["tablename"])
    return Traces(
        master=master,
        tables=tuple(
            Tracked(
                TableName(row["schema"], row["name"]),
                row["oid"],
                row["quoted"],
                tuple(row["triggers"]),
            )
            for row in session.rows(_TRIGGERS)
        ),
        schemas=tuple(schemas),
        registered={name: frozenset(tables) for name, tables in registered.items()},
        is_control=bool(
            session.value("SELECT pg_catalog.to_regclass('bucardo.bucardo_config') IS NOT NULL")
        ),
    )


def drop_triggers(
    session: Session, dropped: t.Mapping[Tracked, t.Sequence[str]], policy: _locks.Policy
) -> _locks.Report:
    """Drop triggers in short transactions: DROP TRIGGER keeps even readers out."""
    sql = _pg.sql
    jobs = [
        _locks.Job(
            table.name,
            table.oid,
            [
                sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(
                    sql.Identifier(name), sql.Identifier(table.name.schema, table.name.name)
                )
                for name in names
            ],
        )
        for table, names in dropped.items()
    ]
    return _locks.run_locked(session, jobs, _locks.ACCESS_EXCLUSIVE, policy)


def leave_sync(
    session: Session,
    traces: Traces,
    sync: str,
    dbgroup: str,
    policy: _locks.Policy,
    keep: t.Collection[TableName] = (),
) -> _locks.Report:
    """Take tables out of a sync: triggers, registrations, and what no other sync uses.

    :param keep: tables that stay in the sync; empty when the whole sync goes.
    """
    sql = _pg.sql
    dropped = to_drop(traces, sync, keep)
    # First: a copy is worth nothing once a change of the origin can be missed.
    _ledger.forget(
        session, [table.oid for table, names in dropped.items() if plan.DELTA_TRIGGER in names]
    )
    report = drop_triggers(session, dropped, policy)
    if BUCARDO_SCHEMA not in traces.schemas:
        return report
    kept = {table.quoted for table in traces.tables if table.name in keep}
    kept |= {name for name in traces.registered.get(sync, ()) if TableName.parse(name) in keep}
    gone = sorted(
        {table.quoted for table in dropped} | (traces.registered.get(sync, frozenset()) - kept)
    )
    session.execute(
        "DELETE FROM bucardo.bucardo_delta_targets WHERE target = %s"
        " AND tablename IN (SELECT pg_catalog.to_regclass(n) FROM pg_catalog.unnest(%s) n)",
        (plan.target_name(dbgroup), gone),
    )
    session.execute(
        "DELETE FROM bucardo.bucardo_truncate_trigger WHERE sync = %s"
        " AND tablename IN (SELECT pg_catalog.to_regclass(n) FROM pg_catalog.unnest(%s) n)",
        (sync, gone),
    )
    by_quoted = {table.quoted: table for table in traces.tables}
    unused = [
        TableName.parse(name)
        for name in gone
        if name not in by_quoted or not used_by_others(traces, by_quoted[name], sync)
    ]
    drop_objects(session, unused)
    # Last: by these rows a run that was killed finds what is still to be dropped.
    session.execute(
        "DELETE FROM bucardo.bucardo_delta_names WHERE sync = %s AND tablename = ANY(%s)",
        (sync, gone),
    )
    if not keep:
        session.execute(
            sql.SQL("DROP FUNCTION IF EXISTS {}()").format(
                sql.Identifier(BUCARDO_SCHEMA, plan.kick_name(sync))
            )
        )
    return report


def drop_objects(session: Session, tables: t.Sequence[TableName]) -> None:
    """Drop what tables have in schema bucardo, many per round trip."""
    sql = _pg.sql
    for start in range(0, len(tables), _CHUNK):
        parts: list[sql.Composable] = []
        for table in tables[start : start + _CHUNK]:
            parts.extend(drop_object_statements(table))
        session.execute(sql.SQL(";\n").join(parts))


def drop_object_statements(table: TableName) -> t.Sequence[sql.Composable]:
    """Drop one table's objects in schema bucardo; its triggers must be gone."""
    sql = _pg.sql
    dropped = [
        sql.SQL("DROP TABLE IF EXISTS {}").format(
            sql.Identifier(BUCARDO_SCHEMA, plan.object_name(prefix, table))
        )
        for prefix in ("delta_", "track_", "stage_")
    ]
    return dropped + [
        sql.SQL("DROP FUNCTION IF EXISTS {}()").format(
            sql.Identifier(BUCARDO_SCHEMA, plan.object_name("delta_()", table))
        )
    ]


def check(traces: Traces, syncs: t.Collection[str]) -> None:
    """Refuse to remove what belongs to somebody else.

    :param syncs: the syncs that may go.
    :raises Refused: when another sync is there, or when this is a control database.
    """
    if traces.is_control:
        raise Refused(
            f"{traces.master} is a control database of Bucardo",
            "Name the databases that were replicated, not the one that Bucardo keeps itself.",
        )
    others = [name for name in traces.syncs if name not in syncs]
    if others:
        raise Refused(
            f"{traces.master} takes part in other syncs: {', '.join(others)}",
            "Name them in the option syncs if they may go too.",
            syncs=others,
        )


def remove(session: Session, traces: Traces, policy: _locks.Policy) -> _locks.Report:
    """Remove every trace from a master: triggers, functions, both schemas. Call check() first.

    Nothing is dropped with CASCADE from schema bucardo: whatever of the user's depends on it
    makes this fail instead.
    """
    sql = _pg.sql
    report = drop_triggers(session, {table: table.triggers for table in traces.tables}, policy)
    if BUCARDO_SCHEMA in traces.schemas:
        for kind, query in (
            (
                "TABLE",
                "SELECT pg_catalog.quote_ident(relname) FROM pg_catalog.pg_class"
                " WHERE relnamespace = 'bucardo'::regnamespace AND relkind = 'r' ORDER BY 1",
            ),
            (
                "FUNCTION",
                "SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p"
                " WHERE pronamespace = 'bucardo'::regnamespace ORDER BY 1",
            ),
        ):
            names = session.column(query)
            for start in range(0, len(names), _CHUNK):
                # Quoted by the server: a function's signature is no single identifier.
                listed = ", ".join(
                    name if kind == "FUNCTION" else f"bucardo.{name}"
                    for name in names[start : start + _CHUNK]
                )
                session.execute(sql.SQL(f"DROP {kind} ") + sql.SQL(listed))
        session.execute("DROP SCHEMA bucardo")
    if OWN_SCHEMA in traces.schemas:
        session.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(OWN_SCHEMA))
        )
    return report

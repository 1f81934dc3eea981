# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes change tracking off the masters again, with the care with which it was put there."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused
from .._common.names import SyncKey, TableName
from .._ledger import ledger
from .._postgres import locks, sql
from .._postgres.pg import Session
from .._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA
from .._tracking import kick as tracking_kick
from .._tracking import plan
from .._tracking.queue import Pending, Queue
from . import statements

# Tables per message: a relation that is dropped needs an entry in the server's lock table, too.
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

# Everything in Bucardo's schema, in the order in which it goes.
_RELATIONS = (
    "SELECT 'bucardo.' || pg_catalog.quote_ident(relname) FROM pg_catalog.pg_class"
    " WHERE relnamespace = 'bucardo'::regnamespace AND relkind = '{}' ORDER BY 1"
)
_OWN_OBJECTS = {
    "TABLE": _RELATIONS.format("r"),
    "FUNCTION": (
        "SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p"
        " WHERE pronamespace = 'bucardo'::regnamespace ORDER BY 1"
    ),
    "SEQUENCE": _RELATIONS.format("S"),
}


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
    :param registered: sync to the tables registered for it, as `Tracked.quoted`.
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
            names = tuple(name for name in table.triggers if name == tracking_kick.name(sync))
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


def stop_vouching(sessions: t.Iterable[Session], names: t.Collection[TableName]) -> None:
    """Say on all masters that these copies are worth nothing, before a change can be missed.

    Not master by master: a run may end between the first trigger dropped on one and the ledger of
    the other, and what changed then would never be copied.
    """
    for session in sessions:
        ledger.forget_names(session, names)


def drop_triggers(
    session: Session, dropped: t.Mapping[Tracked, t.Sequence[str]], policy: locks.LockPolicy
) -> locks.LockReport:
    """Drop triggers in short transactions: DROP TRIGGER keeps even readers out."""
    jobs = [
        locks.LockJob(
            table.name,
            table.oid,
            [statements.dropped_trigger(name, table.name) for name in names],
        )
        for table, names in dropped.items()
    ]
    return locks.run_locked(session, jobs, locks.ACCESS_EXCLUSIVE, policy)


def leaving(traces: Traces, sync: str, keep: t.Collection[TableName] = ()) -> set[TableName]:
    """The tables of a sync that have, or had until a run was killed, its triggers here (pure)."""
    names = {table.name for table in to_drop(traces, sync, keep)}
    names |= {TableName.parse(name) for name in traces.registered.get(sync, ())}
    return names - set(keep)


def existing(session: Session, traces: Traces, sync: str) -> set[TableName]:
    """The registered tables that are still there: what is queued of another is nobody's."""
    names = session.column(
        "SELECT n FROM pg_catalog.unnest(%s::text[]) n WHERE pg_catalog.to_regclass(n) IS NOT NULL",
        (sorted(traces.registered.get(sync, ())),),
    )
    return {TableName.parse(name) for name in names}


def leave_sync(
    session: Session,
    traces: Traces,
    key: SyncKey,
    keep: t.Collection[TableName] = (),
) -> None:
    """Take tables out of a sync: registrations, and what no other sync uses.

    Their triggers must be gone, and no ledger vouch for them any more.

    :param keep: tables that stay in the sync; empty when the whole sync goes.
    """
    if BUCARDO_SCHEMA not in traces.schemas:
        return
    dropped = to_drop(traces, key.sync, keep)
    kept = {table.quoted for table in traces.tables if table.name in keep}
    kept |= {name for name in traces.registered.get(key.sync, ()) if TableName.parse(name) in keep}
    gone = sorted(
        {table.quoted for table in dropped} | (traces.registered.get(key.sync, frozenset()) - kept)
    )
    session.execute(
        "DELETE FROM bucardo.bucardo_delta_targets WHERE target = %s"
        " AND tablename IN (SELECT pg_catalog.to_regclass(n) FROM pg_catalog.unnest(%s) n)",
        (plan.target_name(key.dbgroup), gone),
    )
    session.execute(
        "DELETE FROM bucardo.bucardo_truncate_trigger WHERE sync = %s"
        " AND tablename IN (SELECT pg_catalog.to_regclass(n) FROM pg_catalog.unnest(%s) n)",
        (key.sync, gone),
    )
    by_quoted = {table.quoted: table for table in traces.tables}
    unused = [
        TableName.parse(name)
        for name in gone
        if name not in by_quoted or not used_by_others(traces, by_quoted[name], key.sync)
    ]
    session.execute(
        "DELETE FROM bucardo.bucardo_delta_targets"
        " WHERE tablename IN (SELECT pg_catalog.to_regclass(n) FROM pg_catalog.unnest(%s) n)",
        ([name for name in gone if TableName.parse(name) in unused],),
    )
    drop_objects(session, unused)
    # Last: by these rows a run that was killed finds what is still to be dropped.
    session.execute(
        "DELETE FROM bucardo.bucardo_delta_names WHERE sync = %s AND tablename = ANY(%s)",
        (key.sync, gone),
    )
    if not keep:
        kick = tracking_kick.name(key.sync)
        session.execute(
            sql.together([statements.dropped_function(kick), statements.dropped_sequence(kick)])
        )


def drop_objects(session: Session, tables: t.Sequence[TableName]) -> None:
    """Drop what tables have in schema bucardo, many per round trip."""
    for start in range(0, len(tables), _CHUNK):
        parts: list[sql.Composable] = []
        for table in tables[start : start + _CHUNK]:
            parts.extend(statements.dropped_objects(table))
        session.execute(sql.together(parts))


def others(traces: Traces, syncs: t.Collection[str]) -> list[str]:
    """Syncs that are there besides these (pure)."""
    return [name for name in traces.syncs if name not in syncs]


def check(traces: Traces, syncs: t.Collection[str], keep_others: bool = False) -> None:
    """Refuse to remove what belongs to somebody else.

    :param syncs: the syncs that may go.
    :param keep_others: others are no reason to refuse, as they are left alone.
    :raises Refused: when another sync is there, or when this is a control database.
    """
    if traces.is_control:
        raise Refused(
            f"{traces.master} is a control database of Bucardo",
            "Name the databases that were replicated, not the one that Bucardo keeps itself.",
        )
    found = others(traces, syncs)
    if found and not keep_others:
        raise Refused(
            f"{traces.master} takes part in other syncs: {', '.join(found)}",
            "Name them in the option syncs if they may go too.",
            syncs=found,
        )


def waiting(session: Session, traces: Traces, syncs: t.Collection[str]) -> list[Pending]:
    """What the queues of these syncs hold for other masters, largest first.

    Whose turn it is, is known here by the registrations only: a control database may be lost.
    """
    found: dict[TableName, Pending] = {}
    for sync in sorted(set(syncs) & set(traces.registered)):
        tables = existing(session, traces, sync)
        targets = session.column(
            "SELECT DISTINCT target FROM bucardo.bucardo_delta_targets"
            " WHERE tablename IN (SELECT pg_catalog.to_regclass(n) FROM pg_catalog.unnest(%s) n)"
            # Not what is kept for a master that was to come in.
            " AND target LIKE %s",
            (sorted(traces.registered[sync]), plan.target_name("%")),
        )
        for target in targets or [plan.target_name("")]:
            key = SyncKey(sync, target.replace(plan.target_name(""), "", 1))
            for one in Queue(traces.master, session, key, tables).pending():
                if one.table not in found or found[one.table].changes < one.changes:
                    found[one.table] = one
    return sorted(found.values(), key=lambda one: (-one.changes, one.table))


def check_seed(master: str, session: Session) -> None:
    """:raises Refused: when a seed is at work, which would go on after its ledger."""
    run = ledger.last_run(session)
    if run is not None and run.active:
        raise Refused(f"A seed of {master} is under way", "Wait for it, or end it.")


def remove_syncs(
    session: Session, traces: Traces, syncs: t.Collection[str], policy: locks.LockPolicy
) -> locks.LockReport:
    """Remove what belongs to these syncs from a master where others stay. Call check() first."""
    total = locks.LockReport()
    for sync in sorted(set(syncs) & set(traces.syncs)):
        report = drop_triggers(session, to_drop(traces, sync), policy)
        total.longest_hold = max(total.longest_hold, report.longest_hold)
        total.longest_wait = max(total.longest_wait, report.longest_wait)
        leave_sync(session, traces, SyncKey(sync, ""))
        traces = look(traces.master, session)
    return total


def remove(session: Session, traces: Traces, policy: locks.LockPolicy) -> locks.LockReport:
    """Remove every trace from a master: triggers, functions, both schemas. Call check() first.

    Nothing is dropped with CASCADE from schema bucardo: whatever of the user's depends on it
    makes this fail instead.
    """
    report = drop_triggers(session, {table: table.triggers for table in traces.tables}, policy)
    if BUCARDO_SCHEMA in traces.schemas:
        for kind, query in _OWN_OBJECTS.items():
            names = session.column(query)
            for start in range(0, len(names), _CHUNK):
                session.execute(statements.dropped_all(kind, names[start : start + _CHUNK]))
        session.execute("DROP SCHEMA bucardo")
    if OWN_SCHEMA in traces.schemas:
        session.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(OWN_SCHEMA))
        )
    return report

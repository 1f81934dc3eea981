# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""What Bucardo's change tracking needs on a master, and what of it is missing (pure).

The names and the set of objects are those of bucardo.schema 5.6.0 (function validate_sync): it
takes an object that exists by name as its own, so what is made here must be what it would make.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils import _truncate
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import (
    TableName,
    delta_suffix,
)

# The only version whose validate_sync was read and compared, object by object.
SUPPORTED_VERSION = "5.6.0"
DELTA_TRIGGER = "bucardo_delta"
# Objects that a table has in schema bucardo: prefix to kind ("t" table, "i" index, "f" function).
TABLE_OBJECTS: dict[str, str] = {
    "delta_": "t",
    "track_": "t",
    "stage_": "t",
    "dex1_": "i",
    "dex2_": "i",
    "dex3_": "i",
    "delta_()": "f",
}
# What every master needs once, whatever the tables.
GLOBAL_TABLES = (
    "bucardo_delta_names",
    "bucardo_delta_targets",
    "bucardo_truncate_trigger",
    "bucardo_truncate_trigger_log",
    "bucardo_sequences",
)
GLOBAL_INDEXES = ("bucardo_delta_names_unique", "bucardo_delta_target_unique")
GLOBAL_FUNCTIONS = (
    "bucardo_tablename_maker",
    "bucardo_delta_names_helper",
    "bucardo_delta_check",
    "bucardo_note_truncation",
    "bucardo_compress_delta",
    "bucardo_purge_delta_oid",
    "bucardo_purge_delta",
    "bucardo_purge_sync_track",
)


def kick_name(sync: str) -> str:
    """Name of the trigger that wakes a sync, and of its function."""
    return f"bucardo_kick_{sync}"


def truncate_name(sync: str) -> str:
    """Name of the trigger that notes a TRUNCATE for a sync."""
    return f"bucardo_note_trunc_{sync}"


def target_name(dbgroup: str) -> str:
    """Under which name a group of databases marks changes as replicated (track tables)."""
    return f"dbgroup {dbgroup}"


@dataclasses.dataclass(frozen=True)
class Trigger:
    """A trigger as a table must have it.

    :param level: ROW or STATEMENT.
    :param function: in schema bucardo.
    """

    name: str
    timing: str
    events: str
    level: str
    function: str
    arguments: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class KeyColumn:
    """A column of a table's key as a delta table repeats it.

    :param type: as format_type() writes it with only pg_catalog in the search path.
    :param collation: (schema, name) where it is not the type's own, else None.
    """

    name: str
    type: str
    collation: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class TableState:
    """A member of the relgroup as a master has it.

    :param kind: pg_class.relkind, "" when there is no such relation.
    :param quoted: as quote_ident(schema).quote_ident(name) writes it.
    :param key: only the columns that exist.
    :param wanted_key: the columns that the control database names.
    :param triggers: names that begin with bucardo.
    :param truncate: the functions of those that fire on TRUNCATE only, by the trigger's name.
    """

    name: TableName
    oid: int
    kind: str
    quoted: str
    key: tuple[KeyColumn, ...]
    wanted_key: tuple[str, ...]
    triggers: frozenset[str] = frozenset()
    truncate: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class MasterState:
    """What of Bucardo a master holds.

    :param relations: name to relkind, schema bucardo.
    :param functions: names, schema bucardo.
    :param current: those of our own functions that have today's text.
    :param targets: OIDs of the tables registered for the group of databases.
    :param registered: tables (as C(TableState.quoted)) registered for the sync.
    :param others: tables registered for other syncs, by sync.
    """

    name: str
    tables: tuple[TableState, ...]
    relations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    current: frozenset[str] = frozenset()
    targets: frozenset[int] = frozenset()
    registered: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class TableNeed:
    """What a table lacks on one master.

    :param objects: keys of C(TABLE_OBJECTS); making them locks no table of the user.
    :param triggers: names; making them takes SHARE ROW EXCLUSIVE on the table.
    :param target: whether it must be registered for the group of databases.
    """

    table: TableState
    objects: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    target: bool = False


@dataclasses.dataclass(frozen=True)
class Needs:
    """What one master lacks before a sync can be validated without touching a user's table.

    :param globals: what Bucardo itself installs, once for all tables.
    :param functions: our own, to be made or replaced.
    """

    master: str
    globals: tuple[str, ...] = ()
    functions: tuple[_truncate.Function, ...] = ()
    tables: tuple[TableNeed, ...] = ()
    unregistered: tuple[TableName, ...] = ()

    @property
    def to_lock(self) -> list[TableNeed]:
        """Those that need a lock on the user's table."""
        return [need for need in self.tables if need.triggers]

    def __bool__(self) -> bool:
        return bool(self.globals or self.functions or self.tables or self.unregistered)


def wanted_triggers(sync: str, autokick: bool) -> tuple[str, ...]:
    """Names of the triggers that a table of this sync must have."""
    names = (DELTA_TRIGGER, truncate_name(sync))
    return names + (kick_name(sync),) if autokick else names


def object_name(key: str, table: TableName) -> str:
    """Name of one of C(TABLE_OBJECTS) for a table."""
    return key.replace("()", "") + delta_suffix(table)


def trigger(name: str, sync: str, table: TableName, truncate: str) -> Trigger:
    """One of C(wanted_triggers()) as it must be.

    :param truncate: one of C(_truncate.POLICIES).
    """
    if name == DELTA_TRIGGER:
        function = object_name("delta_()", table)
        return Trigger(name, "AFTER", "INSERT OR UPDATE OR DELETE", "ROW", function)
    if name == truncate_name(sync):
        function, timing = _truncate.function_name(truncate), _truncate.timing(truncate)
        return Trigger(name, timing, "TRUNCATE", "STATEMENT", function, (sync,))
    events = "INSERT OR UPDATE OR DELETE OR TRUNCATE"
    return Trigger(name, "AFTER", events, "STATEMENT", kick_name(sync))


def truncate_policy(states: t.Iterable[MasterState], sync: str) -> str:
    """What becomes of a TRUNCATE now, on most of the tables; "" when none is enrolled."""
    found = (table.truncate.get(truncate_name(sync)) for one in states for table in one.tables)
    return _truncate.in_use(filter(None, found))


def truncate_problems(state: MasterState, sync: str, truncate: str) -> list[str]:
    """Why tables cannot have this policy, one line each.

    Bucardo's function empties the queue of a table that is truncated, with the keys that another
    sync's trigger has put there.
    """
    clashing = {_truncate.BUCARDO: _truncate.DELETE, _truncate.DELETE: _truncate.BUCARDO}
    return [
        f"{table.name} on {state.name} has {name} with the policy {clashing[truncate]}"
        for table in state.tables
        for name, function in sorted(table.truncate.items())
        if name != truncate_name(sync) and _truncate.policy_of(function) == clashing.get(truncate)
    ]


def needs(
    state: MasterState, sync: str, autokick: bool, truncate: str = _truncate.DEFAULT
) -> Needs:
    """Compare what a master has with what a sync needs there.

    :param truncate: one of C(_truncate.POLICIES).
    """
    missing = [name for name in GLOBAL_TABLES if state.relations.get(name) != "r"]
    missing += [name for name in GLOBAL_INDEXES if state.relations.get(name) != "i"]
    missing += [f"{name}()" for name in GLOBAL_FUNCTIONS if name not in state.functions]
    if kick_name(sync) not in state.functions:
        missing.append(f"{kick_name(sync)}()")
    triggers = wanted_triggers(sync, autokick)
    tables = []
    for table in state.tables:
        need = TableNeed(
            table,
            objects=tuple(
                key
                for key, kind in TABLE_OBJECTS.items()
                if not _has(state, kind, object_name(key, table.name))
            ),
            triggers=tuple(name for name in triggers if not _is_right(table, name, sync, truncate)),
            target=table.oid not in state.targets,
        )
        if need.objects or need.triggers or need.target:
            tables.append(need)
    function = _truncate.FUNCTIONS.get(truncate)
    return Needs(
        state.name,
        tuple(missing),
        (function,) if function and function.name not in state.current else (),
        tuple(tables),
        tuple(table.name for table in state.tables if table.quoted not in state.registered),
    )


def _is_right(table: TableState, name: str, sync: str, truncate: str) -> bool:
    if name != truncate_name(sync) or name not in table.triggers:
        return name in table.triggers
    return table.truncate.get(name) == _truncate.function_name(truncate)


def _has(state: MasterState, kind: str, name: str) -> bool:
    if kind == "f":
        return name in state.functions
    return state.relations.get(name) == {"t": "r"}.get(kind, kind)


def problems(state: MasterState) -> list[str]:
    """Why members of the relgroup cannot be replicated from this master, one line each."""
    found = []
    owners: dict[str, TableName] = {}
    for table in state.tables:
        where = f"{table.name} on {state.name}"
        if not table.kind:
            found.append(f"{where} does not exist")
            continue
        if table.kind != "r":
            found.append(f"{where} is not an ordinary table (relkind {table.kind})")
            continue
        if not table.wanted_key:
            found.append(f"{where} has no primary key or usable unique index")
        missing = sorted(set(table.wanted_key) - {column.name for column in table.key})
        if missing:
            found.append(f"{where} lacks the key column {missing[0]!r}")
        if any('"' in part for part in (table.name.schema, table.name.name, *table.wanted_key)):
            found.append(
                f"{where} has a double quote in its name or key, which Bucardo cannot take"
            )
        if _flat_quoted(table.quoted) != delta_suffix(table.name):
            found.append(
                f"{where} needs quotes and is too long: with the schema's name and the quotes"
                " it has more than 57 characters, for which Bucardo derives two different names"
                " of its delta table; rename it"
            )
        other = owners.setdefault(delta_suffix(table.name), table.name)
        if other != table.name:
            found.append(f"{where} would share the delta table of {other}")
    return found


def _flat_quoted(quoted: str) -> str:
    """The suffix that Bucardo derives from a quoted name (bucardo_delta_names, purge).

    Its triggers derive theirs from the plain name; quotes count only here.
    """
    flat = quoted.replace(".", "_")
    if len(flat) > 57:
        digest = hashlib.md5(flat.encode("utf-8"), usedforsecurity=False).hexdigest()
        flat = f"{flat[:46]}!{digest[:10]}"
    return flat.replace('"', "")

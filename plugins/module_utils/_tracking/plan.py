# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Bucardo's change tracking needs on a master, and what of it is missing (pure).

The names and the set of objects are those of bucardo.schema 5.6.0 (function validate_sync): it
takes an object that exists by name as its own, so what is made here must be what it would make.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName, delta_suffix, quoted_delta_suffix
from .._postgres import sql
from .._postgres.tables import BUCARDO_SCHEMA
from . import enrolled
from . import kick as tracking_kick
from . import truncate as tracking_truncate
from .delta_function import EQUALS, Equality
from .own_function import OwnFunction

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


def truncate_name(sync: str) -> str:
    """Name of the trigger that notes a TRUNCATE for a sync."""
    return f"bucardo_note_trunc_{sync}"


def target_name(dbgroup: str) -> str:
    """Under which name a group of databases marks changes as replicated (track tables)."""
    return f"dbgroup {dbgroup}"


# What begins so is no group's name: targets that keep a queue for a master that is being taken in.
JOINING = "joining "


@dataclasses.dataclass(frozen=True)
class KeyColumn:
    """A column of a table's key as a delta table repeats it.

    :param type: as format_type() writes it with only pg_catalog in the search path.
    :param collation: (schema, name) where it is not the type's own, else None.
    :param equals: schema and name of the operator by which the key is unique.
    """

    name: str
    type: str
    collation: tuple[str, str] | None = None
    equals: Equality = EQUALS


@dataclasses.dataclass(frozen=True)
class TableState:
    """A member of the relgroup as a master has it.

    :param kind: pg_class.relkind, "" when there is no such relation.
    :param quoted: as quote_ident(schema).quote_ident(name) writes it.
    :param key: only the columns that exist.
    :param wanted_key: the columns that the control database names.
    :param found: what there is of Bucardo's.
    """

    name: TableName
    oid: int
    kind: str
    quoted: str
    key: tuple[KeyColumn, ...]
    wanted_key: tuple[str, ...]
    found: enrolled.Found = dataclasses.field(
        default_factory=lambda: enrolled.Found(is_known=False)
    )

    @property
    def truncate(self) -> dict[str, str]:
        """The functions of triggers that fire on TRUNCATE only, by the trigger's name."""
        return {
            name: trigger.function.partition(".")[2]
            for name, trigger in self.found.triggers.items()
            if trigger.fires_on_truncate and trigger.function.startswith("bucardo.")
        }


@dataclasses.dataclass(frozen=True)
class MasterState:
    """What of Bucardo a master holds.

    :param relations: name to relkind, schema bucardo.
    :param functions: names, schema bucardo.
    :param current: those of our own functions that have today's text.
    :param kick: how writes wake the sync, one of `kick.KICKS`, "" where nothing does yet.
    :param targets: OIDs of the tables registered for the group of databases.
    :param registered: tables (as `TableState.quoted`) registered for the sync.
    :param unset_functions: signatures of Bucardo's functions that lack a setting; those of the
        triggers need none.
    :param unsearched: schemas of keys' operators in which Bucardo's role does not look.
    """

    name: str
    tables: tuple[TableState, ...]
    relations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    current: frozenset[str] = frozenset()
    kick: str = ""
    targets: frozenset[int] = frozenset()
    registered: frozenset[str] = frozenset()
    unset_functions: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class TableNeed:
    """What a table lacks on one master.

    :param objects: keys of `TABLE_OBJECTS`; making them locks no table of the user.
    :param triggers: names, those that are there and wrong among them; making them takes SHARE ROW
        EXCLUSIVE on the table, and what follows is done in the same transaction.
    :param target: whether it must be registered for the group of databases.
    :param replaced: those of the triggers that are there.
    :param remake: make the objects anew, since what they hold is of another key.
    :param retype: columns of the delta table that get the types of today.
    :param discard: what the queue holds is of another table of this name.
    :param carry: delta table from which the queue is taken over: the table had another name.
    :param faults: why, in words.
    :param lost: changes may have been missed.
    """

    table: TableState
    objects: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    target: bool = False
    replaced: tuple[str, ...] = ()
    remake: bool = False
    retype: tuple[str, ...] = ()
    discard: bool = False
    carry: str = ""
    faults: tuple[str, ...] = ()
    lost: bool = False

    @property
    def rebuilds(self) -> bool:
        """Whether something that is there must give way."""
        return bool(self.replaced or self.remake or self.retype or self.discard or self.carry)


@dataclasses.dataclass(frozen=True)
class Needs:
    """What one master lacks before a sync can be validated without touching a user's table.

    :param globals: what Bucardo itself installs, once for all tables.
    :param functions: our own, to be made or replaced.
    """

    master: str
    globals: tuple[str, ...] = ()
    functions: tuple[OwnFunction, ...] = ()
    tables: tuple[TableNeed, ...] = ()
    unregistered: tuple[TableName, ...] = ()
    unset_functions: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()

    @property
    def to_lock(self) -> list[TableNeed]:
        """Those that need a lock on the user's table."""
        return [need for need in self.tables if need.triggers or need.rebuilds]

    def __bool__(self) -> bool:
        return any(
            (
                self.globals,
                self.functions,
                self.tables,
                self.unregistered,
                self.unset_functions,
                self.unsearched,
            )
        )


def wanted_triggers(sync: str, autokick: bool) -> tuple[str, ...]:
    """Names of the triggers that a table of this sync must have."""
    names = (DELTA_TRIGGER, truncate_name(sync))
    return names + (tracking_kick.name(sync),) if autokick else names


def object_name(key: str, table: TableName) -> str:
    """Name of one of `TABLE_OBJECTS` for a table."""
    return key.replace("()", "") + delta_suffix(table)


def own_object(prefix: str, table: TableName) -> sql.Composable:
    """One of `TABLE_OBJECTS`, as a statement names it."""
    return sql.Identifier(BUCARDO_SCHEMA, object_name(prefix, table))


def delta_spec(table: TableName) -> enrolled.TriggerSpec:
    """The trigger that queues a table's changes, whatever the sync."""
    function = object_name("delta_()", table)
    return enrolled.TriggerSpec(
        DELTA_TRIGGER, "AFTER", "INSERT OR UPDATE OR DELETE", "ROW", function
    )


def specs(
    table: TableName,
    sync: str,
    autokick: bool,
    truncate: str = tracking_truncate.DEFAULT,
    is_child: bool = False,
) -> tuple[enrolled.TriggerSpec, ...]:
    """Each of `wanted_triggers()` as it must be.

    :param truncate: one of `tracking_truncate.POLICIES`.
    :param is_child: see `enrolled.Found`. Its rows must wake the daemon themselves, at the price of
        a TRUNCATE that does not, since there is no row trigger for it.
    """
    kicks = ("INSERT OR UPDATE OR DELETE", "ROW")
    if not is_child:
        kicks = ("INSERT OR UPDATE OR DELETE OR TRUNCATE", "STATEMENT")
    made = {
        DELTA_TRIGGER: delta_spec(table),
        truncate_name(sync): enrolled.TriggerSpec(
            truncate_name(sync),
            tracking_truncate.timing(truncate),
            "TRUNCATE",
            "STATEMENT",
            tracking_truncate.function_name(truncate),
            (sync,),
            instead=frozenset(map(tracking_truncate.function_name, tracking_truncate.POLICIES)),
        ),
        tracking_kick.name(sync): enrolled.TriggerSpec(
            tracking_kick.name(sync),
            "AFTER",
            *kicks,
            tracking_kick.name(sync),
            queues=False,
        ),
    }
    return tuple(made[name] for name in wanted_triggers(sync, autokick))


def specs_of(name: TableName, sync: str) -> t.Sequence[enrolled.TriggerSpec]:
    """The triggers without which a change of a table is missed."""
    if not sync:
        return (delta_spec(name),)
    return specs(name, sync, False)


def truncate_policy(states: t.Iterable[MasterState], sync: str) -> str:
    """What becomes of a TRUNCATE now, on most of the tables; "" when none is enrolled."""
    found = (table.truncate.get(truncate_name(sync)) for one in states for table in one.tables)
    return tracking_truncate.in_use(filter(None, found))


def kick_in_use(states: t.Iterable[MasterState]) -> str:
    """How writes wake the sync now on most of the masters; "" when nothing does."""
    return tracking_kick.in_use(state.kick for state in states)


def truncate_problems(state: MasterState, sync: str, truncate: str) -> list[str]:
    """Why tables cannot have this policy, one line each.

    Bucardo's function empties the queue of a table that is truncated, with the keys that another
    sync's trigger has put there.
    """
    clashing = {
        tracking_truncate.BUCARDO: tracking_truncate.DELETE,
        tracking_truncate.DELETE: tracking_truncate.BUCARDO,
    }
    return [
        f"{table.name} on {state.name} has {name} with the policy {clashing[truncate]}"
        for table in state.tables
        for name, function in sorted(table.truncate.items())
        if name != truncate_name(sync)
        and tracking_truncate.policy_of(function) == clashing.get(truncate)
    ]


def needs(
    state: MasterState,
    sync: str,
    autokick: bool,
    truncate: str = tracking_truncate.DEFAULT,
    kick: str = tracking_kick.DEFAULT,
) -> Needs:
    """Compare what a master has with what a sync needs there.

    :param truncate: one of `tracking_truncate.POLICIES`.
    :param kick: one of `kick.KICKS`.
    """
    missing = [name for name in GLOBAL_TABLES if state.relations.get(name) != "r"]
    missing += [name for name in GLOBAL_INDEXES if state.relations.get(name) != "i"]
    missing += [f"{name}()" for name in GLOBAL_FUNCTIONS if name not in state.functions]
    if tracking_kick.name(sync) not in state.functions:
        missing.append(f"{tracking_kick.name(sync)}()")
    taken = {object_name("delta_", table.name) for table in state.tables}
    found = [
        _table_need(
            state,
            one,
            specs(one.name, sync, autokick, truncate, one.found.is_child),
            taken,
        )
        for one in state.tables
    ]
    return Needs(
        state.name,
        tuple(missing),
        tuple(_functions_needed(state, sync, autokick, truncate, kick)),
        tuple(need for need in found if need.objects or need.target or need.faults),
        tuple(table.name for table in state.tables if table.quoted not in state.registered),
        state.unset_functions,
        state.unsearched,
    )


def _functions_needed(
    state: MasterState, sync: str, autokick: bool, truncate: str, kick: str
) -> t.Iterator[OwnFunction]:
    function = tracking_truncate.FUNCTIONS.get(truncate)
    if function is not None and function.name not in state.current:
        yield function
    if not autokick:
        return
    function = tracking_kick.function(sync, kick)
    if kick == tracking_kick.NOTIFY:
        # Else Bucardo has made its own, or will.
        if state.kick == tracking_kick.POLL:
            yield function
    elif function.name not in state.current or state.relations.get(function.sequence) != "S":
        yield function


def _table_need(
    state: MasterState,
    table: TableState,
    wanted: t.Sequence[enrolled.TriggerSpec],
    taken: t.Collection[str],
) -> TableNeed:
    found = table.found
    faults = enrolled.faults(table.name, found, wanted, table.wanted_key)
    wrong = {fault.trigger for fault in faults if fault.mend == enrolled.TRIGGER}
    mends = {fault.mend for fault in faults}
    # Without a delta table there is nothing to be made anew.
    remake = found.delta is not None and enrolled.REMAKE in mends
    missing = {
        key
        for key, kind in TABLE_OBJECTS.items()
        if not _has(state, kind, object_name(key, table.name))
    }
    if enrolled.FUNCTION in mends:
        missing.add("delta_()")
    retype: tuple[str, ...] = ()
    if found.delta is not None and enrolled.RETYPE in mends:
        retype = tuple(n for n, shape in found.delta if found.columns.get(n) != shape)
    return TableNeed(
        table,
        objects=() if remake else tuple(key for key in TABLE_OBJECTS if key in missing),
        triggers=tuple(spec.name for spec in wanted if spec.name in wrong),
        target=table.oid not in state.targets,
        replaced=tuple(name for name in sorted(found.triggers) if name in wrong),
        remake=remake,
        retype=retype,
        discard=found.delta is not None and not found.is_known,
        carry=enrolled.carried_from(table.name, found, table.wanted_key, taken),
        faults=tuple(fault.text for fault in faults),
        lost=any(fault.lost for fault in faults),
    )


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
        if quoted_delta_suffix(table.quoted) != delta_suffix(table.name):
            found.append(
                f"{where} needs quotes and is too long: with the schema's name and the quotes"
                " it has more than 57 characters, for which Bucardo derives two different names"
                " of its delta table; rename it"
            )
        other = owners.setdefault(delta_suffix(table.name), table.name)
        if other != table.name:
            found.append(f"{where} would share the delta table of {other}")
    return found

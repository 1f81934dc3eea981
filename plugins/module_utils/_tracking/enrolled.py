# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a table is enrolled as it must be today, judged by what is there (pure).

An object that bears the right name may still be that of a table that was renamed, of a key that
was changed, or of a table that was dropped and made anew.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._common.names import TableName, delta_suffix
from . import delta_function

# pg_trigger.tgtype
_BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}

# A column's type, its modifier and its collation: OIDs, comparable on one server only.
Shape = t.Tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class TriggerSpec:
    """A trigger as a sync needs it.

    :param timing: "BEFORE" or "AFTER".
    :param events: as CREATE TRIGGER takes them.
    :param level: "ROW" or "STATEMENT".
    :param function: in schema bucardo.
    :param queues: changes are lost without it.
    :param instead: functions that lose no change either, whatever the timing.
    """

    name: str
    timing: str
    events: str
    level: str
    function: str
    arguments: tuple[str, ...] = ()
    queues: bool = True
    instead: frozenset[str] = frozenset()

    @property
    def type(self) -> int:
        """As pg_trigger.tgtype has it."""
        return _type(self.timing, self.level, self.events)


@functools.cache
def _type(timing: str, level: str, events: str) -> int:
    # Asked for every trigger of every table.
    return sum(_BITS.get(word, 0) for word in (timing, level, *events.split()))


@dataclasses.dataclass(frozen=True)
class Trigger:
    """A trigger as it is.

    :param function: with its schema.
    :param enabled: pg_trigger.tgenabled.
    :param plain: without a WHEN or a list of columns.
    """

    name: str
    function: str
    enabled: str = "O"
    type: int = 0
    arguments: tuple[str, ...] = ()
    plain: bool = True

    @property
    def fires_on_truncate(self) -> bool:
        """Whether on TRUNCATE and nothing else, before or after the statement."""
        return self.type & ~_BITS["BEFORE"] == _BITS["TRUNCATE"]


@dataclasses.dataclass(frozen=True)
class Function:
    """A function as it is."""

    text: str
    definer: bool = True
    settings: tuple[str, ...] = ()
    language: str = "plpgsql"


@dataclasses.dataclass(frozen=True)
class Found:
    """What a table has of Bucardo's on one master.

    :param keys: the columns of every unique index that identifies rows, the best one first.
    :param columns: those of the keys.
    :param equals: operators of the same, where the index does not use pg_catalog's.
    :param delta: columns of its delta table but for txntime, in order; None without one.
    :param grows: columns of the delta table whose values all fit into today's type.
    :param older: the delta table to which the trigger leads where it is another one, by name.
    :param is_known: the table, not only one of its name, is registered.
    :param is_child: it is a partition or inherits: a statement that names its parent fires no
        statement trigger here.
    """

    keys: tuple[tuple[str, ...], ...] = ()
    columns: t.Mapping[str, Shape] = dataclasses.field(default_factory=dict)
    equals: t.Mapping[str, delta_function.Equality] = dataclasses.field(default_factory=dict)
    triggers: t.Mapping[str, Trigger] = dataclasses.field(default_factory=dict)
    delta: tuple[tuple[str, Shape], ...] | None = None
    grows: frozenset[str] = frozenset()
    function: Function | None = None
    older: t.Mapping[str, tuple[tuple[str, Shape], ...]] = dataclasses.field(default_factory=dict)
    is_known: bool = True
    is_child: bool = False

    @property
    def texts(self) -> frozenset[str]:
        """Columns of the keys that hold text: whatever has a collation."""
        return frozenset(
            name for name, (_type, _mod, collation) in self.columns.items() if collation
        )


# What must be done about a fault.
TRIGGER, FUNCTION, RETYPE, REMAKE = "trigger", "function", "retype", "remake"


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that is not as it must be.

    :param lost: changes may have been missed: nobody may vouch for the table's rows.
    :param mend: `TRIGGER`: make it anew; `FUNCTION`: replace it; `RETYPE`: give the delta table
        the types of today; `REMAKE`: make the table's objects anew.
    :param trigger: which one, for `TRIGGER`.
    """

    text: str
    lost: bool
    mend: str
    trigger: str = ""


def faults(
    name: TableName,
    found: Found,
    specs: t.Iterable[TriggerSpec],
    key: t.Sequence[str] = (),
) -> list[Fault]:
    """What is wrong with a table's enrolment; everything that is missing is wrong, too.

    :param key: the registered key; empty where any key of the table will do.
    """
    result: list[Fault] = []
    for spec in specs:
        result += _trigger_faults(spec, found.triggers.get(spec.name))
    return [*result, *_delta_faults(name, found, key)]


def _trigger_faults(spec: TriggerSpec, trigger: Trigger | None) -> t.Iterator[Fault]:
    def fault(text: str, lost: bool = True) -> Fault:
        return Fault(text, lost and spec.queues, TRIGGER, spec.name)

    if trigger is None:
        yield fault(f"the trigger {spec.name} is missing")
        return
    served = trigger.function in {f"bucardo.{one}" for one in spec.instead}
    if trigger.function != f"bucardo.{spec.function}":
        yield fault(f"the trigger {spec.name} calls {trigger.function}", lost=not served)
    if trigger.enabled in ("D", "R"):
        yield fault(f"the trigger {spec.name} is disabled")
    elif trigger.enabled != "O":
        yield fault(f"the trigger {spec.name} fires for replicated rows, too", lost=False)
    same = (trigger.type ^ spec.type) & ~(_BITS["BEFORE"] if served else 0) == 0
    if not same or not trigger.plain:
        yield fault(f"the trigger {spec.name} does not fire for every change")
    elif trigger.type != spec.type:
        yield fault(f"the trigger {spec.name} fires at another moment", lost=False)
    if trigger.arguments != spec.arguments:
        yield fault(f"the trigger {spec.name} has other arguments")


def _delta_faults(name: TableName, found: Found, key: t.Sequence[str]) -> t.Iterator[Fault]:
    delta = f"delta_{delta_suffix(name)}"
    keys = [tuple(key)] if key else list(found.keys)
    if found.delta is None:
        yield Fault(f"there is no table bucardo.{delta}", True, REMAKE)
        return
    columns = tuple(column for column, _shape in found.delta)
    if not any(set(columns) == set(one) and len(columns) == len(one) for one in keys):
        yield Fault(
            f"the queue holds ({', '.join(columns)}), the key is"
            f" ({', '.join(keys[0]) if keys else ''})",
            True,
            REMAKE,
        )
        return
    grown = [column for column, shape in found.delta if found.columns.get(column) != shape]
    if grown:
        mend = RETYPE if found.grows.issuperset(grown) else REMAKE
        yield Fault(f"the queue has another type of {', '.join(grown)}", True, mend)
    yield from _function_faults(name, found, columns)


def _function_faults(name: TableName, found: Found, columns: t.Sequence[str]) -> t.Iterator[Fault]:
    label = f"bucardo.delta_{delta_suffix(name)}()"
    operators = [(column, found.equals.get(column, delta_function.EQUALS)) for column in columns]
    texts = found.texts
    function = found.function
    if function is None:
        yield Fault(f"there is no function {label}", True, FUNCTION)
        return
    current = function.text == delta_function.body(name, operators, texts)
    if function.language != "plpgsql" or not (
        current or delta_function.queues(function.text, name, operators, texts)
    ):
        yield Fault(f"the function {label} does something else", True, FUNCTION)
    elif not current or not function.definer or function.settings:
        yield Fault(f"the function {label} is of an earlier version", False, FUNCTION)


def carried_from(
    name: TableName, found: Found, key: t.Sequence[str], taken: t.Collection[str]
) -> str:
    """The delta table of a renamed table, whose rows are still to be replicated, or "".

    It must have been this table's own: filled by its trigger, with the same columns, and of no
    other table of today.

    :param taken: delta tables of all tables that are enrolled.
    """
    trigger = found.triggers.get("bucardo_delta")
    if trigger is None or trigger.enabled not in ("O", "A") or not found.is_known:
        return ""
    schema, _dot, delta = trigger.function.partition(".")
    if schema != "bucardo" or delta == f"delta_{delta_suffix(name)}" or delta in taken:
        return ""
    wanted = {column: found.columns.get(column) for column in key}
    return delta if dict(found.older.get(delta, ())) == wanted else ""

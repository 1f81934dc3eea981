# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sync that goes: its triggers and its part of the queue, then its row."""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo import statements
from .._bucardo.objects import Sync
from .._common.change import Change
from .._common.names import SyncKey
from .._ledger import membership, sightings
from .._tracking import loaded, shed
from . import commands, departure, teardown
from . import desired as sync_desired
from .keeper import Keeper, Masters
from .parting import Parting

Going = t.Mapping[teardown.Tracked, t.Sequence[str]]


def plan(keeper: Keeper, name: str, leave_masters: bool = False, dbgroup: str = "") -> Change:
    """What it takes until a sync is gone.

    :param leave_masters: leave what is on the masters; a warning says so.
    :param dbgroup: where to look for masters when the row is already gone.
    """
    control = keeper.control
    keeper.scope.lock(control.alone(name))
    current = control.sync(name)
    key = current.key if current else SyncKey(name, dbgroup)
    warnings: list[str] = []
    group = control.dbgroups().get(key.dbgroup)
    masters = {} if leave_masters else keeper.masters(group, warnings)
    traces = _traces(masters, name)
    going = {master: teardown.to_drop(one, name) for master, one in traces.items()}
    enrolment = {
        master: {"to_remove": [str(table.name) for table in tables]}
        for master, tables in going.items()
    }
    before = sync_desired.result(current)
    if going:
        before["enrolled"] = {master: len(tables) for master, tables in going.items()}
    if leave_masters and current:
        warnings.append(
            f"The triggers of sync {name} stay on the masters and go on filling the"
            " queue there; remove them with bucardo_teardown."
        )
    parting = Parting(keeper, masters, key, traces)
    waiting = parting.look(enrolment)
    waits = [departure.waits(waiting)] if waiting else []

    return Change(
        changed=bool(current or traces),
        before=before,
        after={},
        disturbs=keeper.disturbs(current is not None),
        values={
            "sync": {},
            "enrolment": enrolment,
            "reloaded": False,
            "purging": True,
            "lost": departure.rows(waiting),
        },
        commands=[
            *_untracked(masters, going),
            *control.shown([*_holding(current), *_removing(current)]),
        ],
        warnings=[*warnings, *waits],
        work=_Work(keeper, key, current, masters, parting, waits),
    )


@dataclasses.dataclass(frozen=True)
class _Work:
    """Drains the sync, takes its triggers off the masters, holds it, deletes its row."""

    keeper: Keeper
    key: SyncKey
    current: Sync | None
    masters: Masters
    parting: Parting
    waits: t.Sequence[str]

    def __call__(self, change: Change) -> None:
        control, current = self.keeper.control, self.current
        change.warnings = [line for line in change.warnings if line not in self.waits]
        self.parting.prepare()
        self.parting.drop_triggers(change.values["enrolment"])
        held = _holding(current)
        if held:
            control.execute(held)
            change.values["reloaded"] = self.keeper.reload()
        self.parting.finish(change)
        for one in self.masters.values():
            membership.leave(one.session, self.key.dbgroup)
            sightings.forget(one.session, self.key.dbgroup)
            shed.forget(one.session, self.key.sync)
            loaded.forget(one.session, self.key.sync)
        if current:
            control.execute(_removing(current))
            change.values["reloaded"] = self.keeper.reload() or change.values["reloaded"]


def _traces(masters: Masters, name: str) -> dict[str, teardown.Traces]:
    """What the sync has on its masters; of those where it has nothing, nothing."""
    found = {master: teardown.look(master, one.session) for master, one in masters.items()}
    return {
        master: one for master, one in found.items() if name in one.syncs and not one.is_control
    }


def _untracked(masters: Masters, going: t.Mapping[str, Going]) -> list[str]:
    found = []
    for name, dropped in going.items():
        triggers = {table.name: names for table, names in dropped.items()}
        found += commands.untracked(name, triggers, masters[name].session.as_text)
    return found


def _holding(current: Sync | None) -> statements.Writes:
    return statements.held(current.name) if current and current.status != "inactive" else []


def _removing(current: Sync | None) -> statements.Writes:
    return statements.removed_sync(current.name) if current else []

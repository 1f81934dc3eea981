# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes Bucardo and this collection off masters; it needs no control database."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.change import Change, Scope
from .._common.errors import Refused
from .._common.names import TableName
from .._common.text import listed
from .._postgres.conninfo import ConnInfo
from .._postgres.locks import LockPolicy
from .._postgres.pg import Session
from .._tracking.queue import Pending
from . import commands, departure, indexes, teardown


@dataclasses.dataclass(frozen=True)
class Request:
    """What may go.

    :param keep_others: whether other syncs are left alone, instead of being a reason to refuse.
    :param discard_queue: whether what waits may be lost.
    """

    syncs: t.Sequence[str]
    keep_others: bool
    discard_queue: bool
    policy: LockPolicy


@dataclasses.dataclass
class _Master:
    """What is on one of them, and what of it goes."""

    session: Session
    traces: teardown.Traces
    broken: list[indexes.Broken]
    partly: bool

    def triggers(self, syncs: t.Collection[str]) -> dict[TableName, t.Sequence[str]]:
        """The triggers that go, by table."""
        if not self.partly:
            return {table.name: table.triggers for table in self.traces.tables}
        going = {
            table.name: names
            for sync in syncs
            for table, names in teardown.to_drop(self.traces, sync).items()
        }
        return dict(sorted(going.items()))

    def tables(self, syncs: t.Collection[str]) -> list[str]:
        """The tables from which they go."""
        return [str(name) for name in self.triggers(syncs)]

    def commands(self, syncs: t.Collection[str]) -> list[str]:
        """What is run, as lines for results."""
        name = self.traces.master
        found = commands.untracked(name, self.triggers(syncs), self.session.as_text)
        schemas = () if self.partly else self.traces.schemas
        return found + [f"{name}: DROP SCHEMA {schema}" for schema in schemas]

    def goes(self, syncs: t.Collection[str]) -> bool:
        """Whether there is anything to remove."""
        if not self.traces:
            return False
        return not self.partly or bool(set(self.traces.syncs) & set(syncs))


def plan(scope: Scope, logins: t.Mapping[str, ConnInfo], request: Request) -> Change:
    """What goes from which master.

    :raises Refused: when it belongs to somebody else, or changes would be lost.
    """
    sessions = {name: scope.enter_context(Session(login)) for name, login in logins.items()}
    found = {name: teardown.look(name, session) for name, session in sessions.items()}
    lost = _refuse(sessions, found, request)
    masters = {
        name: _Master(
            sessions[name],
            traces,
            indexes.broken(sessions[name]),
            request.keep_others and bool(teardown.others(traces, request.syncs)),
        )
        for name, traces in found.items()
    }
    going = {name: one for name, one in masters.items() if one.goes(request.syncs)}
    removed = {name: _removed(one, request.syncs) for name, one in going.items()}

    def work(change: Change) -> None:
        for name, one in masters.items():
            indexes.rebuild(name, one.session, one.broken)
        _stop_vouching(masters, request.syncs)
        for name, one in going.items():
            removed[name].update(_remove(one, request))
        if lost:
            change.warnings.append(departure.were_lost(lost))

    return Change(
        changed=bool(going),
        before={name: _left(one, one.traces.schemas, 0) for name, one in going.items()},
        after={
            name: _left(
                one, one.traces.schemas if one.partly else (), len(one.tables(request.syncs))
            )
            for name, one in going.items()
        },
        disturbs=[
            f"{name}: who uses {listed(removed[name]['tables'], 3, more='more tables')} waits for"
            " moments"
            for name in going
            if removed[name]["tables"]
        ],
        commands=[line for one in going.values() for line in one.commands(request.syncs)],
        values={"removed": removed, "lost": departure.rows(lost)},
        work=work,
        # What a seed left incomplete is mended even where nothing is removed.
        always=True,
    )


def _refuse(
    sessions: t.Mapping[str, Session], found: t.Mapping[str, teardown.Traces], request: Request
) -> dict[str, list[Pending]]:
    """Everything that can refuse; returns what will be lost."""
    lost = {}
    for name, traces in found.items():
        teardown.check(traces, request.syncs, request.keep_others)
        teardown.check_seed(name, sessions[name])
        waiting = teardown.waiting(sessions[name], traces, request.syncs)
        if waiting:
            lost[name] = waiting
    if lost and not request.discard_queue:
        raise Refused(
            f"Changes would be lost, {departure.counted(lost)}",
            "Remove the sync first, with bucardo_sync (state: absent), which lets them be"
            " replicated; or say that they may be lost (discard_queue: true).",
            lost=departure.rows(lost),
        )
    return lost


def _stop_vouching(masters: t.Mapping[str, _Master], syncs: t.Collection[str]) -> None:
    """On all masters before the first trigger goes on any."""
    names = set()
    for one in masters.values():
        for sync in set(syncs) & set(one.traces.syncs):
            names |= teardown.leaving(one.traces, sync)
    teardown.stop_vouching([one.session for one in masters.values()], names)


def _remove(one: _Master, request: Request) -> dict[str, t.Any]:
    if one.partly:
        report = teardown.remove_syncs(one.session, one.traces, request.syncs, request.policy)
    else:
        report = teardown.remove(one.session, one.traces, request.policy)
    return {
        "longest_hold_ms": round(report.longest_hold * 1000),
        "longest_wait_ms": round(report.longest_wait * 1000),
    }


def _removed(one: _Master, syncs: t.Collection[str]) -> dict[str, t.Any]:
    traces = one.traces
    going = syncs if one.partly else traces.syncs
    return {
        "schemas": [] if one.partly else list(traces.schemas),
        "syncs": [name for name in traces.syncs if name in going],
        "tables": one.tables(syncs),
        "rebuilt": [str(index) for index in one.broken],
    }


def _left(one: _Master, schemas: t.Iterable[str], gone: int) -> dict[str, t.Any]:
    return {
        "schemas": list(schemas),
        "tables_with_triggers": len(one.traces.tables) - gone,
    }

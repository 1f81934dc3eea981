# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables that leave a sync on several masters; see `departure` for the order."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.change import Change
from .._common.names import SyncKey, TableName
from .._postgres import locks
from .._tracking.queue import Pending, Queue
from . import departure, indexes, teardown
from .keeper import Keeper, Masters

Enrolment = t.Dict[str, t.Dict[str, t.Any]]


class Parting:
    """Takes them out, with nothing lost that need not be.

    :param traces: of the masters that have such tables.
    :param keep: tables that stay.
    """

    def __init__(
        self,
        keeper: Keeper,
        masters: Masters,
        key: SyncKey,
        traces: t.Mapping[str, teardown.Traces],
        keep: t.Collection[TableName] = (),
    ) -> None:
        self._sessions = {name: master.session for name, master in masters.items()}
        self._policy = keeper.terms.policy
        self._key, self._traces, self._keep = key, traces, keep
        self._names: set[TableName] = set()
        self._broken: dict[str, list[indexes.Broken]] = {}
        queues, unserved = [], set()
        for name, one in traces.items():
            leaving = teardown.leaving(one, key.sync, keep)
            registered = teardown.existing(self._sessions[name], one, key.sync)
            there = {table.name for table in one.tables} | registered
            queues.append(Queue(name, self._sessions[name], key, leaving & there))
            self._names |= leaving
            unserved |= (leaving & there) - registered
        control = keeper.control
        # Before its first run no master counts on another's changes.
        released = not traces or control.sync(key.sync) is None or control.has_run(key.sync)
        self._departure = departure.Departure(
            control,
            key.sync,
            queues,
            keeper.terms.drain_timeout,
            keeper.terms.discard_queue,
            released,
            # Of a whole sync that goes, what was never registered has nothing that waits.
            unserved if keep else (),
        )

    def look(self, enrolment: Enrolment) -> dict[str, list[Pending]]:
        """What would wait. Everything that can refuse, before anything is taken away."""
        if not self._traces:
            return {}
        for name, session in self._sessions.items():
            self._broken[name] = indexes.broken(session, self._names)
            if self._broken[name] and name in enrolment:
                enrolment[name]["to_rebuild"] = [str(one) for one in self._broken[name]]
        return self._departure.look()

    def prepare(self) -> None:
        """Make indexes complete by which rows are told apart, and drain the queue."""
        if not self._traces:
            return
        for name, broken in self._broken.items():
            indexes.rebuild(name, self._sessions[name], broken)
        self._departure.settle()

    def drop_triggers(self, enrolment: Enrolment) -> None:
        """Take the triggers off while the sync still runs, and let it take what came meanwhile."""
        if not self._traces:
            return
        teardown.stop_vouching(self._sessions.values(), self._names)
        for name, traces in self._traces.items():
            dropped = teardown.to_drop(traces, self._key.sync, self._keep)
            report = teardown.drop_triggers(self._sessions[name], dropped, self._policy)
            enrolment[name].update(figures(report))
        self._departure.settle()

    def finish(self, change: Change) -> None:
        """Drop the queue and what belongs to it, and say what was in it."""
        lost = self._departure.waiting()
        for name, traces in self._traces.items():
            teardown.leave_sync(self._sessions[name], traces, self._key, self._keep)
        change.values["lost"] = departure.rows(lost)
        if lost:
            change.warnings.append(departure.were_lost(lost))


def leaving(
    masters: Masters, sync: str, keep: t.Collection[TableName]
) -> dict[str, teardown.Traces]:
    """Masters with tables that left a sync, reduced to these tables.

    :param keep: tables that stay.
    """
    found = {}
    for name, master in masters.items():
        traces = teardown.look(name, master.session)
        if teardown.leaving(traces, sync, keep):
            going = set(teardown.to_drop(traces, sync, keep))
            found[name] = dataclasses.replace(
                traces, tables=tuple(one for one in traces.tables if one in going)
            )
    return found


def figures(report: locks.LockReport) -> dict[str, t.Any]:
    """For results."""
    return {
        "batches": report.batches,
        "refused_locks": report.refusals,
        "longest_wait_ms": round(report.longest_wait * 1000),
        "longest_hold_ms": round(report.longest_hold * 1000),
        "seconds": round(report.seconds, 2),
    }

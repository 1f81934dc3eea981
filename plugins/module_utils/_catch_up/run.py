# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings what waits in the queues of a held sync to the other masters, at the speed of COPY."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
import typing as t

from .._common.errors import MultimasterError, StatementFailed
from .._common.names import TableName
from .._ledger import ledger, states
from .._postgres import pg, rowhash
from .._tracking.delta_function import EQUALS
from .._tracking.plan import object_name
from .._tracking.queue import Pending
from . import plan
from .chunk import Carrier, Done, Pace, Truncated
from .group import Group
from .statements import Statements

# Seconds between two looks at how far it is.
_LOOK_EVERY = 0.5
_TRUNCATED = "a TRUNCATE of it waits"
# Each chunk finds its keys in an index. Of a temporary table, and of a delta table that was filled
# a moment ago, the planner knows nothing, and would read the whole of both tables for each chunk.
_PLANS = """
SET jit = off; SET max_parallel_workers_per_gather = 0;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off
"""

Found = t.Dict[str, t.List[Pending]]


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user may choose.

    :param above: do nothing where no more changes wait.
    :param enough: end when no more wait.
    :param workers: sessions at work at once, on every master.
    :param rate_limit: bytes per second from the sources; 0 is no limit.
    :param timeout: seconds after which no further chunk is begun; 0 is no limit.
    """

    above: int = 0
    enough: int = 1000
    workers: int = 2
    rate_limit: int = 0
    timeout: float = 0


@dataclasses.dataclass
class Report:
    """What was done.

    :param left_alone: tables that are left to Bucardo, with the reason.
    :param growing: changes arrive faster than they are applied.
    :param unfinished: its time was over before the queues were gone through.
    """

    before: Found
    after: Found = dataclasses.field(default_factory=dict)
    done: Done = dataclasses.field(default_factory=Done)
    left_alone: dict[TableName, str] = dataclasses.field(default_factory=dict)
    rounds: int = 0
    bytes: int = 0
    seconds: float = 0.0
    growing: bool = False
    unfinished: bool = False


@dataclasses.dataclass(frozen=True)
class State:
    """How far it is.

    :param waited: changes that waited when it began.
    :param left: that are known to wait.
    :param rate: changes per second.
    """

    waited: int
    left: int
    changes: int
    rate: float
    round: int
    current: tuple[str, ...]
    growing: bool
    elapsed: float


@dataclasses.dataclass(frozen=True)
class _Task:
    name: TableName
    source: str
    part: tuple[int, int]
    pages: int


class CatchUp:
    """One run over all tables of a group that nobody else works on.

    :param watch: called about twice a second; returns False to end in good order.
    """

    def __init__(
        self, group: Group, options: Options, watch: t.Callable[[State], bool] = lambda _state: True
    ) -> None:
        self._group = group
        self._options = options
        self._watch = watch
        self._sides: dict[TableName, dict[str, plan.Side | None]] = {}
        self._keys = {goat.name: goat.key for goat in group.goats}
        self._pace = Pace(options.rate_limit)
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._stopped = self._out_of_time = False
        self._current: set[str] = set()
        self._lanes = [_Lane(group) for _number in range(max(1, options.workers))]
        self._begun = time.monotonic()
        self.report = Report(before=self._pending())
        if not self.needed:
            # Most releases: what is looked at further is every table of every master.
            return
        special = group.special()
        self._sides = group.sides()
        for name, sides in self._sides.items():
            why = plan.left_alone(name, self._keys[name], sides, special, group.sync.key)
            if why:
                self.report.left_alone[name] = why
        self._note_truncates(self.report.before)

    @property
    def needed(self) -> bool:
        """Whether enough waits."""
        return self._to_do(self.report.before) > max(self._options.above, 0)

    def run(self) -> Report:
        """Rounds until little is left, or no less than before.

        :raises MultimasterError: when it was stopped, or a master was lost; what was brought is
            kept.
        """
        report, found = self.report, self.report.before
        try:
            while not self._out_of_time:
                before, done = self._to_do(found), report.done.changes
                report.rounds += 1
                report.done.begin_round()
                for source in self._group.sessions:
                    self._work(self._tasks(source, found.get(source, [])), before + done)
                found = self._pending()
                self._note_truncates(found)
                left = self._to_do(found)
                brought = report.done.changes - done
                report.growing = 0 < brought <= left - before + brought
                if not plan.another(before, left, self._options.enough):
                    break
            # What is in no conflict has been brought by now.
            if self._settle(found):
                found = self._pending()
        finally:
            for lane in self._lanes:
                lane.close()
            report.bytes = self._pace.bytes
            report.seconds = time.monotonic() - self._begun
        report.after = found
        report.unfinished = self._out_of_time and self._to_do(found) > self._options.enough
        return report

    def _settle(self, found: Found) -> int:
        """Where a copy was made into a master in use: what looks like a conflict and is none."""
        count = 0
        for master, session in self._group.sessions.items():
            entries = ledger.entries(session) if found.get(master) else {}
            for pending in found.get(master, []):
                entry = entries.get(pending.table)
                if entry and entry.seen and entry.seen_here:
                    count += self._settle_with(master, entry, found)
        self.report.done.superseded += count
        return count

    def _settle_with(self, master: str, entry: states.Entry, found: Found) -> int:
        """The same between a master and the one from which a table of it was copied."""
        for source, session in self._group.sessions.items():
            side = self._sides.get(entry.name, {}).get(source)
            if (
                source != master
                and side is not None
                and entry.name not in self.report.left_alone
                and any(one.table == entry.name for one in found.get(source, []))
                and entry.source_oid == side.table.oid
                and entry.source == ledger.identity(session)
            ):
                carrier = self._carrier(entry.name, source, [master], self._lanes[0])
                return carrier.settle(entry.seen or "", entry.seen_here or "")
        return 0

    def _pending(self) -> Found:
        return {queue.master: queue.pending() for queue in self._group.queues}

    def _to_do(self, found: Found) -> int:
        return sum(
            one.changes
            for pending in found.values()
            for one in pending
            if one.table not in self.report.left_alone
        )

    def _note_truncates(self, found: Found) -> None:
        for pending in found.values():
            for one in pending:
                if one.truncated:
                    self.report.left_alone.setdefault(one.table, _TRUNCATED)

    def _tasks(self, source: str, pending: t.Sequence[Pending]) -> list[_Task]:
        """Largest first, as the queue lists them."""
        tasks = []
        for one in pending:
            side = self._sides.get(one.table, {}).get(source)
            if side is None or one.table in self.report.left_alone or not one.changes:
                continue
            key = self._keys[one.table]
            parts = plan.parts(key, side, one.changes, len(self._lanes))
            pages = self._group.sessions[source].value(
                "SELECT pg_catalog.pg_relation_size(c.oid)"
                " / pg_catalog.current_setting('block_size')::int"
                " FROM pg_catalog.pg_class c"
                " WHERE c.relnamespace = 'bucardo'::pg_catalog.regnamespace AND c.relname = %s",
                (object_name("delta_", one.table),),
            )
            tasks += [
                _Task(one.table, source, (number, parts), int(pages or 0))
                for number in range(parts)
            ]
        return tasks

    def _work(self, tasks: t.Sequence[_Task], total: int) -> None:
        """All changes of one master. One after the other: no two may bring rows to each other."""
        if not tasks or self._out_of_time:
            return
        todo: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        for task in tasks:
            todo.put(task)
        threads = [
            threading.Thread(target=self._lane, args=(lane, todo), daemon=True)
            for lane in self._lanes[: len(tasks)]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_LOOK_EVERY)
                self._look(total)
        if self._failure is not None:
            raise self._failure
        if self._stopped:
            raise MultimasterError(
                f"The catch-up of sync {self._group.sync.name} was stopped",
                "What was brought is kept. Run it again to go on.",
            )

    def _look(self, total: int) -> None:
        elapsed = time.monotonic() - self._begun
        if self._options.timeout and elapsed > self._options.timeout:
            self._out_of_time = True
        with self._lock:
            changes = self.report.done.changes
            state = State(
                waited=self._to_do(self.report.before),
                left=max(0, total - changes),
                changes=changes,
                rate=changes / elapsed if elapsed else 0.0,
                round=self.report.rounds,
                current=tuple(sorted(self._current)),
                growing=self.report.growing,
                elapsed=elapsed,
            )
        if not self._watch(state):
            self._stopped = True

    def _lane(self, lane: _Lane, todo: queue.SimpleQueue[_Task]) -> None:
        try:
            while True:
                task = todo.get_nowait()
                with self._lock:
                    self._current.add(str(task.name))
                self._do(lane, task)
                with self._lock:
                    self._current.discard(str(task.name))
        except queue.Empty:
            pass
        except BaseException as error:
            self._failure = self._failure or error

    def _carrier(
        self, name: TableName, source: str, targets: t.Iterable[str], lane: _Lane
    ) -> Carrier:
        side = t.cast(plan.Side, self._sides[name][source])
        return Carrier(
            Statements(
                name=name,
                columns=tuple(plan.written(side.table)),
                key=tuple(
                    (column, side.found.equals.get(column, EQUALS)) for column in self._keys[name]
                ),
                dbgroup=self._group.sync.dbgroup,
            ),
            lane.session(source),
            [lane.session(target) for target in targets],
            self._pace,
        )

    def _do(self, lane: _Lane, task: _Task) -> None:
        targets = [name for name in self._group.sessions if name != task.source]
        carrier = self._carrier(task.name, task.source, targets, lane)
        width = t.cast(plan.Side, self._sides[task.name][task.source]).width
        first = 0
        while first < task.pages and not self._ends(task.name):
            end = first + plan.pages_per_chunk(width, task.part[1], self._options.rate_limit)
            try:
                done = carrier.carry((first, end), task.part)
            except Truncated:
                self._leave(task.name, _TRUNCATED)
            except StatementFailed as error:
                self._leave(task.name, error.message)
            else:
                with self._lock:
                    self.report.done += done
            first = end
            # The server's own count of rows may be far off.
            width = carrier.width or width

    def _ends(self, name: TableName) -> bool:
        over = self._stopped or self._out_of_time or self._failure is not None
        return over or name in self.report.left_alone

    def _leave(self, name: TableName, why: str) -> None:
        with self._lock:
            self.report.left_alone.setdefault(name, why)


class _Lane:
    """A session to every master, for one thread at a time."""

    def __init__(self, group: Group) -> None:
        self._conninfos = group.conninfos
        self._sessions: dict[str, pg.Session] = {}

    def session(self, master: str) -> pg.Session:
        """Opened when it is first needed."""
        if master not in self._sessions:
            session = pg.Session(self._conninfos[master])
            self._sessions[master] = session
            # What one writes as text the other must read as the same value.
            session.connection.set_client_encoding("UTF8")
            rowhash.pin_session(session)
            session.execute(_PLANS)
        return self._sessions[master]

    def close(self) -> None:
        """Close them all."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

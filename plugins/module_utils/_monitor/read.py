# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the detectors judge: one session to the control database, one to each master.

Changes nothing anywhere, and a master that cannot be read is named with the reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from .._bucardo import corrections
from .._bucardo.objects import shown_status
from .._common.errors import MultimasterError, StatementFailed
from .._ledger import ledger, sightings
from .._postgres.pg import Session
from .._sequences import read as sequences_read
from .._sequences import watch as sequences_watch
from .._tracking import shed, truncate_lost
from .._tracking.queue import Queue
from . import equal_times, read_runs, violation
from . import read_master as reader
from .facts import CONTROLLER, Facts, Failure, Limits, MasterFacts, SyncFacts
from .memory import Memory

if t.TYPE_CHECKING:
    from .._bucardo.catalog import Catalog
    from .._bucardo.objects import Sync
    from .._common.names import TableName
    from .._ledger.states import Run
    from .._postgres.conninfo import ConnInfo

# Seconds that a daemon is given to start a controller before one counts as missing.
_STARTS_WITHIN = 8.0


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is meant to be, which no server knows; without patterns nobody misses a table.

    :param tables: patterns, as everywhere in this collection.
    """

    tables: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limits: Limits = dataclasses.field(default_factory=Limits)


@dataclasses.dataclass
class Reading:
    """The facts, and what results show beside them.

    :param seeds: the last seed of each master.
    """

    facts: Facts
    seeds: dict[str, Run]


def read(
    control: Catalog,
    logins: t.Mapping[str, ConnInfo],
    only: str | None = None,
    wanted: t.Mapping[str, Wanted] | None = None,
    memory: Memory | None = None,
) -> Reading:
    """Everything, of one sync or of all.

    :param logins: connection options of masters by name; others log in as Bucardo does.
    :param wanted: by sync; the key "" is for all others.
    :param memory: what earlier looks saw.
    """
    remembered = memory or Memory()
    syncs = {name: sync for name, sync in control.syncs().items() if only in (None, name)}
    groups = control.dbgroups()
    members = {
        name: dict(groups[sync.dbgroup].members) if sync.dbgroup in groups else {}
        for name, sync in syncs.items()
    }
    everybody = dict.fromkeys([*logins, *(one for some in members.values() for one in some)])
    before = _pids(control) if control.installed else frozenset()
    with contextlib.ExitStack() as stack:
        sessions, errors = _open(stack, control, logins, everybody)
        found = []
        for name, sync in syncs.items():
            given = (wanted or {}).get(name, (wanted or {}).get("", Wanted()))
            one = _Sync(control, sync, members[name], sessions, errors, given)
            found.append(one.read(remembered.suspects(name)))
        seeds = {name: _last_run(session) for name, session in sessions.items()}
        facts = Facts(running=False, answers=False)
        if control.installed:
            facts = _facts(control, found, sessions, seeds)
            facts = dataclasses.replace(facts, before=before, history=remembered.history())
    return Reading(facts, {name: run for name, run in seeds.items() if run is not None})


def _facts(
    control: Catalog,
    syncs: list[SyncFacts],
    sessions: t.Mapping[str, Session],
    seeds: t.Mapping[str, Run | None],
) -> Facts:
    daemon = control.daemon
    running = daemon.pid() is not None
    answers = running and daemon.answers()
    if answers:
        syncs = _settled(control, syncs, sessions)
    return Facts(
        running=running,
        answers=answers,
        polling=reader.polling(control.session),
        purges=_setting(control, "bucardo_vac") != "0",
        stalled=_stalled(control),
        processes=reader.processes(control.session),
        syncs=tuple(_with_seeds(one, seeds) for one in syncs),
        sequences={one.name: _strayed(one, sessions) for one in syncs},
    )


def _pids(control: Catalog) -> frozenset[int]:
    return frozenset(one.pid for one in reader.processes(control.session))


def _last_run(session: Session) -> Run | None:
    # Who was lost meanwhile is named.
    with contextlib.suppress(MultimasterError):
        return ledger.last_run(session)
    return None


def _strayed(sync: SyncFacts, sessions: t.Mapping[str, Session]) -> tuple[str, ...]:
    surveys = {}
    for one in sync.read:
        with contextlib.suppress(MultimasterError):
            surveys[one.name] = sequences_read.read_shared(sessions[one.name])
    return tuple(sequences_watch.problems(surveys, sync.name))


def _open(
    stack: contextlib.ExitStack,
    control: Catalog,
    logins: t.Mapping[str, ConnInfo],
    names: t.Iterable[str],
) -> tuple[dict[str, Session], dict[str, str]]:
    sessions, errors = {}, {}
    for name in names:
        try:
            conninfo = control.login(name, logins)
            sessions[name] = stack.enter_context(Session(conninfo))
        except MultimasterError as error:
            errors[name] = error.one_line
    return sessions, errors


class _Sync:
    """Reads one sync."""

    def __init__(
        self,
        control: Catalog,
        sync: Sync,
        members: t.Mapping[str, str],
        sessions: t.Mapping[str, Session],
        errors: t.Mapping[str, str],
        wanted: Wanted,
    ) -> None:
        self.control = control
        self.sync = sync
        self.members = members
        self.sessions = {name: sessions[name] for name in members if name in sessions}
        self.errors = errors
        self.wanted = wanted
        goats = [goat for goat in control.goats() if goat.reltype == "table" and goat.key]
        mine = [goat for goat in goats if sync.relgroup in goat.relgroups]
        self.keys: dict[TableName, t.Sequence[str]] = {goat.name: goat.key for goat in mine}
        # Tables that were set aside; the daemon read their columns with the others.
        origins = {goat.db for goat in mine}
        self.aside: dict[TableName, t.Sequence[str]] = {
            goat.name: goat.key for goat in goats if not goat.relgroups and goat.db in origins
        }
        self.users = {name: one.user for name, one in control.databases().items()}
        self.filled: dict[str, list[TableName]] = {}
        # Tables that were shed, by master and on any.
        self.shed: dict[str, tuple[shed.Shed, ...]] = {}
        self.marked: set[TableName] = set()
        self.went_back: dict[str, str] = {}

    def read(self, suspects: t.Mapping[TableName, t.Sequence[str]]) -> SyncFacts:
        """All of it.

        :param suspects: keys of rows that differed at an earlier look.
        """
        for name, session in self.sessions.items():
            # Who was lost meanwhile is named.
            with contextlib.suppress(MultimasterError):
                self.shed[name] = shed.read(session, self.sync.name)
        with contextlib.suppress(MultimasterError):
            group = self.sync.dbgroup
            self.went_back = sightings.look(self.control.session, group, self.sessions)
        self.marked = {one.table for some in self.shed.values() for one in some}
        masters = tuple(self._master(name, role) for name, role in self.members.items())
        lost = {one.name for one in masters if one.error}
        alive = {name: one for name, one in self.sessions.items() if name not in lost}
        return SyncFacts(
            name=self.sync.name,
            status=shown_status(self.sync.status),
            members=self.members,
            masters=masters,
            failure=self._failure(alive),
            under_way=read_runs.under_way(self.control.session, self.sync.name),
            limits=self.wanted.limits,
            tables=len(self.keys),
            corrected=not corrections.writes(self.control, self.sync.name),
            runs=tuple(self.control.runs(self.sync.name)),
            unequal=equal_times.read(alive, self.sync.dbgroup, self.keys, self.filled, suspects)
            if len(alive) > 1
            else (),
        )

    def _master(self, name: str, role: str) -> MasterFacts:
        session = self.sessions.get(name)
        if session is None:
            return MasterFacts(name, role, error=self.errors.get(name, "no session"))
        try:
            if role != "source":
                return MasterFacts(name, role, processes=reader.processes(session))
            return self._source(name, session)
        except MultimasterError as error:
            return MasterFacts(name, role, error=error.one_line)

    def _source(self, name: str, session: Session) -> MasterFacts:
        queue = Queue(name, session, self.sync.key)
        # Nobody's, and not forgotten.
        aside = queue.kept({*self.aside, *self.marked})
        pending = tuple(queue.pending(tables=[*queue.tables(), *aside]))
        self.filled[name] = reader.filled(session, self.keys)
        return MasterFacts(
            name=name,
            pending=pending,
            bytes=reader.size(session),
            purge=queue.purge(),
            lost=truncate_lost.read(session, self.sync.name),
            processes=reader.processes(session),
            faults=reader.faults(
                session, self.sync.name, bool(self.sync.options.get("autokick", True)), self.keys
            ),
            rights=reader.rights(session, self.users.get(name, ""), self.keys),
            strangers=reader.strangers(
                session, {*self.keys, *self.marked}, self.wanted.tables, self.wanted.exclude
            ),
            doubled=reader.doubled(session, self.sync.dbgroup, self.keys),
            stale=all(
                reader.stale(session, self.sync.name, keys)
                for keys in (self.keys, {**self.keys, **self.aside})
            ),
            went_back=self.went_back.get(name, ""),
            shed=self.shed.get(name, ()),
            sizes=shed.sizes(session, pending) if self.wanted.limits.shed else {},
            left_out=frozenset(aside),
            polled=reader.polled(session, self.sync.name),
        )

    def _failure(self, sessions: t.Mapping[str, Session]) -> Failure | None:
        row = read_runs.failures(self.control.session, self.sync.name)
        if row is None:
            return None
        failure = Failure(row["count"], row["since"], row["age"], row["text"])
        violated = violation.parse(row["text"])
        if violated is None:
            return failure
        # Rows that change meanwhile, keys of types that need a search_path: the text must do.
        with contextlib.suppress(StatementFailed):
            table, rows = violation.find(violated, sessions, self.keys)
            return dataclasses.replace(failure, table=table, rows=rows)
        return failure


def _settled(
    control: Catalog, syncs: list[SyncFacts], sessions: t.Mapping[str, Session]
) -> list[SyncFacts]:
    """The same, after a daemon that has just read everything anew has started its processes."""
    until = time.monotonic() + _STARTS_WITHIN
    while _lacks_controllers(control, syncs) and time.monotonic() < until:
        time.sleep(1)
    return [
        dataclasses.replace(
            sync,
            masters=tuple(
                one
                if one.error
                else dataclasses.replace(one, processes=reader.processes(sessions[one.name]))
                for one in sync.masters
            ),
        )
        for sync in syncs
    ]


def _lacks_controllers(control: Catalog, syncs: t.Sequence[SyncFacts]) -> bool:
    active = [sync for sync in syncs if sync.active]
    there = [one for one in reader.processes(control.session) if one.kind == CONTROLLER]
    return len(there) < len(active)


def _with_seeds(sync: SyncFacts, seeds: t.Mapping[str, Run | None]) -> SyncFacts:
    runs = [seeds.get(name) for name in sync.members]
    return dataclasses.replace(sync, seeding=any(run is not None and run.active for run in runs))


def _setting(control: Catalog, name: str) -> str:
    setting = control.settings().get(name)
    return setting.value if setting else ""


def _stalled(control: Catalog) -> tuple[str, ...]:
    return tuple(
        name for name, database in control.databases().items() if database.status == "stalled"
    )

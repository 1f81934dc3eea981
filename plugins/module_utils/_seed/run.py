# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds a master: copies the selected tables of the source in parallel, and proves the copy.

The work goes in rounds. A round takes one snapshot of the source, after the triggers that queue
changes exist, and copies every table that the ledger does not vouch for yet. What could not be
copied (a lock, a table truncated meanwhile, a server that restarted) is left to the next round and
its newer snapshot: the queue replays later changes by key, so tables need not share a snapshot.
A run that was killed is simply followed by another round.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import typing as t

from .._common.change import Change, Lacks, Scope
from .._common.errors import ConnectionFailed, MultimasterError, Refused, StatementFailed
from .._common.names import TableName
from .._ledger import ledger
from .._postgres import pg, rowhash
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.tables import Selection
from .._postgres.topology import Master
from . import alone, configure, kept, outcome
from . import plan as seed_plan
from . import read as seed_read
from .connections import Connect, Connections, Settings, connect
from .counters import Counters
from .meter import Meter, Progress
from .options import Options
from .outcome import Outcome
from .plan import Plan
from .planning import Planner, check_indexes
from .pool import Channel, Pool
from .round import Round
from .schedule import Failures, Schedule
from .worker import RETRY, Worker

# Seconds before another round: doubled each time, up to the second number.
_BACKOFF = (1.0, 15.0)
# Seconds to wait for a server that went away: it may have to recover from a crash.
_PATIENCE = 180.0
# A server needs some seconds to see that its client died.
_CLIENT_DIES = 10.0


class Interrupted(MultimasterError):
    """The caller wants no more of it."""


@dataclasses.dataclass(frozen=True)
class Caller:
    """Whoever started a seed.

    :param report: called about every second.
    :param keep_going: asked several times a second; False ends the work at once.
    :param lease: seconds that a seed goes on whose caller is gone.
    """

    report: t.Callable[[Progress], None] = lambda _progress: None
    keep_going: t.Callable[[], bool] = lambda: True
    lease: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Look:
    """What was seen of both servers before anything was done.

    :param sessions: closes both.
    """

    source: pg.Session
    target: pg.Session
    plan: Plan
    sessions: contextlib.ExitStack


def plan_change(
    source: Master,
    target: Master,
    options: Options,
    scope: Scope,
    caller: Caller | None = None,
    open_: Connect = connect,
) -> Change:
    """Seed what is not seeded yet.

    :param open_: opens all sessions, the workers' too.
    :raises Refused: naming everything that cannot be seeded.
    """
    return _Seeder(source, target, options, scope.lacks, caller or Caller(), open_).change(scope)


class _Seeder:
    """One seed of one target from one source."""

    def __init__(
        self,
        source: Master,
        target: Master,
        options: Options,
        lacks: Lacks,
        caller: Caller,
        open_: Connect,
    ) -> None:
        self._source, self._target = source, target
        self._options = options
        self._lacks = lacks
        self._caller = caller
        self._open = open_
        self._meter = Meter(time.monotonic())
        self._name = f"{pg.APPLICATION_NAME} seed"
        self._workers = options.workers or seed_plan.default_workers(os.cpu_count() or 2)
        self._outcome = Outcome(workers=self._workers)
        self._done: dict[TableName, dict[str, t.Any]] = {}
        # Of the round that is under way or was the last.
        self._failures = Failures()
        self._queued: int | None = None
        self._connected = False
        # Whether what is to be replaced although it is vouched for was forgotten.
        self._forgotten = not options.replace_vouched
        # What the first round begins with, if nothing went wrong while it was looked.
        self._first: _Look | None = None

    def change(self, scope: Scope) -> Change:
        """What there is to do. Reads only."""
        change = Change(work=self._work)
        try:
            plan = self._look(scope)
        except (ConnectionFailed, StatementFailed) as error:
            if not self._may_try_again(error):
                raise
            # The rounds look again.
            scope.suspects(error)
            change.always = True
            return change
        outcome.planned(plan, self._target.name, self._workers).tell(change)
        return change

    def _look(self, scope: Scope) -> Plan:
        sessions = scope.enter_context(contextlib.ExitStack())
        source = sessions.enter_context(self._connect(self._source.login))
        target = pg.connect_if_exists(
            self._target.login, self._target.maintenance_db, self._connect
        )
        self._connected = True
        if target is None:
            name = self._target.name
            self._lacks(
                Refused(
                    f"There is no database {self._target.login.dbname} on {name}",
                    "Clone it first, with schema_clone.",
                )
            )
            return self._plan(source, None)
        sessions.enter_context(target)
        plan = self._plan(source, target)
        self._first = _Look(source, target, plan, sessions)
        return plan

    def _work(self, change: Change) -> None:
        """Seed what is not seeded yet, and tell what was done.

        :raises MultimasterError: naming the tables that could not be seeded; the others are.
        """
        self._rounds()
        self._outcome.tables = [self._done[name] for name in sorted(self._done)]
        self._outcome.snapshot_seconds = self._meter.snapshot_seconds
        self._outcome.seconds = round(time.monotonic() - self._meter.started, 3)
        self._outcome.tell(change)

    def _rounds(self) -> None:
        wait = _BACKOFF[0]
        number, lost_since = 1, 0.0
        while True:
            self._outcome.rounds = self._meter.progress.round = number
            self._failures = Failures()
            try:
                if self._round():
                    return
                lost_since = 0.0
            except (ConnectionFailed, StatementFailed) as error:
                if not self._may_try_again(error):
                    raise
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > _PATIENCE:
                    raise
            if self._failures.for_good:
                raise outcome.failed(self._failures, self._outcome.changed)
            # A server that is not there is waited for; that is no round.
            if not lost_since:
                if number >= self._options.rounds:
                    raise outcome.gave_up(self._failures, number)
                number += 1
            self._sleep(wait)
            wait = min(wait * 2, _BACKOFF[1])

    def _may_try_again(self, error: MultimasterError) -> bool:
        # Before there was a connection a wrong password is more likely than a server that restarts.
        return self._connected and _passing(error)

    # One round

    def _round(self) -> bool:
        """One snapshot and what can be copied of it; True when everything is done."""
        with contextlib.ExitStack() as stack:
            source, target, plan = self._begin_with(stack)
            self._name = alone.application_name(target)
            for session in (source, target):
                alone.sign(session, self._name)
            if not self._outcome.changed:
                # A look without the lock, so that a run with nothing to do writes nothing.
                plan = plan or self._plan(source, target)
                self._note_plan(plan)
                if plan.nothing_to_do:
                    self._outcome.rounds = 0
                    return True
            plan = self._alone(source, target, plan)
            self._outcome.changed = True
            if self._queued is None:
                self._queued = seed_read.queued_rows(source)
            round_ = self._begin(source, target, plan)
            stack.callback(round_.pool.close)
            stack.callback(self._keep, round_, plan)
            self._failures = round_.schedule.failures
            round_.copy()
            if self._failures.later or self._failures.for_good:
                return False
            self._complete(round_, plan)
            return True

    def _begin_with(
        self, stack: contextlib.ExitStack
    ) -> tuple[pg.Session, pg.Session, Plan | None]:
        """Both sessions, with what was seen by them if that was before this round."""
        first, self._first = self._first, None
        if first is not None:
            stack.enter_context(first.sessions)
            return first.source, first.target, first.plan
        source = stack.enter_context(self._connect(self._source.login))
        target = stack.enter_context(self._connect(self._target.login))
        self._connected = True
        return source, target, None

    def _connect(self, login: ConnInfo) -> pg.Session:
        return self._open(login, self._name)

    def _plan(self, source: pg.Session, target: pg.Session | None) -> Plan:
        return Planner(
            source,
            target,
            self._target.name,
            self._options,
            self._workers,
            self._forgotten,
            self._lacks,
        ).plan()

    def _note_plan(self, plan: Plan) -> None:
        """What is told of the state before anything was done."""
        self._outcome.selected = len(plan.selected)
        self._outcome.unproven = plan.unproven
        self._outcome.copied_once = plan.copied_once
        self._outcome.left_empty = plan.left_empty

    def _alone(self, source: pg.Session, target: pg.Session, plan: Plan | None) -> Plan:
        """Keep other seeds out, and look again if one came in between.

        :param plan: made without the lock, if any was.
        """
        wait = self._caller.lease + _CLIENT_DIES
        alone.check_settings(target, self._options.maintenance_work_mem)
        ledger.create(target)
        alone.lock(target, self._target.name, wait, self._check_wanted)
        for session in (source, target):
            alone.end_orphans(session, self._name, wait, self._check_wanted)
        if not self._forgotten:
            self._forget(target)
            plan = None
        # With the ledger as it was, no other seed came in between.
        if plan is None or ledger.entries(target) != plan.entries:
            plan = self._plan(source, target)
        return plan

    def _forget(self, target: pg.Session) -> None:
        """Let the ledger no longer vouch for what is to be replaced, all of it before any goes.

        Whoever is killed after this has held tables, and no release believes in them.
        """
        options = self._options
        tables = options.selection.of(read_tables(target, sizes=False))
        ledger.forget(target, [table.oid for table in Selection(tuple(options.replace)).of(tables)])
        self._forgotten = True

    def _begin(self, source: pg.Session, target: pg.Session, plan: Plan) -> Round:
        """Take the snapshot, and make everything that a round needs; no process yet."""
        self._meter.begin_round(plan.jobs, [done["size"] for done in self._done.values()])
        progress = self._meter.progress
        run = ledger.begin_run(
            target, plan.today.source, progress.tables_total, progress.bytes_total
        )
        settings = self._settings(source, target, plan)
        if plan.jobs:
            source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot = str(source.value("SELECT pg_catalog.pg_export_snapshot()"))
            self._meter.snapshot_taken(time.monotonic())
            seen = kept.seen_by(source, [job for job in plan.jobs if job.keep])
            settings = dataclasses.replace(settings, snapshot=snapshot, seen=seen)
            ledger.note_snapshot(target, run)

        def serve(channel: Channel, slot: int) -> None:
            Worker(settings, Connections(settings, self._open), channel, slot).run()

        spare_processors = (os.cpu_count() or 1) > self._workers
        inherited = [session.connection.fileno() for session in (source, target)]
        return Round(
            source=source,
            target=target,
            run=run,
            schedule=Schedule(
                plan.jobs, plan.unfinished, self._workers, spare_processors, self._options.proof
            ),
            meter=self._meter,
            pool=Pool(self._workers, serve, inherited),
            counters=settings.counters,
            holds_snapshot=bool(plan.jobs),
            check=self._check_wanted,
            report=self._caller.report,
        )

    def _settings(self, source: pg.Session, target: pg.Session, plan: Plan) -> Settings:
        from_, to = self._unconverted(source)
        lz4 = self._options.lz4 and seed_read.knows_lz4(target)
        return Settings(
            source=from_,
            target=to,
            target_name=self._target.name,
            today=plan.today,
            snapshot="",
            jobs=plan.jobs,
            source_types=rowhash.read_types(source),
            target_types=rowhash.read_types(target),
            method=rowhash.agree([source, target]),
            application_name=self._name,
            options=dataclasses.replace(self._options, lz4=lz4),
            counters=Counters(self._workers),
        )

    def _unconverted(self, source: pg.Session) -> tuple[ConnInfo, ConnInfo]:
        """Logins whose rows are converted, and validated, only once: by the target."""
        encoding = str(source.value("SELECT pg_catalog.current_setting('server_encoding')"))
        return (
            self._source.login.with_params(client_encoding=encoding),
            self._target.login.with_params(client_encoding=encoding),
        )

    def _complete(self, round_: Round, plan: Plan) -> None:
        """What is left when every table is there."""
        source, target = round_.source, round_.target
        self._configure(source, plan)
        round_.refresh()
        there = read_tables(target, sizes=False)
        if self._done or round_.schedule.finished:
            round_.analyze_parents(there)
        check_indexes(source, there, plan, self._target.name)
        self._outcome.queued_rows = max(0, seed_read.queued_rows(source) - (self._queued or 0))
        ledger.finish_run(target, round_.run)
        self._meter.progress.phase = "finished"
        self._caller.report(self._meter.progress)

    def _configure(self, source: pg.Session, plan: Plan) -> None:
        """Copy what users put into tables of extensions."""
        if not plan.configurations:
            return
        with contextlib.ExitStack() as stack:
            here, there = (
                stack.enter_context(self._connect(login)) for login in self._unconverted(source)
            )
            done = configure.copy(here, there, plan.configurations, plan.today)
        for table, values in zip(plan.configurations, done):
            self._done[table.name] = values

    def _keep(self, round_: Round, plan: Plan) -> None:
        """Remember what a round has done, however it ended."""
        schedule = round_.schedule
        for number, table in schedule.finished.items():
            job = plan.jobs[number]
            self._done[job.name] = outcome.copied(job, table)
        self._outcome.discarded += schedule.discarded
        self._outcome.kept += schedule.kept
        self._outcome.indexes_built += schedule.indexes_built
        self._outcome.materialized_views += round_.refreshed
        self._outcome.warnings += round_.warnings

    # The caller

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_wanted()
            time.sleep(0.2)

    def _check_wanted(self) -> None:
        if not self._caller.keep_going():
            raise Interrupted(
                f"The seed of {self._target.name} was stopped; finished tables are kept",
                "Run the task again to go on.",
                changed=self._outcome.changed,
            )


def _passing(error: MultimasterError) -> bool:
    """Whether another try may help."""
    return not isinstance(error, StatementFailed) or error.sqlstate in RETRY

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Seeds a master: copies the selected tables of the source in parallel, and proves the copy.

The work goes in rounds. A round takes one snapshot of the source, after the triggers that queue
changes exist, and copies every table that the ledger does not vouch for yet. What could not be
copied (a lock, a table truncated meanwhile, a server that restarted) is left to the next round and
its newer snapshot: the queue replays later changes by key, so tables need not share a snapshot.
A run that was killed is simply followed by another round.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import time
import typing as t
import zlib

from .._ansible import progress as ansible_progress
from .._common.errors import ConnectionFailed, MultimasterError, Refused, StatementFailed
from .._common.names import TableName
from .._common.text import listed
from .._ledger import ledger, membership
from .._postgres import pg, rowhash
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.tables import Table, select
from . import plan as seed_plan
from . import read as seed_read
from . import target as seed_target
from . import worker as seed_worker
from .plan import Job
from .pool import Channel, Message, Pool, Process

# Seconds between two notes of the progress, in the caller's hands and in the ledger.
_REPORT_EVERY = 1.0
_LEDGER_EVERY = 2.0
# Seconds before another round: doubled each time, up to the second number.
_BACKOFF = (1.0, 15.0)
# Seconds to wait for a server that went away: it may have to recover from a crash.
_PATIENCE = 180.0
# Seconds to wait for another seed's lock. One that runs in the background goes on until its lease
# is over (ansible_progress.LEASE), and a server needs some seconds to see that its client died.
_LOCK_WAIT = ansible_progress.LEASE + 10.0


class Interrupted(MultimasterError):
    """The caller wants no more of it."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user asked for.

    :param workers: processes that copy at once, 0 = as many as fit the machine.
    :param rate_limit: bytes per second from the source, over all workers; 0 = no limit.
    :param split_above: bytes of a table, see C(seed_plan.split).
    :param index_mode: "auto" or one of C(seed_plan)'s modes.
    :param lock_timeout: milliseconds to wait for a lock on a table of the source.
    :param rounds: how often to try what could not be copied.
    :param replace: tables, as patterns, whose rows on the target may go unless the ledger vouches
        for them.
    :param replace_vouched: or even then; the ledger forgets them first.
    :param replace_while_active: although Bucardo replicates other tables of the target.
    :param dbgroup: the group in which the target is a member, "" for the only one.
    """

    tables: t.Sequence[str]
    exclude: t.Sequence[str]
    replace: t.Sequence[str] = ()
    replace_vouched: bool = False
    replace_while_active: bool = False
    dbgroup: str = ""
    require_triggers: bool = True
    workers: int = 0
    rate_limit: int = 0
    split_above: int = 0
    index_mode: str = "auto"
    maintenance_work_mem: str = "256MB"
    lz4: bool = True
    lock_timeout: int = 5000
    rounds: int = 6
    proof: bool = True


@dataclasses.dataclass
class Progress:
    """How far a seed is.

    :param phase: start, copy, indexes, refresh, finished.
    :param bytes_done: of bytes_total, the source's sizes of tables.
    :param streamed: bytes that came from the source.
    :param rate: streamed bytes per second, over the last seconds.
    :param remaining: seconds until the copy ends at the present pace, None when not known.
    :param snapshot_age: seconds that the source's snapshot has been held, None when released.
    :param current: tables or indexes in work.
    """

    phase: str = "start"
    round: int = 0
    tables_total: int = 0
    tables_done: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    streamed: int = 0
    rate: float = 0.0
    remaining: float | None = None
    indexes_total: int = 0
    indexes_done: int = 0
    snapshot_age: float | None = None
    elapsed: float = 0.0
    current: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Plan:
    """What is to be done, from the state of both servers.

    :param selected: tables of the source that take part.
    :param entries: what the ledger said.
    :param jobs: those to copy.
    :param unfinished: copied by a killed run, with the indexes that are still to be built.
    :param complete: the last run came to its end.
    :param today: what entries must speak of.
    """

    selected: list[Table]
    entries: dict[TableName, ledger.Entry]
    jobs: list[Job]
    unfinished: list[tuple[TableName, list[seed_plan.IndexFacts]]]
    complete: bool
    today: membership.Today

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything selected is seeded."""
        return self.complete and not self.jobs and not self.unfinished

    @property
    def unproven(self) -> list[str]:
        """Tables that were copied earlier without a proof that is believed today.

        They are not copied again: changes have been recorded since, and the live rows can be
        compared.
        """
        copied = {job.name for job in self.jobs}
        return [
            str(table.name)
            for table in self.selected
            if table.name not in copied
            and table.name in self.entries
            and not self.entries[table.name].proven
        ]


@dataclasses.dataclass
class Outcome:
    """What a seed did, or would do."""

    changed: bool
    tables: list[dict[str, t.Any]]
    selected: int = 0
    workers: int = 0
    seconds: float = 0.0
    rounds: int = 0
    snapshot_seconds: float = 0.0
    queued_rows: int = 0
    discarded: int = 0
    indexes_built: int = 0
    unproven: list[str] = dataclasses.field(default_factory=list)
    materialized_views: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Failures:
    """What a round could not do."""

    later: dict[str, list[str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    for_good: list[str] = dataclasses.field(default_factory=list)
    # The last text for the why of C(later).
    text: str = ""


class Seeder:
    """One seed of one target from one source.

    :param maintenance_db: a database of the target's server that exists in any case.
    :param report: called about every second.
    :param keep_going: asked several times a second; False ends the work at once.
    """

    def __init__(
        self,
        source: ConnInfo,
        target: ConnInfo,
        maintenance_db: str,
        options: Options,
        report: t.Callable[[Progress], None] = lambda _progress: None,
        keep_going: t.Callable[[], bool] = lambda: True,
    ) -> None:
        self._source_info = source
        self._target_info = target
        self._maintenance_db = maintenance_db
        self._options = options
        self._report = report
        self._keep_going = keep_going
        self._progress = Progress()
        self._started = time.monotonic()
        self._name = f"{pg.APPLICATION_NAME} seed"
        self._workers = options.workers or seed_plan.default_workers(os.cpu_count() or 2)
        self._outcome = Outcome(changed=False, tables=[], workers=self._workers)
        self._done: dict[TableName, dict[str, t.Any]] = {}
        self._queued: int | None = None
        self._connected = False
        # Whether what is to be replaced although it is vouched for was forgotten.
        self._forgotten = not options.replace_vouched

    # Planning

    def preview(self) -> Outcome:
        """What C(run) would do. Reads only."""
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(self._connect(self._source_info))
            target = pg.connect_if_exists(self._target_info, self._maintenance_db, self._connect)
            if target is not None:
                stack.enter_context(target)
                # Who wants rows of the origin replaced is told that it is one.
                if membership.is_only_origin(target) and not self._options.replace:
                    # In a check the step that would have moved the origin changed nothing.
                    self._outcome.warnings.append(
                        f"{self._target_info.name} is the origin of its group, and not seeded"
                    )
                    return self._outcome
            plan = self._plan(source, target, dry=True)
        self._outcome.changed = not plan.nothing_to_do
        self._outcome.selected = len(plan.selected)
        self._outcome.tables = [_planned(job) for job in plan.jobs]
        self._outcome.indexes_built = sum(len(indexes) for _name, indexes in plan.unfinished)
        self._outcome.unproven = plan.unproven
        return self._outcome

    def _connect(self, conninfo: ConnInfo) -> pg.Session:
        session = seed_worker.connect(conninfo, self._name)
        rowhash.pin_session(session)
        return session

    def _plan(self, source: pg.Session, target: pg.Session | None, dry: bool = False) -> Plan:
        """Read both servers and decide.

        :param dry: in check mode the earlier steps of a play (schema, triggers) were not done, so
            what they would have made is not asked for.
        :raises Refused: naming everything that stands in the way.
        """
        options = self._options
        selected = select(read_tables(source, sizes=False), options.tables, options.exclude)
        if target is not None:
            self._check_different(source, target)
        entries = ledger.entries(target) if target else {}
        there = {table.name: table for table in read_tables(target, sizes=False)} if target else {}
        replace = set()
        if options.replace:
            replace = {table.name for table in select(selected, options.replace, [])}
        today = self._today(source, target, selected)
        doubts = {
            table.name: membership.doubt(entries.get(table.name), today) for table in selected
        }
        if not self._forgotten:
            doubts.update(dict.fromkeys(replace, "is to be replaced"))
        known = {name: entries[name] for name, why in doubts.items() if not why}
        # What this very database was given in parts may go; not what a dump brought along.
        half = {
            name
            for name, entry in entries.items()
            if entry.state == ledger.COPYING and entry.target in (None, today.target)
        }
        todo = [table for table in selected if table.name not in known]
        plan = Plan(
            selected=selected,
            entries=entries,
            jobs=[],
            unfinished=self._unfinished(target, selected, known, there),
            complete=target is not None and ledger.is_complete(target),
            today=today,
        )
        if not todo:
            return plan
        if target is not None:
            tables = [there[table.name] for table in todo if table.name in there]
            alone = bool(replace) and not options.replace_while_active
            seed_target.check(target, self._target_info.name, tables, alone)
        pairs = [(table, there.get(table.name)) for table in todo]
        if dry:
            # What is not there yet would be cloned from here.
            there = {**{table.name: table for table in todo}, **there}
        states = seed_read.read_states(source, target, pairs, half, doubts)
        seed_plan.check(
            todo,
            there,
            states,
            self._target_info.name,
            self._source_info.name,
            options.require_triggers and not dry,
            replace,
        )
        plan.jobs = self._jobs(source, target, todo, there, states, replace)
        return plan

    def _today(
        self, source: pg.Session, target: pg.Session | None, selected: t.Sequence[Table]
    ) -> membership.Today:
        oids = {table.name: table.oid for table in selected}
        if target is None:
            return membership.Today(ledger.identity(source), oids, "", None)
        epoch = membership.epoch_of(target, self._options.dbgroup)
        return membership.today(source, target, oids, epoch)

    def _jobs(
        self,
        source: pg.Session,
        target: pg.Session | None,
        todo: t.Sequence[Table],
        there: t.Mapping[TableName, Table],
        states: t.Mapping[TableName, seed_plan.TableState],
        replace: t.Collection[TableName],
    ) -> list[Job]:
        sizes = seed_read.read_sizes(source, todo, self._options.lock_timeout)
        mode = self._options.index_mode
        if target is not None and mode in ("auto", seed_plan.CATALOG):
            superuser = seed_read.is_superuser(target)
            if mode == seed_plan.CATALOG and not superuser:
                raise Refused(
                    f"index_mode catalog needs a superuser on {self._target_info.name}",
                    "Log in as one, or choose auto, recreate or keep.",
                )
            if mode == "auto":
                in_use = ledger.was_complete(target) and seed_read.others_connected(target)
                mode = seed_plan.auto_mode(superuser, in_use)
        elif mode == "auto":
            mode = seed_plan.CATALOG
        server = target or source
        here_facts = seed_read.read_type_facts(source)
        there_facts = seed_read.read_type_facts(target) if target else here_facts
        indexes = seed_read.read_indexes(
            server, [there[table.name] for table in todo], mode == seed_plan.RECREATE
        )
        jobs = []
        for table in todo:
            other = there[table.name]
            copy_format = seed_plan.pick_format(
                table,
                other,
                here_facts,
                there_facts,
                (source.server_version, server.server_version),
            )
            sized = dataclasses.replace(table, bytes=sizes[table.oid][0])
            jobs.append(
                seed_plan.make_job(
                    sized,
                    other,
                    copy_format,
                    states[table.name],
                    indexes.get(other.oid, ()),
                    mode,
                    table.name in replace,
                )
            )
        return seed_plan.split(
            jobs,
            {oid: pages for oid, (_bytes, pages) in sizes.items()},
            self._workers,
            self._options.split_above,
            source.server_version,
        )

    def _unfinished(
        self,
        target: pg.Session | None,
        selected: t.Sequence[Table],
        entries: t.Mapping[TableName, ledger.Entry],
        there: t.Mapping[TableName, Table],
    ) -> list[tuple[TableName, list[seed_plan.IndexFacts]]]:
        copied = [
            there[table.name]
            for table in selected
            if table.name in entries and entries[table.name].state == ledger.COPIED
        ]
        if not copied or target is None:
            return []
        indexes = seed_read.read_indexes(target, copied, False)
        return [
            (table.name, [index for index in indexes.get(table.oid, ()) if not index.valid])
            for table in copied
        ]

    def _check_different(self, source: pg.Session, target: pg.Session) -> None:
        query = (
            "SELECT pg_catalog.pg_postmaster_start_time()::text || pg_catalog.current_database()"
            " || (SELECT system_identifier FROM pg_catalog.pg_control_system())::text"
        )
        if source.value(query) == target.value(query):
            raise Refused(
                f"{self._source_info} and {self._target_info} are the same database",
                "Give source and target login options of different databases.",
            )

    # Running

    def run(self) -> Outcome:
        """Seed what is not seeded yet.

        :raises MultimasterError: naming the tables that could not be seeded; the others are.
        """
        outcome = self._outcome
        wait = _BACKOFF[0]
        number, lost_since = 1, 0.0
        while True:
            outcome.rounds = self._progress.round = number
            failures = _Failures()
            try:
                if self._round(failures):
                    break
                lost_since = 0.0
            except (ConnectionFailed, StatementFailed) as error:
                # Before that a wrong password is more likely than a server that restarts.
                if not self._connected or not _passing(error):
                    raise
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > _PATIENCE:
                    raise
            if failures.for_good:
                raise MultimasterError(
                    "; ".join(failures.for_good[:5]),
                    "The other tables are kept. Remove the cause and run the task again.",
                    failures=failures.for_good,
                    changed=outcome.changed,
                )
            # A server that is not there is waited for; that is no round.
            if not lost_since:
                if number >= self._options.rounds:
                    raise _gave_up(failures, number)
                number += 1
            self._sleep(wait)
            wait = min(wait * 2, _BACKOFF[1])
        outcome.tables = [self._done[name] for name in sorted(self._done)]
        outcome.seconds = round(time.monotonic() - self._started, 3)
        return outcome

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_wanted()
            time.sleep(0.2)

    def _check_wanted(self) -> None:
        if not self._keep_going():
            raise Interrupted(
                f"The seed of {self._target_info.name} was stopped; finished tables are kept",
                "Run the task again to go on.",
                changed=self._outcome.changed,
            )

    def _round(self, failures: _Failures) -> bool:
        """One snapshot and what can be copied of it; True when everything is done."""
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(self._connect(self._source_info))
            target = stack.enter_context(self._connect(self._target_info))
            self._connected = True
            self._sign(source, target)
            plan = None
            if not self._outcome.changed:
                # A look without the lock, so that a run with nothing to do writes nothing.
                plan = self._plan(source, target)
                self._outcome.selected = len(plan.selected)
                self._outcome.unproven = plan.unproven
                if plan.nothing_to_do:
                    self._outcome.rounds = 0
                    return True
            self._check_settings(target)
            ledger.create(target)
            self._lock(target)
            self._end_orphans(source)
            self._end_orphans(target)
            if not self._forgotten:
                self._forget(target)
                plan = None
            # With the ledger as it was, no other seed came in between.
            if plan is None or ledger.entries(target) != plan.entries:
                plan = self._plan(source, target)
            self._outcome.changed = True
            if self._queued is None:
                self._queued = seed_read.queued_rows(source)
            round_ = _Round(self, source, target, plan, failures)
            stack.callback(round_.close)
            round_.copy()
            if failures.later or failures.for_good:
                return False
            round_.refresh()
            there = read_tables(target, sizes=False)
            round_.analyze_parents(there)
            self._verify(source, there, plan)
            self._outcome.queued_rows = max(0, seed_read.queued_rows(source) - self._queued)
            ledger.finish_run(target, round_.run)
            self._progress.phase = "finished"
            self._report(self._progress)
            return True

    def _forget(self, target: pg.Session) -> None:
        """Let the ledger no longer vouch for what is to be replaced, all of it before any goes.

        Whoever is killed after this has held tables, and no release believes in them.
        """
        options = self._options
        tables = select(read_tables(target, sizes=False), options.tables, options.exclude)
        ledger.forget(target, [table.oid for table in select(tables, options.replace, [])])
        self._forgotten = True

    def _sign(self, source: pg.Session, target: pg.Session) -> None:
        """Let all sessions of seeds of this very database have one name, and others another."""
        digest = zlib.crc32(ledger.identity(target).encode())
        self._name = f"{pg.APPLICATION_NAME} seed {self._target_info.name[:30]} {digest:08x}"
        for session in (source, target):
            session.execute(
                "SELECT pg_catalog.set_config('application_name', %s, false)", (self._name,)
            )

    def _check_settings(self, target: pg.Session) -> None:
        wanted = [
            ("maintenance_work_mem", self._options.maintenance_work_mem, "Correct the option."),
            (
                "session_replication_role",
                "replica",
                "Seeding needs a superuser, or a role that may set session_replication_role.",
            ),
            ("session_replication_role", "origin", ""),
        ]
        for name, value, cure in wanted:
            try:
                target.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
            except StatementFailed as error:
                raise Refused(error.message, cure) from error

    def _lock(self, target: pg.Session) -> None:
        end = time.monotonic() + _LOCK_WAIT
        while not ledger.lock(target):
            if time.monotonic() > end:
                raise Refused(
                    f"Another seed of {self._target_info.name} is under way",
                    "Wait until it has ended. It stops by itself when its play is gone.",
                )
            self._check_wanted()
            time.sleep(0.5)

    def _end_orphans(self, session: pg.Session) -> None:
        """End what a killed run left on a server, now that no other can be at work.

        A server before version 14 does not notice a dead client while it builds an index.
        """
        query = (
            " FROM pg_catalog.pg_stat_activity WHERE application_name = %s"
            " AND datname = pg_catalog.current_database()"
            " AND pid <> pg_catalog.pg_backend_pid()"
        )
        session.execute("SELECT pg_catalog.pg_terminate_backend(pid)" + query, (self._name,))
        end = time.monotonic() + _LOCK_WAIT
        while session.value("SELECT count(*)" + query, (self._name,)):
            if time.monotonic() > end:
                raise Refused(
                    f"{session.conninfo} still runs statements of a seed that was killed",
                    "Wait until they have ended.",
                )
            self._check_wanted()
            time.sleep(0.2)

    def _verify(self, source: pg.Session, targets: t.Sequence[Table], plan: Plan) -> None:
        """The target's tables must have exactly the source's indexes, all of them valid."""
        there = {table.name: table for table in targets}
        here = {table.name: table for table in read_tables(source, sizes=False)}
        for table in plan.selected:
            if table.name not in here or table.name not in there:
                continue
            difference = seed_plan.difference_of_indexes(here[table.name], there[table.name])
            if difference:
                raise MultimasterError(
                    f"{table.name} on {self._target_info.name}: {difference}",
                    f"Make the indexes like those on {self._source_info.name} and run again.",
                )


@dataclasses.dataclass
class _Split:
    """A table that is being copied in parts.

    :param left: parts that are not over.
    :param read: what the parts that are over have read.
    """

    started: float
    left: int
    read: seed_worker.Read
    failed: bool = False


class _Round:
    """The processes of one round and what they are given to do."""

    def __init__(
        self,
        seeder: Seeder,
        source: pg.Session,
        target: pg.Session,
        plan: Plan,
        failures: _Failures,
    ) -> None:
        self._seeder = seeder
        self._source = source
        self._target = target
        self._plan = plan
        self._failures = failures
        self._options = seeder._options
        self._progress = seeder._progress
        self._pool: Pool | None = None
        self._copies: collections.deque[Message] = collections.deque()
        self._builds: collections.deque[Message] = collections.deque()
        self._waiting: collections.Counter[TableName] = collections.Counter()
        self._splits: dict[int, _Split] = {}
        # How many transactions have still to read a table, by job.
        self._unread: dict[int, int] = {}
        self._finished: set[int] = set()
        self._snapshot_since: float | None = None
        self._shares: dict[int, int] = {}
        self._read: collections.Counter[int] = collections.Counter()
        self._rates: collections.deque[tuple[float, int]] = collections.deque(maxlen=10)
        self._reported = 0.0
        self._noted = 0.0
        self._spawned = 0
        self._spare_processors = (os.cpu_count() or 1) > seeder._workers
        jobs = plan.jobs
        self._progress.tables_total = len(jobs) + len(seeder._done)
        self._progress.bytes_total = sum(job.source.bytes for job in jobs) + sum(
            done["size"] for done in seeder._done.values()
        )
        self.run = ledger.begin_run(
            target, plan.today.source, self._progress.tables_total, self._progress.bytes_total
        )
        encoding = str(source.value("SELECT pg_catalog.current_setting('server_encoding')"))
        method = rowhash.agree([source, target])
        lz4 = self._options.lz4 and bool(
            target.value(
                "SELECT 'lz4' = ANY (enumvals) FROM pg_catalog.pg_settings"
                " WHERE name = 'default_toast_compression'"
            )
        )
        source_types, target_types = rowhash.read_types(source), rowhash.read_types(target)
        snapshot = self._take_snapshot() if jobs else ""
        self._counters = seed_worker.Counters(seeder._workers)
        self._settings = seed_worker.Settings(
            # Converted, and validated, only once: by the target.
            source=seeder._source_info.with_params(client_encoding=encoding),
            target=seeder._target_info.with_params(client_encoding=encoding),
            target_name=seeder._target_info.name,
            today=plan.today,
            snapshot=snapshot,
            jobs=jobs,
            source_types=source_types,
            target_types=target_types,
            method=method,
            application_name=seeder._name,
            proof=self._options.proof,
            rate_limit=self._options.rate_limit,
            lock_timeout=self._options.lock_timeout,
            maintenance_work_mem=self._options.maintenance_work_mem,
            lz4=lz4,
            counters=self._counters,
        )

    def _take_snapshot(self) -> str:
        self._source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = str(self._source.value("SELECT pg_catalog.pg_export_snapshot()"))
        self._snapshot_since = time.monotonic()
        ledger.update_run(self._target, self.run, phase="copy")
        self._target.execute(
            "UPDATE multimaster.seed_run SET snapshot_at = pg_catalog.clock_timestamp()"
            " WHERE id = %s",
            (self.run,),
        )
        return snapshot

    def _release_snapshot(self) -> None:
        if self._snapshot_since is None:
            return
        self._seeder._outcome.snapshot_seconds = round(
            max(self._seeder._outcome.snapshot_seconds, time.monotonic() - self._snapshot_since),
            3,
        )
        self._snapshot_since = None
        self._source.execute("COMMIT")

    def close(self) -> None:
        """End all processes."""
        if self._pool is not None:
            self._pool.close()

    def copy(self) -> None:
        """Copy every table of the plan and build its indexes."""
        batches = seed_plan.batches(self._plan.jobs, self._seeder._workers)
        numbers = {job.name: number for number, job in enumerate(self._plan.jobs)}
        for batch in batches:
            what = "begin" if batch[0].parts else "copy"
            self._copies.append({"do": what, "jobs": [numbers[job.name] for job in batch]})
        self._unread = dict.fromkeys(numbers.values(), 1)
        for name, indexes in self._plan.unfinished:
            self._build(name, indexes)
        self._progress.phase = "copy" if self._plan.jobs else "indexes"
        self._work()
        self._release_snapshot()

    def analyze_parents(self, there: t.Sequence[Table]) -> None:
        """Gather the statistics of partitioned tables, which nothing else ever does.

        :param there: the target's tables.
        """
        seeded = self._seeder._done
        for table in there:
            if seeded and table.kind == "p" and not table.is_partition:
                self._builds.append(
                    {"do": "analyze", "schema": table.name.schema, "name": table.name.name}
                )
        self._work()
        if self._failures.later:
            raise ConnectionFailed(self._failures.text)

    def refresh(self) -> None:
        """Fill the materialized views that the source has filled, each after those it reads.

        On a master that is in use, only those that lack rows which this run has brought: readers
        of a view wait for its refresh.
        """
        here = seed_read.read_materialized_views(self._source)
        there = seed_read.read_materialized_views(self._target)
        seeded = set(ledger.seeded_in(self._target, self.run))
        names = seed_plan.order_by_dependency(
            (
                name
                for name, view in there.items()
                if name in here
                and here[name].populated
                and (not view.populated or view.reads & seeded)
            ),
            {name: view.depends for name, view in here.items()},
        )
        self._progress.phase = "refresh"
        for name in names:
            self._builds.append({"do": "refresh", "schema": name.schema, "name": name.name})
            before = len(self._failures.for_good)
            self._work()
            if self._failures.later:
                raise ConnectionFailed(self._failures.text)
            if len(self._failures.for_good) == before:
                self._seeder._outcome.materialized_views.append(str(name))
            else:
                # Not data of its own; it may well fail on the source in the same way.
                self._seeder._outcome.warnings.append(self._failures.for_good.pop())

    def _build(self, name: TableName, indexes: t.Sequence[seed_plan.IndexFacts]) -> None:
        for index in indexes:
            self._builds.append(
                {
                    "do": "index",
                    "schema": index.name.schema,
                    "name": index.name.name,
                    "table": [name.schema, name.name],
                }
            )
        self._waiting[name] = len(indexes)
        self._progress.indexes_total += len(indexes)
        if not indexes:
            self._finish(name)

    def _finish(self, name: TableName) -> None:
        del self._waiting[name]
        self._builds.append({"do": "finish", "schema": name.schema, "name": name.name})

    # The loop

    def _work(self) -> None:
        if not (self._copies or self._builds):
            return
        if self._pool is None:
            size = max(1, min(self._seeder._workers, self._most_tasks()))
            inherited = [s.connection.fileno() for s in (self._source, self._target)]
            self._pool = Pool(size, self._serve, inherited)
        while True:
            self._hand_out()
            if all(process.task is None for process in self._pool.processes):
                break
            for process, message in self._pool.events(0.25):
                self._handle(process, message)
            self._seeder._check_wanted()
            self._tell()
        self._tell(force=True)

    def _most_tasks(self) -> int:
        more = sum(len(job.defer) + len(job.rebuild) + len(job.parts) for job in self._plan.jobs)
        return len(self._copies) + len(self._builds) + more

    def _serve(self, channel: Channel, slot: int) -> None:
        seed_worker.Worker(self._settings, channel, slot).run()

    def _hand_out(self) -> None:
        if self._pool is None:
            raise AssertionError
        processes = self._pool.processes
        copying = sum(p.task is not None and p.task["do"] in ("begin", "copy") for p in processes)
        for process in self._pool.idle():
            # Indexes first: their table is still in the server's memory. But one of several workers
            # always copies, or a long queue of indexes would keep the snapshot from being released.
            if self._builds and (copying or not self._copies or len(processes) == 1):
                task = self._builds.popleft()
                # Helpers of an index build cost more processor time than they save; they are good
                # where nothing else wants the processors.
                waiting = bool(self._copies or self._builds)
                task["parallel"] = self._spare_processors or not waiting
                self._pool.give(process, task)
            elif self._copies:
                self._pool.give(process, self._copies.popleft())
                copying += 1

    def _handle(self, process: Process, message: Message | None) -> None:
        if self._pool is None:
            raise AssertionError
        task = process.task
        if message is None:
            if self._spawned < 2 * self._seeder._workers:
                self._spawned += 1
                self._pool.spawn(process.slot)
            self._counters.reading(process.slot, None)
            if task is not None:
                self._failed(task, {"why": seed_worker.LOST, "text": "A worker process was killed"})
            if not self._pool.processes:
                for left in (*self._copies, *self._builds):
                    self._later(seed_worker.LOST, left)
                self._copies.clear()
                self._builds.clear()
            return
        if message["event"] == "read":
            if task is not None and "part" in task:
                self._read[task["jobs"][0]] += message["bytes"]
            self._note_read(message["jobs"])
            return
        process.task = None
        if task is None:
            raise AssertionError
        if message["event"] == "failed":
            self._failed(task, message)
        else:
            self._succeeded(task, message)

    def _note_read(self, jobs: t.Iterable[int], failed: bool = False) -> None:
        """The origin shall not keep old row versions for us longer than we read."""
        for number in jobs:
            left = 0 if failed else self._unread.get(number, 0) - 1
            self._unread[number] = left
            if left <= 0:
                del self._unread[number]
        if not self._unread and not self._copies:
            self._release_snapshot()

    def _succeeded(self, task: Message, message: Message) -> None:
        self._seeder._outcome.discarded += message.get("discarded", 0)
        if task["do"] == "begin":
            self._split(task["jobs"][0])
        elif "part" in task:
            split = self._splits[task["jobs"][0]]
            split.read += seed_worker.Read.of(message)
            self._part_is_over(task["jobs"][0])
        elif task["do"] in ("copy", "prove"):
            for table in message["tables"]:
                self._copied(table)
        elif task["do"] == "index":
            name = TableName(*task["table"])
            self._progress.indexes_done += 1
            self._seeder._outcome.indexes_built += 1
            self._waiting[name] -= 1
            if not self._waiting[name]:
                self._finish(name)

    def _split(self, number: int) -> None:
        parts = self._plan.jobs[number].parts
        nothing = seed_worker.Read(0, 0, (0, "0") if self._options.proof else None)
        self._splits[number] = _Split(time.monotonic(), len(parts), nothing)
        self._unread[number] = len(parts)
        tasks: list[Message] = [{"do": "copy", "jobs": [number], "part": part} for part in parts]
        self._copies.extendleft(reversed(tasks))

    def _part_is_over(self, number: int) -> None:
        """When all parts are, prove the table; if one failed, take away what the others left."""
        split = self._splits[number]
        split.left -= 1
        if split.left:
            return
        task: Message = {"do": "empty", "jobs": [number]}
        if split.failed:
            self._shares.pop(number, None)
        else:
            task = {"do": "prove", "jobs": [number], "started": split.started}
            task["read"] = vars(split.read)
        self._builds.appendleft(task)

    def _copied(self, table: Message) -> None:
        number = table["job"]
        job = self._plan.jobs[number]
        self._finished.add(number)
        self._seeder._done[job.name] = {
            "table": str(job.name),
            "rows": table["rows"],
            "bytes": table["bytes"],
            "size": job.source.bytes,
            "seconds": table["seconds"],
            "format": job.format,
            "reason": job.reason,
            "index_mode": job.index_mode,
            "parts": max(1, len(job.parts)),
        }
        if table["state"] == ledger.COPIED:
            self._build(job.name, job.defer + job.rebuild)

    def _failed(self, task: Message, message: Message) -> None:
        why, text = message["why"], message.get("text", "")
        jobs: list[int] = task.get("jobs", [])
        for number in jobs:
            self._shares.pop(number, None)
        if len(jobs) > 1 and why != seed_worker.LOST:
            # One of them is to blame; the others must not suffer.
            self._copies.extend({"do": "copy", "jobs": [number]} for number in jobs)
            self._unread.update((number, 1) for number in jobs)
            return
        split = self._splits.get(jobs[0]) if jobs else None
        # Of the parts of a table the first failure says it all.
        if split is None or not split.failed or task["do"] == "empty":
            if why == seed_worker.FAILED:
                name = self._names(task)[0]
                self._failures.for_good.append(text if name in text else f"{name}: {text}")
            else:
                self._later(why, task)
                self._failures.text = text
        if split is not None:
            self._failed_in_parts(task, split)
        self._note_read(jobs, failed=True)

    def _failed_in_parts(self, task: Message, split: _Split) -> None:
        """Give up the parts that nobody has begun, and wait for the others."""
        number = task["jobs"][0]
        split.failed = True
        if task["do"] == "prove":
            self._builds.appendleft({"do": "empty", "jobs": [number]})
        elif task["do"] == "copy":
            kept = [other for other in self._copies if other["jobs"] != [number]]
            split.left -= len(self._copies) - len(kept)
            self._copies = collections.deque(kept)
            self._part_is_over(number)

    def _later(self, why: str, task: Message) -> None:
        known = self._failures.later[why]
        known += [name for name in self._names(task) if name not in known]

    def _names(self, task: Message) -> list[str]:
        if "jobs" in task:
            return [str(self._plan.jobs[number].name) for number in task["jobs"]]
        return [str(TableName(task["schema"], task["name"]))]

    # Progress

    def _tell(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        self._measure(now)
        self._seeder._report(self._progress)
        if force or now - self._noted >= _LEDGER_EVERY:
            self._noted = now
            progress = self._progress
            ledger.update_run(
                self._target,
                self.run,
                phase=progress.phase,
                tables_done=progress.tables_done,
                bytes_done=progress.bytes_done,
                current_tables=progress.current[:10],
            )

    def _measure(self, now: float) -> None:
        if self._pool is None:
            raise AssertionError
        progress = self._progress
        current = self._counters.current()
        done = self._seeder._done
        progress.tables_done = len(done)
        for number, count in current.items():
            share = self._share(number, count + self._read[number])
            self._shares[number] = max(share, self._shares.get(number, 0))
        # What was read counts until its commit: between them lies the proof.
        progress.bytes_done = sum(entry["size"] for entry in done.values()) + sum(
            share for number, share in self._shares.items() if number not in self._finished
        )
        progress.streamed = self._counters.total()
        self._rates.append((now, progress.streamed))
        (then, earlier), span = self._rates[0], now - self._rates[0][0]
        progress.rate = (progress.streamed - earlier) / span if span > 0 and then else 0.0
        progress.elapsed = round(now - self._seeder._started, 1)
        progress.snapshot_age = (
            None if self._snapshot_since is None else round(now - self._snapshot_since, 1)
        )
        spent = now - (
            self._seeder._started if self._snapshot_since is None else self._snapshot_since
        )
        left = progress.bytes_total - progress.bytes_done
        # The first few bytes say nothing about the pace.
        known = progress.bytes_done * 100 >= progress.bytes_total
        progress.remaining = round(spent * left / max(1, progress.bytes_done), 1) if known else None
        tasks = [process.task for process in self._pool.processes if process.task]
        working = {self._describe(task, current) for task in tasks}
        working |= {str(self._plan.jobs[number].name) for number in current}
        progress.current = sorted(working - {""})
        if progress.phase in ("copy", "indexes"):
            copying = any("jobs" in task for task in tasks) or bool(self._copies)
            progress.phase = "copy" if copying else "indexes"

    def _describe(self, task: Message, current: t.Collection[int]) -> str:
        if any(number in current for number in task.get("jobs", ())):
            return ""  # named by what is being read
        return self._names(task)[0]

    def _share(self, number: int, count: int) -> int:
        """How much of a table's size the bytes read so far stand for: never all of it, since the
        stream may be longer than the table (it is not compressed)."""
        size = self._plan.jobs[number].source.bytes
        return min(count, int(size * 0.98))


def _passing(error: MultimasterError) -> bool:
    """Whether another try may help."""
    return not isinstance(error, StatementFailed) or error.sqlstate in seed_worker.RETRY


def _planned(job: Job) -> dict[str, t.Any]:
    return {
        "table": str(job.name),
        "rows": max(0, job.source.rows),
        "size": job.source.bytes,
        "format": job.format,
        "reason": job.reason,
        "index_mode": job.index_mode,
        "parts": max(1, len(job.parts)),
    }


def _gave_up(failures: _Failures, rounds: int) -> MultimasterError:
    words = {
        seed_worker.LOCKED: "locked by others",
        seed_worker.MOVED: "truncated or rewritten again and again",
        seed_worker.LOST: "connections were lost",
    }
    parts = []
    for why, names in failures.later.items():
        named = listed(name for name in names if name)
        parts.append(f"{named}: {words[why]}" if named else words[why])
    return MultimasterError(
        f"Not everything could be seeded in {rounds} rounds: {'; '.join(parts)}."
        f" Last error: {failures.text or 'none'}",
        "Finished tables are kept; run the task again.",
        changed=True,
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One process of a seed: copies tables, proves them equal, builds indexes."""

from __future__ import annotations

import dataclasses
import time
import traceback
import typing as t

from .._common.errors import ConnectionFailed, MultimasterError, StatementFailed
from .._common.text import listed
from .._ledger import ledger, states
from .._postgres import pg, sql
from .._postgres.proof import PROOF
from . import kept, statements
from . import target as seed_target
from .connections import Connections, Settings
from .copy import Feeder, Moved, sums
from .plan import Job, Part
from .pool import Channel, tasks_of
from .tasks import (
    FAILED,
    LOCKED,
    LOST,
    MOVED,
    Analyze,
    BeginParts,
    BuildIndex,
    CopyPart,
    CopyTables,
    Done,
    EmptyTable,
    Event,
    Failed,
    FinishTable,
    Message,
    PartCopied,
    PartsBegun,
    Proven,
    ProvenTable,
    ProveParts,
    Read,
    Refresh,
    SourceRead,
    Task,
    task_of,
    to_message,
)

# SQLSTATEs that another try may mend.
RETRY = frozenset(
    {
        "40001",  # serialization_failure
        pg.DEADLOCK_DETECTED,
        "53300",  # too_many_connections
        "55000",  # object_not_in_prerequisite_state: the exported snapshot is gone
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "72000",  # snapshot_too_old: old_snapshot_threshold, before 17
        "22023",  # invalid_parameter_value: the same, as newer servers say it
    }
)


class Mismatch(MultimasterError):
    """What arrived is not what was sent."""


def failed(error: Exception) -> Failed:
    """What a task's exception means to the round, with all that helps to find its cause."""
    if isinstance(error, Moved):
        return Failed(MOVED)
    if not isinstance(error, MultimasterError):
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return Failed(FAILED, f"{type(error).__name__}: {error}", {"traceback": trace})
    why = FAILED
    if isinstance(error, ConnectionFailed):
        why = LOST
    elif isinstance(error, StatementFailed):
        if error.sqlstate == pg.LOCK_NOT_AVAILABLE:
            why = LOCKED
        elif error.sqlstate in RETRY:
            why = LOST
    return Failed(why, error.one_line, {name: str(said) for name, said in error.details.items()})


class Worker:
    """Works on the tasks that come through the channel, until the other end is gone."""

    def __init__(
        self, settings: Settings, connections: Connections, channel: Channel, slot: int
    ) -> None:
        self._settings = settings
        self._connections = connections
        self._channel = channel
        self._slot = slot
        self._handlers: dict[type, t.Callable[[t.Any], Event]] = {
            CopyTables: self._copy_tables,
            BeginParts: self._begin_parts,
            CopyPart: self._copy_part,
            ProveParts: self._prove_parts,
            EmptyTable: self._empty_table,
            BuildIndex: self._build_index,
            FinishTable: self._finish_table,
            Analyze: self._analyze,
            Refresh: self._refresh,
        }

    def run(self) -> None:
        """Never returns."""
        tasks_of(self._channel, self._answer)

    def _answer(self, message: Message) -> None:
        self._channel.send(to_message(self.do(task_of(message))))

    def do(self, task: Task) -> Event:
        """Work on a task; whatever happens, the answer tells of it."""
        try:
            return self._handlers[type(task)](task)
        except Exception as error:
            # After that nobody knows what state it is in; the source's is ended by its reader.
            if not isinstance(error, Moved):
                self._connections.drop_target()
            return failed(error)

    # Whole tables

    def _copy_tables(self, task: CopyTables) -> Event:
        target = self._connections.target()
        self._prepare(target, self._jobs(task.jobs))
        started = time.monotonic()

        def load(feeder: Feeder) -> Event:
            discarded, aside = self._take(target, task.jobs)
            # Under the lock: whoever writes later has seen what is loaded now.
            seen_here = str(target.value(kept.SEEN)) if self._keeps(task.jobs) else None
            rows = self._load(target, feeder, task.jobs)
            proven = self._prove(target, rows, feeder.finish, started, discarded, seen_here)
            if aside:
                # The proof has set another path.
                target.execute(sql.DATABASE_PATH)
                kept.put_back(target, aside, self._jobs(task.jobs))
            return dataclasses.replace(proven, kept=sum(one.count for one in aside))

        return self._fed(target, task.jobs, None, load)

    def _fed(
        self,
        target: pg.Session,
        numbers: t.Sequence[int],
        part: Part | None,
        load: t.Callable[[Feeder], Event],
    ) -> Event:
        """Load in one transaction of the target what a thread reads from the source."""
        feeder = Feeder(
            self._connections,
            self._settings,
            self._slot,
            numbers,
            part,
            lambda count: self._channel.send(to_message(SourceRead(tuple(numbers), count))),
        )
        feeder.start()
        try:
            with target.transaction():
                return load(feeder)
        except BaseException:
            # What the source said comes first: the target only repeats that its input ended.
            failure = feeder.failure
            feeder.stop()
            if failure is not None:
                raise failure from None
            raise

    def _take(self, target: pg.Session, numbers: t.Sequence[int]) -> tuple[int, list[kept.Kept]]:
        """Keep writers out, and what they queued away or aside; see `seed_target.take`."""
        jobs = self._jobs(numbers)
        _run_all(target, [line for job in jobs for line in statements.before(job)])
        timeout = self._settings.options.lock_timeout
        taken = seed_target.take(target, jobs, self._settings.target_name, timeout)
        _run_all(target, [line for job in jobs for line in statements.when_locked(job)])
        return taken

    def _keeps(self, numbers: t.Iterable[int]) -> bool:
        return any(job.keep for job in self._jobs(numbers))

    def _prepare(self, target: pg.Session, jobs: t.Sequence[Job]) -> None:
        for job in jobs:
            if job.state.half:
                seed_target.empty_half(target, job)
            if job.state.target_bytes and not job.small and not job.replace:
                # Dead rows of a killed load; TRUNCATE is refused where a foreign key points here.
                target.execute(statements.vacuum(job.name))

    def _load(self, target: pg.Session, feeder: Feeder, numbers: t.Sequence[int]) -> dict[int, int]:
        """Write what comes from the source; returns the number of rows by job."""
        # Functions in indexes and constraints may rely on the database's own path.
        target.execute(sql.DATABASE_PATH)
        rows = {}
        for number, job in zip(numbers, self._jobs(numbers)):
            try:
                rows[number] = target.copy(statements.copy_in(job), feeder)
            except StatementFailed as error:
                raise StatementFailed(
                    f"{job.name}: {error.message}", sqlstate=error.sqlstate, **error.details
                ) from error
        _run_all(target, [line for job in self._jobs(numbers) for line in statements.after(job)])
        return rows

    # A table in parts: begin, then copy each part, then prove; empty if any of it failed.

    def _begin_parts(self, task: BeginParts) -> Event:
        """Make a table ready for parts, and let the ledger say so before it holds any."""
        job = self._settings.jobs[task.job]
        target = self._connections.target()
        self._prepare(target, [job])
        with target.transaction():
            discarded, _aside = self._take(target, [task.job])
            target.execute(ledger.record([self._entry(job, states.COPYING)]))
        return PartsBegun(time.monotonic(), discarded)

    def _copy_part(self, task: CopyPart) -> Event:
        target = self._connections.target()

        def load(feeder: Feeder) -> Event:
            rows = self._load(target, feeder, [task.job])
            read = feeder.finish()
            self._compare(rows, read, {task.job: read[task.job].sums})
            return PartCopied(read[task.job])

        return self._fed(target, [task.job], task.part, load)

    def _prove_parts(self, task: ProveParts) -> Event:
        read = {task.job: task.read}
        target = self._connections.target()
        with target.transaction():
            # Between the parts others could write; if nothing came of it, nothing shall be queued.
            discarded = seed_target.take_loaded(
                target, self._jobs([task.job]), self._settings.options.lock_timeout
            )
            rows = {task.job: task.read.rows}
            return self._prove(target, rows, lambda: read, task.started, discarded)

    def _empty_table(self, task: EmptyTable) -> Event:
        seed_target.empty_half(self._connections.target(), self._settings.jobs[task.job])
        return Done()

    # The proof

    def _prove(
        self,
        target: pg.Session,
        rows: t.Mapping[int, int],
        source: t.Callable[[], t.Mapping[int, Read]],
        started: float,
        discarded: int,
        seen_here: str | None = None,
    ) -> Proven:
        """Compare whole tables with what was read, and enter them into the ledger.

        :param rows: how many arrived, by job.
        :param source: waits for the source and returns what was read of each job.
        :param discarded: changes that the target had queued of these tables.
        :param seen_here: see `states.Entry`.
        """
        jobs = {number: self._settings.jobs[number] for number in rows}
        found: dict[int, tuple[int, str]] = {}
        if self._settings.options.proof:
            hashes = [(number, self._settings.target_hash(job)) for number, job in jobs.items()]
            found = sums(target, hashes)
        read = source()
        self._compare(rows, read, found)
        seconds = round((time.monotonic() - started) / len(jobs), 3)
        proof = PROOF if self._settings.options.proof else None
        entries = {
            number: self._entry(
                job,
                states.COPIED if job.defer or job.rebuild else states.SEEDED,
                how=states.ONCE if job.once else states.BY_COPY,
                rows=rows[number],
                bytes=read[number].bytes,
                hash=found[number][1] if number in found else None,
                proof=proof,
                seconds=seconds,
                seen_here=seen_here if job.keep else None,
            )
            for number, job in jobs.items()
        }
        lines = [ledger.record(list(entries.values()))]
        complete = [entry.name for entry in entries.values() if entry.state == states.SEEDED]
        if complete:
            lines.append(statements.analyze(complete))
        _run_all(target, lines)
        return Proven(
            tuple(
                ProvenTable(number, entry.rows, entry.bytes, seconds, entry.state == states.SEEDED)
                for number, entry in entries.items()
            ),
            discarded,
        )

    def _compare(
        self,
        rows: t.Mapping[int, int],
        read: t.Mapping[int, Read],
        found: t.Mapping[int, tuple[int, str] | None],
    ) -> None:
        wrong = [
            number
            for number in rows
            if rows[number] != read[number].rows or found.get(number) != read[number].sums
        ]
        if wrong:
            number = wrong[0]
            names = listed(job.name for job in self._jobs(wrong))
            count = (found.get(number) or (rows[number],))[0]
            raise Mismatch(
                f"{names}: the {count} rows that arrived are not the {read[number].rows} that"
                " were read (count and sum of hashes); nothing of it was kept",
                "Look for constraints, types or functions that differ between the servers.",
            )

    def _entry(self, job: Job, state: str, **values: t.Any) -> states.Entry:
        known = {"rows": 0, "bytes": 0, "hash": None, "seconds": 0.0, **values}
        return states.Entry(
            name=job.name,
            table_oid=job.target.oid,
            state=state,
            format=job.format,
            index_mode=job.index_mode,
            snapshot=self._settings.snapshot,
            source=self._settings.today.source,
            source_oid=job.source.oid,
            target=self._settings.today.target,
            epoch=self._settings.today.epoch,
            seen=self._settings.seen.get(job.name) if job.keep else None,
            **known,
        )

    def _jobs(self, numbers: t.Iterable[int]) -> list[Job]:
        return [self._settings.jobs[number] for number in numbers]

    # When the rows are there

    def _build_index(self, task: BuildIndex) -> Event:
        _run_all(self._connections.target(), [statements.reindex(task.index, task.parallel)])
        return Done()

    def _finish_table(self, task: FinishTable) -> Event:
        target = self._connections.target()
        with target.transaction():
            _run_all(target, [ledger.mark_seeded(task.table), statements.analyze([task.table])])
        return Done()

    def _analyze(self, task: Analyze) -> Event:
        _run_all(self._connections.target(), [statements.analyze([task.table])])
        return Done()

    def _refresh(self, task: Refresh) -> Event:
        target = self._connections.target()
        _run_all(target, [statements.refresh(task.view)])
        _run_all(target, [statements.analyze([task.view])])
        return Done()


def _run_all(session: pg.Session, lines: t.Sequence[t.Any]) -> None:
    """Several statements in one round trip."""
    if lines:
        session.execute(sql.together(lines))

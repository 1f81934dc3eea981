# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""One process of a seed: copies tables, proves them equal, builds indexes.

A thread reads from the source, the main thread writes to the target; between them a short queue of
chunks, so memory does not depend on the size of tables or rows' number, and the source is already
read while the target still works on what came before.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import mmap
import os
import queue
import socket
import threading
import time
import typing as t

from .._common.errors import ConnectionFailed, MultimasterError, StatementFailed
from .._common.names import TableName
from .._common.text import listed
from .._ledger import ledger, membership
from .._postgres import pg, rowhash
from .._postgres.conninfo import ConnInfo
from .._postgres.tables import Table
from . import target as seed_target
from .plan import BINARY, Job, Part
from .pool import Channel, Message, tasks_of

# Bytes that go through the queue at once, and how many such chunks it holds.
CHUNK = 256 << 10
_CHUNKS = 16

# Tables whose sums one statement takes: the time to plan it grows faster than their number.
_UNION = 50

# How a task can fail.
LOCKED = "locked"  # a lock on the source, or the target, was not to be had in time; try later
MOVED = "moved"  # truncated or rewritten since the snapshot; needs a new one
LOST = "lost"  # a connection or a server went away; try again
FAILED = "failed"  # trying again would not help
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


class Counters:
    """Numbers that all processes of a seed see: what each one is reading just now."""

    _CELLS = 4  # per worker: bytes in all, 1 while reading, bytes of this table, job + 1

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._memory = mmap.mmap(-1, workers * self._CELLS * 8)
        self._cells = memoryview(self._memory).cast("q")

    def add(self, slot: int, count: int) -> None:
        """Note bytes that came from the source."""
        self._cells[slot * self._CELLS] += count
        self._cells[slot * self._CELLS + 2] += count

    def reading(self, slot: int, job: int | None) -> None:
        """Note that a table is begun, or that this worker reads nothing."""
        base = slot * self._CELLS
        self._cells[base + 1] = int(job is not None)
        self._cells[base + 2] = 0
        self._cells[base + 3] = 0 if job is None else job + 1

    def hashing(self, slot: int) -> None:
        """Note that this worker has read its table, and takes no share of the rate any more."""
        self._cells[slot * self._CELLS + 1] = 0

    def readers(self) -> int:
        """How many workers are reading."""
        return sum(self._cells[slot * self._CELLS + 1] for slot in range(self.workers))

    def total(self) -> int:
        """Bytes read by all workers."""
        return sum(self._cells[slot * self._CELLS] for slot in range(self.workers))

    def current(self) -> dict[int, int]:
        """Job to bytes, for the tables that are being read, perhaps by several workers."""
        found: dict[int, int] = {}
        for slot in range(self.workers):
            base = slot * self._CELLS
            if self._cells[base + 3]:
                job = self._cells[base + 3] - 1
                found[job] = found.get(job, 0) + self._cells[base + 2]
        return found


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read of a table, or of parts of it.

    :param rows: as COPY counted them.
    :param bytes: as they came from the source.
    :param sums: count and sum of row hashes, None without proof.
    """

    rows: int
    bytes: int
    sums: tuple[int, str] | None

    def __add__(self, other: Read) -> Read:
        sums = None
        if self.sums is not None and other.sums is not None:
            # An exact number that PostgreSQL wrote as text.
            sums = (
                self.sums[0] + other.sums[0],
                str(int(self.sums[1]) + int(other.sums[1])),
            )
        return Read(self.rows + other.rows, self.bytes + other.bytes, sums)

    @classmethod
    def of(cls, message: Message) -> Read:
        """From C(vars()) of another process."""
        return cls(
            message["rows"], message["bytes"], tuple(message["sums"]) if message["sums"] else None
        )


@dataclasses.dataclass(frozen=True)
class Settings:
    """What every worker of a seed knows.

    :param sides: types of source and target.
    :param rate_limit: bytes per second from the source, over all workers; 0 = no limit.
    :param lock_timeout: milliseconds to wait for a lock on the source.
    """

    source: ConnInfo
    target: ConnInfo
    target_name: str
    today: membership.Today
    snapshot: str
    jobs: t.Sequence[Job]
    source_types: rowhash.Types
    target_types: rowhash.Types
    method: rowhash.Method
    application_name: str
    proof: bool
    rate_limit: int
    lock_timeout: int
    maintenance_work_mem: str
    lz4: bool
    counters: Counters


class Mismatch(MultimasterError):
    """What arrived is not what was sent."""


class _Moved(Exception):
    """Tables that are not those of the snapshot any more."""

    def __init__(self, jobs: t.Sequence[int]) -> None:
        super().__init__()
        self.jobs = jobs


class _Stopped(Exception):
    """The target failed, so the source need not be read any further."""


def set_for_session(session: pg.Session, settings: t.Mapping[str, str]) -> None:
    """Set parameters that the server knows, in one round trip; unknown ones are left out."""
    session.execute(
        "SELECT pg_catalog.set_config(s.name, v.value, false)"
        "  FROM unnest(%s::text[], %s::text[]) AS v (name, value)"
        "  JOIN pg_catalog.pg_settings s ON s.name = v.name",
        (list(settings), list(settings.values())),
    )


# A server that waits for nobody: it looks for its client while it computes, and finds a dead
# network within half a minute.
_WATCHFUL = {
    "client_connection_check_interval": "1s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",
}
_KEEPALIVES = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def connect(conninfo: ConnInfo, application_name: str) -> pg.Session:
    """A session that notices within half a minute when the other end is gone."""
    missing = {k: v for k, v in _KEEPALIVES.items() if k not in conninfo.params}
    session = pg.Session(conninfo.with_params(**missing), application_name)
    set_for_session(session, _WATCHFUL)
    return session


class _Sink(io.RawIOBase):
    """The end of the source: passes on chunks, counts them and keeps the pace."""

    def __init__(self, put: t.Callable[[t.Any], None], settings: Settings, slot: int) -> None:
        super().__init__()
        self._put = put
        self._settings = settings
        self._slot = slot
        self._next = 0.0
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: t.Any) -> int:
        chunk = bytes(data)
        self.bytes += len(chunk)
        self._settings.counters.add(self._slot, len(chunk))
        if self._settings.rate_limit:
            share = self._settings.rate_limit / max(1, self._settings.counters.readers())
            now = time.monotonic()
            if self._next > now:
                time.sleep(self._next - now)
            self._next = max(self._next, now) + len(chunk) / share
        self._put(chunk)
        return len(chunk)


class _Feeder(threading.Thread):
    """Reads tables from the source, in one transaction on the exported snapshot.

    Puts chunks into the queue, None at the end of each table, and its exception when it fails.
    """

    def __init__(self, worker: Worker, jobs: t.Sequence[int], part: Part | None) -> None:
        super().__init__(daemon=True)
        self._worker = worker
        self._jobs = jobs
        self._part = part
        self._queue: queue.Queue[t.Any] = queue.Queue(_CHUNKS)
        self._stop_asked = threading.Event()
        self._left = b""
        self.failure: BaseException | None = None
        self._read: dict[int, Read] = {}

    def run(self) -> None:
        try:
            self._feed()
        except BaseException as error:
            self.failure = error
            with contextlib.suppress(_Stopped):
                self._put(error)

    def _feed(self) -> None:
        worker = self._worker
        settings = worker.settings
        session = worker.source()
        jobs = [settings.jobs[i] for i in self._jobs]
        self._begin(session, jobs)
        try:
            for number, job in zip(self._jobs, jobs):
                settings.counters.reading(worker.slot, number)
                sink = _Sink(self._put, settings, worker.slot)
                # C(RawIOBase.write) once per chunk instead of once per row.
                stream = io.BufferedWriter(sink, CHUNK)
                rows = session.copy(_copy_out(job, self._part), stream)
                stream.flush()
                self._read[number] = Read(rows, sink.bytes, None)
                self._put(None)
            settings.counters.hashing(worker.slot)
            if settings.proof:
                pairs = [(number, job.source) for number, job in zip(self._jobs, jobs)]
                for number, found in sums(session, pairs, worker, True, self._part).items():
                    self._read[number] = dataclasses.replace(self._read[number], sums=found)
            session.execute("COMMIT")
        finally:
            settings.counters.reading(worker.slot, None)
        count = sum(read.bytes for read in self._read.values())
        worker.channel.send({"event": "read", "jobs": list(self._jobs), "bytes": count})

    def _begin(self, session: pg.Session, jobs: t.Sequence[Job]) -> None:
        """Enter the snapshot and make sure that the tables are still those that it saw.

        An old snapshot sees nothing of the rows of a table that was truncated or rewritten later.
        """
        sql = pg.sql
        oids = [job.source.oid for job in jobs]
        rows = session.rows(
            sql.SQL(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {};"
                " LOCK TABLE {} IN ACCESS SHARE MODE;"
                " SELECT o.oid::bigint AS oid,"
                "        COALESCE(pg_catalog.pg_relation_filenode(o.oid), 0)::bigint AS filenode"
                "   FROM unnest({}::bigint[]::oid[]) AS o (oid)"
            ).format(
                sql.Literal(self._worker.settings.snapshot),
                sql.SQL(", ").join(
                    sql.SQL("ONLY {}").format(sql.Identifier(job.name.schema, job.name.name))
                    for job in jobs
                ),
                sql.Literal(oids),
            )
        )
        now = {row["oid"]: row["filenode"] for row in rows}
        moved = [
            number
            for number, job in zip(self._jobs, jobs)
            if now.get(job.source.oid) != job.state.filenode
        ]
        if moved:
            raise _Moved(moved)

    def _put(self, item: t.Any) -> None:
        while True:
            if self._stop_asked.is_set():
                raise _Stopped()
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.5)
                return

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the current table, b"" at its end."""
        if not self._left:
            item = self._queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return b""
            self._left = item
        if size < 0 or len(self._left) <= size:
            data, self._left = self._left, b""
        else:
            data, self._left = self._left[:size], self._left[size:]
        return data

    def finish(self) -> dict[int, Read]:
        """Wait for the thread's end and return what it read, by job."""
        self.join()
        if self.failure is not None:
            raise self.failure
        return self._read

    def stop(self) -> None:
        """End the thread, wherever it is, and its session, which may be amid a COPY."""
        self._stop_asked.set()
        if self.is_alive():
            self._worker.abort_source()
        self.join()
        self._worker.drop_source()


def _copy_out(job: Job, part: Part | None) -> t.Any:
    if part is None:
        return _copy(job, _relation(job), "TO STDOUT")
    sql = pg.sql
    query = sql.SQL("(SELECT {} FROM ONLY {}{})").format(
        _columns(job), sql.Identifier(job.name.schema, job.name.name), _within(part)
    )
    return _copy(job, query, "TO STDOUT")


def _copy_in(job: Job) -> t.Any:
    return _copy(job, _relation(job), "FROM STDIN")


def _copy(job: Job, what: t.Any, direction: str) -> t.Any:
    sql = pg.sql
    options = " (FORMAT binary)" if job.format == BINARY else ""
    return sql.SQL("COPY {} {}").format(what, sql.SQL(direction + options))


def _relation(job: Job) -> t.Any:
    sql = pg.sql
    table = sql.Identifier(job.name.schema, job.name.name)
    # COPY t () is an error, COPY t of a table without columns is not.
    return sql.SQL("{} ({})").format(table, _columns(job)) if job.columns else table


def _columns(job: Job) -> t.Any:
    return pg.sql.SQL(", ").join(pg.sql.Identifier(name) for name in job.columns)


def _within(part: Part) -> t.Any:
    """The rows of a part: a row version that a snapshot sees never leaves its block."""
    sql = pg.sql
    first, end = part
    condition = sql.SQL(" WHERE ctid >= {}::pg_catalog.tid").format(sql.Literal(f"({first},0)"))
    if end is None:
        return condition
    return condition + sql.SQL(" AND ctid < {}::pg_catalog.tid").format(sql.Literal(f"({end},0)"))


def sums(
    session: pg.Session,
    tables: t.Sequence[tuple[int, Table]],
    worker: Worker,
    source: bool,
    part: Part | None = None,
) -> dict[int, tuple[int, str]]:
    """Count and sum of row hashes of several tables, or of a part of one."""
    sql = pg.sql
    settings = worker.settings
    lines = [
        sql.SQL("SELECT {} AS job, s.rows, s.hash FROM ({}{}) AS s").format(
            sql.Literal(number),
            rowhash.aggregate(
                table,
                settings.source_types if source else settings.target_types,
                settings.method,
                worker.as_text(number),
            ),
            # The aggregate ends with its FROM.
            sql.SQL("") if part is None else _within(part),
        )
        for number, table in tables
    ]
    # Text of reg* types depends on search_path, and the load before it needed the database's.
    path = sql.SQL("SET search_path TO pg_catalog; ")
    found = {}
    for start in range(0, len(lines), _UNION):
        statement = path + sql.SQL(" UNION ALL ").join(lines[start : start + _UNION])
        found.update({row["job"]: (row["rows"], row["hash"]) for row in session.rows(statement)})
    return found


class Worker:
    """Works on the tasks that come through the channel, until the other end is gone."""

    def __init__(self, settings: Settings, channel: Channel, slot: int) -> None:
        self.settings = settings
        self.channel = channel
        self.slot = slot
        self._source: pg.Session | None = None
        self._target: pg.Session | None = None

    def run(self) -> None:
        """Never returns."""
        tasks_of(self.channel, self._do)

    def _do(self, task: Message) -> None:
        try:
            answer = getattr(self, "_task_" + task["do"])(task) or {}
            self.channel.send({"event": "done", **answer})
        except _Moved as moved:
            self.channel.send({"event": "failed", "why": MOVED, "jobs": list(moved.jobs)})
        except MultimasterError as error:
            self._report(error)
        except Exception as error:
            self._drop_target()
            self.channel.send(
                {"event": "failed", "why": FAILED, "text": f"{type(error).__name__}: {error}"}
            )

    def _report(self, error: MultimasterError) -> None:
        why = FAILED
        if isinstance(error, ConnectionFailed):
            why = LOST
        elif isinstance(error, StatementFailed):
            if error.sqlstate == pg.LOCK_NOT_AVAILABLE:
                why = LOCKED
            elif error.sqlstate in RETRY:
                why = LOST
        self._drop_target()
        self.channel.send({"event": "failed", "why": why, "text": error.one_line})

    # Connections, opened here and not before the fork, which TLS would not survive.

    def source(self) -> pg.Session:
        """The session on the source."""
        if self._source is None:
            settings = self.settings
            session = connect(settings.source, settings.application_name)
            rowhash.pin_session(session)
            set_for_session(
                session,
                {
                    "lock_timeout": str(settings.lock_timeout),
                    # The origin has other work to do.
                    "max_parallel_workers_per_gather": "0",
                },
            )
            self._source = session
        return self._source

    def abort_source(self) -> None:
        """Make whoever waits for the source fail at once, and the server when it next sends."""
        if self._source is not None:
            with contextlib.suppress(Exception):
                descriptor = os.dup(self._source.connection.fileno())
                with socket.socket(fileno=descriptor) as sock:
                    sock.shutdown(socket.SHUT_RDWR)

    def drop_source(self) -> None:
        """Close the session on the source."""
        session, self._source = self._source, None
        if session is not None:
            session.close()

    def _drop_target(self) -> None:
        session, self._target = self._target, None
        if session is not None:
            session.close()

    def target(self) -> pg.Session:
        """The session on the target."""
        if self._target is None:
            settings = self.settings
            session = connect(settings.target, settings.application_name)
            rowhash.pin_session(session)
            wanted = {
                "session_replication_role": "replica",
                "default_transaction_read_only": "off",
                # The run's last commit waits for the disk, and so for all before it.
                "synchronous_commit": "off",
                "maintenance_work_mem": settings.maintenance_work_mem,
            }
            if settings.lz4:
                wanted["default_toast_compression"] = "lz4"
            set_for_session(session, wanted)
            self._target = session
        return self._target

    def as_text(self, number: int) -> frozenset[str]:
        """Columns to hash through their text, since the servers would hash them differently."""
        job = self.settings.jobs[number]
        return rowhash.columns_as_text(
            [(job.source, self.settings.source_types), (job.target, self.settings.target_types)]
        )

    # Tasks

    def _task_copy(self, task: Message) -> Message:
        numbers: list[int] = task["jobs"]
        part: Part | None = task.get("part")
        target = self.target()
        if part is None:
            self._prepare(target, [self.settings.jobs[number] for number in numbers])
        feeder = _Feeder(self, numbers, part)
        started = time.monotonic()
        feeder.start()
        try:
            with target.transaction():
                discarded = self._take(target, numbers) if part is None else 0
                rows = self._load(target, feeder, numbers)
                if part is None:
                    return self._prove(target, rows, feeder.finish, started, discarded)
                read = feeder.finish()
                self._compare(rows, read, {number: read[number].sums for number in numbers})
        except BaseException:
            # What the source said comes first: the target only repeats that its input ended.
            failure = feeder.failure
            feeder.stop()
            if failure is not None:
                raise failure from None
            raise
        return vars(read[numbers[0]])

    # A table in parts: begin, then copy for each part, then prove; empty if any of it failed.

    def _task_begin(self, task: Message) -> Message:
        """Make a table ready for parts, and let the ledger say so before it holds any."""
        job = self.settings.jobs[task["jobs"][0]]
        target = self.target()
        self._prepare(target, [job])
        with target.transaction():
            discarded = self._take(target, task["jobs"])
            target.execute(ledger.record([self._entry(job, ledger.COPYING)]))
        return {"discarded": discarded}

    def _task_prove(self, task: Message) -> Message:
        read = {task["jobs"][0]: Read.of(task["read"])}
        target = self.target()
        with target.transaction():
            # Between the parts others could write; if nothing came of it, nothing shall be queued.
            discarded = self._take(target, task["jobs"], loaded=True)
            rows = {number: found.rows for number, found in read.items()}
            return self._prove(target, rows, lambda: read, task["started"], discarded)

    def _task_empty(self, task: Message) -> None:
        seed_target.empty_half(self.target(), self.settings.jobs[task["jobs"][0]])

    def _take(self, target: pg.Session, numbers: t.Sequence[int], loaded: bool = False) -> int:
        """Keep writers out and discard what they queued; see C(seed_target.take)."""
        jobs = [self.settings.jobs[number] for number in numbers]
        name, timeout = self.settings.target_name, self.settings.lock_timeout
        if loaded:
            return seed_target.take_loaded(target, jobs, timeout)
        _run_all(target, [line for job in jobs for line in _before(job)])
        discarded = seed_target.take(target, jobs, name, timeout)
        for job in jobs:
            if job.defer:
                # Not before the table is emptied: TRUNCATE makes indexes ready as well.
                _defer_indexes(target, job)
        return discarded

    def _prepare(self, target: pg.Session, jobs: t.Sequence[Job]) -> None:
        sql = pg.sql
        for job in jobs:
            if job.state.half:
                seed_target.empty_half(target, job)
            if job.state.target_bytes and not job.small and not job.replace:
                # Dead rows of a killed load; TRUNCATE is refused where a foreign key points here.
                target.execute(
                    sql.SQL("VACUUM {}").format(sql.Identifier(job.name.schema, job.name.name))
                )

    def _load(
        self, target: pg.Session, feeder: _Feeder, numbers: t.Sequence[int]
    ) -> dict[int, int]:
        """Write what comes from the source; returns the number of rows by job."""
        jobs = [self.settings.jobs[number] for number in numbers]
        # Functions in indexes and constraints may rely on the database's own path.
        target.execute(pg.DATABASE_PATH)
        rows = {}
        for number, job in zip(numbers, jobs):
            try:
                rows[number] = target.copy(_copy_in(job), feeder)
            except StatementFailed as error:
                raise StatementFailed(
                    f"{job.name}: {error.message}", sqlstate=error.sqlstate
                ) from error
        _run_all(target, [line for job in jobs for line in _after(job)])
        return rows

    def _prove(
        self,
        target: pg.Session,
        rows: t.Mapping[int, int],
        source: t.Callable[[], t.Mapping[int, Read]],
        started: float,
        discarded: int,
    ) -> Message:
        """Compare whole tables with what was read, and enter them into the ledger.

        :param rows: how many arrived, by job.
        :param source: waits for the source and returns what was read of each job.
        :param discarded: changes that the target had queued of these tables.
        """
        sql = pg.sql
        numbers = list(rows)
        jobs = [self.settings.jobs[number] for number in numbers]
        found: dict[int, tuple[int, str]] = {}
        if self.settings.proof:
            pairs = [(number, job.target) for number, job in zip(numbers, jobs)]
            found = sums(target, pairs, self, source=False)
        read = source()
        self._compare(rows, read, found)
        seconds = round((time.monotonic() - started) / len(jobs), 3)
        entries = [
            self._entry(
                job,
                ledger.COPIED if job.defer or job.rebuild else ledger.SEEDED,
                rows=rows[number],
                bytes=read[number].bytes,
                hash=found[number][1] if self.settings.proof else None,
                proof=rowhash.PROOF if self.settings.proof else None,
                seconds=seconds,
            )
            for number, job in zip(numbers, jobs)
        ]
        lines = [ledger.record(entries)]
        analyze = [job for job in jobs if not (job.defer or job.rebuild)]
        if analyze:
            lines.append(sql.SQL(pg.DATABASE_PATH))
            lines.append(
                sql.SQL("ANALYZE {}").format(
                    sql.SQL(", ").join(sql.Identifier(j.name.schema, j.name.name) for j in analyze)
                )
            )
        _run_all(target, lines)
        return {
            "discarded": discarded,
            "tables": [
                {
                    "job": number,
                    "rows": entry.rows,
                    "bytes": entry.bytes,
                    "seconds": entry.seconds,
                    "state": entry.state,
                }
                for number, entry in zip(numbers, entries)
            ],
        }

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
            names = listed(self.settings.jobs[n].name for n in wrong)
            count = (found.get(number) or (rows[number],))[0]
            raise Mismatch(
                f"{names}: the {count} rows that arrived are not the {read[number].rows} that"
                " were read (count and sum of hashes); nothing of it was kept",
                "Look for constraints, types or functions that differ between the servers.",
            )

    def _entry(self, job: Job, state: str, **values: t.Any) -> ledger.Entry:
        known = {"rows": 0, "bytes": 0, "hash": None, "seconds": 0.0, **values}
        return ledger.Entry(
            name=job.name,
            table_oid=job.target.oid,
            state=state,
            format=job.format,
            index_mode=job.index_mode,
            snapshot=self.settings.snapshot,
            source=self.settings.today.source,
            source_oid=job.source.oid,
            target=self.settings.today.target,
            epoch=self.settings.today.epoch,
            **known,
        )

    def _task_index(self, task: Message) -> None:
        sql = pg.sql
        helpers = "RESET {}" if task["parallel"] else "SET {} TO 0"
        _run_all(
            self.target(),
            [
                sql.SQL(pg.DATABASE_PATH),
                sql.SQL(helpers).format(sql.Identifier("max_parallel_maintenance_workers")),
                sql.SQL("REINDEX INDEX {}").format(sql.Identifier(task["schema"], task["name"])),
            ],
        )

    def _task_finish(self, task: Message) -> None:
        name = TableName(task["schema"], task["name"])
        sql = pg.sql
        target = self.target()
        with target.transaction():
            _run_all(
                target,
                [
                    ledger.mark_seeded(name),
                    sql.SQL(pg.DATABASE_PATH),
                    sql.SQL("ANALYZE {}").format(sql.Identifier(name.schema, name.name)),
                ],
            )

    def _task_analyze(self, task: Message) -> None:
        self._with_database_path("ANALYZE {}", task)

    def _task_refresh(self, task: Message) -> None:
        self._with_database_path("REFRESH MATERIALIZED VIEW {}", task)
        self._with_database_path("ANALYZE {}", task)

    def _with_database_path(self, statement: str, task: Message) -> None:
        """A statement that may run functions which rely on the database's own path."""
        sql = pg.sql
        table = sql.Identifier(task["schema"], task["name"])
        lines = [sql.SQL(pg.DATABASE_PATH), sql.SQL(statement).format(table)]
        _run_all(self.target(), lines)


def _defer_indexes(session: pg.Session, job: Job) -> None:
    """Let no row be entered into indexes from here on; REINDEX makes them ready again.

    Writing to pg_index tells other sessions of the index only, whose cached plans for the table
    would go on using it; writing the table's own row as it is makes them plan anew. A transaction
    that has used the table already is not told before its end, hence the lock that the caller has,
    as DROP INDEX has.
    """
    sql = pg.sql
    session.execute(
        sql.SQL(
            "UPDATE pg_catalog.pg_index SET indisvalid = false, indisready = false"
            " WHERE indexrelid = ANY ({}::bigint[]::oid[]);"
            " UPDATE pg_catalog.pg_class SET relname = relname WHERE oid = {}::oid"
        ).format(
            sql.Literal([index.oid for index in job.defer]),
            sql.Literal(job.target.oid),
        )
    )


def _before(job: Job) -> list[t.Any]:
    """Statements that get a table out of the load's way, undone by C(_after) before the commit."""
    sql = pg.sql
    table = sql.Identifier(job.name.schema, job.name.name)
    lines = [
        sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(table, sql.Identifier(name))
        for name, _kind in job.state.always_triggers
    ]
    lines += [
        sql.SQL("DROP INDEX {}").format(sql.Identifier(index.name.schema, index.name.name))
        for index in job.recreate
    ]
    return lines


def _after(job: Job) -> list[t.Any]:
    sql = pg.sql
    table = sql.Identifier(job.name.schema, job.name.name)
    words = {"A": "ALWAYS", "R": "REPLICA"}
    lines = [
        sql.SQL("ALTER TABLE {} ENABLE " + words[kind] + " TRIGGER {}").format(
            table, sql.Identifier(name)
        )
        for name, kind in job.state.always_triggers
    ]
    # As pg_get_indexdef wrote them, every name quoted where needed.
    lines += [sql.SQL("{}").format(sql.SQL(index.definition)) for index in job.recreate]
    return lines


def _run_all(session: pg.Session, statements: t.Sequence[t.Any]) -> None:
    """Several statements in one round trip."""
    if statements:
        session.execute(pg.sql.SQL("; ").join(statements))

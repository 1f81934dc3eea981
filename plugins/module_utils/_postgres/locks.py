# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short work on locked tables: many small transactions that make nobody wait for long.

A statement that waits for a lock makes every later writer of that table wait behind it. So a
table whose lock is held by a transaction that is already old is not queued for at all but looked
at again later; the others are locked in batches whose size follows the time measured.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._common.errors import DeadlineExceeded, StatementFailed
from .._common.names import TableName
from .._common.text import listed
from . import pg, sql
from .pg import Session

SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
# Lock modes that make a request for the key wait.
# https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
CONFLICTS: dict[str, list[str]] = {
    SHARE_ROW_EXCLUSIVE: [
        "RowExclusiveLock",
        "ShareUpdateExclusiveLock",
        "ShareLock",
        "ShareRowExclusiveLock",
        "ExclusiveLock",
        "AccessExclusiveLock",
    ],
    ACCESS_EXCLUSIVE: [
        "AccessShareLock",
        "RowShareLock",
        "RowExclusiveLock",
        "ShareUpdateExclusiveLock",
        "ShareLock",
        "ShareRowExclusiveLock",
        "ExclusiveLock",
        "AccessExclusiveLock",
    ],
}
_QUERY_CANCELED = "57014"
# Milliseconds. A deadlock is found by whoever looks first, and must end us, not the application;
# an autovacuum in the way is asked to leave at the same moment.
_DEADLOCK_TIMEOUT = 20
# Milliseconds. Several tables are only waited for this long together, with the first of them
# already locked; stays far under the default deadlock_timeout of the application (1 s).
_BATCH_WAIT = 100
BATCH_MAX = 50
# Seconds between two looks at tables that are held.
_POLL = 0.5
# Seconds. A held table is queued for (no longer than lock_timeout) only this often.
_FORCE_EVERY = 15.0

_HOLDERS = """
SELECT l.relation::bigint AS oid, l.pid, l.mode, COALESCE(a.usename, p.owner, '') AS usename,
       COALESCE(a.application_name, '') AS application_name,
       COALESCE(a.state, 'prepared transaction ' || p.gid, '') AS state,
       GREATEST(0, EXTRACT(epoch FROM pg_catalog.clock_timestamp()
                           - COALESCE(a.xact_start, p.prepared)))::float8 AS age,
       COALESCE(a.query, '') AS query,
       COALESCE(a.backend_type = 'autovacuum worker'
                AND a.query NOT LIKE '%%to prevent wraparound%%', false) AS yields
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_catalog.pg_prepared_xacts p
         ON l.pid IS NULL AND l.virtualtransaction = '-1/' || p.transaction::text
 WHERE l.locktype = 'relation' AND l.granted
   AND l.database = (SELECT oid FROM pg_catalog.pg_database
                      WHERE datname = pg_catalog.current_database())
   AND l.mode = ANY(%(modes)s) AND l.relation = ANY(%(oids)s::oid[])
   AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
 ORDER BY age DESC NULLS LAST
"""


@dataclasses.dataclass(frozen=True)
class LockPolicy:
    """How gently tables are locked.

    :param lock_timeout: longest wait for one table's lock, milliseconds.
    :param hold: how long the locks of one batch should be held, milliseconds.
    :param timeout: give up after this many seconds altogether.
    """

    lock_timeout: int = 500
    hold: int = 50
    timeout: float = 600


@dataclasses.dataclass(frozen=True)
class LockJob:
    """One table and what is to be done while it is locked, in one transaction."""

    table: TableName
    oid: int
    statements: t.Sequence[sql.Composable]


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a lock that is in the way. Times in seconds."""

    table: TableName
    pid: int | None
    usename: str
    application_name: str
    state: str
    age: float
    query: str
    mode: str

    def __str__(self) -> str:
        who = f"pid {self.pid}" if self.pid else self.state
        name = f" {self.application_name!r}" if self.application_name else ""
        query = f": {self.query}" if self.query else ""
        return f"{self.table} held by {who}{name} of {self.usename} for {self.age:.0f} s{query}"


@dataclasses.dataclass
class LockReport:
    """What a run took. Times in seconds."""

    tables: int = 0
    batches: int = 0
    refusals: int = 0
    longest_wait: float = 0.0
    longest_hold: float = 0.0
    seconds: float = 0.0

    def joined(self, later: LockReport) -> LockReport:
        """This and another one after it."""
        return LockReport(
            self.tables + later.tables,
            self.batches + later.batches,
            self.refusals + later.refusals,
            max(self.longest_wait, later.longest_wait),
            max(self.longest_hold, later.longest_hold),
            self.seconds + later.seconds,
        )


def next_size(size: int, hold: float, target: float) -> int:
    """How many tables to lock next, after a batch of `size` was locked for `hold` seconds.

    Grows by at most a half, so that one quick batch does not lead to a long one.
    """
    fitting = int(size * target / hold) if hold > 0 else BATCH_MAX
    return max(1, min(fitting, size + size // 2 + 1, BATCH_MAX))


def holders(session: Session, jobs: t.Sequence[LockJob], mode: str) -> dict[int, list[Holder]]:
    """Who holds locks that conflict with a mode, by the table's OID, oldest first.

    Autovacuum is left out: it gives way.
    """
    tables = {job.oid: job.table for job in jobs}
    found: dict[int, list[Holder]] = {}
    params = {"modes": CONFLICTS[mode], "oids": list(tables)}
    for row in session.rows(_HOLDERS, params):
        if row["yields"]:
            continue
        found.setdefault(row["oid"], []).append(
            Holder(
                tables[row["oid"]],
                row["pid"],
                row["usename"],
                row["application_name"],
                row["state"],
                float(row["age"] or 0.0),
                " ".join(row["query"].split())[:120],
                row["mode"],
            )
        )
    return found


def run_locked(
    session: Session,
    jobs: t.Iterable[LockJob],
    mode: str,
    policy: LockPolicy,
    role: str = "",
    largest: int = BATCH_MAX,
) -> LockReport:
    """Do every job under its table's lock; a job's statements commit together or not at all.

    :param largest: tables to lock together at most, fewer for long work.
    :param role: do the work as this role, "" for the session's own.
    :raises DeadlineExceeded: after `policy.timeout`, naming the tables that are left and who
        holds them; what is done stays done.
    """
    waiting = list(jobs)
    return _Run(session, waiting, mode, policy, role, largest).run() if waiting else LockReport()


class _Run:
    """Works off jobs, those whose tables are free first."""

    def __init__(
        self,
        session: Session,
        waiting: list[LockJob],
        mode: str,
        policy: LockPolicy,
        role: str,
        largest: int,
    ) -> None:
        self._session = session
        self._waiting = waiting
        self._mode = mode
        self._policy = policy
        self._role = role
        self._largest = largest
        self._report = LockReport()
        self._begun = self._forced = time.monotonic()
        self._size = min(4, largest)
        self._pause = 0.0
        self._round_trip = _round_trip(session)

    def run(self) -> LockReport:
        while self._waiting:
            batch = self._next_batch()
            if batch and not self._do(batch):
                time.sleep(self._pause)
        self._report.seconds = time.monotonic() - self._begun
        return self._report

    def _next_batch(self) -> list[LockJob]:
        """Tables to lock now; none after a pause, when all that are left are held.

        :raises DeadlineExceeded: when the time is over.
        """
        held = holders(self._session, self._waiting, self._mode)
        old = {
            oid
            for oid, found in held.items()
            if max(holder.age for holder in found) * 1000 > self._policy.lock_timeout
        }
        passed = time.monotonic() - self._begun
        if passed > self._policy.timeout:
            raise _too_late(self._session, self._waiting, held, self._policy)
        free = [job for job in self._waiting if job.oid not in old][: self._size]
        if free:
            return free
        if time.monotonic() - self._forced < _FORCE_EVERY:
            time.sleep(min(_POLL, max(0.01, self._policy.timeout - passed)))
            return []
        # Without this, a table that is always in use would never be enrolled.
        self._forced = time.monotonic()
        return self._waiting[:1]

    def _do(self, batch: list[LockJob]) -> bool:
        """Whether the batch was done; otherwise it is last in line, and nothing has changed."""
        alone = len(batch) == 1
        wait = self._policy.lock_timeout if alone else min(_BATCH_WAIT, self._policy.lock_timeout)
        started = time.monotonic()
        try:
            waited = _attempt(self._session, batch, self._mode, wait, self._role)
        except StatementFailed as error:
            if error.sqlstate not in (
                pg.LOCK_NOT_AVAILABLE,
                pg.DEADLOCK_DETECTED,
                _QUERY_CANCELED,
            ):
                raise
            self._refused(batch, time.monotonic() - started)
            return False
        self._done(batch, waited, time.monotonic() - started)
        return True

    def _refused(self, batch: list[LockJob], waited: float) -> None:
        self._report.refusals += 1
        self._report.longest_wait = max(self._report.longest_wait, waited)
        # To the end of the line, so that the rest is not kept waiting.
        self._waiting = [job for job in self._waiting if job not in batch] + batch
        self._size = max(1, len(batch) // 2)
        alone = len(batch) == 1
        self._pause = min(1.0, max(0.05, self._pause * 2)) if alone else 0.05

    def _done(self, batch: list[LockJob], waited: float, seconds: float) -> None:
        self._pause = 0.0
        hold = max(0.0, seconds - self._round_trip - waited)
        report = self._report
        report.tables += len(batch)
        report.batches += 1
        report.longest_wait = max(report.longest_wait, waited)
        report.longest_hold = max(report.longest_hold, hold)
        self._size = min(next_size(len(batch), hold, self._policy.hold / 1000), self._largest)
        done = {job.oid for job in batch}
        self._waiting = [job for job in self._waiting if job.oid not in done]


def _attempt(
    session: Session, batch: t.Sequence[LockJob], mode: str, wait: int, role: str
) -> float:
    """Lock all tables of a batch and do its work; returns the seconds waited for the locks."""
    return float(session.value(statement(batch, mode, wait, role)))


def statement(batch: t.Sequence[LockJob], mode: str, wait: int, role: str = "") -> sql.Composed:
    """Lock tables, do their work, and tell the seconds waited for the locks.

    One message, hence one round trip and one transaction: no lock is held while the network
    carries the next statement.

    :param wait: milliseconds.
    """
    parts: list[sql.Composable] = [
        sql.SQL("SET LOCAL deadlock_timeout = {}").format(sql.Literal(f"{_DEADLOCK_TIMEOUT}ms")),
        sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{wait}ms")),
        # lock_timeout counts for every table anew; this bounds the LOCK of all together.
        sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(f"{wait}ms")),
    ]
    if role:
        parts.append(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    parts.append(_stamp("begun"))
    parts.append(
        sql.SQL("LOCK TABLE {} IN {} MODE").format(
            sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.relation(job.table)) for job in batch),
            sql.SQL(mode),
        )
    )
    parts.append(_stamp("locked"))
    parts.append(sql.SQL("SET LOCAL statement_timeout = 0"))
    for job in batch:
        parts.extend(job.statements)
    parts.append(
        sql.SQL(
            "SELECT pg_catalog.current_setting('multimaster.locked')::float8"
            " - pg_catalog.current_setting('multimaster.begun')::float8"
        )
    )
    return sql.SQL(";\n").join(parts)


def _stamp(name: str) -> sql.Composable:
    return sql.SQL(
        "SELECT pg_catalog.set_config({},"
        " EXTRACT(epoch FROM pg_catalog.clock_timestamp())::text, true)"
    ).format(sql.Literal(f"multimaster.{name}"))


def _round_trip(session: Session) -> float:
    """Seconds that a statement with nothing to do takes."""
    samples = []
    for _sample in range(3):
        started = time.monotonic()
        session.value("SELECT 1")
        samples.append(time.monotonic() - started)
    return min(samples)


def _too_late(
    session: Session,
    waiting: t.Sequence[LockJob],
    held: dict[int, list[Holder]],
    policy: LockPolicy,
) -> DeadlineExceeded:
    blocked = [holder for job in waiting for holder in held.get(job.oid, [])]
    names = listed(job.table for job in waiting)
    who = "; ".join(str(holder) for holder in blocked[:3])
    return DeadlineExceeded(
        f"{session.conninfo.name}: {len(waiting)} tables could not be locked within"
        f" {policy.timeout:g} s: {names}" + (f" ({who})" if who else ""),
        "What is done stays valid: end the transactions named or wait for them, then run again.",
        blocked=[{**dataclasses.asdict(holder), "table": str(holder.table)} for holder in blocked],
        unfinished=[str(job.table) for job in waiting],
        master=session.conninfo.name,
    )

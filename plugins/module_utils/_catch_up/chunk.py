# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings one chunk of a master's queue to the others.

Each of them commits its rows before the source takes the changes from its queue: killed anywhere,
the chunk waits still, and is brought once more.

What the chunk's rows are is read in one snapshot of the source, and taken from the queue by the
same snapshot. On a target, the rows are taken away first, which waits for whoever is writing them;
then nobody can write them unseen, and a look into the target's queue says whether anybody did
since its last exchange. Such keys are conflicts, and left to Bucardo.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import threading
import time
import typing as t

from .._common.errors import StatementFailed
from .._postgres import pg, sql
from .statements import Statements

# SQLSTATE: another transaction was in the way.
_IN_THE_WAY = ("40001", pg.DEADLOCK_DETECTED, pg.LOCK_NOT_AVAILABLE)
_TRIES = 4
# Milliseconds to wait for a lock, while others wait for those that are held already.
_LOCK_TIMEOUT = 3000
# SQLSTATE class: a constraint is violated.
_VIOLATION = "23"
# A part that violates a constraint is halved until it has so many keys, and so often per chunk.
_SMALLEST = 8
_MAX_VIOLATIONS = 20

# Rows that are not on the target's disk must not leave the queue of the source.
_SETTINGS = f"""
SELECT pg_catalog.set_config('session_replication_role', 'replica', true),
       pg_catalog.set_config('lock_timeout', '{_LOCK_TIMEOUT}', true),
       pg_catalog.set_config('synchronous_commit', COALESCE(
         NULLIF(pg_catalog.current_setting('synchronous_commit'), 'off'), 'on'), true)
"""


class Truncated(Exception):
    """A TRUNCATE of the table waits: everything of it is left to Bucardo."""


class _Late(Exception):
    """Somebody wrote a row of the chunk on the target while it was being taken away."""


@dataclasses.dataclass
class Done:
    """What has become of a chunk, or of several.

    :param changes: that were taken from the queue.
    :param keys: whose rows were brought.
    :param conflicts: keys that wait on another master too, and are left there.
    :param violations: keys that are left since their rows violate a constraint on another master.
    :param busy: keys that are left since others would not let go of their rows.
    :param superseded: changes that were taken from the queue since another master, whose copy holds
        them, has written these rows anew.
    """

    changes: int = 0
    keys: int = 0
    conflicts: int = 0
    violations: int = 0
    busy: int = 0
    superseded: int = 0

    def __iadd__(self, other: Done) -> Done:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name) + getattr(other, field.name)
            setattr(self, field.name, value)
        return self

    def begin_round(self) -> None:
        """What the last one left is found again by the next."""
        self.conflicts = self.violations = self.busy = 0


class Pace:
    """Bytes per second that all streams together may take from the sources; 0 is no limit."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._next = 0.0
        self.bytes = 0

    def take(self, count: int) -> None:
        """Wait until so many bytes may pass."""
        with self._lock:
            self.bytes += count
            if not self._limit:
                return
            begin = max(self._next, time.monotonic())
            self._next = begin + count / self._limit
        time.sleep(max(0.0, begin - time.monotonic()))


class Carrier:
    """Carries chunks of one table from a source to its targets, over sessions of its own.

    :ivar width: bytes that a key of the last chunk brought; 0 before.
    """

    def __init__(
        self,
        statements: Statements,
        source: pg.Session,
        targets: t.Sequence[pg.Session],
        pace: Pace,
    ) -> None:
        self._statements = statements
        self._source = source
        self._targets = targets
        self._pace = pace
        self._done = Done()
        self.width = 0

    def carry(self, pages: tuple[int, int], part: tuple[int, int] = (0, 1)) -> Done:
        """Bring what waits in some pages of the delta table, see `Statements.take`.

        :raises Truncated: when a TRUNCATE of the table waits on a master.
        """
        for number in range(_TRIES):
            self._done = Done()
            try:
                self._carry(pages, part)
                return self._done
            except StatementFailed as error:
                if error.sqlstate not in _IN_THE_WAY:
                    raise
                time.sleep(0.1 * 2**number)
        return Done(busy=self._done.busy)

    def settle(self, seen: str, seen_here: str) -> int:
        """Forget what the one target got with its copy of the source, and has written anew since.

        Both wait, so Bucardo would see a conflict, and perhaps let the older one win.

        :param seen: which of the source's transactions the copy holds.
        :param seen_here: which of its own the target had seen to their end when it was copied.
        :returns: how many changes left the source's queue.
        """
        [target], statements = self._targets, self._statements
        with target.transaction("ISOLATION LEVEL READ COMMITTED", "READ WRITE"):
            if not target.execute(statements.written_since(seen_here)):
                return 0
            with self._source.transaction("ISOLATION LEVEL READ COMMITTED", "READ WRITE"):
                self._source.execute(statements.make_chunk())
                _stream(target, self._source, statements.keys_out_all(), statements.keys_in())
                self._source.execute(statements.index_chunk())
                numbers = self._source.column(statements.superseded(seen))
                if not numbers:
                    return 0
                return self._source.execute(statements.forget_superseded(seen), (numbers,))

    def _carry(self, pages: tuple[int, int], part: tuple[int, int]) -> None:
        source, statements = self._source, self._statements
        with source.transaction("ISOLATION LEVEL REPEATABLE READ", "READ WRITE"):
            source.execute(statements.lock_source())
            self._check_truncate(source)
            count = source.execute(statements.take(pages, part, source.server_version))
            if not count:
                return
            source.execute(statements.index_chunk())
            self._done.busy = count
            for target in self._targets:
                self._bring(target, 1, count)
            self._done.changes = source.execute(statements.forget())
        done = self._done
        done.busy, done.keys = 0, count - done.conflicts - done.violations

    def _bring(self, target: pg.Session, first: int, last: int) -> None:
        """Bring a part of the chunk, in halves where it violates a constraint."""
        try:
            self._commit(target, first, last)
            return
        except StatementFailed as error:
            if not error.sqlstate.startswith(_VIOLATION):
                raise
        if last - first < _SMALLEST or self._done.violations > _SMALLEST * _MAX_VIOLATIONS:
            self._done.violations += self._source.execute(
                self._statements.leave_part(), (first, last)
            )
            return
        middle = (first + last) // 2
        self._bring(target, first, middle)
        self._bring(target, middle + 1, last)

    def _commit(self, target: pg.Session, first: int, last: int) -> None:
        while True:
            with contextlib.suppress(_Late):
                self._write(target, first, last)
                return

    def _write(self, target: pg.Session, first: int, last: int) -> None:
        statements = self._statements
        # Each statement must see what was committed before it.
        with target.transaction("ISOLATION LEVEL READ COMMITTED", "READ WRITE"):
            target.execute(_SETTINGS)
            target.execute(statements.lock_target())
            self._check_truncate(target)
            target.execute(statements.make_chunk())
            self._stream(target, statements.keys_out(first, last), statements.keys_in())
            target.execute(statements.index_chunk())
            # Functions of indexes, and of triggers that fire always, may need it.
            target.execute(sql.DATABASE_PATH)
            if self._leave(target):
                # The chunk there has more than the one of the source now.
                raise _Late
            target.execute(statements.delete_rows())
            if self._leave(target):
                raise _Late
            sent = self._stream(target, statements.rows_out(first, last), statements.rows_in())
            self.width = max(1, sent // (last - first + 1))

    def _leave(self, target: pg.Session) -> int:
        """Take conflicts out of the source's chunk; returns how many."""
        numbers = target.column(self._statements.conflicts())
        if numbers:
            self._source.execute(self._statements.leave(), (numbers,))
            self._done.conflicts += len(numbers)
        return len(numbers)

    def _check_truncate(self, session: pg.Session) -> None:
        if session.value(self._statements.truncated()):
            raise Truncated

    def _stream(self, target: pg.Session, out: sql.Composable, into: sql.Composable) -> int:
        return _stream(self._source, target, out, into, self._pace)


def _stream(
    source: pg.Session,
    target: pg.Session,
    out: sql.Composable,
    into: sql.Composable,
    pace: Pace | None = None,
) -> int:
    """COPY from one to the other, however much it is, in little memory.

    :returns: how many bytes.
    :raises Exception: when either end fails; the target is then not to commit.
    """
    reader, writer = os.pipe()
    feeder = _Feeder(source, out, writer, pace or Pace())
    feeder.start()
    with open(reader, "rb", buffering=0) as stream:
        try:
            target.copy(into, stream)
        finally:
            # A session that stopped amid a COPY could only be closed; a chunk is small.
            while stream.read(1 << 16):
                pass
            feeder.join()
    if feeder.failure is not None:
        raise feeder.failure
    return feeder.bytes


class _Feeder(threading.Thread):
    """The end of the source."""

    def __init__(
        self, source: pg.Session, statement: sql.Composable, descriptor: int, pace: Pace
    ) -> None:
        super().__init__(daemon=True)
        self._source = source
        self._statement = statement
        self._descriptor = descriptor
        self._pace = pace
        self.bytes = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Read all, and close the pipe."""
        try:
            sink = _Sink(self._descriptor, self._pace)
            with io.BufferedWriter(sink, 1 << 16) as buffered:
                self._source.copy(self._statement, buffered)
            self.bytes = sink.bytes
        except BaseException as error:
            self.failure = error


class _Sink(io.RawIOBase):
    def __init__(self, descriptor: int, pace: Pace) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._pace = pace
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: t.Any) -> int:
        self._pace.take(len(data))
        written = os.write(self._descriptor, data)
        self.bytes += written
        return written

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)

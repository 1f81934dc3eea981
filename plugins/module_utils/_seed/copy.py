# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads tables from the source while the target still works on what came before.

A thread reads from the source, the caller writes to the target; between them is a short queue of
chunks, so memory does not depend on the size of tables or rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import queue
import threading
import time
import typing as t

from .._postgres import pg
from . import statements
from .connections import Connections, Settings
from .plan import Job, Part
from .tasks import Read

# Bytes that go through the queue at once, and how many such chunks it holds.
CHUNK = 256 << 10
_CHUNKS = 16


class Moved(Exception):
    """Tables that are not those of the snapshot any more."""


class _Stopped(Exception):
    """The target failed, so the source need not be read any further."""


class _Sink(io.RawIOBase):
    """The end of the source: passes on chunks, counts them and keeps the pace."""

    def __init__(self, put: t.Callable[[bytes], None], settings: Settings, slot: int) -> None:
        super().__init__()
        self._put = put
        self._limit = settings.options.rate_limit
        self._counters = settings.counters
        self._slot = slot
        self._next = 0.0
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: t.Any) -> int:
        chunk = bytes(data)
        self.bytes += len(chunk)
        self._counters.add(self._slot, len(chunk))
        if self._limit:
            share = self._limit / max(1, self._counters.readers())
            now = time.monotonic()
            if self._next > now:
                time.sleep(self._next - now)
            self._next = max(self._next, now) + len(chunk) / share
        self._put(chunk)
        return len(chunk)


class Feeder(threading.Thread):
    """Reads tables from the source, in one transaction on the exported snapshot.

    Puts chunks into the queue, None at the end of each table, and its exception when it fails.
    The other side is a binary stream of one table after the other, see `read`.

    :param jobs: numbers of the tables.
    :param part: the only part to read of the only table, None for all of it.
    :param when_read: called when nothing is left to be read, with the bytes of all tables.
    """

    def __init__(
        self,
        connections: Connections,
        settings: Settings,
        slot: int,
        jobs: t.Sequence[int],
        part: Part | None,
        when_read: t.Callable[[int], None],
    ) -> None:
        super().__init__(daemon=True)
        self._connections = connections
        self._settings = settings
        self._slot = slot
        self._jobs = jobs
        self._part = part
        self._when_read = when_read
        self._queue: queue.Queue[t.Any] = queue.Queue(_CHUNKS)
        self._stop_asked = threading.Event()
        self._left = b""
        self.failure: BaseException | None = None
        self._read: dict[int, Read] = {}

    # The thread

    def run(self) -> None:
        """Read everything; see `start`."""
        try:
            self._feed()
        except BaseException as error:
            self.failure = error
            with contextlib.suppress(_Stopped):
                self._put(error)

    def _feed(self) -> None:
        counters = self._settings.counters
        session = self._connections.source()
        jobs = [(number, self._settings.jobs[number]) for number in self._jobs]
        self._begin(session, [job for _number, job in jobs])
        try:
            for number, job in jobs:
                counters.reading(self._slot, number)
                self._read[number] = self._copy(session, job)
                self._put(None)
            counters.hashing(self._slot)
            if self._settings.options.proof:
                aggregates = [(number, self._settings.source_hash(job)) for number, job in jobs]
                for number, found in sums(session, aggregates, self._part).items():
                    self._read[number] = dataclasses.replace(self._read[number], sums=found)
            session.execute("COMMIT")
        finally:
            counters.reading(self._slot, None)
        self._when_read(sum(read.bytes for read in self._read.values()))

    def _begin(self, session: pg.Session, jobs: t.Sequence[Job]) -> None:
        """Enter the snapshot and make sure that the tables are still those that it saw."""
        rows = session.rows(statements.enter_snapshot(self._settings.snapshot, jobs))
        now = {row["oid"]: row["filenode"] for row in rows}
        if any(now.get(job.source.oid) != job.state.filenode for job in jobs):
            raise Moved()

    def _copy(self, session: pg.Session, job: Job) -> Read:
        sink = _Sink(self._put, self._settings, self._slot)
        # `RawIOBase.write` once per chunk instead of once per row.
        stream = io.BufferedWriter(sink, CHUNK)
        rows = session.copy(statements.copy_out(job, self._part), stream)
        stream.flush()
        return Read(rows, sink.bytes, None)

    def _put(self, item: t.Any) -> None:
        while True:
            if self._stop_asked.is_set():
                raise _Stopped()
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.5)
                return

    # The other side

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
            self._connections.abort_source()
        self.join()
        self._connections.drop_source()


def sums(
    session: pg.Session, aggregates: t.Sequence[tuple[int, t.Any]], part: Part | None = None
) -> dict[int, tuple[int, str]]:
    """Count and sum of row hashes by job; see `statements.sums`."""
    return {
        row["job"]: (row["rows"], row["hash"])
        for statement in statements.sums(aggregates, part)
        for row in session.rows(statement)
    }

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a seed is and how long it will take, from counts of bytes (pure).

Whoever measures says what the time is, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .plan import Job

# Over so many measurements the rate is taken.
_SAMPLES = 10
# A table is never quite done before its commit: the stream may be longer than the table, which is
# compressed.
_READ_IS_NOT_DONE = 0.98
# Below this share of the whole the first few bytes say nothing about the pace.
_PACE_IS_KNOWN = 100


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


class Meter:
    """Measures one seed, over all its rounds.

    :param started: when it began.
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self.progress = Progress()
        # The longest time that a snapshot was held.
        self.snapshot_seconds = 0.0
        self._snapshot_since: float | None = None
        self._done_before = (0, 0, 0)
        self._sizes: list[int] = []
        self._read: collections.Counter[int] = collections.Counter()
        self._shares: dict[int, int] = {}
        self._rates: collections.deque[tuple[float, int]] = collections.deque(maxlen=_SAMPLES)

    def begin_round(self, jobs: t.Sequence[Job], done: t.Sequence[int]) -> None:
        """Nothing of these jobs is done yet.

        :param done: sizes of the tables that were done in earlier rounds.
        """
        progress = self.progress
        self._done_before = (len(done), sum(done), progress.indexes_done)
        self._sizes = [job.source.bytes for job in jobs]
        self._read.clear()
        self._shares.clear()
        self._rates.clear()
        progress.tables_total = len(done) + len(jobs)
        progress.bytes_total = sum(done) + sum(self._sizes)
        progress.phase = "copy" if jobs else "indexes"

    def snapshot_taken(self, now: float) -> None:
        """The source keeps old row versions from now on."""
        self._snapshot_since = now

    def snapshot_released(self, now: float) -> None:
        """And no longer."""
        if self._snapshot_since is not None:
            held = round(now - self._snapshot_since, 3)
            self.snapshot_seconds = max(self.snapshot_seconds, held)
        self._snapshot_since = None

    def part_read(self, job: int, count: int) -> None:
        """A part of a table was read, which had so many bytes."""
        self._read[job] += count

    def measure(
        self,
        now: float,
        streamed: int,
        reading: t.Mapping[int, int],
        under_way: t.Collection[int],
        finished: t.Collection[int],
    ) -> None:
        """Bring the progress up to date.

        :param streamed: bytes that came from the source in this round.
        :param reading: job to bytes, for the tables that are being read.
        :param under_way: jobs of which what was read counts.
        :param finished: jobs that are done.
        """
        progress = self.progress
        done, size, _indexes = self._done_before
        progress.tables_done = done + len(finished)
        for number, count in reading.items():
            share = self._share(number, count + self._read[number])
            self._shares[number] = max(share, self._shares.get(number, 0))
        # What was read counts until its commit: between them lies the proof.
        self._shares = {
            number: share
            for number, share in self._shares.items()
            if number in under_way and number not in finished
        }
        size += sum(self._sizes[number] for number in finished)
        progress.bytes_done = size + sum(self._shares.values())
        self._measure_pace(now, streamed)

    def _share(self, number: int, count: int) -> int:
        """How much of a table's size the bytes read so far stand for."""
        return min(count, int(self._sizes[number] * _READ_IS_NOT_DONE))

    def _measure_pace(self, now: float, streamed: int) -> None:
        progress = self.progress
        progress.streamed = streamed
        self._rates.append((now, streamed))
        then, earlier = self._rates[0]
        progress.rate = (streamed - earlier) / (now - then) if now > then else 0.0
        progress.elapsed = round(now - self.started, 1)
        since = self._snapshot_since
        progress.snapshot_age = None if since is None else round(now - since, 1)
        spent = now - (self.started if since is None else since)
        left = progress.bytes_total - progress.bytes_done
        known = progress.bytes_done * _PACE_IS_KNOWN >= progress.bytes_total
        progress.remaining = round(spent * left / max(1, progress.bytes_done), 1) if known else None

    def count_indexes(self, built: int, total: int) -> None:
        """How many indexes of this round were built, and of how many."""
        before = self._done_before[2]
        self.progress.indexes_done = before + built
        self.progress.indexes_total = before + total

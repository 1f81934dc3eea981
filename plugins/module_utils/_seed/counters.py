# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers that all processes of a seed see."""

from __future__ import annotations

import mmap


class Counters:
    """What each worker is reading just now, in memory that is shared from the fork on."""

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
        """Note that this worker has read its table and no longer counts towards the rate limit."""
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

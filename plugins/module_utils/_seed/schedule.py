# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who of a round's workers does what next, and what becomes of a task that failed (pure).

Knows neither processes nor servers nor the time: it is told what happened and asked what to do.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .._common.names import TableName
from .plan import IndexFacts, Job, batches
from .tasks import (
    FAILED,
    LOST,
    Analyze,
    BeginParts,
    BuildIndex,
    CopyPart,
    CopyTables,
    EmptyTable,
    Event,
    Failed,
    FinishTable,
    PartCopied,
    PartsBegun,
    Proven,
    ProvenTable,
    ProveParts,
    Read,
    Refresh,
    SourceRead,
    Task,
    jobs_of,
)

# How many workers that died are replaced, for each worker.
_REPLACED = 2


@dataclasses.dataclass(frozen=True)
class Failure:
    """Something that another try would not mend.

    :param details: see `tasks.Failed`.
    """

    text: str
    details: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Failures:
    """What a round could not do.

    :param later: names of what is left to another round, by the reason.
    :param text: the last that was said about one of those.
    :param details: what else is known of that.
    """

    for_good: list[Failure] = dataclasses.field(default_factory=list)
    later: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    text: str = ""
    details: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def note_later(self, why: str, names: t.Iterable[str]) -> None:
        """Leave these to another round."""
        known = self.later.setdefault(why, [])
        known += [name for name in names if name not in known]


@dataclasses.dataclass
class _Split:
    """A table that is being copied in parts.

    :param left: parts that are not over.
    :param read: what the parts that are over have read.
    """

    started: float
    left: int
    read: Read
    failed: bool = False


class Schedule:
    """One round's tasks.

    :param jobs: the tables to copy.
    :param unfinished: copied by a killed run, with the indexes that are still to be built.
    :param workers: how many there are; each is known by its slot, a number from 0.
    :param spare_processors: the host has more processors than there are workers.
    :param proof: what is read is hashed as well.
    """

    def __init__(
        self,
        jobs: t.Sequence[Job],
        unfinished: t.Sequence[tuple[TableName, t.Sequence[IndexFacts]]],
        workers: int,
        spare_processors: bool,
        proof: bool,
    ) -> None:
        self._jobs = jobs
        self._spare_processors = spare_processors
        self._proof = proof
        self._slots = set(range(workers))
        self._replaceable = _REPLACED * workers
        self._busy: dict[int, Task] = {}
        numbers = {job.name: number for number, job in enumerate(jobs)}
        self._copies: collections.deque[Task] = collections.deque(
            BeginParts(numbers[batch[0].name])
            if batch[0].parts
            else CopyTables(tuple(numbers[job.name] for job in batch))
            for batch in batches(jobs, workers)
        )
        self._builds: collections.deque[Task] = collections.deque()
        # Those whose entries may depend on rows of other tables.
        self._late: collections.deque[Task] = collections.deque()
        # How many transactions have still to read a table, by job.
        self._unread = dict.fromkeys(numbers.values(), 1)
        self._splits: dict[int, _Split] = {}
        # Indexes that a table lacks still.
        self._missing: dict[TableName, int] = {}
        self.failures = Failures()
        self.finished: dict[int, ProvenTable] = {}
        self.discarded = 0
        self.kept = 0
        self.indexes_total = 0
        self.indexes_built = 0
        for name, indexes in unfinished:
            self._build(name, indexes)

    # What is asked of it

    @property
    def busy(self) -> t.Mapping[int, Task]:
        """What is being done, by slot."""
        return self._busy

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return not (self._busy or self._copies or self._builds or self._late)

    @property
    def copying(self) -> bool:
        """Whether tables are being copied, or wait for it."""
        return bool(self._copies) or any(jobs_of(task) for task in self._busy.values())

    @property
    def needs_snapshot(self) -> bool:
        """The origin shall not keep old row versions for us longer than we read."""
        return bool(self._unread or self._copies)

    @property
    def under_way(self) -> set[int]:
        """Jobs of which something was read that is not committed, nor given up."""
        found = {number for task in self._busy.values() for number in jobs_of(task)}
        for number, split in self._splits.items():
            (found.discard if split.failed else found.add)(number)
        return found - set(self.finished)

    def names(self, task: Task) -> list[str]:
        """What a task works on."""
        if isinstance(task, Refresh):
            return [str(task.view)]
        if isinstance(task, BuildIndex):
            return [str(task.index)]
        if isinstance(task, (FinishTable, Analyze)):
            return [str(task.table)]
        return [str(self._jobs[number].name) for number in jobs_of(task)]

    def working_on(self, reading: t.Collection[int]) -> list[str]:
        """Names of what is being done.

        :param reading: jobs that are being read just now; they stand for the batch that they are
            part of.
        """
        found = {str(self._jobs[number].name) for number in reading}
        for task in self._busy.values():
            if not set(jobs_of(task)).intersection(reading):
                found.add(self.names(task)[0])
        return sorted(found)

    def next(self, slot: int) -> Task | None:
        """What the worker in a slot is to do now, None when it is at work or must wait."""
        if slot in self._busy or slot not in self._slots:
            return None
        task = self._choose()
        if task is not None:
            self._busy[slot] = task
        return task

    def _choose(self) -> Task | None:
        copying = any(
            isinstance(task, (BeginParts, CopyTables, CopyPart)) for task in self._busy.values()
        )
        if not (self.copying or self._builds):
            self._builds, self._late = self._late, self._builds
        # Indexes first: their table is still in the server's memory. But one of several workers
        # always copies, or a long queue of indexes would keep the snapshot from being released.
        if self._builds and (copying or not self._copies or len(self._slots) == 1):
            task = self._builds.popleft()
            if isinstance(task, BuildIndex):
                # Helpers of an index build cost more processor time than they save; they are good
                # where nothing else wants the processors.
                alone = not (self._copies or self._builds)
                task = dataclasses.replace(task, parallel=self._spare_processors or alone)
            return task
        return self._copies.popleft() if self._copies else None

    # What it is told

    def add(self, task: Analyze | Refresh) -> None:
        """One more thing to do on the target."""
        self._builds.append(task)

    def took(self, slot: int, event: Event) -> None:
        """The worker in a slot has told something of its task."""
        if isinstance(event, SourceRead):
            # Of several tables each may have to be read again alone; see `_failed`.
            if len(event.jobs) == 1:
                self._note_read(event.jobs)
            return
        task = self._busy.pop(slot)
        if isinstance(event, Failed):
            self._failed(task, event)
        elif isinstance(event, Proven):
            self._proven(task, event)
        elif isinstance(event, PartsBegun):
            self.discarded += event.discarded
            self._split(jobs_of(task)[0], event.started)
        elif isinstance(event, PartCopied):
            number = jobs_of(task)[0]
            self._splits[number].read += event.read
            self._part_is_over(number)
        elif isinstance(task, BuildIndex):
            self._built(task.table)

    def died(self, slot: int) -> None:
        """The worker in a slot is gone, with what it was doing; perhaps another takes its place."""
        task = self._busy.pop(slot, None)
        if self._replaceable:
            self._replaceable -= 1
        else:
            self._slots.discard(slot)
        if task is not None:
            self._failed(task, Failed(LOST, text="A worker process was killed"))
        if not self._slots:
            for left in (*self._copies, *self._builds, *self._late):
                self.failures.note_later(LOST, self.names(left))
            self._copies.clear()
            self._builds.clear()
            self._late.clear()
            self._unread.clear()

    # Reading

    def _note_read(self, jobs: t.Iterable[int], whole: bool = False) -> None:
        """These have been read, in one more transaction or in all that wanted to."""
        for number in jobs:
            left = 0 if whole else self._unread.get(number, 0) - 1
            self._unread[number] = left
            if left <= 0:
                del self._unread[number]

    def _proven(self, task: Task, event: Proven) -> None:
        self._note_read(jobs_of(task), whole=True)
        self.discarded += event.discarded
        self.kept += event.kept
        for table in event.tables:
            self.finished[table.job] = table
            if not table.complete:
                job = self._jobs[table.job]
                self._build(job.name, job.defer + job.rebuild)

    # Tables in parts

    def _split(self, number: int, started: float) -> None:
        parts = self._jobs[number].parts
        self._splits[number] = _Split(
            started, len(parts), Read(0, 0, (0, "0") if self._proof else None)
        )
        self._unread[number] = len(parts)
        self._copies.extendleft(CopyPart(number, part) for part in reversed(parts))

    def _part_is_over(self, number: int) -> None:
        """When all parts are, prove the table; if one failed, take away what the others left."""
        split = self._splits[number]
        split.left -= 1
        if split.left:
            return
        if split.failed:
            self._builds.appendleft(EmptyTable(number))
        else:
            self._builds.appendleft(ProveParts(number, split.read, split.started))

    # Indexes

    def _build(self, name: TableName, indexes: t.Sequence[IndexFacts]) -> None:
        if not indexes:
            self._builds.append(FinishTable(name))
            return
        for index in indexes:
            (self._late if index.late else self._builds).append(BuildIndex(index.name, name))
        self._missing[name] = len(indexes)
        self.indexes_total += len(indexes)

    def _built(self, name: TableName) -> None:
        self.indexes_built += 1
        self._missing[name] -= 1
        if not self._missing[name]:
            del self._missing[name]
            self._builds.append(FinishTable(name))

    # Failures

    def _failed(self, task: Task, failed: Failed) -> None:
        jobs = jobs_of(task)
        if len(jobs) > 1 and failed.why != LOST:
            # One of them is to blame; the others must not suffer.
            self._copies.extend(CopyTables((number,)) for number in jobs)
            self._unread.update((number, 1) for number in jobs)
            return
        split = self._splits.get(jobs[0]) if jobs else None
        # Of the parts of a table the first failure says it all.
        if split is None or not split.failed or isinstance(task, EmptyTable):
            self._note_failure(task, failed)
        if split is not None:
            self._failed_in_parts(task, split)
        self._note_read(jobs, whole=True)

    def _note_failure(self, task: Task, failed: Failed) -> None:
        names = self.names(task)
        if failed.why == FAILED:
            text = failed.text if names[0] in failed.text else f"{names[0]}: {failed.text}"
            self.failures.for_good.append(Failure(text, failed.details))
        else:
            self.failures.note_later(failed.why, names)
            self.failures.text = failed.text
            self.failures.details = failed.details

    def _failed_in_parts(self, task: Task, split: _Split) -> None:
        """Give up the parts that nobody has begun, and wait for the others."""
        split.failed = True
        if isinstance(task, ProveParts):
            self._builds.appendleft(EmptyTable(task.job))
        elif isinstance(task, CopyPart):
            kept = [
                other
                for other in self._copies
                if not (isinstance(other, CopyPart) and other.job == task.job)
            ]
            split.left -= len(self._copies) - len(kept)
            self._copies = collections.deque(kept)
            self._part_is_over(task.job)

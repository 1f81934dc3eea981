# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One round of a seed: hands tasks to processes until nothing is left that this snapshot can do."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._common.errors import ConnectionFailed
from .._ledger import ledger
from .._postgres import pg
from .._postgres.tables import Table
from . import plan as seed_plan
from . import read as seed_read
from .counters import Counters
from .meter import Meter, Progress
from .pool import Pool
from .schedule import Schedule
from .tasks import Analyze, CopyPart, Message, Refresh, SourceRead, event_of, to_message

# Seconds between two notes of the progress, in the caller's hands and in the ledger.
_REPORT_EVERY = 1.0
_LEDGER_EVERY = 2.0
# Seconds to wait for an event, and so between two questions whether the seed is still wanted.
_WAIT = 0.25


@dataclasses.dataclass
class Round:
    """Brings together what decides (schedule, meter) and what does (processes, sessions).

    :param source: holds the exported snapshot in a transaction, if there is anything to copy.
    :param run: the run's number in the ledger.
    :param holds_snapshot: until it is released.
    :param check: raises when nobody wants the seed any more.
    :param report: is told the progress about every second.
    """

    source: pg.Session
    target: pg.Session
    run: int
    schedule: Schedule
    meter: Meter
    pool: Pool
    counters: Counters
    holds_snapshot: bool
    check: t.Callable[[], None]
    report: t.Callable[[Progress], None]
    refreshed: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    _reported: float = dataclasses.field(default=0.0, init=False)
    _noted: float = dataclasses.field(default=0.0, init=False)

    def copy(self) -> None:
        """Copy every table and build its indexes, as far as that succeeds."""
        self._work()
        self.release_snapshot()

    def refresh(self) -> None:
        """Let materialized views be filled, each after those it reads.

        On a master that is in use, only those that lack rows which this run has brought: readers
        of a view wait for its refresh.
        """
        here = seed_read.read_materialized_views(self.source)
        there = seed_read.read_materialized_views(self.target)
        seeded = set(ledger.seeded_in(self.target, self.run))
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
        self.meter.progress.phase = "refresh"
        for name in names:
            if self._besides([Refresh(name)]):
                self.refreshed.append(str(name))

    def analyze_parents(self, there: t.Sequence[Table]) -> None:
        """Gather the statistics of partitioned tables, which nothing else ever does.

        :param there: the target's tables.
        """
        self._besides(
            Analyze(table.name) for table in there if table.kind == "p" and not table.is_partition
        )

    def _besides(self, tasks: t.Iterable[Analyze | Refresh]) -> bool:
        """Do what is no data of its own, and may well fail on the source in the same way.

        :returns: whether it succeeded; if not, there is a warning.
        """
        failures = self.schedule.failures
        for task in tasks:
            self.schedule.add(task)
        self._work()
        if failures.later:
            raise ConnectionFailed(failures.text)
        failed = [failure.text for failure in failures.for_good]
        failures.for_good.clear()
        self.warnings += failed
        return not failed

    def release_snapshot(self) -> None:
        """Let the source clean up old row versions again."""
        if self.holds_snapshot:
            self.holds_snapshot = False
            self.meter.snapshot_released(time.monotonic())
            self.source.execute("COMMIT")

    # The loop

    def _work(self) -> None:
        if self.schedule.over:
            return
        while True:
            self._hand_out()
            if self.schedule.over:
                break
            for slot, message in self.pool.events(_WAIT):
                self._handle(slot, message)
            self.check()
            self._tell()
        self._tell(force=True)

    def _hand_out(self) -> None:
        for slot in self.pool.slots:
            task = self.schedule.next(slot)
            if task is not None:
                self.pool.give(slot, to_message(task))

    def _handle(self, slot: int, message: Message | None) -> None:
        if message is None:
            self.counters.reading(slot, None)
            self.schedule.died(slot)
        else:
            event = event_of(message)
            task = self.schedule.busy.get(slot)
            if isinstance(event, SourceRead) and isinstance(task, CopyPart):
                self.meter.part_read(task.job, event.bytes)
            self.schedule.took(slot, event)
        if not self.schedule.needs_snapshot:
            self.release_snapshot()

    def _tell(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        progress = self._measure(now)
        self.report(progress)
        if force or now - self._noted >= _LEDGER_EVERY:
            self._noted = now
            ledger.update_run(
                self.target,
                self.run,
                phase=progress.phase,
                tables_done=progress.tables_done,
                bytes_done=progress.bytes_done,
                current_tables=progress.current[:10],
            )

    def _measure(self, now: float) -> Progress:
        schedule, progress = self.schedule, self.meter.progress
        reading = self.counters.current()
        self.meter.measure(
            now, self.counters.total(), reading, schedule.under_way, schedule.finished
        )
        self.meter.count_indexes(schedule.indexes_built, schedule.indexes_total)
        progress.current = schedule.working_on(reading)
        if progress.phase in ("copy", "indexes"):
            progress.phase = "copy" if schedule.copying else "indexes"
        return progress

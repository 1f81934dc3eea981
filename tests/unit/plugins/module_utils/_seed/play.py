# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workers of a schedule that do what they are given, unless a test interferes."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.plan import CATALOG
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.schedule import (
    Schedule,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.tasks import (
    FAILED,
    CopyPart,
    CopyTables,
    Failed,
    SourceRead,
    jobs_of,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    MB,
    index,
    job,
    success,
)

PARTS = ((0, 5), (5, 10), (10, None))


def big(text, **changes):
    return job(text, 10 * MB, **changes)


def split(text="split", parts=PARTS):
    return job(text, 100 * MB, parts=parts)


def indexed(text, *names):
    """A table whose indexes are built after its load."""
    defer = tuple(index(one, oid) for oid, one in enumerate(names, 7))
    return job(text, 10 * MB, index_mode=CATALOG, defer=defer)


def schedule(*jobs, workers=2, unfinished=(), spare_processors=False, proof=True):
    return Schedule(jobs, unfinished, workers, spare_processors, proof)


class Play:
    """Workers that do what they are given, one task after the other, unless a test interferes."""

    def __init__(self, *jobs, workers=2, **facts):
        self.jobs = jobs
        self.workers = workers
        self.schedule = schedule(*jobs, workers=workers, **facts)
        # All that was handed out, in order.
        self.given = []

    def hand_out(self):
        for slot in range(self.workers):
            task = self.schedule.next(slot)
            if task is not None:
                self.given.append(task)
        return dict(self.schedule.busy)

    def slot_of(self, kind):
        return next(slot for slot, task in self.schedule.busy.items() if isinstance(task, kind))

    def read(self, slot):
        task = self.schedule.busy[slot]
        if isinstance(task, (CopyTables, CopyPart)):
            self.schedule.took(slot, SourceRead(jobs_of(task), 50))

    def finish(self, slot):
        self.read(slot)
        self.schedule.took(slot, success(self.jobs, self.schedule.busy[slot]))

    def fail(self, slot, why=FAILED, text="no", **details):
        self.schedule.took(slot, Failed(why, text, details))

    def until(self, kind):
        """Go on until a worker is at work on a task of a kind; its slot."""
        for _step in range(100):
            self.hand_out()
            for slot, task in dict(self.schedule.busy).items():
                if isinstance(task, kind):
                    return slot
            self.finish(next(iter(self.schedule.busy)))
        raise AssertionError(f"no {kind} in {self.given}")

    def to_the_end(self):
        for _step in range(1000):
            self.hand_out()
            if self.schedule.over:
                return self
            self.finish(next(iter(self.schedule.busy)))
        raise AssertionError(f"never over: {self.given[-5:]}")

    @property
    def done(self):
        return {str(self.jobs[number].name) for number in self.schedule.finished}

    @property
    def later(self):
        return self.schedule.failures.later

    @property
    def for_good(self):
        return [failure.text for failure in self.schedule.failures.for_good]

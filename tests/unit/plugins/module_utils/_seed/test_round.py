# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a round hands out tasks and what it tells, with processes that a test speaks for."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.counters import Counters
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.meter import Meter
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.round import Round
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.run import Interrupted
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.schedule import Schedule
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.tasks import (
    FAILED,
    LOST,
    Analyze,
    BuildIndex,
    CopyPart,
    CopyTables,
    Failed,
    Refresh,
    SourceRead,
    jobs_of,
    task_of,
    to_message,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    MB,
    index,
    job,
    name,
    success,
    table,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


class SpokenFor:
    """A pool without processes: `answer(task)` says what one sends, None that it dies."""

    def __init__(self, workers, answer):
        self.slots = range(workers)
        self.given = []
        self._answer = answer
        self._sent = []

    def give(self, slot, message):
        task = task_of(message)
        self.given.append(task)
        answer = self._answer(task)
        for event in [answer] if not isinstance(answer, list) else answer:
            self._sent.append((slot, None if event is None else to_message(event)))

    def events(self, _timeout):
        """One at a time, so that something can come in between."""
        return [self._sent.pop(0)] if self._sent else []


def all_well(jobs):
    def answer(task):
        read = isinstance(task, (CopyTables, CopyPart))
        events = [SourceRead(jobs_of(task), 50)] if read else []
        return [*events, success(jobs, task)]

    return answer


class Made(Round):
    """A round over fake sessions that keeps what it reported."""

    def __init__(self, jobs, answer=None, views=None, check=lambda: None, workers=2):
        self.reports = []
        here, there = views or ({}, {})
        meter = Meter(0.0)
        meter.begin_round(jobs, [])
        super().__init__(
            source=FakeSession({"c.relkind = 'm'": view_rows(here)}, "source"),
            target=FakeSession(
                {
                    "c.relkind = 'm'": view_rows(there),
                    "s.finished_at >= r.started_at": [{"schema_name": "public", "table_name": "t"}],
                },
                "target",
            ),
            run=7,
            schedule=Schedule(jobs, [], workers, False, True),
            meter=meter,
            pool=SpokenFor(workers, answer or all_well(jobs)),
            counters=Counters(workers),
            holds_snapshot=bool(jobs),
            check=check,
            report=lambda progress: self.reports.append((progress.phase, progress.tables_done)),
        )


def view_rows(views):
    """Materialized views by name: whether they are populated, and the tables that they read."""
    return [
        {
            "schema": "public",
            "name": text,
            "populated": populated,
            "depends": [["public", other] for other in reads if other in views],
            "reads": [["public", other] for other in reads if other not in views],
        }
        for text, (populated, reads) in views.items()
    ]


def test_everything_is_copied_and_told():
    jobs = [job("a", 10 * MB, defer=(index("i"),)), job("b", 10 * MB)]
    made = Made(jobs)
    made.copy()
    assert made.schedule.over
    assert set(made.schedule.finished) == {0, 1}
    assert made.reports[-1] == ("indexes", 2)
    [last] = [ran for ran in made.target.ran if ran.params and ran.params.get("tables_done") == 2]
    assert last.params["bytes_done"] == 20 * MB
    assert last.params["run"] == 7


def test_nothing_to_do_starts_nothing():
    made = Made([])
    made.copy()
    assert (made.pool.given, made.reports, made.source.texts) == ([], [], [])


def test_the_snapshot_is_released_while_indexes_are_built():
    jobs = [job("a", 10 * MB, defer=(index("i"),))]
    seen = []

    def answer(task):
        if isinstance(task, BuildIndex):
            seen.append(list(made.source.texts))
        return all_well(jobs)(task)

    made = Made(jobs, answer)
    made.meter.snapshot_taken(0.0)
    made.copy()
    assert seen == [["COMMIT"]]
    assert made.source.texts == ["COMMIT"]
    assert made.meter.snapshot_seconds > 0


def test_what_parts_have_read_is_counted():
    jobs = [job("a", 10 * MB, parts=((0, 5), (5, None)))]
    counted = []

    def answer(task):
        if isinstance(task, CopyPart) and task.part[0]:
            # The first part was read, the second one is just beginning.
            made.counters.reading(1, 0)
            made.counters.add(1, 7)
        return all_well(jobs)(task)

    made = Made(jobs, answer, workers=1)
    made.counters = Counters(2)
    made.meter.measure = lambda now, streamed, reading, under_way, finished: counted.append(
        dict(reading)
    )
    parts = []
    made.meter.part_read = lambda number, count: parts.append((number, count))
    made.copy()
    assert parts == [(0, 50), (0, 50)]
    assert {0: 7} in counted


def test_a_dead_process_reads_nothing_any_more():
    jobs = [job("a", 10 * MB)]

    def answer(_task):
        made.counters.reading(0, 0)
        return None

    made = Made(jobs, answer, workers=1)
    made.copy()
    assert made.counters.current() == {}
    assert made.schedule.failures.later == {LOST: ["public.a"]}
    assert made.source.texts == ["COMMIT"]


def test_an_abort_hands_out_nothing_more():
    jobs = [job(text, 10 * MB) for text in "abcd"]
    asked = []

    def check():
        asked.append(1)
        if len(asked) == 3:
            raise Interrupted("The seed was stopped")

    made = Made(jobs, check=check)
    with pytest.raises(Interrupted):
        made.copy()
    given = len(made.pool.given)
    assert given < 4
    # What was finished before is known, for the next run has the ledger only.
    assert 0 < len(made.schedule.finished) < 4


def test_failures_are_left_to_the_caller():
    jobs = [job("a", 10 * MB), job("b", 10 * MB)]

    def answer(task):
        return Failed(FAILED, "no") if task == CopyTables((0,)) else all_well(jobs)(task)

    made = Made(jobs, answer)
    made.copy()
    assert [failure.text for failure in made.schedule.failures.for_good] == ["public.a: no"]
    assert set(made.schedule.finished) == {1}


def test_a_part_that_cannot_be_begun():
    jobs = [job("a", 10 * MB, parts=((0, 5), (5, None)))]
    made = Made(jobs, lambda _task: Failed(FAILED, "no"))
    made.copy()
    assert len(made.pool.given) == 1
    assert not made.schedule.needs_snapshot


HERE = {"over": (True, ["base"]), "base": (True, ["t"]), "empty": (False, ["t"])}


class TestMaterializedViews:
    def test_each_after_those_that_it_reads(self):
        there = {text: (False, reads) for text, (_populated, reads) in HERE.items()}
        made = Made([], views=(HERE, there))
        made.refresh()
        # What is not populated on the source stays empty.
        assert made.pool.given == [Refresh(name("base")), Refresh(name("over"))]
        assert made.refreshed == ["public.base", "public.over"]
        assert made.reports[-1][0] == "refresh"

    def test_only_those_that_lack_rows_of_this_run(self):
        views = {"fresh": (True, ["t"]), "other": (True, ["old"])}
        made = Made([], views=(views, views))
        made.refresh()
        assert made.pool.given == [Refresh(name("fresh"))]

    def test_one_that_cannot_be_refreshed_is_a_warning(self):
        there = {"base": (False, ["t"]), "over": (False, ["base"])}

        def answer(task):
            return (
                Failed(FAILED, "division by zero")
                if task.view == name("base")
                else success([], task)
            )

        made = Made([], answer, views=(HERE, there))
        made.refresh()
        assert made.warnings == ["public.base: division by zero"]
        assert made.refreshed == ["public.over"]
        assert made.schedule.failures.for_good == []

    def test_a_lost_connection_is_for_the_next_round(self):
        made = Made([], lambda _task: Failed(LOST, "gone"), views=(HERE, HERE))
        with pytest.raises(ConnectionFailed, match="gone"):
            made.refresh()


def test_partitioned_tables_get_their_statistics():
    made = Made([])
    tables = [table("p", kind="p"), table("t")]
    made.analyze_parents(tables)
    assert made.pool.given == [Analyze(name("p"))]


def test_statistics_that_cannot_be_gathered_are_a_warning():
    made = Made([], lambda _task: Failed(FAILED, "public.p: no"))
    made.analyze_parents([table("p", kind="p")])
    assert made.warnings == ["public.p: no"]

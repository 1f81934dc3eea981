# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replays what can go wrong with a round's tasks, without a process or a server."""

from __future__ import annotations

import random

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.schedule import (
    Failure,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.tasks import (
    FAILED,
    LOCKED,
    LOST,
    MOVED,
    Analyze,
    BeginParts,
    BuildIndex,
    CopyPart,
    CopyTables,
    EmptyTable,
    FinishTable,
    ProveParts,
    Refresh,
    jobs_of,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    index,
    job,
    name,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.play import (
    PARTS,
    Play,
    big,
    indexed,
    split,
)

KILLED = "A worker process was killed"
# A task of every kind, and how to come to it.
STATES = {
    CopyTables: (lambda: Play(big("a"), big("b"), big("c")), "public.a"),
    BeginParts: (lambda: Play(split(), big("b")), "public.split"),
    CopyPart: (lambda: Play(split(), big("b")), "public.split"),
    ProveParts: (lambda: Play(split(), big("b")), "public.split"),
    BuildIndex: (lambda: Play(indexed("a", "i", "j"), big("b")), "public.i"),
    FinishTable: (lambda: Play(indexed("a", "i"), big("b")), "public.a"),
}


class TestAWorkerDies:
    @pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind.__name__)
    def test_its_task_is_left_to_another_round_and_the_others_go_on(self, kind):
        make, what = STATES[kind]
        play = make()
        slot = play.until(kind)
        play.schedule.died(slot)
        play.to_the_end()
        assert play.later == {LOST: [what]}
        assert play.for_good == []
        assert play.schedule.failures.text == KILLED
        assert "public.b" in play.done
        assert not play.schedule.needs_snapshot

    @pytest.mark.parametrize("kind", [CopyPart, ProveParts])
    def test_what_parts_left_behind_is_taken_away(self, kind):
        play = Play(split(), big("b"))
        play.schedule.died(play.until(kind))
        play.to_the_end()
        assert EmptyTable(0) in play.given
        assert play.done == {"public.b"}

    def test_while_it_empties_a_table(self):
        play = Play(split(), workers=1)
        play.fail(play.until(CopyPart), LOCKED)
        play.schedule.died(play.until(EmptyTable))
        play.to_the_end()
        # The ledger says so still: the next round empties it.
        assert play.later == {LOCKED: ["public.split"], LOST: ["public.split"]}
        assert play.given.count(EmptyTable(0)) == 1

    @pytest.mark.parametrize("task", [Analyze(name("p")), Refresh(name("p"))], ids=str)
    def test_while_it_does_what_comes_last(self, task):
        play = Play().to_the_end()
        play.schedule.add(task)
        play.hand_out()
        play.schedule.died(0)
        assert (play.later, play.schedule.over) == ({LOST: ["public.p"]}, True)

    def test_with_a_batch(self):
        play = Play(*(job(text) for text in "abcdefghi"), workers=1)
        batch = play.hand_out()[0]
        play.schedule.died(0)
        play.to_the_end()
        # Not one by one: nobody is to blame.
        assert play.later == {LOST: [str(play.jobs[number].name) for number in batch.jobs]}

    def test_with_nothing_to_do(self):
        play = Play(big("a"))
        play.schedule.died(1)
        assert play.to_the_end().later == {}

    def test_another_takes_its_place(self):
        play = Play(big("a"), big("b"), workers=1)
        play.hand_out()
        play.schedule.died(0)
        assert play.hand_out() == {0: CopyTables((1,))}

    def test_again_and_again_until_none_is_left(self):
        play = Play(indexed("a", "i"), *(big(f"t{number}") for number in range(20)), workers=2)
        died = 0
        while not play.schedule.over:
            play.schedule.died(next(iter(play.hand_out())))
            died += 1
        # Two of the beginning and four that took their places.
        assert died == 6
        assert len(play.later[LOST]) == 21
        assert play.schedule.next(0) is play.schedule.next(1) is None
        assert not play.schedule.needs_snapshot

    def test_while_the_last_ones_wait_everything_is_named(self):
        unfinished = [(name("old"), [index("i")])]
        play = Play(split(), workers=1, unfinished=unfinished)
        for _time in range(3):
            play.hand_out()
            play.schedule.died(0)
        assert play.schedule.over
        assert set(play.later[LOST]) == {"public.i", "public.split"}


class TestATableChangesUnderWay:
    def test_it_waits_for_another_snapshot(self):
        play = Play(big("a"), big("b"))
        play.hand_out()
        play.fail(0, MOVED, "")
        play.to_the_end()
        assert (play.later, play.done) == ({MOVED: ["public.a"]}, {"public.b"})

    def test_the_others_of_its_batch_do_not_wait(self):
        play = Play(*(job(text) for text in "abcdefghijklmnop"), workers=1)
        jobs = play.until(CopyTables)
        batch = play.schedule.busy[jobs].jobs
        assert len(batch) > 1
        play.fail(0, MOVED, "")
        moved = batch[0]
        while not play.schedule.over:
            play.hand_out()
            if play.schedule.busy.get(0) == CopyTables((moved,)):
                play.fail(0, MOVED, "")
            elif play.schedule.busy:
                play.finish(0)
        assert play.later == {MOVED: [str(play.jobs[moved].name)]}
        assert len(play.done) == 15

    def test_between_two_parts(self):
        play = Play(split(), workers=1)
        slot = play.until(CopyPart)
        play.finish(slot)
        play.fail(play.until(CopyPart), MOVED, "")
        play.to_the_end()
        assert play.later == {MOVED: ["public.split"]}
        # The third part was not begun any more.
        assert play.given == [
            BeginParts(0),
            CopyPart(0, PARTS[0]),
            CopyPart(0, PARTS[1]),
            EmptyTable(0),
        ]


class TestAPartFails:
    def test_the_others_are_waited_for(self):
        play = Play(split(), workers=3)
        play.finish(play.until(BeginParts))
        assert len(play.hand_out()) == 3
        play.fail(1, FAILED, "value too long")
        assert len(play.hand_out()) == 2
        play.finish(0)
        play.finish(2)
        assert EmptyTable(0) in play.hand_out().values()
        assert play.to_the_end().for_good == ["public.split: value too long"]

    def test_of_several_failures_the_first_says_it_all(self):
        play = Play(split(), workers=3)
        play.finish(play.until(BeginParts))
        play.hand_out()
        play.fail(0, LOST, "first")
        play.fail(1, FAILED, "second")
        play.schedule.died(2)
        play.to_the_end()
        assert (play.later, play.for_good) == ({LOST: ["public.split"]}, [])
        assert play.schedule.failures.text == "first"
        assert play.given.count(EmptyTable(0)) == 1

    def test_before_the_first_is_begun(self):
        play = Play(split())
        play.fail(play.until(BeginParts), LOCKED, "canceling statement due to lock timeout")
        play.to_the_end()
        assert (play.given, play.later) == ([BeginParts(0)], {LOCKED: ["public.split"]})

    def test_and_what_it_left_cannot_be_taken_away(self):
        play = Play(split(), workers=1)
        play.fail(play.until(CopyPart), LOST, "gone")
        play.fail(play.until(EmptyTable), FAILED, "permission denied")
        play.to_the_end()
        assert play.later == {LOST: ["public.split"]}
        assert play.for_good == ["public.split: permission denied"]

    def test_other_tables_in_parts_go_on(self):
        play = Play(split("a"), split("b"), workers=1)
        play.fail(play.until(CopyPart))
        play.to_the_end()
        assert play.done == {"public.b"}


class TestTheSnapshotIsLost:
    def test_everything_that_reads_is_left_to_a_round_with_another(self):
        """As when the source restarts: each worker sees it for itself."""
        gone = "the snapshot is gone"
        play = Play(split("a"), big("b"), indexed("c", "i"), big("d"), workers=2)
        play.finish(play.until(BeginParts))
        # One table was finished before.
        play.finish(play.until(CopyTables))
        while not play.schedule.over:
            play.hand_out()
            for slot, task in dict(play.schedule.busy).items():
                if isinstance(task, (CopyTables, CopyPart, BeginParts)):
                    play.fail(slot, LOST, gone)
                else:
                    play.finish(slot)
        assert set(play.later) == {LOST}
        assert len(play.done) == 1
        assert play.done | set(play.later[LOST]) == {f"public.{text}" for text in "abcd"}
        assert play.schedule.failures.text == gone

    def test_a_batch_is_not_tried_one_by_one(self):
        play = Play(*(job(text) for text in "abcdefghi"), workers=1)
        batch = play.hand_out()[0]
        play.fail(0, LOST, "gone")
        assert len(play.later[LOST]) == len(batch.jobs)


class TestALockTimesOut:
    def test_only_the_locked_table_of_a_batch_waits(self):
        play = Play(*(job(text) for text in "abcdefghijklmnop"), workers=1)
        batch = play.hand_out()[0].jobs
        play.fail(0, LOCKED, "lock timeout")
        locked = batch[-1]
        while not play.schedule.over:
            play.hand_out()
            task = play.schedule.busy.get(0)
            if task is not None and locked in jobs_of(task):
                play.fail(0, LOCKED, "lock timeout")
            elif task is not None:
                play.finish(0)
        assert play.later == {LOCKED: [str(play.jobs[locked].name)]}
        assert play.schedule.failures.text == "lock timeout"
        assert len(play.done) == 15

    def test_before_the_proof_of_a_table_in_parts(self):
        play = Play(split(), workers=1)
        play.fail(play.until(ProveParts), LOCKED, "lock timeout")
        play.to_the_end()
        assert play.later == {LOCKED: ["public.split"]}
        assert play.given[-1] == EmptyTable(0)


class TestProofFails:
    def test_the_culprit_of_a_batch_is_found_and_the_others_are_kept(self):
        play = Play(*(job(text) for text in "abcdefghi"), workers=1)
        wrong = play.hand_out()[0].jobs[0]
        while not play.schedule.over:
            play.hand_out()
            task = play.schedule.busy.get(0)
            if task is not None and wrong in jobs_of(task):
                play.read(0)
                # Whoever is tried alone now must still find the snapshot.
                assert play.schedule.needs_snapshot or len(jobs_of(task)) == 1
                play.fail(0, FAILED, "the 3 rows that arrived are not the 4")
            elif task is not None:
                play.finish(0)
        culprit = str(play.jobs[wrong].name)
        assert play.for_good == [f"{culprit}: the 3 rows that arrived are not the 4"]
        assert play.done == {str(one.name) for one in play.jobs} - {culprit}

    def test_a_table_in_parts_is_emptied(self):
        play = Play(split(), workers=1)
        play.fail(play.until(ProveParts), FAILED, "public.split: the 3 rows are not the 4")
        play.to_the_end()
        assert play.given[-1] == EmptyTable(0)
        # It names the table already.
        assert play.for_good == ["public.split: the 3 rows are not the 4"]


class TestWhatIsKnownOfAFailure:
    def test_details_are_kept(self):
        play = Play(big("a"))
        play.hand_out()
        play.fail(0, FAILED, "KeyError: 'x'", traceback="Traceback ...")
        assert play.schedule.failures.for_good == [
            Failure("public.a: KeyError: 'x'", {"traceback": "Traceback ..."})
        ]

    def test_also_of_what_is_tried_again(self):
        play = Play(big("a"))
        play.hand_out()
        play.fail(0, LOST, "gone", hint="See the server's log.")
        assert play.schedule.failures.details == {"hint": "See the server's log."}

    def test_an_index_that_cannot_be_built_leaves_its_table_unfinished(self):
        play = Play(indexed("a", "i", "j"), workers=1)
        play.fail(play.until(BuildIndex), FAILED, "could not create unique index")
        play.to_the_end()
        assert play.for_good == ["public.i: could not create unique index"]
        assert not any(isinstance(task, FinishTable) for task in play.given)


@pytest.mark.parametrize("seed", range(150))
def test_whatever_happens_every_table_is_copied_once_or_named(seed):
    chance = random.Random(seed)
    jobs = [
        *(job(f"small{number}") for number in range(chance.randrange(30))),
        *(big(f"big{number}") for number in range(chance.randrange(4))),
        *(split(f"split{number}") for number in range(chance.randrange(3))),
        *(indexed(f"indexed{number}", f"i{number}", f"j{number}") for number in range(2)),
    ]
    chance.shuffle(jobs)
    play = Play(*jobs, workers=chance.randint(1, 4))
    made = play.schedule
    for _step in range(2000):
        play.hand_out()
        # Whoever is at work on several tables may have to read them again.
        assert made.needs_snapshot or all(len(jobs_of(task)) < 2 for task in made.busy.values())
        if made.over:
            break
        slot = chance.choice(list(made.busy))
        if chance.random() < 0.3:
            play.read(slot)
        if chance.random() < 0.75:
            play.finish(slot)
        elif chance.random() < 0.15:
            made.died(slot)
        else:
            play.fail(slot, chance.choice([FAILED, LOCKED, LOST, MOVED]), f"why {slot}")
    assert made.over
    assert not made.needs_snapshot
    assert made.under_way == set()
    named = {text for names in play.later.values() for text in names}
    named |= {failure.text.split(":")[0] for failure in made.failures.for_good}
    for one in jobs:
        assert (str(one.name) in play.done) or str(one.name) in named
    # What is finished is not copied again.
    for number in made.finished:
        last = [task for task in play.given if number in jobs_of(task)][-1]
        assert isinstance(last, (CopyTables, ProveParts))

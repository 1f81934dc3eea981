# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a round's tasks is handed out when, without a process or a server."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.tasks import (
    FAILED,
    Analyze,
    BeginParts,
    BuildIndex,
    CopyPart,
    CopyTables,
    FinishTable,
    PartCopied,
    ProveParts,
    Read,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    MB,
    index,
    job,
    name,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.play import (
    PARTS,
    Play,
    big,
    indexed,
    schedule,
    split,
)


class TestAllGoesWell:
    def test_large_tables_first_small_ones_together(self):
        play = Play(job("a"), job("b"), big("c"), job("d", 20 * MB), workers=1)
        play.to_the_end()
        assert play.given == [
            CopyTables((3,)),
            CopyTables((2,)),
            CopyTables((0,)),
            CopyTables((1,)),
        ]
        assert play.done == {"public.a", "public.b", "public.c", "public.d"}
        assert (play.later, play.for_good) == ({}, [])

    def test_a_worker_gets_one_task_at_a_time(self):
        play = Play(big("a"), big("b"), big("c"))
        assert play.hand_out() == {0: CopyTables((0,)), 1: CopyTables((1,))}
        assert play.schedule.next(0) is None
        play.finish(1)
        assert play.hand_out() == {0: CopyTables((0,)), 1: CopyTables((2,))}

    def test_nothing_to_do_is_over_at_once(self):
        made = schedule()
        assert (made.over, made.next(0), made.needs_snapshot) == (True, None, False)

    def test_indexes_follow_their_table_and_then_it_is_finished(self):
        play = Play(indexed("a", "i", "j"), workers=1).to_the_end()
        assert play.given == [
            CopyTables((0,)),
            BuildIndex(name("i"), name("a"), False),
            BuildIndex(name("j"), name("a"), True),
            FinishTable(name("a")),
        ]
        assert (play.schedule.indexes_built, play.schedule.indexes_total) == (2, 2)

    def test_what_a_killed_run_has_copied_gets_its_indexes(self):
        unfinished = [(name("a"), [index("i")]), (name("b"), [])]
        play = Play(workers=1, unfinished=unfinished).to_the_end()
        assert play.given == [
            BuildIndex(name("i"), name("a"), False),
            FinishTable(name("b")),
            FinishTable(name("a")),
        ]

    def test_one_of_several_workers_always_copies(self):
        play = Play(*(big(text) for text in "xyz"), indexed("a", "i", "j", "k"))
        # By size and then by name: a, x, y, z.
        assert play.hand_out() == {0: CopyTables((3,)), 1: CopyTables((0,))}
        play.finish(0)
        assert isinstance(play.hand_out()[0], BuildIndex)
        play.finish(1)
        # Two more indexes wait, but nobody else copies.
        assert play.hand_out()[1] == CopyTables((1,))

    def test_a_lone_worker_builds_indexes_first(self):
        play = Play(indexed("a", "i"), big("b"), workers=1)
        play.hand_out()
        play.finish(0)
        assert play.hand_out() == {0: BuildIndex(name("i"), name("a"), False)}

    @pytest.mark.parametrize(("spare", "used"), [(True, [True, True]), (False, [False, True])])
    def test_the_server_helps_where_nobody_else_wants_processors(self, spare, used):
        play = Play(indexed("a", "i", "j"), spare_processors=spare).to_the_end()
        assert [task.parallel for task in play.given if isinstance(task, BuildIndex)] == used

    def test_a_table_in_parts_is_proven_as_a_whole(self):
        play = Play(split(), workers=2).to_the_end()
        assert play.given == [
            BeginParts(0),
            *(CopyPart(0, part) for part in PARTS),
            ProveParts(0, Read(15, 150, (15, "21")), 12.5),
        ]
        assert play.done == {"public.split"}
        # When it was begun and when it was proven.
        assert play.schedule.discarded == 2

    def test_without_proof_there_are_no_sums(self):
        play = Play(split(parts=((0, None),)), proof=False)
        play.finish(play.until(BeginParts))
        play.hand_out()
        play.schedule.took(0, PartCopied(Read(5, 50, None)))
        assert play.hand_out()[0].read == Read(5, 50, None)

    def test_other_things_are_done_when_they_are_added(self):
        play = Play().to_the_end()
        play.schedule.add(Analyze(name("p")))
        assert not play.schedule.over
        play.to_the_end()
        assert play.given == [Analyze(name("p"))]


class TestSnapshot:
    def test_it_is_kept_as_long_as_tables_are_read(self):
        play = Play(big("a"), big("b"))
        play.hand_out()
        play.read(0)
        assert play.schedule.needs_snapshot
        play.read(1)
        # Both are still being proven.
        assert not play.schedule.needs_snapshot
        assert play.to_the_end().done == {"public.a", "public.b"}

    def test_it_is_kept_for_tables_that_wait(self):
        play = Play(big("a"), big("b"), workers=1)
        play.hand_out()
        play.finish(0)
        assert play.schedule.needs_snapshot

    def test_every_part_wants_it(self):
        play = Play(split(parts=((0, 5), (5, None))))
        play.finish(play.until(BeginParts))
        play.hand_out()
        play.read(0)
        assert play.schedule.needs_snapshot
        play.read(1)
        assert not play.schedule.needs_snapshot

    def test_tables_of_a_batch_may_have_to_be_read_again(self):
        """One by one, if one of them turns out not to be equal."""
        play = Play(*(job(text) for text in "abcdefghi"), workers=1)
        batch = play.hand_out()[0].jobs
        while len(play.done) + len(batch) < len(play.jobs):
            play.finish(0)
            batch = play.hand_out()[0].jobs
        assert len(batch) > 1
        play.read(0)
        assert play.schedule.needs_snapshot
        play.fail(0, FAILED, "not equal")
        assert play.schedule.needs_snapshot
        assert len(play.to_the_end().done) == len(play.jobs)
        assert not play.schedule.needs_snapshot

    def test_a_table_that_failed_wants_it_no_more(self):
        play = Play(big("a"))
        play.hand_out()
        play.fail(0)
        assert (play.schedule.needs_snapshot, play.schedule.over) == (False, True)


class TestProgress:
    def test_what_was_read_counts_until_it_is_given_up(self):
        play = Play(big("a"), split("b"), workers=2)
        play.finish(play.until(BeginParts))
        assert play.schedule.under_way == {0, 1}
        slot = play.until(CopyPart)
        play.fail(slot)
        assert 1 not in play.schedule.under_way
        play.finish(play.slot_of(CopyTables))
        assert play.schedule.under_way == set()

    def test_between_its_last_part_and_its_proof_a_table_counts(self):
        play = Play(split(parts=((0, 5), (5, None))))
        play.finish(play.until(BeginParts))
        play.finish(play.until(CopyPart))
        play.finish(play.until(CopyPart))
        assert play.schedule.under_way == {0}

    def test_a_batch_is_named_by_the_table_that_is_being_read(self):
        play = Play(*(job(text) for text in "abcdefghi"), workers=1)
        batch = play.hand_out()[0].jobs
        names = [str(play.jobs[number].name) for number in batch]
        assert play.schedule.working_on([batch[-1]]) == [names[-1]]
        # Being proven.
        assert play.schedule.working_on([]) == [names[0]]

    def test_indexes_are_named(self):
        play = Play(indexed("a", "i"), workers=1)
        play.until(BuildIndex)
        assert play.schedule.working_on([]) == ["public.i"]
        assert not play.schedule.copying

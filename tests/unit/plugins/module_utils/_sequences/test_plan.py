# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sharing the numbers of sequences out among masters."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import (
    watch as sequences_watch,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import (
    Sequence,
    Survey,
)

NAME = TableName("public", "t_id_seq")


def sequence(last_value=1, is_called=False, **values):
    fields = {
        "name": NAME,
        "oid": 1,
        "start": 1,
        "increment": 1,
        "minimum": 1,
        "maximum": 2**63 - 1,
        "cycle": False,
        "last_value": last_value,
        "is_called": is_called,
    }
    return Sequence(**{**fields, **values})


def carry_out(sides, planned):
    """The masters as they are after a plan."""
    result = dict(sides)
    for move in planned.moves:
        result[move.master] = dataclasses.replace(
            move.sequence,
            increment=move.numbers.step,
            start=move.start,
            last_value=move.first_above(planned.used),
            is_called=False,
            share=move.placed(move.first_above(planned.used)),
        )
    return result


def handed_out(side, count=50):
    return [side.following + i * side.increment for i in range(count)]


def interleaved(sides, slots=None, origin="here"):
    planned = plan.interleave(NAME, sides, slots or len(sides), origin, "one")
    return carry_out(sides, planned)


@pytest.mark.parametrize("masters", [1, 2, 3, 5])
@pytest.mark.parametrize(("increment", "start"), [(1, 1), (1, 7), (50, 100), (50, 1)])
def test_no_number_twice_and_all_above_those_in_use(masters, increment, start):
    used = start + 20 * increment
    names = ["here", "b", "c", "d", "e"][:masters]
    sides = {name: sequence(start, increment=increment, start=start, minimum=1) for name in names}
    sides["here"] = dataclasses.replace(sides["here"], last_value=used, is_called=True)
    done = interleaved(sides)
    numbers = [n for side in done.values() for n in handed_out(side)]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > used
    assert all((n - start) % increment == 0 for n in numbers)


def test_a_second_run_changes_nothing_although_values_move_on():
    done = interleaved({"here": sequence(500, True), "there": sequence()})
    moved = {
        name: dataclasses.replace(side, last_value=side.last_value + 40, is_called=True)
        for name, side in done.items()
    }
    assert plan.interleave(NAME, moved, 2, "here").moves == ()


def test_a_number_in_the_column_above_the_sequence_counts_as_used():
    done = interleaved({"here": sequence(5, True), "there": sequence(highest=9000)})
    assert min(handed_out(done["here"]) + handed_out(done["there"])) > 9000


def test_a_third_master_gets_its_share_of_the_first_step():
    two = interleaved({"here": sequence(100, True), "there": sequence()})
    # A clone has the step of the origin, its start, and no ledger.
    clone = sequence(increment=2)
    three = interleaved({**two, "third": clone})
    assert {side.increment for side in three.values()} == {3}
    numbers = [n for side in three.values() for n in handed_out(side)]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > max(side.last_value - 1 for side in two.values()) - 2


def test_a_third_master_disturbs_nobody_when_room_was_left():
    two = interleaved({"here": sequence(100, True), "there": sequence()}, slots=4)
    clone = sequence(increment=4)
    planned = plan.interleave(NAME, {**two, "third": clone}, 4, "here")
    assert [move.master for move in planned.moves] == ["third"]


def test_a_clone_without_ledger_is_not_taken_for_done():
    # Start and step of a fresh clone look like those of the first master.
    done = interleaved({"here": sequence(100, True), "there": sequence()})
    fresh = {"here": sequence(increment=2), "there": done["there"]}
    planned = plan.interleave(NAME, fresh, 2, "there")
    assert [move.master for move in planned.moves] == ["here"]
    assert planned.moves[0].numbers.step == 2


def test_a_run_killed_between_two_commits_is_completed():
    sides = {"here": sequence(100, True), "there": sequence()}
    done = interleaved(sides)
    half = {"here": done["here"], "there": sides["there"]}
    planned = plan.interleave(NAME, half, 2, "here")
    assert [move.master for move in planned.moves] == ["there"]
    finished = carry_out(half, planned)
    assert not set(handed_out(finished["here"])) & set(handed_out(finished["there"]))


def moved(side, **values):
    return dataclasses.replace(side, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"last_value": 104, "is_called": True},
        {"last_value": 105},
        {"increment": 1},
        {"start": 4, "last_value": 4},
        {"share": None, "last_value": 102, "is_called": True},
    ],
)
def test_a_master_that_left_its_share_is_mended_and_what_it_gave_is_never_given_again(values):
    done = interleaved({"here": sequence(100, True), "there": sequence()})
    assert done["here"].following == 101
    assert done["there"].following == 102
    strayed = {**done, "there": moved(done["there"], **values)}
    given = handed_out(strayed["there"], 5)
    strayed["there"] = moved(strayed["there"], last_value=given[-1], is_called=True)
    mended = interleaved(strayed)
    later = handed_out(mended["here"]) + handed_out(mended["there"])
    assert len(set(later)) == len(later)
    assert not set(later) & set(given)
    assert plan.interleave(NAME, mended, 2, "here").empty


def test_restart_leads_to_numbers_of_the_own_share():
    done = interleaved({"here": sequence(100, True), "there": sequence()})
    again = {name: moved(side, last_value=side.start) for name, side in done.items()}
    assert [side.following for side in again.values()] == [1, 2]
    assert not set(handed_out(again["here"])) & set(handed_out(again["there"]))
    assert [m for m, _problem in sequences_watch.watch(NAME, again)] == ["here", "there"]
    assert min(side.following for side in interleaved(again).values()) >= 1


def test_a_start_at_the_end_of_the_range_stays_inside_it():
    sides = {
        name: sequence(10, True, start=100, minimum=1, maximum=100) for name in ("here", "there")
    }
    done = interleaved(sides)
    assert [side.start for side in done.values()] == [100, 1]
    assert [side.following % 2 for side in done.values()] == [0, 1]


def test_a_marker_at_the_end_of_a_column_does_not_use_up_all_numbers():
    last = 2**31 - 1
    sides = {
        "here": sequence(100, True, highest=last, maximum=last),
        "there": sequence(highest=last, maximum=last),
    }
    planned = plan.interleave(NAME, sides, 2, "here")
    assert "meet it" in planned.warnings[0]
    done = carry_out(sides, planned)
    assert [side.following for side in done.values()] == [101, 102]
    assert plan.interleave(NAME, done, 2, "here").empty


# --- several syncs --------------------------------------------------------------------------------


def of_sync(sides, sync, slots=None):
    planned = plan.interleave(NAME, sides, slots or len(sides), next(iter(sides)), sync)
    done = carry_out(sides, planned)
    for note in planned.notes:
        done[note.master] = moved(done[note.master], share=note.share)
    return done, planned


def restored(sides, sync):
    planned = plan.restore(NAME, sides, sync)
    done = carry_out(sides, planned)
    for note in planned.notes:
        done[note.master] = moved(done[note.master], share=note.share)
    return done


def test_a_second_sync_between_the_same_masters_joins_and_leaves_without_moving_anything():
    one, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    two, planned = of_sync(one, "two")
    assert planned.moves == ()
    assert {side.share.syncs for side in two.values()} == {frozenset({"one", "two"})}
    assert of_sync(two, "one")[1].empty
    left = restored(two, "one")
    assert {side.increment for side in left.values()} == {2}
    assert {side.share.syncs for side in left.values()} == {frozenset({"two"})}
    assert plan.restore(NAME, left, "one").empty
    assert {side.increment for side in restored(left, "two").values()} == {1}


def test_a_sync_with_more_masters_shares_out_anew_and_the_other_leaves_that_alone():
    one, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    three, planned = of_sync({**one, "third": sequence(increment=2)}, "two")
    assert len(planned.moves) == 3
    assert {side.increment for side in three.values()} == {3}
    pair = {name: three[name] for name in ("here", "there")}
    assert of_sync(pair, "one")[1].empty
    left = restored(three, "two")
    assert [side.increment for side in left.values()] == [3, 3, 1]
    # Alone again, the first sync needs two shares only.
    again, _plan = of_sync({name: left[name] for name in ("here", "there")}, "one")
    assert {side.increment for side in again.values()} == {2}


def test_syncs_that_have_one_master_in_common_use_its_share():
    one, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    # In this sync it is the second master, but its share is taken as it is.
    other, planned = of_sync({"third": sequence(500, True), "here": one["here"]}, "two")
    assert [move.master for move in planned.moves] == ["third", "here"]
    assert not set(handed_out(other["third"])) & set(handed_out(other["here"]))
    assert other["here"].share.same_numbers(one["here"].share)
    assert not set(handed_out(one["there"])) & set(handed_out(other["here"]))


def test_a_share_that_masters_elsewhere_count_on_is_not_taken_away():
    one, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    sides = {"here": one["here"], "c": sequence(increment=2), "d": sequence(increment=2)}
    with pytest.raises(plan.Unshareable, match="sync one has shared it out among 2") as caught:
        of_sync(sides, "two")
    assert "data_seed_sequence_slots of 4" in caught.value.cure
    # The cure, followed.
    roomy, _plan = of_sync(one, "one", slots=4)
    done, _plan = of_sync({**sides, "here": roomy["here"]}, "two")
    assert len({side.following % 4 for side in done.values()}) == 3


def test_a_sequence_left_out_later_stays_and_is_not_watched():
    done, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    for note in plan.release(NAME, done, "one").notes:
        done[note.master] = moved(done[note.master], share=note.share)
    assert plan.release(NAME, done, "one").empty
    own_ranges = {name: moved(side, increment=10) for name, side in done.items()}
    assert sequences_watch.watch(NAME, own_ranges) == []
    # The way back forgets it, and does not undo what somebody meant.
    planned = plan.restore(NAME, own_ranges, "one")
    assert planned.moves == ()
    assert [note.share for note in planned.notes] == [None, None]
    # Untouched, it goes back like all others.
    assert {side.increment for side in restored(done, "one").values()} == {1}


def test_the_way_back_is_open_at_the_end_of_a_range():
    done, _plan = of_sync(
        {"here": sequence(90, True, maximum=99), "there": sequence(maximum=99)}, "one"
    )
    full = {name: moved(side, last_value=99, is_called=True) for name, side in done.items()}
    assert {side.increment for side in restored(full, "one").values()} == {1}


# --- positions, without sharing out --------------------------------------------------------------


def test_a_clone_that_was_never_used_goes_on_where_the_origin_is():
    sides = {"here": sequence(1000, True), "there": sequence(), "third": sequence(7, True)}
    planned = plan.follow(NAME, sides, "here")
    assert [(f.master, f.last_value, f.is_called) for f in planned.follows] == [
        ("there", 1000, True)
    ]


@pytest.mark.parametrize(
    "there",
    [
        sequence(1000, True),
        sequence(5),
        # Prepared by hand, with a range of its own.
        sequence(2000, start=2000),
        sequence(minimum=-5),
        None,
    ],
)
def test_a_sequence_in_use_or_of_its_own_kind_is_not_moved(there):
    sides = {"here": sequence(1000, True), "there": there}
    assert plan.follow(NAME, sides, "here").empty


def test_where_the_origin_is_at_start_there_is_nothing_to_follow():
    assert plan.follow(NAME, {"here": sequence(), "there": sequence()}, "here").empty


# --- what is noticed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"increment": 1}, "counts by 1 instead of 2"),
        ({"last_value": 103}, "goes on with 103, a number of another master"),
        ({"last_value": 2}, "was set back to 2; its own numbers begin at 102"),
        ({"start": 1}, "RESTART leads to 1, a number of another master"),
        ({"share": None, "is_called": True}, "has no share"),
    ],
)
def test_what_left_its_share_is_told_with_sequence_master_and_cure(values, words):
    done, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    surveys = {
        "here": Survey({NAME: done["here"]}, ledger=True),
        "there": Survey({NAME: moved(done["there"], **values)}, ledger=True),
    }
    (line,) = sequences_watch.problems(surveys, "one")
    assert line.startswith("public.t_id_seq on there: ")
    assert words in line
    assert line.endswith("Run the bootstrap again to move it above all numbers in use.")
    assert sequences_watch.problems(surveys, "another") == []
    assert sequences_watch.not_shared(surveys, [NAME], "here", "one") == []


def test_all_is_well_while_values_move_on_and_while_a_clone_is_unused():
    done, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    done = {
        name: moved(x, last_value=x.last_value + 40, is_called=True) for name, x in done.items()
    }
    assert sequences_watch.watch(NAME, done, "one") == []
    clone = {"third": sequence(increment=2)}
    assert sequences_watch.watch(NAME, {**done, **clone}, "one") == []


def test_the_same_share_twice_is_told():
    done, _plan = of_sync({"here": sequence(100, True), "there": sequence()}, "one")
    same = {**done, "there": done["here"]}
    assert sequences_watch.watch(NAME, same, "one") == [("there", "has the same share as here")]
    other, _plan = of_sync({**done, "third": sequence(increment=2)}, "one")
    mixed = {"here": done["here"], "there": other["there"]}
    assert [master for master, _problem in sequences_watch.watch(NAME, mixed, "one")] == [
        "here",
        "there",
    ]


def test_a_sequence_without_any_share_is_told_where_others_have_theirs():
    surveys = {name: Survey({NAME: sequence()}, ledger=True) for name in ("here", "there")}
    (line,) = sequences_watch.not_shared(surveys, [NAME], "here")
    assert line.startswith("public.t_id_seq on here, there: has no share")


def test_restore_gives_the_first_step_back_above_everything():
    sides = {
        "here": sequence(1000, True, increment=50, start=100),
        "there": sequence(100, increment=50, start=100),
    }
    done = interleaved(sides)
    planned = plan.restore(NAME, done)
    back = carry_out(done, planned)
    assert {side.increment for side in back.values()} == {50}
    assert all(side.share is None for side in back.values())
    assert min(side.following for side in back.values()) > 1000
    assert all((side.following - 100) % 50 == 0 for side in back.values())


def test_restore_leaves_alone_what_was_never_changed():
    assert plan.restore(NAME, {"here": sequence(), "there": None}).moves == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cycle": True}, "CYCLE"),
        ({"increment": -1, "maximum": -1, "minimum": -100}, "downwards"),
        ({"maximum": 101}, "MAXVALUE 101 differs"),
        ({"minimum": 0}, "MINVALUE 0 differs"),
        ({"increment": 3}, "INCREMENT BY 3 differs"),
        ({"start": 5}, "START WITH 5 differs"),
    ],
)
def test_sequences_that_cannot_be_shared_are_refused_by_name(change, words):
    sides = {"here": sequence(100, True), "there": sequence(**change)}
    with pytest.raises(Refused, match=words) as caught:
        plan.interleave(NAME, sides, 2, "here")
    assert "public.t_id_seq" in caught.value.one_line
    assert caught.value.cure


def test_no_number_left_for_every_master_is_refused_by_name():
    sides = {name: sequence(100, True, maximum=101) for name in ("here", "there")}
    with pytest.raises(Refused, match="on there: no value above 100 is left") as caught:
        plan.interleave(NAME, sides, 2, "here")
    assert "multimaster_exclude_sequences" in caught.value.cure


def test_a_missing_sequence_is_refused():
    with pytest.raises(Refused, match="no such sequence on there"):
        plan.interleave(NAME, {"here": sequence(), "there": None}, 2, "here")


def test_little_room_is_told():
    sides = {"here": sequence(maximum=32767), "there": sequence(maximum=32767)}
    assert "values are left" in plan.interleave(NAME, sides, 2, "here").warnings[0]


def test_the_diff_does_not_depend_on_current_values():
    one = plan.interleave(NAME, {"here": sequence(5, True), "there": sequence()}, 2, "here")
    other = plan.interleave(NAME, {"here": sequence(9, True), "there": sequence()}, 2, "here")
    assert plan.state(one, after=True) == plan.state(other, after=True)
    assert plan.state(one, after=False)["here"] == {"increment": 1, "share": "all"}
    assert plan.state(one, after=True)["there"] == {"increment": 2, "share": "2 of 2"}


def test_all_refusals_are_told_at_once():
    def one(name):
        raise Refused(f"{name}: no")

    names = [TableName("public", "a"), TableName("public", "b")]
    with pytest.raises(Refused) as caught:
        plan.collect(names, one)
    assert "public.a: no" in caught.value.one_line
    assert "public.b: no" in caught.value.one_line

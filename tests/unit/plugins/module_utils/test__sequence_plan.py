"""Sharing the numbers of sequences out among masters."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils import _sequence_plan as plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName

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
    return plan.Sequence(**{**fields, **values})


def carry_out(sides, planned):
    """The masters as they are after a plan."""
    result = dict(sides)
    for change in planned.changes:
        result[change.master] = dataclasses.replace(
            change.sequence,
            increment=change.step,
            last_value=change.first_above(planned.used),
            is_called=False,
            share=change.share,
        )
    return result


def handed_out(side, count=50):
    return [side.following + i * side.increment for i in range(count)]


def interleaved(sides, slots=None, reference="here"):
    planned = plan.interleave(NAME, sides, slots or len(sides), reference)
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
    assert plan.interleave(NAME, moved, 2, "here").changes == ()


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
    assert [change.master for change in planned.changes] == ["third"]


def test_a_clone_without_ledger_is_not_taken_for_done():
    # Start and step of a fresh clone look like those of the first master.
    done = interleaved({"here": sequence(100, True), "there": sequence()})
    fresh = {"here": sequence(increment=2), "there": done["there"]}
    planned = plan.interleave(NAME, fresh, 2, "there")
    assert [change.master for change in planned.changes] == ["here"]
    assert planned.changes[0].step == 2


def test_a_run_killed_between_two_commits_is_completed():
    sides = {"here": sequence(100, True), "there": sequence()}
    done = interleaved(sides)
    half = {"here": done["here"], "there": sides["there"]}
    planned = plan.interleave(NAME, half, 2, "here")
    assert [change.master for change in planned.changes] == ["there"]
    finished = carry_out(half, planned)
    assert not set(handed_out(finished["here"])) & set(handed_out(finished["there"]))


def test_a_wrong_setval_is_repaired():
    done = interleaved({"here": sequence(100, True), "there": sequence()})
    done["there"] = dataclasses.replace(done["there"], last_value=done["there"].last_value + 1)
    planned = plan.interleave(NAME, done, 2, "here")
    assert [change.master for change in planned.changes] == ["there"]


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
    assert plan.restore(NAME, {"here": sequence(), "there": None}).changes == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cycle": True}, "CYCLE"),
        ({"increment": -1, "maximum": -1, "minimum": -100}, "downwards"),
        ({"maximum": 101}, "no value above"),
        ({"start": 5}, "START differs"),
    ],
)
def test_sequences_that_cannot_be_shared_are_refused_by_name(change, words):
    sides = {"here": sequence(100, True), "there": sequence(**change)}
    with pytest.raises(Refused, match=words) as caught:
        plan.interleave(NAME, sides, 2, "here")
    assert "public.t_id_seq" in caught.value.one_line
    assert caught.value.cure


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

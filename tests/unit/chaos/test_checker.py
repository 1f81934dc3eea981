# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checker sees each kind of violation, and nothing where there is none."""

from __future__ import annotations

import checker
import pytest
from history import ACKNOWLEDGED, REFUSED, UNKNOWN, Change, Row, Transaction

# A story is told in steps of a second: who, saw what, wrote what, with which outcome.
ROW = Row("item", "1")
LATEST, A_FIRST, B_FIRST = (), ("a", "b", "c"), ("b", "a", "c")


def story(*steps, row=ROW):
    """Transactions one after the other, each of one change."""
    return [
        Transaction(
            master, f"client of {master}", float(at), at + 0.5, outcome, (Change(row, saw, wrote),)
        )
        for at, (master, saw, wrote, outcome) in enumerate(
            (*step, ACKNOWLEDGED)[:4] for step in steps
        )
    ]


def kinds(transactions, found, before=None, preference=LATEST):
    """What the checker says of the row, on two masters that agree."""
    rows = [] if found is None else [("1", found, True, "")]
    baseline = {} if before is None else {ROW: before}
    masters = {"a": {"item": rows}, "b": {"item": rows}}
    verdict = checker.check(transactions, baseline, masters, preference)
    return [violation.kind for violation in verdict.violations]


# Story, version before it, rule, and what may be there in the end.
RIGHT = {
    "nothing happened": ((), 1, LATEST, {1}),
    "nothing was ever there": ((), None, LATEST, {None}),
    "inserted": ([("a", None, 1)], None, LATEST, {1}),
    "updated there, too": ([("a", None, 1), ("b", 1, 2)], None, LATEST, {2}),
    "deleted there": ([("a", None, 1), ("b", 1, None)], None, LATEST, {None}),
    "a conflict": ([("a", 1, 2), ("b", 1, 3)], 1, LATEST, {2, 3}),
    "deleted and updated": ([("a", 1, None), ("b", 1, 3)], 1, LATEST, {None, 3}),
    "a conflict that a wins": ([("a", 1, 2), ("b", 1, 3)], 1, A_FIRST, {2}),
    "a conflict that b wins": ([("a", 1, 2), ("b", 1, 3)], 1, B_FIRST, {3}),
    "two inserts": ([("b", None, 1), ("a", None, 2)], None, B_FIRST, {1}),
    "a deletes and wins": ([("a", 1, None), ("b", 1, 3)], 1, A_FIRST, {None}),
    "the winner is followed": ([("a", 1, 2), ("b", 1, 3), ("b", 2, 4)], 1, A_FIRST, {4}),
    "the loser had lost": ([("a", 1, 2), ("b", 1, 3), ("c", 2, 4)], 1, A_FIRST, {4}),
    "the loser is followed": ([("a", 1, 2), ("b", 1, 3), ("a", 3, 4)], 1, LATEST, {4}),
    "not told": ([("a", 1, 2, UNKNOWN)], 1, LATEST, {1, 2}),
    "not told, a delete": ([("a", 1, None, UNKNOWN)], 1, LATEST, {1, None}),
    "not told, and seen": ([("a", 1, 2, UNKNOWN), ("b", 2, 3)], 1, LATEST, {3}),
    "not told twice": ([("a", 1, 2, UNKNOWN), ("b", 2, 3, UNKNOWN)], 1, LATEST, {2, 3}),
    "told, then not": ([("a", 1, 2), ("a", 2, 3, UNKNOWN)], 1, LATEST, {2, 3}),
    "one that won unheard": ([("a", 1, 2, UNKNOWN), ("b", 1, 3)], 1, A_FIRST, {2, 3}),
    "refused": ([("a", 1, 2, REFUSED)], 1, LATEST, {1}),
    "inserted again": ([("a", 1, None), ("b", None, 3)], 1, A_FIRST, {None, 3}),
    "inserted after the loser had lost": (
        [("a", 1, None), ("b", 1, 2), ("c", 1, 3), ("c", None, 4)],
        1,
        A_FIRST,
        {None, 4},
    ),
    "and updated": (
        [("a", 1, 2), ("a", 2, None), ("b", None, 3), ("b", 3, 4)],
        1,
        A_FIRST,
        {None, 4},
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_may_be_there_and_nothing_else(name):
    steps, before, preference, allowed = RIGHT[name]
    transactions = story(*steps)
    for found in (None, 1, 2, 3, 4, 77):
        said = kinds(transactions, found, before, preference)
        assert bool(said) == (found not in allowed), (found, said)


def test_a_lost_row():
    assert kinds(story(("a", None, 1)), None) == ["lost row"]
    assert kinds([], None, before=1) == ["lost row"]


def test_a_row_that_came_back():
    assert kinds(story(("a", None, 1), ("b", 1, None)), 1) == ["came back"]
    assert kinds(story(("b", 1, None)), 1, before=1) == ["came back"]


def test_a_lost_write():
    assert kinds(story(("a", 1, 2)), 1, before=1) == ["lost write"]
    assert kinds(story(("a", 1, 2), ("b", 2, 3)), 2, before=1) == ["lost write"]


def test_a_wrong_winner():
    conflict = story(("a", 1, 2), ("b", 1, 3))
    assert kinds(conflict, 3, before=1, preference=A_FIRST) == ["wrong winner"]
    assert kinds(conflict, 2, before=1, preference=B_FIRST) == ["wrong winner"]
    # Neither of the two.
    assert kinds(conflict, 1, before=1) == ["lost write"]


def test_a_row_that_nobody_wrote():
    assert kinds([], 5) == ["phantom"]
    assert kinds(story(("a", 1, 2, REFUSED)), 2, before=1) == ["phantom"]
    assert kinds(story(("a", 8, 2)), 2, before=1) == ["phantom"]


def inserted(master, version, outcome=ACKNOWLEDGED, error=""):
    change = Change(ROW, None, version, number=True)
    return Transaction(master, master, version, version, outcome, (change,), error)


def test_a_number_that_was_handed_out_twice():
    assert kinds([inserted("a", 1), inserted("b", 2)], 2) == ["doubled id"]
    assert kinds([inserted("a", 1, REFUSED), inserted("b", 2)], 2) == []
    assert kinds([inserted("a", 1), inserted("b", 2, REFUSED, "23505")], 1) == ["doubled id"]
    assert kinds([inserted("a", 1), inserted("b", 2, REFUSED, "55P03")], 1) == []


def test_a_number_that_was_handed_out_before_the_last_check():
    numbers = {}
    for version, transaction in ((1, inserted("a", 1)), (2, inserted("b", 2))):
        masters = {"a": {"item": [("1", version, True, "")]}}
        verdict = checker.check([transaction], {}, masters, (), numbers)
        assert [one.kind for one in verdict.violations] == ["doubled id"] * (version - 1)
    assert "handed out by a and by b" in str(verdict.violations[0])


def verdict_of(one, other):
    transactions = story(("a", None, 1))
    return checker.check(transactions, {}, {"a": {"item": one}, "b": {"item": other}})


def test_a_key_that_is_there_twice():
    row = ("1", 1, True, "")
    said = verdict_of([row], [row, row]).violations
    assert [one.kind for one in said] == ["doubled id"]
    assert "b holds more than one row" in str(said[0])


def test_masters_that_differ_on_whichever_side():
    row = ("1", 1, True, "")
    for one, other in (([row], []), ([], [row])):
        said = [violation.kind for violation in verdict_of(one, other).violations]
        assert said == ["masters differ", "lost row"]


def test_a_column_that_no_client_knows():
    said = verdict_of([("1", 1, True, "ab")], [("1", 1, True, "cd")]).violations
    assert [one.kind for one in said] == ["masters differ"]
    assert "a holds version 1 (ab), b holds version 1 (cd)" in str(said[0])


def test_a_row_of_two_versions():
    said = verdict_of([("1", 1, True, "")], [("1", 1, False, "")]).violations
    assert [one.kind for one in said] == ["torn row"]


def test_a_violation_tells_the_whole_story_of_the_row():
    transactions = story(("a", 1, 2), ("b", 2, None))
    masters = {"a": {"item": [("1", 2, True, "")]}, "b": {"item": [("1", 2, True, "")]}}
    (said,) = checker.check(transactions, {ROW: 1}, masters).violations
    assert str(said).startswith("came back: item 1: it is version 2, but must be: b saw 2 and")
    assert "Before it was 1; then: a saw 1 and wrote 2 (acknowledged, 0.000); b saw 2" in str(said)


def test_conflicts_and_rows_are_counted():
    transactions = story(("a", 1, 2), ("b", 1, 3))
    masters = {"a": {"item": [("1", 2, True, ""), ("2", 9, True, "")]}}
    verdict = checker.check(transactions, {ROW: 1, Row("item", "2"): 9}, masters)
    assert (verdict.violations, verdict.rows, verdict.conflicts) == ([], 2, 1)
    assert verdict.baseline == {ROW: 2, Row("item", "2"): 9}

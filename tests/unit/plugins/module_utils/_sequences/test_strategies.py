# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each strategy makes of the same situation."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import (
    Sequence,
    Share,
    Survey,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.selection import Chosen
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.strategies import (
    STRATEGIES,
    Situation,
)

NAME, OTHER = TableName("public", "a"), TableName("public", "b")


def sequence(name, last_value=1, called=False, share=None):
    step = share.step if share else 1
    return Sequence(name, 1, 1, step, 1, 2**63 - 1, False, last_value, called, share=share)


def situation(here, there, ledger=False):
    surveys = {
        "here": Survey({one.name: one for one in here}, ledger=ledger),
        "there": Survey({one.name: one for one in there}, ledger=ledger),
    }
    return Situation(surveys, "here", "shop", 2)


USED = situation(
    [sequence(NAME, 10, True), sequence(OTHER, 10, True)], [sequence(NAME), sequence(OTHER)]
)
SHARED = situation(
    [sequence(NAME, 11, True, Share(1, 2, 0, 1, 11, frozenset({"shop"})))],
    [sequence(NAME, 12, False, Share(1, 2, 1, 1, 12, frozenset({"shop"})))],
    ledger=True,
)


def plans(strategy, found, shared=(), excluded=()):
    chosen = Chosen(tuple(shared), tuple(excluded))
    return {one.name: one for one in STRATEGIES[strategy].plans(found, chosen)[0]}


def test_interleaving_moves_what_is_shared_and_follows_what_is_excluded():
    made = plans("interleave", USED, [NAME], [OTHER])
    assert [move.master for move in made[NAME].moves] == ["here", "there"]
    assert made[OTHER].moves == ()
    assert [(one.master, one.last_value) for one in made[OTHER].follows] == [("there", 10)]


def test_interleaving_lets_go_of_what_was_left_out():
    (made,) = plans("interleave", SHARED).values()
    assert {note.master: note.share.syncs for note in made.notes} == {
        "here": frozenset(),
        "there": frozenset(),
    }


def test_leaving_alone_only_follows():
    made = plans("none", USED, [NAME], [OTHER])
    assert all(not one.moves and one.follows for one in made.values())
    assert set(made) == {NAME, OTHER}


def test_restoring_asks_the_ledger_and_not_the_selection():
    assert not STRATEGIES["restore"].selects(SHARED)
    (made,) = plans("restore", SHARED).values()
    assert [(move.master, move.numbers.step, move.share) for move in made.moves] == [
        ("here", 1, None),
        ("there", 1, None),
    ]


def test_watching_plans_nothing_and_tells_of_what_has_left_its_share():
    side = dataclasses.replace(SHARED.surveys["there"].sequences[NAME], last_value=13)
    left = dataclasses.replace(
        SHARED, surveys={**SHARED.surveys, "there": Survey({NAME: side}, ledger=True)}
    )
    assert plans("watch", left, [NAME]) == {}
    (line,) = STRATEGIES["watch"].problems(left, Chosen((NAME,)))
    assert line.startswith("public.a on there: goes on with 13, a number of another master")


@pytest.mark.parametrize(("found", "asked"), [(USED, False), (SHARED, True)])
def test_watching_asks_for_nothing_where_numbers_were_never_shared_out(found, asked):
    assert STRATEGIES["watch"].selects(found) is asked


def test_only_watching_changes_nothing_and_only_restoring_clears_the_ledger():
    assert [name for name, one in STRATEGIES.items() if not one.changes] == ["watch"]
    assert [name for name, one in STRATEGIES.items() if one.clears_ledger] == ["restore"]

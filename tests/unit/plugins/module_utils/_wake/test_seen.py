# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a sync must be woken: never too seldom, whatever the order of commits."""

from __future__ import annotations

import random

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._wake.seen import Seen


def test_the_first_look_wakes():
    assert Seen().differs(1)
    assert Seen().wakes(1, frozenset())


def test_nothing_new_and_nobody_open_is_no_reason():
    seen = Seen()
    seen.wakes(5, frozenset())
    assert not seen.differs(5)
    assert not seen.wakes(5, frozenset({7}))
    assert not seen.open


def test_a_transaction_that_ends_after_its_value_was_seen_wakes_again():
    seen = Seen()
    seen.wakes(5, frozenset())
    assert seen.wakes(6, frozenset({100, 101}))
    assert seen.differs(6)
    assert not seen.wakes(6, frozenset({100, 101}))
    assert seen.wakes(6, frozenset({101, 200}))
    # Those that began since have not advanced it: it would be seen.
    assert seen.open == {101}
    assert seen.wakes(6, frozenset({200}))
    assert not seen.differs(6)


def test_a_value_that_goes_back_is_new():
    seen = Seen()
    seen.wakes(40, frozenset())
    assert seen.wakes(33, frozenset())


@pytest.mark.parametrize("seed", range(300))
def test_each_commit_is_followed_by_a_wake(seed):
    """Transactions write, wait and commit in any order, between and amid looks."""
    rng = random.Random(seed)
    seen, value = Seen(), 0
    seen.wakes(value, frozenset())
    under_way: dict[int, bool] = {}
    owed = False
    for number in range(200):
        act = rng.choice(["begin", "write", "commit", "commit", "look", "look"])
        if act == "begin":
            under_way[number] = False
        elif act == "write" and under_way:
            under_way[rng.choice(list(under_way))] = True
            value += 1
        elif act == "commit" and under_way:
            owed |= under_way.pop(rng.choice(list(under_way)))
        elif act == "look":
            read = value
            is_owed, owed = owed, False
            if rng.random() < 0.5 and under_way:
                # Between the two statements of a look somebody writes, or commits.
                one = rng.choice(list(under_way))
                if under_way[one] or rng.random() < 0.5:
                    owed |= under_way.pop(one)
                else:
                    under_way[one] = True
                    value += 1
            woken = seen.differs(read) and seen.wakes(read, frozenset(under_way))
            assert woken or not is_owed
            # What was committed amid the look is waked for now, or at the next one.
            owed = owed and not woken
    for _look in range(2):
        woken = seen.differs(value) and seen.wakes(value, frozenset())
        assert woken or not owed
        owed = False

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a sync must be woken: never too seldom, whatever the order of commits."""

from __future__ import annotations

import dataclasses
import random

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._wake.seen import Seen, UnderWay


def under_way(*listed, first=0, next_=0):
    return UnderWay(frozenset(listed), range(first, next_))


def test_the_first_look_wakes():
    assert Seen().differs(1)
    assert Seen().wakes(1, under_way())


def test_nothing_new_and_nobody_open_is_no_reason():
    seen = Seen()
    seen.wakes(5, under_way(first=7, next_=7))
    assert not seen.differs(5)
    assert not seen.wakes(5, under_way(7, first=9, next_=10))
    assert not seen.open


def test_a_transaction_that_ends_after_its_value_was_seen_wakes_again():
    seen = Seen()
    seen.wakes(5, under_way())
    assert seen.wakes(6, under_way(100, 101, first=103, next_=103))
    assert seen.differs(6)
    assert not seen.wakes(6, under_way(100, 101, first=103, next_=105))
    assert seen.wakes(6, under_way(101, 200, first=210, next_=210))
    # Those that began since have not advanced it: it would be seen.
    assert seen.open == under_way(101, first=210, next_=103)
    assert seen.wakes(6, under_way(200, first=210, next_=210))
    assert not seen.differs(6)


def test_one_after_which_none_has_ended_is_listed_by_no_snapshot():
    seen = Seen()
    seen.wakes(5, under_way(first=100, next_=100))
    assert seen.wakes(6, under_way(first=100, next_=102))
    assert not seen.wakes(6, under_way(first=100, next_=150))
    # The second ends, then the first, and somebody else's long after.
    assert seen.wakes(6, under_way(100, first=102, next_=150))
    assert not seen.wakes(6, under_way(100, first=140, next_=150))
    assert seen.wakes(6, under_way(first=140, next_=150))
    assert not seen.differs(6)


def test_a_value_that_goes_back_is_new():
    seen = Seen()
    seen.wakes(40, under_way())
    assert seen.wakes(33, under_way())


@dataclasses.dataclass
class Server:
    """Numbers transactions, and shows them as PostgreSQL does.

    The numbers of those that are under way, and whether they have advanced the value.
    """

    rng: random.Random
    value: int = 0
    next: int = 3
    ended: int = 2
    open: dict[int, bool] = dataclasses.field(default_factory=dict)
    waiting: bool = False

    def act(self) -> None:
        choice = self.rng.choice(["begin", "write", "end", "end", "savepoint"])
        if choice == "begin":
            self.open[self.next] = False
            self.next += 1
        elif choice == "savepoint":
            self.next += bool(self.open)
        elif choice == "write" and self.open:
            self.open[self.rng.choice(list(self.open))] = True
            self.value += 1
        elif choice == "end" and self.open:
            number = self.rng.choice(list(self.open))
            self.waiting |= self.open.pop(number)
            self.ended = max(self.ended, number)

    def under_way(self) -> UnderWay:
        first = self.ended + 1
        return UnderWay(frozenset(x for x in self.open if x < first), range(first, self.next))


@pytest.mark.parametrize("seed", range(500))
def test_each_commit_is_followed_by_a_wake(seed):
    """Transactions write and commit in any order, between looks and amid them."""
    rng = random.Random(seed)
    server, seen = Server(rng), Seen()
    seen.wakes(server.value, server.under_way())
    for _step in range(200):
        for _act in range(rng.randrange(4)):
            server.act()
        # What is visible to the run that this look wakes, and what must wake one.
        value, due = server.value, server.waiting
        for _act in range(rng.randrange(3)):
            server.act()
        if seen.differs(value) and seen.wakes(value, server.under_way()):
            server.waiting = False
        assert not (due and server.waiting)
    server.open.clear()
    server.ended = server.next - 1
    seen.wakes(server.value, server.under_way())
    assert not seen.differs(server.value)

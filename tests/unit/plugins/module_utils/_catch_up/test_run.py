# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rounds of a catch-up: when another one is worth it, and what ends or leaves a table."""

from __future__ import annotations

import threading
import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Goat, Sync
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up import plan, run
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up.chunk import (
    Done,
    Truncated,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    MultimasterError,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.enrolled import Found
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending

from ..fake_session import FakeSession

A, B = TableName("public", "a"), TableName("public", "b")


def side(name, target="dbgroup group", width=0):
    column = Column("id", "integer", True, type_oid=23)
    found = Found(delta=(("id", (23, -1, 0)),))
    return plan.Side(
        Table(name, 1, "r", "p", (column,)), found, frozenset([target]), frozenset(["shop"]), width
    )


class Group:
    """Two masters that each have a queue, which chunks shorten.

    :param waiting: by master, by table, how much waits at each look; the last one for ever.
    """

    sync = Sync("shop", "tables", "group", "inactive")
    conninfos = types.MappingProxyType({"here": "to here", "there": "to there"})

    def __init__(self, waiting, left_alone=(), truncated=(), pages=1, width=0):
        self.waiting = {
            master: {name: list(counts) for name, counts in tables.items()}
            for master, tables in waiting.items()
        }
        self.truncated = set(truncated)
        self.goats = [Goat(1, "here", A, key=("id",)), Goat(2, "here", B, key=("id",))]
        self.left_alone = left_alone
        self.width = width
        found = {
            "pg_relation_size": [{"pages": pages}],
            "to_regclass('multimaster.seed') IS NOT NULL": [{"is": False}],
        }
        self.sessions = {name: FakeSession(found, name) for name in self.conninfos}

    def sides(self):
        return {
            name: dict.fromkeys(
                self.sessions,
                side(name, "other" if name in self.left_alone else "dbgroup group", self.width),
            )
            for name in (A, B)
        }

    def special(self):
        return plan.Special()

    @property
    def queues(self):
        return [
            types.SimpleNamespace(master=name, pending=lambda name=name: self._pending(name))
            for name in self.sessions
        ]

    def _pending(self, master):
        found = []
        for name, counts in self.waiting.get(master, {}).items():
            count = counts.pop(0) if len(counts) > 1 else counts[0]
            if count or name in self.truncated:
                found.append(Pending(name, count, 1.0, name in self.truncated))
        return found


@pytest.fixture(name="carried")
def _carried(monkeypatch):
    """What was carried, and what carrying comes to."""
    log, results = [], {}

    class Carrier:
        width = 0

        def __init__(self, statements, source, targets, pace):
            self.name, self.source, self.targets = statements.name, source, targets

        def carry(self, pages, part):
            log.append((str(self.name), self.source, self.targets, pages, part))
            self.width = results.get("width", 0)
            found = results.get(self.name, Done(changes=10, keys=9))
            if isinstance(found, BaseException):
                raise found
            return found() if callable(found) else found

        def settle(self, seen, seen_here):
            log.append((str(self.name), self.source, self.targets, seen, seen_here))
            return 3

    class Lane:
        def __init__(self, group):
            pass

        def session(self, master):
            return master

        def close(self):
            log.append("closed")

    monkeypatch.setattr(run, "Carrier", Carrier)
    monkeypatch.setattr(run, "_Lane", Lane)
    monkeypatch.setattr(run, "_LOOK_EVERY", 0.01)
    return log, results


def catch_up(group, watch=lambda _state: True, **options):
    return run.CatchUp(group, run.Options(**{"workers": 1, "enough": 0, **options}), watch)


def test_one_master_after_the_other_until_nothing_is_left(carried):
    log, _results = carried
    made = catch_up(Group({"here": {A: [10, 0]}, "there": {A: [10, 0], B: [5, 0]}}))
    assert made.needed
    report = made.run()
    assert [entry[:3] for entry in log[:-1]] == [
        ("public.a", "here", ["there"]),
        ("public.a", "there", ["here"]),
        ("public.b", "there", ["here"]),
    ]
    assert log[-1] == "closed"
    assert (report.rounds, report.done.changes, report.done.keys) == (1, 30, 27)
    assert report.after == {"here": [], "there": []}


def test_all_pages_of_a_queue_are_covered_once(carried):
    log, _results = carried
    group = Group({"here": {A: [10, 0]}}, pages=5, width=120_000)
    step = plan.pages_per_chunk(120_000)
    catch_up(group).run()
    assert [entry[3] for entry in log[:-1]] == [(n, n + step) for n in range(0, 5, step)]


@pytest.mark.parametrize(("believed", "real"), [(4_000_000, 40), (40, 4_000_000)])
def test_what_was_brought_tells_how_much_a_chunk_is_to_be(carried, believed, real):
    """The server takes a table that was analyzed when it was empty for one wide row."""
    log, results = carried
    results["width"] = real
    first, then = plan.pages_per_chunk(believed), plan.pages_per_chunk(real)
    assert first != then
    catch_up(Group({"here": {A: [10, 0]}}, pages=first + then + 1, width=believed)).run()
    ends = [0, first, first + then, first + 2 * then]
    assert [entry[3] for entry in log[:-1]] == list(zip(ends, ends[1:]))


def test_what_waits_less_than_asked_for_is_not_needed(carried):
    group = Group({"here": {A: [10]}})
    assert not catch_up(group, above=10).needed
    assert catch_up(group, above=9).needed
    # Of a table that is left to Bucardo nothing counts.
    assert not catch_up(Group({"here": {A: [10]}}, left_alone=[A])).needed


def test_rounds_go_on_while_they_shrink_what_waits(carried):
    report = catch_up(Group({"here": {A: [1000, 100, 10, 0]}})).run()
    assert report.rounds == 3
    # No less than before: whoever writes is quicker.
    report = catch_up(Group({"here": {A: [1000, 1000, 0]}})).run()
    assert report.rounds == 1
    assert catch_up(Group({"here": {A: [1000, 100, 0]}}), enough=200).run().rounds == 1


def test_what_every_round_leaves_counts_once(carried):
    _log, results = carried
    results[A] = Done(changes=10, keys=9, conflicts=4, violations=3, busy=2)
    done = catch_up(Group({"here": {A: [1000, 100, 10, 0]}})).run().done
    assert done == Done(changes=30, keys=27, conflicts=4, violations=3, busy=2)


def test_changes_that_arrive_faster_are_told(carried):
    # Ten were brought, and as many wait as before.
    assert catch_up(Group({"here": {A: [10, 10]}})).run().growing
    assert not catch_up(Group({"here": {A: [10, 0]}})).run().growing


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Truncated(), "a TRUNCATE of it waits"),
        (StatementFailed("permission denied for table a"), "permission denied for table a"),
    ],
)
def test_a_table_that_cannot_be_carried_is_left_and_the_others_are_not(carried, error, why):
    log, results = carried
    results[A] = error
    report = catch_up(Group({"here": {A: [10], B: [10, 0]}})).run()
    assert report.left_alone == {A: why}
    assert [entry[0] for entry in log[:-1]] == ["public.a", "public.b"]


def test_one_that_was_truncated_is_not_begun(carried):
    log, _results = carried
    report = catch_up(Group({"here": {A: [10], B: [10, 0]}}, truncated=[A])).run()
    assert report.left_alone == {A: "a TRUNCATE of it waits"}
    assert [entry[0] for entry in log[:-1]] == ["public.b"]


def name_of(session):
    return session.conninfo.name


@pytest.fixture(name="copied")
def _copied(monkeypatch):
    """What the ledger of "there" says of the table a, copied from "here" while it was in use."""

    def said(**changes):
        facts = {"seen": "1:1:", "seen_here": "2:2:", "source": "here", "source_oid": 1}
        entry = types.SimpleNamespace(name=A, **{**facts, **changes})
        of = {"there": {A: entry}}
        monkeypatch.setattr(
            run.ledger, "entries", lambda session: of.get(session.conninfo.name, {})
        )
        monkeypatch.setattr(run.ledger, "identity", lambda session: session.conninfo.name)

    return said


BOTH_WAIT = {"here": {A: [10, 2]}, "there": {A: [10, 3]}}


def test_what_a_copy_has_brought_and_was_written_anew_is_no_conflict(carried, copied):
    log, _results = carried
    copied()
    report = catch_up(Group(BOTH_WAIT)).run()
    # After everything that can be brought.
    assert log[-2:] == [("public.a", "here", ["there"], "1:1:", "2:2:"), "closed"]
    assert report.done.superseded == 3


@pytest.mark.parametrize(
    "changes",
    [
        # A copy into a master that nobody used, or by an older version.
        {"seen": None},
        {"seen_here": None},
        # From another server, or before changes may have been missed.
        {"source": "elsewhere"},
        {"source_oid": 0},
    ],
)
def test_where_the_copy_tells_nothing_bucardo_decides(carried, copied, changes):
    copied(**changes)
    assert catch_up(Group(BOTH_WAIT)).run().done.superseded == 0


def test_where_only_one_of_them_waits_nothing_looks_like_a_conflict(carried, copied):
    copied()
    assert catch_up(Group({"there": {A: [10, 3]}})).run().done.superseded == 0


def test_a_master_that_is_lost_ends_it_and_closes_all(carried):
    log, results = carried
    results[A] = ConnectionFailed("Lost the connection to there")
    with pytest.raises(ConnectionFailed):
        catch_up(Group({"here": {A: [10], B: [10]}})).run()
    assert log[-1] == "closed"
    assert [entry[0] for entry in log[:-1]] == ["public.a"]


def test_whoever_watches_is_told_and_can_end_it(carried):
    _log, results = carried
    states, looked = [], threading.Event()

    def watch(state):
        states.append(state)
        looked.set()
        return False

    def carry():
        assert looked.wait(30)
        return Done()

    results[A] = carry

    with pytest.raises(MultimasterError, match="The catch-up of sync shop was stopped"):
        catch_up(Group({"here": {A: [10]}}), watch).run()
    assert (states[0].waited, states[0].round) == (10, 1)


def test_no_chunk_is_begun_after_the_time_is_over(carried):
    log, results = carried
    looked = threading.Event()

    def carry():
        assert looked.wait(30)
        return Done()

    results[A] = carry
    group = Group({"here": {A: [10]}, "there": {A: [10]}})
    report = catch_up(group, lambda _state: looked.set() or True, timeout=1e-9).run()
    # The one that was begun is finished, and nothing is an error.
    assert [entry[1] for entry in log[:-1]] == ["here"]
    assert report.rounds == 1


def test_a_large_queue_is_shared_by_the_workers(carried, monkeypatch):
    log, _results = carried
    monkeypatch.setattr(plan, "_DIVIDE_ABOVE", 5)
    catch_up(Group({"here": {A: [10, 0]}}), workers=3).run()
    assert sorted(entry[4] for entry in log if entry != "closed") == [(0, 3), (1, 3), (2, 3)]
    assert log.count("closed") == 3

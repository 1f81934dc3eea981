# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a chunk is carried: in which order it is committed, what is left to Bucardo, what is tried
again."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up import chunk
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up.chunk import (
    Carrier,
    Done,
    Pace,
    Truncated,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up.statements import (
    Statements,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.delta_function import (
    EQUALS,
)

from ..fake_session import FakeSession, text_of

STATEMENTS = Statements(TableName("public", "a"), ("id", "note"), (("id", EQUALS),), "shop")
TEXT = {
    name: text_of(getattr(STATEMENTS, name)())
    for name in (
        *("lock_source", "truncated", "forget", "leave", "leave_part", "lock_target"),
        *("make_chunk", "keys_in", "index_chunk", "conflicts", "delete_rows", "rows_in"),
    )
}


class Log(list):
    """What ran on all masters, in one order, by the names of the statements."""

    def __init__(self, count=5):
        self.count = count
        self.conflicts = []
        self.failures = {}
        self.truncated = set()
        self.leaves = 0
        self.bytes = 1

    def session(self, name):
        log = self
        names = {" ".join(text.split()): key for key, text in TEXT.items()}

        class Session(FakeSession):
            def _note(self, query, params):
                text = super()._note(query, params)
                word = names.get(text, text.split()[0])
                if text.startswith("CREATE TEMPORARY TABLE") and name == "source":
                    word = "take"
                if word == "COPY":
                    word = "out"
                log.append(f"{name} {word}" + (f" {params}" if word.startswith("leave") else ""))
                failures = log.failures.get(f"{name} {word}", [])
                if failures:
                    failure = failures.pop(0)
                    if failure:
                        raise failure
                return text

            def execute(self, query, params=None):
                super().execute(query, params)
                word = log[-1].split()[1]
                if word == "take":
                    return log.count
                if word == "forget":
                    return log.count * 2
                return log.leaves if word == "leave_part" else 1

            def rows(self, query, params=None):
                self._note(query, params)
                if log[-1].endswith("truncated"):
                    return [{"is": name in log.truncated}]
                if log[-1].endswith("conflicts"):
                    return [{"n": one} for one in (log.conflicts.pop(0) if log.conflicts else [])]
                return [{"x": 1}]

            def copy(self, statement, stream, size=1 << 20):
                self._note(statement, None)
                if name == "source":
                    stream.write(b"1" * log.bytes)
                return 1

        return Session(name=name)

    def count_of(self, word):
        return sum(one == word for one in self)

    def carrier(self, *targets):
        source = self.session("source")
        return Carrier(STATEMENTS, source, [self.session(name) for name in targets], Pace())

    def carry(self, *targets):
        return self.carrier(*(targets or ("there",))).carry((0, 1))


def failed(state):
    return StatementFailed("no", sqlstate=state)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(chunk.time, "sleep", lambda seconds: None)


def test_the_targets_commit_before_the_source_forgets():
    log = Log()
    assert log.carry("there", "third") == Done(changes=10, keys=5)
    own = [one for one in log if not one.endswith(("out", "SELECT", "SET"))]
    target = ["BEGIN", "lock_target", "truncated", "make_chunk", "keys_in", "index_chunk"]
    target += ["conflicts", "delete_rows", "conflicts", "rows_in", "COMMIT"]
    assert own == [
        "source BEGIN",
        "source lock_source",
        "source truncated",
        "source take",
        "source index_chunk",
        *(f"there {one}" for one in target),
        *(f"third {one}" for one in target),
        "source forget",
        "source COMMIT",
    ]


def test_a_carrier_knows_what_a_key_of_its_last_chunk_brought():
    log = Log()
    carrier = log.carrier("there", "third")
    assert carrier.width == 0
    log.bytes = 5 * 70_000
    carrier.carry((0, 1))
    assert carrier.width == 70_000
    # Rows that are not there any more.
    log.bytes = 0
    carrier.carry((0, 1))
    assert carrier.width == 1


def test_where_nothing_waits_nobody_is_asked():
    log = Log(count=0)
    assert log.carry() == Done()
    assert not any(one.startswith("there") for one in log)


@pytest.mark.parametrize("where", ["source", "there"])
def test_a_table_that_was_truncated_is_left_to_bucardo(where):
    log = Log()
    log.truncated = {where}
    with pytest.raises(Truncated):
        log.carry()
    assert "source forget" not in log
    assert log[-1] == "source ROLLBACK"


def test_what_waits_on_the_target_too_is_a_conflict():
    log = Log()
    log.conflicts = [[2, 3]]
    assert log.carry() == Done(changes=10, keys=3, conflicts=2)
    # Its rows stay as they are: the transaction that found them wrote nothing.
    assert log.count_of("there ROLLBACK") == 1
    assert "source leave ([2, 3],)" in log


def test_and_what_somebody_wrote_while_it_was_taken_away():
    log = Log()
    log.conflicts = [[], [4]]
    assert log.carry().conflicts == 1
    order = [one for one in log if one.startswith("there")]
    assert order.index("there delete_rows") < order.index("there ROLLBACK")
    assert log.count_of("there COMMIT") == 1


def test_rows_that_violate_a_constraint_are_searched_by_halves_and_left():
    log = Log(count=16)
    log.leaves = 8
    # The whole, then its first half, which is small enough to be left.
    log.failures = {"there rows_in": [failed("23503"), failed("23503")]}
    assert log.carry() == Done(changes=32, keys=8, violations=8)
    assert "source leave_part (1, 8)" in log
    assert log.count_of("there COMMIT") == 1


def test_so_many_violations_are_left_at_once():
    log = Log(count=1000)
    log.leaves = 500
    log.failures = {"there rows_in": [failed("23505")] * 10}
    done = log.carry()
    # Once enough were found a part is left whole, however many keys it has.
    assert [one.partition("part ")[2] for one in log if "leave_part" in one] == [
        "(1, 8)",
        "(9, 16)",
        "(17, 32)",
    ]
    assert done.violations == 1500


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_who_is_in_the_way_is_waited_for(state):
    log = Log()
    log.failures = {"there delete_rows": [failed(state)]}
    assert log.carry() == Done(changes=10, keys=5)
    assert log.count_of("source BEGIN") == 2


def test_but_not_for_ever_and_the_keys_are_told():
    log = Log()
    log.failures = {"there lock_target": [failed("55P03")] * 4}
    assert log.carry() == Done(busy=5)
    assert "source forget" not in log


def test_whatever_else_fails_ends_it_with_all_as_it_was():
    log = Log()
    log.failures = {"there delete_rows": [failed("42501")]}
    with pytest.raises(StatementFailed):
        log.carry()
    assert (log.count_of("there ROLLBACK"), log[-1]) == (1, "source ROLLBACK")


def test_a_source_that_fails_amid_a_stream_lets_no_target_commit():
    log = Log()
    # The keys came; the rows do not.
    log.failures = {"source out": [None, failed("57014")]}
    with pytest.raises(StatementFailed):
        log.carry()
    assert log.count_of("there COMMIT") == 0


def test_the_pace_is_that_of_all_streams_together(monkeypatch):
    slept = []
    monkeypatch.setattr(chunk.time, "sleep", slept.append)
    pace = Pace(1000)
    pace.take(500)
    pace.take(500)
    assert (pace.bytes, slept[0]) == (1000, pytest.approx(0.0, abs=0.05))
    assert slept[1] == pytest.approx(0.5, abs=0.1)
    free = Pace()
    free.take(1 << 30)
    assert len(slept) == 2

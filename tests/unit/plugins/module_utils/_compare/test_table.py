# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the decision about one table proceeds, from one look to the next."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import (
    table as compare_table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare.sessions import (
    ComparedMaster,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import rowhash
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Index,
    Table,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

NAME = TableName("public", "t")
COLUMNS = (Column("id", "integer", True, type_oid=23), Column("v", "text", False, type_oid=25))
KEY = (Index("t_pkey", ("id",), True, True, True, False),)
QUEUE = frozenset({"delta_public_t", "track_public_t"})
TYPES = rowhash.Types({23: "int4", 25: "text"}, {})


class Crew:
    """Sessions that answer one after the other."""

    def __init__(self, *sessions):
        self.sessions = sessions

    def each(self, ask):
        return [ask(i, session) for i, session in enumerate(self.sessions)]


def comparison(indexes=KEY, settled=False):
    masters = [
        ComparedMaster(
            name,
            TYPES,
            {NAME: Table(NAME, oid, "r", "p", COLUMNS, indexes)},
            QUEUE,
            {oid: ("dbgroup shop",)},
        )
        for oid, name in enumerate(("here", "there"))
    ]
    table = masters[0].tables[NAME]
    return compare_table.TableComparison(masters, rowhash.Method(key=1), table, settled)


def session(rows, queued=()):
    """A master that holds these rows: key to hash."""
    found = [{"k": key, "key": [str(key)], "r": value} for key, value in rows.items()]
    return FakeSession(
        {
            "AS bucket": [{"bucket": k & 1023, "n": 1, "s": str(v)} for k, v in rows.items()],
            "delta_public_t": [{"k": key} for key in queued],
            "AS key": found,
        }
    )


@pytest.mark.parametrize("waits", [(False, False), (False, True), (True, False)])
def test_a_table_is_in_use_while_changes_wait_anywhere(waits):
    crew = Crew(*(FakeSession({"SELECT EXISTS": [{"exists": one}]}) for one in waits))
    assert comparison().in_use(crew) == any(waits)


def end(one):
    result = plan.TableResult("public.t")
    one.finish(result, 20)
    return result


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(compare_table, "_GLANCE_SECONDS", 0)


def test_equal_sums_decide_at_once():
    one = comparison()
    one.sums([(2, "7"), (2, "7")])
    assert one.decided
    assert end(one).proof == plan.PROOF_SUMS


def test_a_row_that_stays_different_is_named():
    one = comparison()
    one.sums([(2, "7"), (2, "8")])
    crew = Crew(session({1: 10, 2: 20}), session({1: 10, 2: 21}))
    looks = 0
    while not one.decided:
        one.look(crew)
        looks += 1
    assert looks == 1 + plan.RECHECKS
    result = end(one)
    assert result.problem == "1 key differs, for example id=2 (different)"
    assert [difference.key for difference in result.differences] == [{"id": "2"}]


def test_a_row_that_arrives_makes_the_table_equal():
    one = comparison()
    one.sums([(2, "7"), (1, "3")])
    one.look(Crew(session({1: 10, 2: 20}), session({1: 10})))
    assert not one.decided
    one.look(Crew(session({1: 10, 2: 20}), session({1: 10, 2: 20})))
    assert (one.decided, end(one).proof) == (True, plan.PROOF_KEYS)


def test_a_row_that_waits_is_undecided():
    one = comparison()
    one.sums([(1, "7"), (0, "")])
    crew = Crew(session({1: 10}, queued=[1]), session({}))
    for _look in range(10):
        one.look(crew)
    assert not one.decided
    assert end(one).undecided


def test_a_row_that_waits_is_settled_while_the_sync_is_held():
    one = comparison(settled=True)
    one.sums([(1, "7"), (0, "")])
    crew = Crew(session({1: 10}, queued=[1]), session({}))
    one.look(crew)
    one.look(crew)
    assert (one.decided, end(one).proof) == (True, plan.PROOF_KEYS)


def test_without_a_key_the_whole_table_is_watched():
    one = comparison(indexes=())
    assert not one.has_key
    for _look in range(plan.RECHECKS):
        one.sums([(2, "7"), (2, "8")])
        assert not one.decided
    one.sums([(2, "7"), (2, "8")])
    assert one.decided
    assert end(one).problem == "same number of rows, different content"

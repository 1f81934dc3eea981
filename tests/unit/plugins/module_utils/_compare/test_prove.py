# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tables are compared because nobody vouches for them, and what becomes of each."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    SyncKey,
    TableName,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import prove
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare.plan import TableResult
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger.doubts import (
    MADE_ANEW,
    MISSED,
    RESTORED,
    Today,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Index,
    Selection,
    Table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Master

from ..fake_session import FakeSession

A, B, C = (TableName("public", name) for name in "abc")
HERE, THERE = (Master(name, ConnInfo(name, {"dbname": "shop"})) for name in ("here", "there"))


def table(name, oid, size=8192, kind="r", indexes=()):
    return Table(name, oid, kind, "p", (), tuple(indexes), bytes=size)


class Site:
    """A source and a target, of whose tables something is doubted.

    :param doubts: by table, why its entry does not count; "" for those that do.
    :param filled: tables of the target that hold rows.
    """

    def __init__(self, monkeypatch, doubts, filled=(A, B, C), *, there=None, **facts):
        self.told = []
        self.facts = {"exists": True, "locked": True, "missed": {}, "results": [], **facts}
        names = list(doubts)
        self.sides = {
            "here": [table(name, 10 + number) for number, name in enumerate(names)],
            "there": there or [table(name, 20 + number) for number, name in enumerate(names)],
        }
        filled = [str(name) for name in filled]

        def rows_of(query):
            return [
                {"number": number}
                for number, text in enumerate(query.split(" UNION ALL "))
                if any(f'"public"."{name[-1]}"' in text for name in filled)
            ]

        site = self

        class Session(FakeSession):
            def rows(self, query, params=None):
                text = self._note(query, params)
                assert "WHERE EXISTS" in text
                return rows_of(text)

        self.sessions = {name: Session(name=name) for name in self.sides}
        monkeypatch.setattr(prove.pg, "Session", lambda login: self.sessions[login.name])
        monkeypatch.setattr(
            prove.pg,
            "connect_if_exists",
            lambda login, _db: self.sessions[login.name] if self.facts["exists"] else None,
        )
        monkeypatch.setattr(
            prove, "read_tables", lambda session, **_more: self.sides[session.conninfo.name]
        )
        today = Today("id-here", {}, "at-there", "e")
        monkeypatch.setattr(prove.membership, "epoch_of", lambda _session, _group: "e")
        monkeypatch.setattr(prove.membership, "today", lambda *_given: today)
        monkeypatch.setattr(
            prove.ledger, "entries", lambda _session: {name: name for name in doubts}
        )
        monkeypatch.setattr(prove.doubts, "doubt", lambda entry, _today: doubts[entry])
        monkeypatch.setattr(prove.ledger, "create", lambda _session: site.told.append("create"))
        monkeypatch.setattr(prove.ledger, "lock", lambda _session: self.facts["locked"])
        monkeypatch.setattr(
            prove.vouching,
            "missed",
            lambda session, names, _sync: set(self.facts["missed"].get(session.conninfo.name, ())),
        )

        def compare(topology, selection, options):
            site.told.append(f"compare {', '.join(map(str, sorted(selection.include)))}")
            assert options.settled
            return self.facts["results"]

        monkeypatch.setattr(prove, "compare", compare)

    def plan(self, **desired):
        wanted = prove.DesiredProof(Selection(), SyncKey("shop", "group"), **desired)
        with Scope(check=False) as scope:
            return prove.plan_change(HERE, THERE, wanted, scope)


@pytest.fixture(name="site")
def _site(monkeypatch):
    return lambda doubts, *more, **facts: Site(monkeypatch, doubts, *more, **facts)


def test_a_database_that_is_not_there_has_nothing_to_prove(site):
    change = site({A: MISSED}, exists=False).plan()
    assert (change.changed, change.values) == (False, {"proven": []})


@pytest.mark.parametrize("why", [MISSED, MADE_ANEW, RESTORED])
def test_doubts_that_a_comparison_can_dispel(site, why):
    change = site({A: why, B: "", C: "was never seeded"}).plan()
    assert change.values == {"proven": ["public.a"]}
    assert change.changed


def test_tables_without_rows_are_not_compared_but_copied(site):
    assert site({A: MISSED, B: MISSED}, [B]).plan().values == {"proven": ["public.b"]}
    # Nor looked into where their file is empty, or they are none.
    there = [table(A, 20, size=0), table(B, 21, kind="p")]
    made = site({A: MISSED, B: MISSED}, [A, B], there=there)
    assert not made.plan().changed


def test_what_is_equal_is_entered_into_the_ledger(site):
    made = site(
        {A: MISSED, B: MISSED},
        there=[
            table(A, 20),
            table(B, 21, indexes=[Index("i", ("id",), False, False, False, False)]),
        ],
        results=[
            TableResult("public.a", {"there": 7}, proof="sums"),
            TableResult("public.b", {"there": 8}, proof="keys"),
        ],
    )
    change = made.plan()
    assert made.told == []
    change.apply()
    assert made.told == ["create", "compare public.a, public.b"]
    [command] = change.commands
    assert made.sessions["there"].texts[-1] == " ".join(command.split())
    # The target's table, its rows, what they were proven against; and how.
    assert "'public', 'a', 20, 'seeded', 7" in command
    # An index is still to be built.
    assert "'public', 'b', 21, 'copied', 8" in command
    assert "'compared'" in command
    assert change.values == {"proven": ["public.a", "public.b"]}


def test_what_differs_is_refused_and_the_rest_is_kept(site):
    made = site(
        {A: MISSED, B: MISSED},
        results=[
            TableResult("public.a", {"there": 7}, proof="sums"),
            TableResult("public.b", problem="2 rows differ"),
        ],
    )
    change = made.plan()
    with pytest.raises(Refused, match=r"public\.b on there: 2 rows differ") as caught:
        change.apply()
    assert "data_seed_replace" in caught.value.cure
    assert caught.value.details["differences"][0]["name"] == "public.b"
    assert "'public', 'a', 20" in made.sessions["there"].texts[-1]


def test_where_the_origin_went_back_its_rows_are_not_to_be_copied_over_the_others(site):
    made = site({A: MISSED}, results=[TableResult("public.a", problem="2 rows differ")])
    with pytest.raises(Refused) as caught:
        made.plan(source_went_back=True).apply()
    assert "restored-master.md" in caught.value.cure
    assert "data_seed_replace" not in caught.value.cure


@pytest.mark.parametrize("side", ["here", "there"])
def test_changes_must_be_queued_before_rows_are_compared(site, side):
    made = site({A: MISSED}, missed={side: {A}})
    with pytest.raises(Refused, match=rf"public\.a: changes are not queued on {side}"):
        made.plan().apply()
    assert made.told == []


def test_a_seed_that_is_at_work_is_waited_for(site):
    made = site({A: MISSED}, locked=False)
    with pytest.raises(Refused, match="A seed of there is under way"):
        made.plan().apply()
    assert made.told == ["create"]

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is removed from masters without a control database, and what must not be."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import locks
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import (
    indexes,
    removal,
    teardown,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending

from ..fake_session import FakeSession

A = TableName("public", "a")
TRACKED = teardown.Tracked(A, 1, "public.a", ("bucardo_delta", "bucardo_kick_one"))
BROKEN = indexes.Broken(A, "a_pkey")
LOGINS = {name: ConnInfo(name, {"host": name}) for name in ("here", "there")}


def traces(name, *tables, schemas=("bucardo", "multimaster"), **registered):
    found = {sync: frozenset(names) for sync, names in registered.items()}
    return teardown.Traces(name, tables, schemas, found)


class Site:
    """Two masters; what is there, what waits, and what is done."""

    def __init__(self):
        self.found = {
            "here": traces("here", TRACKED, one=["public.a"]),
            "there": traces("there", TRACKED),
        }
        self.waiting, self.broken, self.done = {}, {}, []

    def plan(self, *syncs, keep_others=False, discard_queue=False):
        wanted = removal.Request(syncs or ("one",), keep_others, discard_queue, locks.LockPolicy())
        with Scope(check=False) as scope:
            return removal.plan(scope, LOGINS, wanted)


@pytest.fixture(name="site")
def _site(monkeypatch):
    site = Site()
    monkeypatch.setattr(removal, "Session", lambda login: FakeSession(name=login.name))
    monkeypatch.setattr(removal.teardown, "look", lambda name, _session: site.found[name])
    monkeypatch.setattr(removal.teardown, "check_seed", lambda name, _session: None)
    monkeypatch.setattr(
        removal.teardown,
        "waiting",
        lambda _session, traces, _syncs: site.waiting.get(traces.master, []),
    )
    monkeypatch.setattr(
        removal.indexes, "broken", lambda session: site.broken.get(session.conninfo.name, [])
    )
    monkeypatch.setattr(
        removal.indexes,
        "rebuild",
        lambda name, _session, broken: site.done.extend(f"rebuild {one}" for one in broken),
    )
    monkeypatch.setattr(
        removal.teardown,
        "stop_vouching",
        lambda sessions, names: site.done.append(f"forget {sorted(map(str, names))}"),
    )

    def remove(session, *_more):
        site.done.append(f"remove {session.conninfo.name}")
        return locks.LockReport(longest_hold=0.0021, longest_wait=0.03)

    def remove_syncs(session, _traces, syncs, _policy):
        site.done.append(f"remove {', '.join(syncs)} from {session.conninfo.name}")
        return locks.LockReport()

    monkeypatch.setattr(removal.teardown, "remove", remove)
    monkeypatch.setattr(removal.teardown, "remove_syncs", remove_syncs)
    return site


def test_everything_goes(site):
    change = site.plan()
    assert change.changed
    assert site.done == []
    both = ["bucardo", "multimaster"]
    assert change.before["here"] == {"schemas": both, "tables_with_triggers": 1}
    assert change.after["here"] == {"schemas": [], "tables_with_triggers": 0}
    assert change.commands[-2:] == [
        "there: DROP SCHEMA bucardo",
        "there: DROP SCHEMA multimaster",
    ]
    assert change.disturbs[0] == "here: who uses public.a waits for moments"
    change.apply()
    # Nobody vouches any more before the first trigger goes, on any master.
    assert site.done == ["forget ['public.a']", "remove here", "remove there"]
    assert change.values["removed"]["here"] == {
        "schemas": both,
        "syncs": ["one"],
        "tables": ["public.a"],
        "rebuilt": [],
        "longest_hold_ms": 2,
        "longest_wait_ms": 30,
    }


def test_what_a_seed_left_incomplete_is_mended_even_where_nothing_is_removed(site):
    site.found = {name: teardown.Traces(name) for name in LOGINS}
    site.broken = {"there": [BROKEN]}
    change = site.plan()
    assert not change.changed
    change.apply()
    assert site.done == ["rebuild a_pkey of public.a", "forget []"]


def test_another_sync_is_a_reason_to_refuse_or_stays(site):
    other = dataclasses.replace(TRACKED, triggers=(*TRACKED.triggers, "bucardo_kick_two"))
    site.found = {
        "here": traces("here", other, one=["public.a"], two=["public.a"]),
        "there": traces("there"),
    }
    with pytest.raises(Refused, match="here takes part in other syncs: two"):
        site.plan()
    change = site.plan(keep_others=True)
    assert change.after["here"] == {
        "schemas": ["bucardo", "multimaster"],
        "tables_with_triggers": 0,
    }
    change.apply()
    assert "remove one from here" in site.done
    removed = change.values["removed"]["here"]
    assert (removed["schemas"], removed["syncs"]) == ([], ["one"])


def test_who_has_nothing_of_these_syncs_is_left_alone(site):
    other = dataclasses.replace(TRACKED, triggers=("bucardo_delta", "bucardo_kick_two"))
    site.found = {name: traces(name, other, two=["public.a"]) for name in LOGINS}
    change = site.plan(keep_others=True)
    assert (change.changed, change.values["removed"]) == (False, {})


def test_changes_that_wait_are_not_lost_unless_that_is_said(site):
    site.waiting = {"there": [Pending(A, 5, 1.0)]}
    with pytest.raises(
        Refused, match=r"Changes would be lost, 5 on there \(public\.a 5\)"
    ) as caught:
        site.plan()
    assert caught.value.details["lost"][0]["changes"] == 5
    change = site.plan(discard_queue=True)
    assert change.values["lost"][0]["table"] == "public.a"
    change.apply()
    assert "5 on there" in change.warnings[0]


class TestIndexes:
    def test_none_where_no_seed_ever_was(self):
        assert (
            indexes.broken(FakeSession({"multimaster.seed') IS NOT NULL": [{"is": False}]})) == []
        )

    def test_of_all_tables_or_of_some(self):
        rows = [{"schema": "public", "name": name, "index": f"{name}_pkey"} for name in ("a", "b")]
        session = FakeSession(
            {
                "multimaster.seed') IS NOT NULL": [{"is": True}],
                "WITH ours AS": [],
                "FROM multimaster.seed s": rows,
            }
        )
        assert [str(one) for one in indexes.broken(session)] == [
            "a_pkey of public.a",
            "b_pkey of public.b",
        ]
        assert indexes.broken(session, {A}) == [BROKEN]

    def test_they_are_rebuilt_and_those_that_cannot_be_are_named_with_the_key(self):
        session = FakeSession()
        indexes.rebuild("here", session, [BROKEN])
        assert session.texts[0].endswith('; REINDEX INDEX "public"."a_pkey"')
        twice = StatementFailed(
            "could not create unique index", detail="Key (id)=(7) is duplicated."
        )
        session = FakeSession({"REINDEX": twice})
        with pytest.raises(Refused, match=r"here has indexes .*\(Key \(id\)=\(7\) is duplicated\)"):
            indexes.rebuild("here", session, [BROKEN])

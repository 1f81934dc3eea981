# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sequences from what masters hold to what is done, in a check and in a run."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import (
    Master,
    Topology,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import run
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import (
    Sequence,
    Share,
    Survey,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

NAME = TableName("public", "s")
TOPOLOGY = Topology(
    tuple(Master(name, ConnInfo(name, {"dbname": "shop"})) for name in ("here", "there"))
)
USED = Sequence(NAME, 1, 1, 1, 1, 2**63 - 1, False, 10, True)
FRESH = dataclasses.replace(USED, oid=2, last_value=1, is_called=False)


def session(last_value):
    return FakeSession(
        {
            "ALTER SEQUENCE": [{"i": 0, "last_value": last_value, "is_called": True}],
            "pg_locks": [],
            # No tables, and nothing in the schema that is somebody else's.
            "pg_catalog": [],
        }
    )


def sharing(here, there, strategy="interleave"):
    surveys = {
        name: Survey({one.name: one for one in [side] if side}, ledger=bool(side and side.share))
        for name, side in (("here", here), ("there", there))
    }
    sessions = {"here": session(10), "there": session(1)}
    desired = run.DesiredSequences(strategy)
    return run._Sharing(TOPOLOGY, desired, 2, sessions, surveys), sessions


def writes(sessions):
    words = ("ALTER", "BEGIN", "INSERT", "CREATE", "DELETE", "DO ")
    return [text for one in sessions.values() for text in one.texts if text.startswith(words)]


def test_a_plan_writes_nothing_and_tells_what_a_run_executes():
    shared, sessions = sharing(USED, FRESH)
    change = shared.change()
    assert change.changed
    assert change.values["sequences"] == [
        {
            "name": "public.s",
            "masters": {
                "here": {"increment": 2, "share": "1 of 2", "start": None},
                "there": {"increment": 2, "share": "2 of 2", "start": None},
            },
        }
    ]
    assert change.commands == [
        'here: ALTER SEQUENCE "public"."s" INCREMENT BY 2 START WITH 1',
        'there: ALTER SEQUENCE "public"."s" INCREMENT BY 2 START WITH 2',
    ]
    assert writes(sessions) == []


def test_applying_tells_where_the_numbers_begin():
    shared, sessions = sharing(USED, FRESH)
    change = shared.change()
    change.apply()
    (one,) = change.values["sequences"]
    assert {name: found["start"] for name, found in one["masters"].items()} == {
        "here": 11,
        "there": 12,
    }
    assert "here: SELECT pg_catalog.setval(1::oid::regclass, 11, false)" in change.commands
    assert sessions["there"].texts[-1] == "COMMIT"


def test_what_a_clone_will_bring_is_planned_and_its_absence_ends_a_run():
    shared, sessions = sharing(USED, None)
    change = shared.change()
    assert "there" in change.values["sequences"][0]["masters"]
    with pytest.raises(Refused, match="no such sequence on there"):
        change.apply()
    assert writes(sessions) == []


def test_restoring_the_last_sequence_takes_the_ledger_along():
    syncs = frozenset({"multimaster"})
    shared, sessions = sharing(
        dataclasses.replace(USED, increment=2, share=Share(1, 2, 0, 1, 1, syncs)),
        dataclasses.replace(FRESH, increment=2, share=Share(1, 2, 1, 1, 2, syncs)),
        "restore",
    )
    change = shared.change()
    assert change.after == {
        "public.s": {
            "here": {"increment": 1, "share": "all"},
            "there": {"increment": 1, "share": "all"},
        }
    }
    change.apply()
    for one in sessions.values():
        assert "DROP TABLE multimaster.sequence" in one.texts[-1]


def test_watching_is_no_change_and_has_no_diff():
    shared, sessions = sharing(USED, FRESH, "watch")
    change = shared.change()
    assert (change.changed, change.before, change.values) == (
        False,
        None,
        {"sequences": [], "unchanged": 0, "problems": []},
    )
    assert [one.texts for one in sessions.values()] == [[], []]


@pytest.fixture
def servers(monkeypatch):
    """Sessions by name; a master whose session is None has no database yet."""
    made = {"here": FakeSession(name="here"), "there": FakeSession(name="there")}
    monkeypatch.setattr(run.pg, "Session", lambda login: made[login.name])
    monkeypatch.setattr(run.pg, "connect_if_exists", lambda login, _db: made[login.name])
    return made


def test_all_sessions_are_closed_with_the_scope(servers):
    with Scope(check=False) as scope:
        assert list(run._open(TOPOLOGY, scope)) == ["here", "there"]
    assert all(one.closed for one in servers.values())


def test_a_check_passes_over_a_database_that_is_still_to_be_cloned(servers):
    servers["there"] = None
    with Scope(check=True) as scope:
        assert list(run._open(TOPOLOGY, scope)) == ["here"]
    with pytest.raises(Refused, match="no database shop on there"), Scope(check=False) as scope:
        run._open(TOPOLOGY, scope)


def test_one_that_cannot_be_reached_leaves_no_session_open(servers, monkeypatch):
    def fail(_login, _db):
        raise ConnectionFailed("there is away")

    monkeypatch.setattr(run.pg, "connect_if_exists", fail)
    with pytest.raises(ConnectionFailed), Scope(check=True) as scope:
        run._open(TOPOLOGY, scope)
    assert servers["here"].closed


@pytest.mark.parametrize(
    ("desired", "words"),
    [
        (run.DesiredSequences(slots=1), "slots: 1 is less than the 2 masters"),
        (
            run.DesiredSequences(policy=run.move.MovePolicy(lock_timeout=0)),
            "lock_timeout: 0 is too little",
        ),
    ],
)
def test_numbers_that_make_no_sense_are_refused_before_anything_is_asked(desired, words):
    with pytest.raises(Refused, match=words), Scope(check=False) as scope:
        run.plan_change(TOPOLOGY, desired, scope)

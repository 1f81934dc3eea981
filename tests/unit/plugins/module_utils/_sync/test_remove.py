# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may leave a sync, who becomes the origin, and what the control database is told."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import remove

from ..fake_session import FakeSession

SYNC = {
    **columns.defaults(columns.SYNC),
    "name": "shop",
    "relgroup": "tables",
    "dbgroup": "group",
    "status": "active",
    "copyextra": "",
}
MASTERS = ("here", "there", "third")
MCP = "application_name LIKE 'bucardo MCP"


class Site:
    """Three masters that replicate, the first one being the origin.

    :param down: masters that do not answer.
    """

    def __init__(self, monkeypatch, *, masters=MASTERS, origin="here", down=(), sync=SYNC):
        self.killed = []
        self.opened = {}
        self.down = set(down)
        group = [{"name": "group", "db": name, "role": "source"} for name in masters]
        self.session = FakeSession(
            {
                "FROM bucardo.goat": [self.goat(1, "orders", origin), self.goat(2, "seq", origin)],
                "FROM bucardo.dbgroup": group,
                "FROM bucardo.sync ORDER": [sync] if sync else [],
                "FROM bucardo.syncrun": [
                    {"until": "then", "seconds": 61.0, "interrupted": False},
                ],
                "to_regclass('multimaster.member')": [{"is": True}],
                "FROM multimaster.member": [{"db": one, "epoch": f"e-{one}"} for one in masters],
                MCP: [],
            },
            "control",
        )
        monkeypatch.setattr(remove, "Session", self.open)
        monkeypatch.setattr(
            remove.halt, "end", lambda session, piddir: self.killed.append((session, piddir))
        )
        self.renewed = []
        monkeypatch.setattr(
            remove.sightings,
            "renew",
            # With what was written before.
            lambda _control, dbgroup, some: self.renewed.append(
                (dbgroup, list(some), self.written())
            ),
        )
        self.logins = {name: ConnInfo(name, {"host": name}) for name in MASTERS}

    @staticmethod
    def goat(number, name, db):
        return {
            "id": number,
            "db": db,
            "schemaname": "public",
            "tablename": name,
            "reltype": "sequence" if name == "seq" else "table",
            "pkey": "id",
            "pkeytype": "integer",
            "autokick": None,
            "relgroups": ["tables"],
        }

    def open(self, conninfo):
        if conninfo.name in self.down:
            raise ConnectionFailed(f"Cannot connect to {conninfo.name}", "Start it.")
        self.opened[conninfo.name] = conninfo
        return FakeSession(
            {
                "to_regclass('bucardo.bucardo_delta_names')": [{"is": False}],
                "FROM bucardo.bucardo_truncate_trigger": [],
                "multimaster.seed') IS NOT NULL": [{"is": False}],
                "to_regclass('multimaster.membership')": [{"is": True}],
                "pg_is_in_recovery": [{"is": True}],
                "system_identifier": [{"identity": f"1/2/{conninfo.name}"}],
                "unnest(%s::text[], %s::text[]) AS w": [
                    {"schema": "public", "name": "orders", "oid": 5}
                ],
            },
            conninfo.name,
        )

    def plan(self, *leaving, lost=False, origin=""):
        wanted = remove.Wanted("shop", leaving, lost, origin)
        removal = remove.Removal(Control(self.session), self.logins, wanted, "/run/bucardo", 60)
        with Scope(check=False) as scope:
            return removal.plan(scope)

    def written(self):
        words = ("UPDATE", "DELETE", "SET LOCAL", "BEGIN", "COMMIT")
        return [ran for ran in self.session.ran if ran.text.startswith(words)]


@pytest.fixture(name="site")
def _site(monkeypatch):
    return lambda **facts: Site(monkeypatch, **facts)


def test_nobody_leaves_what_is_not_there(site):
    assert not site(sync=None).plan("third").changed
    change = site().plan("fourth")
    assert not change.changed
    assert change.values["remaining"] == list(MASTERS)


def test_somebody_must_remain(site):
    with pytest.raises(Refused, match="No master of sync shop would remain"):
        site().plan(*MASTERS)


def test_a_master_that_is_reachable_leaves(site):
    made = site()
    change = made.plan("third")
    assert change.before == {"members": ["here", "there", "third"], "origin": "here"}
    assert change.after == {"members": ["here", "there"], "origin": "here"}
    assert change.values["text"] == ""
    assert made.written() == made.renewed == []
    change.apply()
    assert made.renewed == [("group", ["here", "there"], [])]
    assert [(ran.text, ran.params) for ran in made.written()] == [
        ("BEGIN", None),
        (
            "DELETE FROM bucardo.dbmap WHERE dbgroup = %(dbgroup)s AND db = ANY(%(dbs)s)",
            {"dbgroup": "group", "dbs": ["third"]},
        ),
        ("COMMIT", None),
    ]
    assert made.killed == []
    # The daemon goes on with those that remain.
    assert any(MCP in text for text in made.session.texts)


@pytest.mark.parametrize(
    ("strategy", "left"),
    [
        ("third here there", "here there"),
        ("third", "bucardo_latest"),
        ("here there", None),
        ("bucardo_abort", None),
        ("", None),
    ],
)
def test_who_leaves_wins_no_conflict_any_more(site, strategy, left):
    """A name of somebody else lets the next conflict pause the sync."""
    made = site(sync={**SYNC, "conflict_strategy": strategy})
    made.plan("third").apply()
    rules = [ran.params for ran in made.written() if "conflict_strategy" in ran.text]
    assert rules == ([{"name": "shop", "conflict_strategy": left}] if left else [])
    # The sync's trigger would log in to a master that may be lost.
    roles = [ran.text.split()[-1] for ran in made.written() if ran.text.startswith("SET LOCAL")]
    assert roles == (["replica", "origin"] if left else [])


def test_where_one_is_left_alone_the_sync_is_held_and_no_daemon_asked(site):
    made = site(masters=("here", "third"))
    made.plan("third").apply()
    assert [ran.text.split(" WHERE")[0] for ran in made.written()] == [
        "BEGIN",
        "UPDATE bucardo.sync SET status = 'inactive'",
        "DELETE FROM bucardo.dbmap",
        "COMMIT",
    ]
    assert not any(MCP in text for text in made.session.texts)


def test_the_origin_that_answers_is_moved_first(site):
    with pytest.raises(Refused, match="here is the origin of sync shop") as caught:
        site().plan("here")
    assert "bucardo_origin" in caught.value.cure


def test_the_origin_of_two_may_leave_the_other_alone(site):
    made = site(masters=("here", "there"))
    change = made.plan("here")
    assert change.after == {"members": ["there"], "origin": "there"}


def test_what_answers_is_not_lost(site):
    with pytest.raises(Refused, match="third is said to be lost, but answers") as caught:
        site().plan("third", lost=True)
    assert "stop its server first" in caught.value.cure


def test_a_lost_master_is_not_waited_for_long(site, monkeypatch):
    asked = []
    made = site(down=["third"])
    known = made.open
    monkeypatch.setattr(remove, "Session", lambda info: asked.append(info) or known(info))
    made.plan("third", lost=True)
    assert [(one.name, one.params.get("connect_timeout")) for one in asked] == [
        ("third", "3"),
        ("here", None),
        ("there", None),
    ]


def test_another_one_that_does_not_answer_either_is_to_be_named(site):
    with pytest.raises(ConnectionFailed, match="Cannot connect to there") as caught:
        site(down=["third", "there"]).plan("third", lost=True)
    assert caught.value.cure == "Start it. If it is lost as well, name it with the other one."


def test_it_is_told_what_a_lost_master_took_along(site):
    made = site(down=["third"])
    change = made.plan("third", lost=True)
    assert change.values["missing"]["masters"] == ["third"]
    assert change.values["text"].startswith("What third committed before then has reached here")
    change.apply()
    # Its workers wait for an answer that never comes; a reload would wait for them.
    assert made.killed == [(made.session, "/run/bucardo")]
    assert not any(MCP in text for text in made.session.texts)


def test_the_place_of_a_lost_origin_is_taken(site):
    made = site(down=["here"])
    change = made.plan("here", lost=True)
    assert change.values["origin"] == "there"
    change.apply()
    values = {"relgroup": "tables", "former": "here", "origin": "there"}
    written = [(ran.text.split("(")[0].split(" WHERE")[0], ran.params) for ran in made.written()]
    assert written == [
        ("BEGIN", None),
        ("SET LOCAL session_replication_role = replica", None),
        (
            "UPDATE bucardo.herdmap h SET goat = twin.id FROM bucardo.goat g"
            " JOIN bucardo.goat twin ON twin.db = %",
            values,
        ),
        ("UPDATE bucardo.goat g SET db = %", values),
        ("DELETE FROM bucardo.goat g", values),
        ("SET LOCAL session_replication_role = origin", None),
        ("DELETE FROM bucardo.dbmap", {"dbgroup": "group", "dbs": ["here"]}),
        ("COMMIT", None),
    ]
    [warning] = change.warnings
    assert warning == (
        "Nobody vouches for 1 tables of third; the next bootstrap compares them with there."
    )


def test_the_new_origin_can_be_chosen_among_those_that_remain(site):
    assert site(down=["here"]).plan("here", lost=True, origin="third").values["origin"] == "third"
    with pytest.raises(Refused, match="fourth cannot become the origin in the place of here") as no:
        site(down=["here"]).plan("here", lost=True, origin="fourth")
    assert no.value.cure == "Name one of those that remain: there, third."


def test_commands_of_a_check_are_those_of_the_run(site):
    change = site(down=["here"]).plan("here", lost=True)
    assert len(change.commands) == 6
    assert change.commands[-1] == (
        "DELETE FROM bucardo.dbmap WHERE dbgroup = 'group' AND db = ANY(ARRAY['here'])"
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When another master may become the origin, and how all ledgers learn of it."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import origin

from ..fake_session import FakeSession

ORDERS = TableName("public", "orders")
MASTERS = ("here", "there", "third")
LOGINS = {name: ConnInfo(name, {"host": name}) for name in MASTERS}
JOINED = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
SYNC = {
    **columns.defaults(columns.SYNC),
    "name": "shop",
    "relgroup": "tables",
    "dbgroup": "group",
    "status": "active",
    "copyextra": "",
}


def goat(number=1, db="here", name="orders", relgroups=("tables",)):
    return {
        "id": number,
        "db": db,
        "schemaname": "public",
        "tablename": name,
        "reltype": "table",
        "pkey": "id",
        "pkeytype": "integer",
        "autokick": None,
        "relgroups": list(relgroups),
    }


def entry(name, **changes):
    """What a master's ledger says: its copy is the origin's."""
    return {
        "schema_name": "public",
        "table_name": "orders",
        "table_oid": 5,
        "state": "seeded",
        "rows": 1,
        "bytes": 1,
        "hash": "1",
        "format": "binary",
        "index_mode": "keep",
        "snapshot": "s",
        "source": "1/2/here",
        "source_oid": 5,
        "seconds": 0.1,
        "finished_at": JOINED + datetime.timedelta(days=1),
        "proof": "mixed-64",
        "target": f"0/1/2/{name}",
        "epoch": f"e-{name}",
        "how": "copied",
        **changes,
    }


class Site:
    """Three masters that were seeded from the first."""

    def __init__(self, monkeypatch, *, sync=SYNC, goats=None, others=(), runs=True, entries=None):
        self.entries = {"here": [], **{one: [entry(one)] for one in MASTERS[1:]}, **(entries or {})}
        self.opened = {}
        goats = [goat()] if goats is None else goats
        self.session = FakeSession(
            {
                "FROM bucardo.goat": lambda params: (
                    goats if params["relgroup"] else [*goats, *others]
                ),
                "FROM bucardo.dbgroup": [
                    {"name": "group", "db": name, "role": "source"} for name in MASTERS
                ],
                "FROM bucardo.sync ORDER": [sync] if sync else [],
                "to_regclass('multimaster.member')": [{"is": True}],
                "FROM multimaster.member": [{"db": one, "epoch": f"e-{one}"} for one in MASTERS],
                "FROM bucardo.dbmap": [{"db": one, "cdate": JOINED} for one in MASTERS],
                "WITH ours AS": [],
            },
            "control",
        )
        monkeypatch.setattr(origin.pg, "Session", self.open)
        self.kept = []
        self.runs = runs
        site = self

        class Daemon:
            @staticmethod
            def pid():
                return 7 if site.runs is not None else None

            @staticmethod
            def runs(_sync):
                return site.runs

            @staticmethod
            def reload(_timeout):
                return True

        class Catalog(Control):
            daemon = Daemon

        self.control = Catalog(self.session)

    def open(self, login):
        name = login.name
        self.opened[name] = FakeSession(
            {
                "to_regclass('multimaster.sighted')": [{"is": False}],
                "to_regclass('bucardo.bucardo_delta_targets')": [{"is": True}],
                "FROM bucardo.bucardo_delta_targets": [
                    {"schema": "public", "name": one} for one in self.kept
                ],
                "to_regclass('multimaster.membership')": [{"is": True}],
                "FROM multimaster.membership": [
                    {"dbgroup": "group", "epoch": f"e-{name}", "is_origin": name == "here"}
                ],
                "multimaster.seed') IS NOT NULL": [{"is": True}],
                "WITH ours AS": [],
                "FROM multimaster.seed s": self.entries[name],
                "system_identifier": [{"identity": f"1/2/{name}"}],
                "pg_is_in_recovery": [{"is": True}],
                "unnest(%s::text[], %s::text[]) AS w": [
                    {"schema": "public", "name": "orders", "oid": 5}
                ],
                "bucardo_truncate_trigger') IS NOT NULL": [{"is": False}],
                "to_regclass('bucardo.bucardo_truncate_trigger')": [{"is": False}],
                "attname": [{"is": True}],
            },
            name,
        )
        return self.opened[name]

    def plan(self, to="there"):
        with Scope(check=False) as scope:
            return origin.plan(self.control, scope, LOGINS, "shop", to)


@pytest.fixture(name="site")
def _site(monkeypatch):
    return lambda **facts: Site(monkeypatch, **facts)


def test_nothing_is_done_where_it_is_the_origin_or_there_is_no_sync(site):
    assert not site().plan("here").changed
    assert not site(sync=None).plan().changed


@pytest.mark.parametrize(
    ("facts", "to", "words"),
    [
        ({}, "fourth", "fourth is no master of sync shop"),
        ({"sync": {**SYNC, "status": "inactive"}}, "there", "Sync shop is held"),
        (
            {"goats": [goat(relgroups=("tables", "x"))]},
            "there",
            r"public\.orders: in other relgroups",
        ),
        ({"others": [goat(9, "there")]}, "there", r"public\.orders: in other relgroups"),
        ({"runs": False}, "there", "Bucardo does not run sync shop"),
        ({"runs": None}, "there", "Bucardo does not run sync shop"),
        (
            {"entries": {"there": []}},
            "there",
            r"there may lack rows of here, so the origin cannot move to there: public\.orders",
        ),
        (
            {"entries": {"third": [entry("third", epoch="former")]}},
            "there",
            "third may lack rows of here, so the origin cannot move to there",
        ),
    ],
)
def test_what_is_refused(site, facts, to, words):
    made = site(**facts)
    with pytest.raises(Refused, match=words) as caught:
        made.plan(to)
    assert "here" in caught.value.cure or "former origin" in caught.value.cure
    assert not any(text.startswith("UPDATE") for text in made.session.texts)


def test_tables_that_are_set_aside_come_along(site):
    aside = [goat(2, name="aside", relgroups=()), goat(3, name="strangers", relgroups=())]
    made = site(others=aside)
    made.kept = ["orders", "aside"]
    (command,) = [one for one in made.plan().commands if "UPDATE bucardo.goat" in one]
    assert "ARRAY[1, 2]" in command


def test_the_origin_moves(site):
    made = site()
    change = made.plan()
    assert (change.before, change.after) == ({"origin": "here"}, {"origin": "there"})
    assert change.changed
    assert change.disturbs
    assert any("UPDATE bucardo.goat SET db = 'there'" in one for one in change.commands)
    change.apply()
    assert change.values["reloaded"]

    def written(name):
        return [
            ran
            for ran in made.opened[name].ran
            if ran.text.startswith(("UPDATE", "INSERT INTO multimaster.membership"))
        ]

    # The third's copy is as good as the new origin's.
    readdressed, noted = written("third")
    assert readdressed.params[2:4] == [["1/2/there"], ["5"]]
    assert noted.params == ("group", "e-third", False)
    assert written("here")[-1].params == ("group", "e-here", False)
    assert written("there")[-1].params == ("group", "e-there", True)

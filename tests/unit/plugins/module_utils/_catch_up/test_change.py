# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a sync may be caught up, need be, and what is told before and after."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    DatabaseRecord,
    Dbgroup,
    Goat,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up import (
    change,
    group,
    run,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up.chunk import Done
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    DeadlineExceeded,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending

from ..fake_session import FakeSession

A = TableName("public", "a")
LOGINS = {name: ConnInfo(name, {"host": name}) for name in ("here", "there")}
WAITING = {"here": [Pending(A, 5, 1.0)], "there": []}
NOTHING = {"here": [], "there": []}


def shop(status="inactive"):
    return Sync("shop", "tables", "group", status, columns.defaults(columns.SYNC))


def database(name, **values):
    known = {**columns.defaults(columns.DATABASE), "status": "active", "user": "bucardo"}
    about = {"has_password": False, "dbtype": "postgres", "dsn": "", "makedelta": False}
    return DatabaseRecord(name=name, **{**about, **known, **values})


class Site:
    """A held sync of two masters."""

    def __init__(self, monkeypatch, *, sync=None, roles=("source", "source"), goats=True, **facts):
        self.installed, self.told = True, []
        self.row = shop() if sync is None else sync
        self.roles, self.goat_rows = roles, goats
        self.facts = {"needed": True, "doubts": None, "locked": True, "working": False, **facts}
        self.sessions = {}
        self.session = FakeSession(
            {"pg_catalog.starts_with": [], "bucardo CTL": [{"is": 0}]}, name="control"
        )
        site = self

        class CatchUp:
            def __init__(self, found, options, watch):
                self.report = run.Report(before=WAITING if site.facts["needed"] else NOTHING)
                self.needed = site.facts["needed"]

            def run(self):
                site.told.append("run")
                return run.Report(
                    before=WAITING,
                    after=NOTHING,
                    done=Done(changes=5, keys=4),
                    **site.facts.get("said", {}),
                )

        class Members:
            def foresee(self, active):
                site.told.append(f"foresee {active}")

            def check(self):
                if site.facts["doubts"]:
                    raise Refused(site.facts["doubts"])

            def settle(self):
                site.told.append("settle")

        monkeypatch.setattr(change.run, "CatchUp", CatchUp)
        monkeypatch.setattr(group, "Session", self.open)
        monkeypatch.setattr(group.Group, "members", lambda _self: Members())
        monkeypatch.setattr(group.ledger, "lock", lambda _session: self.facts["locked"])
        monkeypatch.setattr(group.time, "sleep", lambda _seconds: None)
        monkeypatch.setattr(group, "_WORKER_TIMEOUT", -1.0)

    def open(self, login):
        answers = {"pg_catalog.starts_with": [{"pid": 7}] if self.facts["working"] else []}
        return self.sessions.setdefault(login.name, FakeSession(answers, login.name))

    def sync(self, name):
        return self.row or None

    def login(self, name, given):
        return given[name]

    def dbgroups(self):
        return {"group": Dbgroup("group", dict(zip(LOGINS, self.roles)))}

    def databases(self):
        return {name: database(name, **self.facts.get("database", {})) for name in LOGINS}

    def goats(self, relgroup):
        goats = [Goat(1, "here", A, key=("id",))] if self.goat_rows else []
        return [*goats, Goat(2, "here", TableName("public", "s"), reltype="sequence")]

    def alone(self, name):
        self.told.append("alone")
        return Scope(check=True)

    def plan(self, *, check=False, skip_active=False):
        with Scope(check=check) as scope:
            return change.plan(
                self, scope, LOGINS, "shop", run.Options(), skip_active, lambda _state: True
            )


@pytest.fixture(name="site")
def _site(monkeypatch):
    return lambda **facts: Site(monkeypatch, **facts)


def test_what_waits_is_brought(site):
    made = site()
    found = made.plan()
    assert (found.changed, found.before, found.after) == (
        True,
        {"waiting": {"here": 5, "there": 0}},
        {"waiting": {"here": 0, "there": 0}},
    )
    assert made.told == ["alone", "foresee False"]
    found.apply()
    assert made.told[2:] == ["settle", "run"]
    assert found.values["totals"]["changes"] == 5
    assert found.warnings == []


def test_what_was_left_alone_is_named_only_where_something_of_it_waits(site):
    b = TableName("public", "b")
    made = site(said={"left_alone": {A: "it has a custom name", b: "it has custom columns"}})
    found = made.plan()
    found.apply()
    assert found.warnings == []
    report = run.Report(
        before=WAITING, after=WAITING, left_alone={A: "it has a custom name", b: "x"}
    )
    assert change._warnings(report) == ["public.a is left to Bucardo: it has a custom name"]
    report.growing = True
    assert change._warnings(report)[0].startswith("Changes arrive faster than they are applied: 5")


def test_where_too_little_waits_nothing_is_done(site):
    made = site(needed=False)
    found = made.plan()
    assert not found.changed
    found.apply()
    assert "run" not in made.told


def test_an_active_sync_brings_it_itself(site):
    with pytest.raises(Refused, match="Sync shop is not held"):
        site(sync=shop("active")).plan()
    assert not site(sync=shop("active")).plan(skip_active=True).changed


def test_without_tables_there_is_nothing_to_bring(site):
    assert not site(goats=False).plan().changed


def test_no_sync(site):
    made = site()
    made.row = False
    with pytest.raises(Refused, match="There is no sync 'shop'"):
        made.plan()
    assert not made.plan(check=True).changed


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"roles": ("source", "target")}, "there is a target of dbgroup group"),
        ({"database": {"dbtype": "mysql"}}, "here is a source of dbgroup group"),
        ({"database": {"status": "inactive"}}, "Database here is inactive"),
        ({"locked": False}, "A seed of here is at work"),
        ({"doubts": "there may lack rows"}, "there may lack rows"),
    ],
)
def test_what_is_refused(site, facts, words):
    with pytest.raises(Refused, match=words):
        site(**facts).plan()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"roles": ("source", "target")}, "there is a target of dbgroup group"),
        ({"database": {"status": "inactive"}}, "Database here is inactive"),
    ],
)
def test_a_release_goes_on_where_only_bucardo_can_bring_it(site, facts, words):
    found = site(**facts).plan(skip_active=True)
    assert not found.changed
    assert found.warnings == [f"{words}: what waits is left to Bucardo."]


def test_in_a_check_the_seed_before_it_was_only_planned(site):
    found = site(doubts="there may lack rows").plan(check=True)
    assert found.changed
    assert found.warnings == ["there may lack rows"]


def test_a_worker_that_does_not_end_is_not_worked_beside(site):
    made = site(working=True)
    found = made.plan()
    with pytest.raises(DeadlineExceeded, match="is held, but a worker is connected to here"):
        found.apply()
    assert "run" not in made.told

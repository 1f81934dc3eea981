# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order a sync goes, and tables leave one."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    Dbgroup,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import locks
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import (
    absent,
    indexes,
    parting,
    teardown,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.keeper import Terms
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.master import OpenMaster
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending

from ..fake_session import FakeSession

A = TableName("public", "a")
TRACKED = teardown.Tracked(A, 1, "public.a", ("bucardo_delta", "bucardo_kick_shop"))
TRACES = teardown.Traces(
    "here", (TRACKED,), ("bucardo", "multimaster"), {"shop": frozenset(["public.a"])}
)


def shop(status="active"):
    return Sync("shop", "tables", "group", status, columns.defaults(columns.SYNC))


class Site:
    """Everything around a sync that goes; notes what it is told."""

    def __init__(self, sync=None, traces=TRACES, *, waiting=0):
        self.told, self.row, self.traces = [], sync, traces
        self.scope, self.terms = Scope(check=False), Terms()
        self.control = self
        self.waiting = waiting
        answers = {
            "to_regclass(n) IS NOT NULL": [{"n": "public.a"}] if traces.registered else [],
            "to_regclass('multimaster.membership')": [{"is": True}],
            "SELECT EXISTS (SELECT FROM multimaster.": [{"is": False}],
            "FROM multimaster.membership": [{"dbgroup": "group", "epoch": "e", "is_origin": True}],
            "to_regclass('multimaster.": [{"is": True}],
        }
        self.here = OpenMaster("here", FakeSession(answers, "here"), "bucardo")

    @contextlib.contextmanager
    def alone(self, name):
        self.told.append("lock")
        yield

    def sync(self, name):
        return self.row

    def has_run(self, name):
        return True

    def dbgroups(self):
        return {"group": Dbgroup("group", {"here": "source"})}

    def masters(self, group, warnings):
        return {"here": self.here} if group else {}

    def shown(self, writes):
        return [one.query.split()[0] for one in writes]

    def execute(self, writes):
        self.told += [" ".join(one.query.split()[:2]) for one in writes]

    def disturbs(self, reloads):
        return ["reload"] if reloads else []

    def reload(self):
        self.told.append("reload")
        return True

    def left(self):
        """What the master was told at the end."""
        return [
            text.split(" WHERE")[0]
            for text in self.here.session.texts
            if text.startswith(("DELETE FROM multi", "DROP TABLE multi"))
        ]


@pytest.fixture(autouse=True)
def _parts(monkeypatch):
    """Locks, queues and indexes are what other tests are about."""

    class Queue:
        def __init__(self, master, session, key, only):
            self.master, self.key, self.only = master, key, only

        def pending(self, until="", tables=()):
            count = Site.current.waiting
            return [Pending(A, count, 1.0)] if count else []

    def told(what):
        Site.current.told.append(what)

    def drop_triggers(session, dropped, policy):
        told(f"drop triggers of {', '.join(str(table.name) for table in dropped)}")
        return locks.LockReport(longest_hold=0.001)

    monkeypatch.setattr(parting, "Queue", Queue)
    monkeypatch.setattr(teardown, "look", lambda name, session: Site.current.traces)
    monkeypatch.setattr(teardown, "drop_triggers", drop_triggers)
    monkeypatch.setattr(teardown, "stop_vouching", lambda sessions, names: told("forget"))
    monkeypatch.setattr(
        teardown, "leave_sync", lambda session, traces, key, keep: told(f"leave {key.dbgroup}")
    )
    monkeypatch.setattr(indexes, "broken", lambda session, names: [indexes.Broken(A, "a_pkey")])
    monkeypatch.setattr(indexes, "rebuild", lambda name, session, broken: told("rebuild"))
    monkeypatch.setattr(parting.departure.kick, "refuse_unless_it_runs", lambda control, sync: None)

    def until_drained(*_given):
        told("drain")
        Site.current.waiting = 0

    monkeypatch.setattr(parting.departure.kick, "until_drained", until_drained)


def planned(site, **options):
    Site.current = site
    with site.scope:
        return absent.plan(site, "shop", **options)


def test_a_sync_that_replicates_goes_with_nothing_lost():
    site = Site(shop(), waiting=5)
    change = planned(site)
    assert change.changed
    assert change.before["enrolled"] == {"here": 1}
    assert change.after == {}
    assert change.values["lost"][0]["changes"] == 5
    assert "Changes that wait: 5 on here" in change.warnings[0]
    assert change.values["enrolment"] == {
        "here": {"to_remove": ["public.a"], "to_rebuild": ["a_pkey of public.a"]}
    }
    assert site.told == ["lock"]
    change.apply()
    assert site.told[1:] == [
        "rebuild",
        "drain",
        # While it runs still: what is written until then is brought over.
        "forget",
        "drop triggers of public.a",
        "UPDATE bucardo.sync",
        "reload",
        "leave group",
        "DELETE FROM",
        "reload",
    ]
    assert (change.warnings, change.values["lost"], change.values["reloaded"]) == ([], [], True)
    assert site.left() == [
        "DELETE FROM multimaster.membership",
        "DROP TABLE multimaster.membership",
        "DELETE FROM multimaster.sighted",
        "DROP TABLE multimaster.sighted",
        "DELETE FROM multimaster.shed",
        "DROP TABLE multimaster.shed",
        "DELETE FROM multimaster.loaded",
        "DROP TABLE multimaster.loaded",
    ]


def test_one_that_is_held_is_not_held_again():
    site = Site(shop("inactive"))
    planned(site).apply()
    assert "UPDATE bucardo.sync" not in site.told
    assert site.told[-2:] == ["DELETE FROM", "reload"]


def test_what_a_killed_run_left_on_the_masters_goes_without_a_row():
    site = Site()
    change = planned(site, dbgroup="group")
    assert change.changed
    change.apply()
    assert site.told[-1] == "leave group"
    assert not change.values["reloaded"]


def test_where_nothing_is_left_nothing_changes():
    assert not planned(Site(traces=teardown.Traces("here")), dbgroup="group").changed


def test_what_is_on_the_masters_can_be_left_there_and_that_is_said():
    site = Site(shop())
    change = planned(site, leave_masters=True)
    assert "The triggers of sync shop stay on the masters" in change.warnings[0]
    change.apply()
    assert site.told == ["lock", "UPDATE bucardo.sync", "reload", "DELETE FROM", "reload"]
    assert site.left() == []


def test_what_came_between_the_last_look_and_the_end_is_told():
    site = Site(shop(), waiting=0)
    change = planned(site)
    site.waiting = 3
    with pytest.MonkeyPatch.context() as patch:
        # Whoever writes once the triggers are gone is not heard.
        patch.setattr(parting.departure.kick, "until_drained", lambda *given: None)
        change.apply()
    assert change.values["lost"][0]["changes"] == 3
    assert "Changes that were lost with the queue: 3 on here" in change.warnings[0]


def test_tables_that_leave_are_known_by_master_and_reduced_to_themselves():
    Site.current = Site(shop())
    masters = {"here": Site.current.here}
    assert parting.leaving(masters, "shop", keep={A}) == {}
    assert parting.leaving(masters, "shop", keep=set())["here"].tables == (TRACKED,)


def test_figures():
    report = locks.LockReport(batches=2, refusals=1, longest_wait=0.25, longest_hold=0.003)
    assert parting.figures(report) == {
        "batches": 2,
        "refused_locks": 1,
        "longest_wait_ms": 250,
        "longest_hold_ms": 3,
        "seconds": 0.0,
    }

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order a sync is made, changed, held and only looked at."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import (
    columns,
    corrections,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    CORRECTIONS,
    Dbgroup,
    Goat,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import present
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.desired import Desired
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.keeper import Terms
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import plan

from ..fake_session import FakeSession

ORDERS = TableName("public", "orders")
NEED = plan.TableNeed(
    plan.TableState(ORDERS, 100, "r", "public.orders", (plan.KeyColumn("id", "integer"),), ("id",)),
    triggers=("bucardo_delta",),
)


class Site:
    """Everything around a sync that a plan asks and a work tells; notes what it is told."""

    def __init__(self, *, sync=None, needs=False, outdated=False, runs=True, check=False):
        self.told = []
        self.row, self.needs_something = sync, needs
        self.is_outdated, self.is_run = outdated, runs
        self.scope = Scope(check=check)
        self.terms = Terms()
        self.moves = []
        self.control = self.daemon = self
        self.installed, self.version = True, plan.SUPPORTED_VERSION

    # The catalog.

    @contextlib.contextmanager
    def alone(self, name):
        self.told.append("lock")
        yield

    def sync(self, name):
        return self.row

    def syncs(self):
        return {}

    def dbgroups(self):
        return {"shop": Dbgroup("shop", {"here": "source"})}

    def relgroups(self):
        return ["shop"]

    def customcodes(self):
        return {CORRECTIONS: corrections.code({"shop": (True, 0)})}

    def goats(self, relgroup=None):
        return [Goat(1, "here", ORDERS, key=("id",), relgroups=("shop",))]

    def shown(self, writes):
        return [one.query.split()[0] for one in writes]

    def execute(self, writes):
        for one in writes:
            self.told.append(" ".join(one.query.split()[:2]))
            if one.query.startswith(("INSERT", "UPDATE")):
                values = {key: one.params[key] for key in one.params if key in columns.SYNC}
                status = one.params.get("status", self.row.status if self.row else "inactive")
                options = {**(self.row.options if self.row else {}), **values}
                self.row = Sync("shop", "shop", "shop", status, options)

    def runs(self, name):
        self.told.append("ask")
        return self.is_run

    # The keeper.

    logins = ()
    session = FakeSession({"to_regclass('multimaster.joining')": [{"is": False}]}, "control")

    def reachable(self, dbgroup):
        return {}

    def moving(self, sync, masters):
        return self.moves

    def keep_still(self, sync, masters, written):
        self.told.append("still")
        return written or bool(self.moves)

    def masters(self, group, warnings):
        return {}

    def outdated(self, masters, members, sync):
        return self.is_outdated

    def disturbs(self, reloads):
        return ["reload"] if reloads else []

    def purging(self, sync, masters, patient=False):
        return True

    def reload(self):
        self.told.append("reload")
        return True

    def reload_tables(self, masters, members, sync):
        return self.reload()


@pytest.fixture(autouse=True)
def _no_masters(monkeypatch):
    """Enrolment, and tables that leave, are what other tests and live servers are for."""

    class Enrolment(present.Enrolment):
        def needs(self, goats):
            self.truncate = self.truncate_before = "delete"
            site = self.control
            return {"here": plan.Needs("here", tables=(NEED,) if site.needs_something else ())}

        def commands(self, name, need):
            return [f"{name}: CREATE TRIGGER"] if need.tables else []

        def enrol(self, needed):
            self.control.told.append("enrol")
            self.control.needs_something = False
            return {}

    monkeypatch.setattr(present, "Enrolment", Enrolment)


def desired(held=True, **options):
    return Desired("shop", "shop", "shop", held, options)


def shop(status="inactive", **options):
    return Sync("shop", "shop", "shop", status, {**columns.defaults(columns.SYNC), **options})


def applied(site, wanted):
    change = present.plan(site, wanted)
    assert site.told == ([] if site.scope._check else ["lock"])
    change.apply()
    return change


def test_a_new_sync_is_enrolled_before_its_row_is_written_and_the_daemon_told():
    site = Site(needs=True)
    change = applied(site, desired(maxkicks=3))
    assert site.told == ["lock", "enrol", "INSERT INTO", "reload", "still"]
    assert change.changed
    assert change.before == {"enrolled": {"here": 0}}
    assert change.values["sync"]["status"] == "held"
    assert change.after["maxkicks"] == 3
    assert change.after["enrolled"] == {"here": 1}


def test_what_a_check_returns_is_what_the_run_would():
    site = Site(needs=True, check=True)
    change = present.plan(site, desired(maxkicks=3))
    assert site.told == []
    assert change.changed
    assert change.commands == ["here: CREATE TRIGGER", "INSERT"]
    assert change.values["enrolment"]["here"]["to_enrol"] == ["public.orders"]
    assert change.disturbs == ["here: writers of public.orders wait for moments", "reload"]


def test_tables_that_came_are_enrolled_then_validated():
    site = Site(sync=shop(), needs=True)
    applied(site, desired())
    assert site.told == [
        "lock",
        "enrol",
        "SELECT bucardo.validate_sync(%(name)s)",
        "reload",
        "still",
    ]


def test_an_option_that_differs_is_written():
    site = Site(sync=shop())
    change = applied(site, desired(priority=3))
    assert site.told == ["lock", "enrol", "UPDATE bucardo.sync", "reload", "still"]
    assert (change.before["priority"], change.after["priority"]) == (0, 3)


def test_a_held_sync_that_is_as_desired_is_left_alone():
    site = Site(sync=shop(priority=3))
    change = applied(site, desired(priority=3))
    assert (change.changed, change.commands, site.told) == (False, [], ["lock", "still"])


def test_a_held_sync_of_which_something_runs_is_stopped():
    site = Site(sync=shop(priority=3))
    site.moves = ["a worker is connected to here"]
    change = applied(site, desired(priority=3))
    assert (change.changed, change.values["reloaded"]) == (True, True)


def test_an_active_sync_is_looked_for_in_the_daemon():
    site = Site(sync=shop("active"))
    change = applied(site, desired(held=False))
    assert (change.changed, site.told) == (False, ["lock", "ask"])


def test_an_active_sync_that_the_daemon_left_out_is_taken_up_again():
    site = Site(sync=shop("active"), runs=False)
    change = applied(site, desired(held=False))
    assert site.told == ["lock", "ask", "reload"]
    assert (change.changed, change.values["reloaded"]) == (True, True)


def test_a_daemon_that_knows_the_tables_as_they_were_reads_them_anew():
    site = Site(sync=shop("active"), outdated=True)
    change = applied(site, desired(held=False))
    assert site.told == ["lock", "enrol", "reload"]
    assert (change.changed, change.values["reloaded"]) == (True, True)


def test_a_sync_is_held_without_a_look_at_its_tables():
    site = Site(sync=shop("active"))
    change = present.hold(site, "shop")
    assert (change.changed, change.commands, site.told) == (True, ["UPDATE"], [])
    change.apply()
    assert site.told == ["lock", "UPDATE bucardo.sync", "still"]
    again = present.hold(Site(sync=shop()), "shop")
    assert (again.changed, again.commands) == (False, [])
    runs = Site(sync=shop())
    runs.moves = ["a worker is connected to here"]
    assert present.hold(runs, "shop").changed


def test_there_is_nothing_to_hold():
    with pytest.raises(Refused, match="There is no sync shop"):
        present.hold(Site(), "shop")
    site = Site(check=True)
    site.installed = False
    assert present.hold(site, "shop").after == {"name": "shop", "status": "held"}


def test_a_sync_of_other_groups_is_not_taken_over():
    with pytest.raises(Refused, match="exists with the relgroup 'shop', not 'other'"):
        present.plan(Site(sync=shop()), Desired("shop", "other", "shop", True, {}))


def test_groups_that_are_missing_are_refused_and_in_a_check_are_to_come():
    wanted = Desired("shop", "shop", "other", True, {})
    with pytest.raises(Refused, match="There is no dbgroup other"):
        present.plan(Site(), wanted)
    assert present.plan(Site(check=True), wanted).changed

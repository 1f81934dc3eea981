# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order a master is enrolled, what is refused, and whom nobody believes afterwards."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Goat
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    DeadlineExceeded,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    SyncKey,
    TableName,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import locks
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import enrol, statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import enrolled, plan

KEY = SyncKey("shop", "group")
ORDERS = TableName("public", "orders")
GOATS = [Goat(1, "here", ORDERS, key=("id",))]


def table(**values):
    given = {"kind": "r", "key": (plan.KeyColumn("id", "integer"),), "wanted_key": ("id",)}
    return plan.TableState(ORDERS, 100, quoted="public.orders", **{**given, **values})


class Master:
    """What a master is told, in order."""

    replaces_triggers = True
    role = "bucardo"

    def __init__(self, name, log, state=None, *, probe=False, failure=None):
        self.name, self.log, self.probe, self.failure = name, log, probe, failure
        self.state = state or plan.MasterState(name, (table(),))
        self.session = name

    def _note(self, what):
        self.log.append(f"{self.name}: {what}")

    def read(self, goats, key):
        assert key == KEY
        return self.state

    def has_probe(self):
        return self.probe

    def make_probe(self):
        self._note("make probe")
        if self.failure:
            raise self.failure

    def drop_probe(self):
        self._note("drop probe")

    def make_functions(self, functions):
        self._note("functions")

    def make_objects(self, needed):
        self._note("objects")

    def register(self, needed, dbgroup):
        self._note(f"register {dbgroup}")

    def make_triggers(self, needed, wanted, policy):
        assert wanted == statements.Wanted(KEY, True, "delete")
        if isinstance(self.failure, DeadlineExceeded):
            raise self.failure
        self._note("triggers")
        return locks.LockReport(batches=1)

    def configure_functions(self):
        self._note("configure functions")

    def extend_path(self, schemas):
        self._note(f"path {list(schemas)}")


class Control:
    version = plan.SUPPORTED_VERSION

    def __init__(self, log):
        self.log = log

    def goats(self, relgroup):
        assert relgroup == "tables"
        return [*GOATS, Goat(2, "here", TableName("public", "s"), reltype="sequence")]

    def validate_probe(self, sync, names, probe):
        self.log.append(f"validate {sync} on {', '.join(names)}")


@pytest.fixture(name="ledgers")
def _ledgers(monkeypatch):
    """What the ledgers vouch for, by session, and what is taken from them."""
    vouched, distrusted = {}, []
    monkeypatch.setattr(enrol.ledger, "vouched", lambda session: set(vouched.get(session, ())))
    monkeypatch.setattr(
        enrol.ledger, "distrust", lambda session, names: distrusted.append((session, set(names)))
    )
    return vouched, distrusted


def enrolment(*masters, log=None, truncate="delete"):
    log = log if log is not None else (masters[0].log if masters else [])
    return enrol.Enrolment(
        Control(log), {one.name: one for one in masters}, KEY, "tables", True, truncate
    )


def test_only_tables_are_enrolled():
    assert [goat.name for goat in enrolment().tables()] == [ORDERS]


def test_a_table_that_cannot_be_replicated_is_named():
    made = enrolment(Master("here", [], plan.MasterState("here", (table(kind=""),))))
    with pytest.raises(Refused, match=r"relgroup tables: .*orders") as caught:
        made.needs(GOATS)
    assert len(caught.value.details["problems"]) == 1


def test_what_is_missing_everywhere():
    needs = enrolment(Master("here", []), Master("there", [])).needs(GOATS)
    assert [one.table.name for one in needs["there"].tables] == [ORDERS]
    assert needs["here"].globals


def with_truncate_of(sync, function):
    """A table on which another sync's trigger for TRUNCATE calls this function."""
    spec = enrolled.TriggerSpec("x", "AFTER", "TRUNCATE", "STATEMENT", function)
    name = f"bucardo_note_trunc_{sync}"
    trigger = enrolled.Trigger(name, f"bucardo.{function}", "O", spec.type, (sync,))
    return table(found=enrolled.Found(triggers={name: trigger}))


def test_two_syncs_of_a_table_must_agree_on_truncate():
    state = plan.MasterState("here", (with_truncate_of("other", "bucardo_note_truncation"),))
    with pytest.raises(Refused, match="sync shop cannot have the policy delete for TRUNCATE"):
        enrolment(Master("here", [], state)).needs(GOATS)


def test_a_policy_that_nobody_asks_for_stays():
    state = plan.MasterState("here", (with_truncate_of("shop", "bucardo_note_truncation"),))
    made = enrolment(Master("here", [], state), truncate="")
    made.needs(GOATS)
    assert (made.truncate_before, made.truncate) == ("bucardo", "bucardo")


def needed(**values):
    return plan.Needs("here", tables=(plan.TableNeed(table(), **values),))


class TestEnrol:
    def test_who_keeps_the_queue_is_known_before_the_first_change_is_noted(self, ledgers):
        log = []
        made = enrolment(Master("here", log))
        report = made.enrol({"here": needed(triggers=("bucardo_delta",))})
        assert report["here"].batches == 1
        assert log == [
            "here: functions",
            "here: objects",
            "here: register group",
            "here: triggers",
            "here: configure functions",
            "here: path []",
        ]

    def test_what_masters_need_once_is_made_by_bucardo_and_no_table_of_a_user(self, ledgers):
        log = []
        made = enrolment(Master("here", log), Master("there", log))
        made.enrol({"there": dataclasses.replace(needed(), globals=("bucardo_delta_names",))})
        assert log[:3] == ["there: make probe", "validate shop on there", "there: drop probe"]

    def test_a_probe_goes_whatever_happens(self):
        log = []
        broken = Master("there", log, failure=Refused("no"))
        with pytest.raises(Refused):
            enrolment(Master("here", log), broken).install_globals(["here", "there"])
        assert log == [
            "here: make probe",
            "there: make probe",
            "here: drop probe",
            "there: drop probe",
        ]

    def test_and_so_does_one_that_a_killed_run_left(self, ledgers):
        log = []
        enrolment(Master("here", log, probe=True)).enrol({"here": needed()})
        assert log[0] == "here: drop probe"

    def test_the_other_masters_go_on_where_one_cannot_be_locked(self, ledgers):
        log = []
        late = Master("here", log, failure=DeadlineExceeded("orders could not be locked"))
        made = enrolment(late, Master("there", log))
        with pytest.raises(DeadlineExceeded):
            made.enrol({"here": needed(), "there": needed()})
        assert "there: triggers" in log

    def test_bucardo_is_known_or_refused(self):
        made = enrolment(Master("here", []))
        made.control.version = "5.7.0"
        for work in (lambda: made.enrol({}), lambda: made.install_globals([])):
            with pytest.raises(Refused, match=r"of Bucardo 5\.7\.0"):
                work()


class TestDistrust:
    LOST = staticmethod(lambda: needed(lost=True))

    def test_nobody_vouches_for_a_table_of_which_changes_were_missed(self, ledgers):
        vouched, distrusted = ledgers
        vouched["there"] = {ORDERS}
        enrolment(Master("here", []), Master("there", [])).enrol({"there": self.LOST()})
        assert distrusted == [("here", {ORDERS}), ("there", {ORDERS})]

    def test_on_the_origin_whatever_its_ledger_says(self, ledgers):
        _vouched, distrusted = ledgers
        enrolment(Master("here", [])).enrol({"here": self.LOST()})
        assert distrusted == [("here", {ORDERS})]

    def test_but_of_a_new_master_nothing_was_believed_yet(self, ledgers):
        _vouched, distrusted = ledgers
        enrolment(Master("here", []), Master("there", [])).enrol({"there": self.LOST()})
        assert distrusted == [("here", set()), ("there", set())]


def test_a_validation_finds_nothing_to_lock_or_is_not_made():
    with pytest.raises(Refused, match=r"here: public\.orders changed while it was being enrolled"):
        enrolment(Master("here", [])).check_complete()
    made = enrolment(Master("here", []))
    made.needs = lambda goats: {"here": plan.Needs("here")}
    made.check_complete()
    made.needs = lambda goats: {"here": plan.Needs("here", globals=("bucardo_delta_names",))}
    with pytest.raises(Refused, match="here: bucardo_delta_names changed"):
        made.check_complete()

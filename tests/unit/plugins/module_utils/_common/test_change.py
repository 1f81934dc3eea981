# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and what becomes of them: only here and in module.run() is a check told from a run."""

from __future__ import annotations

import contextlib
import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused


class Journal(list):
    """What a plan did, in order."""

    @contextlib.contextmanager
    def guard(self, name):
        self.append(f"{name} begins")
        yield name
        self.append(f"{name} ends")

    def write(self, change):
        self.append("write")
        change.values["written"] = True


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def run(capsys):
    def _run(plan, **args):
        with patch_module_args(args), pytest.raises(SystemExit) as caught:
            module.run({"name": {"type": "str"}}, plan)
        result = json.loads(capsys.readouterr().out)
        result.pop("invocation", None)
        return caught.value.code, result

    return _run


CHECK = {"_ansible_check_mode": True}


def test_a_change_is_applied_in_the_scope_of_its_plan(run, journal):
    def plan(params, scope):
        scope.enter_context(journal.guard("session"))
        return Change(changed=True, values={"written": False}, work=journal.write)

    assert run(plan) == (0, {"changed": True, "written": True})
    assert journal == ["session begins", "write", "session ends"]


def test_in_a_check_the_plan_is_the_result(run, journal):
    def plan(params, scope):
        scope.enter_context(journal.guard("session"))
        return Change(changed=True, values={"written": False}, work=journal.write)

    assert run(plan, **CHECK) == (0, {"changed": True, "written": False})
    assert journal == ["session begins", "session ends"]


def test_what_does_not_differ_is_not_applied(run, journal):
    assert run(lambda params, scope: Change(work=journal.write)) == (0, {"changed": False})
    assert journal == []


def test_what_only_a_run_may_find_out_is_asked_though_nothing_differs(run, journal):
    def plan(params, scope):
        return Change(work=journal.write, always=True)

    assert run(plan) == (0, {"changed": False, "written": True})
    journal.clear()
    assert run(plan, **CHECK) == (0, {"changed": False})
    assert journal == []


def test_a_check_keeps_nobody_away(journal):
    for check in (False, True):
        with Scope(check=check) as scope:
            scope.lock(journal.guard("lock"))
    assert journal == ["lock begins", "lock ends"]


def test_what_is_missing_stops_a_run_and_not_a_check(run):
    def plan(params, scope):
        scope.lacks(Refused("There is no sync x", "Make it."))
        return Change(changed=True)

    assert run(plan, **CHECK) == (0, {"changed": True})
    code, result = run(plan)
    assert code == 1
    assert result["msg"] == "There is no sync x. Make it."


def test_what_only_looks_wrong_stops_a_check_and_not_a_run(run, journal):
    def plan(params, scope):
        scope.suspects(Refused("The schemas differ", "Look."))
        return Change(always=True, work=journal.write)

    assert run(plan)[0] == 0
    assert journal == ["write"]
    code, result = run(plan, **CHECK)
    assert (code, result["msg"]) == (1, "The schemas differ. Look.")


def test_a_failure_closes_what_the_plan_opened(run, journal):
    def fail(change):
        raise Refused("No")

    def plan(params, scope):
        scope.callback(journal.append, "closed")
        return Change(changed=True, work=fail)

    assert run(plan)[0] == 1
    assert journal == ["closed"]


def test_what_a_change_disturbs_is_told(run):
    def plan(params, scope):
        return Change(changed=True, disturbs=["writers of public.orders wait"])

    assert run(plan, **CHECK)[1]["disturbs"] == ["writers of public.orders wait"]


@pytest.mark.parametrize(("check", "known"), [(True, "a little"), (False, "a lot")])
def test_a_check_tries_in_a_way_of_its_own(check, known):
    with Scope(check=check) as scope:
        assert scope.tries("a", lambda a: f"{a} lot", lambda a: f"{a} little") == known


def test_a_check_foresees_what_applying_would_run_into():
    def look():
        raise Refused("a wall", "Climb.")

    with Scope(check=False) as scope:
        scope.foresees(look)
    with Scope(check=True) as scope, pytest.raises(Refused, match="a wall"):
        scope.foresees(look)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What leaves a module: one-line failures, diffs, and no secret."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Change
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused

SECRET = "p,o's\"t g%r=e\\s"
SPEC = {"login_password": {"type": "str", "no_log": True}, "name": {"type": "str"}}


@pytest.fixture
def run(capsys):
    """Run a module with this plan; returns its exit code and what it printed."""

    def _run(plan, **args):
        with patch_module_args(args), pytest.raises(SystemExit) as caught:
            module.run(SPEC, plan)
        output = capsys.readouterr()
        assert "\n" not in output.out.strip()
        result = json.loads(output.out)
        # Shown at once where the controller's parts are loaded, as other tests of this process do.
        result["warned"] = json.dumps(result.pop("warnings", [])) + output.err
        return caught.value.code, result

    return _run


def without_invocation(result):
    return {key: value for key, value in result.items() if key not in ("invocation", "warned")}


def test_params_reach_the_plan_and_only_a_run_applies_it(run):
    seen, applied = [], []

    def plan(params, scope):
        seen.append(params["name"])
        return Change(changed=True, work=lambda change: applied.append(params["name"]))

    run(plan, name="x", _ansible_check_mode=True)
    assert (seen, applied) == (["x"], [])
    run(plan, name="x")
    assert (seen, applied) == (["x", "x"], ["x"])


def test_what_is_missing_stops_a_run_and_no_check(run):
    def plan(params, scope):
        scope.lacks(Refused("There is no sync 'x'"))
        return Change(changed=True)

    assert run(plan)[0] == 1
    assert run(plan, _ansible_check_mode=True)[0] == 0


def test_nothing_to_tell(run):
    code, result = run(lambda params, scope: Change())
    assert code == 0
    assert without_invocation(result) == {"changed": False}


def test_a_change_with_diff_commands_and_values(run):
    code, result = run(
        lambda params, scope: Change(
            changed=True,
            before={"a": 1},
            after={"a": 2},
            values={"sync": {"name": "s"}},
            commands=["bucardo update sync s"],
            warnings=["look out"],
        )
    )
    assert code == 0
    assert "look out" in result["warned"]
    assert without_invocation(result) == {
        "changed": True,
        "diff": {"before": {"a": 1}, "after": {"a": 2}},
        "sync": {"name": "s"},
        "commands": ["bucardo update sync s"],
    }


@pytest.mark.parametrize(("before", "after"), [(None, {"a": 1}), ({"a": 1}, None), ({}, {"a": 1})])
def test_absence_is_an_empty_side_of_the_diff(run, before, after):
    _code, result = run(lambda params, scope: Change(before=before, after=after))
    assert result["diff"] == {"before": before or {}, "after": after or {}}


def test_a_failure_is_one_line_with_details(run):
    def plan(params, scope):
        raise Refused("There is no\n  sync 'x'", "Known: y.", known=["y"])

    code, result = run(plan)
    assert code == 1
    assert result["failed"] is True
    assert result["msg"] == "There is no sync 'x'. Known: y."
    assert result["known"] == ["y"]
    assert "exception" not in result


def test_other_exceptions_are_defects_and_not_hidden():
    def plan(params, scope):
        raise ZeroDivisionError

    with patch_module_args({}), pytest.raises(ZeroDivisionError):
        module.run(SPEC, plan)


@pytest.mark.parametrize("secret", [SECRET, "plain", "back\\slash", "qu'ote", "größe"])
def test_no_secret_leaves_in_any_form(run, capsys, secret):
    def forms(params):
        password = params["login_password"]
        quoted = password.replace("'", "''")
        return [password, quoted, password.replace("\\", "\\\\"), f"x{password}y"]

    def succeed(params, scope):
        texts = forms(params)
        return Change(
            changed=True,
            before={"conn": texts},
            after={texts[0]: tuple(texts)},
            commands=texts,
            values={"deep": [{"er": texts}]},
        )

    def fail(params, scope):
        raise Refused("no", texts=forms(params))

    for plan in (succeed, fail):
        _code, result = run(plan, login_password=secret)
        text = json.dumps(result, ensure_ascii=False)
        for form in (secret, secret.replace("'", "''"), secret.replace("\\", "\\\\")):
            assert form not in text
            assert json.dumps(form, ensure_ascii=False)[1:-1] not in text
        assert "********" in text


def test_masking_takes_the_longer_secret_first():
    assert module._masked("abcd", ["ab", "abcd"]) == "********"


def test_masking_leaves_the_rest_as_it_is():
    value = {"a": [1, None, True, 2.5, "text"], "b": {}}
    assert module._masked(value, ["secret", ""]) == value


FREE = {**SPEC, "masters": {"type": "list", "elements": "dict"}}


def test_a_secret_in_free_keys_leaves_neither_by_the_result_nor_by_the_log(capsys, monkeypatch):
    logged = []
    monkeypatch.setattr(module.AnsibleModule, "log", lambda self, msg, **_more: logged.append(msg))
    masters = [{"name": "here", "connect_params": {"sslpassword": SECRET, "sslmode": "require"}}]
    options = {"masters": masters, "login_password": "other " + SECRET}

    def plan(params, scope):
        assert params["masters"] == masters
        raise Refused("no")

    with patch_module_args(options), pytest.raises(SystemExit):
        module.run(FREE, plan)
    text = capsys.readouterr().out + "".join(logged)
    assert "Invoked with" in text
    assert "require" in text
    assert "module_args" in text
    for part in ("p,o", "g%r=e"):
        assert part not in text


def test_a_secret_in_free_keys_is_hidden_while_the_options_are_looked_at(capsys):
    options = {"masters": [{"connect_params": {"password": SECRET}}], "nmae": "x"}
    with patch_module_args(options), pytest.raises(SystemExit):
        module.run(FREE, lambda params, scope: Change())
    text = capsys.readouterr().out
    assert "nmae" in text
    assert "g%r=e" not in text

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done when stays on the host: for its owner only, small, and without secrets."""

from __future__ import annotations

import json
import os
import re

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module, runlog
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Change
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused

SPEC = {"login_password": {"type": "str", "no_log": True}}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(runlog, "SHARED", str(tmp_path))
    return tmp_path / runlog.NAME


def run(plan, **args):
    with patch_module_args(args), pytest.raises(SystemExit):
        module.run(SPEC, plan)


def changed(*commands):
    return lambda params, scope: Change(changed=True, commands=list(commands))


def refused(params, scope):
    raise Refused("cannot do it", "do that")


def test_a_change_is_one_line_with_its_time_and_what_was_run(place, capsys):
    run(changed("bucardo add\n sync s", "UPDATE bucardo.sync"))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S+ changed after \d+\.\d s:"
        r" bucardo add sync s; UPDATE bucardo\.sync\n",
        place.read_text(),
    )
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_failure_is_one_line(place, capsys):
    run(refused)
    assert place.read_text().endswith(": cannot do it. do that\n")
    assert " failed after " in place.read_text()


def test_what_changes_nothing_and_what_only_looks_leaves_no_line(place, capsys):
    run(lambda params, scope: Change())
    run(changed("x"), _ansible_check_mode=True)
    run(refused, _ansible_check_mode=True)
    assert not place.exists()


def test_no_secret_is_in_it(place, capsys):
    run(changed("ALTER ROLE x PASSWORD 'gre''en'"), login_password="gre'en")
    assert "gre" not in place.read_text()
    assert "********" in place.read_text()


def test_it_stays_small(place, monkeypatch, capsys):
    monkeypatch.setattr(runlog, "LARGEST", 1000)
    for number in range(30):
        runlog.note("m", "changed", 0.1, [f"{number} " + "x" * 200])
    files = {path.name for path in place.parent.iterdir()}
    assert f"{runlog.NAME}.1" in files
    assert files <= {runlog.NAME, f"{runlog.NAME}.1"}
    assert all(path.stat().st_size < 1500 for path in place.parent.iterdir())
    runlog.note("m", "changed", 0.1, ["y" * 100_000])
    assert place.with_name(f"{runlog.NAME}.1").stat().st_size < 6000


def test_a_run_never_fails_because_of_it(place, capsys):
    place.mkdir()
    run(changed("x"))
    assert json.loads(capsys.readouterr().out)["changed"] is True


def test_it_is_not_written_through_a_link(place, tmp_path, capsys):
    other = tmp_path / "other"
    other.write_text("")
    place.symlink_to(other)
    run(changed("x"))
    assert other.read_text() == ""
    place.unlink()
    os.link(other, place)
    run(changed("x"))
    assert other.read_text() == ""


def test_a_user_who_may_not_write_there_has_a_file_of_his_own(tmp_path, monkeypatch):
    monkeypatch.setattr(runlog, "SHARED", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    runlog.note("m", "changed", 0.1, ["x"])
    own = tmp_path / ".local/state/multimaster.bucardo" / runlog.NAME
    assert own.read_text().endswith(": x\n")
    assert own.parent.stat().st_mode & 0o777 == 0o700

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program is one file that runs by itself, and the same each time."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor import (
    memory,
    mend,
    pack,
    violation,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.look import Settings
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.problem import Alarm
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._monitor.cases import (
    HEALTHY,
)


def test_it_runs_without_this_collection(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(pack.packed())
    done = subprocess.run(
        [sys.executable, "-I", str(program), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Nagios" in done.stdout
    with zipfile.ZipFile(program) as archive:
        names = archive.namelist()
    assert "multimaster_bucardo/_monitor/detectors.py" in names
    assert "multimaster_bucardo/_postgres/pg.py" in names
    # Neither Ansible nor features that it does not need.
    assert not [name for name in names if "/_ansible/" in name or "/_seed/" in name]


def test_it_is_the_same_each_time():
    assert pack.packed() == pack.packed()


def test_settings_are_read_from_what_the_role_writes(tmp_path):
    (tmp_path / "settings.json").write_text('{"systemd": true, "metrics": "/m", "interval": 5.0}')
    (tmp_path / "sync-shop.json").write_text(
        '{"tables": ["*.*"], "exclude": ["log"], "age": 4, "rows": 5, "bytes": 6}'
    )
    found = Settings.load(str(tmp_path))
    assert (found.systemd, found.metrics, found.interval) == (True, "/m", 5.0)
    assert found.wanted["shop"].exclude == ("log",)
    assert found.wanted["shop"].limits.age == 4.0


def test_memory_survives_in_a_file_and_keeps_little(tmp_path):
    path = str(tmp_path / "state.json")
    one = memory.Memory.load(path)
    for minute in range(30):
        one.note(HEALTHY, 60.0 * minute)
    one.save(path)
    again = memory.Memory.load(path)
    history = again.history(now=60.0 * 30)
    assert len(history["shop", "here"]) == 10
    assert history["shop", "here"][-1].age == 60.0
    # Old looks say nothing of now.
    assert again.history(now=1e6)["shop", "here"] == ()


@pytest.mark.parametrize("content", ["", "{", "[]", "7"])
def test_a_memory_that_cannot_be_read_is_none(tmp_path, content):
    path = tmp_path / "state.json"
    path.write_text(content)
    assert memory.Memory.load(str(path)).state["problems"] == {}


def test_since_when_something_is_so_is_told_where_only_the_watchdog_knows():
    seen = Alarm("not_enrolled", "x is not replicated", "Do.", sync="shop")
    old = Alarm("backlog_old", "waits for 5 min", "Do.", sync="shop", age=300.0)
    one = memory.Memory()
    one.state = mend.remember(one.state, [seen, old], 1000.0)
    found = one.dated([seen, old], now=1120.0)
    assert [alarm.line for alarm in found] == [
        "x is not replicated (seen for 2 min). Do.",
        "waits for 5 min. Do.",
    ]
    assert [alarm.age for alarm in found] == [120.0, 300.0]
    # The next look takes up what the first one began.
    assert mend.remember(one.state, found, 1120.0)["problems"][seen.key]["since"] == 1000.0
    assert memory.Memory().dated([seen]) == [seen]


def test_looks_that_take_long_are_rare():
    one = memory.Memory({"looked": [1000.0, 40.0]})
    assert not one.is_due(1390.0)
    assert one.is_due(1400.0)
    assert memory.Memory({"looked": [1000.0, 20.0]}).is_due(1060.0)
    # A clock that was set back is no reason to wait.
    assert one.is_due(900.0)
    assert memory.Memory().is_due(0.0)


def test_rows_that_were_lost_stay_suspect():
    one = memory.Memory({"lost": {'shop/public."a.b"': ['{"id": 1}']}})
    assert one.suspects("shop") == {TableName("public", "a.b"): ('{"id": 1}',)}
    assert one.suspects("other") == {}


@pytest.mark.parametrize(
    "message",
    [
        'ERROR:  duplicate key value violates unique constraint "note_code_key"',
        "FEHLER:  doppelter Schlüsselwert verletzt Unique-Constraint »note_code_key«",
        "ERREUR:  la valeur d'une clé dupliquée rompt la contrainte unique « note_code_key »",
    ],
)
def test_a_violation_is_known_in_any_language(message):
    found = violation.parse(
        f"Failed : DBD::Pg::db pg_putcopyend failed: {message} DB left state: ?"
        " Error: none DB right state: 23505 Error: 7 (KID 1)"
    )
    assert found is not None
    assert found.master == "right"
    assert "note_code_key" in found.quoted


def test_another_failure_is_no_violation():
    assert violation.parse("Failed : no such column DB right state: 42703 Error: 7") is None

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look decides to do: nothing, and without a word, where somebody stopped the daemon."""

from __future__ import annotations

import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor import look
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.memory import Memory
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.problem import Alarm


@pytest.mark.parametrize("stopped", [True, False])
def test_a_daemon_is_started_unless_somebody_stopped_it(tmp_path, monkeypatch, stopped):
    mark = tmp_path / "fullstopbucardo"
    monkeypatch.setattr(look, "FULL_STOP", str(mark))
    if stopped:
        mark.touch()
    found, memory = look.Look(2, "", ""), Memory()
    down = [Alarm("daemon_down", "what", "cure.")]
    control = types.SimpleNamespace(daemon=None)
    look._mend(found, look.Settings(), control, memory, down)
    said = [line for line in found.log if line.startswith("start: ")]
    assert (found.step, len(said), len(memory.state["steps"])) == (
        ("", 0, 0) if stopped else ("start", 1, 1)
    )


@pytest.mark.parametrize("stopped", [True, False])
def test_of_a_daemon_that_is_just_restarted_only_the_second_look_tells(
    tmp_path, monkeypatch, stopped
):
    mark = tmp_path / "fullstopbucardo"
    monkeypatch.setattr(look, "FULL_STOP", str(mark))
    if stopped:
        mark.touch()
    memory, told = Memory(), []
    down = [Alarm("daemon_down", "what", "cure.")]
    for _number in range(3):
        found = look.Look(2, "", "")
        look._mend(found, look.Settings(), types.SimpleNamespace(daemon=None), memory, down)
        told.append(down[0].line in found.log)
    assert told == ([False, True, False] if stopped else [True, False, False])


@pytest.mark.parametrize(
    ("running", "answers", "pid", "seen"),
    [
        (True, True, 0, True),
        (True, False, 7, True),
        (True, False, 0, False),
        (False, False, 7, False),
    ],
)
def test_a_main_process_that_has_gone_does_not_run(running, answers, pid, seen):
    daemon = types.SimpleNamespace(process=lambda: types.SimpleNamespace(pid=pid))
    facts = look.Facts(running=running, answers=answers)
    assert look.seen_from_its_host(facts, daemon).running is seen

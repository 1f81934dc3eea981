# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the daemon is told, by what it does and what it shall do."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import daemon_state
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.daemon import (
    START,
    STOP,
    Process,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
)

RELOAD = ("reload", "config", "60")


class Daemon:
    """A daemon that is told, and notes it."""

    def __init__(self, pid=0, stale=0, answers=True):
        self.pid, self.stale, self._answers = pid, stale, answers
        self.told = []

    class files:
        pid_file = "/run/bucardo/bucardo.mcp.pid"

    def process(self):
        return Process(self.pid, self.stale)

    def answers(self, timeout):
        return self._answers

    def require_directories(self):
        pass

    def shown(self, words):
        return " ".join(words)

    def start(self, timeout):
        self.told.append("start")
        return 4711

    def stop(self, timeout):
        self.told.append("stop")

    def reload(self, timeout):
        self.told.append("reload")


@pytest.mark.parametrize(
    ("state", "pid", "calls", "running", "pid_after"),
    [
        ("started", 0, [START], True, 4711),
        ("started", 7, [], True, 7),
        ("stopped", 0, [], False, 0),
        ("stopped", 7, [STOP], False, 0),
        ("restarted", 0, [START], True, 4711),
        ("restarted", 7, [STOP, START], True, 4711),
        ("reloaded", 0, [START], True, 4711),
        ("reloaded", 7, [RELOAD], True, 7),
        ("pinged", 7, [], True, 7),
    ],
)
def test_states(state, pid, calls, running, pid_after):
    daemon = Daemon(pid)
    change = daemon_state.plan(daemon, state, 60.0)
    assert daemon.told == []
    assert change.changed == bool(calls)
    assert change.commands == [" ".join(words) for words in calls]
    assert (change.before, change.after) == ({"running": bool(pid)}, {"running": running})
    change.apply()
    assert daemon.told == [words[0] for words in calls]
    assert change.values == {"running": running, "pid": pid_after}


def test_what_others_notice():
    plan = daemon_state.plan
    assert plan(Daemon(7), "stopped", 60).disturbs == [daemon_state.NOTHING_REPLICATED]
    assert plan(Daemon(7), "restarted", 60).disturbs == [daemon_state.RUNS_END]
    assert plan(Daemon(7), "reloaded", 60).disturbs == [daemon_state.RUNS_END]
    assert plan(Daemon(0), "started", 60).disturbs == []


@pytest.mark.parametrize(
    ("state", "pid", "text"),
    [
        ("started", 7, "daemon (PID 7) did not answer within 60 s. It hangs: restart it."),
        ("pinged", 0, "daemon did not answer within 60 s. It does not run: start it."),
    ],
)
def test_it_must_not_only_be_there(state, pid, text):
    with pytest.raises(CommandFailed) as caught:
        daemon_state.plan(Daemon(pid, answers=False), state, 60)
    assert text in str(caught.value)


def test_a_pid_file_of_another_process_is_told():
    (line,) = daemon_state.plan(Daemon(stale=12), "started", 60).warnings
    assert "names the process 12, which is not Bucardo's" in line

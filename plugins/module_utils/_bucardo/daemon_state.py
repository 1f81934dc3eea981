# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucardo's daemon as it shall be: running, stopped, started anew, told to read again."""

from __future__ import annotations

import typing as t

from .._common.change import Change
from .._common.errors import CommandFailed
from .daemon import START, STOP, Daemon, Process, reload_words

RUNS_END = "the runs in progress of all syncs end, and are repeated"
NOTHING_REPLICATED = "nothing is replicated while it is stopped; changes queue"


def plan(daemon: Daemon, state: str, timeout: float) -> Change:
    """What it takes until the daemon is in a state, one of those of bucardo_daemon.

    :raises CommandFailed: when it shall run, and does not answer.
    """
    process = daemon.process()
    calls = _calls(state, process, timeout)
    if START in calls or STOP in calls:
        daemon.require_directories()
    if not calls and state != "stopped":
        _require_answer(daemon, process, timeout)
    runs = state != "stopped"
    pid = 0 if state == "stopped" or START in calls else process.pid
    return Change(
        changed=bool(calls),
        before={"running": bool(process.pid)},
        after={"running": runs},
        disturbs=_disturbs(calls),
        values={"running": runs, "pid": pid},
        commands=[daemon.shown(words) for words in calls],
        warnings=_stale(daemon, process),
        work=lambda change: _work(daemon, calls, timeout, change),
    )


Calls = t.List[t.Tuple[str, ...]]


def _calls(state: str, process: Process, timeout: float) -> Calls:
    """The verbs of the program that are needed, in order (pure)."""
    stop = [STOP] if process.pid else []
    if state == "stopped":
        return list(stop)
    if state == "restarted":
        return [*stop, START]
    if not process.pid:
        return [] if state == "pinged" else [START]
    return [reload_words(timeout)] if state == "reloaded" else []


def _disturbs(calls: Calls) -> list[str]:
    if STOP in calls:
        return [NOTHING_REPLICATED] if START not in calls else [RUNS_END]
    return [RUNS_END] if calls and START not in calls else []


def _work(daemon: Daemon, calls: Calls, timeout: float, change: Change) -> None:
    for words in calls:
        if words == STOP:
            daemon.stop(timeout)
        elif words == START:
            change.values["pid"] = daemon.start(timeout)
        else:
            daemon.reload(timeout)


def _require_answer(daemon: Daemon, process: Process, timeout: float) -> None:
    """It must not only be there."""
    if daemon.answers(timeout):
        return
    where = f"(PID {process.pid}) " if process.pid else ""
    raise CommandFailed(
        f"Bucardo's daemon {where}did not answer within {timeout:g} s",
        "It hangs: restart it." if process.pid else "It does not run: start it.",
    )


def _stale(daemon: Daemon, process: Process) -> list[str]:
    if not process.stale_pid:
        return []
    return [
        f"{daemon.files.pid_file} names the process {process.stale_pid}, which is not Bucardo's"
    ]

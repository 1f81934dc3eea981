# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends all processes of a daemon at once, where waiting for them could take hours.

Bucardo's processes end by signals, which Perl handles between two statements. A worker that waits
for the answer of a host that is gone sits in one until TCP gives up, and while it does the daemon
can neither be stopped nor reloaded. Nothing is lost: what a run had not committed is still queued.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time

from .._postgres.pg import Session

# Bucardo.pm calls its processes "Bucardo Controller. ...", "Bucardo Kid. ..." and so on.
_TITLE = "Bucardo "
_PID = re.compile(r"\(PID (\d+)\)")
_POLL = 0.05
# Seconds. SIGKILL is not refused; the kernel may be busy.
_PATIENCE = 5.0


def processes(session: Session, piddir: str) -> list[int]:
    """The daemon's processes on this host: those that are connected and those that left a file.

    :param session: of the control database.
    """
    names = session.column(
        "SELECT application_name FROM pg_catalog.pg_stat_activity"
        " WHERE datname = pg_catalog.current_database()"
        "   AND application_name ~ '^bucardo (MCP|CTL|KID|VAC) '"
    )
    found = {int(match.group(1)) for match in map(_PID.search, names) if match}
    found.update(_of_files(piddir))
    return sorted(pid for pid in found if is_bucardo(pid))


def end(session: Session, piddir: str) -> list[int]:
    """Kill them and remove their files; returns which there were."""
    pids = processes(session, piddir)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _PATIENCE
    while any(map(is_bucardo, pids)) and time.monotonic() < until:
        time.sleep(_POLL)
    # A purging process whose file is left is never started again.
    for path in _files(piddir):
        with contextlib.suppress(OSError):
            os.unlink(path)
    return pids


def is_bucardo(pid: int) -> bool:
    """Whether this is a process of Bucardo's; what has ended has no title any more."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read().startswith(_TITLE)
    except OSError:
        return False


def _files(piddir: str) -> list[str]:
    try:
        names = os.listdir(piddir)
    except OSError:
        return []
    return [os.path.join(piddir, name) for name in names if re.fullmatch(r"bucardo\..+\.pid", name)]


def _of_files(piddir: str) -> list[int]:
    found = []
    for path in _files(piddir):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
            found.append(int(file.readline()))
    return found

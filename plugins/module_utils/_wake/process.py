# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The poller as a process on Bucardo's host, of Bucardo's user: by systemd, or in background."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import sys
import time
import typing as t

from .poller import Poller

COMMAND = "poll"
LOCK = "/run/bucardo/poll.lock"
LOG = "/var/log/bucardo/poll.log"


def serve(path: str, words: t.Sequence[str], bucardorc: str, journal: bool) -> int:
    """Poll for ever; a second process ends at once. A new version of the program goes on with it.

    :param path: the program's file, and `words` what it is called with.
    :param journal: what is said goes to standard output, not into a file of its own.
    """
    lock = alone(LOCK)
    if lock is None:
        return 0
    with lock:
        version = _version(path)
        Poller(bucardorc, _print if journal else _log, lambda: _version(path) != version).run()
    if os.path.exists(path):
        os.execv(path, [path, *words])
    return 0


def runs(path: str) -> bool:
    """Whether a process is there that polls for the program of this path."""
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        # It may end at any moment.
        with contextlib.suppress(OSError), open(name, "rb") as file:
            words = file.read().split(b"\0")
            if os.fsencode(path) in words and COMMAND.encode() in words:
                return True
    return False


def _version(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_mtime_ns
    return 0


def alone(path: str) -> t.TextIO | None:
    """The right to be the only process of a kind, None when there is one.

    :param path: of the file whose lock it is, held as long as what is returned is open.
    """
    file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (held by the caller)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _log(line: str) -> None:
    """By name each time, as the file is rotated."""
    with contextlib.suppress(OSError), open(LOG, "a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S%z')} {line}\n")

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done when on this host: one line for each module that changed something or failed.

For its owner only, and without secrets. A run never fails because of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import typing as t

# Of Bucardo's own user, and of root. Not "*.log", which logrotate takes for the daemon's.
SHARED = "/var/log/bucardo"
NAME = "multimaster-runs"
# Bytes; then the file makes room, and the one before is kept.
LARGEST = 1_000_000
# Characters of a line.
_LINE = 4000


def note(module: str, outcome: str, seconds: float, what: t.Sequence[str]) -> None:
    """Add a line.

    :param outcome: a word, such as "changed".
    :param what: statements, commands or an error, with secrets masked.
    """
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = " ".join("; ".join(what).split())
    more = " ..." if len(text) > _LINE else ""
    line = f"{moment} {module} {outcome} after {seconds:.1f} s: {text[:_LINE]}{more}\n"
    with contextlib.suppress(OSError):
        _append(path(), line)


def path() -> str:
    """The file of whoever runs this."""
    if os.access(SHARED, os.W_OK | os.X_OK):
        return os.path.join(SHARED, NAME)
    state = os.path.join(os.path.expanduser("~"), ".local", "state", "multimaster.bucardo")
    os.makedirs(state, mode=0o700, exist_ok=True)
    return os.path.join(state, NAME)


def _append(place: str, line: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    descriptor = os.open(place, flags, 0o600)
    with open(descriptor, "a", encoding="utf-8", errors="backslashreplace") as file:
        found = os.fstat(descriptor)
        # What another user could have put there is not written to by root.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            return
        owner = os.stat(os.path.dirname(place))
        if os.geteuid() == 0 and found.st_uid != owner.st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        file.write(line)
        size = found.st_size + len(line)
    if size > LARGEST:
        os.replace(place, f"{place}.1")

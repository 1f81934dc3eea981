# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long task's side of the live display: tells how far it is, learns whether it is still wanted.

The other side is `plugin_utils/_live.py`. Between them is a directory that only the task's user
may enter, with a file `progress.json` that this side replaces, and a file `lease` that the other
side touches while somebody looks on.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
import typing as t

# Seconds without a sign of life of the other side, after which the task stops. As long as the
# other side waits for an answer.
LEASE = 60
# Seconds between two questions of the task after which it must have been frozen itself: with its
# host, so that nobody could give a sign of life.
_FROZEN = 10


class Watcher:
    """The link to whoever started the task.

    Takes over the signals that ask a process to end, so that the task can end in good order.

    :param directory: None when the task was started without live display.
    """

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._stopped = False
        self._asked = self._since = time.time()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, self._stop)

    def _stop(self, signum: int, frame: t.Any) -> None:
        self._stopped = True

    def keep_going(self) -> bool:
        """False after a signal, or when the lease ran out or was withdrawn."""
        if self._stopped or not self._directory:
            return not self._stopped
        try:
            touched = os.stat(os.path.join(self._directory, "lease")).st_mtime
        except OSError:
            return False
        now = time.time()
        if now - self._asked > _FROZEN:
            self._since = now
        self._asked = now
        return now - max(touched, self._since) < LEASE

    def report(self, state: t.Mapping[str, t.Any]) -> None:
        """Tell how far the task is; the state must be fit for JSON and hold no secrets."""
        if not self._directory:
            return
        try:
            # mkstemp makes files that only their owner may read.
            descriptor, name = tempfile.mkstemp(dir=self._directory)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(state, stream)
            os.replace(name, os.path.join(self._directory, "progress.json"))
        except OSError:
            # The directory is gone; keep_going() draws the consequence.
            pass

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a sync is held: a fact of the daemon's processes, not of the sync's row.

The row says what ought to be. A run that ended between the row and the daemon, or a daemon whose
main process is stuck while its controllers and workers go on, leaves a sync that replicates
although it is held; what it replicates is marked as done for a master that is being seeded.
"""

from __future__ import annotations

import time
import typing as t

from .._common.errors import Refused
from .._common.text import listed
from .._postgres.pg import Session
from .daemon_messages import DaemonMessages

# Reloads: one may come while the daemon is starting, or has just begun a controller.
_TIMES = 2
# Seconds in which such a controller connects: for so long nothing must be seen.
_CALM = 2.0
# Seconds for a run to end after it was told to, as when it copies a large table.
_GRACE = 15.0
# Seconds for a process to end after its sessions were closed under it.
_LAST = 30.0
_POLL = 0.2

_WORKERS = """
SELECT pid FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database()
   AND pg_catalog.starts_with(application_name, %s)
"""
# A controller's session does not name its sync; each active sync has one at most.
_CONTROLLERS = """
SELECT GREATEST(pg_catalog.count(*)
       - (SELECT pg_catalog.count(*) FROM bucardo.sync WHERE status <> 'inactive'), 0)
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND application_name LIKE 'bucardo CTL (PID %%'
"""
_END_WORKERS = """
SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid))
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database()
   AND pg_catalog.starts_with(application_name, %s)
"""
# Of another sync that is active the daemon makes another one at once.
_END_CONTROLLERS = """
SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid))
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND application_name LIKE 'bucardo CTL (PID %%'
"""
# Who that is, and whether it is older than the daemon of today.
_SESSIONS = """
SELECT pg_catalog.replace(application_name, 'bucardo ', '') || ' connected for '
       || EXTRACT(epoch FROM pg_catalog.clock_timestamp() - backend_start)::int || ' s'
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database()
   AND application_name ~ '^bucardo (MCP|CTL) [(]PID' ORDER BY backend_start
"""


class Stillness:
    """Sees to it that nothing of a held sync runs.

    :param masters: sessions to those that can be reached: a worker that lost the control database
        goes on there.
    """

    def __init__(self, control: Session, masters: t.Mapping[str, Session], sync: str) -> None:
        self.control = control
        self.masters = masters
        self.sync = sync
        self._worker = f"bucardo KID ({sync}) "

    def moving(self) -> list[str]:
        """What still runs, in words; empty when the sync is held."""
        found = []
        if self.control.column(_WORKERS, (self._worker,)):
            found.append("a worker is connected to the control database")
        found += [
            f"a worker is connected to {name}"
            for name, session in self.masters.items()
            if session.column(_WORKERS, (self._worker,))
        ]
        if self.control.value(_CONTROLLERS, ()):
            sessions = ", ".join(self.control.column(_SESSIONS, ()))
            found.append(f"a controller is there that no active sync has ({sessions})")
        return found

    def ensure(self, reload: t.Callable[[], bool], written: bool = False) -> bool:
        """Have the sync held; the row must say so already. Returns whether that took anything.

        :param reload: lets the daemon read the rows anew.
        :param written: the row has just been changed.
        :raises Refused: when something runs on, or may begin to.
        """
        daemon = DaemonMessages(self.control)
        silent = daemon.pid() is not None and not daemon.answers()
        moving = written or bool(self.moving())
        if moving and (silent or not self._told(reload)):
            self._end()
            self._wait(_LAST)
        left = self.moving()
        if silent:
            left.insert(0, "Bucardo's daemon does not answer, and may start it when it wakes")
        if left:
            raise Refused(
                f"Sync {self.sync} is to be held, but {listed(left)}",
                "Restart the daemon with bucardo_daemon (state: restarted), then run again.",
            )
        return moving

    def _told(self, reload: t.Callable[[], bool]) -> bool:
        """Let the daemon read the rows until nothing runs any more; whether that is so."""
        for _time in range(_TIMES):
            reload()
            # A reload ends controllers by their process files. That of a new one is missing where
            # the one before it ended later, which removes the file by its name.
            DaemonMessages(self.control).stop(self.sync)
            if self._wait(_GRACE):
                return True
        return False

    def _wait(self, seconds: float) -> bool:
        """Whether all ends within so many seconds, and nothing new is there for `_CALM`."""
        begun = time.monotonic()
        calm_since: float | None = None
        while True:
            moving, now = self.moving(), time.monotonic()
            if moving:
                if now - begun >= seconds:
                    return False
                calm_since = None
            elif calm_since is None:
                calm_since = now
            elif now - calm_since >= _CALM:
                return True
            time.sleep(_POLL)

    def _end(self) -> None:
        """What a run had not committed is queued still."""
        for session in (self.control, *self.masters.values()):
            session.value(_END_WORKERS, (self._worker,))
        self.control.value(_END_CONTROLLERS, ())

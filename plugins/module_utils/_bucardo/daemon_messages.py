# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talks with Bucardo's daemon through NOTIFY on the control database.

The same messages as the bucardo program sends (bucardo.schema 5.6.0 and Bucardo.pm: the daemon's
main process answers under "bucardo_<answer>"), from one session: the program waits for one
message at a time, and exits 0 when the daemon is not there to hear it.
"""

from __future__ import annotations

import select
import time
import typing as t

from .._common.errors import DeadlineExceeded, Refused
from .._postgres import sql
from .._postgres.pg import Session

# Seconds that a sync is given to answer a kick: a run may be in progress.
_KICK_TIMEOUT = 10.0
# Seconds. It answers within its main loop's sleep, a fraction of a second.
_PONG_TIMEOUT = 10.0
# Seconds between two looks at what the daemon does while it reloads.
_LOOK_EVERY = 5.0
# Times the patience with which it may be at work.
_AT_MOST = 30
# Changes whenever its main process has asked this server something, and as long as it waits for the
# answer: validate_sync looks at the tables of every master in one statement.
_SIGN = """
SELECT pg_catalog.max(CASE WHEN state = 'active' THEN pg_catalog.clock_timestamp()
                           ELSE state_change END)
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND application_name ~ '^bucardo MCP '
"""


class DaemonMessages:
    """The daemon that serves a control database, wherever it runs, as one can talk to it.

    :param session: None for a control database that is not there: none serves it.
    """

    def __init__(self, session: Session | None) -> None:
        self._session = session

    @property
    def session(self) -> Session:
        """To the control database."""
        if self._session is None:
            raise Refused("Bucardo is not installed", "Run bucardo_install first.")
        return self._session

    def pid(self) -> int | None:
        """Process id of the backend that serves its main process, None when it is not connected."""
        if self._session is None:
            return None
        found = self.session.value(
            "SELECT pid FROM pg_catalog.pg_stat_activity"
            " WHERE datname = pg_catalog.current_database()"
            "   AND application_name LIKE 'bucardo MCP %%' ORDER BY backend_start DESC LIMIT 1",
            (),
        )
        return int(found) if found is not None else None

    def answers(self, timeout: float = _PONG_TIMEOUT) -> bool:
        """Whether it answers a ping within so many seconds."""
        return self.ask("mcp_ping", ["mcp_pong"], timeout) is not None

    def runs(self, sync: str) -> bool:
        """Whether it has taken up a sync; True when no daemon is there to be asked.

        A daemon leaves a sync out that it could not validate when it last read them, and its row
        stays active.
        """
        if self.pid() is None:
            return True
        if self.session.value(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity"
            " WHERE datname = pg_catalog.current_database()"
            "   AND pg_catalog.starts_with(application_name, %s))",
            (f"bucardo KID ({sync}) ",),
        ):
            return True
        # Its worker may just be replaced, or not be kept between runs.
        answers = [f"syncdone_{sync}", f"synckill_{sync}", f"syncerror_{sync}"]
        return self.ask(f"kick_sync_{sync}", answers, _KICK_TIMEOUT) in answers[:2]

    def reload(self, timeout: float, masters: t.Sequence[Session] = ()) -> bool:
        """Have it read all syncs again, which ends every run that is in progress.

        It asks the first master several questions about each table, so that many tables and a long
        way take any time: patience ends only when it has done nothing for so many seconds.

        :param masters: sessions to where it is seen at work.
        :returns: False when no daemon is connected, hence nothing runs.
        :raises DeadlineExceeded: when it neither confirms nor does anything any more.
        """
        told = self.pid()
        if told is None:
            return False
        self.listen(["reloaded_mcp"])
        self.send("mcp_reload")
        begun = time.monotonic()
        seen, idle_since = [""], begun
        while True:
            signs = [str(one.value(_SIGN)) for one in (self.session, *masters)]
            now = time.monotonic()
            if signs != seen:
                seen, idle_since = signs, now
            left = min(idle_since + timeout, begun + timeout * _AT_MOST) - now
            if self.wait(max(0.0, min(_LOOK_EVERY, left))) is not None:
                return True
            pid = self.pid()
            if pid is None:
                return True
            if pid != told:
                # It has started anew, perhaps before it heard.
                told = pid
                self.send("mcp_reload")
            if left <= 0:
                raise DeadlineExceeded(
                    f"Bucardo's daemon did not confirm a reload within {now - begun:.0f} s",
                    "See its log, then run again.",
                )

    def ask(self, message: str, answers: t.Sequence[str], timeout: float) -> str | None:
        """Send a message and return the first of the answers that comes, None when none does."""
        self.listen(answers)
        self.send(message)
        return self.wait(timeout)

    def listen(self, answers: t.Sequence[str]) -> None:
        """Forget what was listened to and what came; listen to these."""
        self.session.execute("UNLISTEN *")
        self.session.connection.notifies.clear()
        for answer in answers:
            self.session.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"bucardo_{answer}")))

    def send(self, message: str) -> None:
        """Send a message."""
        self.session.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(f"bucardo_{message}")))

    def stop(self, sync: str) -> None:
        """Have all controllers and workers of a sync end, whoever their main process is.

        Each new controller tells those before it so (Bucardo.pm 5.6.0, db_notify: among Bucardo's
        own processes a channel for each kind, and the message in the payload).
        """
        for kind in ("kid", "ctl"):
            self.session.execute(
                "SELECT pg_catalog.pg_notify(%s, %s)", (f"bucardo_{kind}", f"stopsync_{sync}")
            )

    def wait(self, timeout: float) -> str | None:
        """The next message listened to, None when none comes within so many seconds."""
        connection = self.session.connection
        until = time.monotonic() + timeout
        while True:
            notifies = self.session.receive()
            if notifies:
                return str(notifies.pop(0).channel).replace("bucardo_", "", 1)
            left = until - time.monotonic()
            if left <= 0:
                return None
            select.select([connection], [], [], left)

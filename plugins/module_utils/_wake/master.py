# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at one master again and again, in a thread of its own."""

from __future__ import annotations

import threading
import time
import typing as t

from .._common.errors import MultimasterError
from .._postgres import sql
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .._postgres.tables import BUCARDO_SCHEMA
from .._tracking import kick
from .purger import Purger
from .seen import Seen, UnderWay

# Seconds between two looks: what they add to the time that a row takes.
EVERY = 0.2
# Seconds after which a lost master is tried again, and between two searches for sequences that are
# not there (yet).
_AGAIN = 2.0
# A way that swallows everything ends a session within seconds (libpq's parameters).
_KEEPALIVES = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
_POLLED = """
SELECT c.relname::text FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_proc p ON p.pronamespace = c.relnamespace AND p.proname = c.relname
 WHERE c.relnamespace = pg_catalog.to_regnamespace(%s) AND c.relkind = 'S' AND c.relname = ANY (%s)
"""
# These functions are there in all versions. In a transaction without a number, age() counts up to
# the next one that will be given out (GetStableLatestTransactionId in transam/xact.c).
_UNDER_WAY = """
SELECT ARRAY(SELECT pg_catalog.txid_snapshot_xip(s.now)) AS listed,
       pg_catalog.txid_snapshot_xmax(s.now) AS first,
       pg_catalog.age((pg_catalog.txid_snapshot_xmax(s.now) & 4294967295)::text::xid) AS more
  FROM (SELECT pg_catalog.txid_current_snapshot() AS now) s
"""


class Looker(threading.Thread):
    """One master of some syncs.

    :param syncs: their names.
    :param wake: called with the name of a sync that must be woken, from this thread.
    :param say: called with a line for people.
    """

    def __init__(
        self,
        conninfo: ConnInfo,
        syncs: t.Iterable[str],
        wake: t.Callable[[str], object],
        say: t.Callable[[str], object],
    ) -> None:
        super().__init__(daemon=True)
        self.conninfo = ConnInfo(conninfo.name, {**_KEEPALIVES, **conninfo.params})
        self.syncs = tuple(sorted(syncs))
        self._wake, self._say = wake, say
        self._purger = Purger(self.conninfo, say)
        self._over = threading.Event()
        self._failed = ""

    def stop(self) -> None:
        """Let it end soon."""
        self._over.set()
        self._purger.stop()

    def run(self) -> None:
        """Until it is stopped, whatever happens to the master."""
        self._purger.start()
        while not self._over.is_set():
            try:
                with Session(self.conninfo, kick.APPLICATION_NAME) as session:
                    self._tell("")
                    self._look_on(session)
            except MultimasterError as error:
                self._tell(error.message)
            self._over.wait(_AGAIN)

    def _tell(self, error: str) -> None:
        if error != self._failed:
            self._say(error or f"{self.conninfo.name}: connected again")
            self._failed = error

    def _look_on(self, session: Session) -> None:
        polled: dict[str, Seen] = {}
        searched = -_AGAIN
        while True:
            if time.monotonic() - searched >= _AGAIN:
                polled, searched = self._search(session, polled), time.monotonic()
                if len(polled) < len(self.syncs):
                    # Writes of the others are not seen.
                    self._purger.written()
            for sync in look(session, polled):
                self._wake(sync)
                self._purger.written()
            if self._over.wait(EVERY if polled else _AGAIN):
                return

    def _search(self, session: Session, known: t.Mapping[str, Seen]) -> dict[str, Seen]:
        """Which syncs have a sequence here, with what is known of them."""
        names = {kick.name(sync): sync for sync in self.syncs}
        found = session.column(_POLLED, (BUCARDO_SCHEMA, list(names)))
        return {names[name]: known.get(names[name], Seen()) for name in found}


def look(session: Session, polled: t.Mapping[str, Seen]) -> list[str]:
    """Which syncs must be woken."""
    if not polled:
        return []
    # The first value of all is the one that a sequence shows before it gave any.
    values = session.rows(
        sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} AS sync, last_value + is_called::int AS value FROM {}").format(
                sql.Literal(sync), sql.Identifier(BUCARDO_SCHEMA, kick.name(sync))
            )
            for sync in polled
        )
    )
    now = {row["sync"]: int(row["value"]) for row in values}
    if not any(polled[sync].differs(value) for sync, value in now.items()):
        return []
    # A statement of its own, so that its snapshot is younger than the values.
    row = session.rows(_UNDER_WAY)[0]
    first = int(row["first"])
    under_way = UnderWay(frozenset(row["listed"]), range(first, first + int(row["more"])))
    return [sync for sync, value in now.items() if polled[sync].wakes(value, under_way)]

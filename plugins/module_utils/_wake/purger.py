# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Purges a master while much is written there, in a thread of its own.

Every run of the daemon joins all changes of the last 45 to 90 s with their marks several times, so
that above some hundred changes a second most of a run goes into what is over
(docs/decisions/purge.md). Bucardo's own process does the same later, and all that is left here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import typing as t

from .._common.errors import MultimasterError, StatementFailed
from .._common.names import TableName
from .._postgres import sql
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .._postgres.tables import BUCARDO_SCHEMA
from .._tracking import kick, purge
from .._tracking.plan import object_name, own_object

# Seconds from a write to the purge after it.
EVERY = 5.0
# Changes of a table from which on it is worth while.
MANY = 1000
# Bucardo's process may be at the same rows: who waits for the other ends at once, and it is not
# that one, which a deadlock would end.
_SETTINGS = """
SET lock_timeout = '100ms';
SET synchronous_commit = off;
SET enable_nestloop = off;
"""
_TABLES = """
SELECT c.oid, n.nspname AS schema, c.relname AS name
  FROM (SELECT DISTINCT tablename FROM bucardo.bucardo_delta_targets) t
  JOIN pg_catalog.pg_class c ON c.oid = t.tablename
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""
_NOTED = """
SELECT c.relname AS delta, pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS changes
  FROM pg_catalog.pg_class c
 WHERE c.relnamespace = pg_catalog.to_regnamespace(%s) AND c.relkind = 'r' AND c.relname = ANY (%s)
"""


@dataclasses.dataclass
class Count:
    """When one table is worth a purge.

    :param changes: that had been noted at the last purge.
    :param enough: further ones after which there is a next one.
    """

    changes: int = 0
    enough: int = MANY

    def is_due(self, changes: int) -> bool:
        """Whether so many changes that were noted in all are enough."""
        # The server counts from nothing again after a crash.
        return abs(changes - self.changes) >= self.enough

    def purged(self, changes: int, rows: int) -> None:
        """Where nothing could be purged, the next time more is awaited.

        :param rows: that were purged.
        """
        self.changes = changes
        self.enough = MANY if rows else 2 * self.enough


class Purger(threading.Thread):
    """One master.

    :param say: called with a line for people.
    """

    def __init__(self, conninfo: ConnInfo, say: t.Callable[[str], object]) -> None:
        super().__init__(daemon=True)
        self._conninfo, self._say = conninfo, say
        self._written, self._over = threading.Event(), threading.Event()
        self._failed = ""

    def written(self) -> None:
        """There were writes: purge in a while."""
        self._written.set()

    def stop(self) -> None:
        """Let it end soon."""
        self._over.set()
        self._written.set()

    def run(self) -> None:
        """Until it is stopped, whatever happens to the master."""
        while self._awaited():
            try:
                with Session(self._conninfo, kick.APPLICATION_NAME) as session:
                    session.execute_script(_SETTINGS)
                    self._purge_on(session)
            except MultimasterError as error:
                if error.message != self._failed:
                    self._say(f"not purged: {error.message}")
                self._failed = error.message
                self._over.wait(EVERY)

    def _awaited(self) -> bool:
        """Wait for writes; whether to go on."""
        self._written.wait()
        return not self._over.is_set()

    def _purge_on(self, session: Session) -> None:
        counts: dict[TableName, Count] = {}
        while self._awaited():
            self._written.clear()
            if self._over.wait(EVERY):
                return
            _purge(session, counts)
            self._failed = ""


def _purge(session: Session, counts: dict[TableName, Count]) -> None:
    oids = {TableName(row["schema"], row["name"]): row["oid"] for row in session.rows(_TABLES)}
    deltas = {object_name("delta_", name): name for name in oids}
    for row in session.rows(_NOTED, (BUCARDO_SCHEMA, list(deltas))):
        name, changes = deltas[row["delta"]], int(row["changes"])
        count = counts.setdefault(name, Count())
        if not count.is_due(changes):
            continue
        # Locked, or gone meanwhile; anything else is for Bucardo's process to say.
        with contextlib.suppress(StatementFailed):
            count.purged(changes, _purge_table(session, oids[name], name))


def _purge_table(session: Session, oid: int, name: TableName) -> int:
    """Purge one table, and say of how many transactions."""
    track = own_object("track_", name)
    # Without a mark a long queue would be read for nothing.
    if not session.value(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(track)):
        return 0
    return session.execute(purge.statement(oid, name))

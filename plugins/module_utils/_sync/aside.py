# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Sets tables of a sync aside while it replicates the others.

A table that is not in the sync's relgroup is not looked at by the daemon, but its triggers and its
registration stay on the masters: its changes queue there, and the purge leaves them alone, as
they have not been brought to the group. Put back, the table goes on where it was. Only the row of
bucardo.herdmap goes and comes; what hangs on the table in the control database (custom code, names
and columns of its own) stays.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._bucardo.control import Control
from .._bucardo.daemon_messages import Daemon
from .._bucardo.objects import Goat, Sync
from .._common.errors import DeadlineExceeded, Refused
from .._common.names import TableName
from .._common.text import listed

# Seconds for the daemon to confirm that it has read the syncs anew; it stops every run first.
RELOAD_TIMEOUT = 120.0


@dataclasses.dataclass(frozen=True)
class Change:
    """What is to be done (pure).

    :param goats: whose rows in the relgroup come or go.
    :param aside: tables of the sync that will be aside afterwards, of those that were named.
    """

    goats: tuple[Goat, ...]
    aside: tuple[TableName, ...]


def plan(sync: Sync, goats: t.Sequence[Goat], names: t.Sequence[TableName], aside: bool) -> Change:
    """Which tables come or go.

    :param goats: all that Bucardo knows.
    :raises Refused: when a table is none of the sync's, or none would be left in it.
    """
    members = [goat for goat in goats if sync.relgroup in goat.relgroups]
    db = members[0].db if members else ""
    known = {
        goat.name: goat for goat in goats if goat.reltype == "table" and (not db or goat.db == db)
    }
    strangers = [name for name in names if name not in known]
    if strangers:
        raise Refused(
            f"Bucardo knows no table {listed(strangers)} of sync {sync.name}",
            "Run the playbook bootstrap first, which enrols it.",
        )
    chosen = [known[name] for name in dict.fromkeys(names)]
    if not aside:
        return Change(tuple(g for g in chosen if sync.relgroup not in g.relgroups), ())
    leaving = tuple(goat for goat in chosen if sync.relgroup in goat.relgroups)
    if leaving and len(leaving) == len([g for g in members if g.reltype == "table"]):
        raise Refused(f"No table would be left in sync {sync.name}", "Hold the whole sync instead.")
    return Change(leaving, tuple(goat.name for goat in chosen))


def apply(control: Control, sync: Sync, change: Change, aside: bool) -> bool:
    """Do it, and have the daemon read the sync anew.

    It is told each time, also when nothing changes: an earlier run may have ended in between.

    :returns: whether a daemon confirmed it; False when none runs.
    :raises DeadlineExceeded: when a worker that knows the tables as they were does not end.
    """
    for goat in change.goats:
        params = {"herd": sync.relgroup, "goat": goat.id}
        if aside:
            control.write(
                "DELETE FROM bucardo.herdmap WHERE herd = %(herd)s AND goat = %(goat)s", params
            )
        else:
            control.write(
                "INSERT INTO bucardo.herdmap (herd, goat) VALUES (%(herd)s, %(goat)s)", params
            )
    if control.dry or sync.status == "inactive":
        return False
    began = control.session.value("SELECT pg_catalog.clock_timestamp()")
    if not Daemon(control.session).reload(RELOAD_TIMEOUT):
        return False
    _wait_for_older_workers(control, began)
    return True


def _wait_for_older_workers(control: Control, began: t.Any) -> None:
    """Workers are told to end, which takes as long as the statement that they are in."""
    until = time.monotonic() + RELOAD_TIMEOUT
    while control.session.value(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity"
        " WHERE datname = pg_catalog.current_database() AND backend_start < %s"
        "   AND application_name LIKE 'bucardo KID %%')",
        (began,),
    ):
        if time.monotonic() > until:
            raise DeadlineExceeded(
                f"A worker of Bucardo that was told to end goes on after {RELOAD_TIMEOUT:g} s",
                "See the daemon's log, then run again.",
            )
        time.sleep(0.2)

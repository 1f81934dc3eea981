# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The masters of a held sync: whether they may be caught up, and what of them.

Nobody else may bring rows meanwhile: no worker of Bucardo, no seed, no second catch-up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from .._bucardo.catalog import Catalog
from .._bucardo.objects import Goat, Sync
from .._bucardo.stillness import Stillness
from .._common.errors import DeadlineExceeded, Refused
from .._common.names import TableName
from .._common.text import listed
from .._ledger import ledger, release
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .._tracking import read as tracking_read
from .._tracking.queue import Queue
from . import plan

# Seconds for a worker of Bucardo to end, which was told so when the sync was held.
_WORKER_TIMEOUT = 60.0


class Unsuitable(Refused):
    """These are no masters of each other: Bucardo itself must bring what waits."""


@dataclasses.dataclass
class Group:
    """A held sync and a session to each of its masters.

    :param conninfos: by master, for further sessions.
    """

    control: Catalog
    sync: Sync
    conninfos: t.Mapping[str, ConnInfo]
    sessions: t.Mapping[str, Session]
    goats: t.Sequence[Goat]

    @property
    def queues(self) -> list[Queue]:
        """What waits on each master.

        Not of the tables that the masters have registered: Bucardo's validation forgets one that
        was set aside, and knows it again only when the sync is released.
        """
        tables = [goat.name for goat in self.goats]
        return [
            Queue(name, session, self.sync.key, tables) for name, session in self.sessions.items()
        ]

    def members(self) -> release.Members:
        """What the ledgers of the masters are worth."""
        return release.Members(
            self.control.session,
            self.sessions,
            self.sync.key,
            self.goats[0].db,
            [goat.name for goat in self.goats],
        )

    @contextlib.contextmanager
    def without_seeds(self) -> t.Iterator[None]:
        """Keep seeds of all masters away, as long as the sessions live.

        :raises Refused: when one is at work.
        """
        for name, session in self.sessions.items():
            if not ledger.lock(session):
                raise Refused(f"A seed of {name} is at work", "Wait until it has ended.")
        yield

    def wait_for_workers(self) -> None:
        """Until nothing of Bucardo works on this sync any more.

        The statement of a worker that was killed goes on until its end on the server.

        :raises DeadlineExceeded: when something stays.
        """
        still = Stillness(self.control.session, self.sessions, self.sync.name)
        until = time.monotonic() + _WORKER_TIMEOUT
        while moving := still.moving():
            if time.monotonic() > until:
                raise DeadlineExceeded(
                    f"Sync {self.sync.name} is held, but {listed(moving)}",
                    "Restart the daemon with bucardo_daemon (state: restarted), then run again.",
                )
            time.sleep(0.2)

    def special(self) -> plan.Special:
        """What the control database wants for some tables."""
        control = self.control
        return plan.Special(
            names=control.overrides("customname"),
            columns=control.overrides("customcols"),
            codes=list(control.customcodes().values()),
            makedelta=control.makes_delta(self.sync.dbgroup),
        )

    def sides(self) -> dict[TableName, dict[str, plan.Side | None]]:
        """The sync's tables as every master has them."""
        found: dict[TableName, dict[str, plan.Side | None]] = {
            goat.name: dict.fromkeys(self.sessions) for goat in self.goats
        }
        for master, session in self.sessions.items():
            enrolled = tracking_read.read(session, found)
            targets = _collected(
                session, "SELECT tablename::bigint AS k, target AS v FROM {}bucardo_delta_targets"
            )
            syncs = _collected(
                session,
                "SELECT pg_catalog.to_regclass(tablename)::oid::bigint AS k, sync AS v"
                " FROM {}bucardo_delta_names",
            )
            for table in read_tables(session):
                if table.name in found and table.name in enrolled:
                    found[table.name][master] = plan.Side(
                        table=table,
                        found=enrolled[table.name],
                        targets=frozenset(targets.get(table.oid, ())),
                        syncs=frozenset(syncs.get(table.oid, ())),
                        width=table.bytes // table.rows if table.rows > 0 else 0,
                    )
        return found


def _collected(session: Session, query: str) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for row in session.rows(query.format("bucardo.")):
        found.setdefault(row["k"], set()).add(row["v"])
    return found


def open_group(
    stack: contextlib.ExitStack, control: Catalog, logins: t.Mapping[str, ConnInfo], sync: Sync
) -> Group:
    """The masters of a sync; sessions are closed by the stack.

    :raises Unsuitable: when these are no masters of each other.
    """
    group = control.dbgroups().get(sync.dbgroup)
    databases = control.databases()
    members = dict(group.members) if group else {}
    for member, role in members.items():
        if role != "source" or databases[member].dbtype != "postgres":
            raise Unsuitable(
                f"{member} is a {role} of dbgroup {sync.dbgroup}",
                "Only masters of each other can be caught up: release the sync.",
            )
        if databases[member].status == "inactive":
            raise Unsuitable(
                f"Database {member} is inactive",
                "Wait for it, or let it leave the dbgroup (bucardo_dbgroup).",
            )
    conninfos = {one: control.login(one, logins) for one in sorted(members)}
    return Group(
        control=control,
        sync=sync,
        conninfos=conninfos,
        sessions={one: stack.enter_context(Session(info)) for one, info in conninfos.items()},
        goats=[goat for goat in control.goats(sync.relgroup) if goat.reltype == "table"],
    )


def refuse_active(sync: Sync) -> None:
    """:raises Refused: while Bucardo itself may bring rows."""
    if sync.status != "inactive":
        raise Refused(
            f"Sync {sync.name} is not held: Bucardo itself brings over what waits",
            "Run the playbook multimaster.bucardo.catch_up, which holds it first.",
        )

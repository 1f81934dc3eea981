# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes masters out of a sync while the others go on.

A sync runs only while all of its masters answer: one that is gone stops those that are there. So
its membership is ended, nothing more; what is on the master itself is for others to remove.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._bucardo import halt, statements
from .._bucardo.objects import Goat, Sync, strategy_among
from .._bucardo.statements import Statement
from .._bucardo.writes import Control
from .._common.change import Change, Scope
from .._common.errors import ConnectionFailed, Refused
from .._common.text import listed
from .._ledger import membership, sightings
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .._tracking.queue import Pending, Queue
from . import missing, survivors

# Seconds to wait for a master that is said to be lost.
_KNOCK = "3"

# A relation may be known twice: as the lost origin's, and as the new one's for another sync.
_TWINS = """
UPDATE bucardo.herdmap h SET goat = twin.id
  FROM bucardo.goat g
  JOIN bucardo.goat twin ON twin.db = %(origin)s AND twin.schemaname = g.schemaname
   AND twin.tablename = g.tablename AND twin.reltype = g.reltype
 WHERE h.herd = %(relgroup)s AND h.goat = g.id AND g.db = %(former)s
"""
_GOATS = """
UPDATE bucardo.goat g SET db = %(origin)s
  FROM bucardo.herdmap h
 WHERE h.herd = %(relgroup)s AND h.goat = g.id AND g.db = %(former)s
"""
_NOBODYS = """
DELETE FROM bucardo.goat g WHERE g.db = %(former)s
   AND NOT EXISTS (SELECT 1 FROM bucardo.herdmap h WHERE h.goat = g.id)
"""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Who leaves what.

    :param lost: they do not answer and are not waited for.
    :param origin: who becomes the origin when one of them was, "" for whom is doubted least.
    """

    sync: str
    masters: tuple[str, ...]
    lost: bool
    origin: str = ""

    def leaving(self, members: t.Iterable[str]) -> list[str]:
        """Those that are members still."""
        return [name for name in members if name in self.masters]

    def remaining(self, members: t.Iterable[str]) -> list[str]:
        """The others."""
        return [name for name in members if name not in self.masters]


@dataclasses.dataclass
class Group:
    """The sync's group of masters as the control database has it."""

    sync: Sync
    members: t.Mapping[str, str]
    former: str
    goats: t.Sequence[Goat]

    @property
    def tables(self) -> list[Goat]:
        """The relations that are tables."""
        return [goat for goat in self.goats if goat.reltype == "table"]


class Removal:
    """What is to be done, and how.

    :param piddir: where the daemon of this host keeps the files of its processes.
    :param reload: seconds for the daemon to confirm that it goes on without a master that leaves.
    """

    def __init__(
        self,
        control: Control,
        logins: t.Mapping[str, ConnInfo],
        wanted: Wanted,
        piddir: str,
        reload: float,
    ) -> None:
        self.control = control
        self.logins = logins
        self.wanted = wanted
        self.piddir = piddir
        self.reload = reload
        self._sessions: dict[str, Session] = {}

    def plan(self, scope: Scope) -> Change:
        """Look, and refuse before anything is changed."""
        sync = self.control.sync(self.wanted.sync)
        values: dict[str, t.Any] = {"remaining": [], "origin": "", "missing": {}, "text": ""}
        if sync is None:
            return Change(values=values)
        goats = self.control.goats(sync.relgroup)
        members = self.control.dbgroups()[sync.dbgroup].members
        group = Group(sync, members, goats[0].db if goats else "", goats)
        leaving, remaining = self.wanted.leaving(members), self.wanted.remaining(members)
        values.update(remaining=remaining, origin=group.former)
        if not leaving:
            return Change(values=values)
        if not remaining:
            raise Refused(
                f"No master of sync {sync.name} would remain",
                "Name only those that leave; the playbook multimaster.bucardo.teardown ends it.",
            )
        for name in leaving if self.wanted.lost else ():
            self._knock(name)
        self._sessions = {name: self._open(scope, name) for name in remaining}
        origin, standing = self._origin(group, remaining)
        values["origin"] = origin
        if self.wanted.lost:
            waiting = self._waiting(group)
            said = missing.read(self.control.session, sync.name, leaving, waiting)
            values.update(missing=said.shown(), text=said.text(remaining))
        return Change(
            changed=True,
            before={"members": sorted(group.members), "origin": group.former},
            after={"members": sorted(remaining), "origin": origin},
            values=values,
            commands=self.control.shown(self._writes(group, origin)),
            work=lambda change: self._work(change, group, origin, standing),
        )

    # -- looks --------------------------------------------------------------------------------

    def _knock(self, name: str) -> None:
        """:raises Refused: when somebody opens."""
        conninfo = self.control.login(name, self.logins)
        with contextlib.suppress(ConnectionFailed):
            with Session(conninfo.with_params(connect_timeout=_KNOCK)):
                pass
            raise Refused(
                f"{name} is said to be lost, but answers",
                f"Take it out with -e multimaster_remove_master={name}, which brings its changes to"
                " the others first; or, if it must not be used any more, stop its server first.",
            )

    def _open(self, scope: Scope, name: str) -> Session:
        conninfo = self.control.login(name, self.logins)
        try:
            return scope.enter_context(Session(conninfo))
        except ConnectionFailed as error:
            raise ConnectionFailed(
                error.message,
                f"{error.cure} If it is lost as well, name it with the other one.",
            ) from error

    def _origin(
        self, group: Group, remaining: t.Sequence[str]
    ) -> tuple[str, list[survivors.Survivor]]:
        """Who is the origin afterwards, and the ledgers if somebody else becomes it."""
        wanted = self.wanted
        if group.former not in wanted.masters:
            return group.former, []
        if wanted.origin and wanted.origin not in remaining:
            raise Refused(
                f"{wanted.origin} cannot become the origin in the place of {group.former}",
                f"Name one of those that remain: {listed(remaining)}.",
            )
        if not wanted.lost and len(remaining) > 1:
            raise Refused(
                f"{group.former} is the origin of sync {wanted.sync}",
                "Let another master become the origin first, with bucardo_origin.",
            )
        tables = [goat.name for goat in group.tables]
        epochs = membership.epochs(self.control.session, group.sync.dbgroup)
        standing = survivors.read(self._sessions, epochs, tables)
        return wanted.origin or survivors.best(standing, tables), standing

    def _waiting(self, group: Group) -> dict[str, list[Pending]]:
        found = {}
        for name, session in self._sessions.items():
            queue = Queue(name, session, group.sync.key)
            found[name] = queue.pending()
        return found

    # -- work ---------------------------------------------------------------------------------

    def _work(
        self, change: Change, group: Group, origin: str, standing: list[survivors.Survivor]
    ) -> None:
        if self.wanted.lost:
            # Workers that wait for the lost master cannot be talked to.
            halt.end(self.control.session, self.piddir)
        if standing:
            doubted = survivors.readdress(standing, origin, group.sync.dbgroup)
            if doubted:
                counted = listed(f"{count} tables of {name}" for name, count in doubted.items())
                change.warnings.append(
                    f"Nobody vouches for {counted}; the next bootstrap compares them with {origin}."
                )
        # Before, so that a run that ends in between has given it as well.
        sightings.renew(self.control.session, group.sync.dbgroup, self._sessions)
        self.control.execute(self._writes(group, origin))
        if not self.wanted.lost and len(self.wanted.remaining(group.members)) > 1:
            self.control.daemon.reload(self.reload)

    def _writes(self, group: Group, origin: str) -> statements.Writes:
        """In one transaction: a group without its origin's tables would be nobody's."""
        values = {"relgroup": group.sync.relgroup, "former": group.former, "origin": origin}
        found: list[Statement] = []
        if origin != group.former:
            # Not the trigger that logs in to the database for each table.
            found.append(statements.WITHOUT_TRIGGERS)
            found += [Statement(query, values) for query in (_TWINS, _GOATS, _NOBODYS)]
            found.append(statements.WITH_TRIGGERS)
        leaves = Statement(
            "DELETE FROM bucardo.dbmap WHERE dbgroup = %(dbgroup)s AND db = ANY(%(dbs)s)",
            {"dbgroup": group.sync.dbgroup, "dbs": list(self.wanted.masters)},
        )
        name, remaining = group.sync.name, self.wanted.remaining(group.members)
        # Where nobody is left to replicate with.
        alone = statements.held(name) if len(remaining) < 2 else []
        return [*found, *alone, *_precedence(group.sync, remaining), leaves]


def _precedence(sync: Sync, remaining: t.Sequence[str]) -> statements.Writes:
    """Nobody who leaves may be left in an order of precedence."""
    has = str(sync.options.get("conflict_strategy") or "")
    fitting = strategy_among(has, remaining)
    if not has or fitting == has:
        return []
    # Without the trigger that logs in to all databases, one of which may be lost.
    changed = statements.sync(sync.name, {"conflict_strategy": fitting}, new=False)
    return [statements.WITHOUT_TRIGGERS, *changed, statements.WITH_TRIGGERS]

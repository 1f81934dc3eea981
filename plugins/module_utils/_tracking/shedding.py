# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sheds a table on one master, in an order that a run may end in anywhere; and takes it back.

The daemon must not know the table any more when its first change is not noted: what it then brought
to this master would overwrite rows of which nobody else knows. A worker that waits for the master
that is away cannot be talked to, so the daemon's processes are ended; it is started without the
table, or leaves the whole sync out until that master is back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._bucardo import halt, statements
from .._bucardo.objects import Goat, Sync, SyncTables
from .._bucardo.writes import Control
from .._common.change import Change
from .._common.errors import ConnectionFailed, Refused
from .._common.names import TableName
from .._common.text import listed, size
from .._ledger import ledger, release
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from . import shed, vouching
from .queue import Queue


@dataclasses.dataclass(frozen=True)
class Shedding:
    """One table on one master.

    :param sessions: to all masters of the sync that answer, by name; the others are away.
    :param piddir: where the daemon of this host keeps the files of its processes.
    """

    control: Control
    sync: Sync
    master: str
    table: TableName
    sessions: t.Mapping[str, Session]
    piddir: str

    def check(self) -> None:
        """:raises Refused: when that is not to be done."""
        sources = self.control.dbgroups()[self.sync.dbgroup].sources
        if self.master not in sources:
            raise Refused(
                f"{self.master} is no master of sync {self.sync.name}",
                f"Name one of {', '.join(sources)}.",
            )
        if self.master not in self.sessions:
            raise Refused(
                f"{self.master} cannot be reached, so nothing can be shed on it",
                "Name the master whose disk fills.",
            )
        if len(self.sessions) == len(sources):
            raise Refused(
                f"All masters of sync {self.sync.name} answer, so {self.table} needs not be shed",
                "See why changes wait, with the playbook status.",
            )
        goat, members = self._goat()
        if goat in members and len(members) == 1:
            raise Refused(
                f"{self.table} is the last table of sync {self.sync.name}",
                "Take the master that is away out, with the playbook remove_master.",
            )
        shed.check(self._session, self.master, self.sync.name, self.table)

    def work(self, changes: int, bytes_: int) -> str:
        """Do it, or go on where an earlier run ended; says what was done.

        :param changes: how many wait, and `bytes_` what they take.
        """
        shed.note(self._session, self.sync.name, self.table, changes, bytes_)
        for session in self.sessions.values():
            ledger.distrust(session, {self.table})
        goat, members = self._goat()
        if goat in members:
            self.control.execute(statements.set_aside(self.sync.relgroup, [goat.id]))
        if not self._told():
            halt.end(self.control.session, self.piddir)
            shed.note_told(self._session, self.sync.name, self.table)
        triggers = shed.drop(self._session, self.sync.name, self.table)
        return (
            f"shed {self.table} on {self.master}, {changes} changes of {size(bytes_)}: dropped"
            f" {', '.join(triggers) or 'no trigger'}"
        )

    def _told(self) -> bool:
        """A table that is in use for hours, as by a dump, must not end the daemon at each look."""
        marks = shed.read(self._session, self.sync.name)
        return any(mark.told for mark in marks if mark.table == self.table)

    def undo(self) -> str:
        """Take back what a run had begun that ended before the triggers went: nothing is lost."""
        goat, members = self._goat()
        if goat not in members:
            self.control.execute(statements.put_back(self.sync.relgroup, [goat.id]))
        shed.forget(self._session, self.sync.name, [self.table])
        return f"{self.table} on {self.master} is not shed: all masters are back"

    @property
    def _session(self) -> Session:
        return self.sessions[self.master]

    def _goat(self) -> tuple[Goat, tuple[Goat, ...]]:
        """What Bucardo knows of the table, and the tables that it replicates."""
        tables = SyncTables.of(self.sync.relgroup, self.control.goats())
        if self.table in tables.known:
            return tables.known[self.table], tables.members
        raise Refused(
            f"Bucardo knows no table {self.table} of sync {self.sync.name}",
            "Name one that it replicates.",
        )


def open_masters(
    stack: contextlib.ExitStack,
    control: Control,
    dbgroup: str,
    logins: t.Mapping[str, ConnInfo],
    only_reachable: bool,
) -> dict[str, Session]:
    """Sessions to the masters of a group, by name.

    :param logins: connection options by name; others are reached as Bucardo does.
    :param only_reachable: whether one that cannot be reached is left out.
    :raises ConnectionFailed: for such a one, otherwise.
    """
    found = {}
    for name in control.dbgroups()[dbgroup].sources:
        with contextlib.suppress(*([ConnectionFailed] if only_reachable else [])):
            login = control.login(name, logins)
            found[name] = stack.enter_context(Session(login))
    return found


def plan(one: Shedding) -> Change:
    """Shed a table, as somebody says.

    :raises Refused: as `Shedding.check`.
    """
    there = one.sessions.get(one.master)
    marks = {mark.table: mark for mark in shed.read(there, one.sync.name)} if there else {}
    mark = marks.get(one.table)
    change = Change(values={"tables": [str(one.table)], "restart_required": False})
    if mark is not None and mark.done:
        return change
    one.check()
    session = one.sessions[one.master]
    pending = Queue(one.master, session, one.sync.key).pending(tables=[one.table])
    changes = sum(found.changes for found in pending)
    bytes_ = shed.sizes(session, pending).get(one.table, 0)

    def work(change: Change) -> None:
        change.values["text"] = one.work(changes, bytes_)

    change.changed = True
    change.before = {"queued": [str(one.table)]}
    change.after = {"queued": []}
    change.values["restart_required"] = True
    change.disturbs = [
        "the daemon ends and must be started",
        f"{one.master}: who uses {one.table} waits for moments",
    ]
    change.warnings = [
        f"{changes} changes of {one.table} on {one.master} are dropped, and none is noted any more"
        " until the playbook reseed has made the table new."
    ]
    change.work = work
    return change


def plan_over(
    control: Control,
    sync: Sync,
    sessions: t.Mapping[str, Session],
    tables: t.Sequence[TableName],
) -> Change:
    """Take the marks off tables that are new on all masters.

    :raises Refused: when a master may lack rows of one.
    """
    marked = {
        name: [one.table for one in shed.read(session, sync.name) if one.table in tables]
        for name, session in sessions.items()
    }
    names = sorted({table for some in marked.values() for table in some})

    def work(_change: Change) -> None:
        _check_new(control, sync, sessions, names)
        for name, session in sessions.items():
            shed.forget(session, sync.name, marked[name])

    return Change(
        changed=bool(names),
        before={"shed": [str(name) for name in names]},
        after={"shed": []},
        values={"tables": [str(name) for name in names], "restart_required": False},
        work=work,
    )


def _check_new(
    control: Control, sync: Sync, sessions: t.Mapping[str, Session], names: t.Sequence[TableName]
) -> None:
    origins = {goat.db for goat in control.goats(sync.relgroup)}
    members = release.Members(control.session, sessions, sync.key, min(origins), names)
    lacking = {name: list(some) for name, some in members.doubts().items()}
    for name, session in sessions.items():
        lacking.setdefault(name, []).extend(vouching.missed(session, names, sync.name))
    wrong = [f"{listed(sorted(set(some)))} on {name}" for name, some in lacking.items() if some]
    if wrong:
        raise Refused(
            f"Not made new yet: {'; '.join(wrong)}",
            "Run the playbook reseed, which does that first.",
        )

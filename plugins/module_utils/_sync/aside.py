# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets tables of a sync aside while it replicates the others.

A table that is not in the sync's relgroup is not looked at by the daemon, but its triggers and its
registration stay on the masters: its changes queue there, and the purge leaves them alone, as
they have not been brought to the group. Put back, the table goes on where it was. Only the row of
bucardo.herdmap goes and comes; what hangs on the table in the control database (custom code, names
and columns of its own) stays. Triggers that are missing, as of a table that was shed, can be made
meanwhile, so that a copy that follows lacks nothing.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._bucardo import statements
from .._bucardo.daemon_state import RUNS_END
from .._bucardo.objects import Goat, Sync, SyncTables
from .._bucardo.writes import Control
from .._common.change import Change, Scope
from .._common.errors import DeadlineExceeded, Refused
from .._common.names import TableName
from .._common.text import listed
from .._postgres.conninfo import ConnInfo
from .._tracking import plan as tracking_plan
from .enrol import Enrolment
from .keeper import RELOAD_TIMEOUT, Keeper, Terms


@dataclasses.dataclass(frozen=True)
class Moving:
    """What is to be done (pure).

    :param goats: whose rows in the relgroup come or go.
    :param aside: tables of the sync that will be aside afterwards, of those that were named.
    """

    goats: tuple[Goat, ...]
    aside: tuple[TableName, ...]


def moving(
    sync: Sync, goats: t.Sequence[Goat], names: t.Sequence[TableName], aside: bool
) -> Moving:
    """Which tables come or go.

    :param goats: all that Bucardo knows.
    :raises Refused: when a table is none of the sync's, or none would be left in it.
    """
    tables = SyncTables.of(sync.relgroup, goats)
    strangers = [name for name in names if name not in tables.known]
    if strangers:
        raise Refused(
            f"Bucardo knows no table {listed(strangers)} of sync {sync.name}",
            "Run the playbook bootstrap first, which enrols it.",
        )
    chosen = [tables.known[name] for name in dict.fromkeys(names)]
    if not aside:
        return Moving(tuple(g for g in chosen if sync.relgroup not in g.relgroups), ())
    leaving = tuple(goat for goat in chosen if sync.relgroup in goat.relgroups)
    if leaving and len(leaving) == len(tables.members):
        raise Refused(f"No table would be left in sync {sync.name}", "Hold the whole sync instead.")
    return Moving(leaving, tuple(goat.name for goat in chosen))


class Enrolling:
    """Makes what tables that are aside lack on the masters, and no other table.

    :param logins: connection options of masters by name; for others the control database's own
        are used.
    """

    def __init__(
        self,
        control: Control,
        scope: Scope,
        logins: t.Mapping[str, ConnInfo],
        sync: Sync,
        names: t.Collection[TableName],
    ) -> None:
        keeper = Keeper(control, scope, logins, Terms())
        masters = keeper.masters(control.dbgroups()[sync.dbgroup], [])
        autokick = bool(sync.options.get("autokick", True))
        self._enrolment = Enrolment(control, masters, sync.key, sync.relgroup, autokick)
        tables = SyncTables.of(sync.relgroup, control.goats())
        # All of the sync's tables say what becomes of a TRUNCATE.
        goats = [
            goat for goat in tables.known.values() if goat in tables.members or goat.name in names
        ]
        self._needed: dict[str, tracking_plan.Needs] = {}
        for master, need in self._enrolment.needs(goats).items():
            mine = tuple(one for one in need.tables if one.table.name in names)
            self._needed[master] = dataclasses.replace(need, tables=mine)

    @property
    def tables(self) -> list[str]:
        """What is made, by table and master."""
        return sorted(
            f"{one.table.name} on {master}"
            for master, need in self._needed.items()
            for one in need.tables
        )

    def commands(self) -> list[str]:
        """The same as statements."""
        return [
            line
            for master, need in self._needed.items()
            if need.tables
            for line in self._enrolment.commands(master, need)
        ]

    def work(self) -> None:
        """Make it."""
        if self.tables:
            self._enrolment.enrol(self._needed)


def plan(
    control: Control,
    name: str,
    tables: t.Iterable[str],
    aside: bool,
    enrolling: t.Callable[[Sync, t.Collection[TableName]], Enrolling] | None = None,
) -> Change:
    """What it takes until tables are set aside, or are back.

    :param enrolling: makes what tables lack that are aside.
    :raises Refused: as `moving`, or when there is no such sync.
    """
    names = [TableName.parse(table) for table in tables]
    sync = control.sync(name)
    if sync is None:
        raise Refused(f"There is no sync {name!r}", "Run the playbook bootstrap.")
    found = moving(sync, control.goats(), names, aside)
    ids = [goat.id for goat in found.goats]
    build = statements.set_aside if aside else statements.put_back
    writes = build(sync.relgroup, ids)
    runs = sync.status != "inactive"
    enrolled = enrolling(sync, set(names)) if enrolling else None

    def work(change: Change) -> None:
        control.execute(writes)
        if runs:
            change.values["reloaded"] = _reload(control)
        if enrolled:
            enrolled.work()

    changed = [str(goat.name) for goat in found.goats]
    return Change(
        changed=bool(changed or (enrolled and enrolled.tables)),
        before={"replicated": changed if aside else []},
        after={"replicated": [] if aside else changed},
        disturbs=[RUNS_END] if changed and runs else [],
        values={
            "aside": [str(one) for one in found.aside],
            "reloaded": False,
            **({"enrolled": enrolled.tables} if enrolled else {}),
        },
        commands=[*control.shown(writes), *(enrolled.commands() if enrolled else ())],
        work=work,
        # The daemon is told each time: an earlier run may have ended in between.
        always=runs,
    )


def _reload(control: Control) -> bool:
    """Have the daemon read the sync anew.

    :returns: whether a daemon confirmed it; False when none runs.
    :raises DeadlineExceeded: when a worker that knows the tables as they were does not end.
    """
    began = control.clock()
    if not control.daemon.reload(RELOAD_TIMEOUT):
        return False
    # Workers are told to end, which takes as long as the statement that they are in.
    until = time.monotonic() + RELOAD_TIMEOUT
    while control.has_older_worker(began):
        if time.monotonic() > until:
            raise DeadlineExceeded(
                f"A worker of Bucardo that was told to end goes on after {RELOAD_TIMEOUT:g} s",
                "See the daemon's log, then run again.",
            )
        time.sleep(0.2)
    return True

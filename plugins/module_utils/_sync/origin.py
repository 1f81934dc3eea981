# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes another master of a running sync the origin: the one that further masters are seeded from.

Between masters that replicate nothing but words changes. The tables of the relgroup become the
new origin's (bucardo.goat), and the ledgers speak of it: what was proven against the former origin
is as good as proven against a master that was proven against it in the same membership.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo import statements
from .._bucardo.daemon_state import RUNS_END
from .._bucardo.objects import Goat, Sync
from .._bucardo.writes import Control
from .._common.change import Change, Scope
from .._common.errors import Refused
from .._common.text import listed
from .._ledger import ledger, membership, release, states
from .._postgres import pg
from .._postgres.conninfo import ConnInfo
from .._tracking.queue import Queue
from .keeper import RELOAD_TIMEOUT

_CURE = "Leave {former} as the origin until all masters are seeded and the sync replicates."


def plan(
    control: Control, scope: Scope, logins: t.Mapping[str, ConnInfo], name: str, origin: str
) -> Change:
    """What it takes until a master is the origin; nothing where there is no such sync.

    :param logins: connection options of masters by name.
    :raises Refused: when not every master is known to hold all rows.
    """
    sync = control.sync(name)
    goats = control.goats(sync.relgroup) if sync else []
    former = goats[0].db if goats else origin
    change = Change(
        before={"origin": former},
        after={"origin": origin},
        values={"former": former, "origin": origin, "reloaded": False},
    )
    if sync is None or former == origin:
        return change
    _check(control, sync, goats, former, origin)
    _require_daemon(control, name, former, origin)
    sessions = {
        one: scope.enter_context(pg.Session(control.login(one, logins)))
        for one in control.dbgroups()[sync.dbgroup].sources
    }
    tables = [goat.name for goat in goats if goat.reltype == "table"]
    members, moved = (
        release.Members(control.session, sessions, sync.key, one, tables)
        for one in (former, origin)
    )
    members.foresee(True)
    _check_ledgers(members, moved)
    moving = [*goats, *_aside(control, sessions[former], sync, former, origin)]
    writes = statements.moved_goats([goat.id for goat in moving], origin)

    def work(change: Change) -> None:
        members.settle()
        _readdress(members, moved)
        control.execute(writes)
        epoch = members.standings[origin].epoch or ""
        membership.note(sessions[origin], sync.dbgroup, membership.Membership(epoch, True))
        change.values["reloaded"] = control.daemon.reload(RELOAD_TIMEOUT)

    change.changed = True
    change.disturbs = [RUNS_END]
    change.commands = control.shown(writes)
    change.work = work
    return change


def _aside(
    control: Control, session: pg.Session, sync: Sync, former: str, origin: str
) -> list[Goat]:
    """Tables of the sync that are set aside: in no relgroup, but their changes are kept for it."""
    goats = [goat for goat in control.goats() if goat.reltype == "table"]
    known = {goat.name for goat in goats if goat.db == origin}
    nobodys = [goat for goat in goats if goat.db == former and not goat.relgroups]
    kept = Queue(former, session, sync.key).kept({goat.name for goat in nobodys} - known)
    return [goat for goat in nobodys if goat.name in kept]


def _require_daemon(control: Control, name: str, former: str, origin: str) -> None:
    if control.daemon.pid() is None or not control.daemon.runs(name):
        raise Refused(
            f"Bucardo does not run sync {name}, so {origin} cannot become the origin in the place"
            f" of {former}",
            "Start the daemon, with the former origin in the inventory, and run again.",
        )


def _check(control: Control, sync: Sync, goats: t.Sequence[Goat], former: str, origin: str) -> None:
    sources = control.dbgroups()[sync.dbgroup].sources
    for one in (former, origin):
        if one not in sources:
            raise Refused(
                f"{one} is no master of sync {sync.name}, so the origin cannot move from {former}"
                f" to {origin}",
                _CURE.format(former=former),
            )
    if sync.status == "inactive":
        raise Refused(
            f"Sync {sync.name} is held, so the origin cannot move from {former} to {origin}",
            _CURE.format(former=former),
        )
    shared = [goat for goat in goats if goat.relgroups != (sync.relgroup,)]
    known = {(goat.name, goat.reltype) for goat in control.goats() if goat.db == origin}
    shared = shared or [goat for goat in goats if (goat.name, goat.reltype) in known]
    if shared:
        raise Refused(
            f"{listed(goat.name for goat in shared)}: in other relgroups as well, so the origin of"
            f" sync {sync.name} cannot move from {former} to {origin}",
            f"Leave {former} as the origin.",
        )


def _check_ledgers(members: release.Members, moved: release.Members) -> None:
    """The new origin must hold the former one's rows, the others those of either."""
    after = moved.doubts()
    wrong = {
        master: doubts
        for master, doubts in members.doubts().items()
        if master == moved.origin or master in after
    }
    for master, doubts in wrong.items():
        raise Refused(
            f"{master} may lack rows of {members.origin}, so the origin cannot move to"
            f" {moved.origin}: {listed(doubts)} {next(iter(doubts.values()))}",
            _CURE.format(former=members.origin),
        )


def _readdress(members: release.Members, moved: release.Members) -> None:
    """Let all ledgers speak of the new origin. A run that was killed in here finds the ledgers of
    some masters as they shall be, and goes on."""
    for name, standing in moved.standings.items():
        # Read before epochs were settled.
        standing.epoch = members.standings[name].epoch
        standing.entries = members.standings[name].entries
    for standing in moved.copies:
        today = moved.today(standing)
        known = [
            dataclasses.replace(
                entry, source=today.source, source_oid=today.source_oids[entry.name]
            )
            for entry in standing.entries.values()
            if entry.name in today.source_oids
            and entry.epoch == standing.epoch
            and standing.name != members.origin
        ]
        with standing.session.transaction():
            if known:
                ledger.readdress(standing.session, known)
            membership.note(
                standing.session,
                members.key.dbgroup,
                membership.Membership(standing.epoch or "", False),
            )
    moved.vouch(states.AS_ORIGIN, {members.origin})

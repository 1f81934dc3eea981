# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the targets' ledgers are worth, once all masters were read (pure)."""

from __future__ import annotations

import dataclasses

from .._ledger.doubts import Today, doubt
from .._ledger.states import COPYING, SEEDED
from .facts import Database, Facts, SurveyedMaster


def judge(facts: Facts) -> Facts:
    """The facts with `ledger`, `doubts` and `filled` of the targets' databases as they count.

    Where the origin of the inventory is not the sync's, the masters are judged by the latter, and
    it counts as seeded where the new one is.
    """
    origins = [master for master in facts.masters if master.origin]
    origin = origins[0] if len(origins) == 1 else None
    if origin is None or origin.database is None or origin.database.seed is None:
        return facts
    former = _former(facts, origin)
    why_not = _why_not(facts, former, origin) if former else ""
    moves = former is not None and not why_not
    masters = []
    for master in facts.masters:
        if master is not origin and master.database and master.database.seed:
            database = _judged(master.database, origin.database)
            if moves and former and former.database:
                database = (
                    _as_origin(master.database)
                    if master is former
                    else _better(database, _judged(master.database, former.database))
                )
            master = dataclasses.replace(master, database=database)
        masters.append(master)
    return dataclasses.replace(
        facts,
        masters=tuple(masters),
        former_origin=former.name if former else "",
        origin_stays=why_not,
    )


def _former(facts: Facts, origin: SurveyedMaster) -> SurveyedMaster | None:
    """The sync's origin, where that is another of the masters."""
    control = facts.control
    sync = control.syncs.get(facts.wanted.sync) if control else None
    if control is None or sync is None:
        return None
    names = {goat.db for goat in control.goats if sync.relgroup in goat.relgroups}
    return next((m for m in facts.masters if m.name in names and m is not origin), None)


def _why_not(facts: Facts, former: SurveyedMaster, origin: SurveyedMaster) -> str:
    """Why the origin cannot move, "" when it can."""
    control = facts.control
    sync = control.syncs[facts.wanted.sync] if control else None
    if control is None or sync is None or former.database is None or origin.database is None:
        return f"{former.name} cannot be read"
    group = control.dbgroups.get(sync.dbgroup)
    if group is None or origin.name not in group.sources:
        return f"{origin.name} is no master of the sync"
    if sync.status == "inactive":
        return "the sync is held"
    names = {goat.name for goat in control.goats if sync.relgroup in goat.relgroups}
    seeded = _judged(origin.database, former.database).ledger or {}
    missing = sorted(name for name in names if seeded.get(name) != SEEDED)
    if missing:
        return f"{len(missing)} tables of {origin.name}, as {missing[0]}, are not known to be whole"
    return ""


def _judged(target: Database, origin: Database) -> Database:
    seed, source = target.seed, origin.seed
    if seed is None or source is None:
        return target
    today = Today(
        source.identity, {table.name: table.oid for table in origin.tables}, seed.place, seed.epoch
    )
    doubts = {name: doubt(entry, today) for name, entry in seed.entries.items()}
    doubts = {name: why for name, why in doubts.items() if why}
    ledger = None
    if seed.entries:
        # What is half copied is ours to remove; of the others that are in doubt the rows count.
        ledger = {
            name: entry.state
            for name, entry in seed.entries.items()
            if name not in doubts or entry.state == COPYING
        }
    known = {table.name for table in target.tables}
    suspect = {name for name in doubts if name in known and name not in (ledger or ())}
    suspect -= {name for name in suspect if seed.entries[name].rows == 0}
    return dataclasses.replace(target, ledger=ledger, doubts=doubts, filled=target.filled | suspect)


def _as_origin(target: Database) -> Database:
    """Its rows are the others'."""
    ledger = {table.name: SEEDED for table in target.tables}
    return dataclasses.replace(target, ledger=ledger, doubts={}, filled=frozenset())


def _better(one: Database, other: Database) -> Database:
    return other if len(other.doubts) < len(one.doubts) else one

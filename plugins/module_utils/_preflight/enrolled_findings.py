# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight has to say about tables that are enrolled already (pure)."""

from __future__ import annotations

import typing as t

from .._common.names import TableName
from .._ledger.doubts import COMPARABLE
from .._tracking import enrolled
from .._tracking.plan import specs_of
from .facts import Database, Facts, SurveyedMaster


def members(facts: Facts) -> set[TableName]:
    """The tables in the relgroup of the sync."""
    control = facts.control
    if control is None or facts.wanted.sync not in control.syncs:
        return set()
    return {
        goat.name
        for goat in control.goats
        if goat.reltype == "table" and facts.wanted.relgroup in goat.relgroups
    }


def faults(facts: Facts, master: SurveyedMaster, name: TableName) -> list[enrolled.Fault]:
    """What is wrong with the enrolment of a table that takes part already.

    Not what only wakes the sync, nor by which of its ways a TRUNCATE is replicated.
    """
    database = master.database
    if database is None or name not in database.found:
        return []
    found = database.found[name]
    if not found.triggers and not _was_enrolled(facts, master, name):
        # It is still to be enrolled.
        return []
    return [
        fault
        for fault in enrolled.faults(name, found, specs_of(name, facts.wanted.sync))
        if fault.lost or fault.mend != enrolled.TRIGGER
    ]


def _was_enrolled(facts: Facts, master: SurveyedMaster, name: TableName) -> bool:
    """Of tables without a trigger: whether it must have had one."""
    if name in ((master.database.ledger if master.database else None) or {}):
        return True
    group = facts.control.dbgroups.get(facts.wanted.dbgroup) if facts.control else None
    return bool(master.origin and group and master.name in group.members and name in members(facts))


def lost(facts: Facts, masters: t.Iterable[SurveyedMaster | None], name: TableName) -> bool:
    """Whether a change of a table may have been missed on one of these masters."""
    return any(fault.lost for one in masters if one for fault in faults(facts, one, name))


def is_comparable(
    facts: Facts, origin: SurveyedMaster | None, master: SurveyedMaster, name: TableName
) -> bool:
    """Whether a table's rows were the origin's once, and the bootstrap finds out if they still are.

    Those of a table that nobody seeded are a stranger's.
    """
    doubt = master.database.doubts.get(name) if master.database else None
    if doubt in COMPARABLE:
        return True
    return doubt is None and lost(facts, (origin, master), name)


def stale(facts: Facts, origin: Database) -> list[TableName]:
    """Tables of the relgroup that do not exist any more."""
    there = {table.name for table in origin.tables}
    return sorted(name for name in members(facts) if name not in there)

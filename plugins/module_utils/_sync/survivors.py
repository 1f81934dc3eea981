# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledgers of masters whose origin is lost: another of them becomes the origin.

What was proven against the lost origin in one membership is as good as proven against any other
master that was proven against it: all have replicated with each other since. What nobody vouches
for stays so, and is compared or copied by the next bootstrap.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName
from .._ledger import ledger, membership, states
from .._postgres.pg import Session

# One table of one source: what two copies must have in common to be each other's.
_Source = t.Tuple[str, t.Optional[int]]


@dataclasses.dataclass(frozen=True)
class Survivor:
    """One of the masters that remain.

    :param epoch: of its membership, None when the control database has none.
    :param oids: its tables of the relgroup.
    """

    name: str
    session: Session
    epoch: str | None
    identity: str
    place: str
    oids: t.Mapping[TableName, int]
    entries: t.Mapping[TableName, states.Entry]

    def vouches(self, table: TableName) -> _Source | None:
        """Whose copy the table is, None when nobody vouches for it (pure)."""
        entry = self.entries.get(table)
        if (
            entry is None
            or entry.state != states.SEEDED
            or self.epoch is None
            or entry.epoch != self.epoch
            or entry.target != self.place
            or entry.table_oid != self.oids.get(table)
            or entry.source_oid == states.MISSED
        ):
            return None
        return entry.source, entry.source_oid


def read(
    sessions: t.Mapping[str, Session],
    epochs: t.Mapping[str, str],
    tables: t.Sequence[TableName],
) -> list[Survivor]:
    """What each of them is and knows."""
    return [
        Survivor(
            name,
            session,
            epochs.get(name),
            ledger.identity(session),
            ledger.place(session),
            membership.read_oids(session, tables),
            ledger.entries(session),
        )
        for name, session in sessions.items()
    ]


def best(survivors: t.Sequence[Survivor], tables: t.Sequence[TableName]) -> str:
    """Whose copies nobody doubts, or the fewest; the first of equals (pure)."""
    doubts = [sum(one.vouches(table) is None for table in tables) for one in survivors]
    return survivors[doubts.index(min(doubts))].name


def readdress(survivors: t.Sequence[Survivor], origin: str, dbgroup: str) -> dict[str, int]:
    """Let all ledgers speak of the new origin; returns how many tables are doubted, by master.

    A run that was killed in here finds some ledgers as they shall be, and goes on.
    """
    new = next(one for one in survivors if one.name == origin)
    doubted = {}
    for one in survivors:
        known = [] if one is new else _of(one, new)
        with one.session.transaction():
            if known:
                ledger.readdress(one.session, known)
            if one.epoch is not None:
                membership.note(one.session, dbgroup, membership.Membership(one.epoch, one is new))
        if one is not new:
            doubted[one.name] = len(new.oids) - len(known)
    return {name: count for name, count in doubted.items() if count}


def _of(one: Survivor, new: Survivor) -> list[states.Entry]:
    """Entries that are worth as much against the new origin (pure)."""
    found = []
    for table, oid in new.oids.items():
        mine, theirs = one.vouches(table), new.vouches(table)
        if mine is None or (mine != theirs and mine != (new.identity, oid)):
            continue
        found.append(dataclasses.replace(one.entries[table], source=new.identity, source_oid=oid))
    return found

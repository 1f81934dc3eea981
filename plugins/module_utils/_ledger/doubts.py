# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the ledger of a master vouches for a table's rows (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName
from . import states

# Doubts that a comparison of the live rows can dispel.
MISSED = "may have missed changes since it was seeded"
MADE_ANEW = "was seeded before the origin's table was dropped and made anew"
RESTORED = "was seeded before this database was restored, moved or promoted"
COMPARABLE = (MISSED, MADE_ANEW, RESTORED)


@dataclasses.dataclass(frozen=True)
class Today:
    """What an entry of a ledger must speak of to be worth anything.

    :param source: identity of the origin's database.
    :param source_oids: the origin's tables.
    :param target: `ledger.place` of the master whose ledger it is.
    :param epoch: of its membership; None where it has none, as before a group is made.
    """

    source: str
    source_oids: t.Mapping[TableName, int]
    target: str
    epoch: str | None


def doubt(entry: states.Entry | None, today: Today) -> str:
    """Why the ledger does not vouch for a table's rows, "" when it does."""
    if entry is None:
        return "was never seeded"
    if entry.how == states.ONCE:
        return "was copied once, and not replicated since"
    if entry.state == states.COPYING:
        return "was copied in parts and not finished"
    if entry.target is None:
        # 1.0.0 knew less. Such an entry is taken over, or not, when its master gets an epoch.
        if today.epoch is not None:
            return "was seeded before this membership began"
        known = entry.source in (today.source, old_identity(today.source))
        return "" if known else "was seeded from another database than the origin of today"
    if entry.epoch != today.epoch:
        return "was seeded before this membership began"
    if entry.target != today.target:
        return RESTORED
    if entry.source != today.source:
        return "was seeded from another database than the origin of today"
    if entry.source_oid == states.MISSED:
        return MISSED
    if entry.source_oid != today.source_oids.get(entry.name):
        return MADE_ANEW
    return ""


def doubts(
    entries: t.Mapping[TableName, states.Entry], names: t.Iterable[TableName], today: Today
) -> dict[TableName, str]:
    """Tables that are not, or not any more, proven and finished, with the reason."""
    found = {}
    for name in names:
        why = doubt(entries.get(name), today)
        if not why and entries[name].state != states.SEEDED:
            why = "was copied, but its indexes are not finished"
        if why:
            found[name] = why
    return found


def old_identity(identity: str) -> str:
    """As 1.0.0 wrote `ledger.identity`: without the database's OID."""
    system, _oid, name = identity.split("/", 2)
    return f"{system}/{name}"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts and problems as results show them (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .facts import Facts, MasterFacts, SyncFacts, pairs

if t.TYPE_CHECKING:
    from .problem import Alarm

Rows = t.List[t.Dict[str, t.Any]]


def pending(facts: Facts) -> Rows:
    """What waits, per sync, master and table."""
    return [
        {
            "sync": sync.name,
            "master": master.name,
            "table": str(one.table),
            "changes": one.changes,
            "oldest": round(one.oldest, 3),
            "truncated": one.truncated,
        }
        for sync, master in pairs(facts)
        for one in master.pending
    ]


def queues(facts: Facts) -> Rows:
    """What waits, per sync and master, or why that is not known."""
    return [
        {
            "sync": sync.name,
            "master": master.name,
            "changes": master.changes,
            "oldest": round(master.oldest, 3),
            "error": master.error,
        }
        for sync, master in _sources(facts)
    ]


def purges(facts: Facts) -> Rows:
    """What was replicated and is still there."""
    return [
        {
            "sync": sync.name,
            "master": master.name,
            **dataclasses.asdict(master.purge),
            "oldest": round(master.purge.oldest, 3),
        }
        for sync, master in pairs(facts)
        if master.purge is not None
    ]


def shed(facts: Facts) -> Rows:
    """Tables that were shed, until they have been made new everywhere."""
    return [
        {
            "sync": sync.name,
            "master": master.name,
            **dataclasses.asdict(one),
            "table": str(one.table),
            "age": round(one.age, 3),
        }
        for sync, master in pairs(facts)
        for one in master.shed
    ]


def truncates_lost(facts: Facts) -> Rows:
    """TRUNCATEs that the other masters never saw."""
    return [
        {
            "sync": sync.name,
            "master": master.name,
            **dataclasses.asdict(one),
            "table": str(one.table),
        }
        for sync, master in pairs(facts)
        for one in master.lost
    ]


def alarms(problems: t.Iterable[Alarm]) -> Rows:
    """Problems, for machines."""
    return [
        {**dataclasses.asdict(one), "age": round(one.age, 3), "text": one.line} for one in problems
    ]


def _sources(facts: Facts) -> t.Iterator[tuple[SyncFacts, MasterFacts]]:
    for sync in facts.syncs:
        for master in sync.masters:
            if master.role == "source":
                yield sync, master

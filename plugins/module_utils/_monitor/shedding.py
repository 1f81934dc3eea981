# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which table is to be shed, so that a master that is away does not fill another's disk (pure).

Only what somebody has set a limit for, only where a master has been away for longer than is an
alarm, and only what has been waiting as long: neither a bulk change that is on its way over nor a
network that stutters is a reason.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .facts import Facts, MasterFacts, SyncFacts

if t.TYPE_CHECKING:
    from .._common.names import TableName
    from .problem import Alarm


@dataclasses.dataclass(frozen=True)
class Step:
    """One table on one master.

    :param changes: how many wait, and `bytes` what they take.
    :param back: what was begun is to be taken back instead.
    """

    sync: str
    master: str
    table: TableName
    changes: int = 0
    bytes: int = 0
    back: bool = False


def next_step(facts: Facts, problems: t.Iterable[Alarm]) -> Step | None:
    """What to do now; one table at a look, so that the next one sees what that has given.

    :param problems: dated: since when a master is away, no server knows.
    """
    away = {one.master: one.age for one in problems if one.name == "master_unreachable"}
    for sync in facts.syncs:
        lasting = any(
            one.error and one.role == "source" and away.get(one.name, 0.0) >= sync.limits.age
            for one in sync.masters
        )
        for master in sync.read:
            step = _begun(sync, master) or (_too_much(sync, master) if lasting else None)
            if step is not None:
                return step
    return None


def _away(sync: SyncFacts) -> bool:
    return any(one.error and one.role == "source" for one in sync.masters)


def _begun(sync: SyncFacts, master: MasterFacts) -> Step | None:
    """What an earlier look had begun: its triggers are there still."""
    for one in master.shed:
        if not one.done:
            back = not _away(sync)
            return Step(sync.name, master.name, one.table, one.changes, one.bytes, back)
    return None


def _too_much(sync: SyncFacts, master: MasterFacts) -> Step | None:
    limit = sync.limits.shed
    takes = sum(master.sizes.get(one.table, 0) for one in master.waiting)
    if not limit or takes < limit or sync.seeding:
        return None
    waiting = [
        one for one in master.waiting if one.oldest >= sync.limits.age and one.table in master.sizes
    ]
    # The last one is the sync itself.
    if not waiting or sync.tables < 2:
        return None
    largest = max(waiting, key=lambda one: master.sizes[one.table])
    return Step(sync.name, master.name, largest.table, largest.changes, master.sizes[largest.table])

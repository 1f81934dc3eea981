# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before tables lose their change tracking: what waits there is replicated, or named.

Nobody can be kept from writing meanwhile. So the queue is drained, the triggers are dropped while
the sync still runs, and what was noted in between is drained as well, before the queue's tables
go. What is written after a table has lost its trigger belongs to that master alone.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo.catalog import Catalog
from .._common.errors import CommandFailed, DeadlineExceeded, Refused
from .._common.names import TableName
from .._tracking.queue import Pending, Queue, as_rows
from . import kick

CURE = (
    "See to it that they are replicated, then run again; or say that they may be lost"
    " (discard_queue: true, in the playbooks multimaster_discard_queue)."
)
_SHOWN = 3


@dataclasses.dataclass
class Departure:
    """Tables that are about to leave a sync.

    :param queues: of the leaving tables only, on every master.
    :param timeout: seconds to wait for what waits.
    :param discard: go on when something is left.
    :param released: whether the sync has ever replicated anything.
    :param unserved: those of the tables that Bucardo has already left out of the sync, as its
        daemon does when it starts after they left the relgroup.
    """

    control: Catalog
    sync: str
    queues: t.Sequence[Queue]
    timeout: float
    discard: bool
    released: bool = True
    unserved: t.Collection[TableName] = ()

    def waiting(self) -> kick.Found:
        """What waits now, only of masters where something does."""
        return {master: found for master, found in kick.read(self.queues).items() if found}

    def look(self) -> kick.Found:
        """What waits; a running daemon would replicate it.

        :raises Refused: when that cannot be, and it must not be lost.
        """
        left = self.waiting()
        if not left or not self.released:
            return left
        reason = self._unserved(left) or self._obstacle()
        return self._refuse_loss(left, reason) if reason else left

    def settle(self) -> kick.Found:
        """Let everything that waits be replicated; returns what can't be.

        :raises Refused: when something is left that must not be lost.
        """
        left = self.waiting()
        if not left or not self.released:
            return left
        reason = self._unserved(left) or self._drain()
        return self._refuse_loss(self.waiting(), reason) if reason else {}

    def _refuse_loss(self, left: kick.Found, reason: str) -> kick.Found:
        if left and not self.discard:
            raise Refused(
                f"Sync {self.sync}: changes would be lost, {counted(left)}. {reason}",
                CURE,
                lost=rows(left),
            )
        return left

    def _unserved(self, left: kick.Found) -> str:
        waiting = {one.table for found in left.values() for one in found}
        names = sorted(waiting.intersection(self.unserved))
        if not names:
            return ""
        shown = ", ".join(str(name) for name in names[:_SHOWN])
        return (
            f"Bucardo's daemon no longer replicates {shown}: take it into the sync again, let its"
            " queue drain, then leave it out while the daemon runs"
        )

    def _obstacle(self) -> str:
        try:
            kick.refuse_unless_it_runs(self.control, self.sync)
        except Refused as error:
            return error.message
        return ""

    def _drain(self) -> str:
        """Why the queue could not be drained, or ""."""
        try:
            kick.until_drained(self.control, self.queues, self.sync, kick.Wait(self.timeout))
        except (Refused, CommandFailed, DeadlineExceeded) as error:
            return error.message
        return ""


def counted(found: t.Mapping[str, t.Sequence[Pending]]) -> str:
    """How much waits where, for a message of one line (pure)."""
    return "; ".join(
        f"{sum(one.changes for one in pending)} on {master} ({_tables(pending)})"
        for master, pending in found.items()
    )


def _tables(pending: t.Sequence[Pending]) -> str:
    words = [
        f"{one.table} {one.changes}" + (" and a TRUNCATE" if one.truncated else "")
        for one in pending[:_SHOWN]
    ]
    more = len(pending) - _SHOWN
    return ", ".join(words) + (f" and {more} more tables" if more > 0 else "")


def rows(found: t.Mapping[str, t.Sequence[Pending]]) -> list[dict[str, t.Any]]:
    """For results (pure)."""
    return [row for master, pending in found.items() for row in as_rows(master, pending)]


def waits(found: t.Mapping[str, t.Sequence[Pending]]) -> str:
    """One line for people, before (pure)."""
    return f"Changes that wait: {counted(found)}; the masters differ by them"


def were_lost(found: t.Mapping[str, t.Sequence[Pending]]) -> str:
    """One line for people, afterwards (pure)."""
    return f"Changes that were lost with the queue: {counted(found)}; the masters differ by them"

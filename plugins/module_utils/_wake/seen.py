# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a sync must be woken, by what a master shows (pure).

A write advances a sequence before it commits (`_tracking/kick.py`). So a new value alone says too
little: the run that it wakes may come before the commit. Every transaction that was under way when
the value had been read may have advanced it, and each that has ended since is a reason to wake the
sync again. Those that begin later advance it later, and are seen by that.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class UnderWay:
    """Transactions that have a number and have not ended.

    A snapshot lists those below its xmax, which is the number after the last one that has ended;
    all that were given out since are under way as well (GetSnapshotData in procarray.c).

    :param listed: by the snapshot.
    :param rest: from its xmax to the next number that will be given out, subtransactions too.
    """

    listed: frozenset[int] = frozenset()
    rest: range = range(0)

    def __bool__(self) -> bool:
        return bool(self.listed) or bool(self.rest)

    def later(self, now: UnderWay) -> tuple[UnderWay, bool]:
        """What of these is still under way, and whether any has ended."""
        passed = range(self.rest.start, min(self.rest.stop, now.rest.start))
        found = frozenset(one for one in now.listed if one in passed)
        left = UnderWay(
            (self.listed & now.listed) | found,
            range(max(self.rest.start, now.rest.start), self.rest.stop),
        )
        return left, not self.listed <= now.listed or len(found) < len(passed)


@dataclasses.dataclass
class Seen:
    """What is known of one sync on one master.

    :param value: of its sequence, None before the first look and after a lost connection.
    :param open: transactions that may have advanced it and have not ended.
    """

    value: int | None = None
    open: UnderWay = dataclasses.field(default_factory=UnderWay)

    def differs(self, value: int) -> bool:
        """Whether transactions have to be looked at: there is a new value, or some are open."""
        return value != self.value or bool(self.open)

    def wakes(self, value: int, now: UnderWay) -> bool:
        """Whether the sync must be woken.

        :param now: transactions of a snapshot that was taken after the value was read.
        """
        is_new = value != self.value
        self.open, ended = self.open.later(now)
        if is_new:
            self.value, self.open = value, now
        return is_new or ended

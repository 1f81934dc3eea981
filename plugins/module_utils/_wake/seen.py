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
import typing as t


@dataclasses.dataclass
class Seen:
    """What is known of one sync on one master.

    :param value: of its sequence, None before the first look and after a lost connection.
    :param open: transactions that may have advanced it and have not ended.
    """

    value: int | None = None
    open: frozenset[int] = frozenset()

    def differs(self, value: int) -> bool:
        """Whether transactions have to be looked at: there is a new value, or some are open."""
        return value != self.value or bool(self.open)

    def wakes(self, value: int, under_way: t.AbstractSet[int]) -> bool:
        """Whether the sync must be woken.

        :param under_way: transactions of a snapshot that was taken after the value was read.
        """
        is_new = value != self.value
        ended = self.open - under_way
        self.value = value
        self.open = frozenset(under_way) if is_new else self.open & under_way
        return is_new or bool(ended)

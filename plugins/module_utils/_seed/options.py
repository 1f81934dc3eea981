# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user of a seed asked for (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._postgres.tables import Selection


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user asked for; the names are those of the module's options.

    :param workers: processes that copy at once, 0 = as many as fit the machine.
    :param rate_limit: bytes per second from the source, over all workers; 0 = no limit.
    :param split_above: bytes of a table, see `plan.split`.
    :param index_mode: "auto" or one of `plan`'s modes.
    :param lz4: compress long values by it, where the target can.
    :param lock_timeout: milliseconds to wait for a lock on a table of the source.
    :param rounds: how often to try what could not be copied.
    :param replace: tables, as patterns, whose rows on the target may go unless the ledger vouches
        for them.
    :param replace_vouched: or even then; the ledger forgets them first.
    :param replace_while_active: although Bucardo replicates other tables of the target.
    :param keep_queued: what the target has queued of them and no other master has stays.
    :param copy_once: tables, as patterns, that do not take part, and whose rows are copied where
        the target's table is empty and was not given them before.
    :param dbgroup: the group in which the target is a member, "" for the only one.
    """

    tables: t.Sequence[str]
    exclude: t.Sequence[str]
    replace: t.Sequence[str] = ()
    replace_vouched: bool = False
    replace_while_active: bool = False
    keep_queued: bool = False
    copy_once: t.Sequence[str] = ()
    dbgroup: str = ""
    require_triggers: bool = True
    workers: int = 0
    rate_limit: int = 0
    split_above: int = 0
    index_mode: str = "auto"
    maintenance_work_mem: str = "256MB"
    lz4: bool = True
    lock_timeout: int = 5000
    rounds: int = 6
    proof: bool = True

    @property
    def selection(self) -> Selection:
        """The tables that take part."""
        return Selection(tuple(self.tables), tuple(self.exclude))

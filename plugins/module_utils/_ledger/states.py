# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a master's ledger says of a table or a run (pure)."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .._common.names import TableName
from .._postgres.proof import PROOF

# Several workers copy parts of it, each in its own transaction: it may hold any of the rows.
COPYING = "copying"
# Rows are in the table and proven equal to the source's, indexes may still be missing.
COPIED = "copied"
# Everything is done.
SEEDED = "seeded"

# No table's OID.
MISSED = 0
# How the rows of an entry came to be the source's.
BY_COPY = "copied"
# The table was the origin's itself, from which the source was seeded.
AS_ORIGIN = "origin"
# Somebody said so.
ELSEWHERE = "elsewhere"
# They were compared where they are.
BY_COMPARISON = "compared"
# They were, once, and nothing that came later is replicated.
ONCE = "once"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One seeded table.

    :param table_oid: of the table on the target; another table of that name is not seeded.
    :param bytes: as they came from the source, before conversion.
    :param hash: the sum of row hashes by which both sides were proven equal, None if not asked for.
    :param proof: how that sum was made, `PROOF` today.
    :param source: identity of the source, see `identity`.
    :param source_oid: of the table on the source; None in entries of 1.0.0, like the next two,
        and `MISSED` where changes may have been missed since.
    :param target: where the entry was written, see `place`: a dump takes the ledger with it.
    :param epoch: of the membership in which it was seeded, see `membership`; None without one.
    :param seen: which of the source's transactions the copy holds, and `seen_here` which of the
        target's own: snapshots of both servers. Only where the target was in use meanwhile.
    :param how: `BY_COPY`, `AS_ORIGIN`, `ELSEWHERE`, `BY_COMPARISON` or `ONCE`.
    :param finished_at: by the target's clock; None in an entry that is still to be written.
    """

    name: TableName
    table_oid: int
    state: str
    rows: int
    bytes: int
    hash: t.Optional[str]
    format: str
    index_mode: str
    snapshot: str
    source: str
    seconds: float
    source_oid: t.Optional[int] = None
    target: t.Optional[str] = None
    epoch: t.Optional[str] = None
    how: str = BY_COPY
    proof: t.Optional[str] = None
    seen: t.Optional[str] = None
    seen_here: t.Optional[str] = None
    finished_at: t.Optional[datetime.datetime] = None

    @property
    def proven(self) -> bool:
        """Whether the copy was proven in a way that is believed today.

        If not, it is a copy all the same, whose changes have been recorded since. What proves it
        is a comparison of the live rows.
        """
        return self.hash is not None and self.proof == PROOF


@dataclasses.dataclass(frozen=True)
class Run:
    """The last run of a seed into a master.

    :param active: a process is at work on it right now.
    :param finished_at: None when it is under way or was killed.
    :param first_finished_at: when the first of all came to its end.
    """

    active: bool
    phase: str
    source: str
    started_at: datetime.datetime
    updated_at: datetime.datetime
    finished_at: t.Optional[datetime.datetime]
    tables_total: int
    tables_done: int
    bytes_total: int
    bytes_done: int
    current_tables: t.Sequence[str]
    first_finished_at: t.Optional[datetime.datetime] = None

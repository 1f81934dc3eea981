# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which changes of a queue a copy holds (pure).

A snapshot tells it of every transaction older than the oldest one that was under way. Of a later
number it does not, since it knows no subtransactions, and a transaction that idles for an hour
makes an hour's numbers later ones. But the server itself sees a snapshot's rows: the numbers of
those that wrote what it shows of the queue are noted with it.
"""

from __future__ import annotations

import dataclasses

from .._postgres import sql

# How many numbers are noted, the latest ones. Changes of the others stay a conflict.
MOST = 100_000
# The transaction that wrote a change, without the wraparound: it is one of the last 2^32.
_NOW = "pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint"
XID = f"({_NOW} - (({_NOW} - d.xmin::text::bigint) & 4294967295))"
_OLDEST = "pg_catalog.pg_snapshot_xmin({})::text::bigint"
# Of changes d, by the placeholders of `Seen.parts`.
OVER = (
    f"({XID} OPERATOR(pg_catalog.<) {_OLDEST.format('{seen}')}"
    f" OR {XID} OPERATOR(pg_catalog.=) ANY ({{later}}))"
)
_LATER = (
    f"SELECT DISTINCT {XID} AS xid FROM {{delta}} d WHERE {XID} OPERATOR(pg_catalog.>=)"
    f" {_OLDEST.format('pg_catalog.pg_current_snapshot()')} ORDER BY 1 DESC LIMIT {{most}}"
)


@dataclasses.dataclass(frozen=True)
class Seen:
    """A snapshot of one server, as it is kept for later.

    :param snapshot: as pg_current_snapshot() writes it.
    :param later: transactions that are not older than its oldest one, and that it sees.
    """

    snapshot: str
    later: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """For the ledger."""
        return " ".join([self.snapshot, *([",".join(map(str, self.later))] if self.later else [])])

    @classmethod
    def parse(cls, text: str) -> Seen:
        """From the ledger."""
        snapshot, _space, later = text.partition(" ")
        return cls(snapshot, tuple(int(one) for one in later.split(",") if one))

    def parts(self) -> dict[str, sql.Composable]:
        """The placeholders of `OVER`."""
        return {
            "seen": sql.SQL("{}::pg_catalog.pg_snapshot").format(sql.Literal(self.snapshot)),
            "later": sql.SQL("{}::bigint[]").format(sql.Literal(list(self.later))),
        }


def later(delta: sql.Composable) -> sql.Composable:
    """A query for `Seen.later`, to be run in the snapshot.

    :param delta: the table of changes.
    """
    return sql.SQL(_LATER).format(delta=delta, most=sql.Literal(MOST))

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TRUNCATEs that Bucardo has marked as replicated and has not replicated.

It truncates one table after the other without CASCADE. PostgreSQL refuses that for a table to which
a foreign key of another refers, even where triggers are off; Bucardo writes "Truncate error" to its
log and goes on (Bucardo.pm 5.6.0, truncate_table).
"""

from __future__ import annotations

import dataclasses

from .._common.names import TableName
from .._postgres.pg import Session
from . import truncate
from .plan import truncate_name

# Only while the table's TRUNCATEs are still left to Bucardo: the bootstrap that ends this compares
# the rows afterwards.
_LOST = """
SELECT n.sname AS schema, n.tname AS name, pg_catalog.count(*)::int AS count,
       pg_catalog.max(n.cdate)::text AS last
  FROM bucardo.bucardo_truncate_trigger n
 WHERE n.sync = %(sync)s AND n.replicated IS NOT NULL
   AND EXISTS (SELECT FROM pg_catalog.pg_constraint k
                WHERE k.contype = 'f' AND k.confrelid = n.tablename AND k.conrelid <> k.confrelid)
   AND EXISTS (SELECT FROM pg_catalog.pg_trigger g
                 JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
                WHERE g.tgrelid = n.tablename AND g.tgname = %(trigger)s
                  AND p.proname = %(function)s)
 GROUP BY n.sname, n.tname ORDER BY n.sname, n.tname
"""


@dataclasses.dataclass(frozen=True)
class Lost:
    """TRUNCATEs of one table on one master that the other masters never saw.

    :param last: time of the last one.
    """

    table: TableName
    count: int
    last: str


def read(session: Session, sync: str) -> tuple[Lost, ...]:
    """Those that were typed on this master."""
    if not session.value(
        "SELECT pg_catalog.to_regclass('bucardo.bucardo_truncate_trigger') IS NOT NULL"
    ):
        return ()
    params = {
        "sync": sync,
        "trigger": truncate_name(sync),
        "function": truncate.function_name(truncate.BUCARDO),
    }
    return tuple(
        Lost(TableName(row["schema"], row["name"]), row["count"], row["last"])
        for row in session.rows(_LOST, params)
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queue: changes that a sync has noted on a master and not yet brought to the others."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import typing as t

from .._bucardo.catalog import Catalog
from .._common.names import SyncKey, TableName
from .._postgres import sql
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from . import purge as tracking_purge
from .plan import object_name, own_object, target_name

# Tables per statement: each takes five entries of the server's lock table.
_CHUNK = 200

# A delta table without a single page holds nothing, and most are like that most of the time.
_NOT_EMPTY = """
SELECT c.relname::text FROM pg_catalog.pg_class c
 WHERE c.relnamespace = pg_catalog.to_regnamespace('bucardo') AND c.relkind = 'r'
   AND c.relname ~ '^delta_' AND pg_catalog.pg_relation_size(c.oid) > 0
"""
_KEPT = """
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM bucardo.bucardo_delta_targets t
  JOIN pg_catalog.pg_class c ON c.oid = t.tablename
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.target = %s
"""


@dataclasses.dataclass(frozen=True)
class Pending:
    """Changes to one table that wait on one master.

    :param changes: rows of the delta table; a row of the user's that changed twice counts twice.
    :param oldest: age of the oldest in seconds.
    :param truncated: whether a TRUNCATE waits too.
    """

    table: TableName
    changes: int
    oldest: float
    truncated: bool = False


class Queue:
    """One sync's queue on one master.

    :param only: look at these tables, not at all that are registered.
    """

    def __init__(
        self,
        master: str,
        session: Session,
        key: SyncKey,
        only: t.Collection[TableName] | None = None,
    ) -> None:
        self.master = master
        self.session = session
        self.key = key
        self.only = only

    def clock(self) -> str:
        """The master's time, as text for `pending(until)`."""
        return str(self.session.value("SELECT pg_catalog.clock_timestamp()::text"))

    def tables(self) -> list[TableName]:
        """The tables that are registered for the sync; empty before it was validated."""
        if self.only is not None:
            # Bucardo's validation forgets tables that left the group, whatever waits of them.
            return sorted(self.only)
        if not self.session.value(
            "SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_names') IS NOT NULL"
        ):
            return []
        names = self.session.column(
            "SELECT tablename FROM bucardo.bucardo_delta_names WHERE sync = %s ORDER BY 1",
            (self.key.sync,),
        )
        return [TableName.parse(name) for name in names]

    def kept(self, names: t.Collection[TableName]) -> list[TableName]:
        """Of tables that were set aside, those whose changes are kept for this group.

        Bucardo's validation forgets that they are registered, but the purge must not.
        """
        there = "SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_targets') IS NOT NULL"
        if not names or not self.session.value(there):
            return []
        kept = {
            TableName(**row) for row in self.session.rows(_KEPT, (target_name(self.key.dbgroup),))
        }
        return sorted(kept & set(names))

    def pending(self, until: str = "", tables: t.Sequence[TableName] = ()) -> list[Pending]:
        """What waits, largest first; tables without changes are left out.

        A change waits when its transaction's time is not marked as replicated for the group of
        databases (Bucardo.pm 5.6.0: SQL of getdelta). A constant number of round trips.

        :param until: count only transactions that began up to this time of the master.
        :param tables: look at these instead of all that are registered.
        """
        names = list(tables) or self.tables()
        if not names:
            return []
        looked_at = self._filled(names)
        found = {}
        for start in range(0, len(looked_at), _CHUNK):
            chunk = looked_at[start : start + _CHUNK]
            for row in self.session.rows(self._count(chunk, until)):
                if row["changes"]:
                    name = chunk[row["position"]]
                    found[name] = Pending(name, row["changes"], max(0.0, row["oldest"]))
        for name, age in self._truncates(until).items():
            if name in names:
                before = found.get(name, Pending(name, 0, 0.0))
                found[name] = Pending(name, before.changes, max(age, before.oldest), True)
        return sorted(found.values(), key=lambda one: (-one.changes, one.table))

    def purge(self) -> tracking_purge.Purge:
        """What was replicated and waits to be removed."""
        return tracking_purge.read(self.session, self.key.dbgroup, self._filled(self.tables()))

    def _filled(self, names: t.Sequence[TableName]) -> list[TableName]:
        """Those whose delta tables hold anything."""
        filled = set(self.session.column(_NOT_EMPTY))
        return [name for name in names if object_name("delta_", name) in filled]

    def _count(self, names: t.Sequence[TableName], until: str) -> sql.Composable:
        limit: sql.Composable = sql.SQL("")
        if until:
            limit = sql.SQL("AND d.txntime <= {}::timestamptz").format(sql.Literal(until))
        return sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT {position}::int AS position, pg_catalog.count(*) AS changes,"
                " EXTRACT(epoch FROM pg_catalog.clock_timestamp()"
                " - pg_catalog.min(d.txntime))::float8 AS oldest"
                " FROM {delta} d WHERE NOT EXISTS (SELECT FROM {track} k"
                " WHERE k.txntime = d.txntime AND k.target = {target}) {limit}"
            ).format(
                position=sql.Literal(position),
                delta=own_object("delta_", name),
                track=own_object("track_", name),
                target=sql.Literal(target_name(self.key.dbgroup)),
                limit=limit,
            )
            for position, name in enumerate(names)
        )

    def _truncates(self, until: str) -> dict[TableName, float]:
        rows = self.session.rows(
            "SELECT sname, tname, EXTRACT(epoch FROM pg_catalog.clock_timestamp()"
            " - pg_catalog.min(cdate))::float8 AS age FROM bucardo.bucardo_truncate_trigger"
            " WHERE sync = %(sync)s AND replicated IS NULL"
            "   AND (%(until)s = '' OR cdate <= NULLIF(%(until)s, '')::timestamptz)"
            " GROUP BY sname, tname",
            {"sync": self.key.sync, "until": until},
        )
        return {TableName(row["sname"], row["tname"]): row["age"] for row in rows}


def as_rows(master: str, pending: t.Iterable[Pending]) -> list[dict[str, t.Any]]:
    """For results."""
    return [
        {
            "master": master,
            "table": str(one.table),
            "changes": one.changes,
            "oldest": round(one.oldest, 3),
            "truncated": one.truncated,
        }
        for one in pending
    ]


def _sources(
    control: Catalog, logins: t.Mapping[str, ConnInfo], dbgroup: str
) -> dict[str, t.Callable[[], ConnInfo]]:
    group = control.dbgroups().get(dbgroup)
    return {
        name: functools.partial(control.login, name, logins)
        for name in (group.sources if group else [])
    }


def open_queues(
    stack: contextlib.ExitStack,
    control: Catalog,
    logins: t.Mapping[str, ConnInfo],
    key: SyncKey,
) -> list[Queue]:
    """The sync's queue on every source of its group; sessions are closed by the stack.

    :param logins: connection options of masters by name; others log in as Bucardo does.
    """
    return [
        Queue(name, stack.enter_context(Session(conninfo())), key)
        for name, conninfo in _sources(control, logins, key.dbgroup).items()
    ]

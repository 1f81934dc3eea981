# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a master that is being taken in up to date with those that replicate.

The others mark a change as brought to their group in its table's track table (Bucardo.pm 5.6.0),
and purge it when each target of bucardo.bucardo_delta_targets has marked it. So a target of its
own keeps the queue for the newcomer: what it has not marked is what the newcomer may lack. A pass
copies the rows of these keys from the origin, and marks those of them that were marked as brought
to the group before the origin was read, as these had arrived there. What was not, is brought to
the newcomer by Bucardo, when it is a member.
"""

from __future__ import annotations

import dataclasses
import tempfile
import typing as t

from .._common.errors import StatementFailed
from .._common.names import TableName
from .._postgres import sql
from .._postgres.pg import Session
from .._tracking.plan import object_name, own_object, target_name

# Bytes of keys or rows that are kept in memory.
_SPOOL = 1 << 24
_REPEATABLE = "ISOLATION LEVEL REPEATABLE READ"
_UNIQUE_VIOLATION = "23505"

_FILLED = """
SELECT c.relname::text FROM pg_catalog.pg_class c
 WHERE c.relnamespace = pg_catalog.to_regnamespace('bucardo') AND c.relkind = 'r'
   AND c.relname ~ '^delta_' AND pg_catalog.pg_relation_size(c.oid) > 0
"""
_COLUMNS = """
SELECT a.attname::text FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attgenerated = '' ORDER BY a.attnum
"""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the relgroup."""

    name: TableName
    key: tuple[str, ...]

    @property
    def keys(self) -> sql.Composable:
        """Its key's columns, with commas between."""
        return sql.columns(self.key)

    def own(self, prefix: str) -> sql.Composable:
        """A table of it in schema bucardo."""
        return own_object(prefix, self.name)


@dataclasses.dataclass(frozen=True)
class Newcomer:
    """Who is taken in.

    :param marker: the target that keeps the queue for it.
    """

    name: str
    session: Session
    marker: str


class Passes:
    """Copies what a newcomer lacks, again and again.

    :param members: sessions to those that replicate.
    """

    def __init__(
        self,
        members: t.Mapping[str, Session],
        origin: str,
        dbgroup: str,
        tables: t.Sequence[Table],
        newcomer: Newcomer,
    ) -> None:
        self.members = members
        self.origin = members[origin]
        self.target = target_name(dbgroup)
        self.tables = tables
        self.newcomer = newcomer

    def once(self, final: bool = False) -> int:
        """One pass; returns how many keys it was about.

        :param final: nothing is brought anywhere meanwhile, so that nothing may be left.
        """
        # What is marked by now has arrived at the origin before it is read.
        times = {name: self._times(session) for name, session in self.members.items()}
        total = 0
        with self.origin.transaction(_REPEATABLE):
            filled = set(self.origin.column(_FILLED))
            for table in self.tables:
                given = {name: found[table] for name, found in times.items() if table in found}
                delta = object_name("delta_", table.name)
                if given or (delta in filled and self._open(table)):
                    total += self._table(table, given, final)
        return total

    def _times(self, session: Session) -> dict[Table, list[str]]:
        """By table, transactions whose changes were brought to the group and have no mark."""
        filled = set(session.column(_FILLED))
        found = {}
        for table in self.tables:
            if object_name("delta_", table.name) in filled:
                times = session.column(self._marked(table))
                if times:
                    found[table] = times
        return found

    def _marked(self, table: Table) -> sql.Composable:
        return sql.SQL(
            "SELECT DISTINCT d.txntime::text FROM {delta} d"
            " WHERE EXISTS"
            " (SELECT FROM {track} k WHERE k.txntime = d.txntime AND k.target = {group})"
            " AND {unmarked}"
        ).format(
            delta=table.own("delta_"),
            track=table.own("track_"),
            group=sql.Literal(self.target),
            unmarked=self._without_mark(table),
        )

    def _open(self, table: Table) -> bool:
        """Whether the origin holds changes without a mark: its rows show them already."""
        return bool(
            self.origin.value(
                sql.any_row(
                    sql.SQL("SELECT FROM {} d WHERE {}").format(
                        table.own("delta_"), self._without_mark(table)
                    )
                )
            )
        )

    def _without_mark(self, table: Table) -> sql.Composable:
        return sql.SQL(
            "NOT EXISTS (SELECT FROM {} k WHERE k.txntime = d.txntime AND k.target = {})"
        ).format(table.own("track_"), sql.Literal(self.newcomer.marker))

    def _table(self, table: Table, times: t.Mapping[str, t.Sequence[str]], final: bool) -> int:
        with (
            tempfile.SpooledTemporaryFile(_SPOOL) as keys,
            tempfile.SpooledTemporaryFile(_SPOOL) as rows,
        ):
            count = 0
            for name, session in self.members.items():
                # Of the origin what nobody has got as well, since its rows show it.
                wanted = None if session is self.origin else times.get(name, [])
                if wanted is None or wanted:
                    count += session.copy(self._keys(table, wanted), keys)
            if count:
                columns = self._read(table, keys, rows)
                try:
                    self._write(table, columns, keys, rows)
                except StatementFailed as error:
                    # A value that must be unique moves between rows of which not all are here.
                    if final or error.sqlstate != _UNIQUE_VIOLATION:
                        raise
                    return count
        for name, some in times.items():
            self._mark(self.members[name], table, some)
        return count

    def _keys(self, table: Table, times: t.Sequence[str] | None) -> sql.Composable:
        """Those of some transactions, or of all without a mark."""
        which = self._without_mark(table)
        if times is not None:
            which = sql.SQL("d.txntime = ANY({}::timestamptz[])").format(sql.Literal(list(times)))
        return sql.SQL(
            "COPY (SELECT DISTINCT {} FROM {} d WHERE {}) TO STDOUT (ENCODING 'UTF8')"
        ).format(table.keys, table.own("delta_"), which)

    def _read(self, table: Table, keys: t.Any, rows: t.Any) -> list[str]:
        name = sql.relation(table.name)
        columns = [
            str(column) for column in self.origin.column(_COLUMNS, (self.origin.as_text(name),))
        ]
        self._load_keys(self.origin, table, keys)
        self.origin.copy(
            sql.SQL(
                "COPY (SELECT {columns} FROM ONLY {name} WHERE ({keys}) IN"
                " (SELECT {keys} FROM pg_temp.multimaster_keys)) TO STDOUT (ENCODING 'UTF8')"
            ).format(columns=sql.columns(columns), name=name, keys=table.keys),
            rows,
        )
        self.origin.execute("DROP TABLE pg_temp.multimaster_keys")
        return columns

    def _write(self, table: Table, columns: t.Sequence[str], keys: t.Any, rows: t.Any) -> None:
        session, name = self.newcomer.session, sql.relation(table.name)
        with session.transaction():
            session.execute("SET LOCAL session_replication_role = replica")
            session.execute(sql.DATABASE_PATH)
            self._load_keys(session, table, keys)
            session.execute(
                sql.SQL(
                    "DELETE FROM ONLY {name} WHERE ({keys}) IN"
                    " (SELECT {keys} FROM pg_temp.multimaster_keys)"
                ).format(name=name, keys=table.keys)
            )
            rows.seek(0)
            session.copy(
                sql.SQL("COPY {} ({}) FROM STDIN (ENCODING 'UTF8')").format(
                    name, sql.columns(columns)
                ),
                rows,
            )
            session.execute("DROP TABLE pg_temp.multimaster_keys")

    @staticmethod
    def _load_keys(session: Session, table: Table, keys: t.Any) -> None:
        session.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE multimaster_keys AS SELECT {} FROM ONLY {} LIMIT 0"
            ).format(table.keys, sql.relation(table.name))
        )
        keys.seek(0)
        session.copy(sql.SQL("COPY pg_temp.multimaster_keys FROM STDIN (ENCODING 'UTF8')"), keys)

    def _mark(self, session: Session, table: Table, times: t.Sequence[str]) -> None:
        session.execute(
            sql.SQL(
                "INSERT INTO {track} (txntime, target)"
                " SELECT g, {marker} FROM pg_catalog.unnest({times}::timestamptz[]) g"
                " WHERE NOT EXISTS"
                " (SELECT FROM {track} k WHERE k.txntime = g AND k.target = {marker})"
            ).format(
                track=table.own("track_"),
                marker=sql.Literal(self.newcomer.marker),
                times=sql.Literal(list(times)),
            )
        )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that bring one chunk of a queue from its master to another (pure).

A chunk is a temporary table of keys, numbered: on the source it is made from the delta table, on
the target it is filled with COPY. Everything names its schema and its operators, since on the
target the database's own path is set: functions in indexes and constraints may need it.
"""

from __future__ import annotations

import dataclasses

from .._common.names import TableName
from .._postgres import sql
from .._tracking import copied, key_match
from .._tracking.plan import own_object, target_name

CHUNK = ("pg_temp", "multimaster_chunk")
NUMBER = "multimaster_number"
_PENDING = key_match.NOT_REPLICATED
_RANGES_SINCE = 140000
_IN_RANGE = (
    " WHERE d.ctid OPERATOR(pg_catalog.>=) {first}::pg_catalog.tid"
    " AND d.ctid OPERATOR(pg_catalog.<) {end}::pg_catalog.tid"
)
# Before, a range reads the whole table. A row takes 28 bytes at the least.
_ONE_BY_ONE = (
    " WHERE d.ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
    "SELECT pg_catalog.format('(%s,%s)', p, i)::pg_catalog.tid"
    " FROM pg_catalog.generate_series({first}::int, {end}::int) p,"
    " pg_catalog.generate_series(1, pg_catalog.current_setting('block_size')::int"
    " OPERATOR(pg_catalog./) 28) i))"
)


@dataclasses.dataclass(frozen=True)
class Statements:
    """For one table of one group of databases.

    :param columns: those that COPY may write, hence without generated ones.
    :param key: the columns of its key, each with the operator by which it is unique.
    """

    name: TableName
    columns: tuple[str, ...]
    key: tuple[key_match.KeyColumn, ...]
    dbgroup: str

    # -- on the source --------------------------------------------------------------------------

    def lock_source(self) -> sql.Composable:
        """Before the snapshot: what is read in it must not be truncated or altered meanwhile."""
        return self._compose("LOCK TABLE ONLY {table}, {delta}, {track} IN ACCESS SHARE MODE")

    def take(
        self, pages: tuple[int, int], part: tuple[int, int] = (0, 1), version: int = _RANGES_SINCE
    ) -> sql.Composable:
        """Make the chunk from what waits in some pages of the delta table.

        In the order of the keys: both tables are read and written in the order of their indexes.

        :param pages: the first one and the one after the last.
        :param part: (i, n) for the keys whose hash leaves i when divided by n, so that several can
            work on one table and never on the same key.
        :param version: of the server, e.g. 150012.
        """
        return self._compose(
            "CREATE TEMPORARY TABLE {chunk} ON COMMIT DROP AS"
            " SELECT pg_catalog.row_number() OVER ()::int AS {n}, q.* FROM ("
            "SELECT {keys} FROM {delta} d{range}"
            f" AND {_PENDING}{{part}} GROUP BY {{keys}} ORDER BY {{keys}}) q",
            keys=self._keys("d"),
            range=self._range(pages, version),
            part=self._part(part),
        )

    def keys_out(self, first: int, last: int) -> sql.Composable:
        """The keys of a part of the chunk."""
        return self._compose(
            "COPY (SELECT c.* FROM {chunk} c"
            " WHERE c.{n} OPERATOR(pg_catalog.>=) {first} AND c.{n} OPERATOR(pg_catalog.<=) {last})"
            " TO STDOUT",
            first=sql.Literal(first),
            last=sql.Literal(last),
        )

    def rows_out(self, first: int, last: int) -> sql.Composable:
        """The rows of these keys, as far as they are there."""
        return self._compose(
            "COPY (SELECT {columns} FROM {chunk} c JOIN ONLY {table} t ON {same}"
            " WHERE c.{n} OPERATOR(pg_catalog.>=) {first} AND c.{n} OPERATOR(pg_catalog.<=) {last})"
            " TO STDOUT",
            columns=key_match.columns("t", self.columns),
            same=key_match.same("t", "c", self.key),
            first=sql.Literal(first),
            last=sql.Literal(last),
        )

    def leave(self) -> sql.Composable:
        """Take keys out of the chunk, so that they go on waiting."""
        return self._compose("DELETE FROM {chunk} WHERE {n} OPERATOR(pg_catalog.=) ANY (%s)")

    def leave_part(self) -> sql.Composable:
        """The same for a part of it."""
        return self._compose(
            "DELETE FROM {chunk} WHERE {n} OPERATOR(pg_catalog.>=) %s"
            " AND {n} OPERATOR(pg_catalog.<=) %s"
        )

    def forget(self) -> sql.Composable:
        """Take what is done from the queue.

        In the transaction that has read the rows: it sees the changes that these rows hold and no
        others, neither a later one nor one that was under way, whatever its time.
        """
        return self._compose(
            f"DELETE FROM {{delta}} d USING {{chunk}} c WHERE {{same}} AND {_PENDING}",
            same=key_match.same("d", "c", self.key),
        )

    # -- on the target --------------------------------------------------------------------------

    def lock_target(self) -> sql.Composable:
        """What is asked of its queue and written into the table belongs together."""
        return self._compose("LOCK TABLE ONLY {table} IN ROW EXCLUSIVE MODE")

    def make_chunk(self) -> sql.Composable:
        """An empty chunk, with the types of the target's table."""
        return self._compose(
            "CREATE TEMPORARY TABLE {chunk} ON COMMIT DROP AS"
            " SELECT 0 AS {n}, {keys} FROM ONLY {table} t WITH NO DATA",
            keys=self._keys("t"),
        )

    def keys_in(self) -> sql.Composable:
        """Fill it."""
        return self._compose("COPY {chunk} FROM STDIN")

    def conflicts(self) -> sql.Composable:
        """Keys of which the target has changes of its own that wait."""
        return self._compose(
            "SELECT c.{n} FROM {chunk} c WHERE EXISTS (SELECT FROM {delta} d"
            f" WHERE {{same}} AND {_PENDING}) ORDER BY c.{{n}}",
            same=key_match.same("d", "c", self.key),
        )

    def delete_rows(self) -> sql.Composable:
        """Away with what the target has of these keys; waits for whoever is writing them."""
        return self._compose(
            "DELETE FROM ONLY {table} t USING {chunk} c WHERE {same}",
            same=key_match.same("t", "c", self.key),
        )

    def rows_in(self) -> sql.Composable:
        """The rows as they are on the source."""
        return self._compose(
            "COPY {table} ({columns}) FROM STDIN", columns=key_match.columns("", self.columns)
        )

    # -- after a copy into a master in use ---------------------------------------------------------

    def written_since(self, seen: str) -> sql.Composable:
        """Make the chunk from keys that a master has written only after its table was copied.

        :param seen: its own snapshot of then.
        """
        return self._compose(
            "CREATE TEMPORARY TABLE {chunk} ON COMMIT DROP AS"
            " SELECT pg_catalog.row_number() OVER ()::int AS {n}, {keys} FROM {delta} d"
            f" WHERE {_PENDING} GROUP BY {{keys}} HAVING pg_catalog.bool_and(NOT"
            f" pg_catalog.pg_visible_in_snapshot({copied.XID}::text::pg_catalog.xid8, {{seen}}))",
            keys=self._keys("d"),
            seen=copied.Seen.parse(seen).parts()["seen"],
        )

    def keys_out_all(self) -> sql.Composable:
        """All keys of the chunk."""
        return self._compose("COPY {chunk} TO STDOUT")

    def superseded(self, seen: str) -> sql.Composable:
        """Numbers of those keys of which the source has nothing newer than what was copied.

        :param seen: the source's snapshot of the copy, see `copied.Seen`.
        """
        return self._compose(
            "SELECT c.{n} FROM {chunk} c JOIN {delta} d ON {same} WHERE "
            f"{_PENDING} GROUP BY c.{{n}} HAVING pg_catalog.bool_and({copied.OVER})",
            same=key_match.same("d", "c", self.key),
            **copied.Seen.parse(seen).parts(),
        )

    def forget_superseded(self, seen: str) -> sql.Composable:
        """The master that was copied to has got them, and has written these rows anew since."""
        return self._compose(
            "DELETE FROM {delta} d USING {chunk} c WHERE {same} AND "
            f"c.{{n}} OPERATOR(pg_catalog.=) ANY (%s) AND {_PENDING} AND {copied.OVER}",
            same=key_match.same("d", "c", self.key),
            **copied.Seen.parse(seen).parts(),
        )

    # -- on both --------------------------------------------------------------------------------

    def index_chunk(self) -> sql.Composable:
        """Let its keys be found, whichever side of a join the planner begins with.

        A queue that was analyzed when it was empty is taken for a single row, and so is a table.
        """
        return self._compose("CREATE INDEX ON {chunk} ({keys})", keys=self._keys(""))

    def truncated(self) -> sql.Composable:
        """Whether a TRUNCATE of the table waits: the table is Bucardo's then."""
        return key_match.truncated(self.name)

    # -- parts of them --------------------------------------------------------------------------

    @staticmethod
    def _range(pages: tuple[int, int], version: int) -> sql.Composable:
        first, end = pages
        if version < _RANGES_SINCE:
            return sql.SQL(_ONE_BY_ONE).format(first=sql.Literal(first), end=sql.Literal(end - 1))
        return sql.SQL(_IN_RANGE).format(
            first=sql.Literal(f"({first},0)"), end=sql.Literal(f"({end},0)")
        )

    def _part(self, part: tuple[int, int]) -> sql.Composable:
        number, of = part
        if of == 1:
            return sql.SQL("")
        return sql.SQL(
            " AND (pg_catalog.hashtext(pg_catalog.concat_ws(',', {})) & 2147483647) % {} = {}"
        ).format(self._keys("d"), sql.Literal(of), sql.Literal(number))

    def _compose(self, text: str, **parts: sql.Composable) -> sql.Composable:
        return sql.SQL(text).format(
            table=sql.Identifier(self.name.schema, self.name.name),
            delta=own_object("delta_", self.name),
            track=own_object("track_", self.name),
            chunk=sql.Identifier(*CHUNK),
            n=sql.Identifier(NUMBER),
            target=sql.Literal(target_name(self.dbgroup)),
            **parts,
        )

    def _keys(self, alias: str) -> sql.Composable:
        return key_match.columns(alias, [column for column, _equals in self.key])

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what a target has changed and no other master has, while its rows are replaced.

Applications go on writing to a master whose table is made new. What they have written is in its
queue. The rows of these keys are put aside under the lock, and put back when the copy is proven;
the queue stays, so that the others get them like any change.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused, StatementFailed
from .._common.names import TableName
from .._postgres import pg, sql
from .._tracking import copied, key_match
from .._tracking import read as tracking_read
from .._tracking.delta_function import EQUALS
from .._tracking.plan import JOINING, own_object
from . import statements
from .plan import Job

# Which transactions a server has seen to their end.
SEEN = "SELECT pg_catalog.pg_current_snapshot()::text"
# What is kept for a newcomer has reached the others.
_WAITS = (
    "EXISTS (SELECT FROM bucardo.bucardo_delta_targets g"
    " WHERE g.tablename OPERATOR(pg_catalog.=) {oid}::pg_catalog.oid"
    " AND NOT pg_catalog.starts_with(g.target, {joining}) AND "
    + key_match.NOT_REPLICATED.replace("{target}", "g.target")
    + ")"
)


@dataclasses.dataclass(frozen=True)
class Kept:
    """What is put aside of one table (statements are pure).

    :param number: by which its temporary tables are told from others'.
    :param count: of the keys.
    :param oid: of the table.
    :param columns: those that can be written.
    """

    name: TableName
    oid: int
    number: int
    columns: tuple[str, ...]
    key: tuple[key_match.KeyColumn, ...]
    count: int = 0

    def take_keys(self) -> sql.Composable:
        """Of all changes that wait."""
        return self._compose(
            "CREATE TEMPORARY TABLE {keys} ON COMMIT DROP AS"
            " SELECT DISTINCT {of_d} FROM {delta} d WHERE " + _WAITS
        )

    def take_rows(self) -> sql.Composable:
        """As far as they are there: the others were deleted."""
        return self._compose(
            "CREATE TEMPORARY TABLE {rows} ON COMMIT DROP AS"
            " SELECT {of_t} FROM ONLY {table} t JOIN {keys} c ON {same}"
        )

    def put_back(self) -> tuple[sql.Composable, sql.Composable]:
        """What has come of these keys goes, then these rows are there again."""
        return (
            self._compose("DELETE FROM ONLY {table} t USING {keys} c WHERE {same}"),
            self._compose(
                "INSERT INTO {table} ({written}) OVERRIDING SYSTEM VALUE"
                " SELECT {written} FROM {rows}"
            ),
        )

    def _compose(self, text: str) -> sql.Composable:
        keys = [column for column, _equals in self.key]
        return sql.SQL(text).format(
            table=sql.relation(self.name),
            delta=own_object("delta_", self.name),
            track=own_object("track_", self.name),
            keys=sql.Identifier("pg_temp", f"multimaster_keys_{self.number}"),
            rows=sql.Identifier("pg_temp", f"multimaster_rows_{self.number}"),
            oid=sql.Literal(self.oid),
            joining=sql.Literal(JOINING),
            of_d=key_match.columns("d", keys),
            of_t=key_match.columns("t", self.columns),
            written=key_match.columns("", self.columns),
            same=key_match.same("t", "c", self.key),
        )


def save(target: pg.Session, jobs: t.Sequence[Job], name: str) -> list[Kept]:
    """Put aside what waits of these tables; nobody may be writing them.

    :param name: of the target, for messages.
    :raises Refused: when a TRUNCATE waits, after which no key tells what is meant.
    """
    enrolled = tracking_read.read(target, [job.name for job in jobs])
    found = []
    for number, job in enumerate(jobs):
        has = enrolled.get(job.name)
        if has is None or has.delta is None:
            continue
        if target.value(key_match.truncated(job.name)):
            raise Refused(
                f"A TRUNCATE of {job.name} waits on {name}, which no other master has seen",
                "Let the sync bring it over first, see the playbook status.",
            )
        key = tuple((column, has.equals.get(column, EQUALS)) for column, _shape in has.delta)
        one = Kept(job.name, job.target.oid, number, tuple(job.columns), key)
        if count := target.execute(one.take_keys()):
            target.execute(one.take_rows())
            found.append(dataclasses.replace(one, count=count))
    return found


def seen_by(source: pg.Session, jobs: t.Sequence[Job]) -> dict[TableName, str]:
    """Which changes of the source's queue the copies hold, as the ledger keeps it.

    :param source: in the snapshot of the copy.
    """
    if not jobs:
        return {}
    snapshot = str(source.value(SEEN))
    enrolled = tracking_read.read(source, [job.name for job in jobs])
    found = {}
    for name, has in enrolled.items():
        delta = own_object("delta_", name)
        later = source.column(copied.later(delta)) if has.delta is not None else []
        found[name] = copied.Seen(snapshot, tuple(map(int, later))).text
    return found


def put_back(target: pg.Session, kept: t.Iterable[Kept], jobs: t.Sequence[Job]) -> None:
    """In the transaction that has loaded and proven them."""
    by_name = {job.name: job for job in jobs}
    for one in kept:
        job = by_name[one.name]
        for line in statements.without_triggers(job):
            target.execute(line)
        try:
            for line in one.put_back():
                target.execute(line)
        except StatementFailed as error:
            # As where a row of the source has the same value under a unique index.
            raise StatementFailed(
                f"{one.name}: a row that only the target has does not fit among the source's:"
                f" {error.message}",
                "Change one of the two rows (docs/runbooks/conflicting-rows.md), and run it again.",
                sqlstate=error.sqlstate,
                **error.details,
            ) from error
        for line in statements.with_triggers(job):
            target.execute(line)

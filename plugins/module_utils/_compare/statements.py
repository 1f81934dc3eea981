# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries by which tables of several masters are compared (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName, delta_suffix
from .._postgres import sql
from .._postgres.tables import BUCARDO_SCHEMA
from .plan import Step


@dataclasses.dataclass(frozen=True)
class Hashed:
    """How the rows of a table are hashed on one master, as _postgres/rowhash.py composes it.

    :param source: the table in FROM.
    :param columns: the key's columns, in the order that all masters take.
    :param key: hash of the key.
    :param row: hash of the whole row.
    """

    source: sql.Composable
    columns: tuple[str, ...]
    key: sql.Composable
    row: sql.Composable

    @property
    def key_as_text(self) -> sql.Composed:
        """The key's values; concat() writes any type by its output function."""
        return sql.SQL("ARRAY[{}]").format(
            sql.SQL(", ").join(
                sql.SQL("concat({})").format(sql.Identifier(name)) for name in self.columns
            )
        )


def together(queries: t.Sequence[sql.Composable]) -> sql.Composed:
    """Many aggregates in one round trip, with their places in the list as `i`."""
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} AS i, q.* FROM ({}) q").format(sql.Literal(i), query)
        for i, query in enumerate(queries)
    )


def buckets(hashed: Hashed, bits: int, within: Step | None = None) -> sql.Composed:
    """Count and sum of the rows per bucket of the key's hash.

    :param bits: of the hash that number the buckets.
    :param within: only what is in its buckets.
    """
    return sql.SQL(
        "SELECT k & {mask} AS bucket, count(*) AS n, sum(r)::text AS s"
        " FROM (SELECT {key} AS k, {row} AS r FROM {table}) q {where} GROUP BY 1"
    ).format(
        mask=sql.Literal((1 << bits) - 1),
        key=hashed.key,
        row=hashed.row,
        table=hashed.source,
        where=_in_buckets(within) if within else sql.SQL(""),
    )


def rows_of_buckets(hashed: Hashed, step: Step) -> sql.Composed:
    """The keys and hashes of all rows in some buckets."""
    return sql.SQL(
        "SELECT k, key, r FROM (SELECT {key} AS k, {columns} AS key, {row} AS r FROM {table}) q"
        " {where}"
    ).format(
        key=hashed.key,
        columns=hashed.key_as_text,
        row=hashed.row,
        table=hashed.source,
        where=_in_buckets(step),
    )


def _in_buckets(step: Step) -> sql.Composed:
    return sql.SQL("WHERE k & {} IN (SELECT unnest({}::bigint[]))").format(
        sql.Literal((1 << step.bits) - 1), sql.Literal(list(step.buckets))
    )


def rows_of_keys(hashed: Hashed, condition: sql.Composable) -> sql.Composed:
    """The keys and hashes of the rows that a condition finds."""
    return sql.SQL(
        "SELECT {key} AS k, {columns} AS key, {row} AS r FROM {table} WHERE {condition}"
    ).format(
        key=hashed.key,
        columns=hashed.key_as_text,
        row=hashed.row,
        table=hashed.source,
        condition=condition,
    )


def key_is_among(types: t.Mapping[str, str], keys: t.Iterable[tuple[str, ...]]) -> sql.Composed:
    """A condition that an index over the key can answer.

    :param types: the key's columns and their types, as format_type() has quoted them.
    :param keys: the values of each key, as text.
    """
    names = [sql.Identifier(f"x{i}") for i in range(len(types))]
    return sql.SQL("({}) IN (SELECT {} FROM unnest({}) AS u ({}))").format(
        sql.columns(types),
        sql.SQL(", ").join(
            sql.SQL("CAST({} AS {})").format(name, sql.SQL(kind))
            for name, kind in zip(names, types.values())
        ),
        sql.SQL(", ").join(
            sql.SQL("{}::text[]").format(sql.Literal(list(values))) for values in zip(*keys)
        ),
        sql.SQL(", ").join(names),
    )


def hash_is_among(hashed: Hashed, hashes: t.Iterable[int]) -> sql.Composed:
    """The same by the hash of the key, where its operators cannot be used."""
    return sql.SQL("{} IN (SELECT unnest({}::bigint[]))").format(
        hashed.key, sql.Literal(list(hashes))
    )


def queued(
    table: TableName, key: sql.Composable, targets: t.Iterable[str], hashes: t.Iterable[int]
) -> sql.Composed:
    """Which keys wait in Bucardo's queue for any of some targets.

    Delta tables have the key's columns under the same names and types.
    """
    return sql.SQL(
        "SELECT DISTINCT k FROM (SELECT {key} AS k {waiting}) q"
        " WHERE k IN (SELECT unnest({keys}::bigint[]))"
    ).format(key=key, waiting=_waiting(table, targets), keys=sql.Literal(list(hashes)))


def waits(table: TableName, targets: t.Iterable[str]) -> sql.Composed:
    """Whether anything waits in Bucardo's queue for any of some targets."""
    return sql.any_row(sql.SQL("SELECT ") + _waiting(table, targets))


def _waiting(table: TableName, targets: t.Iterable[str]) -> sql.Composed:
    """A delta row is done for a target when the track table has its txntime (Bucardo.pm 5.6.0,
    "push_rows").
    """
    suffix = delta_suffix(table)
    return sql.SQL(
        "FROM {delta} d WHERE EXISTS"
        " (SELECT FROM unnest({targets}::text[]) AS g (target) WHERE NOT EXISTS"
        " (SELECT FROM {track} t WHERE t.txntime = d.txntime AND t.target = g.target))"
    ).format(
        delta=sql.Identifier(BUCARDO_SCHEMA, f"delta_{suffix}"),
        track=sql.Identifier(BUCARDO_SCHEMA, f"track_{suffix}"),
        targets=sql.Literal(list(targets)),
    )

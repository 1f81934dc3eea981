# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that move sequences and keep the ledger of it (pure)."""

from __future__ import annotations

import typing as t

from .._common.names import TableName
from .._postgres import sql
from .facts import Share
from .plan import Follow, Move, Note, SequencePlan

# regclass follows a sequence that is renamed.
CREATE_LEDGER = """
CREATE SCHEMA IF NOT EXISTS multimaster;
CREATE TABLE IF NOT EXISTS multimaster.sequence (
  sequence pg_catalog.regclass PRIMARY KEY,
  original pg_catalog.int8 NOT NULL,
  slots pg_catalog.int4 NOT NULL,
  slot pg_catalog.int4 NOT NULL
);
ALTER TABLE multimaster.sequence
  ADD COLUMN IF NOT EXISTS start pg_catalog.int8,
  ADD COLUMN IF NOT EXISTS first pg_catalog.int8,
  ADD COLUMN IF NOT EXISTS syncs pg_catalog.text[] NOT NULL DEFAULT '{}';
COMMENT ON TABLE multimaster.sequence IS 'What each sequence was before sequence_interleave'
"""
# The schema may also hold the ledger of the seed.
DROP_EMPTY_LEDGER = """
DO $$
BEGIN
  DELETE FROM multimaster.sequence l
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = l.sequence);
  IF NOT EXISTS (SELECT FROM multimaster.sequence) THEN
    DROP TABLE multimaster.sequence;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                    WHERE refclassid = 'pg_catalog.pg_namespace'::regclass
                      AND refobjid = 'multimaster'::regnamespace) THEN
      DROP SCHEMA multimaster;
    END IF;
  END IF;
END $$
"""


def values(names: t.Iterable[TableName]) -> sql.Composed:
    """A query for the values of sequences, with their places in the list as `i`."""
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} AS i, last_value, is_called FROM {}").format(
            sql.Literal(i), sql.relation(name)
        )
        for i, name in enumerate(names)
    )


def highest(columns: t.Iterable[tuple[TableName, str]]) -> list[sql.Composable]:
    """Queries for the highest value of each column, with its place in the list as `i`."""
    return [
        sql.SQL("SELECT {} AS i, pg_catalog.max({})::bigint AS highest FROM ONLY {}").format(
            sql.Literal(i), sql.Identifier(column), sql.relation(table)
        )
        for i, (table, column) in enumerate(columns)
    ]


def begin(lock_timeout: int) -> list[sql.Composable]:
    """A transaction that waits for a lock no longer than so many milliseconds."""
    return [
        sql.SQL("BEGIN"),
        sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(lock_timeout)),
    ]


def step(move: Move) -> sql.Composed:
    """Give a sequence its distance between numbers, which locks it."""
    return sql.SQL("ALTER SEQUENCE {} INCREMENT BY {} START WITH {}").format(
        sql.relation(move.sequence.name),
        sql.Literal(move.numbers.step),
        sql.Literal(move.start),
    )


def place(oid: int, first: int) -> sql.Composed:
    """Let a sequence go on with this number."""
    return sql.SQL("SELECT pg_catalog.setval({}::oid::regclass, {}, false)").format(
        sql.Literal(oid), sql.Literal(first)
    )


def entry(oid: int, share: Share | None) -> sql.Composed:
    """Bring the ledger's entry of a sequence up to date; without a share it goes."""
    if share is None:
        return sql.SQL("DELETE FROM multimaster.sequence WHERE sequence = {}::oid").format(
            sql.Literal(oid)
        )
    fields = {
        "original": share.original,
        "slots": share.slots,
        "slot": share.slot,
        "start": share.start,
        "first": share.first,
        "syncs": sorted(share.syncs),
    }
    return sql.SQL(
        "INSERT INTO multimaster.sequence (sequence, {names}) VALUES ({oid}::oid, {values})"
        " ON CONFLICT (sequence) DO UPDATE SET ({names}) = ROW({new})"
    ).format(
        names=sql.columns(fields),
        oid=sql.Literal(oid),
        values=sql.SQL(", ").join(map(sql.Literal, fields.values())),
        new=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in fields),
    )


def notes(listed: t.Iterable[Note]) -> sql.Composed:
    """The ledger's entries of sequences that stay as they are."""
    return sql.together(entry(note.sequence.oid, note.share) for note in listed)


def follow(one: Follow) -> sql.Composed:
    """Set a position, but not of a sequence that has been used since it was read."""
    return sql.SQL(
        "SELECT pg_catalog.setval({}::oid::regclass, {}, {}) FROM {}"
        " WHERE NOT is_called AND last_value = {}"
    ).format(
        sql.Literal(one.sequence.oid),
        sql.Literal(one.last_value),
        sql.Literal(one.is_called),
        sql.relation(one.sequence.name),
        sql.Literal(one.sequence.last_value),
    )


def of(
    plan: SequencePlan, started: t.Mapping[tuple[TableName, str], int]
) -> list[tuple[str, sql.Composed]]:
    """What a plan does to the sequence, each statement with its master, for people.

    :param started: the first values, as far as they are known.
    """
    found: list[tuple[str, sql.Composed]] = []
    for move in plan.moves:
        found.append((move.master, step(move)))
        if (plan.name, move.master) in started:
            first = started[plan.name, move.master]
            found.append((move.master, place(move.sequence.oid, first)))
    return found + [(one.master, follow(one)) for one in plan.follows]

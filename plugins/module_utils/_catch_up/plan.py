# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tables can be caught up, in which order and in what portions (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo.objects import CORRECTIONS, Customcode, Override
from .._common.names import SyncKey, TableName
from .._postgres.tables import Column, Table
from .._tracking.enrolled import Found
from .._tracking.plan import target_name

# A chunk holds about so many keys, and of wide rows fewer; a target's writers wait for one chunk.
CHUNK_KEYS = 20_000
CHUNK_BYTES = 32 << 20
_LEAST_WIDTH = 32
# Rows of a delta table on a page of 8 KB: 24 + 4 bytes of overhead, 8 of its time, and a key.
_ROWS_PER_PAGE = 140
# Below so many changes a table is not worth being divided.
_DIVIDE_ABOVE = 50_000
# Types of which equal values have one text; of others the same key could get into two parts.
_ONE_TEXT = {"smallint", "integer", "bigint", "oid", "uuid", "date", "text"}
_ONE_TEXT |= {"timestamp without time zone", "timestamp with time zone", "character varying"}
# Custom code that is asked only where something went wrong, which a catch-up leaves alone.
_FOR_TROUBLE = ("conflict", "exception")
# A round must leave less than this part of what waited before, or another one is of no use.
_SHRINKS = 0.8


@dataclasses.dataclass(frozen=True)
class Side:
    """A table as one master has it.

    :param targets: groups of databases that wait for its changes, as the track tables name them.
    :param syncs: that it is registered for.
    :param width: bytes of a row, as far as the server has counted its rows.
    """

    table: Table
    found: Found
    targets: frozenset[str]
    syncs: frozenset[str]
    width: int = 0


@dataclasses.dataclass(frozen=True)
class Special:
    """What of the control database is more than rows that go from one master to another."""

    names: t.Sequence[Override] = ()
    columns: t.Sequence[Override] = ()
    codes: t.Sequence[Customcode] = ()
    makedelta: t.Collection[TableName] = ()


def left_alone(
    name: TableName,
    key: t.Sequence[str],
    sides: t.Mapping[str, Side | None],
    special: Special,
    waiting: SyncKey,
) -> str:
    """Why a table must be left to Bucardo, "" when it can be caught up.

    A master that has just joined notes changes, and is registered by the release only.

    :param key: its key as Bucardo knows it.
    :param sides: by master; None where there is no such table.
    :param waiting: whose changes are to be caught up.
    """
    why = _special(name, special, waiting.sync)
    columns = {}
    for master, side in sides.items():
        if why:
            break
        if side is None or side.table.kind != "r" or side.found.delta is None:
            why = f"it is not enrolled on {master}"
        elif not key or tuple(column for column, _shape in side.found.delta) != tuple(key):
            why = f"it is enrolled with another key on {master}"
        elif side.targets - {target_name(waiting.dbgroup)} or side.syncs - {waiting.sync}:
            why = f"others than sync {waiting.sync} wait for its changes on {master}"
        else:
            columns[master] = sorted(written(side.table))
    if not why and len({tuple(found) for found in columns.values()}) > 1:
        why = "its columns differ between the masters"
    return why


def _special(name: TableName, special: Special, sync: str) -> str:
    for kind, overrides in (("name", special.names), ("columns", special.columns)):
        if any(one.relation == name and one.sync in ("", sync) for one in overrides):
            return f"Bucardo has a custom {kind} for it"
    for code in special.codes:
        active = code.status == "active" and code.whenrun not in _FOR_TROUBLE
        active = active and code.name != CORRECTIONS
        if active and (name in code.relations or sync in code.syncs):
            return f"custom code {code.name} wants to see its changes"
    return "it makes changes for others (makedelta)" if name in special.makedelta else ""


def written(table: Table) -> list[str]:
    """The columns that COPY may write."""
    return [column.name for column in table.columns if not column.generated]


def parts(key: t.Sequence[str], side: Side, changes: int, workers: int) -> int:
    """In how many parts, by the hash of the key, a table's queue is worked on at once."""
    if changes < _DIVIDE_ABOVE or not all(
        _one_text(column) for column in side.table.columns if column.name in key
    ):
        return 1
    return workers


def _one_text(column: Column) -> bool:
    plain = column.type.partition("(")[0]
    # Another collation may take two texts for the same; that of a database may not.
    return plain in _ONE_TEXT and column.collation in ("", "default")


def pages_per_chunk(width: int, of_parts: int = 1, rate_limit: int = 0) -> int:
    """How many pages of a delta table make a chunk.

    :param width: bytes that a key of it brings; 0 when not known.
    :param rate_limit: bytes per second; a chunk, whose rows are locked, takes about a second then.
    """
    most = min(CHUNK_BYTES, rate_limit) if rate_limit else CHUNK_BYTES
    keys = min(CHUNK_KEYS, most // max(_LEAST_WIDTH, width))
    return max(1, keys * of_parts // _ROWS_PER_PAGE)


def another(before: int, left: int, enough: int) -> bool:
    """Whether another round is worth it.

    :param before: changes that waited before the last one.
    :param left: that wait now.
    """
    return left > enough and left < before * _SHRINKS

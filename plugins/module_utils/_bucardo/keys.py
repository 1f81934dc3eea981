# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Two rules for "the key" of a table: which this collection registers, which Bucardo would (pure).

Bucardo chooses in C(validate_goat), a trigger of its catalog. The collection writes the catalog
with that trigger off and registers the key that it chose itself, so that C(registered_key) is the
one by which rows are told apart. C(key_bucardo_would_choose) is what C(bucardo add table) or an
UPDATE of the catalog by hand would put in its place.
"""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .._postgres.tables import Table


@dataclasses.dataclass(frozen=True)
class UniqueKey:
    """A unique index that Bucardo considers: no predicate, no expression.

    :param columns: with those of INCLUDE, as Bucardo counts them.
    :param included: how many of the last columns are from INCLUDE.
    """

    index: str
    oid: int
    columns: tuple[str, ...]
    primary: bool = False
    valid: bool = True
    included: int = 0


def registered_key(table: Table) -> tuple[str, ...]:
    """The columns that this collection registers as a table's key, empty when there are none.

    The primary key; else of the usable unique indexes the one with the fewest columns, the first
    by name of several.
    """
    return next(iter(registrable_keys(table)), ())


def registrable_keys(table: Table) -> tuple[tuple[str, ...], ...]:
    """The columns of every index that identifies rows, the best one first.

    Usable: valid, not partial, over plain columns, none of them nullable. What an index INCLUDEs
    is no part of its key.
    """
    nullable = {column.name for column in table.columns if not column.not_null}
    usable = [
        index
        for index in table.indexes
        if index.unique
        and index.valid
        and not index.partial
        and index.columns
        and (index.primary or not nullable.intersection(index.columns))
    ]
    usable.sort(key=lambda index: (not index.primary, len(index.columns), index.name))
    return tuple(index.columns for index in usable)


def key_bucardo_would_choose(keys: t.Sequence[UniqueKey]) -> UniqueKey | None:
    """The index that C(validate_goat) takes for a row's identity.

    The primary key; else the one with the fewest columns, the newest of several. It counts the
    columns of INCLUDE and minds neither nullable columns nor invalid indexes.
    """
    if not keys:
        return None
    return min(keys, key=lambda key: (not key.primary, len(key.columns), -key.oid))

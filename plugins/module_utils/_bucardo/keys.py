# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which columns rows of a table are told apart (pure).

Bucardo would choose by itself, in the trigger validate_goat of its catalog: it counts the columns
of INCLUDE, takes unique indexes with nullable columns, and the newest of several. The collection
writes the catalog with that trigger off, so that what is said here is what is registered.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .._postgres.tables import Table


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
    usable = sorted(
        table.unique_keys,
        key=lambda index: (not index.primary, len(index.columns), index.name),
    )
    return tuple(index.columns for index in usable)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Checks: what identifies a row (pure)."""

from __future__ import annotations

import typing as t

from ..._bucardo.keys import key_bucardo_would_choose
from ..context import Context, base_type
from ..registry import BLOCKER, WARNING, Hit, check

# Bucardo carries keys as text: these lose something on the way or have no useful equality.
_FRAGILE_KEY_TYPES = {
    "real": "is not exact",
    "double precision": "is not exact",
    "json": "has no equality",
    "jsonb": "has several spellings of the same value",
    "xml": "has no equality",
    "money": "depends on lc_monetary",
    "interval": "depends on IntervalStyle",
}
_TEXT_TYPES = ("text", "character varying", "character", "name", "citext", '"char"')


@check(
    "no-key",
    BLOCKER,
    "A table has neither a primary key nor a unique index over plain columns.",
    "Add a primary key, or exclude the table.",
)
def _no_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.kind == "r" and key_bucardo_would_choose(ctx.keys(table)) is None:
            yield Hit(str(table.name), ctx.origin_name, "has no primary key and no unique index")


@check(
    "nullable-key",
    BLOCKER,
    "Bucardo would identify rows by a unique index with a nullable column: rows with a null there"
    " are never found again.",
    "Add a primary key, or set the columns NOT NULL, or exclude the table.",
)
def _nullable_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = key_bucardo_would_choose(ctx.keys(table))
        if key is None or key.primary:
            continue
        nullable = [c.name for c in table.columns if not c.not_null and c.name in key.columns]
        if nullable:
            yield Hit(
                str(table.name),
                ctx.origin_name,
                f"its key would be the index {key.index}, but {', '.join(nullable)} may be null",
            )


@check(
    "invalid-key",
    BLOCKER,
    "Bucardo would identify rows by an index that is not valid, and so not unique for sure.",
    "REINDEX the index.",
)
def _invalid_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = key_bucardo_would_choose(ctx.keys(table))
        if key and not key.valid:
            yield Hit(str(table.name), ctx.origin_name, f"the index {key.index} is not valid")


@check(
    "included-key",
    BLOCKER,
    "Bucardo takes the columns that a key's index INCLUDEs for a part of the key; concurrent"
    " changes to them end in duplicate keys.",
    "Build the key without INCLUDE and add the covering index beside it, or exclude the table.",
)
def _included_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = key_bucardo_would_choose(ctx.keys(table))
        if key and key.included:
            yield Hit(
                str(table.name),
                ctx.origin_name,
                f"the index {key.index} includes {', '.join(key.columns[-key.included :])}",
            )


@check(
    "key-type",
    WARNING,
    "Bucardo carries keys as text, and this type does not survive that for every value.",
    "Prefer a key of integer, uuid, text or a time.",
)
def _key_type(ctx: Context) -> t.Iterator[Hit]:
    for table, column in ctx.key_columns():
        why = _FRAGILE_KEY_TYPES.get(base_type(column.type))
        if why:
            message = f"key column {column.name}: {column.type} {why}"
            yield Hit(str(table.name), ctx.origin_name, message)


@check(
    "key-citext",
    BLOCKER,
    "A citext key that changes only in upper and lower case is the same key for the trigger, but"
    " another one for Bucardo: a row was seen to be lost that way.",
    "Exclude the table, or give it a primary key of another type.",
)
def _key_citext(ctx: Context) -> t.Iterator[Hit]:
    for table, column in ctx.key_columns():
        if base_type(column.type) == "citext":
            yield Hit(str(table.name), ctx.origin_name, f"key column {column.name}: citext")


@check(
    "key-backslash",
    WARNING,
    "Bucardo writes the values of keys with several columns into its statements and doubles the"
    " first backslash: a row with a backslash in such a key is never found again, and the sync"
    " stops with a duplicate key.",
    "Keep backslashes out of the key, for example by a CHECK constraint.",
)
def _key_backslash(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = key_bucardo_would_choose(ctx.keys(table))
        if not key or len(key.columns) < 2:
            continue
        texts = [
            column.name
            for column in table.columns
            if column.name in key.columns and base_type(column.type) in _TEXT_TYPES
        ]
        if texts:
            yield Hit(
                str(table.name), ctx.origin_name, f"key of several columns with {', '.join(texts)}"
            )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: what identifies a row (pure).

Only the key that the collection registers is judged, see `_bucardo/keys`.
"""

from __future__ import annotations

import typing as t

from ..._bucardo.keys import registered_key
from ..._postgres.tables import Index, Table
from ..context import Context
from ..registry import BLOCKER, WARNING, Hit, check


def _without_key(ctx: Context) -> t.Iterator[tuple[Table, list[Index]]]:
    """Tables without a usable key, each with the indexes that are nearly one."""
    for table in ctx.selected:
        if table.kind == "r" and not registered_key(table):
            near = [i for i in table.indexes if i.unique and i.columns and not i.partial]
            yield table, near


@check(
    "no-key",
    BLOCKER,
    "A table has neither a primary key nor a unique index over plain columns.",
    "Add a primary key, or exclude the table (multimaster_exclude).",
)
def _no_key(ctx: Context) -> t.Iterator[Hit]:
    for table, near in _without_key(ctx):
        if not near:
            yield Hit(str(table.name), ctx.origin_name, "has no primary key and no unique index")


@check(
    "nullable-key",
    BLOCKER,
    "The only unique indexes have a nullable column: rows with a null there cannot be told apart.",
    "Add a primary key, or set the columns NOT NULL, or exclude the table (multimaster_exclude).",
)
def _nullable_key(ctx: Context) -> t.Iterator[Hit]:
    for table, near in _without_key(ctx):
        index = next((one for one in near if one.valid), None)
        if index:
            free = {column.name for column in table.columns if not column.not_null}
            nullable = ", ".join(column for column in index.columns if column in free)
            yield Hit(
                str(table.name),
                ctx.origin_name,
                f"its key would be the index {index.name}, but {nullable} may be null",
            )


@check(
    "invalid-key",
    BLOCKER,
    "The only index that could identify rows is not valid, and so not unique for sure.",
    "REINDEX the index.",
)
def _invalid_key(ctx: Context) -> t.Iterator[Hit]:
    for table, near in _without_key(ctx):
        if near and not any(index.valid for index in near):
            yield Hit(str(table.name), ctx.origin_name, f"the index {near[0].name} is not valid")


@check(
    "key-type",
    BLOCKER,
    "Bucardo carries keys as text through Perl, and values of this type do not come through, or"
    " are equal without being the same text: changes of such rows would be lost for good.",
    "Exclude the table (multimaster_exclude), or give it a primary key of integer, uuid, text,"
    " bytea, an enumeration, a time, a network address or numeric with a number of digits.",
)
def _key_type(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        types = {column.name: column.type for column in table.columns}
        for column, found in ctx.key_types(table).items():
            if found.problem:
                message = f"key column {column}: {types.get(column, found.base)}, {found.problem}"
                yield Hit(str(table.name), ctx.origin_name, message)


@check(
    "key-backslash",
    BLOCKER,
    "Bucardo writes the values of keys with several columns into its statements and doubles the"
    " first backslash: a row with a backslash in such a key is never found again.",
    "Write these keys without a backslash, or exclude the table (multimaster_exclude).",
)
def _key_backslash(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if _backslashes(ctx).get(table.name):
            yield Hit(
                str(table.name), ctx.origin_name, "there are rows with a backslash in their key"
            )


@check(
    "key-backslash-refused",
    WARNING,
    "The key has several columns, some of them of text. Once the table is replicated, writing a"
    " backslash there is refused with an error, since the row would be lost by Bucardo.",
    "Nothing, if no application does; else exclude the table (multimaster_exclude).",
)
def _key_backslash_refused(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        held = _backslashes(ctx).get(table.name, True)
        texts = [name for name, found in ctx.key_types(table).items() if found.is_text]
        if not held and texts:
            seen = " (too large to be looked through)" if held is None else ""
            yield Hit(
                str(table.name), ctx.origin_name, f"text in its key: {', '.join(texts)}{seen}"
            )


def _backslashes(ctx: Context) -> t.Mapping[t.Any, bool | None]:
    return ctx.origin.database.backslashes if ctx.origin and ctx.origin.database else {}


@check(
    "key-bytea",
    WARNING,
    "Bucardo compares a key of type bytea by its base64 text, so that no index is used: each run"
    " reads the whole table on every master.",
    "Nothing while the table is small; else give it a key of another type, or exclude it.",
)
def _key_bytea(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        names = [
            name
            for name, found in ctx.key_types(table).items()
            if found.base == "bytea" and not found.problem
        ]
        if names:
            yield Hit(str(table.name), ctx.origin_name, f"key of type bytea: {', '.join(names)}")

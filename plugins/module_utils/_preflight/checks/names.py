# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: names that Bucardo cannot write (pure)."""

from __future__ import annotations

import typing as t

from ..._bucardo.keys import registered_key
from ..._common.names import IDENTIFIER_MAX, delta_suffix, quoted_delta_suffix
from ..context import Context
from ..registry import BLOCKER, Hit, check

DELTA_PREFIX = "delta_"
_RENAME = (
    "Rename the table or schema on every master (other letters than ASCII's take several bytes),"
    " or exclude it."
)


@check(
    "table-name",
    BLOCKER,
    "Bucardo writes names between double quotes without escaping, and cuts what it keeps of them at"
    " |: a double quote, a line break or | in the name of a schema or table breaks its statements,"
    " and with them every run of the sync.",
    "Rename the table on every master, or exclude it.",
)
def _table_name(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if any(char in table.name.schema + table.name.name for char in '"|\n\r'):
            yield Hit(
                str(table.name), ctx.origin_name, "the name holds a double quote, | or a line break"
            )


@check(
    "key-column-name",
    BLOCKER,
    "A key column's name cannot be tracked: Bucardo separates names by |, writes them between"
    " double quotes, and has a column txntime of its own.",
    "Rename the column on every master, or exclude the table.",
)
def _key_column_name(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        for column in registered_key(table):
            if column == "txntime" or any(char in column for char in '"|'):
                yield Hit(
                    str(table.name), ctx.origin_name, f"the key column {column!r} cannot be tracked"
                )


@check(
    "delta-name-long",
    BLOCKER,
    "The name of Bucardo's table for the changes is longer than 63 bytes; PostgreSQL cuts it and"
    " Bucardo does not find it again.",
    _RENAME,
)
def _delta_name_long(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        length = len((DELTA_PREFIX + delta_suffix(table.name)).encode("utf-8"))
        if length > IDENTIFIER_MAX:
            yield Hit(
                str(table.name), ctx.origin_name, f"its change table's name takes {length} bytes"
            )


@check(
    "delta-name-quoted",
    BLOCKER,
    "A name that needs quotes, because of capitals, blanks or other signs or as a keyword, has more"
    " than 57 characters with its schema and the quotes: Bucardo derives two different names of its"
    " table for the changes from it.",
    _RENAME,
)
def _delta_name_quoted(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if '"' in table.name.schema + table.name.name or not table.quoted:
            continue
        if quoted_delta_suffix(table.quoted) != delta_suffix(table.name):
            length = len(table.quoted)
            yield Hit(str(table.name), ctx.origin_name, f"takes {length} characters with quotes")


@check(
    "delta-name-collision",
    BLOCKER,
    "Two tables would share one of Bucardo's tables for the changes.",
    "Rename one of them on every master, or exclude it.",
)
def _delta_name_collision(ctx: Context) -> t.Iterator[Hit]:
    groups: dict[str, list[str]] = {}
    for table in ctx.selected:
        groups.setdefault(delta_suffix(table.name), []).append(str(table.name))
    for suffix, tables in sorted(groups.items()):
        if len(tables) > 1:
            yield Hit(
                ", ".join(tables), ctx.origin_name, f"they would share {DELTA_PREFIX}{suffix}"
            )

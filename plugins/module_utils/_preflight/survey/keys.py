# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what is special about the keys of the origin's tables."""

from __future__ import annotations

import typing as t

from ..._bucardo.keys import registered_key
from ..._common.names import TableName
from ..._postgres.tables import Table
from ..context import matches
from ..facts import Wanted
from ..key_types import KeyType
from . import queries, trials
from .reader import Reader


def read_keys(reader: Reader, tables: t.Sequence[Table], wanted: Wanted) -> dict[str, t.Any]:
    """Types of keys, and what their values are like where that decides."""
    types: dict[TableName, dict[str, KeyType]] = {}
    for row in reader.rows("types of keys", queries.KEY_TYPES):
        name = TableName(row.pop("schema"), row.pop("table"))
        column = row.pop("name")
        types.setdefault(name, {})[column] = KeyType(**row)
    selected = [
        table
        for table in tables
        if table.kind == "r"
        and any(matches(table, pattern) for pattern in wanted.tables)
        and not any(matches(table, pattern) for pattern in wanted.exclude)
    ]
    texts = {table.name: text_columns(table, types.get(table.name, {})) for table in selected}
    texts = {name: columns for name, columns in texts.items() if columns}
    unknown: dict[TableName, bool | None] = dict.fromkeys(texts)
    session = reader.session
    return {
        "key_types": types,
        "backslashes": reader.attempt(
            "backslashes in keys", lambda: trials.backslashes(session, texts), unknown
        ),
    }


def text_columns(table: Table, types: t.Mapping[str, KeyType]) -> tuple[str, ...]:
    """The columns with text of a key of several columns, none of another key."""
    key = registered_key(table)
    if len(key) < 2:
        return ()
    return tuple(name for name in key if name in types and types[name].is_text)

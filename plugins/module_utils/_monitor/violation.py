# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of two masters that cannot be together: what a failed run says of them, and which they are.

Bucardo's worker copies the row of one master, the other's unique index refuses it, and the worker
tries again for ever. Nothing of the whole sync is replicated until one of the rows changes.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from .._common.names import TableName
from .._postgres import pg, sql
from .._tracking.plan import own_object

# The server's message may be in any language, but quotes the constraint and ends with the state.
_STATE = re.compile(r"DB (\S+) state: 23505\b")
_QUOTES = '"\u201c\u201d\u00ab\u00bb\u201e\u201f\u2039\u203a\u300c\u300d'
_QUOTED = re.compile(f"[{_QUOTES}]([^{_QUOTES}]+)[{_QUOTES}]")
# So many changes that wait are looked at, and so many rows named.
_LOOKED_AT = 1000
_NAMED = 5

_INDEX = """
SELECT n.nspname AS schema, c.relname AS name,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (n, p)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
              WHERE k.p <= i.indnkeyatts ORDER BY k.p) AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE x.relname = ANY (%(names)s) AND i.indisunique AND i.indexprs IS NULL
   AND (n.nspname, c.relname) IN (SELECT m.s, m.t FROM pg_catalog.json_to_recordset(%(tables)s)
                                                    AS m (s text, t text))
"""


@dataclasses.dataclass(frozen=True)
class Violation:
    """What a run said.

    :param master: which refused the row.
    :param quoted: names in the message, the constraint's among them.
    """

    master: str
    quoted: tuple[str, ...]


def parse(text: str) -> Violation | None:
    """A failed run's status (pure); None when it is no unique violation."""
    found = _STATE.search(text)
    if found is None:
        return None
    names = (name.strip() for name in _QUOTED.findall(text))
    return Violation(found.group(1), tuple(dict.fromkeys(names)))


def find(
    violation: Violation,
    sessions: t.Mapping[str, pg.Session],
    keys: t.Mapping[TableName, t.Sequence[str]],
) -> tuple[TableName | None, dict[str, tuple[str, ...]]]:
    """The table, and by master the rows that cannot be together.

    :param sessions: to the masters that can be reached.
    :param keys: the sync's tables.
    """
    refusing = sessions.get(violation.master)
    if refusing is None:
        return None, {}
    index = refusing.row(
        _INDEX,
        {
            "names": list(violation.quoted),
            "tables": json.dumps([{"s": name.schema, "t": name.name} for name in keys]),
        },
    )
    if index is None:
        return None, {}
    table = TableName(index["schema"], index["name"])
    rows: dict[str, list[str]] = {}
    for master, session in sessions.items():
        if master == violation.master:
            continue
        for row in session.rows(_waiting(table, keys[table], index["columns"])):
            for key in refusing.column(_same(table, keys[table], index["columns"]), row):
                if key != row["key"]:
                    rows.setdefault(master, []).append(row["key"])
                    rows.setdefault(violation.master, []).append(key)
    return table, {name: tuple(dict.fromkeys(some))[:_NAMED] for name, some in rows.items()}


def _waiting(table: TableName, key: t.Sequence[str], unique: t.Sequence[str]) -> sql.Composable:
    """Rows that changed of late, with their key and what must be unique."""
    return sql.SQL(
        "SELECT DISTINCT {key} AS key, {unique} FROM {delta} d JOIN {table} r ON ({same})"
        " WHERE {filled} LIMIT {limit}"
    ).format(
        key=_shown(key),
        unique=sql.SQL(", ").join(
            sql.SQL("r.{0}::text AS {1}").format(sql.Identifier(name), sql.Identifier(f"u{place}"))
            for place, name in enumerate(unique)
        ),
        delta=own_object("delta_", table),
        table=sql.Identifier(table.schema, table.name),
        same=sql.SQL(" AND ").join(
            sql.SQL("r.{0} = d.{0}").format(sql.Identifier(name)) for name in key
        ),
        filled=sql.SQL(" AND ").join(
            sql.SQL("r.{} IS NOT NULL").format(sql.Identifier(name)) for name in unique
        ),
        limit=sql.Literal(_LOOKED_AT),
    )


def _same(table: TableName, key: t.Sequence[str], unique: t.Sequence[str]) -> sql.Composable:
    """Keys of rows with these values. An unknown literal takes the column's type."""
    return sql.SQL("SELECT {key} FROM {table} r WHERE {same}").format(
        key=_shown(key),
        table=sql.Identifier(table.schema, table.name),
        same=sql.SQL(" AND ").join(
            sql.SQL("r.{} = {}").format(sql.Identifier(name), sql.Placeholder(f"u{place}"))
            for place, name in enumerate(unique)
        ),
    )


def _shown(key: t.Sequence[str]) -> sql.Composable:
    """A row's key as people read it: `(id)=(7)`."""
    names = sql.Literal(f"({', '.join(key)})=(")
    values = sql.SQL(" || ', ' || ").join(
        sql.SQL("COALESCE(r.{}::text, 'null')").format(sql.Identifier(name)) for name in key
    )
    return sql.SQL("{} || {} || ')'").format(names, values)

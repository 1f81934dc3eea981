# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables as the catalogs of a master describe them, and which of them take part (pure)."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

from .._common.errors import Refused
from .._common.names import TableName
from .._common.text import nearest

# Schemas that never take part: the system's, Bucardo's own and this collection's.
OWN_SCHEMA = "multimaster"
BUCARDO_SCHEMA = "bucardo"


@dataclasses.dataclass(frozen=True)
class Column:
    """One column, in attnum order within its table.

    :param type: as format_type() writes it, e.g. "character varying(20)".
    :param identity: "" or pg_attribute.attidentity ("a" always, "d" by default).
    :param generated: "" or pg_attribute.attgenerated ("s" stored, "v" virtual).
    :param type_oid: OID on the server that was read; not comparable between servers.
    """

    name: str
    type: str
    not_null: bool
    identity: str = ""
    generated: str = ""
    collation: str = ""
    type_oid: int = 0


@dataclasses.dataclass(frozen=True)
class Index:
    """One index. `columns` is empty for an index over expressions."""

    name: str
    columns: tuple[str, ...]
    unique: bool
    primary: bool
    valid: bool
    partial: bool
    method: str = "btree"


@dataclasses.dataclass(frozen=True)
class Table:
    """One relation that holds rows of users, or looks as if it did.

    :param kind: pg_class.relkind: "r" table, "p" partitioned parent, "m" materialized view,
        "f" foreign table.
    :param persistence: "p" permanent, "u" unlogged, "t" temporary.
    :param bytes: heap and TOAST, without indexes; 0 when it was not read.
    :param rows: the planner's estimate, -1 when never analyzed.
    :param extension: name of the extension that owns it, or "".
    :param quoted: as quote_ident(schema).quote_ident(name) writes it, which knows all keywords.
    """

    name: TableName
    oid: int
    kind: str
    persistence: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    bytes: int = 0
    rows: int = -1
    extension: str = ""
    is_partition: bool = False
    has_row_security: bool = False
    quoted: str = ""

    @property
    def unique_keys(self) -> tuple[Index, ...]:
        """The indexes that tell rows apart: valid, not partial, over plain columns, none of them
        nullable."""
        nullable = {column.name for column in self.columns if not column.not_null}
        return tuple(
            index
            for index in self.indexes
            if index.unique
            and index.valid
            and not index.partial
            and index.columns
            and (index.primary or not nullable.intersection(index.columns))
        )


# What a pattern may say instead of names.
WITHOUT_KEY = "@without-key"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which tables take part, as users write it down.

    Patterns are shell-like and match "schema.table" without quotes (`sales.*`, `*.log_*`); an
    exact name in SQL notation matches just that table; `@without-key` matches all tables by whose
    rows nothing can tell them apart. They are matched here, against the whole
    catalog of the origin, and never become SQL.
    """

    include: tuple[str, ...] = ("*.*",)
    exclude: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> Selection:
        """From a task's options `tables` and `exclude`."""
        return cls(tuple(options["tables"]), tuple(options["exclude"]))

    @classmethod
    def named(cls, names: t.Iterable[TableName]) -> Selection:
        """Just these tables."""
        return cls(tuple(str(name) for name in names))

    def without(self, patterns: t.Iterable[str]) -> Selection:
        """The same, with more to leave out."""
        return dataclasses.replace(self, exclude=(*self.exclude, *patterns))

    def of(self, tables: t.Iterable[Table], option: str = "tables") -> list[Table]:
        """The tables that take part, sorted by name.

        Ordinary permanent tables and partition leaves take part when a wildcard matches them; a
        name without wildcard selects whatever it names, so that preflight can say why it cannot be
        replicated. Tables of extensions take part only when named.

        :param option: what users call the list of those to include.
        :raises Refused: when an entry of either list matches nothing, naming the nearest table.
        """
        everything = [
            table for table in tables if table.name.schema not in (OWN_SCHEMA, BUCARDO_SCHEMA)
        ]
        chosen: dict[TableName, Table] = {}
        for pattern in self.include:
            for table in _matching(pattern, everything, option):
                by_wildcard = _plain(table.name) != _plain_pattern(pattern)
                if by_wildcard and not _ordinary(table):
                    continue
                chosen[table.name] = table
        for pattern in self.exclude:
            for table in _matching(pattern, everything, "exclude"):
                chosen.pop(table.name, None)
        return sorted(chosen.values(), key=lambda table: table.name)


def select(
    tables: t.Iterable[Table], include: t.Iterable[str], exclude: t.Iterable[str]
) -> list[Table]:
    """See `Selection.of`."""
    return Selection(tuple(include), tuple(exclude)).of(tables)


def _ordinary(table: Table) -> bool:
    return table.kind == "r" and table.persistence == "p" and not table.extension


def _plain(name: TableName) -> str:
    return f"{name.schema}.{name.name}"


def _plain_pattern(pattern: str) -> str:
    """The pattern without SQL quotes; without a schema, public is meant."""
    try:
        return _plain(TableName.parse(pattern))
    except ValueError:
        return pattern


def _matching(pattern: str, tables: t.Sequence[Table], option: str) -> list[Table]:
    if pattern == WITHOUT_KEY:
        return [table for table in tables if table.kind == "r" and not table.unique_keys]
    plain = _plain_pattern(pattern)
    found = [table for table in tables if _plain(table.name) == plain]
    if not found:
        found = [table for table in tables if fnmatch.fnmatchcase(_plain(table.name), plain)]
    if found or plain == "*.*":
        return found
    names = [_plain(table.name) for table in tables]
    hint = nearest(plain, names, "Check schema, capitals and spelling.")
    raise Refused(f"{option}: {pattern!r} matches no table of the origin", hint)

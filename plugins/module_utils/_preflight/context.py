# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was found, and what every check needs to know about it (pure)."""

from __future__ import annotations

import typing as t

from .._bucardo.keys import registered_key
from .._common.errors import Refused
from .._common.names import TableName
from .._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA, WITHOUT_KEY, Table, select
from .facts import Database, Facts, Server, Setting, SurveyedMaster
from .key_types import KeyType


class Context:
    """The facts, and what every check needs to know about them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.wanted = facts.wanted
        origins = [master for master in facts.masters if master.origin]
        # Comparisons need one reference; several origins are a blocker of their own.
        self.origin: SurveyedMaster | None = origins[0] if len(origins) == 1 else None
        self.targets = [master for master in facts.masters if not master.origin]
        self.unknown: list[tuple[str, str, str]] = []
        self.selected: list[Table] = []
        self.left_out: list[Table] = []
        if self.origin and self.origin.database:
            self._select(self.origin.database.tables)
        self.names = {table.name for table in self.selected}

    def _select(self, tables: t.Sequence[Table]) -> None:
        include = self._known("tables", tables, self.wanted.tables)
        exclude = self._known("exclude", tables, self.wanted.exclude)
        self.selected = select(tables, include, exclude)
        chosen = {table.name for table in self.selected}
        for table in tables:
            if table.name in chosen or table.name.schema in (OWN_SCHEMA, BUCARDO_SCHEMA):
                continue
            if table.kind == "r" and table.persistence == "p":
                continue
            if any(matches(table, p) for p in include) and not any(
                matches(table, p) for p in exclude
            ):
                self.left_out.append(table)

    def _known(
        self, option: str, tables: t.Sequence[Table], patterns: t.Sequence[str]
    ) -> list[str]:
        """The patterns that match something; `unknown` gets the others, all of them."""
        good = []
        for pattern in patterns:
            try:
                # A table that is excluded must exist, too: hence the same question.
                select(tables, [pattern], [])
            except Refused as error:
                self.unknown.append((option, pattern, error.one_line))
            else:
                good.append(pattern)
        return good

    def excluded(self, name: TableName) -> bool:
        """Whether the user put one of the origin's tables into exclude, by its name."""
        tables = self.origin.database.tables if self.origin and self.origin.database else ()
        patterns = [one for one in self.wanted.exclude if one != WITHOUT_KEY]
        return any(
            table.name == name and any(matches(table, pattern) for pattern in patterns)
            for table in tables
        )

    def servers(self) -> t.Iterator[tuple[SurveyedMaster, Server]]:
        """Every master whose server could be read."""
        for master in self.facts.masters:
            if master.server:
                yield master, master.server

    def databases(self) -> t.Iterator[tuple[SurveyedMaster, Database]]:
        """Every master whose database is there and could be read."""
        for master in self.facts.masters:
            if master.database:
                yield master, master.database

    def copies(self) -> t.Iterator[tuple[SurveyedMaster, Database, Table]]:
        """Every selected table on every master that has it."""
        for master, database in self.databases():
            for table in database.tables:
                if table.name in self.names:
                    yield master, database, table

    def cloned_targets(self) -> t.Iterator[tuple[SurveyedMaster, Database, dict[TableName, Table]]]:
        """Targets whose database already has some of the selected tables, and those."""
        for master in self.targets:
            if master.database:
                found = {x.name: x for x in master.database.tables if x.name in self.names}
                if found:
                    yield master, master.database, found

    @property
    def origin_name(self) -> str:
        """The origin's name, "" without a single origin."""
        return self.origin.name if self.origin else ""

    def key_types(self, table: Table) -> dict[str, KeyType]:
        """The columns by which rows of one of the origin's tables are told apart."""
        database = self.origin.database if self.origin else None
        known = database.key_types.get(table.name, {}) if database else {}
        types = {column.name: column.type for column in table.columns}
        return {
            name: known.get(name) or KeyType.of(types.get(name, ""))
            for name in registered_key(table)
        }

    def effective(self, master: SurveyedMaster, server: Server, name: str) -> Setting | None:
        """The setting that a session of Bucardo's role would start with, None when not known."""
        fitting = [
            setting
            for setting in server.settings
            if setting.name == name
            and setting.role in ("", self.wanted.bucardo_user)
            and setting.database in ("", master.dbname)
        ]
        return max(fitting, key=lambda setting: setting.rank) if fitting else None

    def twins(self) -> t.Iterator[tuple[SurveyedMaster, SurveyedMaster]]:
        """Masters that are the same database as one before them, and that one."""
        seen: dict[tuple[str, str], SurveyedMaster] = {}
        for master, server in self.servers():
            if server.identity:
                first = seen.setdefault((server.identity, master.dbname), master)
                if first is not master:
                    yield master, first


def matches(table: Table, pattern: str) -> bool:
    """Whether a pattern of tables, exclude or replace means a table."""
    try:
        select([table], [pattern], [])
    except Refused:
        return False
    return True


def base_type(type_: str) -> str:
    """A type's name without its schema and length."""
    return type_.split("(")[0].split(".")[-1]

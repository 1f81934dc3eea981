# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of tables and of Bucardo's objects, and the rules that they must meet (pure)."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

# Bucardo finds its own triggers by '^bucardo' only; above this length it calls the truncate
# trigger btrunc_..., does not find it again and fails on the next validation.
# (bucardo.schema, validate_sync: $trunctrig)
SYNC_NAME_MAX = 42
# check constraint sync_name_sane of bucardo.sync
SYNC_NAMES_RESERVED = frozenset({"pushdelta", "fullcopy", "swap", "sync"})
_SANE_NAME = re.compile(r"[a-zA-Z]\w*", re.ASCII)
# PostgreSQL's NAMEDATALEN - 1, in bytes
IDENTIFIER_MAX = 63


@dataclasses.dataclass(frozen=True, order=True)
class TableName:
    """A schema-qualified relation name, unquoted as the catalogs hold it."""

    schema: str
    name: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read SQL notation: `orders`, `public.orders`, `"My Schema"."Order Items"`.

        Unlike SQL, unquoted parts keep their case: a list of names in an inventory means what it
        says. Without a schema, `public` is meant.

        :raises ValueError: when the text is not one or two identifiers.
        """
        part = r'(?:"((?:[^"]|"")+)"|([^".\s](?:[^".]*[^".\s])?))'
        match = re.fullmatch(rf"\s*(?:{part}\.)?{part}\s*", text)
        if not match:
            raise ValueError(
                f"{text!r} is not a table name; write schema.table,"
                ' with "double quotes" around parts that hold a dot or a quote'
            )
        quoted_schema, plain_schema, quoted_name, plain_name = match.groups()
        schema = quoted_schema.replace('""', '"') if quoted_schema else plain_schema
        name = quoted_name.replace('""', '"') if quoted_name else plain_name
        return cls(schema or "public", name)

    def __str__(self) -> str:
        return f"{quote_if_needed(self.schema)}.{quote_if_needed(self.name)}"


@dataclasses.dataclass(frozen=True)
class SyncKey:
    """A sync, and the dbgroup as which it notes in track tables what it has done."""

    sync: str
    dbgroup: str

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> SyncKey:
        """From a task's options; the dbgroup is called like the sync if nothing else is said."""
        return cls(options["sync"], options.get("dbgroup") or options["sync"])


def quote_if_needed(identifier: str) -> str:
    """For people and for TableName.parse; SQL text is composed with psycopg2.sql instead."""
    if re.fullmatch(r"[^\W\d]\w*", identifier):
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def delta_suffix(table: TableName) -> str:
    """What Bucardo appends to delta_, track_, stage_, dex1_ ... for a table, unquoted.

    Two tables with the same suffix would share one delta table.
    Source: bucardo_tablename_maker in bucardo.schema 5.6.0; its SUBSTRING counts characters.
    """
    flat = f"{table.schema}_{table.name}".replace(".", "_")
    if len(flat) > 57:
        digest = hashlib.md5(flat.encode("utf-8"), usedforsecurity=False).hexdigest()
        return f"{flat[:46]}!{digest[:10]}"
    return flat


def quoted_delta_suffix(quoted: str) -> str:
    """The same as Bucardo derives it from a quoted name (bucardo_delta_names, purge).

    Its triggers derive theirs from the plain name; quotes count only here.
    """
    flat = quoted.replace(".", "_")
    if len(flat) > 57:
        digest = hashlib.md5(flat.encode("utf-8"), usedforsecurity=False).hexdigest()
        flat = f"{flat[:46]}!{digest[:10]}"
    return flat.replace('"', "")


def problem_with_sync_name(name: str) -> str:
    """Why Bucardo cannot take this sync name, or "" when it can."""
    if not _SANE_NAME.fullmatch(name):
        return "must start with a letter and hold only letters, digits and underscores"
    if name.lower() in SYNC_NAMES_RESERVED:
        return "is reserved by Bucardo"
    if len(name) > SYNC_NAME_MAX:
        return f"is longer than {SYNC_NAME_MAX} characters"
    return ""


def problem_with_object_name(name: str) -> str:
    """Why Bucardo cannot take this name for a database, dbgroup or relgroup, or ""."""
    if not _SANE_NAME.fullmatch(name):
        return "must start with a letter and hold only letters, digits and underscores"
    if len(name) > IDENTIFIER_MAX:
        return f"is longer than {IDENTIFIER_MAX} characters"
    return ""


def problem_with_dbname(name: str) -> str:
    """Why Bucardo cannot connect to a database of this name, or "" when it can.

    Bucardo puts the name into a DBD::Pg connection string as it is (db_getconn in bucardo.schema,
    connect_database in Bucardo.pm). A name in single quotes survives that, unless DBD::Pg itself
    changes it: it pairs every single quote, turns double quotes into single ones after a quoted
    name, and rewrites the first "db=". A service file (dbservice) takes any name.
    """
    if not name:
        return "is empty"
    if "\n" in name or "\r" in name:
        return "holds a line break"
    if "'" in name:
        return "holds a single quote, which Bucardo cannot pass on"
    if re.search(r"\b(?:db|database)\s*=", name):
        return "holds 'db=' or 'database=', which Bucardo's driver rewrites"
    if '"' in name and (name.startswith('"') or re.search(r"[\s;\\]", name)):
        return "holds a double quote together with a blank, which Bucardo cannot pass on"
    return ""

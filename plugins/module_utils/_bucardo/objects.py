# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the control database holds, as dataclasses (pure).

Column names and their meaning: bucardo.schema 5.6.0.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._common.names import SyncKey, TableName
from .._common.text import listed
from .._postgres.tables import Table

STRATEGIES = ("bucardo_latest", "bucardo_latest_all_tables", "bucardo_abort", "bucardo_custom")
# In Bucardo's manual, but at the first conflict the sync stops with "no such database"
# (Bucardo.pm 5.6.0, conflict handling).
_UNIMPLEMENTED = ("bucardo_source", "bucardo_target", "bucardo_skip", "bucardo_random")


@dataclasses.dataclass(frozen=True)
class DatabaseRecord:
    """A row of bucardo.db. The password is never part of it.

    :param host: "" where libpq decides, as for port and service.
    :param conn: further DSN text, "key=value;key=value".
    :param has_password: whether the catalog holds one.
    :param status: "active", "inactive" or "stalled" (set by the daemon).
    """

    name: str
    host: str = ""
    port: str = ""
    dbname: str = ""
    user: str = ""
    conn: str = ""
    service: str = ""
    has_password: bool = False
    status: str = "active"
    server_side_prepares: bool = True
    dbtype: str = "postgres"
    dsn: str = ""
    makedelta: bool = False

    def to_result(self) -> dict[str, t.Any]:
        """For results and diffs."""
        values = dataclasses.asdict(self)
        for internal in ("dbtype", "dsn", "makedelta"):
            del values[internal]
        return values


@dataclasses.dataclass(frozen=True)
class Dbgroup:
    """A group of databases; `members` maps database to role."""

    name: str
    members: t.Mapping[str, str]

    @property
    def sources(self) -> list[str]:
        """The databases whose changes are replicated, sorted."""
        return sorted(db for db, role in self.members.items() if role == "source")


@dataclasses.dataclass(frozen=True)
class Goat:
    """A table or sequence that Bucardo knows.

    :param reltype: "table" or "sequence".
    :param key: the columns by which rows are identified; empty without a usable key.
    :param key_types: the same columns' types (pg_type.typname; integers spelled out).
    :param relgroups: the relgroups that hold it, sorted.
    """

    id: int
    db: str
    name: TableName
    reltype: str = "table"
    key: tuple[str, ...] = ()
    key_types: tuple[str, ...] = ()
    autokick: bool | None = None
    relgroups: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class SyncTables:
    """The tables of a sync, and what else Bucardo knows of their database.

    :param members: that are in its relgroup.
    :param known: by name; also those that are set aside, which are in no relgroup.
    """

    members: tuple[Goat, ...]
    known: t.Mapping[TableName, Goat]

    @classmethod
    def of(cls, relgroup: str, goats: t.Iterable[Goat]) -> SyncTables:
        """:param goats: all that Bucardo knows."""
        tables = [goat for goat in goats if goat.reltype == "table"]
        members = tuple(goat for goat in tables if relgroup in goat.relgroups)
        where = {goat.db for goat in members or tables}
        known = {goat.name: goat for goat in tables if goat.db in where}
        return cls(members, {**known, **{goat.name: goat for goat in members}})


@dataclasses.dataclass(frozen=True)
class NewGoat:
    """A relation to be added, with the key that its database's catalog shows."""

    name: TableName
    reltype: str = "table"
    key: tuple[str, ...] = ()
    key_types: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class RelationFacts:
    """What the catalog of a relgroup's database holds.

    :param types: pg_type.typname by OID.
    """

    tables: t.Mapping[TableName, Table]
    sequences: t.AbstractSet[TableName]
    types: t.Mapping[int, str]


@dataclasses.dataclass(frozen=True)
class Sync:
    """A row of bucardo.sync.

    :param options: the columns that are options of bucardo_sync, see `columns.SYNC`; intervals
        are PostgreSQL's text form, None where the column is null.
    """

    name: str
    relgroup: str
    dbgroup: str
    status: str = "active"
    options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    copyextra: str = ""

    @property
    def key(self) -> SyncKey:
        """As which it notes what it has done."""
        return SyncKey(self.name, self.dbgroup)

    def to_result(self) -> dict[str, t.Any]:
        """For results and diffs: with our word for its status."""
        return {
            "name": self.name,
            "relgroup": self.relgroup,
            "dbgroup": self.dbgroup,
            "status": shown_status(self.status),
            "copyextra": self.copyextra,
            **self.options,
        }


def shown_status(status: str) -> str:
    """The status of a sync in our words."""
    return "held" if status == "inactive" else status


@dataclasses.dataclass(frozen=True)
class BucardoSetting:
    """A row of bucardo.bucardo_config."""

    name: str
    value: str
    default: str
    about: str = ""


@dataclasses.dataclass(frozen=True)
class SyncRun:
    """A row of bucardo.syncrun: one run of a sync.

    :param outcome: "good", "bad", "empty" or "running" ("other" for a superseded run).
    :param details: the error's text after a bad run.
    """

    sync: str
    started: str
    ended: str | None
    outcome: str
    status: str
    details: str
    truncates: int
    deletes: int
    inserts: int
    conflicts: int


# The check constraint customcode_whenrun. The program offers ..._trigger_drop for ..._disable.
WHENRUN = [
    "before_txn",
    "before_check_rows",
    "before_trigger_disable",
    "after_trigger_disable",
    "after_table_sync",
    "exception",
    "conflict",
    "before_trigger_enable",
    "after_trigger_enable",
    "after_txn",
    "before_sync",
    "after_sync",
]


# Custom code of this collection, see corrections.py: it looks at no row.
CORRECTIONS = "multimaster_corrections"


@dataclasses.dataclass(frozen=True)
class Customcode:
    """A row of bucardo.customcode with the syncs and relations that it is attached to.

    :param syncs: sync name to (active, priority).
    :param relations: relation to (active, priority).
    """

    name: str
    whenrun: str
    src_code: str
    about: str = ""
    getdbh: bool = True
    status: str = "active"
    syncs: t.Mapping[str, tuple[bool, int]] = dataclasses.field(default_factory=dict)
    relations: t.Mapping[TableName, tuple[bool, int]] = dataclasses.field(default_factory=dict)

    def to_result(self) -> dict[str, t.Any]:
        """For results and diffs."""
        places = [*self.syncs.values(), *self.relations.values()]
        return {
            "name": self.name,
            "whenrun": self.whenrun,
            "src_code": self.src_code,
            "about": self.about,
            "getdbh": self.getdbh,
            "status": self.status,
            "syncs": sorted(self.syncs),
            "relations": sorted(str(relation) for relation in self.relations),
            "priority": places[0][1] if places else 0,
        }


@dataclasses.dataclass(frozen=True)
class Override:
    """A row of bucardo.customname or bucardo.customcols.

    :param relation_db: the database to which Bucardo's entry of the relation belongs.
    :param value: the other name, or the SELECT clause.
    :param db: the database that it is for; "" for all.
    :param sync: the sync that it is for; "" for all.
    """

    id: int
    relation_db: str
    relation: TableName
    value: str
    db: str = ""
    sync: str = ""


def split_list(text: str | None) -> tuple[str, ...]:
    """Bucardo's "a|b|c" (goat.pkey, qpkey, pkeytype) as a tuple."""
    return tuple(text.split("|")) if text else ()


def parse_dsn(text: str) -> dict[str, str]:
    """The parameters in bucardo.db.dbconn: "key=value;key='quoted value'".

    As DBD::Pg reads it: ";" outside of single quotes is a blank, the rest is a libpq
    connection string.
    https://metacpan.org/dist/DBD-Pg/view/Pg.pm#connect

    :raises ValueError: when it is not such a text.
    """
    params: dict[str, str] = {}
    position, end = 0, len(text)
    while position < end:
        if text[position] in "; \t\n":
            position += 1
            continue
        key, separator, _rest = text[position:].partition("=")
        if not separator:
            raise ValueError(f"no '=' after {key!r}")
        position += len(key) + 1
        value: list[str] = []
        quoted = position < end and text[position] == "'"
        position += quoted
        while position < end:
            char = text[position]
            if (quoted and char == "'") or (not quoted and char in "; \t\n"):
                break
            if char == "\\" and position + 1 < end:
                position += 1
                char = text[position]
            value.append(char)
            position += 1
        if quoted and position >= end:
            raise ValueError(f"the quote of {key.strip()!r} is not closed")
        position += quoted
        params[key.strip()] = "".join(value)
    return params


def format_dsn(params: t.Mapping[str, str]) -> str:
    """The opposite of parse_dsn, keys sorted."""
    return ";".join(f"{key}={_dsn_value(str(params[key]))}" for key in sorted(params))


def libpq_params(database: DatabaseRecord, password: str) -> dict[str, str]:
    """The libpq keywords with which Bucardo connects to a database.

    :raises ValueError: when `conn` cannot be read.
    """
    given = {
        "dbname": database.dbname,
        "host": database.host,
        "port": database.port,
        "service": database.service,
        "user": database.user,
        "password": password,
    }
    params = {keyword: value for keyword, value in given.items() if value}
    return {**params, **parse_dsn(database.conn)}


def encode_dbname(name: str) -> str:
    """A database's name as bucardo.db.dbname must hold it; see `names.problem_with_dbname`."""
    if re.search(r"[\s;\\]", name):
        return "'" + name.replace("\\", "\\\\") + "'"
    return name


def decode_dbname(stored: str) -> str:
    """The opposite of encode_dbname."""
    try:
        return parse_dsn(f"dbname={stored}").get("dbname", "")
    except ValueError:
        return stored


def _dsn_value(value: str) -> str:
    if value and not any(char in value for char in "'\\; \t\n"):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def problem_with_strategy(strategy: str, members: t.Collection[str]) -> str:
    """Why Bucardo would stop at the first conflict with this strategy, or "" (pure).

    :param members: databases of the sync's group.
    """
    if strategy in STRATEGIES:
        return ""
    if strategy in _UNIMPLEMENTED:
        return f"{strategy} is documented by Bucardo but not implemented"
    words = strategy.replace(",", " ").split()
    if not words:
        return "is empty"
    unknown = [word for word in words if word not in members]
    if unknown:
        return f"{unknown[0]!r} is neither a strategy nor a database of the group"
    unnamed = [name for name in members if name not in words]
    if len(unnamed) > 1:
        # Bucardo.pm 5.6.0, conflict handling: with one name that database's row replaces both, with
        # several nobody's row goes anywhere, and the changes are marked as replicated.
        return f"between {listed(unnamed)} nobody would win, and both changes would be lost"
    return ""


def strategy_among(strategy: str, members: t.Collection[str]) -> str:
    """A strategy without the names of databases that are not members, the default where none is
    left (pure).

    Bucardo pauses a sync at the first conflict when its strategy names anybody else.
    """
    if strategy in STRATEGIES:
        return strategy
    return " ".join(word for word in strategy.split() if word in members) or STRATEGIES[0]

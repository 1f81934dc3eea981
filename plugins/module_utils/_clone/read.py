# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a server's roles, a database and its schema."""

from __future__ import annotations

import dataclasses
import os
import shlex
import typing as t

from .._common.errors import Refused
from .._postgres import database_client, dump, pgdump, roles_client
from .._postgres import roles as postgres_roles
from .._postgres.conninfo import ConnInfo
from .._postgres.database import DatabaseSpec
from .._postgres.identity import RUNNING_SERVER
from .._postgres.pg import Session
from .._postgres.tables import BUCARDO_SCHEMA
from . import schema
from .facts import SECTIONS, CloneOptions, SchemaDump, Surroundings

# OID of the catalog pg_trigger, which has been the same in every version.
_PG_TRIGGER = 2620

# Bucardo's triggers sit on the users' tables, so leaving its schema out does not leave them out;
# their functions tell them apart under every name that Bucardo gives them.
_BUCARDO_TRIGGERS = """
SELECT t.oid::bigint FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = %s
"""
_INVALID_INDEXES = """
SELECT n.nspname AS schema, r.relname AS table, x.relname AS name
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class r ON r.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
 WHERE NOT i.indisvalid AND x.relkind = 'i'
"""
_TABLESPACES_USED = """
SELECT DISTINCT s.spcname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE s.spcname <> 'pg_global' AND n.nspname <> ALL (%s)
"""
_TABLESPACES = "SELECT spcname FROM pg_catalog.pg_tablespace"
_EXTENSIONS = "SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'"
_AVAILABLE = "SELECT name FROM pg_catalog.pg_available_extensions"


@dataclasses.dataclass(frozen=True)
class Side:
    """One server, with a session in the database to clone or, when absent, in another."""

    login: ConnInfo
    session: Session
    roles: postgres_roles.Roles
    database: DatabaseSpec | None

    @property
    def major(self) -> int:
        """The server's major version."""
        return self.session.server_version // 10000

    @property
    def name(self) -> str:
        """The master's."""
        return self.login.name


def read_side(session: Session, login: ConnInfo) -> Side:
    """What a server says about the database of this login."""
    return Side(
        login,
        session,
        roles_client.read_roles(session, login.dbname),
        database_client.read_database(session, login.dbname),
    )


def refuse_unless_apart(source: Side, target: Side) -> None:
    """:raises Refused: unless the target is another, writable database."""
    if target.session.value("SELECT pg_catalog.pg_is_in_recovery()"):
        raise Refused(f"{target.login} is a standby and cannot be written to", "Name its primary.")
    server = f"SELECT {RUNNING_SERVER}"
    if source.login.dbname == target.login.dbname and source.session.value(
        server
    ) == target.session.value(server):
        raise Refused(
            f"source and target are the same database, {source.login}",
            "Check login_host, login_port and login_db of both.",
        )


def read_needs(source: Side, options: CloneOptions, tablespaces: t.Iterable[str]) -> Surroundings:
    """What the source's schema needs.

    :param tablespaces: that are needed besides those of its objects.
    """
    used: set[str] = set()
    if options.tablespaces:
        used.update(tablespaces)
        used.update(source.session.column(_TABLESPACES_USED, (list(options.schemas_left_out),)))
    return Surroundings(
        roles=frozenset(source.roles.needed) - set(options.exclude_roles),
        extensions=frozenset(source.session.column(_EXTENSIONS)),
        tablespaces=frozenset(used),
    )


def read_offer(target: Side, roles: t.Iterable[str]) -> Surroundings:
    """What the target has.

    :param roles: that it will have by then, besides those that are there.
    """
    return Surroundings(
        roles=frozenset({*target.roles.roles, *roles}),
        extensions=frozenset(target.session.column(_AVAILABLE)),
        tablespaces=frozenset(target.session.column(_TABLESPACES)),
    )


@dataclasses.dataclass(frozen=True)
class Dumper:
    """Dumps schemas into a directory.

    :param majors: of the servers whose dumps are going to be compared.
    """

    tools: pgdump.Tools
    directory: str
    options: CloneOptions
    majors: tuple[int, ...]

    def schema_of(self, login: ConnInfo, label: str) -> SchemaDump:
        """Read one database's schema, in a session of its own.

        :param label: name of the archive.
        """
        archive = os.path.join(self.directory, label)
        with (
            Session(login) as session,
            session.transaction("ISOLATION LEVEL REPEATABLE READ", "READ ONLY"),
        ):
            # One snapshot, so that the list of Bucardo's triggers fits the dump.
            snapshot = session.value("SELECT pg_catalog.pg_export_snapshot()")
            triggers = set(session.column(_BUCARDO_TRIGGERS, (BUCARDO_SCHEMA,)))
            pending = tuple(schema.IndexName(**row) for row in session.rows(_INVALID_INDEXES))
            argv = self.tools.dump_schema(
                login,
                archive,
                snapshot,
                self.options.schemas_left_out,
                self.options.lock_timeout,
            )
        entries = tuple(dump.without(self.tools.toc(archive), _PG_TRIGGER, triggers))
        before, after = (self._blocks(archive, entries, one) for one in SECTIONS["whole"])
        return SchemaDump(archive, shlex.join(argv), entries, before, after, pending)

    def _blocks(
        self, archive: str, entries: t.Sequence[dump.TocEntry], section: str
    ) -> list[schema.Block]:
        script = self.tools.script(archive, entries, (section,), self.options.tablespaces)
        return schema.comparable(schema.parse_script(script), self.majors)

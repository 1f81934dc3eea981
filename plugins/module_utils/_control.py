# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""The control database: its catalog as dataclasses, and the writes that the CLI cannot do well."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._cli import Bucardo
from ansible_collections.multimaster.bucardo.plugins.module_utils._conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._objects import (
    Database,
    Dbgroup,
    Goat,
    Run,
    Setting,
    Sync,
    parse_dsn,
    split_list,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._pg import Session

CONTROL_DB = "bucardo"
THE_CONTROL_DB = "the control database"

_DATABASES = """
SELECT name, COALESCE(dbhost, '') AS host, COALESCE(dbport, '') AS port,
       COALESCE(dbname, '') AS dbname, COALESCE(dbuser, '') AS "user", dbconn AS conn,
       COALESCE(dbservice, '') AS service, COALESCE(dbpass, '') <> '' AS has_password, status,
       server_side_prepares, dbtype, dbdsn AS dsn, makedelta
  FROM bucardo.db ORDER BY name
"""
_DBGROUPS = """
SELECT g.name, m.db, m.role
  FROM bucardo.dbgroup g LEFT JOIN bucardo.dbmap m ON m.dbgroup = g.name
 ORDER BY g.name, m.db
"""
_GOATS = """
SELECT g.id, g.db, g.schemaname, g.tablename, g.reltype, g.pkey, g.qpkey, g.pkeytype,
       g.autokick, g.strict_checking,
       ARRAY(SELECT h.herd FROM bucardo.herdmap h WHERE h.goat = g.id ORDER BY h.herd)
         AS relgroups
  FROM bucardo.goat g
 WHERE %(relgroup)s::text IS NULL
    OR g.id IN (SELECT goat FROM bucardo.herdmap WHERE herd = %(relgroup)s)
 ORDER BY g.db, g.schemaname, g.tablename, g.id
"""
_SYNCS = """
SELECT name, COALESCE(herd, '') AS relgroup, COALESCE(dbs, '') AS dbgroup, status, autokick,
       conflict_strategy, stayalive, kidsalive, copyextra, deletemethod,
       checktime::text AS checktime, rebuild_index, priority, analyze_after_copy,
       vacuum_after_copy, strict_checking, overdue::text AS overdue, expired::text AS expired,
       track_rates, onetimecopy, lifetime::text AS lifetime, maxkicks, isolation_level
  FROM bucardo.sync ORDER BY name
"""
_RUNS = """
SELECT sync, started::text AS started, ended::text AS ended, COALESCE(status, '') AS status,
       COALESCE(details, '') AS details, truncates, deletes, inserts, conflicts,
       CASE WHEN lastgood THEN 'good' WHEN lastbad THEN 'bad' WHEN lastempty THEN 'empty'
            WHEN ended IS NULL THEN 'running' ELSE 'other' END AS outcome
  FROM bucardo.syncrun
 WHERE sync = %(sync)s AND (lastgood OR lastbad OR lastempty OR ended IS NULL)
 ORDER BY syncrun.started DESC
"""


class Control:
    """Reads and writes of the control database through one session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def cli(self) -> Bucardo:
        """The bucardo program, talking to the same control database as the same role."""
        info = self.session.connection.info
        conninfo = self.session.conninfo.with_params(dbname=info.dbname, user=info.user)
        return Bucardo(conninfo)

    @property
    def installed(self) -> bool:
        """Whether Bucardo's schema is in this database."""
        return bool(
            self.session.value(
                "SELECT pg_catalog.to_regclass('bucardo.bucardo_config') IS NOT NULL"
            )
        )

    @property
    def version(self) -> str:
        """The version that the schema says it has, e.g. "5.6.0"."""
        return str(
            self.session.value(
                "SELECT setting FROM bucardo.bucardo_config WHERE name = 'bucardo_version'"
            )
            or ""
        )

    def settings(self) -> dict[str, Setting]:
        """Name to setting, without those of single syncs and relations."""
        rows = self.session.rows(
            "SELECT name, setting AS value, COALESCE(defval, '') AS \"default\","
            " COALESCE(about, '') AS about FROM bucardo.bucardo_config"
            " WHERE item IS NULL ORDER BY name"
        )
        return {row["name"]: Setting(**row) for row in rows}

    def databases(self) -> dict[str, Database]:
        """Name to database."""
        return {row["name"]: Database(**row) for row in self.session.rows(_DATABASES)}

    def database(self, name: str) -> Database | None:
        """One database, None when there is none of that name."""
        return self.databases().get(name)

    def conninfo(self, name: str) -> ConnInfo:
        """How Bucardo connects to a database, with its stored password if it has one.

        Only for connecting: the result holds a secret.

        :raises Refused: for a database that is not there or cannot be reached by libpq.
        """
        row = self.session.row("SELECT * FROM bucardo.db WHERE name = %s", (name,))
        if row is None:
            raise Refused(f"Bucardo has no database {name!r}")
        if row["dbtype"] != "postgres" or row["dbdsn"]:
            raise Refused(f"Bucardo's database {name!r} is not a plain PostgreSQL database")
        given = {
            "dbname": row["dbname"],
            "host": row["dbhost"],
            "port": row["dbport"],
            "service": row["dbservice"],
            "user": row["dbuser"],
            "password": row["dbpass"],
        }
        params = {keyword: str(value) for keyword, value in given.items() if value}
        try:
            params.update(parse_dsn(row["dbconn"]))
        except ValueError as error:
            raise Refused(f"conn of Bucardo's database {name!r} cannot be read: {error}") from error
        # As PostgreSQL reads 'quoted name' in a DSN; see problem_with_dbname.
        if "dbname" in params:
            with contextlib.suppress(ValueError, KeyError):
                params["dbname"] = parse_dsn(f"dbname={params['dbname']}")["dbname"]
        return ConnInfo(name, params)

    def dbgroups(self) -> dict[str, Dbgroup]:
        """Name to group."""
        members: dict[str, dict[str, str]] = {}
        for row in self.session.rows(_DBGROUPS):
            group = members.setdefault(row["name"], {})
            if row["db"] is not None:
                group[row["db"]] = row["role"]
        return {name: Dbgroup(name, roles) for name, roles in members.items()}

    def relgroups(self) -> list[str]:
        """Names of all relgroups (bucardo.herd)."""
        return self.session.column("SELECT name FROM bucardo.herd ORDER BY name")

    def goats(self, relgroup: str | None = None) -> list[Goat]:
        """The tables and sequences of one relgroup, or all that Bucardo knows."""
        return [
            Goat(
                id=row["id"],
                db=row["db"],
                name=TableName(row["schemaname"], row["tablename"]),
                reltype=row["reltype"],
                key=split_list(row["pkey"]),
                quoted_key=split_list(row["qpkey"]),
                key_types=split_list(row["pkeytype"]),
                autokick=row["autokick"],
                strict_checking=row["strict_checking"],
                relgroups=tuple(row["relgroups"]),
            )
            for row in self.session.rows(_GOATS, {"relgroup": relgroup})
        ]

    def syncs(self) -> dict[str, Sync]:
        """Name to sync."""
        return {row["name"]: Sync(**row) for row in self.session.rows(_SYNCS)}

    def sync(self, name: str) -> Sync | None:
        """One sync, None when there is none of that name."""
        return self.syncs().get(name)

    def runs(self, sync: str) -> list[Run]:
        """The sync's running, last good, last bad and last empty runs, newest first."""
        return [Run(**row) for row in self.session.rows(_RUNS, {"sync": sync})]


@contextlib.contextmanager
def connect(params: t.Mapping[str, t.Any]) -> t.Iterator[Control]:
    """The control database that a module's login options name; closed at the end.

    :raises Refused: when Bucardo is not installed there.
    """
    conninfo = ConnInfo.from_options(params, THE_CONTROL_DB, CONTROL_DB)
    with Session(conninfo) as session:
        control = Control(session)
        if not control.installed:
            raise Refused(
                f"Bucardo is not installed in {conninfo}",
                "Run bucardo_install first, or check login_db.",
            )
        yield control

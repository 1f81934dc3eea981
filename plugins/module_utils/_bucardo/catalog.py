# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads Bucardo's catalog in the control database, as dataclasses."""

from __future__ import annotations

import typing as t

from .._common.errors import Refused, StatementFailed
from .._common.names import TableName
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from . import columns
from .daemon_messages import DaemonMessages
from .objects import (
    BucardoSetting,
    Customcode,
    DatabaseRecord,
    Dbgroup,
    Goat,
    Override,
    Sync,
    SyncRun,
    libpq_params,
    split_list,
)

CONTROL_DB = "bucardo"
THE_CONTROL_DB = "the control database"
_ABOUT_SYNC = ("name", "relgroup", "dbgroup", "status", "copyextra")

_DATABASES = f"""
SELECT name, COALESCE(dbpass, '') <> '' AS has_password, dbtype, dbdsn AS dsn, makedelta,
       {columns.selected(columns.DATABASE)}
  FROM bucardo.db ORDER BY name
"""
_DBGROUPS = """
SELECT g.name, m.db, m.role
  FROM bucardo.dbgroup g LEFT JOIN bucardo.dbmap m ON m.dbgroup = g.name
 ORDER BY g.name, m.db
"""
_GOATS = """
SELECT g.id, g.db, g.schemaname, g.tablename, g.reltype, g.pkey, g.pkeytype, g.autokick,
       COALESCE(h.relgroups, '{}') AS relgroups
  FROM bucardo.goat g
  -- No index of herdmap begins with goat: one pass, not one per relation.
  LEFT JOIN (SELECT goat, array_agg(herd ORDER BY herd) AS relgroups
               FROM bucardo.herdmap GROUP BY goat) AS h ON h.goat = g.id
 WHERE %(relgroup)s::text IS NULL
    OR g.id IN (SELECT goat FROM bucardo.herdmap WHERE herd = %(relgroup)s)
 ORDER BY g.db, g.schemaname, g.tablename, g.id
"""
_SYNCS = f"""
SELECT name, COALESCE(herd, '') AS relgroup, COALESCE(dbs, '') AS dbgroup, status, copyextra,
       {columns.selected(columns.SYNC)}
  FROM bucardo.sync ORDER BY name
"""
_CUSTOMCODES = """
SELECT c.name, c.whenrun, c.src_code, COALESCE(c.about, '') AS about, c.getdbh, c.status,
       m.sync, g.schemaname, g.tablename, m.active, m.priority
  FROM bucardo.customcode c
  LEFT JOIN bucardo.customcode_map m ON m.code = c.id AND (m.sync IS NOT NULL OR m.goat IS NOT NULL)
  LEFT JOIN bucardo.goat g ON g.id = m.goat
 ORDER BY c.name
"""
_OVERRIDES = {
    "customname": """
SELECT o.id, g.db AS relation_db, g.schemaname, g.tablename, COALESCE(o.newname, '') AS value,
       COALESCE(o.db, '') AS db, COALESCE(o.sync, '') AS sync
  FROM bucardo.customname o JOIN bucardo.goat g ON g.id = o.goat ORDER BY o.id
""",
    "customcols": """
SELECT o.id, g.db AS relation_db, g.schemaname, g.tablename, COALESCE(o.clause, '') AS value,
       COALESCE(o.db, '') AS db, COALESCE(o.sync, '') AS sync
  FROM bucardo.customcols o JOIN bucardo.goat g ON g.id = o.goat ORDER BY o.id
""",
}
_MAKES_DELTA = """
SELECT g.schemaname, g.tablename FROM bucardo.goat g
 WHERE COALESCE(g.makedelta, '') NOT IN ('', 'off')
    OR EXISTS (SELECT FROM bucardo.db d JOIN bucardo.dbmap m ON m.db = d.name
                WHERE m.dbgroup = %s AND d.makedelta)
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


def is_installed(session: Session) -> bool:
    """Whether Bucardo's schema is in this database."""
    return bool(
        session.value("SELECT pg_catalog.to_regclass('bucardo.bucardo_config') IS NOT NULL")
    )


class Catalog:
    """Bucardo's catalog, read through one session.

    :param session: None for a control database that an earlier task of the play would have made:
        its catalog is empty.
    """

    def __init__(self, session: Session | None) -> None:
        self._session = session
        if session is not None:
            # Triggers and functions of Bucardo's catalog name its tables without their schema.
            session.execute("SET search_path TO bucardo")

    @property
    def installed(self) -> bool:
        """Whether there is a control database."""
        return self._session is not None

    @property
    def session(self) -> Session:
        """For those who keep something of their own beside the catalog, such as the ledger."""
        if self._session is None:
            raise Refused("Bucardo is not installed", "Run bucardo_install first.")
        return self._session

    @property
    def daemon(self) -> DaemonMessages:
        """The daemon that serves it."""
        return DaemonMessages(self._session)

    def _rows(self, query: str, params: t.Any = None) -> list[dict[str, t.Any]]:
        return [] if self._session is None else self._session.rows(query, params)

    def _column(self, query: str, params: t.Any = None) -> list[t.Any]:
        return [] if self._session is None else self._session.column(query, params)

    def _value(self, query: str, params: t.Any = None) -> t.Any:
        return None if self._session is None else self._session.value(query, params)

    @property
    def version(self) -> str:
        """The version that the schema says it has, e.g. "5.6.0"."""
        return str(
            self._value("SELECT setting FROM bucardo.bucardo_config WHERE name = 'bucardo_version'")
            or ""
        )

    def settings(self) -> dict[str, BucardoSetting]:
        """Name to setting, without those of single syncs and relations."""
        rows = self._rows(
            "SELECT name, setting AS value, COALESCE(defval, '') AS \"default\","
            " COALESCE(about, '') AS about FROM bucardo.bucardo_config"
            " WHERE item IS NULL ORDER BY name"
        )
        return {row["name"]: BucardoSetting(**row) for row in rows}

    def shown_settings(self) -> dict[str, str]:
        """Name to value, without passwords."""
        return {
            name: setting.value
            for name, setting in self.settings().items()
            if not name.endswith(("_pass", "_password"))
        }

    def databases(self) -> dict[str, DatabaseRecord]:
        """Name to database."""
        return {
            row["name"]: DatabaseRecord(**{**row, **columns.loaded(columns.DATABASE, row)})
            for row in self._rows(_DATABASES)
        }

    def database(self, name: str) -> DatabaseRecord | None:
        """One database, None when there is none of that name."""
        return self.databases().get(name)

    def conninfo(self, name: str) -> ConnInfo:
        """How Bucardo connects to a database, with its stored password if it has one.

        Only for connecting: the result holds a secret.

        :raises Refused: for a database that is not there or cannot be reached by libpq.
        """
        database = self.database(name)
        if database is None:
            raise Refused(f"Bucardo has no database {name!r}")
        if database.dbtype != "postgres" or database.dsn:
            raise Refused(f"Bucardo's database {name!r} is not a plain PostgreSQL database")
        try:
            return ConnInfo(name, libpq_params(database, self.stored_password(name)))
        except ValueError as error:
            raise Refused(f"conn of Bucardo's database {name!r} cannot be read: {error}") from error

    def login(self, name: str, given: t.Mapping[str, ConnInfo]) -> ConnInfo:
        """How this collection connects to a database: as it was told, otherwise as Bucardo does.

        :param given: by name, those who were told of.
        :raises Refused: as `conninfo`.
        """
        return given.get(name) or self.conninfo(name)

    def dbgroups(self) -> dict[str, Dbgroup]:
        """Name to group."""
        members: dict[str, dict[str, str]] = {}
        for row in self._rows(_DBGROUPS):
            group = members.setdefault(row["name"], {})
            if row["db"] is not None:
                group[row["db"]] = row["role"]
        return {name: Dbgroup(name, roles) for name, roles in members.items()}

    def relgroups(self) -> list[str]:
        """Names of all relgroups (bucardo.herd)."""
        return self._column("SELECT name FROM bucardo.herd ORDER BY name")

    def goats(self, relgroup: str | None = None) -> list[Goat]:
        """The tables and sequences of one relgroup, or all that Bucardo knows."""
        return [
            Goat(
                id=row["id"],
                db=row["db"],
                name=TableName(row["schemaname"], row["tablename"]),
                reltype=row["reltype"],
                key=split_list(row["pkey"]),
                key_types=split_list(row["pkeytype"]),
                autokick=row["autokick"],
                relgroups=tuple(row["relgroups"]),
            )
            for row in self._rows(_GOATS, {"relgroup": relgroup})
        ]

    def syncs(self) -> dict[str, Sync]:
        """Name to sync."""
        found = {}
        for row in self._rows(_SYNCS):
            about = {key: row[key] for key in _ABOUT_SYNC}
            found[row["name"]] = Sync(**about, options=columns.loaded(columns.SYNC, row))
        return found

    def sync(self, name: str) -> Sync | None:
        """One sync, None when there is none of that name."""
        return self.syncs().get(name)

    def runs(self, sync: str) -> list[SyncRun]:
        """The sync's running, last good, last bad and last empty runs, newest first."""
        return [SyncRun(**row) for row in self._rows(_RUNS, {"sync": sync})]

    def customcodes(self) -> dict[str, Customcode]:
        """Name to custom code, with the syncs and relations that it is attached to."""
        found: dict[str, dict[str, t.Any]] = {}
        for row in self._rows(_CUSTOMCODES):
            place = {key: row.pop(key) for key in ("sync", "schemaname", "tablename")}
            active, priority = row.pop("active"), row.pop("priority")
            code = found.setdefault(row["name"], {**row, "syncs": {}, "relations": {}})
            if place["sync"] is not None:
                code["syncs"][place["sync"]] = (active, priority)
            elif place["tablename"] is not None:
                relation = TableName(place["schemaname"], place["tablename"])
                code["relations"][relation] = (active, priority)
        return {name: Customcode(**code) for name, code in found.items()}

    def overrides(self, kind: str) -> list[Override]:
        """All rows of "customname" or "customcols"."""
        rows = self._rows(_OVERRIDES[kind])
        return [
            Override(relation=TableName(row.pop("schemaname"), row.pop("tablename")), **row)
            for row in rows
        ]

    def makes_delta(self, dbgroup: str) -> set[TableName]:
        """Tables whose replicated rows are queued again for others, in a group of databases."""
        rows = self._rows(_MAKES_DELTA, (dbgroup,))
        return {TableName(row["schemaname"], row["tablename"]) for row in rows}

    def stored_password(self, database: str) -> str:
        """The password in the catalog, "" when there is none; never to be shown."""
        return str(self._value("SELECT dbpass FROM bucardo.db WHERE name = %s", (database,)) or "")

    # -- a sync's runs --------------------------------------------------------------------------

    def has_run(self, sync: str) -> bool:
        """Whether this sync has ever run, and not only another of its name."""
        return bool(
            self._value(
                "SELECT EXISTS (SELECT FROM bucardo.syncrun r"
                " JOIN bucardo.sync s ON s.name = r.sync"
                " WHERE s.name = %s AND r.started >= s.cdate)",
                (sync,),
            )
        )

    def is_running(self, sync: str) -> bool:
        """Whether a run is in progress."""
        return bool(
            self._value(
                "SELECT EXISTS (SELECT FROM bucardo.syncrun WHERE sync = %s AND ended IS NULL)",
                (sync,),
            )
        )

    def last_error(self, sync: str, since: str = "-infinity") -> str:
        """What Bucardo wrote about the sync's last failed run that ended after a time, or ""."""
        text = self._value(
            "SELECT COALESCE(NULLIF(details, ''), status) FROM bucardo.syncrun"
            " WHERE sync = %s AND ended >= %s::timestamptz"
            "   AND (lastbad OR status LIKE 'Failed%%') ORDER BY ended DESC LIMIT 1",
            (sync, since),
        )
        return " ".join(str(text or "").split())[:1000]

    def has_older_worker(self, began: str) -> bool:
        """Whether a worker of the daemon is connected that began before a time."""
        return bool(
            self._value(
                "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity"
                " WHERE datname = pg_catalog.current_database()"
                "   AND backend_start < %s::timestamptz"
                "   AND application_name LIKE 'bucardo KID %%')",
                (began,),
            )
        )

    def clock(self) -> str:
        """The server's time, as text."""
        return str(self._value("SELECT pg_catalog.clock_timestamp()::text"))

    def interval(self, option: str, text: str) -> str:
        """An interval as the server writes it; as it is where there is none to ask.

        :raises Refused: for a text that is none, with the option that holds it.
        """
        if self._session is None:
            return text
        try:
            return str(self._session.value("SELECT (%s::interval)::text", (text,)))
        except StatementFailed as error:
            raise Refused(
                f"{option}: {text!r} is not an interval",
                "Write it like '30 seconds' or '00:05:00'.",
            ) from error

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""The control database: its catalog as dataclasses, and the writes that the CLI cannot do well."""

from __future__ import annotations

import contextlib
import io
import typing as t

from .._common.errors import ConnectionFailed, Refused
from .._common.names import TableName
from .._postgres import sql
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .cli import Bucardo, shown
from .objects import (
    Customcode,
    Database,
    DatabaseFacts,
    Dbgroup,
    Goat,
    NewGoat,
    Override,
    Run,
    Setting,
    Sync,
    decode_dbname,
    encode_dbname,
    libpq_params,
    split_list,
)

CONTROL_DB = "bucardo"
THE_CONTROL_DB = "the control database"
# Characters of a statement in results.
SHOWN = 1000

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
       g.autokick, g.strict_checking, COALESCE(h.relgroups, '{}') AS relgroups
  FROM bucardo.goat g
  -- No index of herdmap begins with goat: one pass, not one per relation.
  LEFT JOIN (SELECT goat, array_agg(herd ORDER BY herd) AS relgroups
               FROM bucardo.herdmap GROUP BY goat) AS h ON h.goat = g.id
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
_RUNS = """
SELECT sync, started::text AS started, ended::text AS ended, COALESCE(status, '') AS status,
       COALESCE(details, '') AS details, truncates, deletes, inserts, conflicts,
       CASE WHEN lastgood THEN 'good' WHEN lastbad THEN 'bad' WHEN lastempty THEN 'empty'
            WHEN ended IS NULL THEN 'running' ELSE 'other' END AS outcome
  FROM bucardo.syncrun
 WHERE sync = %(sync)s AND (lastgood OR lastbad OR lastempty OR ended IS NULL)
 ORDER BY syncrun.started DESC
"""

# What validate_goat would store: a sequence has no key.
_NEW_GOATS = """
unnest(%(schemas)s::text[], %(names)s::text[], %(reltypes)s::text[], %(keys)s::text[],
       %(types)s::text[]) AS n (schemaname, tablename, reltype, pkey, pkeytype)
"""
_QUOTED_KEY = """
(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c.name), '|' ORDER BY c.position)
   FROM unnest(pg_catalog.string_to_array(n.pkey, '|')) WITH ORDINALITY c (name, position))
"""
_SAME_GOAT = """
g.db = %(db)s AND g.schemaname = n.schemaname AND g.tablename = n.tablename
AND g.reltype = n.reltype
"""
_ADD_GOATS = f"""
INSERT INTO bucardo.goat (db, schemaname, tablename, reltype, pkey, qpkey, pkeytype)
SELECT %(db)s, n.schemaname, n.tablename, n.reltype, NULLIF(n.pkey, ''), {_QUOTED_KEY},
       NULLIF(n.pkeytype, '')
  FROM {_NEW_GOATS}
 WHERE NOT EXISTS (SELECT 1 FROM bucardo.goat g WHERE {_SAME_GOAT})
"""
_JOIN_NEW = f"""
INSERT INTO bucardo.herdmap (herd, goat)
SELECT %(name)s, min(g.id)
  FROM {_NEW_GOATS} JOIN bucardo.goat g ON {_SAME_GOAT}
 GROUP BY g.schemaname, g.tablename, g.reltype
ON CONFLICT DO NOTHING
"""
_LEARN_KEYS = f"""
UPDATE bucardo.goat g SET pkey = n.pkey, qpkey = {_QUOTED_KEY}, pkeytype = n.pkeytype
  FROM {_NEW_GOATS} WHERE {_SAME_GOAT}
"""

_SECRET_TABLE = "CREATE TEMPORARY TABLE multimaster_secret (value text) ON COMMIT DROP"
_SECRET = "(SELECT value FROM pg_temp.multimaster_secret)"


class Control:
    """Reads and writes of the control database through one session."""

    def __init__(self, session: Session, dry: bool = False) -> None:
        """:param dry: record the writes in C(commands) without doing them (check mode)."""
        self.session = session
        self.dry = dry
        self.commands: list[str] = []
        # Triggers and functions of Bucardo's catalog name its tables without their schema.
        session.execute("SET search_path TO bucardo")

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
        return {
            row["name"]: Database(**{**row, "dbname": decode_dbname(row["dbname"])})
            for row in self.session.rows(_DATABASES)
        }

    def database(self, name: str) -> Database | None:
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

    def customcodes(self) -> dict[str, Customcode]:
        """Name to custom code, with the syncs and relations that it is attached to."""
        found: dict[str, dict[str, t.Any]] = {}
        for row in self.session.rows(_CUSTOMCODES):
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
        rows = self.session.rows(_OVERRIDES[kind])
        return [
            Override(relation=TableName(row.pop("schemaname"), row.pop("tablename")), **row)
            for row in rows
        ]

    # --- writes -----------------------------------------------------------------------------

    def write(self, query: str, params: t.Mapping[str, t.Any] | None = None) -> None:
        """Execute one statement, or only record it. A parameter called "password" is masked."""
        shown = dict(params or {})
        if shown.get("password"):
            shown["password"] = "********"
        with self.session.connection.cursor() as cursor:
            text = cursor.mogrify(query, shown or None)
        line = " ".join(text.decode("utf-8", "replace").split())
        # A thousand tables in one statement tell nobody anything.
        self.commands.append(line if len(line) <= SHOWN else f"{line[:SHOWN]} ...")
        if not self.dry:
            self.session.execute(query, params)

    def run(self, *words: str, answer: str = "") -> None:
        """Run the bucardo program, or only record it; C(Bucardo.run) says what it raises."""
        cli = self.cli
        self.commands.append(shown(cli.argv(*words)))
        if not self.dry:
            cli.run(*words, answer=answer)

    def set_settings(self, values: t.Mapping[str, str]) -> None:
        """Change rows of bucardo_config.

        Not by "bucardo set": it takes no empty value, and puts email_auth_pass into its argument
        list and its output.
        """
        with self._transaction():
            if "email_auth_pass" in values:
                self._hide_from_log()
            for name, value in sorted(values.items()):
                key = "password" if name == "email_auth_pass" else "value"
                self.write(
                    f"UPDATE bucardo.bucardo_config SET setting = %({key})s"
                    " WHERE name = %(name)s AND item IS NULL",
                    {"name": name, key: value},
                )

    def stored_password(self, database: str) -> str:
        """The password in the catalog, "" when there is none; never to be shown."""
        return str(
            self.session.value("SELECT dbpass FROM bucardo.db WHERE name = %s", (database,)) or ""
        )

    def save_database(
        self,
        database: Database,
        password: str | None,
        new: bool,
        test: bool,
        prove: t.Callable[[], None] | None = None,
    ) -> None:
        """Insert or update a row of bucardo.db, all or nothing.

        Not by "bucardo add db" and "update db": they cut values at a comma, show passwords in the
        argument list and on standard output, and create a superuser of their own when the login
        fails (add_database and update_database in the program's source).

        :param password: None to leave it as it is, "" for none.
        :param test: let the server of the control database connect to it, and change nothing
            when it cannot.
        :param prove: called before the commit; what it raises leaves all as it was.
        """
        values: dict[str, t.Any] = {
            "dbhost": database.host,
            "dbport": database.port,
            "dbname": encode_dbname(database.dbname) or None,
            "dbuser": database.user or None,
            "dbconn": database.conn,
            "dbservice": database.service,
            "status": database.status,
            "server_side_prepares": database.server_side_prepares,
        }
        columns = {column: f"%({column})s" for column in values}
        if password is not None:
            columns["dbpass"] = _SECRET if password else "NULL"
        values["name"] = database.name
        if new:
            query = (
                f"INSERT INTO bucardo.db (name, {', '.join(columns)})"
                f" VALUES (%(name)s, {', '.join(columns.values())})"
            )
        else:
            changes = ", ".join(f"{column} = {value}" for column, value in columns.items())
            query = f"UPDATE bucardo.db SET {changes} WHERE name = %(name)s"
        with self._transaction():
            if password:
                self._send_secret(password)
            self.write(query, values)
            if test and not self.dry:
                said = self.session.value("SELECT bucardo.db_testconn(%s)", (database.name,))
                if "successful" not in str(said):
                    raise Refused(
                        f"The server of the control database cannot connect to {database.name}:"
                        f" {_perl_reason(str(said))}",
                        "Its operating system user (usually postgres) must reach the database"
                        " too: give that user a ~/.pgpass with mode 0600, or set password.",
                    )
            if prove and not self.dry:
                prove()

    def _send_secret(self, value: str) -> None:
        """Put it where the next statement finds it as C(_SECRET).

        As data: in a statement, others would see it in pg_stat_activity and in the log.
        """
        if self.dry:
            return
        self._hide_from_log()
        self.session.execute(_SECRET_TABLE)
        escaped = value.replace("\\", "\\\\").replace("\t", "\\t")
        statement = sql.SQL("COPY pg_temp.multimaster_secret FROM STDIN (ENCODING 'UTF8')")
        self.session.copy(statement, io.BytesIO(f"{escaped}\n".encode()))

    def save_members(
        self, group: str, current: Dbgroup | None, members: t.Mapping[str, str]
    ) -> None:
        """Make the members of a dbgroup exactly these; creates the group."""
        words = [f"{db}:{role}" for db, role in sorted(members.items())]
        if current is None:
            self.run("add", "dbgroup", group, *words)
        elif words:
            self.run("update", "dbgroup", group, *words)
        else:
            # "update dbgroup" without members does nothing.
            self.write("DELETE FROM bucardo.dbmap WHERE dbgroup = %(name)s", {"name": group})

    def save_relgroup(
        self,
        name: str,
        db: str,
        new: t.Sequence[NewGoat],
        join: t.Sequence[int],
        leave: t.Sequence[int],
    ) -> None:
        """Create a relgroup if need be, add relations to it and take some out.

        Not by "bucardo add table": that, and any plain INSERT, lets the trigger validate_goat log
        in to the database once for each table (24 s for 1,000 tables next door), and the trigger
        herdcheck reads the whole of herdmap for each. Both check what the caller has checked for
        all of them: C(new) comes with its key from the database's own catalog.

        :param new: relations that Bucardo does not know yet, or whose key it must learn.
        :param join: ids of known relations that come in.
        :param leave: ids of relations that go out; they are forgotten when no other relgroup
            holds them.
        """
        with self._transaction():
            # No unique constraint keeps a relation from being there twice.
            self.write("LOCK TABLE bucardo.goat IN SHARE ROW EXCLUSIVE MODE")
            self.write(
                "INSERT INTO bucardo.herd (name) VALUES (%(name)s) ON CONFLICT DO NOTHING",
                {"name": name},
            )
            if leave:
                # Before the triggers go off: foreign keys cascade by triggers.
                ids = {"name": name, "ids": list(leave)}
                self.write(
                    "DELETE FROM bucardo.herdmap WHERE herd = %(name)s AND goat = ANY(%(ids)s)", ids
                )
                self.write(
                    "DELETE FROM bucardo.goat g WHERE g.id = ANY(%(ids)s) AND NOT EXISTS"
                    " (SELECT 1 FROM bucardo.herdmap h WHERE h.goat = g.id)",
                    {"ids": list(leave)},
                )
            if new or join:
                # Foreign keys are off as well from here: hold what the rows refer to.
                self.write(
                    "SELECT 1 FROM bucardo.db, bucardo.herd"
                    " WHERE db.name = %(db)s AND herd.name = %(name)s FOR KEY SHARE",
                    {"db": db, "name": name},
                )
                self.write("SET LOCAL session_replication_role = replica")
            if new:
                self.write(_ADD_GOATS, _goat_columns(db, new))
                self.write(_JOIN_NEW, {**_goat_columns(db, new), "name": name})
            if join:
                self.write(
                    "INSERT INTO bucardo.herdmap (herd, goat)"
                    " SELECT %(name)s, unnest(%(ids)s::int[]) ON CONFLICT DO NOTHING",
                    {"name": name, "ids": list(join)},
                )

    def learn_keys(self, db: str, goats: t.Sequence[NewGoat]) -> None:
        """Store the keys of relations that were added before they had one."""
        with self._transaction():
            self.write("SET LOCAL session_replication_role = replica")
            self.write(_LEARN_KEYS, _goat_columns(db, goats))

    def remove_relgroup(self, name: str) -> None:
        """Remove a relgroup, and the relations that no other relgroup holds.

        Not by "bucardo remove relgroup": it would leave them.
        """
        with self._transaction():
            self.write(
                "CREATE TEMPORARY TABLE forlorn ON COMMIT DROP AS SELECT h.goat AS id"
                " FROM bucardo.herdmap h WHERE h.herd = %(name)s AND NOT EXISTS (SELECT 1"
                " FROM bucardo.herdmap o WHERE o.goat = h.goat AND o.herd <> %(name)s)",
                {"name": name},
            )
            self.write("DELETE FROM bucardo.herd WHERE name = %(name)s", {"name": name})
            self.write("DELETE FROM bucardo.goat WHERE id IN (SELECT id FROM forlorn)")

    def save_customcode(
        self,
        code: Customcode,
        new: bool,
        attach: t.Mapping[str, int] | None,
        goats: t.Mapping[int, int] | None,
    ) -> None:
        """Insert or update a custom code; null leaves what it is attached to.

        Not by "bucardo add customcode": it takes a whenrun that the table's CHECK refuses, has no
        way to attach a code later, and reads the code from a file only.

        :param attach: sync to priority: exactly these.
        :param goats: id of a relation to priority: exactly these.
        """
        values: dict[str, t.Any] = {
            "name": code.name,
            "whenrun": code.whenrun,
            "src_code": code.src_code,
            "about": code.about or None,
            "getdbh": code.getdbh,
            "status": code.status,
        }
        if new:
            query = (
                f"INSERT INTO bucardo.customcode ({', '.join(values)})"
                f" VALUES ({', '.join(f'%({column})s' for column in values)})"
            )
        else:
            changes = ", ".join(f"{column} = %({column})s" for column in values)
            query = f"UPDATE bucardo.customcode SET {changes} WHERE name = %(name)s"
        with self._transaction():
            self.write(query, values)
            if attach is not None or goats is not None:
                self._attach(code.name, "sync", "text", attach or {})
                self._attach(code.name, "goat", "int", goats or {})

    def _attach(self, name: str, column: str, kind: str, wanted: t.Mapping[t.Any, int]) -> None:
        params = {"name": name, "keys": list(wanted), "priorities": list(wanted.values())}
        code = "(SELECT id FROM bucardo.customcode WHERE name = %(name)s)"
        self.write(
            f"DELETE FROM bucardo.customcode_map WHERE code = {code}"
            f" AND {column} IS NOT NULL AND {column} <> ALL(%(keys)s::{kind}[])",
            params,
        )
        if wanted:
            self.write(
                f"INSERT INTO bucardo.customcode_map (code, {column}, priority)"
                f" SELECT {code}, * FROM unnest(%(keys)s::{kind}[], %(priorities)s::int2[])"
                f" ON CONFLICT (code, {column}) WHERE {column} IS NOT NULL"
                " DO UPDATE SET priority = excluded.priority, active = true",
                params,
            )

    def save_override(self, kind: str, goat: int, new: Override, remove: t.Sequence[int]) -> None:
        """Insert a row of customname or customcols in the place of others.

        Not by the program: it can only add rows, not change them.
        """
        column = {"customname": "newname", "customcols": "clause"}[kind]
        with self._transaction():
            if remove:
                self.write(
                    f"DELETE FROM bucardo.{kind} WHERE id = ANY(%(ids)s)", {"ids": list(remove)}
                )
            self.write(
                f"INSERT INTO bucardo.{kind} (goat, {column}, db, sync)"
                " VALUES (%(goat)s, %(value)s, NULLIF(%(db)s, ''), NULLIF(%(sync)s, ''))",
                {"goat": goat, "value": new.value, "db": new.db, "sync": new.sync},
            )

    @contextlib.contextmanager
    def _transaction(self) -> t.Iterator[None]:
        if self.dry:
            yield
            return
        with self.session.transaction():
            yield

    def _hide_from_log(self) -> None:
        # The statement's text holds a secret, and log_statement would write it to the log. Who
        # may not change these settings is not the superuser that Bucardo needs anyway.
        if not self.dry:
            self.session.execute(
                "SELECT set_config('log_statement', 'none', true),"
                " set_config('log_min_duration_statement', '-1', true),"
                " set_config('log_min_error_statement', 'panic', true)"
            )


class Planned(Control):
    """In check mode, the control database that an earlier step would have made: it is empty."""

    def __init__(self) -> None:
        # No session: every read below answers without one.
        self.dry = True
        self.commands = []

    @property
    def installed(self) -> bool:
        """Not yet."""
        return False

    def settings(self) -> dict[str, Setting]:
        """Not known before the schema is there."""
        return {}

    def databases(self) -> dict[str, Database]:
        """None yet."""
        return {}

    def dbgroups(self) -> dict[str, Dbgroup]:
        """None yet."""
        return {}

    def relgroups(self) -> list[str]:
        """None yet."""
        return []

    def goats(self, relgroup: str | None = None) -> list[Goat]:
        """None yet."""
        return []

    def syncs(self) -> dict[str, Sync]:
        """None yet."""
        return {}

    def runs(self, sync: str) -> list[Run]:
        """None yet."""
        return []

    def customcodes(self) -> dict[str, Customcode]:
        """None yet."""
        return {}

    def overrides(self, kind: str) -> list[Override]:
        """None yet."""
        return []

    def stored_password(self, database: str) -> str:
        """None yet."""
        return ""

    def write(self, query: str, params: t.Mapping[str, t.Any] | None = None) -> None:
        """Record the statement, without its values."""
        self.commands.append(" ".join(query.split()))

    def run(self, *words: str, answer: str = "") -> None:
        """Record the command."""
        self.commands.append(shown(["bucardo", *words]))


@contextlib.contextmanager
def connect(params: t.Mapping[str, t.Any], check_mode: bool = False) -> t.Iterator[Control]:
    """The control database that a module's login options name; closed at the end.

    :param check_mode: writes are only recorded; a control database that is not there yet counts
        as empty.
    :raises Refused: when Bucardo is not installed there.
    """
    conninfo = ConnInfo.from_options(params, THE_CONTROL_DB, CONTROL_DB)
    try:
        session = Session(conninfo)
    except ConnectionFailed as error:
        if check_mode and _not_there_yet(conninfo, error):
            yield Planned()
            return
        raise
    with session:
        control = Control(session, dry=check_mode)
        if control.installed:
            yield control
        elif check_mode:
            yield Planned()
        else:
            raise Refused(
                f"Bucardo is not installed in {conninfo}",
                "Run bucardo_install first, or check login_db.",
            )


def _not_there_yet(conninfo: ConnInfo, error: ConnectionFailed) -> bool:
    """Whether earlier steps, which a check leaves out, would have made what is missing."""
    # The role and its database, by bucardo_install.
    if "does not exist" in error.message:
        return True
    # The server, and the operating-system user that its socket knows, by packages.
    local = conninfo.params.get("host", "/").startswith("/") and "service" not in conninfo.params
    return local and any(text in error.message for text in ("No such file", "Peer authentication"))


def read_facts(conninfo: ConnInfo) -> DatabaseFacts:
    """What C(plan_relgroup) needs to know about the relations of a database."""
    with Session(conninfo) as session:
        return DatabaseFacts(
            tables={table.name: table for table in read_tables(session, sizes=False)},
            sequences=_read_sequences(session),
            types=_read_type_names(session),
        )


def _read_sequences(session: Session) -> set[TableName]:
    rows = session.rows(
        "SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'"
    )
    return {TableName(**row) for row in rows}


def _read_type_names(session: Session) -> dict[int, str]:
    rows = session.rows("SELECT oid::bigint AS oid, typname FROM pg_catalog.pg_type")
    return {row["oid"]: row["typname"] for row in rows}


def _goat_columns(db: str, goats: t.Sequence[NewGoat]) -> dict[str, t.Any]:
    return {
        "db": db,
        "schemas": [goat.name.schema for goat in goats],
        "names": [goat.name.name for goat in goats],
        "reltypes": [goat.reltype for goat in goats],
        "keys": ["|".join(goat.key) for goat in goats],
        "types": ["|".join(goat.key_types) for goat in goats],
    }


def _perl_reason(text: str) -> str:
    """The part of a DBI error that a user can use, without the connection string."""
    text = text.split("failed: ", 1)[-1]
    return text.split(" at line ", 1)[0].strip() or text

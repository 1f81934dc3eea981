# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Reads what preflight judges: every master, the control database and this host.

Reads only. A master costs a fixed number of round trips, however many tables it has; what cannot
be read on one server is noted and never ends the survey of the others.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pwd
import time
import typing as t

from .._bucardo.control import CONTROL_DB, THE_CONTROL_DB
from .._bucardo.control import Control as ControlCatalog
from .._common.errors import ConnectionFailed, MultimasterError, Refused, StatementFailed
from .._common.names import TableName
from .._ledger import ledger, membership, own_objects
from .._postgres import pg
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.pgdump import find_tools
from .._postgres.tables import Table
from .._sequences import read as sequences_read
from .._sequences.facts import Survey
from .._tracking import read as tracking_read
from .._tracking.enrolled import Found
from .._tracking.plan import DELTA_TRIGGER
from . import ledgers, survey_addresses, survey_rows
from .facts import (
    Address,
    Control,
    Database,
    Facts,
    ForeignKey,
    Host,
    Login,
    Master,
    Role,
    Seed,
    Server,
    Setting,
    Transaction,
    Trigger,
    UniqueKey,
    Wanted,
    normal_locale,
)

Options = t.Mapping[str, t.Any]
_Value = t.TypeVar("_Value")

# Milliseconds. Sizes need a lock on each table; a table that is locked for long is not waited for.
_LOCK_TIMEOUT = 3000
# Seconds. A dead server fails its second database as slowly as its first.
_SLOW_FAILURE = 5.0
_LOGIN_TIMEOUT = 5
_CLOCK_SAMPLES = 3
# Each table of such a query is locked until its end.
_TABLES_PER_QUERY = 500
_MASTERS_AT_ONCE = 8
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")

_SETTINGS = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "default_transaction_read_only",
    "default_transaction_isolation",
]

# Lock modes that keep a trigger from being created.
# https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
_LOCKS_IN_THE_WAY = [
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
]

# pg_settings leaves out what the role may not see, where SHOW would fail.
_SERVER = """
WITH s AS (SELECT name, setting FROM pg_catalog.pg_settings)
SELECT pg_catalog.current_database()::text AS dbname,
       pg_catalog.current_setting('server_version_num')::int AS version,
       (SELECT system_identifier FROM pg_catalog.pg_control_system())::text || '/'
         || (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint
         AS identity,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.current_setting('default_transaction_read_only') = 'on' AS read_only,
       (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)
          FROM s WHERE name IN ('max_connections', 'superuser_reserved_connections',
                                'reserved_connections'))
         - (SELECT count(*) FROM pg_catalog.pg_stat_activity
             WHERE backend_type = 'client backend') AS free_connections,
       (SELECT setting::int FROM s WHERE name = 'max_locks_per_transaction')
         * (SELECT sum(setting::int) FROM s
             WHERE name IN ('max_connections', 'max_prepared_transactions')) AS lock_slots,
       COALESCE((SELECT setting FROM s WHERE name = 'session_preload_libraries'), '')
         AS session_libraries,
       COALESCE((SELECT setting FROM s WHERE name = 'data_directory'), '') AS data_directory,
       ARRAY(SELECT datname::text FROM pg_catalog.pg_database ORDER BY datname) AS databases,
       ARRAY(SELECT spcname::text FROM pg_catalog.pg_tablespace) AS tablespaces
"""
_ROLES = """
SELECT rolname::text AS name, rolsuper AS superuser, rolcanlogin AS can_login,
       rolconnlimit AS connections, COALESCE(rolvaliduntil < pg_catalog.now(), false) AS expired,
       {may_set_replica} AS may_set_replica,
       rolname = current_user AS is_login
  FROM pg_catalog.pg_roles WHERE rolname IN (current_user, %(user)s)
"""
_ROLE_SETTINGS = """
SELECT pg_catalog.split_part(c, '=', 1) AS name,
       pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value,
       COALESCE(r.rolname::text, '') AS role, COALESCE(d.datname::text, '') AS database
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL unnest(s.setconfig) c
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 WHERE (s.setrole = 0 OR r.rolname = %(user)s)
   AND (s.setdatabase = 0 OR d.datname = %(dbname)s)
   AND pg_catalog.split_part(c, '=', 1) = ANY (%(names)s)
"""
_FILE_SETTINGS = """
SELECT name, setting AS value FROM pg_catalog.pg_file_settings
 WHERE applied AND name = ANY (%(names)s)
"""
_EXTENSIONS_OFFERED = (
    "SELECT name::text, default_version AS version FROM pg_catalog.pg_available_extensions"
)
_LOCALES = """
SELECT DISTINCT collcollate::text AS name FROM pg_catalog.pg_collation
 WHERE collprovider = 'c' AND collcollate IS NOT NULL
 UNION SELECT datcollate::text FROM pg_catalog.pg_database
"""
_QUEUED = """
SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE g.tgname = %s
"""
# The names of some columns changed with PostgreSQL 15 and 17: read the row as a document.
# to_regclass() would fail for a role that may not use the schema.
_DATABASE = """
SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       pg_catalog.pg_database_size(d.oid) AS bytes,
       d.datcollate::text AS collate, d.datctype::text AS ctype,
       COALESCE(j ->> 'datlocprovider', 'c') AS provider,
       COALESCE(j ->> 'datlocale', j ->> 'daticulocale', '') AS provider_locale,
       (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
       b.bucardo_relations, b.has_bucardo, b.is_control
  FROM pg_catalog.pg_database d
  CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d) - 'datacl' AS j) AS document
  CROSS JOIN (SELECT count(*) AS bucardo_relations,
                     COALESCE(bool_or(c.relname = 'bucardo_delta_names'), false) AS has_bucardo,
                     COALESCE(bool_or(c.relname = 'bucardo_config'), false) AS is_control
                FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'bucardo') AS b
 WHERE d.datname = pg_catalog.current_database()
"""
_KEYS = """
SELECT n.nspname::text AS schema, c.relname::text AS "table", x.relname::text AS index,
       x.oid::bigint AS oid, i.indisprimary AS "primary", i.indisvalid AS valid,
       i.indnatts - i.indnkeyatts AS included,
       ARRAY(SELECT a.attname::text
               FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, position)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
              ORDER BY k.position) AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
_TRIGGERS = """
SELECT n.nspname::text AS schema, c.relname::text AS "table", t.tgname::text AS name,
       t.tgenabled::text AS enabled, fn.nspname::text AS function_schema, 'trigger' AS kind
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
 WHERE NOT t.tgisinternal AND t.tgenabled <> 'O'
UNION ALL
SELECT n.nspname::text, c.relname::text, r.rulename::text, r.ev_enabled::text, '', 'rule'
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.ev_enabled <> 'O'
 ORDER BY 1, 2, 3
"""
_CONSTRAINTS = """
SELECT k.conname::text AS name, k.contype::text AS type, n.nspname::text AS schema,
       c.relname::text AS "table", fn.nspname::text AS other_schema, f.relname::text AS other
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
 WHERE k.contype IN ('f', 'x') AND k.conparentid = 0
 ORDER BY 3, 4, 1
"""
_INHERITS = """
SELECT n.nspname::text AS schema, c.relname::text AS "table", pn.nspname::text AS parent_schema,
       p.relname::text AS parent, c.relispartition AS is_partition
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
"""
_OTHER_REPLICATION = """
SELECT 'all' AS what, pubname::text AS name, '' AS schema, '' AS "table"
  FROM pg_catalog.pg_publication WHERE puballtables
UNION ALL
SELECT 'published', t.pubname::text, t.schemaname::text, t.tablename::text
  FROM pg_catalog.pg_publication_tables t
  JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname AND NOT p.puballtables
UNION ALL
SELECT 'subscribed', '', n.nspname::text, c.relname::text
  FROM pg_catalog.pg_subscription_rel r
  JOIN pg_catalog.pg_class c ON c.oid = r.srrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION ALL
SELECT 'event trigger', evtname::text, '', '' FROM pg_catalog.pg_event_trigger
 WHERE evtenabled <> 'D' AND evtevent <> 'table_rewrite'
UNION ALL
SELECT 'extension', extname::text, extversion, '' FROM pg_catalog.pg_extension
 ORDER BY 1, 2, 3, 4
"""
_TABLESPACES = """
SELECT s.spcname::text AS name, count(*) AS relations
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
 WHERE s.spcname !~ '^pg_'
 GROUP BY 1
"""
# A prepared transaction has no pid, and its virtual id changes with a restart: it is known by the
# lock on its own transaction id.
_TRANSACTIONS = """
SELECT a.pid, '' AS gid, COALESCE(a.usename::text, '') AS "user",
       a.application_name AS application, COALESCE(a.state, '') AS state,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS age,
       ARRAY(SELECT DISTINCT l.relation::bigint FROM pg_catalog.pg_locks l
              WHERE l.pid = a.pid AND l.granted AND l.relation IS NOT NULL
                AND l.database = a.datid AND l.mode = ANY (%(modes)s)) AS locked
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend'
   AND a.pid <> pg_catalog.pg_backend_pid() AND a.usename IS DISTINCT FROM %(user)s
   AND a.xact_start < pg_catalog.clock_timestamp() - %(age)s * interval '1 second'
UNION ALL
SELECT 0, p.gid, p.owner::text, '', 'prepared',
       extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8,
       ARRAY(SELECT DISTINCT l.relation::bigint FROM pg_catalog.pg_locks l
               JOIN pg_catalog.pg_locks own ON own.virtualtransaction = l.virtualtransaction
              WHERE own.locktype = 'transactionid' AND own.transactionid = p.transaction
                AND l.pid IS NULL AND l.relation IS NOT NULL AND l.mode = ANY (%(modes)s))
  FROM pg_catalog.pg_prepared_xacts p
 WHERE p.database = pg_catalog.current_database()
 ORDER BY age DESC
"""
# Bucardo's own list, and the names inside its triggers where that list is gone.
_ENROLLED_BY_TRIGGER = """
SELECT pg_catalog.substring(t.tgname::text, '^bucardo_(?:kick|note_trunc)_(.+)$') AS sync,
       count(DISTINCT t.tgrelid) AS tables
  FROM pg_catalog.pg_trigger t
 WHERE NOT t.tgisinternal AND t.tgname ~ '^bucardo_(kick|note_trunc)_.'
 GROUP BY 1
"""
_ENROLLED_BY_NAME = (
    "SELECT sync, count(DISTINCT tablename) AS tables FROM bucardo.bucardo_delta_names GROUP BY 1"
)
_NOT_EMPTY_FILES = """
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND pg_catalog.pg_relation_size(c.oid) > 0
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')
"""


def survey(
    masters: t.Sequence[Options],
    wanted: Wanted,
    control: Options | None = None,
    os_users: t.Sequence[str] = (),
    pg_bin_dir: str | None = None,
) -> Facts:
    """Read everything. Never raises because of a server."""
    with concurrent.futures.ThreadPoolExecutor(_MASTERS_AT_ONCE) as pool:
        found = tuple(pool.map(lambda options: read_master(options, wanted), masters))
    return ledgers.judge(
        Facts(
            wanted=wanted,
            masters=found,
            control=None if control is None else read_control(control, wanted),
            host=read_host(masters, found, wanted, os_users, pg_bin_dir),
        )
    )


# --- one master ---------------------------------------------------------------------------------


class _Reader:
    """Runs queries; one that is refused yields nothing and is noted."""

    def __init__(self, session: pg.Session) -> None:
        self.session = session
        self.unread: list[str] = []

    def rows(self, what: str, query: str, params: t.Any = None) -> list[dict[str, t.Any]]:
        try:
            return self.session.rows(query, params)
        except StatementFailed as error:
            self.unread.append(f"cannot read {what}: {error.message}")
            return []

    def attempt(self, what: str, read: t.Callable[[], _Value], otherwise: _Value) -> _Value:
        try:
            return read()
        except StatementFailed as error:
            self.unread.append(f"cannot read {what}: {error.message}")
            return otherwise


def read_master(options: Options, wanted: Wanted) -> Master:
    """One master as it is; an error ends up in C(Master.error)."""
    unknown = Master(name=str(options["name"]), origin=bool(options.get("origin")))
    try:
        conninfo = ConnInfo.from_options(options)
        unknown = dataclasses.replace(
            unknown,
            dbname=conninfo.dbname,
            host=conninfo.params.get("host", ""),
            port=conninfo.params.get("port", ""),
        )
        maintenance_db = str(options["maintenance_db"])
        found = _read_master(unknown, conninfo, maintenance_db, wanted)
        place = conninfo if found.database else conninfo.database(maintenance_db)
        address = survey_addresses.read_address(place, options, wanted)
        return dataclasses.replace(found, address=address)
    except pg.Pooled:
        return dataclasses.replace(unknown, address=Address(pooled=True))
    except MultimasterError as error:
        return dataclasses.replace(unknown, error=error.message)


def _read_master(master: Master, conninfo: ConnInfo, maintenance_db: str, wanted: Wanted) -> Master:
    began = time.monotonic()
    try:
        session = pg.Session(conninfo)
    except ConnectionFailed:
        # The text is in the server's language: ask the server itself whether the database exists.
        if not conninfo.dbname or time.monotonic() - began > _SLOW_FAILURE:
            raise
        absent = _without_database(master, conninfo, maintenance_db, wanted)
        if absent is None:
            raise
        return absent
    with session:
        reader = _Reader(session)
        dbname, server = _read_server(reader, conninfo, wanted, master.dbname)
        master = dataclasses.replace(master, dbname=dbname, server=server)
        try:
            database = _read_database(reader, dbname, wanted, master.origin)
        except StatementFailed as error:
            return dataclasses.replace(master, error=error.message, unread=tuple(reader.unread))
        return dataclasses.replace(master, database=database, unread=tuple(reader.unread))


def _without_database(
    master: Master, conninfo: ConnInfo, maintenance_db: str, wanted: Wanted
) -> Master | None:
    """The master if only its database is missing, else None."""
    try:
        session = pg.Session(conninfo.database(maintenance_db))
    except ConnectionFailed:
        return None
    with session:
        reader = _Reader(session)
        _dbname, server = _read_server(reader, conninfo, wanted, master.dbname)
        if conninfo.dbname in server.databases:
            return None
        return dataclasses.replace(master, server=server, unread=tuple(reader.unread))


def _read_server(
    reader: _Reader, conninfo: ConnInfo, wanted: Wanted, dbname: str
) -> tuple[str, Server]:
    session = reader.session
    row = session.row(_SERVER) or {}
    version = int(row["version"])
    dbname = dbname or row["dbname"]
    # From here on this session cannot write, and waits for nobody.
    session.execute(
        "SELECT set_config('default_transaction_read_only', 'on', false),"
        " set_config('lock_timeout', %s, false)",
        (str(_LOCK_TIMEOUT),),
    )
    clock, clock_error = _clock(session)
    replica = "rolsuper"
    if version >= 150000:
        replica += " OR pg_catalog.has_parameter_privilege(oid, 'session_replication_role', 'SET')"
    roles: dict[str, Role] = {}
    login = Role("")
    for found in reader.rows(
        "roles", _ROLES.format(may_set_replica=replica), {"user": wanted.bucardo_user}
    ):
        is_login = found.pop("is_login")
        role = Role(**found)
        roles[role.name] = role
        login = role if is_login else login
    names = {"names": _SETTINGS, "user": wanted.bucardo_user, "dbname": dbname}
    settings = reader.rows("settings of roles and databases", _ROLE_SETTINGS, names)
    if login.superuser:
        settings += reader.rows("configuration files", _FILE_SETTINGS, names)
    return dbname, Server(
        version=version,
        identity=row["identity"] or "",
        login=login,
        in_recovery=row["in_recovery"],
        read_only=row["read_only"],
        clock=clock,
        clock_error=clock_error,
        free_connections=int(row["free_connections"]),
        lock_slots=int(row["lock_slots"]),
        session_libraries=row["session_libraries"],
        databases=tuple(row["databases"]),
        tablespaces=frozenset(row["tablespaces"]),
        available={
            found["name"]: found["version"] or ""
            for found in reader.rows("available extensions", _EXTENSIONS_OFFERED)
        },
        locales=frozenset(
            normal_locale(found["name"]) for found in reader.rows("locales", _LOCALES)
        ),
        free_bytes=_free_bytes(conninfo, row["data_directory"]),
        bucardo_role=roles.get(wanted.bucardo_user),
        password_differs=survey_addresses.password_differs(session, wanted),
        settings=tuple(Setting(**setting) for setting in settings),
    )


def _clock(session: pg.Session) -> tuple[float, float]:
    """The server's clock minus ours and the uncertainty, from the quickest of some round trips."""
    best = (float("inf"), 0.0)
    for _sample in range(_CLOCK_SAMPLES):
        before = time.time()
        there = float(
            session.value("SELECT extract(epoch FROM pg_catalog.clock_timestamp())::float8")
        )
        after = time.time()
        best = min(best, ((after - before) / 2, there - (before + after) / 2))
    return best[1], best[0]


def _is_local(conninfo: ConnInfo) -> bool:
    host = conninfo.params.get("host", "")
    return "service" not in conninfo.params and (host in _LOCAL_HOSTS or host.startswith("/"))


def _free_bytes(conninfo: ConnInfo, data_directory: str) -> int | None:
    """Free space for the data directory, if it is on this host; SQL cannot tell it."""
    if not data_directory or not _is_local(conninfo):
        return None
    try:
        state = os.statvfs(data_directory)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize


def _read_database(reader: _Reader, dbname: str, wanted: Wanted, origin: bool) -> Database:
    session = reader.session
    row = session.row(_DATABASE) or {}
    locked = False
    try:
        tables = read_tables(session)
    except StatementFailed as error:
        if error.sqlstate != pg.LOCK_NOT_AVAILABLE:
            raise
        locked = True
        tables = read_tables(session, sizes=False)
    by_oid = {table.oid: table.name for table in tables}
    keys: dict[TableName, list[UniqueKey]] = {}
    for found in reader.rows("indexes", _KEYS):
        name = TableName(found.pop("schema"), found.pop("table"))
        keys.setdefault(name, []).append(UniqueKey(**{**found, "columns": tuple(found["columns"])}))
    foreign_keys, exclusions = [], []
    for found in reader.rows("constraints", _CONSTRAINTS):
        table = TableName(found["schema"], found["table"])
        if found["type"] == "x":
            exclusions.append((table, found["name"]))
        else:
            referenced = TableName(found["other_schema"], found["other"])
            foreign_keys.append(ForeignKey(found["name"], table, referenced))
    children: dict[TableName, TableName] = {}
    partitions: dict[TableName, TableName] = {}
    for found in reader.rows("inheritance", _INHERITS):
        relation = partitions if found["is_partition"] else children
        relation[TableName(found["schema"], found["table"])] = TableName(
            found["parent_schema"], found["parent"]
        )
    others: dict[str, list[tuple[str, str, str]]] = {}
    for found in reader.rows("publications, extensions and event triggers", _OTHER_REPLICATION):
        entry = (found["name"], found["schema"], found["table"])
        others.setdefault(found["what"], []).append(entry)
    published: dict[TableName, tuple[str, ...]] = {}
    for publication, schema, name_ in others.get("published", []):
        name = TableName(schema, name_)
        published[name] = (*published.get(name, ()), publication)
    seed = reader.attempt("the seed's ledger", lambda: _read_seed(session, wanted.dbgroup), None)
    return Database(
        name=dbname,
        bytes=int(row["bytes"]),
        encoding=row["encoding"],
        locale=(row["collate"], row["ctype"], row["provider"], row["provider_locale"]),
        tables=tuple(tables),
        keys={name: tuple(found) for name, found in keys.items()},
        extensions={name: version for name, version, _none in others.get("extension", [])},
        triggers=tuple(
            Trigger(
                TableName(found["schema"], found["table"]),
                found["name"],
                found["enabled"],
                found["function_schema"],
                found["kind"],
            )
            for found in reader.rows("triggers", _TRIGGERS)
        ),
        event_triggers=tuple(entry[0] for entry in others.get("event trigger", [])),
        exclusions=tuple(exclusions),
        foreign_keys=tuple(foreign_keys),
        children=children,
        partitions=partitions,
        publications_of_all=tuple(entry[0] for entry in others.get("all", [])),
        published=published,
        subscribed=frozenset(
            TableName(schema, name_) for _none, schema, name_ in others.get("subscribed", [])
        ),
        sequences=reader.attempt("the sequences", lambda: _read_sequences(session), Survey()),
        tablespaces={
            found["name"]: found["relations"] for found in reader.rows("tablespaces", _TABLESPACES)
        },
        large_objects=row["large_objects"],
        transactions=tuple(
            Transaction(
                **{
                    **found,
                    "locked": tuple(
                        sorted(by_oid[oid] for oid in found["locked"] if oid in by_oid)
                    ),
                }
            )
            for found in reader.rows(
                "transactions",
                _TRANSACTIONS,
                {
                    "modes": _LOCKS_IN_THE_WAY,
                    "user": wanted.bucardo_user,
                    "age": wanted.max_transaction_age,
                },
            )
        ),
        bucardo_relations=row["bucardo_relations"],
        has_bucardo=row["has_bucardo"],
        is_control=row["is_control"],
        enrolled=_read_enrolled(reader, row["has_bucardo"]),
        seed=seed,
        found=_read_found(reader, tables, row["bucardo_relations"]),
        filled=frozenset()
        if origin
        else reader.attempt(
            "which tables are empty",
            lambda: _read_filled(session, tables, _vouched(seed)),
            frozenset(),
        ),
        locked=locked,
        foreign=tuple(own_objects.foreign(session, wanted.bucardo_user)),
        extension_rows=reader.attempt(
            "rows in tables of extensions", lambda: survey_rows.extension_rows(session), ()
        )
        if origin
        else (),
        check_calls=reader.attempt(
            "what CHECK constraints call", lambda: survey_rows.check_calls(session), ()
        )
        if origin
        else (),
    )


def _read_seed(session: pg.Session, dbgroup: str) -> Seed:
    enrolled = frozenset(TableName(**row) for row in session.rows(_QUEUED, (DELTA_TRIGGER,)))
    seed = Seed(ledger.identity(session), ledger.place(session), enrolled=enrolled)
    try:
        epoch = membership.epoch_of(session, dbgroup)
        return dataclasses.replace(seed, epoch=epoch, entries=ledger.entries(session))
    except Refused:
        # What somebody else made is not believed; a check names it.
        return seed


def _read_found(
    reader: _Reader, tables: t.Sequence[Table], relations: int
) -> dict[TableName, Found]:
    """How tables are enrolled; nothing where Bucardo has nothing."""
    if not relations:
        return {}
    names = [table.name for table in tables if table.kind == "r"]
    return reader.attempt(
        "how tables are enrolled", lambda: tracking_read.read(reader.session, names), {}
    )


def _vouched(seed: Seed | None) -> set[TableName]:
    """Tables of which the ledger speaks, as far as this master alone can tell."""
    if seed is None:
        return set()
    return {
        name
        for name, entry in seed.entries.items()
        if entry.epoch == seed.epoch and entry.target in (None, seed.place)
    }


def _read_sequences(session: pg.Session) -> Survey:
    try:
        survey = sequences_read.read(session)
    except Refused:
        # As above.
        return Survey()
    # What is shared out already stays, whatever is stored.
    new = [name for name, sequence in survey.sequences.items() if not sequence.share]
    return sequences_read.with_stored(session, survey, new)


def _read_enrolled(reader: _Reader, has_names: bool) -> dict[str, int]:
    rows = reader.rows("Bucardo's triggers", _ENROLLED_BY_TRIGGER)
    if has_names:
        rows += reader.rows("Bucardo's tables", _ENROLLED_BY_NAME)
    enrolled: dict[str, int] = {}
    for row in rows:
        enrolled[row["sync"]] = max(enrolled.get(row["sync"], 0), row["tables"])
    return enrolled


def _read_filled(
    session: pg.Session, tables: t.Sequence[Table], known: t.Collection[TableName]
) -> frozenset[TableName]:
    """Tables that hold rows, without those that the ledger knows.

    Only a table whose file is not empty is looked into: on a fresh target, none.
    """
    suspects = [
        name
        for name in (TableName(**row) for row in session.rows(_NOT_EMPTY_FILES))
        if name not in known
    ]
    sql = pg.sql
    filled: set[TableName] = set()
    for start in range(0, len(suspects), _TABLES_PER_QUERY):
        some = suspects[start : start + _TABLES_PER_QUERY]
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} AS number WHERE EXISTS (SELECT FROM ONLY {})").format(
                sql.Literal(number), sql.Identifier(name.schema, name.name)
            )
            for number, name in enumerate(some)
        )
        filled.update(some[number] for number in session.column(query))
    return frozenset(filled)


# --- the control database -----------------------------------------------------------------------


def read_control(options: Options, wanted: Wanted) -> Control:
    """The control database, as far as it is there."""
    try:
        conninfo = ConnInfo.from_options(options, THE_CONTROL_DB, CONTROL_DB)
    except MultimasterError as error:
        return Control(error=error.one_line)
    found = _read_control_at(conninfo, wanted)
    return dataclasses.replace(found, not_passed_on=survey_addresses.not_passed_on(conninfo))


def _read_control_at(conninfo: ConnInfo, wanted: Wanted) -> Control:
    local = _is_local(conninfo)
    problem = ""
    for os_user, candidate in _control_candidates(conninfo, local):
        try:
            with _as_os_user(os_user):
                session = pg.Session(candidate)
        except ConnectionFailed as error:
            problem = problem or error.message
            continue
        with session:
            try:
                return _read_control(session, local, wanted)
            except MultimasterError as error:
                return Control(error=error.message, local=local)
    return Control(error=problem, local=local)


def _control_candidates(conninfo: ConnInfo, local: bool) -> t.Iterator[tuple[str, ConnInfo]]:
    """Ways in: as told; else as the OS users that may, over the local socket.

    Where the database is still missing its server can tell whether it could be made.
    """
    users = [""]
    told = {"user", "host", "service"} & set(conninfo.params)
    if local and os.geteuid() == 0 and not told:
        users = [user for user in ("bucardo", "postgres") if _home(user)] or [""]
    for dbname in (conninfo.dbname, "postgres"):
        for user in users:
            place = conninfo.database(dbname)
            yield user, place.with_params(user=user) if user else place


@contextlib.contextmanager
def _as_os_user(name: str) -> t.Iterator[None]:
    """Connect as another OS user: the server sees the effective user id (peer authentication)."""
    if not name:
        yield
        return
    os.seteuid(pwd.getpwnam(name).pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def _read_control(session: pg.Session, local: bool, wanted: Wanted) -> Control:
    differs = survey_addresses.password_differs(session, wanted)
    plperlu = session.value(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'plperlu')"
        " OR EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = 'plperlu')"
    )
    catalog = ControlCatalog(session)
    if not catalog.installed:
        return Control(local=local, plperlu=plperlu, password_differs=differs)
    return Control(
        local=local,
        plperlu=plperlu,
        installed=True,
        bucardo_version=catalog.version,
        databases=catalog.databases(),
        dbgroups=catalog.dbgroups(),
        syncs=catalog.syncs(),
        goats=tuple(catalog.goats()),
        password_differs=differs,
    )


# --- this host ----------------------------------------------------------------------------------


def read_host(
    masters: t.Sequence[Options],
    found: t.Sequence[Master],
    wanted: Wanted,
    os_users: t.Sequence[str],
    pg_bin_dir: str | None,
) -> Host:
    """pg_dump's version, and whether the OS users can log in to the masters."""
    try:
        pg_dump: int | None = find_tools(pg_bin_dir).major
    except MultimasterError:
        pg_dump = None
    logins: list[Login] = []
    skipped: list[str] = []
    users = os_users if wanted.check_os_users != "never" else ()
    for user in users:
        home = _home(user)
        if not home:
            if wanted.check_os_users == "always":
                logins += [Login(user, m.name, "there is no such OS user") for m in found]
            continue
        if os.geteuid() not in (0, pwd.getpwnam(user).pw_uid):
            skipped.append(user)
            continue
        logins += _logins(user, home, _places(masters, found, wanted))
    return Host(
        pg_dump=pg_dump,
        logins=tuple(logins),
        bucardorc=survey_addresses.read_rc(),
        logins_skipped=f"only root can try the logins of {', '.join(skipped)}" if skipped else "",
    )


def _home(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""


def _places(
    masters: t.Sequence[Options], found: t.Sequence[Master], wanted: Wanted
) -> list[tuple[str, dict[str, str]]]:
    """Master's name and what Bucardo's role connects with, without its password."""
    places = []
    for options, master in zip(masters, found):
        if master.server is None:
            # Unreachable for the login role: that is said already.
            continue
        login = ConnInfo.from_options(options)
        params = dict(
            login.for_bucardo(
                wanted.bucardo_user, wanted.bucardo_ssl_cert, wanted.bucardo_ssl_key
            ).params
        )
        params["dbname"] = master.dbname if master.database else str(options["maintenance_db"])
        params.setdefault("connect_timeout", str(_LOGIN_TIMEOUT))
        places.append((master.name, params))
    return places


def _logins(user: str, home: str, places: t.Sequence[tuple[str, dict[str, str]]]) -> list[Login]:
    """Try to connect in a child process that is this OS user, so with its password file."""
    # Line by line through a pipe: nothing is left behind, whatever happens to the child.
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _become(user, home)
            has_file = os.path.exists(os.path.join(home, ".pgpass"))
            answers = [(name, _login_error(params), has_file) for name, params in places]
            os.write(writing, json.dumps(answers).encode("utf-8"))
        finally:
            # Neither cleanup nor output of the parent's may run twice.
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        return [Login(user, name, "cannot act as this OS user") for name, _params in places]
    return [Login(user, *answer) for answer in json.loads(text)]


def _login_error(params: dict[str, str]) -> str:
    try:
        pg.Session(ConnInfo("", params)).close()
    except MultimasterError as error:
        return error.message.partition(": ")[2] or error.message
    return ""


def _become(user: str, home: str) -> None:
    entry = pwd.getpwnam(user)
    if os.geteuid() != entry.pw_uid:
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    os.environ.clear()
    os.environ.update(HOME=home, USER=user, LOGNAME=user, LC_ALL="C", PATH=os.defpath)
    os.chdir("/")

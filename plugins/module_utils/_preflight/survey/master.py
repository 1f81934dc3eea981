# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads one master: its server, and through it the database."""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from ..._common.errors import ConnectionFailed, MultimasterError, StatementFailed
from ..._postgres import pg
from ..._postgres.conninfo import ConnInfo
from ..._postgres.locale import normal_locale
from ..._postgres.output import OUTPUT_SETTINGS
from ..._postgres.timeouts import TIMEOUTS
from ..facts import Address, Role, Server, Setting, SurveyedMaster, Wanted
from . import addresses, queries
from .database import read_database
from .needs import read_offers
from .reader import Reader

Options = t.Mapping[str, t.Any]

# Milliseconds. Sizes need a lock on each table; a table that is locked for long is not waited for.
LOCK_TIMEOUT = 3000
# Seconds. A dead server fails its second database as slowly as its first.
_SLOW_FAILURE = 5.0
_CLOCK_SAMPLES = 3
# Too short for a rate.
_INSTANT = 0.05
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
# What of a role's, database's or server's own settings decides whether Bucardo can work.
_SETTINGS = [
    *TIMEOUTS,
    *OUTPUT_SETTINGS,
    "default_transaction_read_only",
    "default_transaction_isolation",
]


def read_master(options: Options, wanted: Wanted) -> SurveyedMaster:
    """One master as it is; an error ends up in `Master.error`."""
    unknown = SurveyedMaster(name=str(options["name"]), origin=bool(options.get("origin")))
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
        address = addresses.read_address(place, options, wanted)
        return dataclasses.replace(found, address=address)
    except pg.Pooled:
        return dataclasses.replace(unknown, address=Address(pooled=True))
    except MultimasterError as error:
        return dataclasses.replace(unknown, error=error.message)


def _read_master(
    master: SurveyedMaster, conninfo: ConnInfo, maintenance_db: str, wanted: Wanted
) -> SurveyedMaster:
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
        reader = Reader(session)
        dbname, server = read_server(reader, conninfo, wanted, master.dbname)
        master = dataclasses.replace(master, dbname=dbname, server=server)
        before = _transactions(session)
        try:
            database = read_database(reader, dbname, wanted, master.origin)
        except StatementFailed as error:
            return dataclasses.replace(master, error=error.message, unread=tuple(reader.unread))
        count, seconds = (now - then for now, then in zip(_transactions(session), before))
        server = dataclasses.replace(server, writes=count / max(seconds, _INSTANT))
        master = dataclasses.replace(master, server=server)
        return dataclasses.replace(master, database=database, unread=tuple(reader.unread))


def _without_database(
    master: SurveyedMaster, conninfo: ConnInfo, maintenance_db: str, wanted: Wanted
) -> SurveyedMaster | None:
    """The master if only its database is missing, else None."""
    try:
        session = pg.Session(conninfo.database(maintenance_db))
    except ConnectionFailed:
        return None
    with session:
        reader = Reader(session)
        _dbname, server = read_server(reader, conninfo, wanted, master.dbname)
        if conninfo.dbname in server.databases:
            return None
        return dataclasses.replace(master, server=server, unread=tuple(reader.unread))


def read_server(
    reader: Reader, conninfo: ConnInfo, wanted: Wanted, dbname: str
) -> tuple[str, Server]:
    """The server of a session, and the database, which libpq may have chosen."""
    session = reader.session
    row = session.row(queries.SERVER) or {}
    version = int(row["version"])
    dbname = dbname or row["dbname"]
    # From here on this session cannot write, and waits for nobody.
    session.execute(
        "SELECT set_config('default_transaction_read_only', 'on', false),"
        " set_config('lock_timeout', %s, false)",
        (str(LOCK_TIMEOUT),),
    )
    clock, clock_error = _clock(session)
    replica = "rolsuper"
    if version >= 150000:
        replica += " OR pg_catalog.has_parameter_privilege(oid, 'session_replication_role', 'SET')"
    roles: dict[str, Role] = {}
    login = Role("")
    for found in reader.rows(
        "roles", queries.ROLES.format(may_set_replica=replica), {"user": wanted.bucardo_user}
    ):
        is_login = found.pop("is_login")
        role = Role(**found)
        roles[role.name] = role
        login = role if is_login else login
    names = {"names": _SETTINGS, "user": wanted.bucardo_user, "dbname": dbname}
    settings = reader.rows("settings of roles and databases", queries.ROLE_SETTINGS, names)
    if login.superuser:
        settings += reader.rows("configuration files", queries.FILE_SETTINGS, names)
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
            for found in reader.rows("available extensions", queries.EXTENSIONS_OFFERED)
        },
        locales=frozenset(
            normal_locale(found["name"]) for found in reader.rows("locales", queries.LOCALES)
        ),
        free_bytes=_free_bytes(conninfo, row["data_directory"]),
        bucardo_role=roles.get(wanted.bucardo_user),
        password_differs=addresses.password_differs(session, wanted),
        settings=tuple(Setting(**setting) for setting in settings),
        offers=read_offers(reader, version),
    )


def _transactions(session: pg.Session) -> tuple[int, float]:
    """How many transactions have written something on the server so far, and when that was."""
    row = (
        session.row(
            "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS count,"
            " extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS clock"
        )
        or {}
    )
    return int(row["count"]), float(row["clock"])


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


def is_local(conninfo: ConnInfo) -> bool:
    host = conninfo.params.get("host", "")
    return "service" not in conninfo.params and (host in _LOCAL_HOSTS or host.startswith("/"))


def _free_bytes(conninfo: ConnInfo, data_directory: str) -> int | None:
    """Free space for the data directory, if it is on this host; SQL cannot tell it."""
    if not data_directory or not is_local(conninfo):
        return None
    try:
        state = os.statvfs(data_directory)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize

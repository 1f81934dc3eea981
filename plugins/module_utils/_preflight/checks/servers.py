# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: the masters' servers: versions, clocks, resources (pure)."""

from __future__ import annotations

import typing as t

from ..._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA
from ..context import Context
from ..facts import BUCARDO_CONNECTIONS
from ..registry import BLOCKER, INFO, WARNING, Hit, check

VERSION_MIN, VERSION_MAX = 13, 18


@check(
    "version-old",
    BLOCKER,
    f"A server is older than PostgreSQL {VERSION_MIN}.",
    "Upgrade the server.",
)
def _version_old(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.major < VERSION_MIN:
            yield Hit(master.name, master.name, f"PostgreSQL {server.major} is too old")


@check(
    "version-new",
    WARNING,
    f"A server is newer than PostgreSQL {VERSION_MAX}, with which nobody has tried this.",
    "Try it on a copy first.",
)
def _version_new(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.major > VERSION_MAX:
            yield Hit(master.name, master.name, f"PostgreSQL {server.major} was never tried")


@check(
    "version-backwards",
    WARNING,
    "A target's PostgreSQL is older than the origin's, so that its schema may not load there. It is"
    " tried, see schema-refused.",
    "Use the origin's version or a newer one.",
)
def _version_backwards(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.server if ctx.origin else None
    for master in ctx.targets:
        if origin and master.server and master.server.major < origin.major:
            yield Hit(
                master.name,
                master.name,
                f"PostgreSQL {master.server.major} is older than the origin's {origin.major}",
            )


@check(
    "pg-dump-old",
    BLOCKER,
    "pg_dump on this host is older than a master's server and would refuse to read it. The schemas"
    " of all masters are dumped, to compare them.",
    "Install the newest master's version of postgresql-client on Bucardo's host, or set"
    " schema_clone_pg_bin_dir to where it is.",
)
def _pg_dump_old(ctx: Context) -> t.Iterator[Hit]:
    client = ctx.facts.host.pg_dump
    for master, server in ctx.servers():
        if client is not None and client < server.major:
            yield Hit(
                "pg_dump",
                master.name,
                f"pg_dump {client} cannot read PostgreSQL {server.major}",
                f"Install postgresql-client-{server.major} on Bucardo's host, or set"
                " schema_clone_pg_bin_dir to where it is.",
            )


@check(
    "pg-dump-missing",
    WARNING,
    "There is no pg_dump on this host.",
    "Install postgresql-client, unless a later step does.",
)
def _pg_dump_missing(ctx: Context) -> t.Iterator[Hit]:
    if ctx.facts.host.pg_dump is None:
        yield Hit("pg_dump", "", "no pg_dump was found on this host")


@check(
    "in-recovery",
    BLOCKER,
    "A master is a standby and cannot be written.",
    "Name the primary.",
)
def _in_recovery(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.in_recovery:
            yield Hit(master.name, master.name, "the server is in recovery (a standby)")


@check(
    "clock-skew",
    WARNING,
    "Two masters' clocks differ; Bucardo decides conflicts by the time of the change.",
    "Let NTP or chrony run on both servers.",
)
def _clock_skew(ctx: Context) -> t.Iterator[Hit]:
    if not ctx.origin or not ctx.origin.server:
        return
    base = ctx.origin.server
    for master in ctx.targets:
        if not master.server:
            continue
        skew = abs(master.server.clock - base.clock)
        doubt = master.server.clock_error + base.clock_error
        if skew - doubt > ctx.wanted.max_clock_skew:
            yield Hit(
                master.name,
                master.name,
                f"the clock is {skew:.1f} s away from that of {ctx.origin.name}",
            )


@check(
    "connections",
    WARNING,
    "A server has too few free connections for the seed and Bucardo.",
    "Raise max_connections, or close idle connections.",
)
def _connections(ctx: Context) -> t.Iterator[Hit]:
    # Each worker holds one connection; the module itself two.
    needed = ctx.wanted.workers + 2 + BUCARDO_CONNECTIONS
    for master, server in ctx.servers():
        if server.free_connections < needed:
            yield Hit(
                master.name,
                master.name,
                f"{server.free_connections} connections are free, about {needed} are needed",
            )


@check(
    "lock-table",
    WARNING,
    "The shared lock table is small for this many tables: dump and seed lock every table.",
    "Raise max_locks_per_transaction.",
)
def _lock_table(ctx: Context) -> t.Iterator[Hit]:
    if not ctx.origin or not ctx.origin.database:
        return
    # A dump leaves these schemas out.
    relations = sum(
        1 + len(table.indexes)
        for table in ctx.origin.database.tables
        if table.name.schema not in (OWN_SCHEMA, BUCARDO_SCHEMA)
    )
    for master, server in ctx.servers():
        if relations * 2 > server.lock_slots:
            yield Hit(
                master.name,
                master.name,
                f"room for about {server.lock_slots} locks, but {relations} tables and indexes",
            )


@check(
    "session-libraries",
    INFO,
    "Libraries are loaded into every session; some of them forbid DDL or superusers.",
    "Make sure that they let Bucardo's role create schemas, functions and triggers.",
)
def _session_libraries(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.session_libraries:
            yield Hit(server.session_libraries, master.name, "session_preload_libraries is set")

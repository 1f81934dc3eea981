# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of preflight: where addresses lead, and whose the things are that are there (pure)."""

from __future__ import annotations

import typing as t

from ..._bucardo.registration import address, other_users, suggested_name
from ..._ledger.foreign import CURE as FOREIGN_CURE
from ..._postgres.conninfo import ConnInfo
from ..context import Context
from ..registry import BLOCKER, WARNING, Hit, check


@check(
    "pooler",
    BLOCKER,
    "A connection pooler answers instead of the server: settings of a session would reach other"
    " clients, and locks and snapshots would be lost.",
    "Name the server's own host and port; applications may go on using the pooler.",
)
def _pooler(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        if master.address.pooled:
            yield Hit(
                master.dbname or master.name, master.name, "PgBouncer or the like answers there"
            )


@check(
    "several-servers",
    BLOCKER,
    "An address leads to different servers, as a load balancer's does.",
    "Name one server.",
)
def _several_servers(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        if master.address.servers > 1:
            yield Hit(
                master.host or master.name,
                master.name,
                f"some connections to it met {master.address.servers} different servers",
            )


@check(
    "address-unpassable",
    BLOCKER,
    "A master's address holds what Bucardo cannot be told.",
    "Write it in another way, or into a libpq service file of Bucardo's operating-system users.",
)
def _address_unpassable(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        if master.address.unpassable:
            yield Hit(master.name, master.name, master.address.unpassable)


@check(
    "client-certificate",
    BLOCKER,
    "A master asks for a client certificate, and Bucardo's role has none.",
    "Set multimaster_bucardo_ssl_cert and multimaster_bucardo_ssl_key: files on this host that its"
    " users bucardo and postgres can read (root's, mode 0640, a group of both).",
)
def _client_certificate(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        if master.address.wants_certificate:
            yield Hit(
                ctx.wanted.bucardo_user, master.name, "this role is refused without a certificate"
            )


@check(
    "control-options",
    WARNING,
    "Bucardo's programs are told only host, port, database and role of the control database: its"
    " rc file knows no more.",
    "Give them the rest by libpq's environment variables, in the daemon's unit for example.",
)
def _control_options(ctx: Context) -> t.Iterator[Hit]:
    if ctx.facts.control and ctx.facts.control.not_passed_on:
        names = ", ".join(ctx.facts.control.not_passed_on)
        yield Hit("control database", "", f"{names} will not be used by Bucardo itself")


@check(
    "name-taken",
    BLOCKER,
    "Another sync uses a master's name for another database, which it would lose.",
    "Give the master a name of its own (master_name).",
)
def _name_taken(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    for master in ctx.facts.masters:
        known = control.databases.get(master.name) if control else None
        if not known or not control or master.error:
            continue
        users = other_users(master.name, control.dbgroups, control.syncs, ctx.wanted.sync)
        # The same database, wherever it is now, has the other sync's triggers.
        strangers = users - set(master.database.enrolled if master.database else ())
        same = (known.dbname, known.host, known.port or "5432") == (
            master.dbname,
            master.host,
            master.port or "5432",
        )
        if strangers and not same:
            name = suggested_name(master.name, ConnInfo(master.name, {"dbname": master.dbname}))
            yield Hit(
                master.name,
                master.name,
                f"sync {', '.join(sorted(strangers))} uses this name for {address(known)}",
                f"Give the master a name of its own, for example master_name: {name}.",
            )


@check(
    "foreign-owner",
    BLOCKER,
    "A schema of Bucardo's or this collection's, or something in it, belongs to somebody who is no"
    " superuser: rows in it cannot be believed, and triggers on it would run as a superuser.",
    FOREIGN_CURE,
)
def _foreign_owner(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for found in database.foreign:
            yield Hit(found.name, master.name, found.line)


@check(
    "foreign-installation",
    BLOCKER,
    "Bucardo is in use on this host, and not by this collection: its configuration, unit and"
    " control database would be taken over.",
    "Choose another host or control server, or set multimaster_adopt_bucardo: true to take it over"
    " with all of its syncs.",
)
def _foreign_installation(ctx: Context) -> t.Iterator[Hit]:
    rc, control = ctx.facts.host.bucardorc, ctx.facts.control
    if ctx.wanted.adopt or rc in ("", "ours"):
        return
    if rc == "foreign":
        yield Hit("/etc/bucardorc", "", "it was not written by this collection")
    elif control and (control.databases or control.syncs):
        what = ", ".join(sorted(control.syncs) or sorted(control.databases))
        yield Hit("bucardo", "", f"the control database holds {what}, made by somebody else")


@check(
    "bucardo-password",
    BLOCKER,
    "Bucardo's role has another password already, which another Bucardo or another sync may use.",
    "Set multimaster_bucardo_password to that one, or multimaster_change_password: true to change"
    " it for all who use it.",
)
def _bucardo_password(ctx: Context) -> t.Iterator[Hit]:
    if ctx.wanted.change_password:
        return
    for master, server in ctx.servers():
        if server.password_differs:
            yield Hit(
                ctx.wanted.bucardo_user,
                master.name,
                "this role has another password than multimaster_bucardo_password",
            )
    if ctx.facts.control and ctx.facts.control.password_differs:
        yield Hit(
            ctx.wanted.bucardo_user,
            "",
            "on the control server, this role has another password than"
            " multimaster_bucardo_password",
        )

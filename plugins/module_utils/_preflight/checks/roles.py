# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: the roles that log in, and what their sessions begin with (pure)."""

from __future__ import annotations

import typing as t

from ..._postgres.output import OUTPUT_SETTINGS, is_output
from ..._postgres.timeouts import TIMEOUTS
from ..._tracking import truncate
from ..context import Context
from ..facts import BUCARDO_CONNECTIONS, Setting, SurveyedMaster
from ..registry import BLOCKER, WARNING, Hit, check


@check(
    "not-superuser",
    BLOCKER,
    "The role that logs in is no superuser: it may neither read password hashes nor create"
    " Bucardo's triggers on other roles' tables.",
    "Log in as a superuser.",
)
def _not_superuser(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if not server.login.superuser:
            yield Hit(server.login.name, master.name, "login_user is no superuser")


@check(
    "bucardo-role",
    BLOCKER,
    "Bucardo's role exists, but it cannot log in or cannot switch off triggers.",
    "ALTER ROLE ... LOGIN SUPERUSER VALID UNTIL 'infinity'.",
)
def _bucardo_role(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        role = server.bucardo_role
        if role is None:
            continue
        if not role.can_login:
            yield Hit(role.name, master.name, "this role may not log in")
        if role.expired:
            yield Hit(role.name, master.name, "the password of this role has expired")
        if not role.superuser and not role.may_set_replica:
            yield Hit(
                role.name,
                master.name,
                "this role is neither superuser nor may it set session_replication_role",
            )


@check(
    "bucardo-role-rights",
    WARNING,
    "Bucardo's role is no superuser, though it may set session_replication_role: it needs to own"
    " every table and to create the schema bucardo.",
    "Make it a superuser, or a member of every table's owner.",
)
def _bucardo_role_rights(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        role = server.bucardo_role
        if role and not role.superuser and role.may_set_replica:
            yield Hit(role.name, master.name, "this role is no superuser")


@check(
    "bucardo-role-connections",
    WARNING,
    "Bucardo's role may open too few connections.",
    "ALTER ROLE ... CONNECTION LIMIT -1.",
)
def _bucardo_role_connections(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        role = server.bucardo_role
        if role and 0 <= role.connections < BUCARDO_CONNECTIONS:
            yield Hit(
                role.name, master.name, f"this role has a connection limit of {role.connections}"
            )


def _limits(ctx: Context, of_role: bool) -> t.Iterator[tuple[SurveyedMaster, Setting]]:
    for master, server in ctx.servers():
        for name in TIMEOUTS:
            setting = ctx.effective(master, server, name)
            if setting and bool(setting.role) == of_role and not _off(setting.value):
                yield master, setting


def _off(value: str) -> bool:
    """Whether a timeout's text means "none": 0 in whatever unit."""
    digits = value.strip(" '").rstrip("abcdefghijklmnopqrstuvwxyz ")
    try:
        return float(digits) == 0
    except ValueError:
        return False


@check(
    "role-timeout",
    BLOCKER,
    "Bucardo's role has a time limit; it would end the daemon's connections and long runs.",
    "ALTER ROLE ... SET ... = 0, in the database, too, if it was set there.",
)
def _role_timeout(ctx: Context) -> t.Iterator[Hit]:
    for master, setting in _limits(ctx, of_role=True):
        place = f" IN DATABASE {setting.database}" if setting.database else ""
        yield Hit(
            setting.role,
            master.name,
            f"{setting.name} is {setting.value} for {setting.where}",
            f"ALTER ROLE {setting.role}{place} SET {setting.name} = 0.",
        )


@check(
    "server-timeout",
    WARNING,
    "The server or the database sets a time limit for every role, Bucardo's included.",
    "ALTER ROLE ... SET ... = 0 for Bucardo's role.",
)
def _server_timeout(ctx: Context) -> t.Iterator[Hit]:
    for master, setting in _limits(ctx, of_role=False):
        user = ctx.wanted.bucardo_user
        place = f" IN DATABASE {setting.database}" if setting.database else ""
        yield Hit(
            user,
            master.name,
            f"{setting.name} is {setting.value} for {setting.where}",
            f"ALTER ROLE {user}{place} SET {setting.name} = 0.",
        )


@check(
    "read-only",
    BLOCKER,
    "Sessions on a master begin read-only.",
    "If it is read-only on purpose, as a former primary is, name the right server. Else set"
    " default_transaction_read_only to off for the server, the database and Bucardo's role.",
)
def _read_only(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        setting = ctx.effective(master, server, "default_transaction_read_only")
        if setting and setting.value.strip(" '").lower() in ("on", "true", "yes", "1"):
            yield Hit(
                master.dbname,
                master.name,
                f"default_transaction_read_only is on for {setting.where}",
            )
        elif server.read_only:
            yield Hit(master.dbname, master.name, "default_transaction_read_only is on")


@check(
    "role-output",
    BLOCKER,
    "In this database, Bucardo's role prints or reads values in another way than on the other"
    " masters or with less digits: what it copies would be changed on the way.",
    "ALTER ROLE ... IN DATABASE ... RESET ...: the bootstrap sets what is needed for the role.",
)
def _role_output(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        for name, value in OUTPUT_SETTINGS.items():
            setting = ctx.effective(master, server, name)
            # Only this outranks what the role gets.
            if setting and setting.role and setting.database and not is_output(name, setting.value):
                yield Hit(
                    setting.role,
                    master.name,
                    f"{name} is {setting.value} for {setting.where}, and must be {value}",
                    f"ALTER ROLE {setting.role} IN DATABASE {setting.database} RESET {name}.",
                )


@check(
    "truncate-isolation",
    WARNING,
    "Transactions begin with an isolation level in which TRUNCATE of a replicated table is refused,"
    " since it removes rows that they do not see.",
    "Let applications begin such transactions with ISOLATION LEVEL READ COMMITTED.",
)
def _truncate_isolation(ctx: Context) -> t.Iterator[Hit]:
    if ctx.wanted.truncate != truncate.DELETE:
        return
    for master, server in ctx.servers():
        setting = ctx.effective(master, server, "default_transaction_isolation")
        if setting and setting.value.strip(" '").lower() in ("repeatable read", "serializable"):
            yield Hit(
                master.dbname,
                master.name,
                f"default_transaction_isolation is {setting.value} for {setting.where}",
            )

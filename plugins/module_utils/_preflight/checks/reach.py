# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: whether the servers can be reached, and as whom (pure)."""

from __future__ import annotations

import typing as t

from ..._common.names import problem_with_dbname
from ..context import Context
from ..registry import BLOCKER, INFO, WARNING, Hit, check


@check(
    "unreachable",
    BLOCKER,
    "A master cannot be reached, or refuses the credentials.",
    "Check its host, port, role, password and database (login_* options, master_* variables), and"
    " pg_hba.conf on the server.",
)
def _unreachable(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        if master.error:
            yield Hit(master.dbname or master.name, master.name, master.error)


@check(
    "unread",
    WARNING,
    "Something could not be read on a master, so that checks are missing there.",
    "Log in as a superuser; see the message for what was refused.",
)
def _unread(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        for what in master.unread:
            yield Hit(master.name, master.name, what)


@check(
    "tables-locked",
    WARNING,
    "Another session holds exclusive locks, so that sizes could not be read.",
    "Wait for the VACUUM FULL, ALTER TABLE or similar to end.",
)
def _tables_locked(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        if database.locked:
            yield Hit(database.name, master.name, "tables are locked exclusively; sizes unknown")


@check(
    "origin-database",
    BLOCKER,
    "The origin's database does not exist.",
    "Check login_db of the origin.",
)
def _origin_database(ctx: Context) -> t.Iterator[Hit]:
    for master, _server in ctx.servers():
        if master.origin and not master.database and not master.error:
            yield Hit(master.dbname, master.name, "this database does not exist on the origin")


@check(
    "database-name",
    BLOCKER,
    "Bucardo cannot connect to a database of this name.",
    "Give Bucardo a libpq service for it.",
)
def _database_name(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        problem = problem_with_dbname(master.dbname) if master.dbname else ""
        if problem:
            yield Hit(master.dbname, master.name, f"the name of the database {problem}")


@check(
    "same-database",
    BLOCKER,
    "Two masters are the same database of the same server.",
    "Check login_host, login_port and login_db of both.",
)
def _same_database(ctx: Context) -> t.Iterator[Hit]:
    for master, first in ctx.twins():
        said = f"masters {first.name} and {master.name} are the same database"
        yield Hit(master.dbname, master.name, said)


@check(
    "os-user-login",
    BLOCKER,
    "An operating-system user cannot log in to a master as Bucardo's role. The daemon runs as"
    " bucardo; the control server's postgres runs the functions that Bucardo keeps there.",
    "Put the right line into that user's ~/.pgpass (mode 0600), and allow the host in pg_hba.conf.",
)
def _os_user_login(ctx: Context) -> t.Iterator[Hit]:
    absent = {m.name for m, server in ctx.servers() if server.bucardo_role is None}
    for login in ctx.facts.host.logins:
        if not login.error:
            continue
        if ctx.wanted.check_os_users != "always":
            # The play writes the role and the password file: only what is there can be wrong.
            if login.master in absent or not login.has_password_file:
                continue
            # Text of libpq, not of the server, so in English under LC_ALL=C.
            if "no password supplied" in login.error:
                continue
        yield Hit(
            login.os_user,
            login.master,
            f"the OS user {login.os_user} cannot log in as {ctx.wanted.bucardo_user}:"
            f" {login.error}",
        )


@check(
    "os-users-unchecked",
    INFO,
    "The logins of the operating-system users were not tried.",
    "Run preflight as root on the Bucardo host.",
)
def _os_users_unchecked(ctx: Context) -> t.Iterator[Hit]:
    if ctx.facts.host.logins_skipped:
        yield Hit("os_users", "", ctx.facts.host.logins_skipped)

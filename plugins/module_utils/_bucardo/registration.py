# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Bucardo is told of a master, and whose a name is that it knows (pure)."""

from __future__ import annotations

import typing as t

from .._common.errors import Refused
from .._postgres.conninfo import ConnInfo
from .object_plan import plan_database
from .objects import DatabaseRecord, Dbgroup, Sync

Options = t.Mapping[str, t.Any]

# Columns of bucardo.db beside dbconn, which takes all the rest.
_COLUMNS = ("host", "port", "dbname", "service", "user")


def registration(
    master: Options, user: str = "bucardo", ssl_cert: str = "", ssl_key: str = ""
) -> dict[str, t.Any]:
    """The options of bucardo_db that follow from how a master is reached.

    :raises Refused: for what cannot be passed on.
    """
    conninfo = ConnInfo.from_options(master).for_bucardo(user, ssl_cert, ssl_key)
    params = dict(conninfo.params)
    found: dict[str, t.Any] = {key: params.pop(key, "") for key in _COLUMNS}
    # The role and, where libpq chooses it, the database are not part of the place.
    del found["user"]
    return {"name": master["name"], **found, "dbname": found["dbname"] or None, "conn": params}


def problem_with_registration(
    master: Options, user: str = "bucardo", ssl_cert: str = "", ssl_key: str = ""
) -> str:
    """Why Bucardo cannot be told of a master, or ""; a name of a database is no matter."""
    try:
        # Which has a check of its own, and may be decided by the origin.
        options = {**registration(master, user, ssl_cert, ssl_key), "dbname": "x"}
        plan_database(None, options)
    except Refused as error:
        return error.message
    return ""


def taken(current: DatabaseRecord, syncs: t.Sequence[str], login: ConnInfo) -> str:
    """What is said of a name that belongs to another database."""
    return (
        f"The name {current.name} belongs to {address(current)} of the sync {', '.join(syncs)},"
        f" and {login} is another database"
    )


def address(database: DatabaseRecord) -> str:
    """A registered database for people."""
    port = f":{database.port}" if database.port else ""
    return f"{database.service or database.host}{port}/{database.dbname}"


def suggested_name(name: str, login: ConnInfo) -> str:
    """A name that tells databases of one server apart."""
    words = "".join(c if c.isascii() and c.isalnum() else "_" for c in login.dbname)
    return f"{name}_{words or 'other'}"[:60]


def other_users(
    name: str, dbgroups: t.Mapping[str, Dbgroup], syncs: t.Mapping[str, Sync], sync: str
) -> set[str]:
    """The other syncs in whose group a database is."""
    groups = {group.name for group in dbgroups.values() if name in group.members}
    return {one.name for one in syncs.values() if one.dbgroup in groups} - {sync}

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One address, one server: what Bucardo is told of a master, and where that really leads.

Whatever copies, enrols or proves goes through the login that the user gave, Bucardo through a login
of its own. Both are made from the same `ConnInfo`, and asked whether they meet the same database.
"""

from __future__ import annotations

import typing as t

from .._common.errors import MultimasterError, Refused
from .._postgres.conninfo import ConnInfo
from .._postgres.identity import RUNNING_SERVER
from .._postgres.pg import Session
from .objects import DatabaseRecord, libpq_params
from .registration import other_users, suggested_name, taken

if t.TYPE_CHECKING:
    from .catalog import Catalog
    from .writes import Control


# The same text from two sessions on one database of one running server, and from no other two.
PLACE = f"""
SELECT pg_catalog.concat_ws('/', {RUNNING_SERVER}, d.oid, d.datname)
  FROM pg_catalog.pg_database d
 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
"""
_ENROLLED_SYNCS = "SELECT DISTINCT sync FROM bucardo.bucardo_delta_names"


def place(session: Session) -> str:
    """Which database of which running server this is."""
    return str(session.value(PLACE))


def prove_same(control: Control, database: DatabaseRecord, password: str, login: ConnInfo) -> None:
    """Make sure that Bucardo meets the database that the login meets.

    In the transaction that registers it: what is refused is rolled back.

    :param password: what the catalog holds, "" for that of the password files.
    :raises Refused: with both addresses.
    """
    with Session(login) as session:
        ours = place(session)
    theirs = ConnInfo(database.name, libpq_params(database, password))
    with Session(theirs) as session:
        _require(ours == place(session), login, theirs, "this host")
    seen = control.ask_database(database.name, PLACE)
    _require(ours == seen, login, theirs, "the server of the control database")


def _require(same: bool, login: ConnInfo, theirs: ConnInfo, where: str) -> None:
    if not same:
        raise Refused(
            f"From {where}, Bucardo's address of {theirs} leads to another database than the"
            f" login's {login}",
            "Both must meet the same server: name it by an address that means the same for every"
            " operating-system user and from the control server, without PG* variables.",
        )


def check_not_taken(control: Catalog, current: DatabaseRecord, login: ConnInfo, sync: str) -> None:
    """Whether a known name may be given this address.

    :param current: what Bucardo knows by that name.
    :param sync: which may take its own masters to other servers; "" for none.
    :raises Refused: when another sync uses the name for another database.
    """
    users = other_users(current.name, control.dbgroups(), control.syncs(), sync)
    if not users:
        return
    ours = _Meeting.of(login)
    # It may have moved, and is not reached any more where it was: its triggers came with it.
    if users <= ours.enrolled:
        return
    if ours.place and ours.place == _Meeting.of(control.conninfo(current.name)).place:
        return
    raise Refused(
        taken(current, sorted(users - ours.enrolled), login),
        f"Give the master a name of its own (master_name), for example"
        f" {suggested_name(current.name, login)}.",
    )


class _Meeting(t.NamedTuple):
    """What a login meets: the place, "" when it cannot be asked, and whose triggers are there."""

    place: str
    enrolled: set[str]

    @classmethod
    def of(cls, conninfo: ConnInfo) -> _Meeting:
        try:
            with Session(conninfo) as session:
                return cls(place(session), _read_enrolled(session))
        except MultimasterError:
            return cls("", set())


def _read_enrolled(session: Session) -> set[str]:
    if not session.value(
        "SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_names') IS NOT NULL"
    ):
        return set()
    return set(session.column(_ENROLLED_SYNCS))

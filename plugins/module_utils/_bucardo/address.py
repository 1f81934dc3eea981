# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""One address, one server: what Bucardo is told of a master, and where that really leads.

Whatever copies, enrols or proves goes through the login that the user gave, Bucardo through a login
of its own. Both are made from the same C(ConnInfo), and asked whether they meet the same database.
"""

from __future__ import annotations

import typing as t

from .._common.errors import MultimasterError, Refused
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .object_plan import plan_database
from .objects import Database, Dbgroup, Sync, libpq_params

if t.TYPE_CHECKING:
    from .control import Control

Options = t.Mapping[str, t.Any]

# Columns of bucardo.db beside dbconn, which takes all the rest.
_COLUMNS = ("host", "port", "dbname", "service", "user")

# The same text from two sessions on one database of one running server, and from no other two: a
# copy of the files has the system identifier, but not the time at which its server started.
PLACE = """
SELECT pg_catalog.concat_ws('/',
         (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c),
         (pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())
            OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8,
         d.oid, d.datname)
  FROM pg_catalog.pg_database d
 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
"""
# As bucardo.db_testconn connects: in the control server, as its operating-system user.
_ASK_FROM_CONTROL = """
CREATE FUNCTION pg_temp.multimaster_place(text, text) RETURNS text LANGUAGE plperlu AS $perl$
use strict; use warnings; use DBI;
my ($name, $query) = @_;
my $found = spi_exec_query('SELECT bucardo.db_getconn(' . quote_literal($name) . ') AS conn');
my (undef, $dsn, $user, $pass) = split /\\n/, $found->{rows}[0]{conn};
my $dbh = DBI->connect($dsn, $user, $pass, {AutoCommit => 1, RaiseError => 1, PrintError => 0});
my ($place) = $dbh->selectrow_array($query);
$dbh->disconnect;
return $place;
$perl$
"""
_ENROLLED_SYNCS = "SELECT DISTINCT sync FROM bucardo.bucardo_delta_names"


def registration(
    master: Options, user: str = "bucardo", ssl_cert: str = "", ssl_key: str = ""
) -> dict[str, t.Any]:
    """The options of bucardo_db that follow from how a master is reached (pure).

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
    """Why Bucardo cannot be told of a master, or "" (pure); a name of a database is no matter."""
    try:
        # Which has a check of its own, and may be decided by the origin.
        options = {**registration(master, user, ssl_cert, ssl_key), "dbname": "x"}
        plan_database(None, options)
    except Refused as error:
        return error.message
    return ""


def place(session: Session) -> str:
    """Which database of which running server this is."""
    return str(session.value(PLACE))


def prove_same(control: Control, database: Database, password: str, login: ConnInfo) -> None:
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
    session = control.session
    session.execute(_ASK_FROM_CONTROL)
    seen = session.value("SELECT pg_temp.multimaster_place(%s, %s)", (database.name, PLACE))
    session.execute("DROP FUNCTION pg_temp.multimaster_place(text, text)")
    _require(ours == seen, login, theirs, "the server of the control database")


def _require(same: bool, login: ConnInfo, theirs: ConnInfo, where: str) -> None:
    if not same:
        raise Refused(
            f"From {where}, Bucardo's address of {theirs} leads to another database than the"
            f" login's {login}",
            "Both must meet the same server: name it by an address that means the same for every"
            " operating-system user and from the control server, without PG* variables.",
        )


def check_not_taken(control: Control, current: Database, login: ConnInfo, sync: str) -> None:
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


def taken(current: Database, syncs: t.Sequence[str], login: ConnInfo) -> str:
    """What is said of a name that belongs to another database (pure)."""
    return (
        f"The name {current.name} belongs to {address(current)} of the sync {', '.join(syncs)},"
        f" and {login} is another database"
    )


def address(database: Database) -> str:
    """A registered database for people (pure)."""
    port = f":{database.port}" if database.port else ""
    return f"{database.service or database.host}{port}/{database.dbname}"


def suggested_name(name: str, login: ConnInfo) -> str:
    """A name that tells databases of one server apart (pure)."""
    words = "".join(c if c.isascii() and c.isalnum() else "_" for c in login.dbname)
    return f"{name}_{words or 'other'}"[:60]


def other_users(
    name: str, dbgroups: t.Mapping[str, Dbgroup], syncs: t.Mapping[str, Sync], sync: str
) -> set[str]:
    """The other syncs in whose group a database is (pure)."""
    groups = {group.name for group in dbgroups.values() if name in group.members}
    return {one.name for one in syncs.values() if one.dbgroup in groups} - {sync}


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

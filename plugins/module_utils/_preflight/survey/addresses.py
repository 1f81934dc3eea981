# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads for preflight where addresses lead, and what of Bucardo is there already."""

from __future__ import annotations

import typing as t

from ..._bucardo import address
from ..._bucardo.daemon import parse_rc
from ..._bucardo.registration import problem_with_registration
from ..._common.errors import ConnectionFailed, MultimasterError, StatementFailed
from ..._postgres import pg, scram
from ..._postgres.conninfo import ConnInfo
from ..facts import Address, Wanted

BUCARDORC = "/etc/bucardorc"
# A line of the rc file that role bucardo writes.
RC_MARK = "Where Bucardo's programs find the control database. The password is in the password"
# What Debian's package brings along.
_PACKAGED_RC = {
    "dbhost": "localhost",
    "dbport": "5432",
    "dbname": "bucardo",
    "dbuser": "bucardo",
    "dbpass": "bucardo",
}
# libpq's keywords that an rc file has names for, or that are the login's own.
_RC_KEYWORDS = {"host", "port", "dbname", "user", "password", "passfile", "connect_timeout"}
# Further connections to an address: one of two servers in turn is found by the first of them.
_MORE_CONNECTIONS = 3
_STORED_PASSWORD = "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = %s"


def read_address(conninfo: ConnInfo, master: t.Mapping[str, t.Any], wanted: Wanted) -> Address:
    """What there is to know about an address that could be connected to."""
    return Address(
        servers=_servers(conninfo),
        unpassable=problem_with_registration(
            master, wanted.bucardo_user, wanted.bucardo_ssl_cert, wanted.bucardo_ssl_key
        ),
        wants_certificate=_wants_certificate(conninfo, wanted),
    )


def _servers(conninfo: ConnInfo) -> int:
    """How many different servers some connections meet."""
    found = set()
    for _again in range(_MORE_CONNECTIONS):
        try:
            with pg.Session(conninfo) as session:
                # Without the database, which may be one of maintenance.
                found.add(address.place(session))
        except MultimasterError:
            # It has no connection left, or may not tell: other checks say so.
            break
    return len(found)


def _wants_certificate(conninfo: ConnInfo, wanted: Wanted) -> bool:
    """Whether Bucardo's role, which has no certificate, is turned away for the want of one.

    The server's words may be in any language; without the password it fails in both cases, but
    not alike.
    """
    if "sslcert" not in conninfo.params or wanted.bucardo_ssl_cert:
        return False
    without = conninfo.for_bucardo(wanted.bucardo_user)
    theirs = {key: conninfo.params[key] for key in ("sslcert", "sslkey") if key in conninfo.params}
    return _complaint(without) != _complaint(without.with_params(**theirs))


def _complaint(conninfo: ConnInfo) -> str:
    try:
        # No password file of this user's may help one of the two.
        pg.Session(conninfo.with_params(passfile="/nonexistent")).close()
    except ConnectionFailed as error:
        return error.message
    except MultimasterError:
        return ""
    return ""


def not_passed_on(control: ConnInfo) -> tuple[str, ...]:
    """What of the way to the control database Bucardo's rc file cannot say (pure)."""
    return tuple(sorted(set(control.params) - _RC_KEYWORDS))


def password_differs(session: pg.Session, wanted: Wanted) -> bool:
    """Whether Bucardo's role has another password than the one that it shall have."""
    if not wanted.bucardo_password:
        return False
    try:
        stored = session.value(_STORED_PASSWORD, (wanted.bucardo_user,))
    except StatementFailed:
        return False
    return bool(stored) and not scram.fits(stored, wanted.bucardo_user, wanted.bucardo_password)


def read_rc(path: str = BUCARDORC) -> str:
    """Whose rc file this host has: "ours", "packaged", "foreign", "absent", or "" if unreadable."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return "absent"
    except OSError:
        return ""
    if RC_MARK in text:
        return "ours"
    found = parse_rc(text)
    return "packaged" if not found or found == _PACKAGED_RC else "foreign"

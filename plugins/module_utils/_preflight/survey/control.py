# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the control database, as far as it is there."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import typing as t

from ..._bucardo.catalog import CONTROL_DB, THE_CONTROL_DB, Catalog, is_installed
from ..._common.errors import ConnectionFailed, MultimasterError
from ..._postgres import pg
from ..._postgres.conninfo import ConnInfo
from ..facts import SurveyedControl, Wanted
from . import addresses
from .host import home_of
from .master import Options, is_local


def read_control(options: Options, wanted: Wanted) -> SurveyedControl:
    """The control database, as far as it is there."""
    try:
        conninfo = ConnInfo.from_options(options, THE_CONTROL_DB, CONTROL_DB)
    except MultimasterError as error:
        return SurveyedControl(error=error.one_line)
    found = _read_control_at(conninfo, wanted)
    return dataclasses.replace(found, not_passed_on=addresses.not_passed_on(conninfo))


def _read_control_at(conninfo: ConnInfo, wanted: Wanted) -> SurveyedControl:
    local = is_local(conninfo)
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
                return SurveyedControl(error=error.message, local=local)
    return SurveyedControl(error=problem, local=local)


def _control_candidates(conninfo: ConnInfo, local: bool) -> t.Iterator[tuple[str, ConnInfo]]:
    """Ways in: as told; else as the OS users that may, over the local socket.

    Where the database is still missing its server can tell whether it could be made.
    """
    users = [""]
    told = {"user", "host", "service"} & set(conninfo.params)
    if local and os.geteuid() == 0 and not told:
        users = [user for user in ("bucardo", "postgres") if home_of(user)] or [""]
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


def _read_control(session: pg.Session, local: bool, wanted: Wanted) -> SurveyedControl:
    differs = addresses.password_differs(session, wanted)
    plperlu = session.value(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'plperlu')"
        " OR EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = 'plperlu')"
    )
    if not is_installed(session):
        return SurveyedControl(local=local, plperlu=plperlu, password_differs=differs)
    catalog = Catalog(session)
    return SurveyedControl(
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

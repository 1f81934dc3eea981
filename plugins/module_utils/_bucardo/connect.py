# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the control database that a module's login options name."""

from __future__ import annotations

import os
import typing as t

from .._common.change import Scope
from .._common.errors import ConnectionFailed, Refused
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session, connect_if_exists
from .catalog import CONTROL_DB, THE_CONTROL_DB, is_installed
from .writes import Control


def connect(login: t.Mapping[str, t.Any], scope: Scope) -> Control:
    """The control database; an empty one in a check, where an earlier task would have made it.

    :param login: the login options.
    :raises Refused: when Bucardo is not installed there.
    """
    conninfo = ConnInfo.from_options(login, THE_CONTROL_DB, CONTROL_DB)
    try:
        session = scope.enter_context(Session(conninfo))
    except ConnectionFailed as error:
        scope.lacks(error)
        if not _may_be_made(conninfo):
            raise
        return Control(None)
    if not is_installed(session):
        scope.lacks(
            Refused(
                f"Bucardo is not installed in {conninfo}",
                "Run bucardo_install first, or check login_db.",
            )
        )
        return Control(None)
    return Control(session)


def _may_be_made(conninfo: ConnInfo) -> bool:
    """Whether what could not be reached may be what earlier tasks make.

    Never by the text of the failure, which is in the server's language.
    """
    host = conninfo.params.get("host", os.environ.get("PGHOST", "/"))
    if host.startswith("/") and "service" not in conninfo.params:
        # On this host they make all of it: the server, the operating system's user, the role.
        return True
    try:
        session = connect_if_exists(conninfo, "postgres")
    except ConnectionFailed:
        return False
    if session is None:
        return True
    session.close()
    return False

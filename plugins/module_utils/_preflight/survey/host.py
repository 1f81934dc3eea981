# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads this host: its programs, and whether its users reach the masters."""

from __future__ import annotations

import json
import os
import pwd
import typing as t

from ..._common.errors import MultimasterError
from ..._postgres import pg
from ..._postgres.conninfo import ConnInfo
from ..._postgres.pgdump import find_tools
from ..facts import Host, Login, SurveyedMaster, Wanted
from . import addresses
from .master import Options

# Seconds.
_LOGIN_TIMEOUT = 5


def read_host(
    masters: t.Sequence[Options],
    found: t.Sequence[SurveyedMaster],
    wanted: Wanted,
    os_users: t.Sequence[str],
    pg_bin_dir: str | None,
) -> Host:
    """pg_dump's version, and whether the OS users can log in to the masters."""
    try:
        pg_dump: int | None = find_tools(pg_bin_dir).major
    except MultimasterError:
        pg_dump = None
    logins: list[Login] = []
    skipped: list[str] = []
    users = os_users if wanted.check_os_users != "never" else ()
    for user in users:
        home = home_of(user)
        if not home:
            if wanted.check_os_users == "always":
                logins += [Login(user, m.name, "there is no such OS user") for m in found]
            continue
        if os.geteuid() not in (0, pwd.getpwnam(user).pw_uid):
            skipped.append(user)
            continue
        logins += _logins(user, home, _places(masters, found, wanted))
    return Host(
        pg_dump=pg_dump,
        logins=tuple(logins),
        bucardorc=addresses.read_rc(),
        logins_skipped=f"only root can try the logins of {', '.join(skipped)}" if skipped else "",
    )


def home_of(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""


def _places(
    masters: t.Sequence[Options], found: t.Sequence[SurveyedMaster], wanted: Wanted
) -> list[tuple[str, dict[str, str]]]:
    """Master's name and what Bucardo's role connects with, without its password."""
    places = []
    for options, master in zip(masters, found):
        if master.server is None:
            # Unreachable for the login role: that is said already.
            continue
        login = ConnInfo.from_options(options)
        params = dict(
            login.for_bucardo(
                wanted.bucardo_user, wanted.bucardo_ssl_cert, wanted.bucardo_ssl_key
            ).params
        )
        params["dbname"] = master.dbname if master.database else str(options["maintenance_db"])
        params.setdefault("connect_timeout", str(_LOGIN_TIMEOUT))
        places.append((master.name, params))
    return places


def _logins(user: str, home: str, places: t.Sequence[tuple[str, dict[str, str]]]) -> list[Login]:
    """Try to connect in a child process that is this OS user, so with its password file."""
    # Line by line through a pipe: nothing is left behind, whatever happens to the child.
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _become(user, home)
            has_file = os.path.exists(os.path.join(home, ".pgpass"))
            answers = [(name, _login_error(params), has_file) for name, params in places]
            os.write(writing, json.dumps(answers).encode("utf-8"))
        finally:
            # Neither cleanup nor output of the parent's may run twice.
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        return [Login(user, name, "cannot act as this OS user") for name, _params in places]
    return [Login(user, *answer) for answer in json.loads(text)]


def _login_error(params: dict[str, str]) -> str:
    try:
        pg.Session(ConnInfo("", params)).close()
    except MultimasterError as error:
        return error.message.partition(": ")[2] or error.message
    return ""


def _become(user: str, home: str) -> None:
    entry = pwd.getpwnam(user)
    if os.geteuid() != entry.pw_uid:
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    os.environ.clear()
    os.environ.update(HOME=home, USER=user, LOGNAME=user, LC_ALL="C", PATH=os.defpath)
    os.chdir("/")

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes sure that one seed only is at work on a target, and that it may do what it must."""

from __future__ import annotations

import time
import typing as t
import zlib

from .._common.errors import Refused, StatementFailed
from .._ledger import ledger
from .._postgres import pg

# Asked while somebody else is waited for; raises when nobody wants the seed any more.
Check = t.Callable[[], None]


def application_name(target: pg.Session) -> str:
    """One that all sessions of seeds of this very database have, and no others.

    As servers keep it: 63 bytes, and nothing but printable ASCII.
    """
    digest = zlib.crc32(ledger.identity(target).encode())
    name = "".join(one if " " <= one <= "~" else "?" for one in target.conninfo.name)
    return f"{pg.APPLICATION_NAME} seed {name[:29]} {digest:08x}"


def sign(session: pg.Session, name: str) -> None:
    """Give a session its application_name."""
    session.execute("SELECT pg_catalog.set_config('application_name', %s, false)", (name,))


def check_settings(target: pg.Session, maintenance_work_mem: str) -> None:
    """Refuse what the server would not let the workers set."""
    wanted = [
        ("maintenance_work_mem", maintenance_work_mem, "Correct the option."),
        (
            "session_replication_role",
            "replica",
            "Seeding needs a superuser, or a role that may set session_replication_role.",
        ),
        ("session_replication_role", "origin", ""),
    ]
    for name, value, cure in wanted:
        try:
            target.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
        except StatementFailed as error:
            raise Refused(error.message, cure) from error


def lock(target: pg.Session, target_name: str, seconds: float, check: Check) -> None:
    """Wait until no other seed of this target is at work, and keep others out."""
    end = time.monotonic() + seconds
    while not ledger.lock(target):
        if time.monotonic() > end:
            raise Refused(
                f"Another seed of {target_name} is under way",
                "Wait until it has ended. It stops by itself when its play is gone.",
            )
        check()
        time.sleep(0.5)


def end_orphans(session: pg.Session, name: str, seconds: float, check: Check) -> None:
    """End what a killed run left on a server, now that no other can be at work.

    A server before version 14 does not notice a dead client while it builds an index.

    :param name: `application_name` of its sessions.
    """
    query = (
        " FROM pg_catalog.pg_stat_activity WHERE application_name = %s"
        " AND datname = pg_catalog.current_database()"
        " AND pid <> pg_catalog.pg_backend_pid()"
    )
    session.execute("SELECT pg_catalog.pg_terminate_backend(pid)" + query, (name,))
    end = time.monotonic() + seconds
    while session.value("SELECT count(*)" + query, (name,)):
        if time.monotonic() > end:
            raise Refused(
                f"{session.conninfo} still runs statements of a seed that was killed",
                "Wait until they have ended.",
            )
        check()
        time.sleep(0.2)

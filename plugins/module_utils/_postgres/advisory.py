# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advisory locks, by which runs of this collection keep out of each other's way."""

from __future__ import annotations

from .._common.errors import StatementFailed
from . import pg

# Seconds to wait for another run. What a killed run began goes on until its task's end, without
# anybody who would see it: the run that is started next is to wait for it, not to fail.
PATIENCE = 60

_FUNCTION = "pg_catalog.{}(pg_catalog.hashtext(%s), pg_catalog.hashtext(%s))"


def take(session: pg.Session, group: str, name: str) -> bool:
    """Wait for this lock; the server lets go of it when the session ends.

    :returns: False when somebody else still holds it after `PATIENCE`.
    """
    session.execute("SET lock_timeout = %s", (f"{PATIENCE}s",))
    try:
        session.value("SELECT " + _FUNCTION.format("pg_advisory_lock"), (group, name))
    except StatementFailed as error:
        if error.sqlstate != pg.LOCK_NOT_AVAILABLE:
            raise
        return False
    finally:
        session.execute("RESET lock_timeout")
    return True


def release(session: pg.Session, group: str, name: str) -> None:
    """Let go of a lock before the session ends."""
    session.value("SELECT " + _FUNCTION.format("pg_advisory_unlock"), (group, name))

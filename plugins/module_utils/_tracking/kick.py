# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a write on a master wakes its sync (pure).

Bucardo's way is a trigger on every table whose function sends a NOTIFY. PostgreSQL lets
transactions that notify commit one after the other, each with a flush of its own, whatever else the
database does (async.c, PreCommit_Notify). The other way is ours: the function takes the next value
of a sequence, for which nobody waits, and a program looks at it several times a second, see
`_wake/`. Bucardo makes the function only where none has its name, so that ours stays, and no
trigger differs.
docs/decisions/kick.md has the measurements.
"""

from __future__ import annotations

import typing as t

from .own_function import SEARCH_PATH, OwnFunction, most

NOTIFY = "notify"
POLL = "poll"
# In the order of preference where a master has either.
KICKS = (POLL, NOTIFY)
# What Bucardo does.
DEFAULT = NOTIFY
# By which a session of the program that looks is known.
APPLICATION_NAME = "multimaster.bucardo poll"

_POLLED = "pg_catalog.nextval("


def name(sync: str) -> str:
    """Of the trigger, its function, and the sequence; `$kickfunc` of bucardo.schema."""
    return f"bucardo_kick_{sync}"


def function(sync: str, kick: str) -> OwnFunction:
    """The trigger's function for one of `KICKS`."""
    if kick == POLL:
        sequence = '"bucardo"."' + name(sync).replace('"', '""') + '"'
        literal = "'" + sequence.replace("'", "''") + "'"
        # An assignment needs no query.
        body = f"""
DECLARE
  value bigint;
BEGIN
  value := {_POLLED}{literal}::pg_catalog.regclass);
  RETURN NULL;
END;
"""
        return OwnFunction(name(sync), body, settings=(SEARCH_PATH,), sequence=name(sync))
    message = f"kick_sync_{sync}".replace("'", "''")
    body = f"""
BEGIN
  NOTIFY bucardo, '{message}';
  RETURN NULL;
END;
"""
    return OwnFunction(name(sync), body, definer=False, settings=())


def kick_of(body: str) -> str:
    """Which of `KICKS` a function of this text is."""
    return POLL if _POLLED in body else NOTIFY


def in_use(found: t.Iterable[str]) -> str:
    """What most masters have, "" when none has any."""
    return most(found, KICKS)

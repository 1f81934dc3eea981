# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether each master is still the one that was last seen.

A server that is replaced by its standby, or whose data directory is replaced by a backup, answers
under the same name and forgets what it held last, its ledger included. Changes of others that had
reached it are marked as brought there, so nothing ever brings them again. A promotion, or a
recovery to a point in time, begins a new timeline. A backup that is merely started does not: so
each time that a master is looked at it is given a token, of which the control database keeps the
like; a master that went back has an older one.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._postgres import pg
from . import ledger, own_objects, own_table

_SIGHTINGS = own_table.of_members(
    "sighting",
    "place text NOT NULL",
    "token text NOT NULL",
    "next_token text",
    "seen_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()",
)
_SIGHTED = own_table.of_groups(
    "sighted",
    "token text NOT NULL",
    "seen_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()",
)
_PROMISE = """
INSERT INTO multimaster.sighting (dbgroup, db, place, token, next_token)
VALUES (%(dbgroup)s, %(db)s, %(place)s, '', %(token)s)
ON CONFLICT (dbgroup, db) DO UPDATE SET next_token = excluded.next_token
"""
_KEEP = """
UPDATE multimaster.sighting SET place = %(place)s, token = %(token)s, next_token = NULL,
       seen_at = pg_catalog.clock_timestamp()
 WHERE dbgroup = %(dbgroup)s AND db = %(db)s
"""
_GIVE = """
INSERT INTO multimaster.sighted (dbgroup, token) VALUES (%s, %s)
ON CONFLICT (dbgroup) DO UPDATE SET token = excluded.token, seen_at = excluded.seen_at
"""

PLACED = "was promoted, moved, or restored to a point in time"
WENT_BACK = "was restored to an earlier moment"


@dataclasses.dataclass(frozen=True)
class Sighting:
    """What the control database keeps of a master.

    :param place: see `ledger.place`; it begins with the timeline.
    :param next_token: one that is just being given.
    """

    place: str
    token: str
    next_token: str | None = None


def changed(last: Sighting | None, place: str, token: str) -> str:
    """What happened to a master since it was last seen, "" for nothing (pure).

    :param token: the one that it has, "" for none.
    """
    if last is None:
        return ""
    if last.token and place != last.place:
        return PLACED
    if token in (last.token, last.next_token):
        return ""
    return WENT_BACK


def look(control: pg.Session, dbgroup: str, masters: t.Mapping[str, pg.Session]) -> dict[str, str]:
    """By master, what happened to it since it was last seen; only those that changed."""
    seen = _seen(control, dbgroup)
    found = {
        name: changed(seen.get(name), ledger.place(session), token(session, dbgroup))
        for name, session in masters.items()
    }
    return {name: why for name, why in found.items() if why}


def note(control: pg.Session, dbgroup: str, masters: t.Mapping[str, pg.Session]) -> None:
    """They are as they are to be; members of the group only.

    All get the same token: should the control database be lost, it tells who was a member last.
    """
    own_objects.require_ours(control)
    _SIGHTINGS.ensure(control)
    token = control.value("SELECT pg_catalog.gen_random_uuid()::text")
    for name, session in masters.items():
        given = {"dbgroup": dbgroup, "db": name, "place": ledger.place(session), "token": token}
        # Announced first: a run that ends in between leaves one of two tokens, both known.
        control.execute(_PROMISE, given)
        _give(session, dbgroup, token)
        control.execute(_KEEP, given)


def renew(control: pg.Session, dbgroup: str, masters: t.Mapping[str, pg.Session]) -> None:
    """Tell those who stay members from one that leaves, which keeps the token of before.

    Not where one of them is not who it was: the token that it has is what shows it.
    """
    if not look(control, dbgroup, masters):
        note(control, dbgroup, masters)


def forget(session: pg.Session, dbgroup: str) -> None:
    """A master leaves a group."""
    if _SIGHTED.exists(session):
        session.execute("DELETE FROM multimaster.sighted WHERE dbgroup = %s", (dbgroup,))
        _SIGHTED.drop_if_empty(session)


def _seen(control: pg.Session, dbgroup: str) -> dict[str, Sighting]:
    if not _SIGHTINGS.exists(control):
        return {}
    rows = control.rows(
        "SELECT db, place, token, next_token FROM multimaster.sighting WHERE dbgroup = %s",
        (dbgroup,),
    )
    return {row.pop("db"): Sighting(**row) for row in rows}


def token(session: pg.Session, dbgroup: str) -> str:
    """What a master was given when it was last seen, "" for nothing."""
    if not _SIGHTED.exists(session):
        return ""
    found = session.value("SELECT token FROM multimaster.sighted WHERE dbgroup = %s", (dbgroup,))
    return str(found or "")


def _give(session: pg.Session, dbgroup: str, token: str) -> None:
    _SIGHTED.ensure(session)
    session.execute(_GIVE, (dbgroup, token))

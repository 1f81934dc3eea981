# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Since when a master has been a member of its group, and what its ledger is worth today.

Bucardo marks a change as brought to the group, not to each member (track tables): who was away
missed what the others exchanged, and nothing of Bucardo's ever tells. So each membership has an
epoch. It is made when a database joins a dbgroup, it is a row of the control database that goes
with the row of bucardo.dbmap whoever deletes that, and it is noted on the master, where the
entries of the ledger carry it.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused
from .._common.names import TableName
from .._postgres import pg
from . import ledger, own_table
from .doubts import Today

# Random and not counted: a control database that was made anew must not repeat an epoch.
_MEMBERS = own_table.of_members(
    "member",
    "epoch text NOT NULL DEFAULT pg_catalog.gen_random_uuid()::text",
    "joined_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()",
)
_MEMBERSHIPS = own_table.of_groups(
    "membership",
    "epoch text NOT NULL",
    "is_origin boolean NOT NULL",
    "noted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()",
)


@dataclasses.dataclass(frozen=True)
class Membership:
    """What a master itself has noted of its membership in one dbgroup.

    :param is_origin: the group's tables are registered as this master's.
    """

    epoch: str
    is_origin: bool


def read_oids(session: pg.Session, names: t.Collection[TableName]) -> dict[TableName, int]:
    """OIDs of these tables, of those that are there."""
    rows = session.rows(
        "SELECT n.nspname AS schema, c.relname AS name, c.oid::bigint AS oid"
        "  FROM unnest(%s::text[], %s::text[]) AS w (schema, name)"
        "  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema"
        "  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name",
        ([name.schema for name in names], [name.name for name in names]),
    )
    return {TableName(row["schema"], row["name"]): row["oid"] for row in rows}


# --- the control database -----------------------------------------------------------------------


def epochs(control: pg.Session, dbgroup: str) -> dict[str, str]:
    """Epoch by member; without those that joined by another hand or under 1.0.0."""
    if not _MEMBERS.exists(control):
        return {}
    rows = control.rows("SELECT db, epoch FROM multimaster.member WHERE dbgroup = %s", (dbgroup,))
    return {row["db"]: row["epoch"] for row in rows}


def join(control: pg.Session, dbgroup: str, members: t.Collection[str]) -> dict[str, str]:
    """Give an epoch to members that have none; returns that of each member."""
    _MEMBERS.ensure(control)
    control.execute(
        "INSERT INTO multimaster.member (dbgroup, db)"
        " SELECT %s, pg_catalog.unnest(%s::text[]) ON CONFLICT DO NOTHING",
        (dbgroup, sorted(members)),
    )
    return epochs(control, dbgroup)


# --- a master -----------------------------------------------------------------------------------


def memberships(session: pg.Session) -> dict[str, Membership]:
    """What a master has noted, by dbgroup."""
    if not _MEMBERSHIPS.exists(session):
        return {}
    return {
        row["dbgroup"]: Membership(row["epoch"], row["is_origin"])
        for row in session.rows("SELECT dbgroup, epoch, is_origin FROM multimaster.membership")
    }


def note(session: pg.Session, dbgroup: str, membership: Membership) -> None:
    """Let a master know of its membership."""
    _MEMBERSHIPS.ensure(session)
    session.execute(
        "INSERT INTO multimaster.membership (dbgroup, epoch, is_origin) VALUES (%s, %s, %s)"
        " ON CONFLICT (dbgroup) DO UPDATE SET epoch = excluded.epoch,"
        " is_origin = excluded.is_origin, noted_at = excluded.noted_at",
        (dbgroup, membership.epoch, membership.is_origin),
    )


def leave(session: pg.Session, dbgroup: str) -> None:
    """Forget a master's membership; nothing of it stays behind."""
    if not memberships(session):
        return
    session.execute("DELETE FROM multimaster.membership WHERE dbgroup = %s", (dbgroup,))
    _MEMBERSHIPS.drop_if_empty(session)


def epoch_of(session: pg.Session, dbgroup: str = "") -> str | None:
    """The epoch of a master, None when it is member of no group.

    :param dbgroup: needed where the master is member of several.
    :raises Refused: when it is and none was named.
    """
    noted = memberships(session)
    if not dbgroup and len(noted) > 1:
        raise Refused(
            f"{session.conninfo} is a member of several groups: {', '.join(sorted(noted))}",
            "Name the one of this sync with the option dbgroup.",
        )
    found = noted.get(dbgroup) if dbgroup else next(iter(noted.values()), None)
    return found.epoch if found else None


def is_only_origin(session: pg.Session) -> bool:
    """Whether this master is the origin of every group that it is a member of."""
    noted = memberships(session).values()
    return bool(noted) and all(one.is_origin for one in noted)


def today(
    source: pg.Session,
    target: pg.Session,
    source_oids: t.Mapping[TableName, int],
    epoch: str | None,
) -> Today:
    """What the ledger of the target must speak of."""
    return Today(ledger.identity(source), source_oids, ledger.place(target), epoch)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is being taken into a group while the others replicate, as the control database notes it.

A row is there before anything is kept on a member for its newcomer, and goes after all of that.
"""

from __future__ import annotations

from .._postgres.pg import Session
from . import own_table

_JOINING = own_table.OwnTable(
    "joining",
    (
        "dbgroup text NOT NULL",
        "db text NOT NULL",
        "epoch text NOT NULL DEFAULT pg_catalog.gen_random_uuid()::text",
        "begun_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()",
        "PRIMARY KEY (dbgroup, db)",
    ),
)


def known(control: Session, dbgroup: str) -> dict[str, str]:
    """Their names, and with which epoch each will be a member."""
    return {name: epoch for (group, name), epoch in everywhere(control).items() if group == dbgroup}


def everywhere(control: Session) -> dict[tuple[str, str], str]:
    """The same of all groups, by group and name."""
    if not _JOINING.exists(control):
        return {}
    rows = control.rows("SELECT dbgroup, db, epoch FROM multimaster.joining")
    return {(row["dbgroup"], row["db"]): row["epoch"] for row in rows}


def begin(control: Session, dbgroup: str, name: str) -> str:
    """Note a newcomer; returns its epoch."""
    _JOINING.ensure(control)
    control.execute(
        "INSERT INTO multimaster.joining (dbgroup, db) VALUES (%s, %s)", (dbgroup, name)
    )
    return known(control, dbgroup)[name]


def end(control: Session, dbgroup: str, name: str) -> None:
    """It is a member, or does not come."""
    control.execute(
        "DELETE FROM multimaster.joining WHERE dbgroup = %s AND db = %s", (dbgroup, name)
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of this collection's schema that are made when something is first written to them."""

from __future__ import annotations

import dataclasses

from .._postgres.pg import Session
from . import own_objects

# Goes with the row of bucardo.dbmap, whoever deletes that.
_OF_MEMBER = (
    "FOREIGN KEY (db, dbgroup) REFERENCES bucardo.dbmap (db, dbgroup)"
    " ON UPDATE CASCADE ON DELETE CASCADE"
)


@dataclasses.dataclass(frozen=True)
class OwnTable:
    """A table of the schema multimaster.

    :param columns: what it is made of, as in CREATE TABLE.
    """

    name: str
    columns: tuple[str, ...]

    def exists(self, session: Session) -> bool:
        """Whether it is there."""
        found = session.value(
            f"SELECT pg_catalog.to_regclass('multimaster.{self.name}') IS NOT NULL"
        )
        return bool(found)

    def ensure(self, session: Session) -> None:
        """Make it where it is not there.

        :raises Refused: when the schema, or something in it, is somebody else's.
        """
        if not self.exists(session):
            own_objects.require_ours(session)
            session.execute_script(
                "SET client_min_messages = warning;\n"
                "CREATE SCHEMA IF NOT EXISTS multimaster;\n"
                f"CREATE TABLE IF NOT EXISTS multimaster.{self.name} (\n    "
                + ",\n    ".join(self.columns)
                + "\n);\nRESET client_min_messages"
            )

    def drop_if_empty(self, session: Session) -> bool:
        """Let nothing stay behind of what is over; returns whether it was dropped."""
        if session.value(f"SELECT EXISTS (SELECT FROM multimaster.{self.name})"):
            return False
        session.execute(f"DROP TABLE multimaster.{self.name}")
        return True


def of_members(name: str, *columns: str) -> OwnTable:
    """A table of the control database with a row for each member of a dbgroup."""
    key = ("dbgroup text NOT NULL", "db text NOT NULL")
    return OwnTable(name, (*key, *columns, "PRIMARY KEY (dbgroup, db)", _OF_MEMBER))


def of_groups(name: str, *columns: str) -> OwnTable:
    """A table of a master with a row for each dbgroup that it is a member of."""
    return OwnTable(name, ("dbgroup text PRIMARY KEY", *columns))

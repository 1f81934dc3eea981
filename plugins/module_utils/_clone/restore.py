# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a dumped schema: large pieces, one round trip and one transaction each.

psql or pg_restore would wait for the network once per statement.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._common.errors import CommandFailed, StatementFailed
from .._postgres import dump, pgdump
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from . import schema

# Entries of the dump per round trip: some hundred locks at once.
_PIECE = 500
# A database's or role's own settings apply to the restoring session, too.
_SETTINGS = {"default_transaction_read_only": "off"}
_OUT_OF_LOCKS = "53200"
UNDEFINED = "42704"
# Something is missing: what was refused before it, perhaps, or left out.
MISSING = ("42P01", UNDEFINED, "42883", "42703", "3F000", "42P16")


@dataclasses.dataclass(frozen=True)
class Restorer:
    """Sends entries of an archive to a server.

    :param server: its name in messages.
    :param major: its major version.
    :param sections: of the archive, e.g. ("pre-data", "post-data").
    :param tablespaces: whether objects keep theirs.
    :param owners: whether objects get theirs, or belong to who is logged in.
    """

    tools: pgdump.Tools
    server: str
    major: int
    archive: str
    sections: tuple[str, ...]
    tablespaces: bool
    owners: bool = True

    def restore(
        self, conninfo: ConnInfo, todo: t.Sequence[dump.TocEntry], one_transaction: bool
    ) -> None:
        """Send these entries in their order.

        :raises CommandFailed: naming the object that cannot be made there.
        """
        settings = dict(_SETTINGS)
        if not one_transaction:
            # Flushed by the commit of the renaming that ends a clone.
            settings["synchronous_commit"] = "off"
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(Session(conninfo))
            for setting, value in settings.items():
                session.execute("SELECT pg_catalog.set_config(%s, %s, false)", (setting, value))
            if one_transaction:
                stack.enter_context(session.transaction())
            self._pieces(session, todo, one_transaction)

    def restore_in(self, session: Session, todo: t.Sequence[dump.TocEntry]) -> None:
        """The same in a transaction that is under way."""
        self._pieces(session, todo, one_transaction=True)

    def _pieces(
        self, session: Session, todo: t.Sequence[dump.TocEntry], one_transaction: bool
    ) -> None:
        for start in range(0, len(todo), _PIECE):
            self._piece(session, todo[start : start + _PIECE], one_transaction)

    def _piece(
        self, session: Session, piece: t.Sequence[dump.TocEntry], one_transaction: bool
    ) -> None:
        """All or nothing of a piece; halves it until the one is alone that cannot be created."""
        script = self.tools.script(
            self.archive, piece, self.sections, self.tablespaces, self.owners
        )
        if one_transaction:
            session.execute("SAVEPOINT piece")
        try:
            session.execute_script(schema.restore_script(script, self.major))
        except StatementFailed as error:
            if one_transaction:
                session.execute("ROLLBACK TO SAVEPOINT piece")
            if one_transaction and error.sqlstate == _OUT_OF_LOCKS:
                raise CommandFailed(
                    f"The schema has more objects than {self.server} can lock in one"
                    f" transaction: {error.message}",
                    "Raise max_locks_per_transaction there and restart it, or name a database that"
                    " does not exist yet: one that this module creates is filled in small"
                    " transactions.",
                ) from error
            if len(piece) > 1:
                half = len(piece) // 2
                self._piece(session, piece[:half], one_transaction)
                self._piece(session, piece[half:], one_transaction)
                return
            self._refused(piece[0], script, error)
            return
        if one_transaction:
            session.execute("RELEASE SAVEPOINT piece")

    def _refused(self, entry: dump.TocEntry, script: str, error: StatementFailed) -> None:
        """Nothing more is restored when the server does not take an object."""
        blocks = schema.parse_script(script)
        raise CommandFailed(
            f"Cannot create {blocks[0].title if blocks else entry.label} on"
            f" {dump.redact(error.message)}",
            f"Nothing of the schema was left on {self.server}.",
            sqlstate=error.sqlstate,
        ) from error


@dataclasses.dataclass(frozen=True)
class WithoutSome(Restorer):
    """Passes over what needs something that was left out of the entries."""

    def _refused(self, entry: dump.TocEntry, script: str, error: StatementFailed) -> None:
        if error.sqlstate not in MISSING:
            super()._refused(entry, script, error)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes and fills databases on the target's server, scratch ones included."""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from .._common.errors import MultimasterError
from .._postgres import database as postgres_database
from .._postgres import database_client, dump, sql
from .._postgres.conninfo import ConnInfo
from .._postgres.database import DatabaseSpec
from .._postgres.pg import Session
from . import schema
from .facts import OF_ONE_DATABASE, SECTIONS, SchemaDump
from .read import Dumper, Side
from .restore import Restorer, WithoutSome


class Target:
    """The target's server.

    :param database: what its database is to be like.
    """

    def __init__(self, dumper: Dumper, side: Side, database: DatabaseSpec) -> None:
        self._dumper = dumper
        self._side = side
        self._server = side.session
        self._database = database
        # Programs and statements that were run, secrets masked.
        self.ran: list[str] = []

    def texts(self, statements: t.Iterable[sql.Composable]) -> list[str]:
        """Statements for people."""
        return [self._server.as_text(statement) for statement in statements]

    @staticmethod
    def allow_writing(session: Session) -> None:
        """Whatever the login, the role or the database has as default."""
        session.execute(
            "SELECT pg_catalog.set_config('default_transaction_read_only', 'off', false)"
        )

    def echo(self, source: SchemaDump) -> list[schema.Block]:
        """What this server prints of a dump once it has been restored here."""
        name = self._scratch_name("echo")
        self._drop(name)
        self._note(database_client.create(self._server, self._database, name))
        try:
            login = self._side.login.database(name)
            some = len(source.anywhere) < len(source.entries)
            self._restore(login, source.archive, source.anywhere, "whole", some_left_out=some)
            printed = self._dumper.schema_of(login, "echo")
            self.ran.append(printed.command)
        finally:
            self._drop(name)
        return schema.with_views(printed.blocks("whole"))

    def create(
        self,
        source: SchemaDump,
        todo: t.Sequence[dump.TocEntry],
        verify: t.Callable[[ConnInfo], None],
    ) -> None:
        """Make the database under another name, and give it its own when it is complete.

        So a killed run leaves nothing under the real name, and the restore needs neither one
        huge transaction nor a lock table that holds every object at once.

        :param verify: raises when what was made is not as it should be.
        """
        if OF_ONE_DATABASE.intersection(dump.extensions(todo).values()):
            self._create_at_once(source, todo, verify)
            return
        scratch = self._scratch_name("clone")
        self._drop(scratch)
        self._note(database_client.create(self._server, self._database, scratch))
        try:
            login = self._side.login.database(scratch)
            self._restore(login, source.archive, todo, self._dumper.options.sections)
            verify(login)
            made = database_client.read_database(self._server, scratch)
            if made is None:
                raise MultimasterError(f"{self._side.name}: database {scratch} has vanished")
            self._execute(postgres_database.property_statements(self._database, made))
            self._execute(
                [
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                        sql.Identifier(scratch), sql.Identifier(self._side.login.dbname)
                    )
                ]
            )
        except BaseException:
            # The error in flight says more than a second one about the same server.
            with contextlib.suppress(MultimasterError):
                self._drop(scratch)
            raise

    def _create_at_once(
        self,
        source: SchemaDump,
        todo: t.Sequence[dump.TocEntry],
        verify: t.Callable[[ConnInfo], None],
    ) -> None:
        """Under its own name, as something of it works under no other, in one transaction.

        What a killed run leaves is empty, and filled by the next one.
        """
        name = self._side.login.dbname
        self._note(database_client.create(self._server, self._database, name))
        try:
            made = database_client.read_database(self._server, name)
            if made is None:
                raise MultimasterError(f"{self._side.name}: database {name} has vanished")
            self.fill(source, todo, made)
            verify(self._side.login)
        except BaseException:
            with contextlib.suppress(MultimasterError):
                self._drop(name)
            raise

    def fill(
        self, source: SchemaDump, todo: t.Sequence[dump.TocEntry], existing: DatabaseSpec
    ) -> None:
        """Restore into a database that exists, all or nothing."""
        sections = self._dumper.options.sections
        if sections != "post_data":
            self._execute(postgres_database.property_statements(self._database, existing))
        self._restore(self._side.login, source.archive, todo, sections, one_transaction=True)

    def _restore(
        self,
        login: ConnInfo,
        archive: str,
        todo: t.Sequence[dump.TocEntry],
        sections: str,
        one_transaction: bool = False,
        some_left_out: bool = False,
    ) -> None:
        kind = WithoutSome if some_left_out else Restorer
        restorer = kind(
            self._dumper.tools,
            self._side.name,
            self._side.major,
            archive,
            SECTIONS[sections],
            self._dumper.options.tablespaces,
        )
        restorer.restore(login, todo, one_transaction)
        self.ran.append(f"# {len(todo)} entries of the dump restored to {login}")

    def _execute(self, statements: t.Iterable[sql.Composable]) -> None:
        for statement in statements:
            self._server.execute(statement)
            self._note(statement)

    def _note(self, statement: sql.Composable) -> None:
        self.ran += self.texts([statement])

    def _scratch_name(self, purpose: str) -> str:
        return self.scratch_name(purpose, self._side.login.dbname)

    @staticmethod
    def scratch_name(purpose: str, dbname: str) -> str:
        """The same in every run, so that each removes what a killed one has left."""
        digest = hashlib.sha256(dbname.encode()).hexdigest()[:12]
        return f"multimaster_{purpose}_{digest}"

    def _drop(self, name: str) -> None:
        """FORCE ends the session that a killed run may have left behind."""
        self._server.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes Bucardo's catalog, in the control database and through the program."""

from __future__ import annotations

import contextlib
import io
import typing as t

from .._common.errors import ConnectionFailed, Refused, StatementFailed
from .._common.names import TableName
from .._postgres import advisory, sql
from .catalog import Catalog
from .cli import Bucardo, shown
from .statements import Program, Statement, Write, Writes

# Characters of a statement in results.
SHOWN = 1000

_MASKED = "********"
_LOCK_CLASS = "multimaster.bucardo_sync"
# Relgroup and dbgroup that exist only inside a transaction that is rolled back.
_PROBE_GROUP = "multimaster_probe"
# As bucardo.db_testconn connects: in the control server, as its operating-system user.
_ASK = """
CREATE FUNCTION pg_temp.multimaster_ask(text, text) RETURNS text LANGUAGE plperlu AS $perl$
use strict; use warnings; use DBI;
my ($name, $query) = @_;
my $found = spi_exec_query('SELECT bucardo.db_getconn(' . quote_literal($name) . ') AS conn');
my (undef, $dsn, $user, $pass) = split /\\n/, $found->{rows}[0]{conn};
my $dbh = DBI->connect($dsn, $user, $pass, {AutoCommit => 1, RaiseError => 1, PrintError => 0});
my ($answer) = $dbh->selectrow_array($query);
$dbh->disconnect;
return $answer;
$perl$
"""


class Control(Catalog):
    """The control database, for those who write."""

    def shown(self, writes: Writes) -> list[str]:
        """What is to be done, as lines for results; without secrets."""
        return [self._shown(one) for one in writes]

    def _shown(self, write: Write) -> str:
        if isinstance(write, Program):
            return shown(
                self._cli.argv(*write.words) if self.installed else ["bucardo", *write.words]
            )
        query = write.query
        if self._session is not None and write.params:
            query %= {
                name: self._session.as_text(sql.Literal(_MASKED if name == "password" else value))
                for name, value in write.params.items()
            }
        line = " ".join(query.split())
        # A thousand tables in one statement tell nobody anything.
        return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."

    @property
    def _cli(self) -> Bucardo:
        """The bucardo program, talking to the same control database as the same role."""
        info = self.session.connection.info
        return Bucardo(self.session.conninfo.with_params(dbname=info.dbname, user=info.user))

    def execute(self, writes: Writes, before_commit: t.Callable[[], None] | None = None) -> None:
        """Do it: all statements or none, then the calls of the program.

        :param before_commit: what it raises leaves all as it was.
        """
        statements = [one for one in writes if isinstance(one, Statement)]
        if statements or before_commit:
            with self.session.transaction():
                for one in statements:
                    self._execute(one)
                if before_commit:
                    before_commit()
        for call in writes:
            if isinstance(call, Program):
                self._cli.run(*call.words, answer=call.answer)

    def _execute(self, one: Statement) -> None:
        if one.secret or one.params.get("password"):
            # Who may not do this is not the superuser that Bucardo needs anyway.
            self.session.hide_from_log()
        if one.secret:
            self._send_secret(one.secret)
        self.session.execute(one.query, one.params or None)

    def _send_secret(self, value: str) -> None:
        self.session.execute(
            "CREATE TEMPORARY TABLE multimaster_secret (value text) ON COMMIT DROP"
        )
        escaped = value.replace("\\", "\\\\").replace("\t", "\\t")
        statement = sql.SQL("COPY pg_temp.multimaster_secret FROM STDIN (ENCODING 'UTF8')")
        self.session.copy(statement, io.BytesIO(f"{escaped}\n".encode()))

    # -- what the control database's server can reach ---------------------------------------------

    def require_connection(self, database: str) -> None:
        """:raises Refused: when the server cannot connect to a database."""
        said = str(self.session.value("SELECT bucardo.db_testconn(%s)", (database,)))
        # Fixed words of Bucardo's function; the rest is the driver's.
        if "successful" not in said:
            raise Refused(
                f"The server of the control database cannot connect to {database}:"
                f" {_perl_reason(said)}",
                "Its operating system user (usually postgres) must reach the database"
                " too: give that user a ~/.pgpass with mode 0600, or set password.",
            )

    def ask_database(self, database: str, query: str) -> str:
        """What a database answers to the control database's server, as text."""
        self.session.execute(_ASK)
        answer = self.session.value("SELECT pg_temp.multimaster_ask(%s, %s)", (database, query))
        self.session.execute("DROP FUNCTION pg_temp.multimaster_ask(text, text)")
        return str(answer)

    def validate_probe(self, sync: str, masters: t.Sequence[str], probe: TableName) -> None:
        """Let Bucardo install on masters what it needs there once, by a sync of one small table.

        validate_sync commits on the masters through connections of its own; here all is rolled
        back.

        :param sync: the functions' names hold the sync's, so it has to be the sync's own name.
        """
        session = self.session
        session.execute("BEGIN")
        try:
            session.execute("INSERT INTO bucardo.dbgroup (name) VALUES (%s)", (_PROBE_GROUP,))
            session.execute(
                "INSERT INTO bucardo.dbmap (db, dbgroup, role)"
                " SELECT d, %s, 'source' FROM pg_catalog.unnest(%s::text[]) d",
                (_PROBE_GROUP, list(masters)),
            )
            session.execute("INSERT INTO bucardo.herd (name) VALUES (%s)", (_PROBE_GROUP,))
            session.execute(
                "WITH goat AS (INSERT INTO bucardo.goat (db, schemaname, tablename, reltype)"
                " VALUES (%s, %s, %s, 'table') RETURNING id)"
                " INSERT INTO bucardo.herdmap (herd, goat) SELECT %s, id FROM goat",
                (masters[0], probe.schema, probe.name, _PROBE_GROUP),
            )
            changed = session.execute(
                "UPDATE bucardo.sync SET herd = %s, dbs = %s WHERE name = %s",
                (_PROBE_GROUP, _PROBE_GROUP, sync),
            )
            if changed < 1:
                session.execute(
                    "INSERT INTO bucardo.sync (name, herd, dbs, status)"
                    " VALUES (%s, %s, %s, 'inactive')",
                    (sync, _PROBE_GROUP, _PROBE_GROUP),
                )
        finally:
            session.execute("ROLLBACK")

    # -- other runs -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def alone(self, sync: str) -> t.Iterator[None]:
        """Keep a second run away from the same sync, and wait for one that is about to end.

        :raises Refused: while another run holds it.
        """
        if not advisory.take(self.session, _LOCK_CLASS, sync):
            raise Refused(f"Another run is working on sync {sync}", "Wait until it has ended.")
        try:
            yield
        finally:
            with contextlib.suppress(StatementFailed, ConnectionFailed):
                advisory.release(self.session, _LOCK_CLASS, sync)


def _perl_reason(text: str) -> str:
    """The part of a DBI error that a user can use, without the connection string."""
    text = text.split("failed: ", 1)[-1]
    return text.split(" at line ", 1)[0].strip() or text

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libpq session: the only place that imports psycopg2."""

from __future__ import annotations

import contextlib
import re
import traceback
import typing as t

from .._common.errors import ConnectionFailed, Refused, StatementFailed
from . import sql
from .conninfo import ConnInfo
from .timeouts import TIMEOUTS

IMPORT_ERROR: t.Optional[str] = None
try:
    import psycopg2
    import psycopg2.extensions
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    Query = t.Union[str, sql.Composable]
    Row = t.Dict[str, t.Any]

APPLICATION_NAME = "multimaster.bucardo"
# Seconds. A dead server must not hold the play for libpq's endless default.
CONNECT_TIMEOUT = 15
# A role's or database's own limits would end long steps half-way (values in milliseconds, 0 = off).
_NO_LIMITS = [name for name in TIMEOUTS if name != "lock_timeout"]

# The first statement of every session. Nothing is set behind a pooler, which would hand the
# settings on to the next client: there, the backend is not the one of the protocol. Nothing that
# the database's users made may run here, so that all of it names its schema.
_FIRST = """
SELECT pg_catalog.pg_backend_pid() AS pid,
       ARRAY(SELECT pg_catalog.set_config(
                      s.name, CASE WHEN s.name OPERATOR(pg_catalog.=) 'search_path'
                                   THEN '' ELSE '0' END, false)
               FROM pg_catalog.pg_settings s
              WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) %(pid)s
                AND s.name OPERATOR(pg_catalog.=) ANY (%(names)s)) AS settings
"""

# A literal in SQL: a value, perhaps a secret.
_LITERAL = re.compile(r"'(?:[^']|'')*'")
# Characters of a statement in a failed result.
_ASKED = 500

# SQLSTATE
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"


class Pooled(Refused):
    """A connection pooler answers, not the server itself."""


class Session:
    """One connection to one database; every error becomes one of this collection's.

    In autocommit mode unless inside `transaction()`. Open it in the process or thread that uses
    it: a fork after connecting breaks TLS.

    search_path is empty: whatever a database's users have put into their schemas, an unqualified
    name is PostgreSQL's own. What needs the database's path says so, see `sql.DATABASE_PATH`.
    """

    def __init__(self, conninfo: ConnInfo, application_name: str = APPLICATION_NAME) -> None:
        self.conninfo = conninfo
        params: dict[str, t.Any] = {
            "connect_timeout": str(CONNECT_TIMEOUT),
            "application_name": application_name,
            **conninfo.params,
        }
        try:
            self.connection = psycopg2.connect(**params)
        except psycopg2.Error as error:
            raise ConnectionFailed(
                f"Cannot connect to {conninfo}: {_first_line(error)}",
                "Check login_host, login_port, login_user, login_password and pg_hba.conf.",
            ) from error
        except (TypeError, ValueError) as error:
            raise ConnectionFailed(f"Cannot connect to {conninfo}: {error}") from error
        self.connection.autocommit = True
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Make sure that this is a session of its own, then make it safe and patient."""
        names = ["search_path", *_NO_LIMITS]
        pid = self.value(_FIRST, {"pid": self.backend_pid, "names": names})
        if pid != self.backend_pid:
            raise Pooled(
                f"{self.conninfo}: a connection pooler such as PgBouncer answers there, not the"
                " server itself, and would hand settings on to other clients",
                "Name the server's own host and port; applications may go on using the pooler.",
            )

    @property
    def server_version(self) -> int:
        """As in server_version_num, e.g. 150012."""
        return int(self.connection.server_version)

    @property
    def backend_pid(self) -> int:
        """Process id of this session's backend on the server."""
        return int(self.connection.info.backend_pid)

    def rows(self, query: Query, params: t.Any = None) -> list[Row]:
        """Run a query and return its rows as dictionaries."""
        with self._cursor() as cursor:
            self._run(cursor, query, params)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def row(self, query: Query, params: t.Any = None) -> Row | None:
        """The first row, or None."""
        found = self.rows(query, params)
        return found[0] if found else None

    def value(self, query: Query, params: t.Any = None) -> t.Any:
        """The first column of the first row, or None."""
        found = self.row(query, params)
        return next(iter(found.values())) if found else None

    def column(self, query: Query, params: t.Any = None) -> list[t.Any]:
        """The first column of every row."""
        return [next(iter(row.values())) for row in self.rows(query, params)]

    def execute(self, query: Query, params: t.Any = None) -> int:
        """Run a statement and return the number of rows that it touched (-1 if not known)."""
        with self._cursor() as cursor:
            self._run(cursor, query, params)
            return int(cursor.rowcount)

    def copy(self, statement: sql.Composable, stream: t.Any, size: int = 1 << 20) -> int:
        """Run COPY ... TO STDOUT into, or COPY ... FROM STDIN out of, a binary stream.

        An exception of the stream ends the COPY and is raised as it is; after that, a session that
        was copying out can only be closed.

        :param stream: has `write(bytes)` or `read(size)`.
        :param size: how many bytes to ask the stream for at once.
        :returns: the number of rows.
        """
        with self._cursor() as cursor:
            try:
                cursor.copy_expert(self.as_text(statement), stream, size)
            except psycopg2.Error as error:
                raise self.failure(error, statement) from error
            return int(cursor.rowcount)

    def execute_script(self, text: str) -> None:
        """Run many statements in one round trip.

        Outside `transaction()` they are one transaction.

        :param text: in UTF-8, bytes that are not as surrogate escapes; no placeholders.
        """
        with self._cursor() as cursor:
            self._run(cursor, text.encode("utf-8", errors="surrogateescape"), None)

    @contextlib.contextmanager
    def transaction(self, *begin_options: str) -> t.Iterator[Session]:
        """A transaction block: commit at the end, roll back on any exception.

        :param begin_options: fixed words such as "ISOLATION LEVEL REPEATABLE READ", "READ ONLY".
        """
        self.execute(" ".join(("BEGIN",) + begin_options))
        try:
            yield self
        except BaseException:
            # The error in flight matters more than a connection that is already gone.
            with contextlib.suppress(StatementFailed, ConnectionFailed):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def receive(self) -> list[t.Any]:
        """Take in what the server has sent by itself; returns the connection's notifications."""
        try:
            self.connection.poll()
        except psycopg2.Error as error:
            raise self.failure(error) from error
        return t.cast("list[t.Any]", self.connection.notifies)

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back by the server."""
        self.connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def as_text(self, query: sql.Composable) -> str:
        """A composed statement as text, for results and messages."""
        return str(query.as_string(self.connection))

    def hide_from_log(self) -> None:
        """Keep statements that hold a secret out of the server's log, until the transaction ends.

        Only a superuser may.
        """
        self.execute(
            "SELECT pg_catalog.set_config('log_statement', 'none', true),"
            " pg_catalog.set_config('log_min_duration_statement', '-1', true),"
            " pg_catalog.set_config('log_min_error_statement', 'panic', true)"
        )

    def hashed_password(self, role: str, password: str) -> str:
        """A role's password as the server would store it, so that no statement shows it.

        Never as MD5, whatever the server's password_encryption: who sees such a hash in a log can
        log in with it. Methods `md5` and `scram-sha-256` of pg_hba.conf both take SCRAM.
        """
        return str(
            psycopg2.extensions.encrypt_password(
                password, role, scope=self.connection, algorithm="scram-sha-256"
            )
        )

    def _cursor(self) -> t.Any:
        try:
            return self.connection.cursor()
        except psycopg2.InterfaceError as error:
            # An earlier statement has already seen the end of the connection.
            raise self.failure(error) from error

    def _run(self, cursor: t.Any, query: Query | bytes, params: t.Any) -> None:
        try:
            cursor.execute(query, params)
        except psycopg2.Error as error:
            raise self.failure(error, query) from error

    def failure(
        self, error: t.Any, query: Query | bytes = ""
    ) -> StatementFailed | ConnectionFailed:
        """The collection's exception for one of psycopg2's.

        :param query: what the server was asked.
        """
        if self.connection.closed or (
            error.pgcode is None and isinstance(error, psycopg2.OperationalError)
        ):
            return ConnectionFailed(
                f"Lost the connection to {self.conninfo}: {_first_line(error)}",
                "See the server's log, then run the play again.",
            )
        return StatementFailed(
            f"{self.conninfo}: {_first_line(error)}",
            sqlstate=error.pgcode or "",
            **_server_said(error),
            **self._asked(query),
        )

    def _asked(self, query: Query | bytes) -> dict[str, str]:
        """The statement by which a failure is found in the code, without any value of it."""
        if isinstance(query, bytes):
            # A script; the server's CONTEXT or position must do.
            return {}
        text = query if isinstance(query, str) else self.as_text(query)
        line = " ".join(_LITERAL.sub("'...'", text).split())
        return (
            {"statement": line if len(line) <= _ASKED else f"{line[:_ASKED]} ..."} if line else {}
        )


def connect_if_exists(
    conninfo: ConnInfo, maintenance_db: str, connect: t.Callable[[ConnInfo], Session] = Session
) -> Session | None:
    """A session, None when the server has no database of that name.

    :param maintenance_db: a database of the server that exists in any case.
    """
    try:
        return connect(conninfo)
    except ConnectionFailed:
        # The text is in the server's language: ask the server itself.
        if not conninfo.dbname:
            raise
        with connect(conninfo.database(maintenance_db)) as server:
            if server.value(
                "SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", (conninfo.dbname,)
            ):
                raise
        return None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _server_said(error: t.Any) -> dict[str, str]:
    """What the server said beside the message, for those who look into a result."""
    diagnosis = getattr(error, "diag", None)
    said = {
        "detail": getattr(diagnosis, "message_detail", None),
        "hint": getattr(diagnosis, "message_hint", None),
        "context": getattr(diagnosis, "context", None),
    }
    return {name: text for name, text in said.items() if text}

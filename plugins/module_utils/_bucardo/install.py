# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Installs Bucardo's control database: role, database, PL/PerlU, schema."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._common.errors import CommandFailed, Refused, StatementFailed
from .._postgres import pg, sql
from .._postgres.conninfo import ConnInfo
from . import login_role
from .cli import Bucardo, libpq_environment, run_program, shown
from .control import CONTROL_DB, Control

# Hard-coded in bucardo.schema.
ROLE = "bucardo"

_DATABASE = """
SELECT pg_catalog.pg_get_userbyid(datdba) AS owner,
       pg_catalog.pg_encoding_to_char(encoding) AS encoding
  FROM pg_catalog.pg_database WHERE datname = %s
"""


@dataclasses.dataclass(frozen=True)
class State:
    """What is there of the control database.

    :param status: "absent", "partial" (something is there, the schema is not), "current",
        "needs_upgrade" or "newer" (than the program).
    :param role: Bucardo's role on the control server.
    :param schema_version: "" without a schema.
    """

    status: str
    role: login_role.State
    database: bool = False
    owner: str = ""
    schema_version: str = ""
    program_version: str = ""


def compare_versions(schema: str, program: str) -> str:
    """ "current", "needs_upgrade" or "newer": how a schema stands to the program (pure).

    :raises Refused: for a version that is not numbers with dots.
    """
    parts = []
    for what, version in (("the schema", schema), ("the program", program)):
        if not re.match(r"^\d+(\.\d+)*$", version):
            raise Refused(f"Bucardo's {what[4:]} has the unknown version {version!r}")
        numbers = [int(number) for number in version.split(".")]
        parts.append(numbers + [0] * (4 - len(numbers)))
    if parts[0] == parts[1]:
        return "current"
    return "needs_upgrade" if parts[0] < parts[1] else "newer"


class Installer:
    """Reads and makes the control database.

    :param conninfo: a superuser's login to any database of the server.
    :param schema_file: Bucardo's schema, on this host.
    :param password: for the role; None to leave it alone.
    :param dry: only record what would be done in C(commands).
    """

    def __init__(
        self, conninfo: ConnInfo, schema_file: str, password: str | None, dry: bool
    ) -> None:
        self.conninfo = conninfo
        self.schema_file = schema_file
        self.password = password
        self.dry = dry
        self.commands: list[str] = []

    def state(self) -> State:
        """Read everything."""
        try:
            program = Bucardo().version()
        except CommandFailed:
            # A check may come before the packages are there.
            if not self.dry:
                raise
            program = ""
        with pg.Session(self.conninfo) as session:
            role = login_role.read(session, ROLE, self.password)
            database = session.row(_DATABASE, (CONTROL_DB,))
        version = ""
        if database is not None:
            with pg.Session(self.conninfo.database(CONTROL_DB)) as session:
                control = Control(session)
                version = control.version if control.installed else ""
        if version and program:
            status = compare_versions(version, program)
        else:
            status = "partial" if role.exists or database is not None else "absent"
        return State(
            status=status,
            role=role,
            database=database is not None,
            owner=database["owner"] if database else "",
            schema_version=version,
            program_version=program,
        )

    def make_role(self, state: State) -> None:
        """Create the role, or give it what it lacks."""
        with pg.Session(self.conninfo) as session:
            self.commands += login_role.ensure(session, ROLE, state.role, self.password, self.dry)

    def make_database(self, state: State) -> None:
        """Create the database, or set its owner."""
        with pg.Session(self.conninfo) as session:
            names = {
                "database": sql.Identifier(CONTROL_DB),
                "role": sql.Identifier(ROLE),
            }
            if state.database and state.owner != ROLE:
                query = "ALTER DATABASE {database} OWNER TO {role}"
            elif not state.database:
                # Names of tables in any language need UTF-8, whatever the server's locale.
                template = session.row(_DATABASE, ("template1",))
                query = "CREATE DATABASE {database} OWNER {role}"
                if template is None or template["encoding"] != "UTF8":
                    query += " ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            else:
                return
            self._execute(session, sql.SQL(query).format(**names))

    def check_schema_file(self) -> None:
        """:raises Refused: when the schema cannot be read on this host."""
        if not os.access(self.schema_file, os.R_OK):
            raise Refused(
                f"schema_file: cannot read {self.schema_file}",
                "Install Debian's package bucardo on this host.",
            )

    def check_perl(self) -> None:
        """Whether the server can run Bucardo's functions, asked before anything is made.

        :raises Refused: naming the packages that are missing.
        """
        with pg.Session(self.conninfo) as session:
            if not session.value(
                "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'plperlu'"
            ):
                major = session.server_version // 10000
                raise Refused(
                    f"The server of the control database, PostgreSQL {major}, has no PL/PerlU",
                    f"Install Debian's packages postgresql-plperl-{major}, libdbi-perl and"
                    " libdbd-pg-perl there.",
                )
            if not self.dry:
                # Closing the session rolls this back.
                session.execute("BEGIN")
                session.execute("CREATE EXTENSION IF NOT EXISTS plperlu")
                _require_modules(session)

    def check_modules(self) -> None:
        """Whether the Perl inside of the server finds the modules that Bucardo's functions need.

        :raises Refused: naming the packages that are missing.
        """
        with pg.Session(self.conninfo.database(CONTROL_DB)) as session:
            _require_modules(session)

    def load_schema(self) -> None:
        """Load Bucardo's schema into the database.

        Not by "bucardo install": it passes no password on to psql, runs that through a shell,
        shows a random password in its argument list when the role is missing, writes that into the
        caller's ~/.pgpass, and fails after its work is done where the role needs a password.
        The file makes one transaction of everything that matters, so that a failure leaves nothing.
        """
        argv = ["psql", "-X", "-q", "-A", "-t", "-f", self.schema_file]
        self.commands.append(shown(argv))
        if self.dry:
            return
        environment = libpq_environment(self.conninfo.database(CONTROL_DB))
        _rc, out, err = run_program(argv, environment, timeout=600, package="postgresql-client")
        with pg.Session(self.conninfo.database(CONTROL_DB)) as session:
            if Control(session).installed:
                return
        raise CommandFailed(f"Bucardo's schema was not installed: {schema_problem(out + err)}")

    def upgrade(self) -> None:
        """Bring an older schema to the program's version."""
        with pg.Session(self.conninfo.database(CONTROL_DB)) as session:
            control = Control(session, dry=self.dry)
            # It asks even with --batch.
            control.run("upgrade", answer="Y\n")
            self.commands += control.commands
            if not self.dry and control.version != Bucardo().version():
                raise CommandFailed(f"Bucardo's schema is still of version {control.version}")

    def _execute(self, session: pg.Session, statement: t.Any) -> None:
        self.commands.append(session.as_text(statement))
        if not self.dry:
            session.execute(statement)


def _require_modules(session: pg.Session) -> None:
    try:
        session.execute("DO LANGUAGE plperlu $$ require DBI; require DBD::Pg; $$")
    except StatementFailed as error:
        raise Refused(
            "PL/PerlU on the server of the control database cannot load DBI and DBD::Pg:"
            f" {error.message}",
            "Install Debian's packages libdbi-perl and libdbd-pg-perl there.",
        ) from error


def schema_problem(output: str) -> str:
    """The error at which psql stopped (pure).

    It is the last one: the file begins with statements that may fail, since what they create may
    be there already, and stops at the first error after those.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\b(ERROR|FATAL|error):", line)]
    return (errors or lines or ["psql said nothing"])[-1]

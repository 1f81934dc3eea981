# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs Bucardo's control database: role, database, PL/PerlU, schema."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._common.change import Change, Scope
from .._common.errors import CommandFailed, Refused, StatementFailed
from .._postgres import pg, sql
from .._postgres.conninfo import ConnInfo
from . import login_role
from .catalog import CONTROL_DB, Catalog, is_installed
from .cli import Bucardo, libpq_environment, run_program, shown
from .statements import Program
from .writes import Control

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
    :param settings: those of bucardo_config, without passwords.
    """

    status: str
    role: login_role.State
    database: bool = False
    owner: str = ""
    schema_version: str = ""
    program_version: str = ""
    settings: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_result(self) -> dict[str, t.Any]:
        """For diffs."""
        return {
            "role": self.role.shown,
            "database": f"owned by {self.owner}" if self.database else "absent",
            "schema": self.schema_version or "absent",
        }


class Step(t.NamedTuple):
    """A part of the installation: the commands, none where nothing is missing, and their work."""

    commands: list[str]
    work: t.Callable[[], None]


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
    """

    def __init__(self, conninfo: ConnInfo, schema_file: str, password: str | None) -> None:
        self.conninfo = conninfo
        self.schema_file = schema_file
        self.password = password

    def read(self, program: str) -> State:
        """What is there.

        :param program: the program's version, "" where it is not there yet.
        """
        with pg.Session(self.conninfo) as session:
            role = login_role.read(session, ROLE, self.password)
            database = session.row(_DATABASE, (CONTROL_DB,))
        version, settings = "", {}
        if database is not None:
            with self._session() as session:
                if is_installed(session):
                    catalog = Catalog(session)
                    version, settings = catalog.version, catalog.shown_settings()
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
            settings=settings,
        )

    def missing_role(self, state: State) -> Step:
        """What the role lacks."""
        with pg.Session(self.conninfo) as session:
            missing = login_role.missing(session, ROLE, state.role, self.password)
            commands = login_role.shown(session, missing)

        def work() -> None:
            with pg.Session(self.conninfo) as session:
                login_role.execute(session, missing)

        return Step(commands, work)

    def missing_database(self, state: State) -> Step:
        """The database, or its owner."""
        if state.database and state.owner == ROLE:
            return Step([], lambda: None)
        with pg.Session(self.conninfo) as session:
            query = "ALTER DATABASE {database} OWNER TO {role}"
            if not state.database:
                # Names of tables in any language need UTF-8, whatever the server's locale.
                template = session.row(_DATABASE, ("template1",))
                query = "CREATE DATABASE {database} OWNER {role}"
                if template is None or template["encoding"] != "UTF8":
                    query += " ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            statement = sql.SQL(query).format(
                database=sql.Identifier(CONTROL_DB), role=sql.Identifier(ROLE)
            )
            command = session.as_text(statement)

        def work() -> None:
            with pg.Session(self.conninfo) as session:
                session.execute(statement)

        return Step([command], work)

    def require_schema_file(self) -> None:
        """:raises Refused: when the schema cannot be read on this host."""
        if not os.access(self.schema_file, os.R_OK):
            raise Refused(
                f"schema_file: cannot read {self.schema_file}",
                "Install Debian's package bucardo on this host.",
            )

    def require_perl(self) -> None:
        """:raises Refused: when the server has no PL/PerlU."""
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

    def try_perl(self) -> None:
        """Whether the server can run Bucardo's functions, asked before anything is made.

        :raises Refused: naming the packages that are missing.
        """
        with pg.Session(self.conninfo) as session:
            # Closing the session rolls this back.
            session.execute("BEGIN")
            session.execute("CREATE EXTENSION IF NOT EXISTS plperlu")
            _require_modules(session)

    def require_modules(self) -> None:
        """Whether the Perl inside of the server finds the modules that Bucardo's functions need.

        :raises Refused: naming the packages that are missing.
        """
        with self._session() as session:
            _require_modules(session)

    def schema(self) -> Step:
        """Bucardo's schema, loaded into the database.

        Not by "bucardo install": it passes no password on to psql, runs that through a shell,
        shows a random password in its argument list when the role is missing, writes that into the
        caller's ~/.pgpass, and fails after its work is done where the role needs a password.
        The file makes one transaction of everything that matters, so that a failure leaves nothing.
        """
        argv = ["psql", "-X", "-q", "-A", "-t", "-f", self.schema_file]

        def work() -> None:
            environment = libpq_environment(self.conninfo.database(CONTROL_DB))
            _rc, out, err = run_program(argv, environment, timeout=600, package="postgresql-client")
            with self._session() as session:
                if is_installed(session):
                    return
            raise CommandFailed(f"Bucardo's schema was not installed: {schema_problem(out + err)}")

        return Step([shown(argv)], work)

    def upgrade(self) -> Step:
        """An older schema, brought to the program's version."""
        # It asks even with --batch.
        writes = [Program(("upgrade",), answer="Y\n")]
        with self._session() as session:
            commands = Control(session).shown(writes)

        def work() -> None:
            with self._session() as session:
                control = Control(session)
                control.execute(writes)
                if control.version != Bucardo().version():
                    raise CommandFailed(f"Bucardo's schema is still of version {control.version}")

        return Step(commands, work)

    def _session(self) -> pg.Session:
        return pg.Session(self.conninfo.database(CONTROL_DB))


def plan(scope: Scope, installer: Installer, upgraded: bool, change_password: bool) -> Change:
    """What it takes until the control database is there.

    :param upgraded: whether an older schema is brought to the program's version.
    :param change_password: whether the role may be given another password than it has.
    :raises Refused: for a schema that is newer than the program.
    """
    state = installer.read(_program_version(scope))
    _refuse_newer(state)
    if not change_password:
        state.role.require_password_fits(ROLE, "the control server")
    load = state.status in ("absent", "partial")
    upgrade = upgraded and state.status == "needs_upgrade"
    # A check may come before the packages are there.
    prepared = load and bool(state.program_version)
    if prepared:
        installer.require_schema_file()
        installer.require_perl()
    steps = [installer.missing_role(state), installer.missing_database(state)]
    steps += [installer.schema()] if load else []
    steps += [installer.upgrade()] if upgrade else []
    commands = [line for step in steps for line in step.commands]

    def work(change: Change) -> None:
        if prepared:
            installer.try_perl()
        for step in steps:
            if step.commands:
                step.work()
        if commands:
            _require_complete(installer.read(state.program_version), upgraded)
        installer.require_modules()

    version = state.program_version if load or upgrade else state.schema_version
    return Change(
        changed=bool(commands),
        before=state.to_result(),
        after={"role": login_role.READY, "database": f"owned by {ROLE}", "schema": version},
        values={
            "status": state.status,
            "schema_version": version,
            "program_version": state.program_version,
            "settings": dict(state.settings),
        },
        commands=commands,
        warnings=[
            f"Bucardo's schema is of version {version}, older than the program's"
            f" {state.program_version}: the daemon will not start before state=upgraded"
        ]
        if state.status == "needs_upgrade" and not upgrade
        else [],
        work=work,
        # Modules may have gone since.
        always=True,
    )


def _program_version(scope: Scope) -> str:
    try:
        return Bucardo().version()
    except CommandFailed as error:
        scope.lacks(error)
        return ""


def _refuse_newer(state: State) -> None:
    if state.status == "newer":
        raise Refused(
            f"Bucardo's schema is of version {state.schema_version}, newer than the program's"
            f" {state.program_version}",
            "Upgrade the package bucardo on this host.",
        )


def _require_complete(state: State, upgraded: bool) -> None:
    complete = (
        state.role.superuser
        and state.role.login
        and state.role.password_fits is not False
        and state.database
        and state.schema_version
        and (state.status == "current" or not upgraded)
    )
    if not complete:
        raise CommandFailed(f"Bucardo's installation is incomplete: {state}")


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

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries on a target whether its server takes the source's schema, and leaves nothing behind.

Where the target's database is still to be made, in a scratch database, or without one in an empty
maintenance database; else in the target's own. In an existing one all is done in a transaction that
is rolled back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
import typing as t

from .._common.errors import MultimasterError, StatementFailed
from .._postgres import advisory, database_client, dump, pgdump, sql
from .._postgres.conninfo import ConnInfo
from .._postgres.database import DatabaseSpec
from .._postgres.pg import Session
from .._postgres.topology import Master
from . import schema
from .facts import OF_ONE_DATABASE, SECTIONS, CloneOptions, RefusedObject, SchemaDump
from .read import Dumper, Side, read_side, refuse_unless_apart
from .restore import MISSING, UNDEFINED, Restorer
from .target import Target

# Enough to see what is wrong.
_MOST, _MOST_FAILURES = 20, 60
_PURPOSE = "trial"
# What speaks of roles, which the clone makes first and a trial only for a moment. It fails for
# reasons of its own there, so that only what the server does not know counts.
_OF_ROLES = re.compile(r"^(ACL|DEFAULT ACL|POLICY|COMMENT .*\bPOLICY|USER MAPPING) ")
_NOT_KNOWN = ("42601", "0A000", "0LP01")
# Roles that every server of a version has, and nobody may make.
_PREDEFINED = "pg_"
# What somebody made after initdb, in tables that have OIDs.
_NOT_EMPTY = """
SELECT pg_catalog.pg_describe_object(tableoid, oid, 0) FROM (
  SELECT tableoid, oid FROM pg_catalog.pg_class WHERE relpersistence <> 't'
  UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_proc
  UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_type WHERE typtype IN ('d', 'e', 'r')
  UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'
  UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_extension
  UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_event_trigger
) q WHERE oid >= 16384 LIMIT 1
"""
# Locks that are held until a transaction's end are shared by all sessions of a server.
_ROOM = """
SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint
       * (pg_catalog.current_setting('max_connections')::bigint
          + pg_catalog.current_setting('max_prepared_transactions')::bigint)
       - (SELECT count(*) FROM pg_catalog.pg_locks)
"""
# Each takes one, and some go to schemas and what else they refer to.
_RELATIONS = """
SELECT count(*) * 11 / 10 + 100 FROM pg_catalog.pg_class
 WHERE oid >= 16384 AND relpersistence <> 't' AND relkind <> 'c'
"""


class _Enough(Exception):
    """No more need be tried."""


def refused(
    source: Master, target: Master, options: CloneOptions, scratch: bool = True
) -> list[RefusedObject] | None:
    """What of the source's schema the target's server does not take; None when another trial is
    under way there.

    :param scratch: whether a scratch database may be made.
    :raises MultimasterError: where it cannot be tried.
    """
    tools = pgdump.find_tools(options.pg_bin_dir)
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(Session(source.login))
        dbname = session.value("SELECT current_database()")
        here = read_side(session, source.login.database(dbname))
        login = target.login if target.login.dbname else target.login.database(dbname)
        there = read_side(stack.enter_context(Session(target.maintenance)), login)
        tools.require({side.name: side.major for side in (here, there)})
        refuse_unless_apart(here, there)
        if not advisory.take(there.session, _PURPOSE, login.dbname):
            return None
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="preflight."))
        dumper = Dumper(tools, directory, options, (here.major, there.major))
        made = dumper.schema_of(here.login, "source")
        return _Trial(dumper, here, there, made).run(made.entries, scratch)


def refused_of(
    dumper: Dumper, here: Side, there: Side, source: SchemaDump, todo: t.Sequence[dump.TocEntry]
) -> list[RefusedObject]:
    """The same of some entries of a dump, without a scratch database.

    :raises MultimasterError: where it cannot be tried.
    """
    return _Trial(dumper, here, there, source).run(todo, scratch=False)


def scratch_name(dbname: str) -> str:
    """Of the database that a killed trial may leave behind, and the next one removes."""
    return Target.scratch_name(_PURPOSE, dbname)


@dataclasses.dataclass(frozen=True)
class _Collecting(Restorer):
    """Goes on where an object is refused, and keeps what was said.

    :param found: causes.
    :param seen: these, and what was refused only because of them.
    :param only: SQLSTATEs that count, all if empty.
    """

    found: list[RefusedObject] = dataclasses.field(default_factory=list)
    seen: list[RefusedObject] = dataclasses.field(default_factory=list)
    only: tuple[str, ...] = ()

    def _refused(self, entry: dump.TocEntry, script: str, error: StatementFailed) -> None:
        block = next(iter(schema.parse_script(script)), None)
        kind, name = (block.type, block.title) if block else (entry.label.split(" ")[0], "")
        name = name.removeprefix(f"{kind} ") or entry.label
        said = dump.redact(error.message.partition(": ")[2] or error.message)
        predefined = error.sqlstate == UNDEFINED and f'"{_PREDEFINED}' in said
        if self.only and error.sqlstate not in self.only and not predefined:
            return
        one = RefusedObject(kind, name, said, error.sqlstate)
        if not _follows(one, self.seen):
            self.found.append(one)
        self.seen.append(one)
        if len(self.found) >= _MOST or len(self.seen) >= _MOST_FAILURES:
            raise _Enough


def _follows(refused_: RefusedObject, before: t.Iterable[RefusedObject]) -> bool:
    """Whether something is missing only because it was refused before."""
    if refused_.sqlstate not in MISSING:
        return False
    return any(
        one.type == "EXTENSION" or _mentions(refused_.message, one.name.split(".")[-1])
        for one in before
    )


def _mentions(text: str, name: str) -> bool:
    """Whether a message names an object, or a function without its arguments."""
    return bool(re.search(rf"\b{re.escape(name.partition('(')[0])}\b", text))


class _Trial:
    def __init__(self, dumper: Dumper, here: Side, there: Side, source: SchemaDump) -> None:
        self._dumper = dumper
        self._here, self._there = here, there
        self._source = source
        self._found: list[RefusedObject] = []
        self._seen: list[RefusedObject] = []

    def run(self, todo: t.Sequence[dump.TocEntry], scratch: bool) -> list[RefusedObject]:
        with contextlib.suppress(_Enough):
            if self._there.database is not None:
                self._in_place(todo)
            elif scratch:
                self._in_scratch(self._anywhere())
            else:
                self._in_passing(self._anywhere())
        return self._found

    def _anywhere(self) -> t.Sequence[dump.TocEntry]:
        """What needs no certain database; what needs the rest is missing for a good reason."""
        left_out = set(self._source.entries) - set(self._source.anywhere)
        for name in OF_ONE_DATABASE if left_out else ():
            self._seen.append(RefusedObject("EXTENSION", name, "needs the database's own name"))
        return self._source.anywhere

    def _in_scratch(self, todo: t.Sequence[dump.TocEntry]) -> None:
        server = self._there.session
        Target.allow_writing(server)
        name = scratch_name(self._there.login.dbname)
        _drop(server, name)
        database_client.create(server, self._like_source(), name)
        try:
            login = self._there.login.database(name)
            plain, of_roles = _apart(todo)
            self._restorer().restore(login, plain, one_transaction=False)
            with _rolled_back(login) as session:
                self._of_roles(session, of_roles)
        finally:
            _drop(server, name)

    def _in_place(self, todo: t.Sequence[dump.TocEntry]) -> None:
        with _rolled_back(self._there.login) as session:
            self._in(session, todo)

    def _in_passing(self, todo: t.Sequence[dump.TocEntry]) -> None:
        """In the database in which the server's session is."""
        with _rolled_back(self._there.session.conninfo) as session:
            name = session.value("SELECT pg_catalog.current_database()")
            known = session.value(_NOT_EMPTY)
            if known:
                raise MultimasterError(f"database {name} is not empty: {known}")
            if session.value("SHOW server_encoding") != self._like_source().encoding:
                raise MultimasterError(f"database {name} has another encoding")
            self._in(session, todo)

    def _in(self, session: Session, todo: t.Sequence[dump.TocEntry]) -> None:
        """:raises MultimasterError: where it could take the locks that other sessions need."""
        room, needed = session.value(_ROOM), self._here.session.value(_RELATIONS)
        if needed * 2 > room:
            raise MultimasterError(f"{needed} locks are needed, and there is room for {room}")
        plain, of_roles = _apart(todo)
        self._restorer().restore_in(session, plain)
        self._of_roles(session, of_roles)

    def _like_source(self) -> DatabaseSpec:
        """As the target's is to be, but that it belongs to who is logged in."""
        if self._here.database is None:
            raise MultimasterError(f"{self._here.login} does not list its own database")
        tablespace = self._here.database.tablespace
        if not self._dumper.options.tablespaces:
            tablespace = "pg_default"
        owner = self._there.session.value("SELECT session_user::text")
        return dataclasses.replace(self._here.database, tablespace=tablespace, owner=owner)

    def _of_roles(self, session: Session, entries: t.Sequence[dump.TocEntry]) -> None:
        """Whatever gives rights, for roles that are there for as long as the transaction."""
        missing = set(self._here.roles.roles) - set(self._there.roles.roles)
        for role in sorted(name for name in missing if not name.startswith(_PREDEFINED)):
            session.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        self._restorer(_NOT_KNOWN).restore_in(session, entries)

    def _restorer(self, only: tuple[str, ...] = ()) -> _Collecting:
        plain = Restorer(
            self._dumper.tools,
            self._there.name,
            self._there.major,
            self._source.archive,
            SECTIONS[self._dumper.options.sections],
            self._dumper.options.tablespaces,
            owners=False,
        )
        # By name: pylint takes the first fields of a subclass for the first of all.
        return _Collecting(**vars(plain), found=self._found, seen=self._seen, only=only)


def _apart(
    entries: t.Sequence[dump.TocEntry],
) -> tuple[list[dump.TocEntry], list[dump.TocEntry]]:
    """What makes objects, and what gives roles rights to them."""
    plain = [entry for entry in entries if not _OF_ROLES.match(entry.label)]
    return plain, [entry for entry in entries if _OF_ROLES.match(entry.label)]


@contextlib.contextmanager
def _rolled_back(login: ConnInfo) -> t.Iterator[Session]:
    with Session(login) as session:
        session.execute("BEGIN READ WRITE")
        yield session
        session.execute("ROLLBACK")


def _drop(session: Session, name: str) -> None:
    """FORCE ends the session that a killed run may have left behind."""
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

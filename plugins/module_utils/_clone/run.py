# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Gives a target the roles, the database and the schema of its source."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
import shlex
import tempfile
import typing as t

from .._common.errors import CommandFailed, MultimasterError, Refused
from .._postgres import database as postgres_database
from .._postgres import dump, pg, pgdump
from .._postgres import roles as postgres_roles
from .._postgres.conninfo import ConnInfo
from .._postgres.database import Database
from .._postgres.pg import Session
from .._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA
from . import restore, schema, spelling

# OID of the catalog pg_trigger, which has been the same in every version.
_PG_TRIGGER = 2620
_SECTIONS = {
    "whole": ("pre-data", "post-data"),
    "pre_data": ("pre-data",),
    "post_data": ("post-data",),
}

# Bucardo's triggers sit on the users' tables, so leaving its schema out does not leave them out;
# their functions tell them apart under every name that Bucardo gives them.
_BUCARDO_TRIGGERS = """
SELECT t.oid::bigint FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = %s
"""
_INVALID_INDEXES = """
SELECT n.nspname AS schema, r.relname AS table, x.relname AS name
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class r ON r.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
 WHERE NOT i.indisvalid AND x.relkind = 'i'
"""
_TABLESPACES = """
SELECT DISTINCT s.spcname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE s.spcname <> 'pg_global' AND n.nspname <> ALL (%s)
"""
_EXTENSIONS = "SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'"
_AVAILABLE = "SELECT name FROM pg_catalog.pg_available_extensions"
_IDENTITY = """
SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text AS system,
       pg_catalog.pg_postmaster_start_time()::text AS started
"""


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user decides; the module's documentation says what each means."""

    roles: str = "all"
    exclude_roles: tuple[str, ...] = ()
    role_conflict: str = "keep"
    exclude_schemas: tuple[str, ...] = ()
    sections: str = "whole"
    differences: str = "fail"
    tablespaces: bool = True
    pg_bin_dir: t.Optional[str] = None
    lock_timeout: int = 30000
    diff_lines: int = 100

    @property
    def schemas_left_out(self) -> tuple[str, ...]:
        """Bucardo's and this collection's own come first."""
        return (BUCARDO_SCHEMA, OWN_SCHEMA, *self.exclude_schemas)


@dataclasses.dataclass
class Outcome:
    """What was, or in check mode would be, done.

    :param state: "identical", "cloned" or "different".
    :param objects: number of the source's objects per type.
    """

    state: str
    changed: bool = False
    database_created: bool = False
    objects: dict[str, int] = dataclasses.field(default_factory=dict)
    roles_created: list[str] = dataclasses.field(default_factory=list)
    roles_updated: list[str] = dataclasses.field(default_factory=list)
    memberships: list[str] = dataclasses.field(default_factory=list)
    differences: list[str] = dataclasses.field(default_factory=list)
    pending_indexes: list[str] = dataclasses.field(default_factory=list)
    commands: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    before: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    after: dict[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Dump:
    """One database's schema, as pg_dump sees it.

    :param before: the objects of section pre-data.
    :param after: those of section post-data.
    :param pending: invalid indexes.
    """

    archive: str
    entries: tuple[dump.Entry, ...]
    before: list[schema.Block]
    after: list[schema.Block]
    pending: tuple[schema.IndexName, ...] = ()

    def blocks(self, sections: str) -> list[schema.Block]:
        """The objects that the user's choice of sections speaks of."""
        return {
            "whole": self.before + self.after,
            "pre_data": self.before,
            "post_data": self.after,
        }[sections]


@dataclasses.dataclass(frozen=True)
class _Side:
    """One server, with a session in the database to clone or, when absent, in another."""

    conninfo: ConnInfo
    session: Session
    roles: postgres_roles.Roles
    database: t.Optional[Database]

    @property
    def major(self) -> int:
        return self.session.server_version // 10000

    @property
    def name(self) -> str:
        return self.conninfo.name


def clone(
    source: ConnInfo, target: ConnInfo, maintenance_db: str, options: Options, check_mode: bool
) -> Outcome:
    """Make the target's roles, database and schema equal to the source's.

    :param target: may be without a database; the source's name is taken then.
    :param maintenance_db: the target's database to connect to for what is not inside a database.
    :raises Refused: when the target holds another schema, or lacks what the schema needs;
        nothing was changed.
    """
    tools = pgdump.find_tools(options.pg_bin_dir)
    with contextlib.ExitStack() as stack:
        source_session = stack.enter_context(Session(source))
        dbname = source_session.value("SELECT current_database()")
        # Under the name that it has, should libpq or a service file have chosen it.
        source = source.database(dbname)
        target = target if target.dbname else target.database(dbname)
        server = stack.enter_context(Session(target.database(maintenance_db)))
        if not check_mode:
            # The login's own default may say otherwise.
            server.execute("SELECT set_config('default_transaction_read_only', 'off', false)")
        ours = _Side(
            source,
            source_session,
            postgres_roles.read_roles(source_session, dbname),
            postgres_database.read_database(source_session, dbname),
        )
        theirs = _Side(
            target,
            server,
            postgres_roles.read_roles(server, target.dbname),
            postgres_database.read_database(server, target.dbname),
        )
        tools.require({ours.name: ours.major, theirs.name: theirs.major})
        _check_servers(ours, theirs)
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="schema_clone."))
        return _Clone(tools, ours, theirs, options, check_mode, scratch).run()


class _Clone:
    """One run: compares, decides, then acts."""

    def __init__(
        self,
        tools: pgdump.Tools,
        source: _Side,
        target: _Side,
        options: Options,
        check_mode: bool,
        scratch: str,
    ) -> None:
        if source.database is None:
            raise AssertionError
        self.tools = tools
        self.source = source
        self.target = target
        self.options = options
        self.check_mode = check_mode
        self.scratch = scratch
        self.outcome = Outcome("identical")
        self.majors = (source.major, target.major)
        self.database = source.database.without_roles(options.exclude_roles)
        if not options.tablespaces:
            self.database = dataclasses.replace(self.database, tablespace="pg_default")

    # --- reading ---------------------------------------------------------------------------

    def run(self) -> Outcome:
        """The whole of it."""
        roles = self._plan_roles()
        existing = self.target.database
        if existing is not None:
            existing = existing.without_roles(self.options.exclude_roles)
            self._check_existing(existing)
        elif self.options.sections == "post_data":
            raise Refused(
                f"sections: {self.target.name} has no database {self.target.conninfo.dbname} yet",
                "Clone with sections=pre_data first.",
            )
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(2))
            ours = pool.submit(self._dump, self.source.conninfo, "source")
            theirs = existing and pool.submit(self._dump, self.target.conninfo, "target")
            source_dump = ours.result()
            target_dump = theirs.result() if theirs else None
        self.outcome.objects = schema.summary(source_dump.blocks(self.options.sections))
        todo = self._decide(source_dump, target_dump)
        if todo:
            self._check_needs(roles)
        self._report(roles, todo, existing)
        if not self.check_mode:
            self._act(roles, todo, source_dump, existing)
        return self.outcome

    def _plan_roles(self) -> postgres_roles.RolePlan:
        names = postgres_roles.wanted(
            self.source.roles, self.options.roles, self.options.exclude_roles
        )
        login = self.target.session.value("SELECT session_user::text")
        plan = postgres_roles.plan(
            self.source.roles,
            self.target.roles,
            names,
            untouchable={login},
            update=self.options.role_conflict == "update",
        )
        conflicts = plan.conflict_lines(self.target.name)
        if conflicts and self.options.role_conflict == "fail":
            raise Refused(
                "; ".join(conflicts),
                "Make the roles equal, or set role_conflict to keep or update.",
                role_conflicts=conflicts,
            )
        self.outcome.warnings.extend(
            f"{line}; left as it is (role_conflict=keep)" for line in conflicts
        )
        if names and not self.source.roles.passwords:
            self.outcome.warnings.append(
                f"The login role of {self.source.name} may not read passwords:"
                " roles are created without"
            )
        return plan

    def _check_existing(self, existing: Database) -> None:
        words = postgres_database.lasting_differences(self.database, existing)
        if words:
            raise Refused(
                f"Database {existing.name} on {self.target.name} has {', '.join(words)}",
                "Name a database that does not exist yet: it is created like the source's.",
            )

    def _check_needs(self, roles: postgres_roles.RolePlan) -> None:
        """What the schema needs on the target, before anything is changed."""
        target = self.target
        known = {*target.roles.roles, *(role.name for role in roles.create)}
        missing = sorted(self.source.roles.needed - known - set(self.options.exclude_roles))
        if missing:
            raise Refused(
                f"Database {self.database.name} speaks of roles that {target.name} does not have:"
                f" {', '.join(missing)}",
                "Create them there or set roles to all or needed.",
            )
        available = set(target.session.column(_AVAILABLE))
        missing = sorted(set(self.source.session.column(_EXTENSIONS)) - available)
        if missing:
            raise Refused(
                f"Extensions that are not available on {target.name}: {', '.join(missing)}",
                "Install their packages on that server.",
            )
        if self.options.tablespaces:
            used = self.source.session.column(_TABLESPACES, (list(self.options.schemas_left_out),))
            if target.database is None:
                used.append(self.database.tablespace)
            there = set(target.session.column("SELECT spcname FROM pg_catalog.pg_tablespace"))
            missing = sorted(set(used) - there)
            if missing:
                raise Refused(
                    f"Tablespaces that {target.name} does not have: {', '.join(missing)}",
                    "Create them there, or set tablespaces=false to do without.",
                )

    def _dump(self, conninfo: ConnInfo, label: str) -> _Dump:
        """Read one database's schema; runs in a thread of its own, with its own session."""
        archive = os.path.join(self.scratch, label)
        with (
            Session(conninfo) as session,
            session.transaction("ISOLATION LEVEL REPEATABLE READ", "READ ONLY"),
        ):
            # One snapshot, so that the list of Bucardo's triggers fits the dump.
            snapshot = session.value("SELECT pg_catalog.pg_export_snapshot()")
            triggers = set(session.column(_BUCARDO_TRIGGERS, (BUCARDO_SCHEMA,)))
            pending = tuple(schema.IndexName(**row) for row in session.rows(_INVALID_INDEXES))
            argv = self.tools.dump_schema(
                conninfo,
                archive,
                snapshot,
                self.options.schemas_left_out,
                self.options.lock_timeout,
            )
        self.outcome.commands.append(shlex.join(argv))
        entries = tuple(dump.without(self.tools.toc(archive), _PG_TRIGGER, triggers))
        before, after = (
            schema.comparable(
                schema.parse_script(
                    self.tools.script(archive, entries, (section,), self.options.tablespaces)
                ),
                self.majors,
            )
            for section in _SECTIONS["whole"]
        )
        return _Dump(archive, entries, before, after, pending)

    # --- deciding --------------------------------------------------------------------------

    def _decide(self, source: _Dump, target: t.Optional[_Dump]) -> list[dump.Entry]:
        """The entries to restore; none when there is nothing to do."""
        sections = self.options.sections
        if target is None:
            self.outcome.state = "cloned"
            return list(source.entries)
        self.outcome.pending_indexes = sorted(str(index) for index in target.pending)
        found = self._compare(source, target, sections)
        if sections == "post_data":
            before = self._compare(source, target, "pre_data")
            if not before.equal:
                self._differs(before)
                return []
            if found.only_missing:
                self.outcome.state = "cloned"
                labels = {block.label for block in found.missing}
                return [entry for entry in source.entries if entry.label.strip() in labels]
        if found.equal:
            return []
        theirs = target.blocks("whole")
        if sections != "post_data" and schema.is_empty(theirs, source.before):
            self.outcome.state = "cloned"
            there = {block.label for block in theirs if block.type != "EXTENSION"}
            return [entry for entry in source.entries if entry.label.strip() not in there]
        found = self._in_meaning(found, source, target, self.target.conninfo)
        if not found.equal:
            self._differs(found)
        return []

    def _in_meaning(
        self, found: schema.Comparison, source: _Dump, target: _Dump, conninfo: ConnInfo
    ) -> schema.Comparison:
        """The differences that are more than another spelling; see C(spelling).

        :param conninfo: of the target's database, which remembers what was shown to be equal.
        """
        if found.equal:
            return found
        everything = spelling.pairs(found)
        with Session(conninfo) as session:
            left = spelling.without(found, spelling.read(session))
            if left.equal or self.check_mode:
                return left
            settled = self._echoed(left, source, target)
            proven = spelling.pairs(left) - spelling.pairs(settled)
            if proven:
                session.execute(
                    "SELECT pg_catalog.set_config('default_transaction_read_only', 'off', false)"
                )
                spelling.record(session, proven, everything - spelling.pairs(settled))
        return settled

    def _echoed(self, found: schema.Comparison, source: _Dump, target: _Dump) -> schema.Comparison:
        """Restore the source's dump into a scratch database, and see what is printed there."""
        try:
            echo = self._echo(source)
            found = spelling.explained(found, echo)
            if found.changed:
                # A schema made by hand on both sides, or whose source was the target before.
                found = spelling.explained_by_both(found, echo, self._echo(target))
        except MultimasterError as error:
            self.outcome.warnings.append(
                f"The schemas could not be compared by their meaning: {error.message}"
            )
        return found

    def _echo(self, dump: _Dump) -> list[schema.Block]:
        name = self._scratch_name("echo")
        self._drop(name)
        self._ran([postgres_database.create(self.target.session, self.database, name)])
        try:
            conninfo = self.target.conninfo.database(name)
            self._restore(conninfo, dump.entries, dump.archive, "whole")
            blocks = self._dump(conninfo, "echo").blocks("whole")
        finally:
            self._drop(name)
        return schema.with_views(blocks)

    def _compare(self, source: _Dump, target: _Dump, sections: str) -> schema.Comparison:
        ours, theirs = source.blocks(sections), target.blocks(sections)
        if sections == "whole":
            ours, theirs = schema.with_views(ours), schema.with_views(theirs)
        elif sections == "pre_data":
            later = source.after + target.after
            ours, theirs = schema.without_stubs(ours, later), schema.without_stubs(theirs, later)
        return schema.compare(ours, theirs, target.pending)

    def _differs(self, found: schema.Comparison) -> None:
        """The target holds something else: report it, never overwrite it."""
        if self.check_mode and not (found.missing or found.extra):
            self.outcome.warnings.append(
                f"{self.target.name} prints objects otherwise than {self.source.name}:"
                f" {found.titles()}. A run compares what they mean in a scratch database, which a"
                " check does not make."
            )
            return
        lines = found.lines(self.source.name, self.target.name, self.options.diff_lines)
        message = (
            f"The schema of {self.target.conninfo} differs from {self.source.conninfo}:"
            f" {found.titles()}"
        )
        if self.options.differences == "fail":
            raise Refused(
                message,
                "Change the one that is wrong, or name a database that does not exist yet.",
                differences=lines,
            )
        self.outcome.state = "different"
        self.outcome.differences = lines
        self.outcome.warnings.append(message)

    def _report(
        self,
        roles: postgres_roles.RolePlan,
        todo: list[dump.Entry],
        existing: t.Optional[Database],
    ) -> None:
        outcome = self.outcome
        outcome.changed = roles.changes or bool(todo)
        outcome.database_created = bool(todo) and existing is None
        outcome.roles_created = [role.name for role in roles.create]
        outcome.roles_updated = [role.name for role in roles.update]
        outcome.memberships = [f"{m.member} in {m.group}" for m in roles.grant]
        touched = {role.name: role for role in (*roles.create, *roles.update)}
        if touched:
            outcome.after["roles"] = {n: role.describe() for n, role in touched.items()}
            outcome.before["roles"] = {
                name: self.target.roles.roles[name].describe()
                for name in touched
                if name in self.target.roles.roles
            }
        if roles.grant:
            outcome.after["memberships"] = list(outcome.memberships)
            outcome.before["memberships"] = []
        if todo:
            outcome.before["database"] = existing.describe() if existing else {}
            outcome.after["database"] = {
                **self.database.describe(),
                "name": self.target.conninfo.dbname,
            }
            outcome.before["objects"] = {}
            outcome.after["objects"] = dict(outcome.objects)
        elif existing is not None:
            words = postgres_database.property_differences(self.database, existing)
            outcome.warnings.extend(
                f"Database {existing.name} on {self.target.name} has {word}; left as it is"
                for word in words
            )

    # --- acting ----------------------------------------------------------------------------

    def _act(
        self,
        roles: postgres_roles.RolePlan,
        todo: list[dump.Entry],
        source: _Dump,
        existing: t.Optional[Database],
    ) -> None:
        server = self.target.session
        if roles.changes:
            postgres_roles.apply(server, roles)
            self._ran(postgres_roles.statements(roles, server.server_version, masked=True))
        if not todo:
            return
        if existing is None:
            self._create(todo, source)
        else:
            self._fill(todo, source, existing)

    def _create(self, todo: list[dump.Entry], source: _Dump) -> None:
        """Make the database under another name, and give it its own when it is complete.

        So a killed run leaves nothing under the real name, and the restore needs neither one
        huge transaction nor a lock table that holds every object at once.
        """
        server, name = self.target.session, self.target.conninfo.dbname
        scratch_name = self._scratch_name("clone")
        self._drop(scratch_name)
        self._ran([postgres_database.create(server, self.database, scratch_name)])
        try:
            self._restore(
                self.target.conninfo.database(scratch_name),
                todo,
                source.archive,
                self.options.sections,
            )
            self._verify(self.target.conninfo.database(scratch_name), source)
            made = postgres_database.read_database(server, scratch_name)
            if made is None:
                raise AssertionError
            for statement in postgres_database.property_statements(self.database, made):
                server.execute(statement)
                self._ran([statement])
            rename = pg.sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                pg.sql.Identifier(scratch_name), pg.sql.Identifier(name)
            )
            server.execute(rename)
            self._ran([rename])
        except BaseException:
            # The error in flight says more than a second one about the same server.
            with contextlib.suppress(MultimasterError):
                self._drop(scratch_name)
            raise

    def _scratch_name(self, purpose: str) -> str:
        digest = hashlib.sha256(self.target.conninfo.dbname.encode()).hexdigest()[:12]
        return f"multimaster_{purpose}_{digest}"

    def _drop(self, scratch_name: str) -> None:
        """FORCE ends the session that a killed run may have left behind."""
        self.target.session.execute(
            pg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                pg.sql.Identifier(scratch_name)
            )
        )

    def _fill(self, todo: list[dump.Entry], source: _Dump, existing: Database) -> None:
        """Restore into a database that exists, all or nothing."""
        server = self.target.session
        if self.options.sections != "post_data":
            for statement in postgres_database.property_statements(self.database, existing):
                server.execute(statement)
                self._ran([statement])
        self._restore(
            self.target.conninfo, todo, source.archive, self.options.sections, one_transaction=True
        )
        self._verify(self.target.conninfo, source)

    def _restore(
        self,
        conninfo: ConnInfo,
        todo: t.Sequence[dump.Entry],
        archive: str,
        sections: str,
        one_transaction: bool = False,
    ) -> None:
        restorer = restore.Restorer(
            self.tools,
            self.target.name,
            self.target.major,
            archive,
            _SECTIONS[sections],
            self.options.tablespaces,
        )
        restorer.restore(conninfo, todo, one_transaction)
        self.outcome.commands.append(f"# {len(todo)} entries of the dump restored to {conninfo}")

    def _verify(self, conninfo: ConnInfo, source: _Dump) -> None:
        """Whether the target now means the same."""
        target = self._dump(conninfo, "verify")
        found = self._compare(source, target, self.options.sections)
        found = self._in_meaning(found, source, target, conninfo)
        if found.equal:
            return
        lines = found.lines(self.source.name, self.target.name, self.options.diff_lines)
        message = f"The restored schema differs on {self.target.name}: {found.titles()}"
        if self.options.differences == "fail":
            raise CommandFailed(
                message,
                "Something on the target's server changes what is restored there (an event trigger"
                " in template0, another version of an extension): see the differences.",
                differences=lines,
            )
        self.outcome.differences = lines
        self.outcome.warnings.append(message)

    def _ran(self, statements: t.Iterable[t.Any]) -> None:
        self.outcome.commands.extend(self.target.session.as_text(s) for s in statements)


def _check_servers(source: _Side, target: _Side) -> None:
    """The target must be another, writable database."""
    if target.session.value("SELECT pg_catalog.pg_is_in_recovery()"):
        raise Refused(
            f"{target.conninfo} is a standby and cannot be written to", "Name its primary."
        )
    same_name = source.conninfo.dbname == target.conninfo.dbname
    if same_name and source.session.row(_IDENTITY) == target.session.row(_IDENTITY):
        raise Refused(
            f"source and target are the same database, {source.conninfo}",
            "Check login_host, login_port and login_db of both.",
        )

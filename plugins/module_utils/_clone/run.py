# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives a target the roles, the database and the schema of its source."""

from __future__ import annotations

import dataclasses
import tempfile
import typing as t

from .._common.change import Change, Scope
from .._common.errors import CommandFailed, MultimasterError, Refused
from .._common.text import listed
from .._postgres import database as postgres_database
from .._postgres import pgdump, roles_client
from .._postgres import roles as postgres_roles
from .._postgres.conninfo import ConnInfo
from .._postgres.database import DatabaseSpec
from .._postgres.parallel import each
from .._postgres.pg import Session
from .._postgres.topology import Master
from . import plan, schema, spelling, trial
from .facts import CloneOptions, SchemaDump
from .read import Dumper, Side, read_needs, read_offer, read_side, refuse_unless_apart
from .target import Target


def plan_change(source: Master, target: Master, options: CloneOptions, scope: Scope) -> Change:
    """Make the target's roles, database and schema equal to the source's.

    :param target: its login may be without a database; the source's name is taken then.
    :raises Refused: when the target holds another schema, or lacks what the schema needs.
    """
    tools = pgdump.find_tools(options.pg_bin_dir)
    session = scope.enter_context(Session(source.login))
    dbname = session.value("SELECT current_database()")
    # Under the name that it has, should libpq or a service file have chosen it.
    source_side = read_side(session, source.login.database(dbname))
    login = target.login if target.login.dbname else target.login.database(dbname)
    target_side = read_side(scope.enter_context(Session(target.maintenance)), login)
    tools.require({side.name: side.major for side in (source_side, target_side)})
    refuse_unless_apart(source_side, target_side)
    directory = scope.enter_context(tempfile.TemporaryDirectory(prefix="schema_clone."))
    dumper = Dumper(tools, directory, options, (source_side.major, target_side.major))
    return _Clone(_look(dumper, source_side, target_side)).change(scope)


@dataclasses.dataclass(frozen=True)
class _Look:
    """What was found on both servers, and what follows from it.

    :param database: what the target's is to be like.
    :param existing: what it is, None when there is none.
    """

    dumper: Dumper
    source: Side
    target: Side
    database: DatabaseSpec
    existing: DatabaseSpec | None
    roles: postgres_roles.RolePlan
    role_warnings: list[str]
    source_dump: SchemaDump
    target_dump: SchemaDump | None

    @property
    def options(self) -> CloneOptions:
        return self.dumper.options


def _look(dumper: Dumper, source: Side, target: Side) -> _Look:
    """Read what is to be compared.

    :raises Refused: where no schema could help.
    """
    options = dumper.options
    database = _database_of(source, options)
    existing = target.database and target.database.without_roles(options.exclude_roles)
    _refuse_database(database, existing, target, options)
    roles, warnings = _plan_roles(source, target, options)
    logins = {"source": source.login}
    if existing is not None:
        logins["target"] = target.login
    dumps = each(logins, lambda label, login: dumper.schema_of(login, label))
    return _Look(
        dumper,
        source,
        target,
        database,
        existing,
        roles,
        warnings,
        dumps["source"],
        dumps.get("target"),
    )


def _refuse_database(
    database: DatabaseSpec, existing: DatabaseSpec | None, target: Side, options: CloneOptions
) -> None:
    """:raises Refused: where the target's database cannot become like the source's."""
    if existing is None:
        if options.sections == "post_data":
            raise Refused(
                f"sections: {target.name} has no database {target.login.dbname} yet",
                "Clone with sections=pre_data first.",
            )
        return
    words = postgres_database.lasting_differences(database, existing)
    if words:
        raise Refused(
            f"Database {existing.name} on {target.name} has {', '.join(words)}",
            "Name a database that does not exist yet: it is created like the source's.",
        )


def _plan_roles(
    source: Side, target: Side, options: CloneOptions
) -> tuple[postgres_roles.RolePlan, list[str]]:
    names = postgres_roles.wanted(source.roles, options.roles, options.exclude_roles)
    login = target.session.value("SELECT session_user::text")
    roles = postgres_roles.plan(
        source.roles,
        target.roles,
        names,
        untouchable={login},
        update=options.role_conflict == "update",
    )
    warnings = plan.refuse_conflicts(roles.conflict_lines(target.name), options)
    if names and not source.roles.passwords:
        warnings.append(
            f"The login role of {source.name} may not read passwords: roles are created without"
        )
    return roles, warnings


class _Clone:
    """Compares, decides, then acts."""

    def __init__(self, look: _Look) -> None:
        self._options = look.options
        self._dumper = look.dumper
        self._source, self._target = look.source, look.target
        self._source_dump, self._target_dump = look.source_dump, look.target_dump
        self._database, self._existing = look.database, look.existing
        self._roles, self._role_warnings = look.roles, look.role_warnings
        self._decision = plan.decide(look.source_dump, look.target_dump, look.options.sections)
        self._makes = Target(look.dumper, look.target, look.database)

    def change(self, scope: Scope) -> Change:
        """What there is to do, as far as can be told without changing anything."""
        change = Change(work=self._work)
        found = self._decision.found
        if not self._decision.sure:
            found = self._unknown(found)
        self._fill(change)
        if self._decision.todo:
            self._refuse_lacking()
            scope.foresees(lambda: self._refuse_refused(change))
        if found.equal:
            return change
        if self._decision.sure:
            self._differs(change, found)
            return change
        change.always = True
        if found.missing or found.extra:
            if self._options.differences == "fail":
                scope.suspects(self._refusal(found))
            self._differs(change, found, fail=False)
        else:
            change.warnings.append(
                f"{self._target.name} prints objects otherwise than {self._source.name}:"
                f" {found.titles()}. A run compares what they mean in a scratch database, which a"
                " check does not make."
            )
        return change

    def _refuse_lacking(self) -> None:
        """:raises Refused: where the schema needs what the target does not have."""
        of_database = [self._database.tablespace] if self._existing is None else []
        plan.refuse_lacking(
            read_needs(self._source, self._options, of_database),
            read_offer(self._target, [role.name for role in self._roles.create]),
            self._database.name,
            self._target.name,
        )

    def _refuse_refused(self, change: Change) -> None:
        """:raises Refused: where the target's server does not take what is to be restored."""
        sides = (self._source, self._target)
        try:
            found = trial.refused_of(self._dumper, *sides, self._source_dump, self._decision.todo)
        except MultimasterError as error:
            change.warnings.append(
                f"Not tried whether {self._target.name} takes the schema: {error.message}"
            )
            return
        if found:
            lines = [f"{one.type} {one.name}: {one.message}" for one in found]
            raise Refused(
                f"{self._target.name} does not take all of the schema: {listed(lines, 3, '; ')}",
                "Give it the source's version of PostgreSQL or a newer one, or make these objects"
                " on the source in a way that both know.",
                refused=lines,
            )

    # --- telling ---------------------------------------------------------------------------

    def _fill(self, change: Change) -> None:
        """Say what there is to do. What differs is told by `_differs`."""
        todo, roles = self._decision.todo, self._roles
        change.changed = roles.changes or bool(todo)
        change.warnings = list(self._role_warnings)
        change.commands = self._dump_commands + self._makes.texts(self._role_statements)
        change.values = {
            "state": self._decision.state if todo else plan.IDENTICAL,
            "database_created": bool(todo) and self._existing is None,
            "objects": schema.summary(self._source_dump.blocks(self._options.sections)),
            "roles_created": [role.name for role in roles.create],
            "roles_updated": [role.name for role in roles.update],
            "memberships": [f"{one.member} in {one.group}" for one in roles.grant],
            "pending_indexes": sorted(
                map(str, self._target_dump.pending if self._target_dump else ())
            ),
        }
        change.before, change.after = self._states(change)
        if not todo and self._existing is not None:
            change.warnings.extend(
                f"Database {self._existing.name} on {self._target.name} has {word}; left as it is"
                for word in postgres_database.property_differences(self._database, self._existing)
            )

    @property
    def _dump_commands(self) -> list[str]:
        return [one.command for one in (self._source_dump, self._target_dump) if one]

    @property
    def _role_statements(self) -> t.Sequence[t.Any]:
        version = self._target.session.server_version
        return postgres_roles.statements(self._roles, version, masked=True)

    def _states(self, change: Change) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """For the diff."""
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        touched = {role.name: role for role in (*self._roles.create, *self._roles.update)}
        if touched:
            there = self._target.roles.roles
            after["roles"] = {name: role.describe() for name, role in touched.items()}
            before["roles"] = {name: there[name].describe() for name in touched if name in there}
        if self._roles.grant:
            after["memberships"] = list(change.values["memberships"])
            before["memberships"] = []
        if self._decision.todo:
            name = self._target.login.dbname
            before["database"] = self._existing.describe() if self._existing else {}
            after["database"] = {**self._database.describe(), "name": name}
            before["objects"] = {}
            after["objects"] = dict(change.values["objects"])
        return before, after

    def _refusal(self, found: schema.Comparison) -> Refused:
        return Refused(
            self._how_it_differs(found),
            "Change the one that is wrong, or name a database that does not exist yet.",
            differences=self._lines(found),
        )

    def _differs(self, change: Change, found: schema.Comparison, fail: bool = True) -> None:
        """The target holds something else: report it, never overwrite it."""
        if fail and self._options.differences == "fail":
            raise self._refusal(found)
        change.values["state"] = plan.DIFFERENT
        change.values["differences"] = self._lines(found)
        change.warnings.append(self._how_it_differs(found))

    def _how_it_differs(self, found: schema.Comparison) -> str:
        return (
            f"The schema of {self._target.login} differs from {self._source.login}:"
            f" {found.titles()}"
        )

    def _lines(self, found: schema.Comparison) -> list[str]:
        return found.lines(self._source.name, self._target.name, self._options.diff_lines)

    # --- what texts mean -------------------------------------------------------------------

    def _unknown(self, found: schema.Comparison) -> schema.Comparison:
        """The differences that no earlier run has shown to be none."""
        with Session(self._target.login) as session:
            return spelling.without(found, spelling.read(session))

    def _in_meaning(
        self, found: schema.Comparison, target: SchemaDump, login: ConnInfo, change: Change
    ) -> schema.Comparison:
        """The differences that are more than another spelling; see _clone/spelling.py.

        :param login: to the target's database, which remembers what was shown to be equal.
        """
        if found.equal:
            return found
        everything = spelling.pairs(found)
        with Session(login) as session:
            left = spelling.without(found, spelling.read(session))
            if left.equal:
                return left
            settled = self._echoed(left, target, change)
            proven = spelling.pairs(left) - spelling.pairs(settled)
            if proven:
                self._makes.allow_writing(session)
                spelling.record(session, proven, everything - spelling.pairs(settled))
        return settled

    def _echoed(
        self, found: schema.Comparison, target: SchemaDump, change: Change
    ) -> schema.Comparison:
        """Restore the source's dump into a scratch database, and see what is printed there."""
        try:
            echo = self._makes.echo(self._source_dump)
            found = spelling.explained(found, echo)
            if found.changed:
                # A schema made by hand on both sides, or whose source was the target before.
                found = spelling.explained_by_both(found, echo, self._makes.echo(target))
        except MultimasterError as error:
            change.warnings.append(
                f"The schemas could not be compared by their meaning: {error.message}"
            )
        return found

    # --- acting ----------------------------------------------------------------------------

    def _work(self, change: Change) -> None:
        server = self._target.session
        # The login's own default may say otherwise.
        self._makes.allow_writing(server)
        self._fill(change)
        change.commands = self._makes.ran = list(self._dump_commands)
        found = self._decision.found
        if self._target_dump is not None and not self._decision.sure:
            found = self._in_meaning(found, self._target_dump, self._target.login, change)
        if not found.equal:
            self._differs(change, found)
        if self._roles.changes:
            roles_client.apply(server, self._roles)
            self._makes.ran += self._makes.texts(self._role_statements)
        if not self._decision.todo:
            return
        if self._existing is None:
            self._makes.create(
                self._source_dump,
                self._decision.todo,
                lambda login: self._verify(login, change),
            )
        else:
            self._makes.fill(self._source_dump, self._decision.todo, self._existing)
            self._verify(self._target.login, change)

    def _verify(self, login: ConnInfo, change: Change) -> None:
        """Whether the target now means the same."""
        target = self._dumper.schema_of(login, "verify")
        self._makes.ran.append(target.command)
        found = plan.compare(self._source_dump, target, self._options.sections)
        found = self._in_meaning(found, target, login, change)
        if found.equal:
            return
        lines = self._lines(found)
        message = f"The restored schema differs on {self._target.name}: {found.titles()}"
        if self._options.differences == "fail":
            raise CommandFailed(
                message,
                "Something on the target's server changes what is restored there (an event trigger"
                " in template0, another version of an extension): see the differences.",
                differences=lines,
            )
        change.values["differences"] = lines
        change.warnings.append(message)


def _database_of(source: Side, options: CloneOptions) -> DatabaseSpec:
    """The database that the target is to have."""
    if source.database is None:
        raise MultimasterError(f"{source.login} does not list its own database")
    database = source.database.without_roles(options.exclude_roles)
    if not options.tablespaces:
        database = dataclasses.replace(database, tablespace="pg_default")
    return database

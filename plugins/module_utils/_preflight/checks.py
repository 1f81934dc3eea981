# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""The checks of preflight: each a function from what was found to what is wrong with it (pure).

A check is one decorated function; C(CHECKS) holds all of them. What they say about Bucardo was
read in bucardo.schema and Bucardo.pm 5.6.0 and tried on servers.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .._bucardo.address import other_users
from .._bucardo.objects import STRATEGIES, Dbgroup, problem_with_strategy
from .._common.cures import REPLACE
from .._common.errors import Refused
from .._common.names import (
    IDENTIFIER_MAX,
    TableName,
    delta_suffix,
    problem_with_dbname,
    problem_with_object_name,
    problem_with_sync_name,
)
from .._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA, Column, Table, select
from .._tracking import truncate
from . import enrolled_findings
from .facts import Control, Database, Facts, Master, Server, Setting, UniqueKey, normal_locale

BLOCKER, WARNING, INFO = "blocker", "warning", "info"

VERSION_MIN, VERSION_MAX = 13, 18
BUCARDO_VERSION = "5.6.0"
# The daemon's main, cleaning, controlling and copying processes with some room for a restart.
BUCARDO_CONNECTIONS = 6
# A seed that fills a disk to the last byte is no success.
DISK_RESERVE = 1.1
DELTA_PREFIX = "delta_"

# Bucardo carries keys as text: these lose something on the way or have no useful equality.
_FRAGILE_KEY_TYPES = {
    "real": "is not exact",
    "double precision": "is not exact",
    "json": "has no equality",
    "jsonb": "has several spellings of the same value",
    "xml": "has no equality",
    "money": "depends on lc_monetary",
    "interval": "depends on IntervalStyle",
}
_TEXT_TYPES = ("text", "character varying", "character", "name", "citext", '"char"')
_TIMEOUTS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)
# pg_database.datlocprovider -> its name and the first major version that has it for databases.
_PROVIDERS = {"i": ("icu", 15), "b": ("builtin", 17)}
_KINDS = {
    "p": "a partitioned table",
    "f": "a foreign table",
    "m": "a materialized view",
}


class Hit(t.NamedTuple):
    """One thing that a check found; the check's own cure stands where C(cure) is empty.

    :param object: name of the table, role, database ... in question.
    :param master: name of the master, "" when it concerns none or all.
    """

    object: str
    master: str
    message: str
    cure: str = ""


class Context:
    """The facts, and what every check needs to know about them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.wanted = facts.wanted
        origins = [master for master in facts.masters if master.origin]
        # Comparisons need one reference; several origins are a blocker of their own.
        self.origin: Master | None = origins[0] if len(origins) == 1 else None
        self.targets = [master for master in facts.masters if not master.origin]
        self.unknown: list[tuple[str, str, str]] = []
        self.selected: list[Table] = []
        self.left_out: list[Table] = []
        if self.origin and self.origin.database:
            self._select(self.origin.database.tables)
        self.names = {table.name for table in self.selected}

    def _select(self, tables: t.Sequence[Table]) -> None:
        include = self._known("tables", tables, self.wanted.tables)
        exclude = self._known("exclude", tables, self.wanted.exclude)
        self.selected = select(tables, include, exclude)
        chosen = {table.name for table in self.selected}
        for table in tables:
            if table.name in chosen or table.name.schema in (OWN_SCHEMA, BUCARDO_SCHEMA):
                continue
            if table.kind == "r" and table.persistence == "p":
                continue
            if any(_matches(table, p) for p in include) and not any(
                _matches(table, p) for p in exclude
            ):
                self.left_out.append(table)

    def _known(
        self, option: str, tables: t.Sequence[Table], patterns: t.Sequence[str]
    ) -> list[str]:
        """The patterns that match something; C(unknown) gets the others, all of them."""
        good = []
        for pattern in patterns:
            try:
                # A table that is excluded must exist, too: hence the same question.
                select(tables, [pattern], [])
            except Refused as error:
                self.unknown.append((option, pattern, error.one_line))
            else:
                good.append(pattern)
        return good

    def servers(self) -> t.Iterator[tuple[Master, Server]]:
        """Every master whose server could be read."""
        for master in self.facts.masters:
            if master.server:
                yield master, master.server

    def databases(self) -> t.Iterator[tuple[Master, Database]]:
        """Every master whose database is there and could be read."""
        for master in self.facts.masters:
            if master.database:
                yield master, master.database

    def copies(self) -> t.Iterator[tuple[Master, Database, Table]]:
        """Every selected table on every master that has it."""
        for master, database in self.databases():
            for table in database.tables:
                if table.name in self.names:
                    yield master, database, table

    def cloned_targets(self) -> t.Iterator[tuple[Master, Database, dict[TableName, Table]]]:
        """Targets whose database already has some of the selected tables, and those."""
        for master in self.targets:
            if master.database:
                found = {x.name: x for x in master.database.tables if x.name in self.names}
                if found:
                    yield master, master.database, found

    @property
    def origin_name(self) -> str:
        """The origin's name, "" without a single origin."""
        return self.origin.name if self.origin else ""

    def keys(self, table: Table) -> tuple[UniqueKey, ...]:
        """The unique indexes of one of the origin's tables that Bucardo considers."""
        database = self.origin.database if self.origin else None
        return database.keys.get(table.name, ()) if database else ()

    def key_columns(self) -> t.Iterator[tuple[Table, Column]]:
        """Every column by which Bucardo identifies the rows of a selected table."""
        for table in self.selected:
            key = bucardo_key(self.keys(table))
            for column in table.columns:
                if key and column.name in key.columns:
                    yield table, column


def _matches(table: Table, pattern: str) -> bool:
    try:
        select([table], [pattern], [])
    except Refused:
        return False
    return True


def bucardo_key(keys: t.Sequence[UniqueKey]) -> UniqueKey | None:
    """The index whose columns Bucardo takes for a row's identity.

    The primary key; else the one with the fewest columns, the newest of several. Bucardo minds
    neither nullable columns nor invalid indexes, and its choice cannot be overridden
    (validate_goat in bucardo.schema: a manual pkey always ends in an error).
    """
    if not keys:
        return None
    return min(keys, key=lambda key: (not key.primary, len(key.columns), -key.oid))


Run = t.Callable[[Context], t.Iterator[Hit]]


@dataclasses.dataclass(frozen=True)
class Check:
    """One check.

    :param meaning: what a finding means, for the manual.
    :param cure: what to do about it.
    """

    id: str
    severity: str
    meaning: str
    cure: str
    run: Run


_registered: list[Check] = []


def check(id: str, severity: str, meaning: str, cure: str) -> t.Callable[[Run], Run]:
    """Register a function as a check."""

    def register(run: Run) -> Run:
        _registered.append(Check(id, severity, meaning, cure, run))
        return run

    return register


# --- the request itself -------------------------------------------------------------------------


@check(
    "master-name",
    BLOCKER,
    "Bucardo cannot take a master's name.",
    "Give the master a name of letters, digits and underscores that starts with a letter.",
)
def _master_name(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        problem = problem_with_object_name(master.name)
        if problem:
            yield Hit(master.name, master.name, f"the name of the master {problem}")


@check(
    "master-twice",
    BLOCKER,
    "Two masters have the same name.",
    "Give every master a name of its own.",
)
def _master_twice(ctx: Context) -> t.Iterator[Hit]:
    for name, times in collections.Counter(m.name for m in ctx.facts.masters).items():
        if times > 1:
            yield Hit(name, name, f"{times} masters have this name")


@check(
    "too-few-masters",
    BLOCKER,
    "There is nothing to replicate with.",
    "Add a second master to the topology.",
)
def _too_few_masters(ctx: Context) -> t.Iterator[Hit]:
    if len(ctx.facts.masters) < 2:
        yield Hit("masters", "", f"{len(ctx.facts.masters)} master(s), but at least two are needed")


@check(
    "origin",
    BLOCKER,
    "Not exactly one master is the origin.",
    "Mark exactly one master as origin: the live database that the others are copied from.",
)
def _origin(ctx: Context) -> t.Iterator[Hit]:
    origins = [master.name for master in ctx.facts.masters if master.origin]
    if not origins:
        yield Hit("masters", "", "no master is marked as origin")
    elif len(origins) > 1:
        yield Hit("masters", "", f"several masters are marked as origin: {', '.join(origins)}")


@check(
    "sync-name",
    BLOCKER,
    "Bucardo cannot take the sync's name.",
    "Choose another name for the sync, of letters, digits and underscores, at most 42 long.",
)
def _sync_name(ctx: Context) -> t.Iterator[Hit]:
    problem = problem_with_sync_name(ctx.wanted.sync)
    if problem:
        yield Hit(ctx.wanted.sync, "", f"the name of the sync {problem}")


@check(
    "group-name",
    BLOCKER,
    "Bucardo cannot take the name of the dbgroup or relgroup.",
    "Choose another name of letters, digits and underscores that starts with a letter.",
)
def _group_name(ctx: Context) -> t.Iterator[Hit]:
    for what, name in (("dbgroup", ctx.wanted.dbgroup), ("relgroup", ctx.wanted.relgroup)):
        problem = problem_with_object_name(name)
        # By default the groups are called like the sync, which is reported already.
        if problem and (name != ctx.wanted.sync or not problem_with_sync_name(name)):
            yield Hit(name, "", f"the name of the {what} {problem}")


@check(
    "conflict-strategy",
    BLOCKER,
    "Bucardo has no such way to settle a conflict: the sync would stop at the first one.",
    f"Use {', '.join(STRATEGIES)}, or names of masters in order of preference.",
)
def _conflict_strategy(ctx: Context) -> t.Iterator[Hit]:
    strategy = ctx.wanted.conflict_strategy
    problem = problem_with_strategy(strategy, [master.name for master in ctx.facts.masters])
    if problem:
        # The problem names the strategy where there is one.
        yield Hit("conflict_strategy", "", problem)


@check(
    "unknown-table",
    BLOCKER,
    "An entry of tables or exclude matches no table of the origin.",
    "Correct the spelling, capitals included, or remove the entry.",
)
def _unknown_table(ctx: Context) -> t.Iterator[Hit]:
    for _option, pattern, message in ctx.unknown:
        yield Hit(pattern, ctx.origin_name, message)


@check(
    "no-tables",
    BLOCKER,
    "No table takes part.",
    "Widen tables, or narrow exclude.",
)
def _no_tables(ctx: Context) -> t.Iterator[Hit]:
    if ctx.origin and ctx.origin.database and not ctx.selected:
        yield Hit(ctx.origin.database.name, ctx.origin.name, "no table takes part")


# --- reaching the servers -----------------------------------------------------------------------


@check(
    "unreachable",
    BLOCKER,
    "A master cannot be reached, or refuses the credentials.",
    "Check its host, port, role, password and database (login_* options, master_* variables), and"
    " pg_hba.conf on the server.",
)
def _unreachable(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        if master.error:
            yield Hit(master.dbname or master.name, master.name, master.error)


@check(
    "unread",
    WARNING,
    "Something could not be read on a master, so that checks are missing there.",
    "Log in as a superuser; see the message for what was refused.",
)
def _unread(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        for what in master.unread:
            yield Hit(master.name, master.name, what)


@check(
    "tables-locked",
    WARNING,
    "Another session holds exclusive locks, so that sizes could not be read.",
    "Wait for the VACUUM FULL, ALTER TABLE or similar to end.",
)
def _tables_locked(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        if database.locked:
            yield Hit(database.name, master.name, "tables are locked exclusively; sizes unknown")


@check(
    "origin-database",
    BLOCKER,
    "The origin's database does not exist.",
    "Check login_db of the origin.",
)
def _origin_database(ctx: Context) -> t.Iterator[Hit]:
    for master, _server in ctx.servers():
        if master.origin and not master.database and not master.error:
            yield Hit(master.dbname, master.name, "this database does not exist on the origin")


@check(
    "database-name",
    BLOCKER,
    "Bucardo cannot connect to a database of this name.",
    "Give Bucardo a libpq service for it.",
)
def _database_name(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        problem = problem_with_dbname(master.dbname) if master.dbname else ""
        if problem:
            yield Hit(master.dbname, master.name, f"the name of the database {problem}")


@check(
    "same-database",
    BLOCKER,
    "Two masters are the same database of the same server.",
    "Check login_host, login_port and login_db of both.",
)
def _same_database(ctx: Context) -> t.Iterator[Hit]:
    for master, first in _twins(ctx):
        said = f"masters {first.name} and {master.name} are the same database"
        yield Hit(master.dbname, master.name, said)


def _twins(ctx: Context) -> t.Iterator[tuple[Master, Master]]:
    """Masters that are the same database as one before them, and that one."""
    seen: dict[tuple[str, str], Master] = {}
    for master, server in ctx.servers():
        if server.identity:
            first = seen.setdefault((server.identity, master.dbname), master)
            if first is not master:
                yield master, first


@check(
    "os-user-login",
    BLOCKER,
    "An operating-system user cannot log in to a master as Bucardo's role. The daemon runs as"
    " bucardo; the control server's postgres runs the functions that Bucardo keeps there.",
    "Put the right line into that user's ~/.pgpass (mode 0600), and allow the host in pg_hba.conf.",
)
def _os_user_login(ctx: Context) -> t.Iterator[Hit]:
    absent = {m.name for m, server in ctx.servers() if server.bucardo_role is None}
    for login in ctx.facts.host.logins:
        if not login.error:
            continue
        if ctx.wanted.check_os_users != "always":
            # The play writes the role and the password file: only what is there can be wrong.
            if login.master in absent or not login.has_password_file:
                continue
            # Text of libpq, not of the server, so in English under LC_ALL=C.
            if "no password supplied" in login.error:
                continue
        yield Hit(
            login.os_user,
            login.master,
            f"the OS user {login.os_user} cannot log in as {ctx.wanted.bucardo_user}:"
            f" {login.error}",
        )


@check(
    "os-users-unchecked",
    INFO,
    "The logins of the operating-system users were not tried.",
    "Run preflight as root on the Bucardo host.",
)
def _os_users_unchecked(ctx: Context) -> t.Iterator[Hit]:
    if ctx.facts.host.logins_skipped:
        yield Hit("os_users", "", ctx.facts.host.logins_skipped)


# --- servers and roles --------------------------------------------------------------------------


@check(
    "version-old",
    BLOCKER,
    f"A server is older than PostgreSQL {VERSION_MIN}.",
    "Upgrade the server.",
)
def _version_old(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.major < VERSION_MIN:
            yield Hit(master.name, master.name, f"PostgreSQL {server.major} is too old")


@check(
    "version-new",
    WARNING,
    f"A server is newer than PostgreSQL {VERSION_MAX}, with which nobody has tried this.",
    "Try it on a copy first.",
)
def _version_new(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.major > VERSION_MAX:
            yield Hit(master.name, master.name, f"PostgreSQL {server.major} was never tried")


@check(
    "version-backwards",
    WARNING,
    "A target's PostgreSQL is older than the origin's, so that its schema may not load there.",
    "Use the origin's version or a newer one.",
)
def _version_backwards(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.server if ctx.origin else None
    for master in ctx.targets:
        if origin and master.server and master.server.major < origin.major:
            yield Hit(
                master.name,
                master.name,
                f"PostgreSQL {master.server.major} is older than the origin's {origin.major}",
            )


@check(
    "pg-dump-old",
    BLOCKER,
    "pg_dump on this host is older than the origin's server and would refuse it.",
    "Install the origin's version of postgresql-client here.",
)
def _pg_dump_old(ctx: Context) -> t.Iterator[Hit]:
    client = ctx.facts.host.pg_dump
    for master, server in ctx.servers():
        if master.origin and client is not None and client < server.major:
            yield Hit(
                "pg_dump",
                master.name,
                f"pg_dump {client} cannot read PostgreSQL {server.major}",
                f"Install postgresql-client-{server.major} here.",
            )


@check(
    "pg-dump-missing",
    WARNING,
    "There is no pg_dump on this host.",
    "Install postgresql-client, unless a later step does.",
)
def _pg_dump_missing(ctx: Context) -> t.Iterator[Hit]:
    if ctx.facts.host.pg_dump is None:
        yield Hit("pg_dump", "", "no pg_dump was found on this host")


@check(
    "not-superuser",
    BLOCKER,
    "The role that logs in is no superuser: it may neither read password hashes nor create"
    " Bucardo's triggers on other roles' tables.",
    "Log in as a superuser.",
)
def _not_superuser(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if not server.login.superuser:
            yield Hit(server.login.name, master.name, "login_user is no superuser")


@check(
    "bucardo-role",
    BLOCKER,
    "Bucardo's role exists, but it cannot log in or cannot switch off triggers.",
    "ALTER ROLE ... LOGIN SUPERUSER VALID UNTIL 'infinity'.",
)
def _bucardo_role(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        role = server.bucardo_role
        if role is None:
            continue
        if not role.can_login:
            yield Hit(role.name, master.name, "this role may not log in")
        if role.expired:
            yield Hit(role.name, master.name, "the password of this role has expired")
        if not role.superuser and not role.may_set_replica:
            yield Hit(
                role.name,
                master.name,
                "this role is neither superuser nor may it set session_replication_role",
            )


@check(
    "bucardo-role-rights",
    WARNING,
    "Bucardo's role is no superuser, though it may set session_replication_role: it needs to own"
    " every table and to create the schema bucardo.",
    "Make it a superuser, or a member of every table's owner.",
)
def _bucardo_role_rights(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        role = server.bucardo_role
        if role and not role.superuser and role.may_set_replica:
            yield Hit(role.name, master.name, "this role is no superuser")


@check(
    "bucardo-role-connections",
    WARNING,
    "Bucardo's role may open too few connections.",
    "ALTER ROLE ... CONNECTION LIMIT -1.",
)
def _bucardo_role_connections(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        role = server.bucardo_role
        if role and 0 <= role.connections < BUCARDO_CONNECTIONS:
            yield Hit(
                role.name, master.name, f"this role has a connection limit of {role.connections}"
            )


def _effective(ctx: Context, master: Master, server: Server, name: str) -> Setting | None:
    """The setting that a session of Bucardo's role would start with, None when not known."""
    user = ctx.wanted.bucardo_user
    fitting = [
        setting
        for setting in server.settings
        if setting.name == name
        and setting.role in ("", user)
        and setting.database in ("", master.dbname)
    ]
    return max(fitting, key=lambda setting: setting.rank) if fitting else None


def _limits(ctx: Context, of_role: bool) -> t.Iterator[tuple[Master, Setting]]:
    for master, server in ctx.servers():
        for name in _TIMEOUTS:
            setting = _effective(ctx, master, server, name)
            if setting and bool(setting.role) == of_role and not _off(setting.value):
                yield master, setting


def _off(value: str) -> bool:
    """Whether a timeout's text means "none": 0 in whatever unit."""
    digits = value.strip(" '").rstrip("abcdefghijklmnopqrstuvwxyz ")
    try:
        return float(digits) == 0
    except ValueError:
        return False


@check(
    "role-timeout",
    BLOCKER,
    "Bucardo's role has a time limit; it would end the daemon's connections and long runs.",
    "ALTER ROLE ... SET ... = 0, in the database, too, if it was set there.",
)
def _role_timeout(ctx: Context) -> t.Iterator[Hit]:
    for master, setting in _limits(ctx, of_role=True):
        place = f" IN DATABASE {setting.database}" if setting.database else ""
        yield Hit(
            setting.role,
            master.name,
            f"{setting.name} is {setting.value} for {setting.where}",
            f"ALTER ROLE {setting.role}{place} SET {setting.name} = 0.",
        )


@check(
    "server-timeout",
    WARNING,
    "The server or the database sets a time limit for every role, Bucardo's included.",
    "ALTER ROLE ... SET ... = 0 for Bucardo's role.",
)
def _server_timeout(ctx: Context) -> t.Iterator[Hit]:
    for master, setting in _limits(ctx, of_role=False):
        user = ctx.wanted.bucardo_user
        place = f" IN DATABASE {setting.database}" if setting.database else ""
        yield Hit(
            user,
            master.name,
            f"{setting.name} is {setting.value} for {setting.where}",
            f"ALTER ROLE {user}{place} SET {setting.name} = 0.",
        )


@check(
    "in-recovery",
    BLOCKER,
    "A master is a standby and cannot be written.",
    "Name the primary.",
)
def _in_recovery(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.in_recovery:
            yield Hit(master.name, master.name, "the server is in recovery (a standby)")


@check(
    "read-only",
    BLOCKER,
    "Sessions on a master begin read-only.",
    "If it is read-only on purpose, as a former primary is, name the right server. Else set"
    " default_transaction_read_only to off for the server, the database and Bucardo's role.",
)
def _read_only(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        setting = _effective(ctx, master, server, "default_transaction_read_only")
        if setting and setting.value.strip(" '").lower() in ("on", "true", "yes", "1"):
            yield Hit(
                master.dbname,
                master.name,
                f"default_transaction_read_only is on for {setting.where}",
            )
        elif server.read_only:
            yield Hit(master.dbname, master.name, "default_transaction_read_only is on")


@check(
    "clock-skew",
    WARNING,
    "Two masters' clocks differ; Bucardo decides conflicts by the time of the change.",
    "Let NTP or chrony run on both servers.",
)
def _clock_skew(ctx: Context) -> t.Iterator[Hit]:
    if not ctx.origin or not ctx.origin.server:
        return
    base = ctx.origin.server
    for master in ctx.targets:
        if not master.server:
            continue
        skew = abs(master.server.clock - base.clock)
        doubt = master.server.clock_error + base.clock_error
        if skew - doubt > ctx.wanted.max_clock_skew:
            yield Hit(
                master.name,
                master.name,
                f"the clock is {skew:.1f} s away from that of {ctx.origin.name}",
            )


@check(
    "connections",
    WARNING,
    "A server has too few free connections for the seed and Bucardo.",
    "Raise max_connections, or close idle connections.",
)
def _connections(ctx: Context) -> t.Iterator[Hit]:
    # Each worker holds one connection; the module itself two.
    needed = ctx.wanted.workers + 2 + BUCARDO_CONNECTIONS
    for master, server in ctx.servers():
        if server.free_connections < needed:
            yield Hit(
                master.name,
                master.name,
                f"{server.free_connections} connections are free, about {needed} are needed",
            )


@check(
    "lock-table",
    WARNING,
    "The shared lock table is small for this many tables: dump and seed lock every table.",
    "Raise max_locks_per_transaction.",
)
def _lock_table(ctx: Context) -> t.Iterator[Hit]:
    if not ctx.origin or not ctx.origin.database:
        return
    # A dump leaves these schemas out.
    relations = sum(
        1 + len(table.indexes)
        for table in ctx.origin.database.tables
        if table.name.schema not in (OWN_SCHEMA, BUCARDO_SCHEMA)
    )
    for master, server in ctx.servers():
        if relations * 2 > server.lock_slots:
            yield Hit(
                master.name,
                master.name,
                f"room for about {server.lock_slots} locks, but {relations} tables and indexes",
            )


@check(
    "session-libraries",
    INFO,
    "Libraries are loaded into every session; some of them forbid DDL or superusers.",
    "Make sure that they let Bucardo's role create schemas, functions and triggers.",
)
def _session_libraries(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.session_libraries:
            yield Hit(server.session_libraries, master.name, "session_preload_libraries is set")


# --- the control database -----------------------------------------------------------------------


@check(
    "control-unreachable",
    WARNING,
    "The control database could not be read, so that its contents were not checked.",
    "Check the connection options; nothing to do if it is still to be installed.",
)
def _control_unreachable(ctx: Context) -> t.Iterator[Hit]:
    if ctx.facts.control and ctx.facts.control.error:
        yield Hit("control database", "", ctx.facts.control.error)


@check(
    "plperlu-missing",
    BLOCKER,
    "The control server lacks PL/PerlU, in which Bucardo's functions are written.",
    "Install postgresql-plperl, libdbi-perl and libdbd-pg-perl on the control server.",
)
def _plperlu_missing(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    # On this host a later step installs the package.
    if control and not control.error and not control.plperlu and not control.local:
        yield Hit("plperlu", "", "the control server cannot create the extension plperlu")


@check(
    "bucardo-version",
    BLOCKER,
    f"The control database belongs to another version of Bucardo than {BUCARDO_VERSION}.",
    f"Upgrade the control database to {BUCARDO_VERSION}.",
)
def _bucardo_version(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    if control and control.installed and control.bucardo_version != BUCARDO_VERSION:
        yield Hit("bucardo", "", f"the control database is of version {control.bucardo_version}")


@check(
    "sync-taken",
    BLOCKER,
    "A sync of this name exists with other groups, or between other databases.",
    "Choose another name for the sync, or the groups and masters that it has.",
)
def _sync_taken(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    sync = control.syncs.get(ctx.wanted.sync) if control else None
    if not control or not sync:
        return
    group = control.dbgroups.get(sync.dbgroup)
    if group and not any(_takes_part(ctx, control, group, master) for master in ctx.facts.masters):
        members = _few(sorted(group.members))
        yield Hit(sync.name, "", f"this sync exists between other databases: {members}")
    elif (sync.relgroup, sync.dbgroup) != (ctx.wanted.relgroup, ctx.wanted.dbgroup):
        yield Hit(
            sync.name,
            "",
            f"this sync exists with relgroup {sync.relgroup} and dbgroup {sync.dbgroup}",
        )


def _takes_part(ctx: Context, control: Control, group: Dbgroup, master: Master) -> bool:
    """Whether a master is, or may be, in the sync: its address may have changed since."""
    known = control.databases.get(master.name)
    return (
        bool(master.error)
        or bool(master.database and ctx.wanted.sync in master.database.enrolled)
        or bool(
            known
            and master.name in group.members
            and (
                known.service
                or known.dsn
                or (known.dbname, known.host) == (master.dbname, master.host)
            )
        )
    )


@check(
    "database-differs",
    WARNING,
    "Bucardo knows a master's name already, but as another database.",
    "Choose another name for the master, unless its address has really changed.",
)
def _database_differs(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    for master in ctx.facts.masters:
        known = control.databases.get(master.name) if control else None
        if not known or known.service or known.dsn:
            continue
        ours = (master.dbname, master.host, master.port or "5432")
        theirs = (known.dbname, known.host, known.port or "5432")
        if ours != theirs and not _is_of_others(ctx, master):
            yield Hit(
                master.name,
                master.name,
                f"Bucardo has it as {known.host}:{known.port}/{known.dbname}",
            )


def _is_of_others(ctx: Context, master: Master) -> bool:
    """Whether another sync uses the name, which is another check's."""
    control = ctx.facts.control
    return bool(
        control and other_users(master.name, control.dbgroups, control.syncs, ctx.wanted.sync)
    )


@check(
    "dbgroup-members",
    WARNING,
    "The dbgroup has members that are no masters here; they would be taken out of it.",
    "Add them to the masters, or choose another dbgroup.",
)
def _dbgroup_members(ctx: Context) -> t.Iterator[Hit]:
    group = ctx.facts.control.dbgroups.get(ctx.wanted.dbgroup) if ctx.facts.control else None
    if group:
        for name in sorted(set(group.members) - {master.name for master in ctx.facts.masters}):
            yield Hit(name, "", f"is in dbgroup {group.name} but not among the masters")


@check(
    "sequence-enrolled",
    BLOCKER,
    "The relgroup holds a sequence: Bucardo would set the highest value on every master.",
    "Remove the sequence from the relgroup.",
)
def _sequence_enrolled(ctx: Context) -> t.Iterator[Hit]:
    for goat in ctx.facts.control.goats if ctx.facts.control else ():
        if goat.reltype == "sequence" and ctx.wanted.relgroup in goat.relgroups:
            yield Hit(str(goat.name), "", f"this sequence is in relgroup {ctx.wanted.relgroup}")


@check(
    "shared-dbgroup",
    BLOCKER,
    "Another sync replicates the same table within the same dbgroup: the two would take each"
    " other's queue for done.",
    "Remove the table from one of them, or use another dbgroup.",
)
def _shared_dbgroup(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    if not control:
        return
    for sync in control.syncs.values():
        if sync.dbgroup != ctx.wanted.dbgroup or sync.name == ctx.wanted.sync:
            continue
        for goat in control.goats:
            if sync.relgroup in goat.relgroups and goat.name in ctx.names:
                yield Hit(str(goat.name), "", f"sync {sync.name} has it in the same dbgroup")


# --- names --------------------------------------------------------------------------------------


@check(
    "table-name",
    BLOCKER,
    "Bucardo writes names between double quotes without escaping: a double quote or a line break"
    " in the name of a schema or table breaks its statements.",
    "Rename the table on every master, or exclude it.",
)
def _table_name(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if any(char in table.name.schema + table.name.name for char in '"\n\r'):
            yield Hit(
                str(table.name), ctx.origin_name, "the name holds a double quote or a line break"
            )


@check(
    "key-column-name",
    BLOCKER,
    "A key column's name cannot be tracked: Bucardo separates names by |, writes them between"
    " double quotes, and has a column txntime of its own.",
    "Rename the column on every master, or exclude the table.",
)
def _key_column_name(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = bucardo_key(ctx.keys(table))
        for column in key.columns if key else ():
            if column == "txntime" or any(char in column for char in '"|'):
                yield Hit(
                    str(table.name), ctx.origin_name, f"the key column {column!r} cannot be tracked"
                )


@check(
    "delta-name-long",
    BLOCKER,
    "The name of Bucardo's table for the changes is longer than 63 bytes; PostgreSQL cuts it and"
    " Bucardo does not find it again.",
    "Rename the table or schema on every master (other letters than ASCII's take several bytes),"
    " or exclude it.",
)
def _delta_name_long(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        length = len((DELTA_PREFIX + delta_suffix(table.name)).encode("utf-8"))
        if length > IDENTIFIER_MAX:
            yield Hit(
                str(table.name), ctx.origin_name, f"its change table's name takes {length} bytes"
            )


@check(
    "delta-name-collision",
    BLOCKER,
    "Two tables would share one of Bucardo's tables for the changes.",
    "Rename one of them on every master, or exclude it.",
)
def _delta_name_collision(ctx: Context) -> t.Iterator[Hit]:
    groups: dict[str, list[str]] = {}
    for table in ctx.selected:
        groups.setdefault(delta_suffix(table.name), []).append(str(table.name))
    for suffix, tables in sorted(groups.items()):
        if len(tables) > 1:
            yield Hit(
                ", ".join(tables), ctx.origin_name, f"they would share {DELTA_PREFIX}{suffix}"
            )


# --- what can be replicated ---------------------------------------------------------------------


@check(
    "not-a-table",
    BLOCKER,
    "Something was named that Bucardo cannot replicate: a partitioned table, a foreign table or a"
    " materialized view.",
    "Name the partitions instead; remove the others from tables.",
)
def _not_a_table(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.kind in _KINDS:
            yield Hit(str(table.name), ctx.origin_name, f"is {_KINDS[table.kind]}")


@check(
    "unlogged",
    BLOCKER,
    "An unlogged table was named: a crash empties it on one master only.",
    "ALTER TABLE ... SET LOGGED, or remove it from tables.",
)
def _unlogged(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.persistence == "u":
            yield Hit(str(table.name), ctx.origin_name, "is unlogged")


@check(
    "temporary",
    BLOCKER,
    "A temporary table was named.",
    "Remove it from tables.",
)
def _temporary(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.persistence == "t":
            yield Hit(str(table.name), ctx.origin_name, "is temporary")


@check(
    "no-key",
    BLOCKER,
    "A table has neither a primary key nor a unique index over plain columns.",
    "Add a primary key, or exclude the table.",
)
def _no_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.kind == "r" and bucardo_key(ctx.keys(table)) is None:
            yield Hit(str(table.name), ctx.origin_name, "has no primary key and no unique index")


@check(
    "nullable-key",
    BLOCKER,
    "Bucardo would identify rows by a unique index with a nullable column: rows with a null there"
    " are never found again.",
    "Add a primary key, or set the columns NOT NULL, or exclude the table.",
)
def _nullable_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = bucardo_key(ctx.keys(table))
        if key is None or key.primary:
            continue
        nullable = [c.name for c in table.columns if not c.not_null and c.name in key.columns]
        if nullable:
            yield Hit(
                str(table.name),
                ctx.origin_name,
                f"its key would be the index {key.index}, but {', '.join(nullable)} may be null",
            )


@check(
    "invalid-key",
    BLOCKER,
    "Bucardo would identify rows by an index that is not valid, and so not unique for sure.",
    "REINDEX the index.",
)
def _invalid_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = bucardo_key(ctx.keys(table))
        if key and not key.valid:
            yield Hit(str(table.name), ctx.origin_name, f"the index {key.index} is not valid")


@check(
    "included-key",
    BLOCKER,
    "Bucardo takes the columns that a key's index INCLUDEs for a part of the key; concurrent"
    " changes to them end in duplicate keys.",
    "Build the key without INCLUDE and add the covering index beside it, or exclude the table.",
)
def _included_key(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = bucardo_key(ctx.keys(table))
        if key and key.included:
            yield Hit(
                str(table.name),
                ctx.origin_name,
                f"the index {key.index} includes {', '.join(key.columns[-key.included :])}",
            )


def _base(type_: str) -> str:
    """A type's name without its schema and length."""
    return type_.split("(")[0].split(".")[-1]


@check(
    "key-type",
    WARNING,
    "Bucardo carries keys as text, and this type does not survive that for every value.",
    "Prefer a key of integer, uuid, text or a time.",
)
def _key_type(ctx: Context) -> t.Iterator[Hit]:
    for table, column in ctx.key_columns():
        why = _FRAGILE_KEY_TYPES.get(_base(column.type))
        if why:
            message = f"key column {column.name}: {column.type} {why}"
            yield Hit(str(table.name), ctx.origin_name, message)


@check(
    "key-citext",
    BLOCKER,
    "A citext key that changes only in upper and lower case is the same key for the trigger, but"
    " another one for Bucardo: a row was seen to be lost that way.",
    "Exclude the table, or give it a primary key of another type.",
)
def _key_citext(ctx: Context) -> t.Iterator[Hit]:
    for table, column in ctx.key_columns():
        if _base(column.type) == "citext":
            yield Hit(str(table.name), ctx.origin_name, f"key column {column.name}: citext")


@check(
    "key-backslash",
    WARNING,
    "Bucardo writes the values of keys with several columns into its statements and doubles the"
    " first backslash: a row with a backslash in such a key is never found again, and the sync"
    " stops with a duplicate key.",
    "Keep backslashes out of the key, for example by a CHECK constraint.",
)
def _key_backslash(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = bucardo_key(ctx.keys(table))
        if not key or len(key.columns) < 2:
            continue
        texts = [
            column.name
            for column in table.columns
            if column.name in key.columns and _base(column.type) in _TEXT_TYPES
        ]
        if texts:
            yield Hit(
                str(table.name), ctx.origin_name, f"key of several columns with {', '.join(texts)}"
            )


@check(
    "generated-column",
    BLOCKER,
    "Bucardo would write a generated column, which PostgreSQL refuses.",
    "Exclude the table, or replace the column by an ordinary one that a trigger fills.",
)
def _generated_column(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        columns = [column.name for column in table.columns if column.generated]
        if columns:
            yield Hit(str(table.name), ctx.origin_name, f"generated: {', '.join(columns)}")


@check(
    "partitioned",
    INFO,
    "A partitioned table takes part through its partitions; new ones must be added by hand.",
    "Run the play again after adding a partition on every master.",
)
def _partitioned(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.left_out:
        if table.kind == "p":
            yield Hit(str(table.name), ctx.origin_name, "is replicated through its partitions")


@check(
    "left-out",
    WARNING,
    "Bucardo cannot replicate an unlogged or foreign table; it was left out.",
    "Put it into exclude to say that you know.",
)
def _left_out(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.left_out:
        if table.extension:
            continue
        if table.kind == "f":
            yield Hit(str(table.name), ctx.origin_name, "is a foreign table and does not take part")
        elif table.kind == "r" and table.persistence != "p":
            yield Hit(str(table.name), ctx.origin_name, "is unlogged and does not take part")


@check(
    "materialized-view",
    INFO,
    "Bucardo does not replicate what a materialized view holds; the seed refreshes it once.",
    "Refresh it on every master when you need it fresh.",
)
def _materialized_view(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.left_out:
        if table.kind == "m":
            yield Hit(str(table.name), ctx.origin_name, "is refreshed by each master itself")


@check(
    "inheritance",
    WARNING,
    "A table has children by inheritance: every one of them must take part by itself.",
    "Select parent and children alike.",
)
def _inheritance(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    for child, parent in sorted(database.children.items()) if database else ():
        if (child in ctx.names) != (parent in ctx.names):
            odd = child if parent in ctx.names else parent
            yield Hit(
                str(odd), ctx.origin_name, f"does not take part: {child} inherits from {parent}"
            )


@check(
    "row-security",
    WARNING,
    "Row-level security is on: a role that is bound by it sees and copies only its own rows.",
    "Keep Bucardo's role and login_user superusers, or grant them BYPASSRLS.",
)
def _row_security(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.has_row_security:
            yield Hit(str(table.name), ctx.origin_name, "has row-level security")


@check(
    "always-trigger",
    WARNING,
    "A trigger or rule fires for replicated rows and seeded rows, too.",
    "ALTER TABLE ... ENABLE TRIGGER (without ALWAYS or REPLICA), unless you mean it.",
)
def _always_trigger(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for trigger in database.triggers:
            ours = trigger.schema == BUCARDO_SCHEMA
            if trigger.table in ctx.names and trigger.enabled in ("A", "R") and not ours:
                how = "ALWAYS" if trigger.enabled == "A" else "REPLICA"
                yield Hit(
                    str(trigger.table),
                    master.name,
                    f"the {trigger.kind} {trigger.name} is ENABLE {how}",
                )


@check(
    "enrolment",
    WARNING,
    "A table is not enrolled as it must be: it has another name or key now, or a trigger or its"
    " function is not what was made. Its changes may have been missed.",
    "The bootstrap holds the sync, rebuilds what is wrong and compares the rows before it goes on.",
)
def _enrolment(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, table in ctx.copies():
        found = enrolled_findings.faults(ctx.facts, master, table.name)
        if found:
            yield Hit(str(table.name), master.name, "; ".join(fault.text for fault in found))


@check(
    "relgroup-stale",
    WARNING,
    "A table of the relgroup does not exist on the origin any more; nothing can be replicated until"
    " it is taken out.",
    "The bootstrap takes it out. A table that has another name now comes in under that.",
)
def _relgroup_stale(ctx: Context) -> t.Iterator[Hit]:
    if ctx.origin and ctx.origin.database:
        for name in enrolled_findings.stale(ctx.facts, ctx.origin.database):
            yield Hit(str(name), "", f"is in relgroup {ctx.wanted.relgroup}, but was dropped")


@check(
    "secondary-unique",
    WARNING,
    "Besides its key a table has unique indexes: two masters that use the same value at the same"
    " time end in an error that stops the sync.",
    "Make sure that only one master assigns such values, or add an exception handler (customcode).",
)
def _secondary_unique(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = bucardo_key(ctx.keys(table))
        others = [i.name for i in table.indexes if i.unique and (not key or i.name != key.index)]
        if key and others:
            yield Hit(str(table.name), ctx.origin_name, f"also unique: {', '.join(others)}")


@check(
    "exclusion-constraint",
    WARNING,
    "An exclusion constraint can refuse a replicated row, which stops the sync.",
    "Make sure that only one master writes rows that can exclude each other.",
)
def _exclusion_constraint(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    for table, name in database.exclusions if database else ():
        if table in ctx.names:
            yield Hit(str(table), ctx.origin_name, f"has the exclusion constraint {name}")


@check(
    "foreign-key-outside",
    WARNING,
    "A foreign key connects a table that takes part with one that does not; nothing checks it"
    " for replicated rows.",
    "Let both take part, or keep the other table equal by other means.",
)
def _foreign_key_outside(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    parents = set(database.partitions.values()) if database else set()
    known = ctx.names | {table.name for table in ctx.left_out if table.name in parents}
    for key in database.foreign_keys if database else ():
        if key.table in ctx.names and key.referenced not in known:
            yield Hit(
                str(key.table),
                ctx.origin_name,
                f"{key.name} refers to {key.referenced}, which does not take part",
            )
        elif key.referenced in ctx.names and key.table not in known:
            yield Hit(
                str(key.referenced),
                ctx.origin_name,
                f"{key.name} of {key.table}, which does not take part, refers to it",
            )


@check(
    "truncate-foreign-key",
    WARNING,
    "TRUNCATE is left to Bucardo, which cannot truncate a table that a foreign key of another"
    " refers to, and takes it for done: the masters would differ.",
    "Keep the default of replication_truncate, by which it is replicated.",
)
def _truncate_foreign_key(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    if database is None or ctx.wanted.truncate != truncate.BUCARDO:
        return
    for table in sorted(ctx.names):
        # What refers to a partitioned table refers to each of its leaves.
        meant, above = {table}, database.partitions.get(table)
        while above is not None:
            meant.add(above)
            above = database.partitions.get(above)
        for key in database.foreign_keys:
            if key.referenced in meant and key.table != table:
                yield Hit(str(table), ctx.origin_name, f"{key.name} of {key.table} refers to it")


@check(
    "truncate-isolation",
    WARNING,
    "Transactions begin with an isolation level in which TRUNCATE of a replicated table is refused,"
    " since it removes rows that they do not see.",
    "Let applications begin such transactions with ISOLATION LEVEL READ COMMITTED.",
)
def _truncate_isolation(ctx: Context) -> t.Iterator[Hit]:
    if ctx.wanted.truncate != truncate.DELETE:
        return
    for master, server in ctx.servers():
        setting = _effective(ctx, master, server, "default_transaction_isolation")
        if setting and setting.value.strip(" '").lower() in ("repeatable read", "serializable"):
            yield Hit(
                master.dbname,
                master.name,
                f"default_transaction_isolation is {setting.value} for {setting.where}",
            )


@check(
    "large-objects",
    WARNING,
    "The database has large objects; Bucardo does not replicate them.",
    "Move them into bytea columns, or copy them by other means.",
)
def _large_objects(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    if database and database.large_objects:
        yield Hit(database.name, ctx.origin_name, f"{database.large_objects} large object(s)")


@check(
    "large-object-column",
    WARNING,
    "A column of type oid or lo may point to large objects, which are not replicated.",
    "Move them into bytea columns; nothing to do if the column means something else.",
)
def _large_object_column(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        columns = [c.name for c in table.columns if _base(c.type) in ("oid", "lo")]
        if columns:
            yield Hit(str(table.name), ctx.origin_name, f"of type oid or lo: {', '.join(columns)}")


# --- other replication --------------------------------------------------------------------------


@check(
    "publication-for-all",
    BLOCKER,
    "A publication FOR ALL TABLES also covers Bucardo's tables; they have no replica identity, so"
    " that PostgreSQL would refuse the daemon's deletes.",
    "Publish named tables or schemas instead.",
)
def _publication_for_all(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for name in database.publications_of_all:
            yield Hit(name, master.name, "this publication is FOR ALL TABLES")


@check(
    "published",
    WARNING,
    "A table is published by logical replication, replicated rows included.",
    "Make sure that the subscriber is no master, or it gets each row twice.",
)
def _published(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for table, publications in sorted(database.published.items()):
            if table in ctx.names:
                yield Hit(str(table), master.name, f"is published by {', '.join(publications)}")


@check(
    "subscribed",
    BLOCKER,
    "A subscription writes into a table; Bucardo's trigger does not fire for such rows.",
    "Exclude the table.",
)
def _subscribed(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for table in sorted(database.subscribed & ctx.names):
            yield Hit(str(table), master.name, "is written by a subscription")


@check(
    "control-is-master",
    BLOCKER,
    "A master's database holds Bucardo's control tables.",
    "Use a database of its own for the control database.",
)
def _control_is_master(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        if database.is_control:
            yield Hit(database.name, master.name, "this is a control database of Bucardo")


@check(
    "foreign-schema",
    BLOCKER,
    "There is a schema called bucardo with contents that are not Bucardo's.",
    "Let its owner move it to another name, together with what uses it.",
)
def _foreign_schema(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        if database.bucardo_relations and not database.has_bucardo and not database.is_control:
            yield Hit(
                "bucardo",
                master.name,
                f"{database.bucardo_relations} relations, none of them Bucardo's",
            )


def _other_syncs(ctx: Context) -> t.Iterator[tuple[Master, str, int, bool]]:
    """Syncs of each master beside ours, with the number of tables and whether control has them."""
    control = ctx.facts.control
    known = set(control.syncs) if control else set()
    for master, database in ctx.databases():
        if database.is_control:
            continue
        for sync, tables in sorted(database.enrolled.items()):
            if sync != ctx.wanted.sync:
                yield master, sync, tables, sync in known


@check(
    "foreign-bucardo",
    BLOCKER,
    "A master has triggers of a sync that this control database does not know: another"
    " installation of Bucardo, or the remains of one.",
    "If that replication is in use, name its control database; the playbook teardown, with that"
    " sync's name, removes what is left of one that is gone.",
)
def _foreign_bucardo(ctx: Context) -> t.Iterator[Hit]:
    for master, sync, tables, known in _other_syncs(ctx):
        if not known:
            yield Hit(sync, master.name, f"{tables} table(s) belong to this unknown sync")


@check(
    "other-sync",
    INFO,
    "A master also takes part in another sync of the same installation.",
    "Nothing to do.",
)
def _other_sync(ctx: Context) -> t.Iterator[Hit]:
    for master, sync, tables, known in _other_syncs(ctx):
        if known:
            yield Hit(sync, master.name, f"{tables} table(s) belong to this sync")


@check(
    "event-trigger",
    WARNING,
    "An event trigger runs when tables, functions and triggers are created, and may refuse them.",
    "Let it pass what is made in schema bucardo.",
)
def _event_trigger(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for name in database.event_triggers:
            yield Hit(name, master.name, "this event trigger is enabled")


# --- what goes on -------------------------------------------------------------------------------


@check(
    "long-transaction",
    WARNING,
    "A transaction has been open for long: enrolment waits for it on the tables that it wrote.",
    "Wait for its end; pg_terminate_backend() would roll back what it did.",
)
def _long_transaction(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for open_ in database.transactions:
            if not open_.gid and open_.age > ctx.wanted.max_transaction_age:
                tables = _few([str(name) for name in open_.locked if name in ctx.names])
                yield Hit(
                    f"pid {open_.pid}",
                    master.name,
                    f"open for {open_.age:.0f} s ({open_.user}, {open_.application or 'no name'},"
                    f" {open_.state})" + (f", holds {tables}" if tables else ""),
                )


@check(
    "prepared-transaction",
    WARNING,
    "A prepared transaction waits for its end; the seed's snapshot cannot be cleaned up.",
    "Let the application that prepared it end it: COMMIT PREPARED keeps what it wrote, ROLLBACK"
    " PREPARED throws it away.",
)
def _prepared_transaction(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for prepared in database.transactions:
            if prepared.gid and not ctx.names.intersection(prepared.locked):
                yield Hit(prepared.gid, master.name, f"prepared {prepared.age:.0f} s ago")


@check(
    "prepared-lock",
    BLOCKER,
    "A prepared transaction holds locks on a table that takes part: no trigger can be created"
    " there before it ends.",
    "Let the application that prepared it end it: COMMIT PREPARED keeps what it wrote, ROLLBACK"
    " PREPARED throws it away.",
)
def _prepared_lock(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for prepared in database.transactions:
            held = [str(name) for name in prepared.locked if name in ctx.names]
            if prepared.gid and held:
                yield Hit(
                    prepared.gid,
                    master.name,
                    f"prepared {prepared.age:.0f} s ago, holds {_few(held)}",
                )


# --- the targets --------------------------------------------------------------------------------


@check(
    "target-not-empty",
    BLOCKER,
    "A target's table holds rows for which no seed of this membership vouches; they would not be"
    " overwritten. Nothing that you do to them by hand is safe: where the table is replicated, it"
    " is replayed on the origin.",
    REPLACE,
)
def _target_not_empty(ctx: Context) -> t.Iterator[Hit]:
    # Rows of the origin itself are reported as what they are.
    twins = {twin.name for pair in _twins(ctx) for twin in pair}
    if ctx.facts.origin_stays or any(_sync_taken(ctx)):
        # Who is seeded from whom, or in which sync, is the question, not what the tables hold.
        return
    replaced = {
        table.name for table in ctx.selected if any(_matches(table, p) for p in ctx.wanted.replace)
    }
    for master in ctx.targets:
        if master.database and master.name not in twins:
            compared = {
                name
                for name in master.database.filled
                if enrolled_findings.is_comparable(ctx.facts, ctx.origin, master, name)
            }
            yield from _filled(master.name, master.database, ctx.names - replaced - compared)


@check(
    "unproven",
    WARNING,
    "Changes of a table that was seeded may have been missed since, so that nobody vouches for its"
    " rows.",
    "The bootstrap compares them while the sync is held, and refuses the table if they differ.",
)
def _unproven(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.targets:
        for table in sorted(master.database.filled & ctx.names if master.database else ()):
            if enrolled_findings.is_comparable(ctx.facts, ctx.origin, master, table):
                yield Hit(str(table), master.name, "holds rows that nobody vouches for")


def _filled(name: str, database: Database, names: t.Collection[TableName]) -> t.Iterator[Hit]:
    replicated = database.seed.enrolled if database.seed else frozenset()
    for table in sorted(database.filled & set(names)):
        why = database.doubts.get(table, "was never seeded")
        state = "replicated and not empty" if table in replicated else "not empty"
        yield Hit(str(table), name, f"is {state}, and {why}")


@check(
    "origin-moved",
    BLOCKER,
    "The inventory names another origin than the one from which the masters of the sync were"
    " seeded, and it cannot take its place now.",
    "Let the former origin be the origin in the inventory until the sync replicates and every"
    " master is seeded.",
)
def _origin_moved(ctx: Context) -> t.Iterator[Hit]:
    former = ctx.facts.former_origin
    if ctx.facts.origin_stays:
        said = f"the origin is {former}, and {ctx.facts.origin_stays}"
        yield Hit(ctx.origin_name, ctx.origin_name, said)


@check(
    "missing-table",
    BLOCKER,
    "A table of the origin is missing on a target that has others of them: DDL is not replicated.",
    "Create it on the target exactly as on the origin.",
)
def _missing_table(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, found in ctx.cloned_targets():
        for table in ctx.selected:
            if table.name not in found:
                yield Hit(str(table.name), master.name, "does not exist on this target")


def _pairs(ctx: Context) -> t.Iterator[tuple[Master, Database, Table, Table]]:
    for master, database, found in ctx.cloned_targets():
        for table in ctx.selected:
            if table.name in found:
                yield master, database, table, found[table.name]


@check(
    "columns-differ",
    BLOCKER,
    "A table's columns differ in name, order, type or generation: Bucardo copies by position.",
    "Make the table equal on both sides.",
)
def _columns_differ(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, here, there in _pairs(ctx):
        ours = [(c.name, c.type, c.generated) for c in here.columns]
        theirs = [(c.name, c.type, c.generated) for c in there.columns]
        if ours == theirs:
            continue
        cure = ""
        if sorted(ours) == sorted(theirs):
            said = f"columns in another order: {_few([c.name for c in there.columns])}"
        else:
            said = "; ".join(
                part
                for part in (
                    _described("only on the origin", [c for c in ours if c not in theirs]),
                    _described("only here", [c for c in theirs if c not in ours]),
                )
                if part
            )
            if ours[: len(theirs)] == theirs:
                # As after DDL between two runs; nothing of the rows or the queue is lost by it.
                cure = (
                    "ALTER TABLE ... ADD COLUMN on this master as well, in the same order, and run"
                    " again."
                )
        yield Hit(str(here.name), master.name, said, cure)


def _described(where: str, columns: t.Sequence[tuple[str, str, str]]) -> str:
    texts = [f"{name} {kind}{' generated' if gen else ''}" for name, kind, gen in columns]
    return f"{where}: {_few(texts)}" if texts else ""


@check(
    "column-details-differ",
    WARNING,
    "A table's columns differ in NOT NULL, collation or identity; a row that one master takes may"
    " be refused by the other.",
    "Make the table equal on both sides.",
)
def _column_details_differ(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, here, there in _pairs(ctx):
        others = {column.name: column for column in there.columns}
        different = [
            column.name
            for column in here.columns
            if column.name in others
            and (column.not_null, column.collation, column.identity)
            != (
                others[column.name].not_null,
                others[column.name].collation,
                others[column.name].identity,
            )
        ]
        if different:
            yield Hit(
                str(here.name),
                master.name,
                f"NOT NULL, collation or identity differs: {_few(different)}",
            )


@check(
    "key-differs",
    BLOCKER,
    "A table has another key on the target, so that rows would be identified differently.",
    "Make the primary key equal on both sides.",
)
def _key_differs(ctx: Context) -> t.Iterator[Hit]:
    for master, database, here, there in _pairs(ctx):
        ours = bucardo_key(ctx.keys(here))
        theirs = bucardo_key(database.keys.get(there.name, ()))
        if ours and (theirs is None or theirs.columns != ours.columns):
            said = ", ".join(theirs.columns) if theirs else "none"
            yield Hit(
                str(here.name),
                master.name,
                f"the key is {said}, on the origin {', '.join(ours.columns)}",
            )


@check(
    "extension-missing",
    BLOCKER,
    "The origin uses an extension that the target server does not offer.",
    "Install its package on the target server.",
)
def _extension_missing(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        for name, version in sorted(origin.extensions.items()) if origin else ():
            if master.server and name not in master.server.available:
                yield Hit(name, master.name, f"extension {name} {version} is not available")


@check(
    "extension-version",
    WARNING,
    "An extension has another version on the target than on the origin.",
    "ALTER EXTENSION ... UPDATE on the older side.",
)
def _extension_version(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        for name, version in sorted(origin.extensions.items()) if origin else ():
            if not master.server or name not in master.server.available:
                continue
            installed = master.database.extensions.get(name) if master.database else None
            theirs = installed or master.server.available[name]
            if theirs and theirs != version:
                yield Hit(name, master.name, f"version {theirs}, on the origin {version}")


@check(
    "encoding",
    BLOCKER,
    "A target's database has another encoding than the origin's.",
    "Name another database for this master, which is then made with the origin's encoding.",
)
def _encoding(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        there = master.database
        if origin and there and there.encoding != origin.encoding:
            yield Hit(
                there.name,
                master.name,
                f"encoding {there.encoding}, the origin's {origin.encoding}",
            )


@check(
    "locale",
    WARNING,
    "A target's database has another locale or provider than the origin's: order, case and"
    " equality of text may differ.",
    "Name another database for this master, which is then made with the origin's locale.",
)
def _locale(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        there = master.database
        if origin and there and _locales(there) != _locales(origin):
            yield Hit(
                there.name,
                master.name,
                f"locale {' '.join(there.locale)}, the origin's {' '.join(origin.locale)}",
            )


def _locales(database: Database) -> list[str]:
    return [normal_locale(part) for part in database.locale]


@check(
    "locale-missing",
    WARNING,
    "The target server does not know the locale of the origin's database, which is to be created.",
    "Generate the locale on the target server (dpkg-reconfigure locales) and restart PostgreSQL.",
)
def _locale_missing(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        if not origin or not master.server or master.database:
            continue
        for name in sorted({normal_locale(part) for part in origin.locale[:2]}):
            if name not in ("c", "posix") and name not in master.server.locales:
                yield Hit(name, master.name, f"the locale {name} is not known here")


@check(
    "locale-provider",
    BLOCKER,
    "The target's PostgreSQL is too old for the locale provider of the origin's database.",
    "Use PostgreSQL 15 or newer for icu, 17 or newer for builtin.",
)
def _locale_provider(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        if not origin or not master.server or master.database:
            continue
        name, since = _PROVIDERS.get(origin.locale[2], ("", 0))
        if master.server.major < since:
            yield Hit(
                name,
                master.name,
                f"PostgreSQL {master.server.major} has no databases of this provider",
            )


@check(
    "tablespace-missing",
    WARNING,
    "The origin keeps tables in a tablespace that the target does not have.",
    "Create the tablespace on the target.",
)
def _tablespace_missing(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        for name, relations in sorted(origin.tablespaces.items()) if origin else ():
            if master.server and name not in master.server.tablespaces:
                yield Hit(name, master.name, f"{relations} relation(s) of the origin are in it")


def _needed(ctx: Context, master: Master) -> int:
    """Bytes that a target still has to take in: the origin's database less what is there."""
    origin = ctx.origin.database if ctx.origin else None
    there = master.database.bytes if master.database else 0
    return max(0, origin.bytes - there) if origin else 0


@check(
    "disk-space",
    BLOCKER,
    "A target's disk is too small for the origin's data.",
    "Free or add space on the target.",
)
def _disk_space(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.targets:
        needed = int(_needed(ctx, master) * DISK_RESERVE)
        free = master.server.free_bytes if master.server else None
        if free is not None and free < needed:
            yield Hit(
                master.name, master.name, f"{_size(free)} are free, {_size(needed)} are needed"
            )


@check(
    "disk-space-unknown",
    INFO,
    "A target's free disk space cannot be read from here.",
    "Make sure that there is enough.",
)
def _disk_space_unknown(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.targets:
        needed = int(_needed(ctx, master) * DISK_RESERVE)
        if needed and master.server and master.server.free_bytes is None:
            yield Hit(master.name, master.name, f"about {_size(needed)} are needed")


def _few(names: t.Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1024 or unit == "TB":
            break
        number /= 1024
    return f"{number:.0f} {unit}"


# Other files add theirs: this is the same list.
CHECKS: t.Sequence[Check] = _registered

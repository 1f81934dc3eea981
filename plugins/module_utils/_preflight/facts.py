# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight knows about every server before it judges (pure).

Sizes are in bytes, ages and clocks in seconds. Versions are server_version_num (150012 is 15.12).
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo.objects import DatabaseRecord as BucardoDatabase
from .._bucardo.objects import Dbgroup, Goat, Sync
from .._clone.facts import RefusedObject
from .._common.names import TableName
from .._ledger.foreign import Foreign
from .._ledger.states import Entry
from .._postgres.tables import Table
from .._sequences.facts import Survey
from .._sequences.strategies import DEFAULT as DEFAULT_STRATEGY
from .._tracking.enrolled import Found
from .key_types import KeyType
from .needs import Needs, Offers

# The daemon's main, cleaning, controlling and copying processes with some room for a restart.
BUCARDO_CONNECTIONS = 6


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the play is about to do."""

    tables: tuple[str, ...] = ("*.*",)
    exclude: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    sync: str = "multimaster"
    dbgroup: str = "multimaster"
    relgroup: str = "multimaster"
    bucardo_user: str = "bucardo"
    max_transaction_age: float = 60.0
    max_clock_skew: float = 1.0
    workers: int = 4
    check_os_users: str = "auto"
    conflict_strategy: str = "bucardo_latest"
    bucardo_password: str = dataclasses.field(default="", repr=False)
    bucardo_ssl_cert: str = ""
    bucardo_ssl_key: str = ""
    change_password: bool = False
    adopt: bool = False
    truncate: str = "delete"
    sequences: str = DEFAULT_STRATEGY
    exclude_sequences: tuple[str, ...] = ()
    sequence_slots: int = 0
    tablespaces: bool = True
    notifies: bool = False

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> Wanted:
        """From a task's options of the same names."""
        found: dict[str, t.Any] = {}
        for field in dataclasses.fields(cls):
            value = options[field.name]
            # What was not given is null there.
            value = field.default if value is None else value
            found[field.name] = tuple(value) if isinstance(value, list) else value
        return cls(**found)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One configuration value from pg_db_role_setting or pg_file_settings.

    :param role: the role it is for, "" for all.
    :param database: the database it is for, "" for all.
    """

    name: str
    value: str
    role: str = ""
    database: str = ""

    @property
    def where(self) -> str:
        """Where it was set, for people."""
        if self.role and self.database:
            return f"role {self.role} in database {self.database}"
        if self.role:
            return f"role {self.role}"
        return f"database {self.database}" if self.database else "the server's configuration"

    @property
    def rank(self) -> int:
        """Which of several settings wins; see ALTER ROLE in PostgreSQL's documentation."""
        return 2 * bool(self.role) + bool(self.database)


@dataclasses.dataclass(frozen=True)
class Role:
    """A row of pg_roles.

    :param connections: the connection limit, -1 for none.
    :param expired: whether its password's time is over.
    :param may_set_replica: superuser, or allowed to SET session_replication_role (PostgreSQL 15).
    """

    name: str
    superuser: bool = True
    can_login: bool = True
    connections: int = -1
    expired: bool = False
    may_set_replica: bool = True


@dataclasses.dataclass(frozen=True)
class Server:
    """What does not depend on the database.

    :param identity: the same for two connections to the same running server, different otherwise.
    :param clock: the server's clock minus this host's, corrected by half the round trip.
    :param clock_error: half of the shortest round trip: the figure above is no better than this.
    :param free_connections: for ordinary roles, now.
    :param lock_slots: how many locks the shared lock table is sized for.
    :param databases: names of all databases.
    :param available: extension to the version that a plain CREATE EXTENSION takes.
    :param locales: normalised names of the operating system's locales known to PostgreSQL.
    :param free_bytes: free space of the data directory's file system; None when not readable.
    :param bucardo_role: None when the role does not exist.
    :param password_differs: whether that role has another password than it shall have.
    :param settings: per role and database, and of the configuration files.
    :param writes: transactions that wrote something, per second, while the server was read.
    """

    version: int = 150000
    identity: str = ""
    login: Role = Role("postgres")
    in_recovery: bool = False
    read_only: bool = False
    clock: float = 0.0
    clock_error: float = 0.0
    free_connections: int = 100
    lock_slots: int = 6400
    session_libraries: str = ""
    databases: tuple[str, ...] = ()
    available: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    locales: frozenset[str] = frozenset()
    tablespaces: frozenset[str] = frozenset()
    free_bytes: int | None = None
    bucardo_role: Role | None = None
    password_differs: bool = False
    settings: tuple[Setting, ...] = ()
    offers: Offers = dataclasses.field(default_factory=Offers)
    writes: float = 0.0

    @property
    def major(self) -> int:
        """PostgreSQL's major version."""
        return self.version // 10000


@dataclasses.dataclass(frozen=True)
class Trigger:
    """A trigger or rule that is not internal.

    :param enabled: tgenabled or ev_enabled: O origin, R replica, A always, D disabled.
    :param schema: schema of the trigger's function, "" for a rule.
    """

    table: TableName
    name: str
    enabled: str = "O"
    schema: str = ""
    kind: str = "trigger"


@dataclasses.dataclass(frozen=True)
class ForeignKey:
    """A foreign key from one table to another."""

    name: str
    table: TableName
    referenced: TableName


@dataclasses.dataclass(frozen=True)
class Transaction:
    """A transaction that is open, or prepared (then `gid` is its name and `pid` is 0).

    :param locked: tables on which it holds a lock that conflicts with enrolment.
    """

    age: float
    pid: int = 0
    gid: str = ""
    user: str = ""
    application: str = ""
    state: str = ""
    locked: tuple[TableName, ...] = ()


@dataclasses.dataclass(frozen=True)
class Seed:
    """What a master's ledger says, and of which database and membership.

    :param identity: `_ledger.identity` of the database; `place` is `_ledger.place`.
    :param epoch: of its membership in the group, as it knows it; None without one.
    :param enrolled: tables whose changes are queued.
    """

    identity: str
    place: str
    epoch: str | None = None
    entries: t.Mapping[TableName, Entry] = dataclasses.field(default_factory=dict)
    enrolled: frozenset[TableName] = frozenset()


@dataclasses.dataclass(frozen=True)
class ExtensionRows:
    """Rows that users put into a table of an extension."""

    extension: str
    table: TableName
    rows: int


@dataclasses.dataclass(frozen=True)
class CheckCall:
    """A CHECK constraint that calls a function which somebody wrote.

    :param function: with the types of its arguments.
    """

    table: TableName
    constraint: str
    function: str


@dataclasses.dataclass(frozen=True)
class BadExpression:
    """An index that cannot be built with an empty search_path, and what PostgreSQL says.

    :param over_rows: only where there are rows; PostgreSQL 17 and newer build it so.
    """

    table: TableName
    index: str
    message: str
    over_rows: bool = False


@dataclasses.dataclass(frozen=True)
class Database:
    """What a master's database holds.

    :param locale: datcollate, datctype, provider and the provider's locale.
    :param children: inheritance (not partition) child to parent.
    :param partitions: leaf or branch to its direct parent.
    :param publications_of_all: names of FOR ALL TABLES publications.
    :param published: table to the publications that name it.
    :param subscribed: tables that a subscription of this database writes.
    :param enrolled: sync to number of tables, from bucardo.bucardo_delta_names.
    :param bucardo_relations: how many relations schema bucardo holds.
    :param has_bucardo: whether Bucardo's tables are among them.
    :param is_control: whether the control database's own tables are in it.
    :param seed: None where it could not be read.
    :param ledger: table to its state in the seed ledger, of those that count; None without one.
    :param doubts: why the ledger's word on other tables does not count.
    :param found: what tables have of Bucardo's; empty where there is nothing of Bucardo's.
    :param filled: tables for which the ledger does not vouch and that hold rows.
    :param locked: sizes were not read since something holds exclusive locks.
    :param shed: tables of the sync whose changes are not queued here any more, and since when.
    :param foreign: what in our schemas belongs to somebody whom we do not trust.
    :param needs: of the origin: what it needs of a server.
    :param key_types: of columns in unique indexes.
    :param backslashes: whether keys of several columns hold one; None when not looked through.
    :param refused_changes: tables whose rows PostgreSQL does not let anybody delete.
    :param refused_ddl: why nothing can be made in it, "" when it can.
    """

    name: str
    bytes: int = 0
    encoding: str = "UTF8"
    locale: tuple[str, str, str, str] = ("C.UTF-8", "C.UTF-8", "c", "")
    tables: tuple[Table, ...] = ()
    extensions: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    triggers: tuple[Trigger, ...] = ()
    event_triggers: tuple[str, ...] = ()
    exclusions: tuple[tuple[TableName, str], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    children: t.Mapping[TableName, TableName] = dataclasses.field(default_factory=dict)
    partitions: t.Mapping[TableName, TableName] = dataclasses.field(default_factory=dict)
    publications_of_all: tuple[str, ...] = ()
    published: t.Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    subscribed: frozenset[TableName] = frozenset()
    sequences: Survey = dataclasses.field(default_factory=Survey)
    tablespaces: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    large_objects: int = 0
    transactions: tuple[Transaction, ...] = ()
    bucardo_relations: int = 0
    has_bucardo: bool = False
    is_control: bool = False
    enrolled: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    seed: Seed | None = None
    ledger: t.Mapping[TableName, str] | None = None
    doubts: t.Mapping[TableName, str] = dataclasses.field(default_factory=dict)
    found: t.Mapping[TableName, Found] = dataclasses.field(default_factory=dict)
    filled: frozenset[TableName] = frozenset()
    locked: bool = False
    shed: t.Mapping[TableName, str] = dataclasses.field(default_factory=dict)
    foreign: tuple[Foreign, ...] = ()
    extension_rows: tuple[ExtensionRows, ...] = ()
    check_calls: tuple[CheckCall, ...] = ()
    needs: Needs = dataclasses.field(default_factory=Needs)
    key_types: t.Mapping[TableName, t.Mapping[str, KeyType]] = dataclasses.field(
        default_factory=dict
    )
    bad_expressions: tuple[BadExpression, ...] = ()
    backslashes: t.Mapping[TableName, bool | None] = dataclasses.field(default_factory=dict)
    refused_changes: t.Mapping[TableName, str] = dataclasses.field(default_factory=dict)
    refused_ddl: str = ""


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a master's address leads.

    :param pooled: a pooler answers; then nothing else was asked.
    :param servers: how many different servers some connections met, 0 when not known.
    :param unpassable: what of it Bucardo cannot be told, "" when all can.
    :param wants_certificate: Bucardo's role would need a client certificate that it has not.
    """

    pooled: bool = False
    servers: int = 0
    unpassable: str = ""
    wants_certificate: bool = False


@dataclasses.dataclass(frozen=True)
class SurveyedMaster:
    """One master as it was found.

    :param error: why it could not be read, "" when it could.
    :param dbname: the database asked for.
    :param database: None when the database does not exist yet.
    :param unread: what could not be read there, and why.
    :param refused_objects: of the origin's schema, when a restore was tried.
    :param restore_untried: why a restore that was wanted could not be tried.
    """

    name: str
    origin: bool = False
    error: str = ""
    dbname: str = ""
    host: str = ""
    port: str = ""
    server: Server | None = None
    database: Database | None = None
    unread: tuple[str, ...] = ()
    address: Address = Address()
    refused_objects: tuple[RefusedObject, ...] = ()
    restore_untried: str = ""


@dataclasses.dataclass(frozen=True)
class SurveyedControl:
    """The control database's server, and Bucardo's catalog where it is installed.

    :param error: why it could not be read, "" when it could.
    :param local: whether its server is on this host.
    :param password_differs: whether Bucardo's role has another password there than it shall have.
    :param not_passed_on: libpq's keywords that Bucardo's programs are not told.
    """

    error: str = ""
    local: bool = False
    plperlu: bool = True
    installed: bool = False
    bucardo_version: str = ""
    databases: t.Mapping[str, BucardoDatabase] = dataclasses.field(default_factory=dict)
    dbgroups: t.Mapping[str, Dbgroup] = dataclasses.field(default_factory=dict)
    syncs: t.Mapping[str, Sync] = dataclasses.field(default_factory=dict)
    goats: tuple[Goat, ...] = ()
    password_differs: bool = False
    not_passed_on: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Login:
    """One attempt of an operating-system user to log in to a master as Bucardo's role.

    :param has_password_file: whether that user has a password file at all.
    :param error: "" when it worked.
    """

    os_user: str
    master: str
    error: str = ""
    has_password_file: bool = True


@dataclasses.dataclass(frozen=True)
class Host:
    """This host.

    :param pg_dump: major version of the newest pg_dump, None when there is none.
    :param logins_skipped: why the logins of OS users were not tried, "" when they were.
    :param bucardorc: whose rc file is there: ours, packaged, foreign, absent; "" if not known.
    """

    pg_dump: int | None = None
    logins: tuple[Login, ...] = ()
    logins_skipped: str = ""
    bucardorc: str = ""


@dataclasses.dataclass(frozen=True)
class Facts:
    """Everything that the checks judge.

    :param former_origin: the sync's origin where the inventory names another master.
    :param origin_stays: why it cannot move, "" when it can.
    """

    wanted: Wanted
    masters: tuple[SurveyedMaster, ...]
    control: SurveyedControl | None = None
    host: Host = Host()
    former_origin: str = ""
    origin_stays: str = ""

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check of preflight: once with something to find, and never on a sound topology."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    DatabaseRecord as BucardoDatabase,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    Dbgroup,
    Goat,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.facts import RefusedObject
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import doubts
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger.foreign import Foreign
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Index,
    Table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.checklist import CHECKS
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    Address,
    BadExpression,
    CheckCall,
    Database,
    ExtensionRows,
    Facts,
    ForeignKey,
    Host,
    Login,
    Role,
    Server,
    Setting,
    SurveyedControl,
    SurveyedMaster,
    Transaction,
    Trigger,
    Wanted,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.key_types import (
    KeyType,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.needs import (
    Needed,
    Needs,
    Offers,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.registry import (
    BLOCKER,
    INFO,
    WARNING,
    Check,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.report import (
    LINES_PER_CHECK,
    Blocked,
    Finding,
    Report,
    examine,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import (
    Sequence,
    Share,
    Survey,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.enrolled import Found
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.enrolled import (
    Trigger as FoundTrigger,
)

PAGE = pathlib.Path(__file__).parents[5] / "docs" / "preflight.md"
ORDERS = TableName("public", "orders")
OTHER = TableName("public", "other")
ID = Column("id", "integer", True)
TEXT = Column("v", "text", False)


def table(name: TableName = ORDERS, **values: t.Any) -> Table:
    values.setdefault("columns", (ID, TEXT))
    values.setdefault("indexes", (Index(f"{name.name}_pkey", ("id",), True, True, True, False),))
    return Table(**{"name": name, "oid": 1, "kind": "r", "persistence": "p", **values})


def primary(**values: t.Any) -> Index:
    return Index(
        **{
            "name": "orders_pkey",
            "columns": ("id",),
            "unique": True,
            "primary": True,
            "valid": True,
            "partial": False,
            **values,
        }
    )


def database(**values: t.Any) -> Database:
    values.setdefault("tables", (table(),))
    return Database(**{"name": "shop", **values})


HERE = SurveyedMaster(
    "here",
    origin=True,
    dbname="shop",
    host="db1",
    server=Server(identity="1", available={"plpgsql": "1.0"}, locales=frozenset({"c.utf8"})),
    database=database(bytes=1000),
)
THERE = SurveyedMaster(
    "there",
    dbname="shop",
    host="db2",
    server=Server(
        identity="2",
        available={"plpgsql": "1.0"},
        locales=frozenset({"c.utf8"}),
        free_bytes=10**12,
    ),
    database=database(ledger={}),
)


def sequences(*found: Sequence, owned_by: TableName | None = None) -> Survey:
    """Sequences of a master, all owned by a column of one table or by none."""
    users = {x.name: frozenset({owned_by}) for x in found} if owned_by else {}
    return Survey({x.name: x for x in found}, users, frozenset(users))


def sequence(last: int | None = None, **values: t.Any) -> Sequence:
    """A sequence that has handed out this value, or none yet."""
    fields = {
        "name": OTHER,
        "oid": 1,
        "start": 1,
        "increment": 1,
        "minimum": 1,
        "maximum": 2**63 - 1,
        "cycle": False,
        "is_called": last is not None,
        **values,
    }
    return Sequence(last_value=fields["start"] if last is None else last, **fields)


def shared(slot: int) -> Sequence:
    """A sequence with a step of 50 of which one of two masters has its share."""
    start = 1 + 50 * slot
    share = Share(50, 2, slot, 1, start, frozenset({"multimaster"}))
    return sequence(start=start, increment=100, share=share)


def facts(
    here: t.Mapping[str, t.Any] | None = None,
    there: t.Mapping[str, t.Any] | None = None,
    *,
    here_server: t.Mapping[str, t.Any] | None = None,
    there_server: t.Mapping[str, t.Any] | None = None,
    masters: tuple[SurveyedMaster, ...] | None = None,
    control: SurveyedControl | None = None,
    host: Host | None = None,
    **wanted: t.Any,
) -> Facts:
    """A sound topology with the given differences; here/there change the databases."""
    if masters is None:
        masters = (
            _changed(HERE, here, here_server),
            _changed(THERE, there, there_server),
        )
    return Facts(Wanted(**wanted), masters, control, host or Host(pg_dump=18))


def _changed(
    master: SurveyedMaster,
    of_database: t.Mapping[str, t.Any] | None,
    of_server: t.Mapping[str, t.Any] | None,
) -> SurveyedMaster:
    assert master.database
    assert master.server
    return dataclasses.replace(
        master,
        database=dataclasses.replace(master.database, **(of_database or {})),
        server=dataclasses.replace(master.server, **(of_server or {})),
    )


def both(**changed: t.Any) -> Facts:
    """The same difference in both databases."""
    return facts(changed, changed)


def with_table(*tables: Table, **wanted: t.Any) -> Facts:
    """These tables instead of the one, on both masters."""
    return facts({"tables": tables}, {"tables": tables}, **wanted)


def with_key(*keys: Index, columns: tuple[Column, ...] = (ID, TEXT), **of_origin: t.Any) -> Facts:
    values = {"tables": (table(columns=columns, indexes=keys),)}
    return facts({**values, **of_origin}, values)


def key_of(type_: str, **values: t.Any) -> Facts:
    """A table with a key of this type."""
    found = KeyType(type_, **values)
    columns = (Column("id", type_, True),)
    return with_key(primary(), columns=columns, key_types={ORDERS: {"id": found}})


def needs(offers: Offers | None = None, master: str = "there", **values: t.Any) -> Facts:
    """What the origin's database needs, and what the target's server offers."""
    server = {"offers": offers} if offers else {}
    return facts({"needs": Needs(**values)}, there_server=server)


def preloaded(name: str, refused: str = "") -> Facts:
    offers = Offers(refused_extensions={name: refused} if refused else {})
    return facts(here_server={"offers": Offers(preloaded=(name,))}, there_server={"offers": offers})


def sole(report: Report, check: str) -> t.Any:
    found = [finding for finding in report.findings if finding.check == check]
    assert len(found) == 1, [finding.line for finding in report.findings]
    return found[0]


DE = Needed("de_DE.utf8", "column v of table a")
LONG = TableName("schlüsselschemaäöüß", "übertragungsprotokölläöüßäöüß")
SYNC = Sync("multimaster", "multimaster", "multimaster")
SOUND_CONTROL = SurveyedControl(
    installed=True,
    bucardo_version="5.6.0",
    databases={
        "here": BucardoDatabase("here", host="db1", port="5432", dbname="shop"),
        "there": BucardoDatabase("there", host="db2", dbname="shop"),
    },
    dbgroups={"multimaster": Dbgroup("multimaster", {"here": "source", "there": "source"})},
    syncs={"multimaster": SYNC},
    goats=(Goat(1, "here", ORDERS, relgroups=("multimaster",)),),
)


def control(**changed: t.Any) -> Facts:
    return facts(control=dataclasses.replace(SOUND_CONTROL, **changed))


def role(**changed: t.Any) -> Facts:
    return facts(there_server={"bucardo_role": Role("bucardo", **changed)})


def login(error: str, **changed: t.Any) -> Facts:
    server = {"bucardo_role": Role("bucardo")}
    always = changed.pop("check_os_users", "auto")
    logins = (Login("bucardo", "there", error, **changed),)
    return facts(
        here_server=server,
        there_server=server,
        host=Host(18, logins),
        check_os_users=always,
    )


def address(**values: t.Any) -> Facts:
    return facts(masters=(HERE, named(THERE, address=Address(**values))))


# Another sync, between other databases of the same servers.
NEIGHBOUR = dataclasses.replace(
    SOUND_CONTROL,
    databases={"there": BucardoDatabase("there", host="db2", dbname="widgets")},
    dbgroups={"widgets": Dbgroup("widgets", {"there": "source"})},
    syncs={"widgets": Sync("widgets", "widgets", "widgets")},
    goats=(),
)


def setting(name: str, value: str, **where: str) -> Facts:
    return facts(there_server={"settings": (Setting(name, value, **where),)})


def named(master: SurveyedMaster, **changed: t.Any) -> SurveyedMaster:
    return dataclasses.replace(master, **changed)


# Check -> a case that it must find, the object that it must name, and words that it must say.
CASES: dict[str, tuple[Facts, str, str]] = {
    "master-name": (facts(masters=(HERE, named(THERE, name="not-sane"))), "not-sane", "letters"),
    "master-twice": (facts(masters=(HERE, THERE, THERE)), "there", "2 masters"),
    "too-few-masters": (facts(masters=(HERE,)), "masters", "1 master"),
    "origin": (
        facts(masters=(HERE, named(THERE, origin=True))),
        "masters",
        "here, there",
    ),
    "sync-name": (facts(sync="swap"), "swap", "reserved"),
    "conflict-strategy": (
        facts(conflict_strategy="bucardo_source"),
        "conflict_strategy",
        "bucardo_source is documented",
    ),
    "group-name": (facts(dbgroup="1st"), "1st", "dbgroup"),
    "unknown-table": (facts(tables=("*.*", "public.ordrs")), "public.ordrs", "public.orders"),
    "no-tables": (facts(exclude=("*.*",)), "shop", "no table"),
    "unreachable": (
        facts(masters=(HERE, SurveyedMaster("there", error="timeout", dbname="shop"))),
        "shop",
        "timeout",
    ),
    "unread": (
        facts(masters=(HERE, named(THERE, unread=("cannot read sequences: denied",)))),
        "there",
        "sequences",
    ),
    "tables-locked": (facts({"locked": True}), "shop", "locked"),
    "origin-database": (facts(masters=(named(HERE, database=None), THERE)), "shop", "not exist"),
    "database-name": (facts(masters=(HERE, named(THERE, dbname="o'hara"))), "o'hara", "quote"),
    "same-database": (facts(there_server={"identity": "1"}), "shop", "here and there"),
    "os-user-login": (login("password authentication failed"), "bucardo", "failed"),
    "os-users-unchecked": (
        facts(host=Host(18, logins_skipped="only root can")),
        "os_users",
        "only root",
    ),
    "version-old": (facts(there_server={"version": 120022}), "there", "PostgreSQL 12"),
    "version-new": (facts(there_server={"version": 190001}), "there", "19"),
    "version-backwards": (facts(there_server={"version": 140012}), "there", "14 is older"),
    "pg-dump-old": (
        facts(there_server={"version": 180001}, host=Host(17)),
        "pg_dump",
        "pg_dump 17 cannot read PostgreSQL 18",
    ),
    "pg-dump-missing": (facts(host=Host(None)), "pg_dump", "no pg_dump"),
    "not-superuser": (
        facts(there_server={"login": Role("app", superuser=False)}),
        "app",
        "no superuser",
    ),
    "bucardo-role": (
        role(superuser=False, may_set_replica=False),
        "bucardo",
        "session_replication_role",
    ),
    "bucardo-role-rights": (role(superuser=False), "bucardo", "no superuser"),
    "bucardo-role-connections": (role(connections=3), "bucardo", "limit of 3"),
    "role-timeout": (
        setting("lock_timeout", "3s", role="bucardo", database="shop"),
        "bucardo",
        "lock_timeout is 3s",
    ),
    "server-timeout": (setting("idle_session_timeout", "30s"), "bucardo", "30s"),
    "in-recovery": (facts(there_server={"in_recovery": True}), "there", "standby"),
    "read-only": (
        setting("default_transaction_read_only", "on", database="shop"),
        "shop",
        "database shop",
    ),
    "clock-skew": (
        facts(there_server={"clock": -2.5, "clock_error": 0.1}),
        "there",
        "2.5 s",
    ),
    "connections": (facts(there_server={"free_connections": 5}), "there", "5 connections"),
    "lock-table": (facts(there_server={"lock_slots": 3}), "there", "3 locks"),
    "session-libraries": (
        facts(there_server={"session_libraries": "supautils"}),
        "supautils",
        "session_preload_libraries",
    ),
    "control-unreachable": (
        facts(control=SurveyedControl(error="refused")),
        "control database",
        "refused",
    ),
    "plperlu-missing": (facts(control=SurveyedControl(plperlu=False)), "plperlu", "cannot create"),
    "bucardo-version": (control(bucardo_version="5.4.1"), "bucardo", "5.4.1"),
    "sync-taken": (
        control(syncs={"multimaster": Sync("multimaster", "old", "multimaster")}),
        "multimaster",
        "relgroup old",
    ),
    "database-differs": (
        control(databases={"there": BucardoDatabase("there", host="db2", dbname="crm")}),
        "there",
        "crm",
    ),
    "dbgroup-members": (
        control(dbgroups={"multimaster": Dbgroup("multimaster", {"third": "source"})}),
        "third",
        "not among",
    ),
    "sequence-enrolled": (
        control(goats=(Goat(1, "here", OTHER, "sequence", relgroups=("multimaster",)),)),
        "public.other",
        "relgroup multimaster",
    ),
    "shared-dbgroup": (
        control(
            syncs={"old": Sync("old", "old", "multimaster")},
            goats=(Goat(1, "here", ORDERS, relgroups=("old",)),),
        ),
        "public.orders",
        "sync old",
    ),
    "table-name": (with_table(table(TableName("public", "a\nb"))), 'public."a\nb"', "line break"),
    "key-column-name": (
        with_key(primary(columns=("txntime",)), columns=(Column("txntime", "integer", True),)),
        "public.orders",
        "'txntime'",
    ),
    "delta-name-long": (with_table(table(LONG)), str(LONG), "70 bytes"),
    "delta-name-quoted": (
        with_table(table(TableName("a" * 50, "Items"), quoted=f'{"a" * 50}."Items"')),
        "a" * 50 + ".Items",
        "58 characters with quotes",
    ),
    "delta-name-collision": (
        with_table(table(TableName("a", "b_c")), table(TableName("a_b", "c"))),
        "a.b_c, a_b.c",
        "delta_a_b_c",
    ),
    "not-a-table": (
        with_table(table(kind="p"), table(OTHER), tables=("*.*", "public.orders")),
        "public.orders",
        "partitioned",
    ),
    "unlogged": (
        with_table(table(persistence="u"), table(OTHER), tables=("public.orders",)),
        "public.orders",
        "unlogged",
    ),
    "temporary": (
        with_table(table(persistence="t"), tables=("public.orders",)),
        "public.orders",
        "temporary",
    ),
    "no-key": (with_key(), "public.orders", "no primary key"),
    "nullable-key": (
        with_key(primary(primary=False, columns=("v",), name="orders_v_key")),
        "public.orders",
        "orders_v_key",
    ),
    "invalid-key": (
        with_key(primary(primary=False, valid=False)),
        "public.orders",
        "not valid",
    ),
    "key-type": (
        with_key(primary(), columns=(Column("id", "double precision", True),)),
        "public.orders",
        "Perl rounds it",
    ),
    "key-backslash": (
        facts({"backslashes": {ORDERS: True}}),
        "public.orders",
        "rows with a backslash",
    ),
    "key-backslash-refused": (
        with_key(
            primary(columns=("id", "code")),
            columns=(ID, Column("code", "character varying(8)", True)),
            backslashes={ORDERS: False},
        ),
        "public.orders",
        "text in its key: code",
    ),
    "key-bytea": (key_of("bytea"), "public.orders", "id"),
    "generated-column": (
        with_table(table(columns=(ID, Column("g", "integer", False, generated="s")))),
        "public.orders",
        "g",
    ),
    "partitioned": (with_table(table(OTHER, kind="p"), table()), "public.other", "partitions"),
    "left-out": (
        with_table(table(OTHER, persistence="u"), table()),
        "public.other",
        "unlogged",
    ),
    "inheritance-truncate": (
        facts({"children": {OTHER: ORDERS}}, truncate="bucardo"),
        "public.orders",
        "public.other inherits from it",
    ),
    "user-trigger": (
        facts({"triggers": (Trigger(ORDERS, "count", "O", "public"),)}),
        "public.orders",
        "the trigger count",
    ),
    "index-expression": (
        facts({"bad_expressions": (BadExpression(ORDERS, "person_name", "no unaccent"),)}),
        "public.orders",
        "index person_name with an empty search_path: no unaccent",
    ),
    "published-without-identity": (
        facts({"refused_changes": {ORDERS: "publishes deletes"}}),
        "public.orders",
        "publishes deletes",
    ),
    "ddl-refused": (
        facts(there={"refused_ddl": "no DDL on Mondays", "event_triggers": ("no_ddl",)}),
        "no_ddl",
        "no DDL on Mondays",
    ),
    "prepared-kick": (
        facts(here_server={"offers": Offers(prepared_transactions=10)}, notifies=True),
        "here",
        "is 10",
    ),
    "busy-kick": (
        facts(here_server={"writes": 321.4}, notifies=True),
        "here",
        "321 write per second",
    ),
    "role-output": (
        setting("DateStyle", "SQL, DMY", role="bucardo", database="shop"),
        "bucardo",
        "must be ISO, MDY",
    ),
    "preload-missing": (
        preloaded("pg_cron", "can only be loaded"),
        "pg_cron",
        "can only be loaded",
    ),
    "preload-differs": (preloaded("auto_explain"), "auto_explain", "not here"),
    "cron-database": (
        facts(
            {"extensions": {"pg_cron": "1.6"}},
            there_server={
                "offers": Offers(cron_database="postgres"),
                "available": {"pg_cron": "1.6"},
            },
        ),
        "pg_cron",
        "is postgres",
    ),
    "collation-missing": (
        needs(Offers(collations=frozenset({"C"})), collations=(DE,)),
        "de_DE.utf8",
        "column v of table a uses it",
    ),
    "dictionary-file": (
        needs(
            Offers(dictionary_files=frozenset({"english.stop"})),
            dictionary_files=(Needed("own.stop", "dictionary public.own"),),
        ),
        "own.stop",
        "dictionary public.own",
    ),
    "library-missing": (
        needs(Offers(libraries=frozenset({"x.so"})), libraries=(Needed("own.so", "f()"),)),
        "own.so",
        "f()",
    ),
    "setting-unknown": (
        needs(
            Offers(settings=frozenset({"work_mem"})),
            settings=(Needed("old_snapshot_threshold", "role app"),),
        ),
        "old_snapshot_threshold",
        "role app",
    ),
    "parameter-grants": (
        facts(here_server={"offers": Offers(grants=frozenset({"SET on work_mem to app"}))}),
        "there",
        "SET on work_mem to app",
    ),
    "array-function": (
        facts(
            {"needs": Needs(array_calls=(Needed("array_append", "aggregate a(anyelement)"),))},
            here_server={"version": 130022},
        ),
        "aggregate a(anyelement)",
        "array_append()",
    ),
    "schema-untried": (
        facts(masters=(HERE, dataclasses.replace(THERE, restore_untried="postgres is not empty"))),
        "there",
        "postgres is not empty",
    ),
    "schema-refused": (
        facts(
            masters=(
                HERE,
                dataclasses.replace(
                    THERE, refused_objects=(RefusedObject("TABLE", "public.orders", "syntax"),)
                ),
            )
        ),
        "TABLE public.orders",
        "syntax (PostgreSQL 15)",
    ),
    "materialized-view": (with_table(table(OTHER, kind="m"), table()), "public.other", "refreshed"),
    "inheritance": (
        facts({"children": {OTHER: ORDERS}}),
        "public.other",
        "inherits from public.orders",
    ),
    "row-security": (with_table(table(has_row_security=True)), "public.orders", "row-level"),
    "always-trigger": (
        facts(there={"triggers": (Trigger(ORDERS, "audit", "A", "public"),)}),
        "public.orders",
        "audit is ENABLE ALWAYS",
    ),
    "enrolment": (
        facts(
            there={
                "found": {ORDERS: Found(triggers={"bucardo_delta": FoundTrigger("x", "a.b", "D")})}
            },
        ),
        "public.orders",
        "bucardo_delta is disabled",
    ),
    "relgroup-stale": (
        control(goats=(Goat(1, "here", OTHER, relgroups=("multimaster",)),)),
        "public.other",
        "was dropped",
    ),
    "secondary-unique": (
        with_table(
            table(
                indexes=(
                    Index("orders_pkey", ("id",), True, True, True, False),
                    Index("orders_v", ("v",), True, False, True, True),
                )
            )
        ),
        "public.orders",
        "orders_v",
    ),
    "extension-rows": (
        facts({"extension_rows": (ExtensionRows("postgis", OTHER, 3),)}),
        "public.other",
        "3 row(s) of users' own beside those of extension postgis",
    ),
    "check-calls": (
        facts({"check_calls": (CheckCall(ORDERS, "open", "public.is_open(integer)"),)}),
        "public.orders",
        "constraint open calls public.is_open(integer)",
    ),
    "exclusion-constraint": (
        facts({"exclusions": ((ORDERS, "no_overlap"),)}),
        "public.orders",
        "no_overlap",
    ),
    "foreign-key": (
        facts(
            {
                "tables": (table(), table(OTHER)),
                "foreign_keys": (ForeignKey("orders_other_fkey", ORDERS, OTHER),),
            }
        ),
        "public.orders",
        "orders_other_fkey refers to public.other",
    ),
    "foreign-key-outside": (
        facts({"foreign_keys": (ForeignKey("orders_other_fkey", ORDERS, OTHER),)}),
        "public.orders",
        "refers to public.other",
    ),
    "truncate-foreign-key": (
        facts(
            {
                "tables": (table(), table(OTHER)),
                "foreign_keys": (ForeignKey("other_orders_fkey", OTHER, ORDERS),),
            },
            truncate="bucardo",
        ),
        "public.orders",
        "other_orders_fkey of public.other",
    ),
    "truncate-isolation": (
        setting("default_transaction_isolation", "serializable", database="shop"),
        "shop",
        "serializable for database shop",
    ),
    "large-objects": (facts({"large_objects": 3}), "shop", "3 large"),
    "large-object-column": (
        with_table(table(columns=(ID, Column("doc", "public.lo", False)))),
        "public.orders",
        "doc",
    ),
    "publication-for-all": (facts({"publications_of_all": ("cdc",)}), "cdc", "FOR ALL"),
    "published": (facts({"published": {ORDERS: ("cdc",)}}), "public.orders", "cdc"),
    "subscribed": (
        facts(there={"subscribed": frozenset({ORDERS})}),
        "public.orders",
        "subscription",
    ),
    "control-is-master": (facts(there={"is_control": True}), "shop", "control database"),
    "foreign-schema": (facts(there={"bucardo_relations": 2}), "bucardo", "2 relations"),
    "foreign-bucardo": (
        facts({"enrolled": {"old": 7, "multimaster": 7}, "has_bucardo": True}),
        "old",
        "7 table(s)",
    ),
    "other-sync": (
        facts(
            {"enrolled": {"reports": 7}},
            control=dataclasses.replace(
                SOUND_CONTROL, syncs={"reports": Sync("reports", "reports", "reports")}
            ),
        ),
        "reports",
        "7 table(s)",
    ),
    "event-trigger": (facts(there={"event_triggers": ("no_ddl",)}), "no_ddl", "enabled"),
    "long-transaction": (
        facts({"transactions": (Transaction(61.0, 4711, locked=(ORDERS,)),)}),
        "pid 4711",
        "holds public.orders",
    ),
    "prepared-transaction": (
        facts({"transactions": (Transaction(5.0, gid="tx1"),)}),
        "tx1",
        "5 s ago",
    ),
    "prepared-lock": (
        facts({"transactions": (Transaction(5.0, gid="tx1", locked=(ORDERS,)),)}),
        "tx1",
        "holds public.orders",
    ),
    "sequence-unknown": (
        facts({"sequences": sequences(sequence())}, exclude_sequences=("public.othr",)),
        "public.othr",
        "Did you mean public.other?",
    ),
    "sequence-missing": (
        facts({"sequences": sequences(sequence())}, {"tables": (table(),)}),
        "public.other",
        "does not exist on this target",
    ),
    "sequence-unshareable": (
        facts({"sequences": sequences(sequence(cycle=True))}),
        "public.other",
        "CYCLE",
    ),
    "sequence-headroom": (
        facts({"sequences": sequences(sequence(32000, maximum=32767))}),
        "public.other",
        "767 of",
    ),
    "sequence-step": (
        facts({"sequences": sequences(sequence(500, increment=50))}),
        "public.other",
        "counts by 50; each master's will by 100",
    ),
    "sequence-without-owner": (
        facts({"sequences": sequences(sequence())}),
        "public.other",
        "owned by no column",
    ),
    "target-not-empty": (
        facts(there={"filled": frozenset({ORDERS})}),
        "public.orders",
        "is not empty, and was never seeded",
    ),
    "origin-moved": (
        dataclasses.replace(facts(), former_origin="there", origin_stays="the sync is held"),
        "here",
        "the origin is there, and the sync is held",
    ),
    "shed": (
        facts({"shed": {ORDERS: "2026-01-02 03:04:05+00"}}),
        "public.orders",
        "was shed at 2026-01-02 03:04:05+00",
    ),
    "unproven": (
        facts(there={"filled": frozenset({ORDERS}), "doubts": {ORDERS: doubts.MISSED}}),
        "public.orders",
        "nobody vouches",
    ),
    "missing-table": (facts({"tables": (table(), table(OTHER))}), "public.other", "not exist"),
    "columns-differ": (
        facts(there={"tables": (table(columns=(TEXT, ID)),)}),
        "public.orders",
        "another order: v, id",
    ),
    "column-details-differ": (
        facts(there={"tables": (table(columns=(ID, Column("v", "text", True))),)}),
        "public.orders",
        "v",
    ),
    "key-differs": (
        facts(there={"tables": (table(indexes=(primary(columns=("id", "v")),)),)}),
        "public.orders",
        "id, v",
    ),
    "extension-missing": (facts({"extensions": {"postgis": "3.4"}}), "postgis", "not available"),
    "extension-version": (facts({"extensions": {"plpgsql": "1.1"}}), "plpgsql", "version 1.0"),
    "encoding": (facts(there={"encoding": "LATIN1"}), "shop", "LATIN1"),
    "locale": (facts(there={"locale": ("de_DE.UTF-8", "de_DE.UTF-8", "c", "")}), "shop", "de_DE"),
    "locale-missing": (
        facts(
            masters=(
                _changed(HERE, {"locale": ("de_DE.UTF-8", "C", "c", "")}, None),
                named(THERE, database=None),
            )
        ),
        "de_de.utf8",
        "not known",
    ),
    "locale-provider": (
        facts(
            masters=(
                _changed(HERE, {"locale": ("C", "C", "b", "C.UTF-8")}, None),
                named(THERE, database=None),
            )
        ),
        "builtin",
        "PostgreSQL 15",
    ),
    "tablespace-missing": (facts({"tablespaces": {"ssd": 4}}), "ssd", "4 relation(s)"),
    "disk-space": (
        facts({"bytes": 2000}, there_server={"free_bytes": 100}),
        "there",
        "100 B are free",
    ),
    "disk-space-unknown": (facts(there_server={"free_bytes": None}), "there", "kB"),
    "pooler": (
        facts(
            masters=(
                HERE,
                named(THERE, server=None, database=None, address=Address(pooled=True)),
            )
        ),
        "shop",
        "PgBouncer",
    ),
    "several-servers": (address(servers=2), "db2", "2 different servers"),
    "address-unpassable": (address(unpassable="host 'a b' holds"), "there", "host 'a b' holds"),
    "client-certificate": (address(wants_certificate=True), "bucardo", "without a certificate"),
    "control-options": (
        control(not_passed_on=("sslmode", "sslrootcert")),
        "control database",
        "sslmode, sslrootcert",
    ),
    "name-taken": (
        facts(control=NEIGHBOUR),
        "there",
        "sync widgets uses this name for db2/widgets",
    ),
    "foreign-owner": (
        facts(there={"foreign": (Foreign("schema", "multimaster", "mallory"),)}),
        "multimaster",
        "the schema multimaster belongs to mallory",
    ),
    "foreign-installation": (
        facts(control=SOUND_CONTROL, host=Host(18, bucardorc="packaged")),
        "bucardo",
        "multimaster, made by somebody else",
    ),
    "bucardo-password": (facts(there_server={"password_differs": True}), "bucardo", "another"),
}


def test_a_sound_topology_has_no_findings() -> None:
    assert [finding.line for finding in examine(facts()).findings] == []
    assert [finding.line for finding in examine(facts(control=SOUND_CONTROL)).findings] == []


@pytest.mark.parametrize("check", [check.id for check in CHECKS])
def test_every_check_finds_its_case(check: str) -> None:
    case, name, words = CASES[check]
    finding = sole(examine(case), check)
    assert finding.object == name
    assert words in finding.message
    assert finding.cure.endswith(".")
    assert "\n" not in finding.line


def test_there_is_no_case_without_a_check() -> None:
    assert set(CASES) == {check.id for check in CHECKS}
    assert len(CHECKS) == len({check.id for check in CHECKS})
    assert {check.severity for check in CHECKS} == {BLOCKER, WARNING, INFO}


UNSHAREABLE = [
    ({"cycle": True}, {}, "CYCLE"),
    ({"increment": -1, "minimum": -100, "maximum": -1, "start": -1}, {}, "downwards"),
    ({"last": 32767, "maximum": 32767}, {}, "no value above 32767"),
    ({"last": 2**31 - 1, "maximum": 2**31 - 1}, {}, "no value above"),
    # An integer column below a bigint sequence.
    ({"last": 2**31 - 1, "limit": 2**31 - 1}, {}, "maximum of its column 2147483647"),
    ({"last": 998, "maximum": 999}, {}, "no value above 998"),
    ({"increment": 2**62}, {}, "too large"),
    ({}, {"start": 5}, "START WITH 5 differs from 1 on here"),
    ({}, {"increment": 7}, "INCREMENT BY 7 differs from 1 on here"),
    ({}, {"maximum": 99}, "MAXVALUE 99 differs"),
    ({}, {"minimum": -5}, "MINVALUE -5 differs"),
]


@pytest.mark.parametrize(("here", "there", "words"), UNSHAREABLE)
def test_what_cannot_be_shared_out_is_found_before_anything_is_copied(here, there, words) -> None:
    case = facts(
        {"sequences": sequences(sequence(**here))},
        {"sequences": sequences(sequence(**{**here, "last": None, **there}))},
    )
    finding = sole(examine(case), "sequence-unshareable")
    assert finding.severity == BLOCKER
    assert words in finding.message
    # The way out is one that the roles have.
    assert "multimaster_exclude_sequences" in finding.cure
    assert sole_or_none(case, exclude_sequences=("public.other",)) is None


def sole_or_none(case: Facts, **wanted: t.Any) -> t.Any:
    changed = dataclasses.replace(case, wanted=dataclasses.replace(case.wanted, **wanted))
    found = [x for x in examine(changed).findings if x.check == "sequence-unshareable"]
    return found[0] if found else None


# Nearly the same as the case above, but sound.
HARMLESS: dict[str, list[Facts]] = {
    # Of a table that does not take part.
    "check-calls": [facts({"check_calls": (CheckCall(OTHER, "open", "f()"),)})],
    "several-servers": [address(servers=1), address(servers=0)],
    "control-options": [control()],
    "name-taken": [
        # Ours, which may have moved; and a database that takes part in both syncs, wherever it is.
        control(databases={"there": BucardoDatabase("there", host="db9", dbname="shop")}),
        facts(there={"enrolled": {"widgets": 7}}, control=NEIGHBOUR),
    ],
    "foreign-installation": [
        facts(control=SOUND_CONTROL, host=Host(18, bucardorc="ours")),
        # Installed but never used, as by a run that was killed there.
        facts(control=SurveyedControl(installed=True), host=Host(18, bucardorc="packaged")),
        facts(control=SOUND_CONTROL, host=Host(18, bucardorc="foreign"), adopt=True),
        # Not known.
        facts(control=SOUND_CONTROL, host=Host(18)),
    ],
    "bucardo-password": [facts(there_server={"password_differs": True}, change_password=True)],
    "origin-database": [facts(masters=(HERE, named(THERE, database=None)))],
    "os-user-login": [
        login(""),
        # What a bootstrap makes is not missed before it ran.
        login("password authentication failed", has_password_file=False),
        login("fe_sendauth: no password supplied"),
        facts(host=Host(18, (Login("bucardo", "there", "role does not exist"),))),
    ],
    "pg-dump-old": [facts(host=Host(15))],
    "bucardo-role": [role(superuser=False, may_set_replica=True)],
    "bucardo-role-connections": [role(connections=-1), role(connections=50)],
    "role-timeout": [
        setting("lock_timeout", "0", role="bucardo"),
        setting("lock_timeout", "0ms", role="bucardo"),
        setting("lock_timeout", "3s", role="bucardo", database="other"),
        facts(
            there_server={
                "settings": (
                    Setting("lock_timeout", "3s", role="bucardo"),
                    Setting("lock_timeout", "0", role="bucardo", database="shop"),
                )
            }
        ),
    ],
    "server-timeout": [
        facts(
            there_server={
                "settings": (
                    Setting("statement_timeout", "30s"),
                    Setting("statement_timeout", "0", role="bucardo"),
                )
            }
        )
    ],
    "clock-skew": [
        facts(there_server={"clock": 0.9}),
        # A slow network proves nothing.
        facts(there_server={"clock": 1.4, "clock_error": 0.5}),
        facts(here_server={"clock": 5.0}, there_server={"clock": 5.1}),
    ],
    "lock-table": [
        facts(
            {"tables": (table(), *(table(TableName("bucardo", f"d{n}")) for n in range(9)))},
            here_server={"lock_slots": 4},
            there_server={"lock_slots": 4},
        )
    ],
    "plperlu-missing": [facts(control=SurveyedControl(plperlu=False, local=True))],
    "sequence-enrolled": [
        control(goats=(Goat(1, "here", OTHER, "sequence", relgroups=("else",)),))
    ],
    "shared-dbgroup": [
        control(
            syncs={"old": Sync("old", "old", "else")},
            goats=(Goat(1, "here", ORDERS, relgroups=("old",)),),
        )
    ],
    "foreign-bucardo": [
        facts({"enrolled": {"multimaster": 7}}),
        facts({"enrolled": {"multimaster": 7}}, control=SurveyedControl()),
    ],
    "foreign-schema": [facts({"bucardo_relations": 20, "has_bucardo": True})],
    "table-name": [with_table(table(TableName("Öl", "it's 1.5 $ \\ ? : 😀")))],
    "nullable-key": [with_key(primary(), primary(primary=False, columns=("v",), name="k"))],
    "key-backslash": [facts({"backslashes": {ORDERS: False, OTHER: True}})],
    "key-backslash-refused": [
        with_key(primary(columns=("v",))),
        facts({"backslashes": {ORDERS: True}}),
        with_key(primary(columns=("id", "n")), columns=(ID, Column("n", "integer", True))),
    ],
    "key-bytea": [key_of("uuid")],
    "key-type": [
        key_of("numeric", has_scale=True),
        key_of("public.mood", is_enum=True),
        key_of("character varying", is_domain=True),
        key_of("ext.ltree"),
        key_of("bytea"),
        *(
            with_key(primary(), columns=(Column("id", type_, True),))
            for type_ in ("numeric(12,2)", "timestamp(3) without time zone", "bit(4)", "uuid")
        ),
        # Beside the key any type will do.
        with_key(primary(), columns=(ID, Column("x", "double precision", True))),
    ],
    "no-key": [with_key(primary(primary=False, valid=False))],
    "invalid-key": [with_key(primary(), primary(primary=False, valid=False, name="k"))],
    "index-expression": [
        facts({"bad_expressions": (BadExpression(ORDERS, "x", "no unaccent", over_rows=True),)}),
    ],
    "published-without-identity": [facts({"refused_changes": {OTHER: "publishes deletes"}})],
    "preload-missing": [preloaded("pg_stat_statements")],
    "preload-differs": [preloaded("pg_cron", "can only be loaded"), facts()],
    "cron-database": [
        facts(
            {"extensions": {"pg_cron": "1.6"}},
            there_server={"offers": Offers(cron_database="shop"), "available": {"pg_cron": "1.6"}},
        ),
        facts(there_server={"offers": Offers(cron_database="postgres")}),
    ],
    "collation-missing": [
        needs(Offers(collations=frozenset({"de_DE.utf8"})), collations=(DE,)),
        needs(locales=(Needed("C.UTF-8", "collation x"),)),
        # Nobody may read what is there.
        needs(collations=(DE,)),
    ],
    "dictionary-file": [
        needs(
            Offers(dictionary_files=frozenset({"own.stop"})),
            dictionary_files=(Needed("own.stop", "dictionary public.own"),),
        )
    ],
    "library-missing": [
        needs(Offers(libraries=frozenset({"own.so"})), libraries=(Needed("own.so", "f()"),))
    ],
    "setting-unknown": [
        needs(Offers(settings=frozenset({"work_mem"})), settings=(Needed("work_mem", "role a"),))
    ],
    "parameter-grants": [
        facts(
            here_server={"offers": Offers(grants=frozenset({"SET on work_mem to app"}))},
            there_server={"offers": Offers(grants=frozenset({"SET on work_mem to app"}))},
        )
    ],
    "array-function": [
        needs(array_calls=(Needed("array_append", "aggregate a(anyelement)"),)),
    ],
    "tablespace-missing": [facts({"tablespaces": {"ssd": 4}}, tablespaces=False)],
    "extension-version": [
        # Between two versions of PostgreSQL a newer one is what is to be expected.
        facts(
            {"extensions": {"plpgsql": "0.9"}},
            there_server={"version": 170002, "available": {"plpgsql": "1.0"}},
        ),
    ],
    "inheritance-truncate": [facts({"children": {OTHER: ORDERS}})],
    "prepared-kick": [
        facts(here_server={"offers": Offers(prepared_transactions=10)}, notifies=False)
    ],
    "user-trigger": [
        facts({"triggers": (Trigger(OTHER, "count"), Trigger(ORDERS, "x", "O", "bucardo"))})
    ],
    "role-output": [
        setting("DateStyle", "SQL, DMY", role="bucardo"),
        setting("DateStyle", "ISO, DMY", role="bucardo", database="shop"),
        setting("extra_float_digits", "3", role="bucardo", database="shop"),
        setting("array_nulls", "true", role="bucardo", database="shop"),
    ],
    "left-out": [
        with_table(table(OTHER, persistence="u"), table(), exclude=("public.other",)),
        with_table(table(OTHER, persistence="u"), table(), tables=("public.orders",)),
        with_table(table(OTHER, kind="f", extension="x"), table()),
        with_table(table(TableName("bucardo", "stage_public_orders"), persistence="u"), table()),
    ],
    "truncate-isolation": [
        setting("default_transaction_isolation", "read committed", database="shop"),
        dataclasses.replace(
            setting("default_transaction_isolation", "serializable", database="shop"),
            wanted=Wanted(truncate="refuse"),
        ),
    ],
    "truncate-foreign-key": [
        *(
            facts(
                {
                    "tables": (table(), table(OTHER)),
                    "foreign_keys": (ForeignKey("k", OTHER, ORDERS),),
                },
                truncate=policy,
            )
            for policy in ("delete", "refuse")
        ),
        # A table may refer to itself.
        facts({"foreign_keys": (ForeignKey("k", ORDERS, ORDERS),)}, truncate="bucardo"),
    ],
    "inheritance": [
        facts(
            {"tables": (table(), table(OTHER)), "children": {OTHER: ORDERS}},
            {"tables": (table(), table(OTHER))},
        )
    ],
    "foreign-key-outside": [
        facts(
            {"tables": (table(), table(OTHER)), "foreign_keys": (ForeignKey("k", ORDERS, OTHER),)},
            {"tables": (table(), table(OTHER))},
        ),
        # A partitioned table takes part through its partitions.
        facts(
            {
                "tables": (table(), table(OTHER, kind="p")),
                "partitions": {ORDERS: OTHER},
                "foreign_keys": (ForeignKey("k", ORDERS, OTHER),),
            }
        ),
    ],
    "always-trigger": [
        facts({"triggers": (Trigger(ORDERS, "audit", "D"), Trigger(OTHER, "audit", "A"))})
    ],
    "long-transaction": [facts({"transactions": (Transaction(59.0, 4711),)})],
    "sequence-unknown": [
        facts({"sequences": sequences(sequence())}, exclude_sequences=("public.o*", "other")),
    ],
    "sequence-missing": [
        # Nothing of it is there yet, or it is not shared out.
        facts({"sequences": sequences(sequence())}, {"tables": ()}),
        facts(
            {"sequences": sequences(sequence())},
            {"tables": (table(),)},
            exclude_sequences=("public.other",),
        ),
    ],
    "sequence-unshareable": [
        facts({"sequences": sequences(sequence(cycle=True))}, exclude_sequences=("*.other",)),
        facts({"sequences": sequences(sequence(cycle=True))}, sequences="none"),
        # Of a table that does not take part.
        facts(
            {
                "tables": (table(), table(OTHER)),
                "sequences": sequences(sequence(cycle=True), owned_by=OTHER),
            },
            exclude=("public.other",),
        ),
    ],
    "sequence-headroom": [
        facts({"sequences": sequences(sequence(1000, maximum=32767))}),
        facts({"sequences": sequences(sequence())}),
    ],
    "sequence-step": [
        facts({"sequences": sequences(sequence(5))}),
        # It is shared out already.
        facts(
            {"sequences": sequences(shared(0))},
            {"sequences": sequences(shared(1))},
        ),
    ],
    "sequence-without-owner": [
        facts({"sequences": sequences(sequence(), owned_by=ORDERS)}),
    ],
    "enrolment": [
        # It is still to be enrolled.
        facts(there={"found": {ORDERS: Found()}}),
        facts(there={"found": {ORDERS: Found()}}, control=SOUND_CONTROL),
    ],
    "relgroup-stale": [
        control(),
        control(goats=(Goat(1, "here", OTHER, relgroups=("another",)),)),
        control(goats=(Goat(1, "here", OTHER, relgroups=("multimaster",)),), syncs={}),
    ],
    "unproven": [
        facts(there={"filled": frozenset({ORDERS})}),
        # Who was away missed changes that nothing tells of.
        facts(there={"filled": frozenset({ORDERS}), "doubts": {ORDERS: "was seeded before"}}),
    ],
    "target-not-empty": [
        facts({"filled": frozenset({ORDERS})}),
        # Its rows are compared.
        facts(there={"filled": frozenset({ORDERS}), "doubts": {ORDERS: doubts.MISSED}}),
        # That is another question.
        dataclasses.replace(
            facts(there={"filled": frozenset({ORDERS})}),
            former_origin="there",
            origin_stays="the sync is held",
        ),
    ],
    "origin-moved": [dataclasses.replace(facts(), former_origin="there")],
    "missing-table": [
        # Nothing of it is there yet: the schema is still to be cloned.
        facts(there={"tables": ()}),
        facts(masters=(HERE, named(THERE, database=None))),
    ],
    "key-differs": [
        # A seed that was killed had set the index aside.
        facts(there={"tables": (table(indexes=(primary(valid=False),)),)}),
    ],
    "locale": [facts(there={"locale": ("C.utf8", "C.utf8", "c", "")})],
    "locale-missing": [facts(masters=(HERE, named(THERE, database=None)))],
    "locale-provider": [
        facts(
            masters=(
                _changed(HERE, {"locale": ("C", "C", "i", "de-DE")}, None),
                named(THERE, database=None),
            )
        )
    ],
    "disk-space": [facts({"bytes": 10**9}, {"bytes": 10**9}, there_server={"free_bytes": 100})],
}


@pytest.mark.parametrize(
    ("check", "case"), [(check, case) for check, cases in HARMLESS.items() for case in cases]
)
def test_what_is_sound_is_not_found(check: str, case: Facts) -> None:
    assert check in CASES
    assert [f.line for f in examine(case).findings if f.check == check] == []


def test_logins_that_must_work_are_reported_whatever_the_reason() -> None:
    case = login("fe_sendauth: no password supplied", check_os_users="always")
    assert sole(examine(case), "os-user-login").master == "there"


def test_all_wrong_patterns_are_reported_at_once() -> None:
    report = examine(facts(tables=("*.*", "public.a"), exclude=("public.b", "x.*")))
    found = [f.object for f in report.findings if f.check == "unknown-table"]
    assert found == ["public.a", "public.b", "x.*"]
    assert report.tables == ("public.orders",)


def test_an_unreachable_origin_hides_nothing_of_the_others() -> None:
    origin = SurveyedMaster("here", origin=True, error="timeout", dbname="shop")
    there = _changed(THERE, None, {"in_recovery": True})
    checks = {finding.check for finding in examine(facts(masters=(origin, there))).findings}
    assert checks == {"unreachable", "in-recovery"}


def test_a_sync_between_other_databases_is_not_taken_over() -> None:
    taken = {
        "syncs": {"multimaster": Sync("multimaster", "multimaster", "multimaster")},
        "dbgroups": {"multimaster": Dbgroup("multimaster", {"here": "source", "far": "source"})},
    }
    other = {"here": BucardoDatabase("here", host="elsewhere", dbname="crm")}
    found = sole(examine(control(**taken, databases=other)), "sync-taken")
    assert "other databases: far, here" in found.message
    # Known by its address, or by its triggers when the address has changed.
    ours = {"here": BucardoDatabase("here", host=HERE.host, dbname=HERE.dbname)}
    assert not examine(control(**taken, databases=ours)).of(BLOCKER)
    enrolled = facts(
        {"enrolled": {"multimaster": 1}},
        control=SurveyedControl(installed=True, bucardo_version="5.6.0", **taken),
    )
    assert not [f for f in examine(enrolled).findings if f.check == "sync-taken"]


def test_the_origin_given_twice_is_one_blocker() -> None:
    twin = named(HERE, name="there", origin=False)
    twin = _changed(twin, {"filled": frozenset({ORDERS})}, None)
    report = examine(facts(masters=(HERE, twin)))
    assert [finding.check for finding in report.of(BLOCKER)] == ["same-database"]


def test_a_configuration_that_others_wrote_is_theirs_even_where_nothing_is_installed() -> None:
    report = examine(facts(control=SurveyedControl(), host=Host(18, bucardorc="foreign")))
    assert sole(report, "foreign-installation").object == "/etc/bucardorc"


def test_a_name_that_is_taken_comes_with_one_that_is_free() -> None:
    finding = sole(examine(facts(control=NEIGHBOUR)), "name-taken")
    assert "master_name: there_shop" in finding.cure
    assert "database-differs" not in {
        found.check for found in examine(facts(control=NEIGHBOUR)).findings
    }


def test_one_wrong_name_is_one_blocker() -> None:
    long = "s" * 64
    report = examine(facts(sync=long, dbgroup=long, relgroup=long))
    assert [finding.check for finding in report.of(BLOCKER)] == ["sync-name"]


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a|b", "a\rb"])
def test_names_that_bucardo_cannot_quote(name: str) -> None:
    assert sole(examine(with_table(table(TableName("public", name)))), "table-name")
    assert sole(examine(with_table(table(TableName(name, "t")))), "table-name")


@pytest.mark.parametrize("column", ["txntime", "a|b", 'a"b'])
def test_key_columns_that_bucardo_cannot_track(column: str) -> None:
    columns = (Column(column, "integer", True),)
    case = with_key(primary(columns=(column,)), columns=columns)
    assert repr(column) in sole(examine(case), "key-column-name").message
    # Beside the key any name will do.
    assert not examine(with_key(primary(), columns=(ID, *columns))).of(BLOCKER)


class TestReport:
    def test_a_target_is_seeded_when_every_table_is(self) -> None:
        report = examine(facts(there={"ledger": {ORDERS: "seeded"}}))
        assert (report.seeded, report.all_seeded, report.empty) == (("there",), True, ())

    @pytest.mark.parametrize("ledger", [None, {}, {ORDERS: "copied"}, {OTHER: "seeded"}])
    def test_and_only_then(self, ledger: dict[TableName, str] | None) -> None:
        report = examine(facts(there={"ledger": ledger}))
        assert (report.seeded, report.all_seeded) == ((), False)

    def test_no_database_is_an_empty_target(self) -> None:
        report = examine(facts(masters=(HERE, named(THERE, database=None))))
        assert report.empty == ("there",)
        assert report.target_exists == {"there": False}

    def test_an_unreachable_target_is_nothing_at_all(self) -> None:
        report = examine(facts(masters=(HERE, SurveyedMaster("there", error="timeout"))))
        assert (report.empty, report.target_exists, report.all_seeded) == ((), {}, False)

    def test_versions_and_sizes(self) -> None:
        tables = (table(bytes=100, rows=7), table(OTHER, bytes=50, rows=-1))
        report = examine(facts({"tables": tables}, {"tables": tables}))
        assert report.versions == {"here": "15.0", "there": "15.0"}
        assert report.sizes == {"tables": 2, "bytes": 150, "rows": 7}

    def test_values_use_no_name_that_ansible_takes_for_itself(self) -> None:
        # A result's "warnings" and "deprecations" are Ansible's.
        assert not {"warnings", "deprecations", "failed"} & set(examine(facts()).values())

    def test_blocked_lists_all_blockers_numbered(self) -> None:
        report = examine(facts(sync="swap", dbgroup="1st", there={"locked": True}))
        lines = Blocked(report).one_line.splitlines()
        assert lines[0] == "Preflight found 2 blockers; nothing was changed."
        assert lines[1].startswith("1. [sync-name] swap: the name of the sync is reserved")
        assert lines[2].startswith("2. [group-name] 1st: ")
        assert len(lines) == 3

    def test_objects_with_the_same_blocker_share_a_line(self) -> None:
        names = [TableName("public", f"t{number:03}") for number in range(159)]
        report = examine(facts(there={"filled": frozenset(names)}, here=_many(names)))
        assert len(Blocked(report).details["blockers"]) == 159
        lines = Blocked(report).one_line.splitlines()
        assert lines[0] == "Preflight found 159 blockers; nothing was changed."
        assert "public.t000, public.t001, public.t002 and 156 more on there: " in lines[1]
        assert len(lines) == 2
        assert len(report.values()["blockers_text"]) == 1

    def test_many_different_blockers_of_one_kind_are_cut_in_the_text_only(self) -> None:
        findings = [
            Finding("check", BLOCKER, f"t{number}", "there", f"message {number}", "Cure.")
            for number in range(LINES_PER_CHECK + 7)
        ]
        report = dataclasses.replace(examine(facts()), findings=tuple(findings))
        assert len(Blocked(report).details["blockers"]) == LINES_PER_CHECK + 7
        lines = Blocked(report).one_line.splitlines()
        assert len(lines) == 1 + LINES_PER_CHECK + 1
        assert "and 7 more lines on there" in lines[-1]


def _many(names: list[TableName]) -> dict[str, t.Any]:
    tables = tuple(table(name) for name in names)
    return {"tables": tables}


def manual_row(check: Check) -> str:
    """A check's row in the manual's table; a bar inside a cell is escaped."""
    cells = [f"`{check.id}`", check.severity, check.meaning, check.cure]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def test_the_manual_lists_every_check() -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = [line for line in page.splitlines() if line.startswith("| `")]
    assert found == [manual_row(check) for check in CHECKS]


def test_where_the_sync_is_anothers_nobody_is_told_what_rows_may_go() -> None:
    taken, _name, _words = CASES["sync-taken"]
    filled, _name, _words = CASES["target-not-empty"]
    both = dataclasses.replace(filled, control=taken.control, wanted=taken.wanted)
    assert sole(examine(both), "sync-taken")
    assert not [one for one in examine(both).findings if one.check == "target-not-empty"]
    assert sole(examine(filled), "target-not-empty")

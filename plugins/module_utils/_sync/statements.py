# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that enrol a table on a master, and those that mend what is wrong with it."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import SyncKey, TableName
from .._postgres import sql
from .._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA
from .._tracking import delta_function, plan
from .._tracking.own_function import OwnFunction

PROBE = TableName(OWN_SCHEMA, "bucardo_probe")


def objects(need: plan.TableNeed) -> list[sql.Composable]:
    """Statements for the missing objects of one table, in an order that works."""
    table = need.table
    by_key = {column.name: column for column in table.key}
    columns = [by_key[name] for name in table.wanted_key]
    key = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)

    def named(prefix: str) -> sql.Composable:
        return plan.own_object(prefix, table.name)

    def bare(prefix: str) -> sql.Composable:
        return sql.Identifier(plan.object_name(prefix, table.name))

    mark = sql.SQL("(txntime timestamp with time zone, target text)")
    made: dict[str, sql.Composable] = {
        # Types as format_type() wrote them, already quoted; CREATE TABLE AS would need a lock on
        # the user's table.
        "delta_": sql.SQL("CREATE TABLE {} ({}, {} DEFAULT pg_catalog.now() NOT NULL)").format(
            named("delta_"),
            sql.SQL(", ").join(_definition(column) for column in columns),
            sql.SQL("txntime timestamp with time zone"),
        ),
        "track_": sql.SQL("CREATE TABLE {} {}").format(named("track_"), mark),
        # Unlogged, as Bucardo's: emptied by a crash, which only means that rows are sent again.
        "stage_": sql.SQL("CREATE UNLOGGED TABLE {} {}").format(named("stage_"), mark),
        "dex1_": sql.SQL("CREATE INDEX {} ON {} (txntime)").format(bare("dex1_"), named("delta_")),
        "dex2_": sql.SQL("CREATE INDEX {} ON {} ({})").format(bare("dex2_"), named("delta_"), key),
        "dex3_": sql.SQL("CREATE INDEX {} ON {} (target text_pattern_ops, txntime)").format(
            bare("dex3_"), named("track_")
        ),
        "delta_()": _function(need, columns),
    }
    return [made[kind] for kind in plan.TABLE_OBJECTS if kind in need.objects]


def _definition(column: plan.KeyColumn) -> sql.Composable:
    return sql.Identifier(column.name) + sql.SQL(" ") + _type(column)


def _type(column: plan.KeyColumn) -> sql.Composable:
    text: sql.Composable = sql.SQL(column.type)
    if column.collation:
        text += sql.SQL(" COLLATE {}").format(sql.Identifier(*column.collation))
    return text


def _function(need: plan.TableNeed, columns: t.Sequence[plan.KeyColumn]) -> sql.Composable:
    """The row trigger's function: notes the key of every row that changed, old and new."""
    table = need.table.name
    body = delta_function.body(
        table, [(column.name, column.equals) for column in columns], need.table.found.texts
    )
    # Dollar quotes: a literal inside a composed statement would need a connection to be written.
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
    ).format(plan.own_object("delta_()", table)) + sql.SQL(delta_function.quoted(body))


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a sync needs on every table.

    :param truncate: one of `_tracking/truncate.POLICIES`.
    """

    key: SyncKey
    autokick: bool
    truncate: str


def drops_triggers(need: plan.TableNeed, replace: bool) -> bool:
    """Whether a trigger must go, which keeps readers out.

    :param replace: whether the server knows CREATE OR REPLACE TRIGGER, which lets readers in.
    """
    return bool(need.replaced and not replace)


def under_lock(need: plan.TableNeed, wanted: Wanted, replace: bool) -> t.Iterator[sql.Composable]:
    """What is done while one table is locked: takes away what is of another table, name, key or
    type, then makes the triggers that are missing or differ."""
    table = need.table
    dropped = () if replace else need.replaced
    for name in dropped:
        yield sql.SQL("DROP TRIGGER {} ON {}").format(
            sql.Identifier(name), sql.Identifier(table.name.schema, table.name.name)
        )
    own = {prefix: plan.own_object(prefix, table.name) for prefix in ("delta_", "track_", "stage_")}
    if need.remake:
        # Not the function, which is replaced: triggers depend on it.
        yield sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(", ").join(own.values()))
        yield from objects(dataclasses.replace(need, objects=tuple(plan.TABLE_OBJECTS)))
    by_name = {column.name: column for column in table.key}
    for name in need.retype:
        yield sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(
            own["delta_"], sql.Identifier(name), _type(by_name[name])
        )
    if need.discard:
        yield sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(own.values()))
        yield sql.SQL(
            "INSERT INTO bucardo.bucardo_delta_targets (tablename, target) VALUES ({}, {})"
        ).format(sql.Literal(table.oid), sql.Literal(plan.target_name(wanted.key.dbgroup)))
    if need.carry:
        suffix = need.carry[len("delta_") :]
        columns = sql.SQL(", ").join(map(sql.Identifier, (*table.wanted_key, "txntime")))
        yield sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
            own["delta_"], sql.Identifier("bucardo", need.carry), columns=columns
        )
        for prefix in ("track_", "stage_"):
            yield sql.SQL("INSERT INTO {} SELECT * FROM {}").format(
                own[prefix], sql.Identifier("bucardo", prefix + suffix)
            )
    for spec in plan.specs(
        table.name, wanted.key.sync, wanted.autokick, wanted.truncate, table.found.is_child
    ):
        if spec.name in need.triggers:
            verb = "CREATE TRIGGER"
            if spec.name in need.replaced and spec.name not in dropped:
                verb = "CREATE OR REPLACE TRIGGER"
            yield sql.SQL(
                f"{verb} {{}} {spec.timing} {spec.events} ON {{}}"
                f" FOR EACH {spec.level} EXECUTE FUNCTION {{}}({{}})"
            ).format(
                sql.Identifier(spec.name),
                sql.Identifier(table.name.schema, table.name.name),
                sql.Identifier("bucardo", spec.function),
                sql.SQL(", ").join(map(sql.Literal, spec.arguments)),
            )


def made_as(role: str) -> list[sql.Composable]:
    """First in a message whose objects belong to a role; "" for that of the session."""
    return [sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))] if role else []


def functions(wanted: t.Iterable[OwnFunction], role: str) -> list[sql.Composable]:
    """Our own trigger functions, with today's text."""
    found = made_as(role)
    for function in wanted:
        name = sql.Identifier(BUCARDO_SCHEMA, function.name)
        if function.sequence:
            sequence = sql.Identifier(BUCARDO_SCHEMA, function.sequence)
            found.append(sql.SQL("CREATE SEQUENCE IF NOT EXISTS {}").format(sequence))
        found.append(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql {} AS {}"
            ).format(name, _options(function), sql.Literal(function.body))
        )
        if function.definer:
            # Else whoever may make a trigger could fill the queue of his choice.
            found.append(sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(name))
    return found


def _options(function: OwnFunction) -> sql.Composable:
    pairs = [one.partition("=") for one in function.settings]
    return sql.SQL(" ").join(
        [
            sql.SQL("SECURITY DEFINER" if function.definer else "SECURITY INVOKER"),
            *(
                sql.SQL("SET {} = {}").format(sql.SQL(key), sql.SQL(value))
                for key, _equals, value in pairs
            ),
        ]
    )


# Of Bucardo's functions the one that looks for one change that was not replicated. The planner
# thinks that it will find one soon, and for that goes over all of the track table for each one that
# was, which is all of them until they are purged.
WITHOUT_NESTED_LOOPS = "bucardo_delta_check"


def configured(signature: str) -> sql.Composable:
    """Let a function look names up where no user can put any, and one plan otherwise.

    :param signature: as the server wrote it: it is no single identifier.
    """
    settings = "SET search_path = pg_catalog, pg_temp"
    if f"{WITHOUT_NESTED_LOOPS}(" in signature:
        settings += " SET enable_nestloop = off"
    return sql.SQL(f"ALTER FUNCTION {signature} {settings}")


def dropped_trigger(name: str, table: TableName) -> sql.Composable:
    """Drop a trigger, if it is still there."""
    return sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(
        sql.Identifier(name), sql.relation(table)
    )


def dropped_objects(table: TableName) -> list[sql.Composable]:
    """Drop one table's objects in schema bucardo; its triggers must be gone."""
    tables = [
        sql.SQL("DROP TABLE IF EXISTS {}").format(plan.own_object(prefix, table))
        for prefix in ("delta_", "track_", "stage_")
    ]
    return [*tables, dropped_function(plan.object_name("delta_()", table))]


def dropped_function(name: str) -> sql.Composable:
    """Drop a function without arguments in schema bucardo."""
    return sql.SQL("DROP FUNCTION IF EXISTS {}()").format(sql.Identifier(BUCARDO_SCHEMA, name))


def dropped_sequence(name: str) -> sql.Composable:
    """Drop a sequence in schema bucardo."""
    return sql.SQL("DROP SEQUENCE IF EXISTS {}").format(sql.Identifier(BUCARDO_SCHEMA, name))


def dropped_all(kind: str, names: t.Iterable[str]) -> sql.Composable:
    """Drop tables, functions or sequences.

    :param kind: "TABLE", "FUNCTION" or "SEQUENCE".
    :param names: with schema, as the server quoted them: a signature is no single identifier.
    """
    return sql.SQL(f"DROP {kind} ") + sql.SQL(", ").join(map(sql.SQL, names))


def probe() -> list[sql.Composable]:
    """A small table of our own."""
    return [
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(PROBE.schema)),
        sql.SQL("CREATE TABLE IF NOT EXISTS {} (id integer PRIMARY KEY)").format(
            sql.relation(PROBE)
        ),
    ]


def dropped_probe(registries: t.Collection[str]) -> list[sql.Composable]:
    """Remove the probe and what Bucardo has of it.

    :param registries: which of "targets" and "names" are there.
    """
    found: list[sql.Composable] = []
    if "targets" in registries:
        found.append(
            sql.SQL(
                "DELETE FROM bucardo.bucardo_delta_targets"
                " WHERE tablename = pg_catalog.to_regclass({})"
            ).format(sql.Literal(str(PROBE)))
        )
    if "names" in registries:
        found.append(
            sql.SQL("DELETE FROM bucardo.bucardo_delta_names WHERE tablename = {}").format(
                sql.Literal(str(PROBE))
            )
        )
    found.append(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.relation(PROBE)))
    return found + dropped_objects(PROBE)


def dropped_schema() -> sql.Composable:
    """Remove our schema, unless it holds something."""
    return sql.SQL("DROP SCHEMA IF EXISTS {} RESTRICT").format(sql.Identifier(PROBE.schema))

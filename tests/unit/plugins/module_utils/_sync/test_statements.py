# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that enrol a table, letter by letter: each of them is run on live masters."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    SyncKey,
    TableName,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import (
    delta_function,
    plan,
    truncate,
)

from ..fake_session import text_of

ITEMS = plan.TableState(
    TableName("public", "Order Items"),
    100,
    "r",
    'public."Order Items"',
    (
        plan.KeyColumn("id", "integer"),
        plan.KeyColumn("Code", "character varying(8)", ("pg_catalog", "C")),
    ),
    ("Code", "id"),
)
WANTED = statements.Wanted(SyncKey("shop", "shop"), True, truncate.DELETE)
FUNCTION = (
    """\
CREATE OR REPLACE FUNCTION "bucardo"."delta_public_Order Items"() RETURNS trigger LANGUAGE plpgsql\
 SECURITY DEFINER AS $body$
DECLARE
  moment CONSTANT pg_catalog.timestamptz := """
    + delta_function.MOMENT
    + """;
BEGIN
  IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
    INSERT INTO "bucardo"."delta_public_Order Items" VALUES (OLD."Code", OLD."id", moment);
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
    INSERT INTO "bucardo"."delta_public_Order Items" VALUES (NEW."Code", NEW."id", moment);
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
    IF NOT (OLD."Code" OPERATOR("pg_catalog".=) NEW."Code"\
 AND OLD."id" OPERATOR("pg_catalog".=) NEW."id") THEN
      INSERT INTO "bucardo"."delta_public_Order Items" VALUES (NEW."Code", NEW."id", moment);
    END IF;
  END IF;
  RETURN NULL;
END;
$body$"""
)
OBJECTS = [
    'CREATE TABLE "bucardo"."delta_public_Order Items" ("Code" character varying(8)'
    ' COLLATE "pg_catalog"."C", "id" integer,'
    " txntime timestamp with time zone DEFAULT pg_catalog.now() NOT NULL)",
    'CREATE TABLE "bucardo"."track_public_Order Items"'
    " (txntime timestamp with time zone, target text)",
    'CREATE UNLOGGED TABLE "bucardo"."stage_public_Order Items"'
    " (txntime timestamp with time zone, target text)",
    'CREATE INDEX "dex1_public_Order Items" ON "bucardo"."delta_public_Order Items" (txntime)',
    'CREATE INDEX "dex2_public_Order Items" ON "bucardo"."delta_public_Order Items" ("Code", "id")',
    'CREATE INDEX "dex3_public_Order Items" ON "bucardo"."track_public_Order Items"'
    " (target text_pattern_ops, txntime)",
    FUNCTION,
]
DELTA = (
    'TRIGGER "bucardo_delta" AFTER INSERT OR UPDATE OR DELETE ON "public"."Order Items"'
    ' FOR EACH ROW EXECUTE FUNCTION "bucardo"."delta_public_Order Items"()'
)
TRUNCATE = (
    'CREATE TRIGGER "bucardo_note_trunc_shop" BEFORE TRUNCATE ON "public"."Order Items"'
    ' FOR EACH STATEMENT EXECUTE FUNCTION "bucardo"."multimaster_truncate_delete"(\'shop\')'
)
KICK = (
    'CREATE TRIGGER "bucardo_kick_shop" AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE'
    ' ON "public"."Order Items" FOR EACH STATEMENT EXECUTE FUNCTION "bucardo"."bucardo_kick_shop"()'
)


def under_lock(replace=True, wanted=WANTED, **need):
    found = statements.under_lock(plan.TableNeed(ITEMS, **need), wanted, replace)
    return [text_of(one) for one in found]


def triggers(wanted=WANTED):
    return tuple(
        spec.name
        for spec in plan.specs(ITEMS.name, wanted.key.sync, wanted.autokick, wanted.truncate)
    )


def test_all_objects_of_a_table_in_the_order_of_its_key_in_bucardo():
    need = plan.TableNeed(ITEMS, objects=tuple(plan.TABLE_OBJECTS))
    assert [text_of(one) for one in statements.objects(need)] == OBJECTS


@pytest.mark.parametrize("kind", plan.TABLE_OBJECTS)
def test_only_what_is_missing_is_made(kind):
    (made,) = statements.objects(plan.TableNeed(ITEMS, objects=(kind,)))
    assert text_of(made) == OBJECTS[list(plan.TABLE_OBJECTS).index(kind)]


def test_triggers_that_are_missing():
    assert under_lock(triggers=triggers()) == ["CREATE " + DELTA, TRUNCATE, KICK]


def test_a_trigger_is_replaced_where_the_server_can_and_dropped_where_it_cannot():
    need = {"triggers": ("bucardo_delta",), "replaced": ("bucardo_delta",)}
    assert under_lock(**need) == ["CREATE OR REPLACE " + DELTA]
    assert under_lock(replace=False, **need) == [
        'DROP TRIGGER "bucardo_delta" ON "public"."Order Items"',
        "CREATE " + DELTA,
    ]
    assert not statements.drops_triggers(plan.TableNeed(ITEMS, **need), replace=True)
    assert statements.drops_triggers(plan.TableNeed(ITEMS, **need), replace=False)


def test_a_sync_that_nothing_wakes_has_no_trigger_for_it():
    quiet = statements.Wanted(SyncKey("shop", "shop"), False, truncate.DELETE)
    assert under_lock(wanted=quiet, triggers=triggers(quiet)) == ["CREATE " + DELTA, TRUNCATE]


def test_objects_of_another_key_are_made_anew_but_for_the_function_that_triggers_need():
    drop, *made = under_lock(remake=True)
    assert drop == (
        'DROP TABLE IF EXISTS "bucardo"."delta_public_Order Items",'
        ' "bucardo"."track_public_Order Items", "bucardo"."stage_public_Order Items"'
    )
    assert made == OBJECTS


def test_a_column_of_the_key_gets_the_type_of_today():
    assert under_lock(retype=("Code",)) == [
        'ALTER TABLE "bucardo"."delta_public_Order Items" ALTER COLUMN "Code"'
        ' TYPE character varying(8) COLLATE "pg_catalog"."C"'
    ]


def test_what_is_queued_of_another_table_is_discarded_when_this_one_is_registered():
    assert under_lock(discard=True) == [
        'TRUNCATE "bucardo"."delta_public_Order Items", "bucardo"."track_public_Order Items",'
        ' "bucardo"."stage_public_Order Items"',
        "INSERT INTO bucardo.bucardo_delta_targets (tablename, target)"
        " VALUES (100, 'dbgroup shop')",
    ]


def test_what_is_queued_under_a_former_name_is_taken_over():
    assert under_lock(carry="delta_public_old") == [
        'INSERT INTO "bucardo"."delta_public_Order Items" ("Code", "id", "txntime")'
        ' SELECT "Code", "id", "txntime" FROM "bucardo"."delta_public_old"',
        'INSERT INTO "bucardo"."track_public_Order Items"'
        ' SELECT * FROM "bucardo"."track_public_old"',
        'INSERT INTO "bucardo"."stage_public_Order Items"'
        ' SELECT * FROM "bucardo"."stage_public_old"',
    ]


def test_our_functions_belong_to_bucardos_role_and_nobody_else_may_use_them():
    role, *found = map(text_of, statements.functions(truncate.FUNCTIONS.values(), "bucardo"))
    assert role == 'SET LOCAL ROLE "bucardo"'
    assert len(found) == 2 * len(truncate.FUNCTIONS)
    for made, revoked, function in zip(found[::2], found[1::2], truncate.FUNCTIONS.values()):
        assert made.startswith(
            f'CREATE OR REPLACE FUNCTION "bucardo"."{function.name}"() RETURNS trigger'
            " LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
            " SET row_security = off AS "
        )
        assert revoked == f'REVOKE ALL ON FUNCTION "bucardo"."{function.name}"() FROM PUBLIC'
    assert statements.made_as("") == []


def test_what_leaves_a_master():
    assert [text_of(one) for one in statements.dropped_objects(ITEMS.name)] == [
        'DROP TABLE IF EXISTS "bucardo"."delta_public_Order Items"',
        'DROP TABLE IF EXISTS "bucardo"."track_public_Order Items"',
        'DROP TABLE IF EXISTS "bucardo"."stage_public_Order Items"',
        'DROP FUNCTION IF EXISTS "bucardo"."delta_public_Order Items"()',
    ]
    assert text_of(statements.dropped_trigger("x", ITEMS.name)) == (
        'DROP TRIGGER IF EXISTS "x" ON "public"."Order Items"'
    )
    assert text_of(statements.dropped_all("FUNCTION", ["bucardo.f()", "bucardo.g(text)"])) == (
        "DROP FUNCTION bucardo.f(), bucardo.g(text)"
    )
    assert text_of(statements.configured("bucardo.f(text)")) == (
        "ALTER FUNCTION bucardo.f(text) SET search_path = pg_catalog, pg_temp"
    )
    assert text_of(statements.configured("bucardo.bucardo_delta_check(text,text)")).endswith(
        " SET search_path = pg_catalog, pg_temp SET enable_nestloop = off"
    )


PROBE = [
    'DROP TABLE IF EXISTS "multimaster"."bucardo_probe"',
    'DROP TABLE IF EXISTS "bucardo"."delta_multimaster_bucardo_probe"',
    'DROP TABLE IF EXISTS "bucardo"."track_multimaster_bucardo_probe"',
    'DROP TABLE IF EXISTS "bucardo"."stage_multimaster_bucardo_probe"',
    'DROP FUNCTION IF EXISTS "bucardo"."delta_multimaster_bucardo_probe"()',
]


@pytest.mark.parametrize(
    ("registries", "deleted"),
    [
        ((), []),
        (("targets",), ["bucardo_delta_targets"]),
        (("names", "targets"), ["bucardo_delta_targets", "bucardo_delta_names"]),
    ],
)
def test_the_probe_comes_and_goes(registries, deleted):
    assert [text_of(one) for one in statements.probe()] == [
        'CREATE SCHEMA IF NOT EXISTS "multimaster"',
        'CREATE TABLE IF NOT EXISTS "multimaster"."bucardo_probe" (id integer PRIMARY KEY)',
    ]
    found = [text_of(one) for one in statements.dropped_probe(registries)]
    assert found[len(deleted) :] == PROBE
    assert [text.split()[2] for text in found[: len(deleted)]] == [
        f"bucardo.{name}" for name in deleted
    ]
    # Never with CASCADE: whatever of the user's is in the schema stays.
    assert text_of(statements.dropped_schema()) == 'DROP SCHEMA IF EXISTS "multimaster" RESTRICT'

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a master lacks for a sync."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import (
    delta_function,
    plan,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import (
    enrolled as tracking_enrolled,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import (
    kick as tracking_kick,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import (
    truncate as tracking_truncate,
)

SYNC = "multimaster"


def table(name="orders", schema="public", quoted="", **values):
    given = {
        "oid": 100,
        "kind": "r",
        "quoted": quoted or f"{schema}.{name}",
        "key": (plan.KeyColumn("id", "integer"),),
        "wanted_key": ("id",),
    }
    return plan.TableState(name=TableName(schema, name), **{**given, **values})


INTEGER = (23, -1, 0)
BIGINT = (20, -1, 0)


def enrolled(one, sync=SYNC, autokick=True, truncate=tracking_truncate.DEFAULT, **changes):
    """A table with all that it needs of Bucardo's."""
    body = delta_function.body(one.name, [("id", delta_function.EQUALS)])
    given = {
        "keys": (("id",),),
        "columns": {"id": INTEGER},
        "triggers": {
            spec.name: tracking_enrolled.Trigger(
                spec.name, f"bucardo.{spec.function}", "O", spec.type, spec.arguments
            )
            for spec in plan.specs(one.name, sync, autokick, truncate)
        },
        "delta": (("id", INTEGER),),
        "function": tracking_enrolled.Function(body),
    }
    return tracking_enrolled.Found(**{**given, **changes})


def complete(tables, sync=SYNC, autokick=True, truncate=tracking_truncate.DEFAULT):
    """A master on which nothing is missing."""
    relations = dict.fromkeys(plan.GLOBAL_TABLES, "r")
    relations.update(dict.fromkeys(plan.GLOBAL_INDEXES, "i"))
    functions = {*plan.GLOBAL_FUNCTIONS, tracking_kick.name(sync)}
    for one in tables:
        for key, kind in plan.TABLE_OBJECTS.items():
            name = plan.object_name(key, one.name)
            if kind == "f":
                functions.add(name)
            else:
                relations[name] = {"t": "r"}.get(kind, kind)
    return plan.MasterState(
        name="here",
        tables=tuple(
            dataclasses.replace(one, found=enrolled(one, sync, autokick, truncate))
            for one in tables
        ),
        relations=relations,
        functions=frozenset(functions),
        current=frozenset(one.name for one in tracking_truncate.FUNCTIONS.values()),
        targets=frozenset(one.oid for one in tables),
        registered=frozenset(one.quoted for one in tables),
    )


def test_nothing_is_missing_on_a_complete_master():
    assert not plan.needs(complete([table()]), SYNC, True)


def test_everything_is_missing_on_a_bare_master():
    found = plan.needs(plan.MasterState("here", (table(),)), SYNC, True)
    assert len(found.globals) == (
        len(plan.GLOBAL_TABLES) + len(plan.GLOBAL_INDEXES) + len(plan.GLOBAL_FUNCTIONS) + 1
    )
    (lack,) = found.tables
    assert lack.objects == tuple(plan.TABLE_OBJECTS)
    assert lack.triggers == (
        "bucardo_delta",
        "bucardo_note_trunc_multimaster",
        "bucardo_kick_multimaster",
    )
    assert lack.target
    assert found.unregistered == (TableName("public", "orders"),)


def test_without_autokick_no_trigger_wakes_the_sync():
    assert tracking_kick.name(SYNC) not in plan.wanted_triggers(SYNC, False)
    assert not plan.needs(complete([table()], autokick=False), SYNC, False)
    (lack,) = plan.needs(complete([table()], autokick=False), SYNC, True).tables
    assert lack.triggers == (tracking_kick.name(SYNC),)
    assert not lack.objects


def test_another_sync_shares_the_delta_trigger_only():
    (lack,) = plan.needs(complete([table()]), "second", True).tables
    assert lack.triggers == ("bucardo_note_trunc_second", "bucardo_kick_second")
    assert not lack.objects


def test_a_function_with_the_time_of_the_transaction_queued_all_the_same():
    """But two transactions may begin in the same microsecond."""
    pair = [("day", delta_function.EQUALS), ("code", delta_function.EQUALS)]
    for key, texts in ((pair, {"code"}), (pair, set()), (pair[:1], set())):
        today = delta_function.body(table("orders").name, key, texts)
        declared = today[: today.index("BEGIN")]
        assert "txid_current()" in declared
        before = today.replace(declared, "\n", 1).replace(", moment)", ")")
        assert "moment" not in before
        assert delta_function.queues(before, table("orders").name, key, texts)
        assert before != today


@pytest.mark.parametrize("key", list(plan.TABLE_OBJECTS))
def test_each_object_is_missed_alone(key):
    state = complete([table()])
    name = plan.object_name(key, TableName("public", "orders"))
    if plan.TABLE_OBJECTS[key] == "f":
        state = dataclasses.replace(state, functions=state.functions - {name})
    else:
        relations = {one: kind for one, kind in state.relations.items() if one != name}
        state = dataclasses.replace(state, relations=relations)
    (lack,) = plan.needs(state, SYNC, True).tables
    assert lack.objects == (key,)


def test_a_table_made_anew_must_be_registered_again():
    state = complete([table()])
    again = dataclasses.replace(state.tables[0], oid=200)
    (lack,) = plan.needs(dataclasses.replace(state, tables=(again,)), SYNC, True).tables
    assert lack.target
    assert not lack.triggers


@pytest.mark.parametrize("wanted", tracking_truncate.POLICIES)
@pytest.mark.parametrize("has", tracking_truncate.POLICIES)
def test_another_policy_for_truncate_makes_that_trigger_anew(has, wanted):
    found = plan.needs(complete([table()], truncate=has), SYNC, True, wanted)
    assert [need.triggers for need in found.tables] == (
        [] if has == wanted else [(plan.truncate_name(SYNC),)]
    )
    # Whichever it was, no change was missed.
    assert not any(need.lost for need in found.tables)


def test_a_trigger_of_the_right_name_with_a_function_of_nobody_knows_whom_is_made_anew():
    state = complete([table()])
    triggers = dict(state.tables[0].found.triggers)
    name = plan.truncate_name(SYNC)
    triggers[name] = dataclasses.replace(triggers[name], function="bucardo.other")
    other = dataclasses.replace(state.tables[0], found=enrolled(table(), triggers=triggers))
    (lack,) = plan.needs(dataclasses.replace(state, tables=(other,)), SYNC, True).tables
    assert lack.triggers == (plan.truncate_name(SYNC),)
    assert lack.lost


def test_an_old_text_of_our_function_is_replaced_without_a_lock():
    state = dataclasses.replace(complete([table()]), current=frozenset())
    found = plan.needs(state, SYNC, True, tracking_truncate.DELETE)
    assert found.functions == (tracking_truncate.FUNCTIONS[tracking_truncate.DELETE],)
    assert found
    assert not found.to_lock
    assert not plan.needs(complete([table()], truncate="bucardo"), SYNC, True, "bucardo").functions


def test_the_policy_of_today_is_read_from_the_triggers():
    for policy in tracking_truncate.POLICIES:
        states = [complete([table()], truncate=policy), plan.MasterState("bare", (table(),))]
        assert plan.truncate_policy(states, SYNC) == policy
    assert plan.truncate_policy([plan.MasterState("bare", (table(),))], SYNC) == ""


@pytest.mark.parametrize(
    ("mine", "other", "clash"),
    [
        ("delete", "bucardo", True),
        ("bucardo", "delete", True),
        ("delete", "delete", False),
        ("bucardo", "bucardo", False),
        ("refuse", "bucardo", False),
        ("bucardo", "refuse", False),
    ],
)
def test_what_two_syncs_do_with_a_truncate_of_one_table_must_go_together(mine, other, clash):
    found = plan.truncate_problems(complete([table()], "second", truncate=other), SYNC, mine)
    assert [line.split(" has ")[0] for line in found] == ["public.orders on here"] * clash


def test_the_trigger_fires_while_its_function_can_still_see_the_rows():
    made = {
        policy: plan.specs(TableName("s", "t"), SYNC, True, policy)[1]
        for policy in tracking_truncate.POLICIES
    }
    assert {policy: one.timing for policy, one in made.items()} == {
        "delete": "BEFORE",
        "refuse": "BEFORE",
        "bucardo": "AFTER",
    }
    assert made["bucardo"].function == "bucardo_note_truncation"
    assert {one.arguments for one in made.values()} == {(SYNC,)}


def needed(name="orders", wanted_key=("id",), **changes):
    """What a table needs that is enrolled but for these changes."""
    one = table(name)
    state = complete([one])
    found = enrolled(one, **changes)
    changed = dataclasses.replace(one, found=found, wanted_key=wanted_key)
    needs = plan.needs(dataclasses.replace(state, tables=(changed,)), SYNC, True)
    return needs.tables[0] if needs.tables else None


def delta_trigger(**changes):
    """All triggers, the one that queues with these changes; None takes it away."""
    triggers = dict(enrolled(table()).triggers)
    trigger = triggers.pop("bucardo_delta")
    if changes:
        triggers["bucardo_delta"] = dataclasses.replace(trigger, **changes)
    return triggers


@pytest.mark.parametrize(
    "changes",
    [
        {"function": "bucardo.delta_public_other"},
        {"enabled": "D"},
        {"enabled": "R"},
        {"type": 5},
        {"plain": False},
    ],
)
def test_a_trigger_that_is_not_what_it_must_be_is_made_anew(changes):
    lack = needed(triggers=delta_trigger(**changes))
    assert lack.replaced == lack.triggers == ("bucardo_delta",)
    assert lack.lost
    assert not lack.remake


def test_a_missing_trigger_is_made():
    lack = needed(triggers=delta_trigger())
    assert lack.triggers == ("bucardo_delta",)
    assert lack.lost
    assert not lack.rebuilds


def test_a_trigger_that_fires_for_replicated_rows_loses_nothing():
    lack = needed(triggers=delta_trigger(enabled="A"))
    assert lack.replaced == ("bucardo_delta",)
    assert not lack.lost


def test_a_queue_of_another_key_is_made_anew():
    lack = needed(
        keys=(("tenant", "id"),),
        columns={"tenant": INTEGER, "id": INTEGER},
        wanted_key=("tenant", "id"),
    )
    assert lack.remake
    assert lack.objects == ()
    assert lack.lost


def test_a_type_that_grew_keeps_what_is_queued():
    lack = needed(columns={"id": BIGINT}, grows=frozenset({"id"}))
    assert lack.retype == ("id",)
    assert not lack.remake
    assert lack.lost


def test_a_type_that_became_another_does_not():
    lack = needed(columns={"id": (25, -1, 100)})
    assert lack.remake
    assert lack.retype == ()


def test_what_a_dropped_table_of_that_name_queued_is_discarded():
    assert needed(is_known=False, triggers={}).discard


def test_the_daemon_is_woken_by_the_rows_of_a_partition():
    lack = needed(is_child=True)
    assert lack.triggers == (tracking_kick.name(SYNC),)
    assert lack.replaced == (tracking_kick.name(SYNC),)
    assert not lack.lost
    kick = plan.specs(TableName("s", "t"), SYNC, True, is_child=True)[-1]
    assert (kick.level, kick.events) == ("ROW", "INSERT OR UPDATE OR DELETE")


@pytest.mark.parametrize("changes", [{"definer": False}, {"settings": ("search_path=x",)}])
def test_a_function_is_replaced_without_a_lock(changes):
    function = dataclasses.replace(enrolled(table()).function, **changes)
    lack = needed(function=function)
    assert lack.objects == ("delta_()",)
    assert not lack.rebuilds
    assert not lack.lost


def test_a_function_of_before_queued_all_the_same():
    text = """BEGIN IF (TG_OP = 'INSERT') THEN INSERT INTO bucardo.delta_public_orders VALUES
     (NEW."id"); ELSIF (TG_OP = 'UPDATE') THEN INSERT INTO bucardo.delta_public_orders VALUES
     (OLD."id"); IF (OLD."id" <> NEW."id") THEN INSERT INTO bucardo.delta_public_orders VALUES
     (NEW."id"); END IF; ELSE INSERT INTO bucardo.delta_public_orders VALUES (OLD."id"); END IF;
     RETURN NULL; END;"""
    lack = needed(function=tracking_enrolled.Function(text))
    assert lack.objects == ("delta_()",)
    assert not lack.lost


def test_a_function_that_does_something_else_lost_changes():
    lack = needed(function=tracking_enrolled.Function("BEGIN RETURN NULL; END"))
    assert lack.objects == ("delta_()",)
    assert lack.lost


def test_operators_are_those_of_the_key():
    one = table()
    lack = needed(equals={"id": ("ext", "=")})
    assert lack.objects == ("delta_()",)
    assert 'OPERATOR("ext".=)' in delta_function.body(one.name, [("id", ("ext", "="))])


def test_a_backslash_is_refused_in_keys_of_which_bucardo_would_lose_it():
    pair = [("day", delta_function.EQUALS), ("code", delta_function.EQUALS)]
    text = delta_function.body(table("orders").name, pair, {"code"})
    for row in ("NEW", "OLD"):
        assert f'pg_catalog.strpos({row}."code"::pg_catalog.text, pg_catalog.chr(92))' in text
    assert '."day"::' not in text
    # Not where values go to the server as they are, nor where there is no text.
    alone = delta_function.body(table("orders").name, pair[1:], {"code"})
    assert "RAISE" not in alone + delta_function.body(table("orders").name, pair, ())


def test_a_function_without_that_refusal_queued_all_the_same():
    pair = [("day", delta_function.EQUALS), ("code", delta_function.EQUALS)]
    before = delta_function.body(table("orders").name, pair, ())
    assert delta_function.queues(before, table("orders").name, pair, {"code"})
    assert before != delta_function.body(table("orders").name, pair, {"code"})


@pytest.mark.parametrize(
    ("changes", "carried"),
    [
        ({}, "delta_public_old"),
        # Somebody pointed it there: that queue is of a table that exists.
        ({"function": "bucardo.delta_public_items"}, ""),
        ({"enabled": "D"}, ""),
        ({"function": "app.delta_public_old"}, ""),
    ],
)
def test_the_queue_of_a_renamed_table_is_carried_over(changes, carried):
    one = table()
    triggers = delta_trigger(**{"function": "bucardo.delta_public_old", **changes})
    found = enrolled(
        one,
        triggers=triggers,
        older={"delta_public_old": (("id", INTEGER),), "delta_public_items": (("id", INTEGER),)},
    )
    assert (
        tracking_enrolled.carried_from(one.name, found, ("id",), {"delta_public_items"}) == carried
    )


def test_a_queue_of_other_columns_is_not_carried_over():
    one = table()
    triggers = delta_trigger(function="bucardo.delta_public_old")
    for columns in ((("id", BIGINT),), (("nr", INTEGER),), (("id", INTEGER), ("nr", INTEGER))):
        found = enrolled(one, triggers=triggers, older={"delta_public_old": columns})
        assert tracking_enrolled.carried_from(one.name, found, ("id",), ()) == ""


def test_a_good_table_has_no_problem():
    assert plan.problems(complete([table()])) == []


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"kind": ""}, "does not exist"),
        ({"kind": "p"}, "not an ordinary table"),
        ({"key": (), "wanted_key": ()}, "no primary key"),
        ({"key": ()}, "lacks the key column 'id'"),
        ({"name": 'a"b', "quoted": 'public."a""b"'}, "double quote"),
        (
            {
                "key": (plan.KeyColumn('i"d', "integer"),),
                "wanted_key": ('i"d',),
            },
            "double quote",
        ),
    ],
)
def test_what_bucardo_cannot_replicate_is_named(values, text):
    problems = plan.problems(plan.MasterState("here", (table(**values),)))
    assert any(text in line for line in problems)
    assert all("here" in line for line in problems)


def test_two_tables_with_one_delta_table():
    tables = (table("b_c", "a"), table("c", "a_b"))
    (line,) = plan.problems(plan.MasterState("here", tables))
    assert "share the delta table of a.b_c" in line


@pytest.mark.parametrize(("length", "refused"), [(48, False), (49, True), (51, True), (56, True)])
def test_names_that_are_too_long_only_when_quoted(length, refused):
    # 57 characters hold "public_" and 50 more, and two of these are taken by quotes.
    name = "A" * length
    problems = plan.problems(plan.MasterState("here", (table(name, quoted=f'public."{name}"'),)))
    assert bool(problems) == refused


def test_a_long_name_without_quotes_is_fine():
    name = "a" * 63
    assert plan.problems(plan.MasterState("here", (table(name),))) == []

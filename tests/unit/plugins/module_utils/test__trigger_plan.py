"""What a master lacks for a sync."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils import _trigger_plan as plan
from ansible_collections.multimaster.bucardo.plugins.module_utils import _truncate
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName

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


def complete(tables, sync=SYNC, autokick=True, truncate=_truncate.DEFAULT):
    """A master on which nothing is missing."""
    relations = dict.fromkeys(plan.GLOBAL_TABLES, "r")
    relations.update(dict.fromkeys(plan.GLOBAL_INDEXES, "i"))
    functions = {*plan.GLOBAL_FUNCTIONS, plan.kick_name(sync)}
    for one in tables:
        for key, kind in plan.TABLE_OBJECTS.items():
            name = plan.object_name(key, one.name)
            if kind == "f":
                functions.add(name)
            else:
                relations[name] = {"t": "r"}.get(kind, kind)
    triggers = frozenset(plan.wanted_triggers(sync, autokick))
    calls = {plan.truncate_name(sync): _truncate.function_name(truncate)}
    return plan.MasterState(
        name="here",
        tables=tuple(dataclasses.replace(one, triggers=triggers, truncate=calls) for one in tables),
        relations=relations,
        functions=frozenset(functions),
        current=frozenset(one.name for one in _truncate.FUNCTIONS.values()),
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
    assert plan.kick_name(SYNC) not in plan.wanted_triggers(SYNC, False)
    assert not plan.needs(complete([table()], autokick=False), SYNC, False)
    (lack,) = plan.needs(complete([table()], autokick=False), SYNC, True).tables
    assert lack.triggers == (plan.kick_name(SYNC),)
    assert not lack.objects


def test_another_sync_shares_the_delta_trigger_only():
    (lack,) = plan.needs(complete([table()]), "second", True).tables
    assert lack.triggers == ("bucardo_note_trunc_second", "bucardo_kick_second")
    assert not lack.objects


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


@pytest.mark.parametrize("wanted", _truncate.POLICIES)
@pytest.mark.parametrize("has", _truncate.POLICIES)
def test_another_policy_for_truncate_makes_that_trigger_anew(has, wanted):
    found = plan.needs(complete([table()], truncate=has), SYNC, True, wanted)
    assert [need.triggers for need in found.tables] == (
        [] if has == wanted else [(plan.truncate_name(SYNC),)]
    )


def test_a_trigger_of_the_right_name_with_a_function_of_nobody_knows_whom_is_made_anew():
    state = complete([table()])
    other = dataclasses.replace(state.tables[0], truncate={plan.truncate_name(SYNC): "other"})
    (lack,) = plan.needs(dataclasses.replace(state, tables=(other,)), SYNC, True).tables
    assert lack.triggers == (plan.truncate_name(SYNC),)


def test_an_old_text_of_our_function_is_replaced_without_a_lock():
    state = dataclasses.replace(complete([table()]), current=frozenset())
    found = plan.needs(state, SYNC, True, _truncate.DELETE)
    assert found.functions == (_truncate.FUNCTIONS[_truncate.DELETE],)
    assert found
    assert not found.to_lock
    assert not plan.needs(complete([table()], truncate="bucardo"), SYNC, True, "bucardo").functions


def test_the_policy_of_today_is_read_from_the_triggers():
    for policy in _truncate.POLICIES:
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
        policy: plan.trigger(plan.truncate_name(SYNC), SYNC, TableName("s", "t"), policy)
        for policy in _truncate.POLICIES
    }
    assert {policy: one.timing for policy, one in made.items()} == {
        "delete": "BEFORE",
        "refuse": "BEFORE",
        "bucardo": "AFTER",
    }
    assert made["bucardo"].function == "bucardo_note_truncation"
    assert {one.arguments for one in made.values()} == {(SYNC,)}


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

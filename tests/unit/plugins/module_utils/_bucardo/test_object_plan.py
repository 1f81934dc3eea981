# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done about Bucardo's objects."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.object_plan import (
    attachments,
    check_clause,
    check_newname,
    find_goat,
    plan_customcode,
    plan_database,
    plan_members,
    plan_relgroup,
    plan_settings,
    users_of_overrides,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    BucardoSetting,
    Customcode,
    DatabaseRecord,
    Dbgroup,
    Goat,
    NewGoat,
    RelationFacts,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Index,
    Table,
)

SETTINGS = {
    name: BucardoSetting(name, value, value)
    for name, value in {
        "kid_sleep": "0.5",
        "log_level": "normal",
        "piddir": "/var/run/bucardo",
        "log_conflict_file": "/var/log/Bucardo/conflict.log",
        "default_email_to": "root",
        "isolation_level": "repeatable read",
    }.items()
}


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("kid_sleep", 0.5),
            ("kid_sleep", "0.5"),
            ("KID_SLEEP", None),
            ("log_level", "NORMAL"),
            ("default_email_to", "Root"),
            ("log_conflict_file", "/var/log/Bucardo/conflict.log"),
        ],
    )
    def test_what_bucardo_would_store_already_is_no_change(self, name, value):
        assert plan_settings(SETTINGS, {name: value}) == {}

    def test_changes_are_as_bucardo_stores_them(self):
        wanted = {"Log_Level": "VERBOSE", "kid_sleep": True, "log_conflict_file": "/X"}
        assert plan_settings(SETTINGS, wanted) == {
            "log_level": "verbose",
            "kid_sleep": "1",
            "log_conflict_file": "/X",
        }

    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            ("kid_slep", 1, "kid_sleep"),
            ("log_level", "loud", "verbose"),
            ("isolation_level", "read committed", "repeatable read"),
            ("piddir", "/Run", "lower case"),
            ("bucardo_version", "5.7.0", "installation"),
            ("kid_sleep", "1\n2", "line break"),
        ],
    )
    def test_wrong_ones_are_refused_with_a_hint(self, name, value, text):
        with pytest.raises(Refused, match=text):
            plan_settings(SETTINGS, {name: value})


def options(**given):
    names = (
        "host",
        "port",
        "dbname",
        "user",
        "conn",
        "service",
        "status",
        "server_side_prepares",
    )
    return {"name": "A", **dict.fromkeys(names), **given}


class TestDatabase:
    def test_a_new_one_gets_defaults(self):
        found = plan_database(None, options(host="db1", port=5433, dbname="My Shop"))
        assert found == DatabaseRecord("A", "db1", "5433", "My Shop", "bucardo")

    def test_null_leaves_what_is_there(self):
        current = DatabaseRecord("A", "db1", "5433", "shop", "u", conn="a=b", has_password=True)
        assert plan_database(current, options()) == current
        assert plan_database(current, options(host="db2")).host == "db2"
        assert plan_database(current, options(conn={"c": "d", "a": 1})).conn == "a=1;c=d"

    def test_stalled_counts_as_active(self):
        current = DatabaseRecord("A", dbname="shop", user="u", status="stalled")
        assert plan_database(current, options(status="active")) == current
        assert plan_database(current, options(status="inactive")).status == "inactive"

    def test_a_service_needs_no_name(self):
        assert plan_database(None, options(service="shop")).service == "shop"

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ({}, "needs dbname"),
            ({"name": "A-1", "dbname": "x"}, "letters"),
            ({"dbname": "it's"}, "single quote"),
            ({"dbname": "x", "host": "a b"}, "host"),
            ({"dbname": "x", "user": "a\nb"}, "user"),
            ({"dbname": "x", "conn": {"options": "it's"}}, "conn"),
            ({"dbname": "x y", "conn": {"options": 'a"b'}}, "conn"),
        ],
    )
    def test_what_cannot_pass_through_bucardo_is_refused(self, given, text):
        with pytest.raises(Refused, match=text):
            plan_database(None, options(**given))


class TestMembers:
    def test_exclusive_or_not(self):
        current = {"A": "source", "B": "target"}
        assert plan_members(current, {"A": "source"}, True) == {"A": "source"}
        assert plan_members(current, {"C": "source"}, False) == {**current, "C": "source"}
        assert plan_members(current, None, True) == current
        assert plan_members(current, {}, True) == {}

    def test_roles_are_checked(self):
        with pytest.raises(Refused, match="'master' of A"):
            plan_members({}, {"A": "master"}, True)


def name(text):
    return TableName.parse(text)


def table(text, key="id", kind="r", unique=True, nullable=False):
    columns = (Column("id", "integer", not nullable, type_oid=23), Column("c|d", "text", True))
    indexes = (Index("i", (key,), unique, unique and not nullable, True, False),) if key else ()
    return Table(name(text), 1, kind, "p", columns, indexes)


FACTS = RelationFacts(
    tables={
        t.name: t
        for t in (
            table("a"),
            table("b"),
            table("nokey", key=""),
            table("parent", kind="p"),
            table("pipe", key="c|d"),
            table('"Capital Letters"'),
        )
    },
    sequences={name("s")},
    types={23: "int4", 0: "text"},
)


def goat(number, text, *relgroups, db="A", reltype="table", key=("id",), types=("integer",)):
    key_types = types if key else ()
    return Goat(number, db, name(text), reltype, key, key_types=key_types, relgroups=relgroups)


def plan(goats, wanted, facts=FACTS, exclusive=(), exists=True):
    return plan_relgroup(
        "g", exists, goats, "A", {name(x): y for x, y in wanted.items()}, facts, exclusive
    )


class TestRelgroup:
    def test_new_relations_come_with_their_key(self):
        found = plan([], {"a": "table", "s": "sequence"}, exists=False)
        assert found.create
        assert found.changed
        assert found.new == (
            NewGoat(name("a"), "table", ("id",), ("integer",)),
            NewGoat(name("s"), "sequence"),
        )
        assert found.after == (("sequence", "public.s"), ("table", "public.a"))
        assert found.before == ()

    def test_known_relations_join_without_a_look_at_the_database(self):
        goats = [goat(1, "a", "other"), goat(2, "a", db="B")]
        found = plan(goats, {"a": "table"}, facts=None)
        assert (found.join, found.new, found.leave) == ((1,), (), ())

    @pytest.mark.parametrize(
        "stored", [{"key": ("old",)}, {"key": ("id", "old")}, {"types": ("smallint",)}, {"key": ()}]
    )
    def test_a_key_that_is_not_the_table_s_any_more_is_learned_anew(self, stored):
        found = plan([goat(1, "a", "g", **stored)], {"a": "table"})
        assert found.learn == (NewGoat(name("a"), "table", ("id",), ("integer",)),)
        assert found.changed

    def test_a_key_stays_as_long_as_it_identifies_rows(self):
        both = dataclasses.replace(
            table("a"),
            indexes=(
                Index("a_pkey", ("id",), True, True, True, False),
                Index("a_both", ("c|d", "id"), True, False, True, False),
            ),
        )
        facts = dataclasses.replace(FACTS, tables={name("a"): both})
        kept = goat(1, "a", "g", key=("id", "c|d"), types=("integer", "text"))
        assert not plan([kept], {"a": "table"}, facts).changed

    def test_nothing_to_do(self):
        found = plan([goat(1, "a", "g"), goat(2, "b", "g")], {"a": "table"})
        assert not found.changed
        assert found.before == found.after == (("table", "public.a"), ("table", "public.b"))

    def test_exclusive_takes_out_the_others_of_that_kind(self):
        goats = [
            goat(1, "a", "g"),
            goat(2, "b", "g"),
            goat(3, "s", "g", reltype="sequence", key=()),
        ]
        assert plan(goats, {"a": "table"}, exclusive={"table"}).leave == (2,)
        assert plan(goats, {}, exclusive={"table", "sequence"}).leave == (1, 2, 3)

    def test_a_key_that_came_later_is_learned(self):
        found = plan([goat(1, "a", "g", key=())], {"a": "table"})
        assert found.learn == (NewGoat(name("a"), "table", ("id",), ("integer",)),)
        assert found.new == ()
        assert found.changed

    def test_everything_that_is_wrong_is_named_at_once(self):
        wanted = dict.fromkeys(("nokey", "parent", "pipe", "aa", '"d""q"'), "table")
        with pytest.raises(Refused) as caught:
            plan([], {**wanted, "ss": "sequence"})
        for text in (
            "public.nokey has no primary key",
            "public.parent is a partitioned table",
            "public.pipe has a key column with '|'",
            "public.aa does not exist. Did you mean public.a?",
            'public."d""q" has a double quote',
            "sequence public.ss does not exist. Did you mean public.s?",
        ):
            assert text in caught.value.message

    def test_relations_of_another_database_are_no_company(self):
        with pytest.raises(Refused, match="relations of database B"):
            plan([goat(1, "a", "g", db="B")], {"b": "table"})

    def test_an_unknown_database_is_believed_in_check_mode(self):
        found = plan([], {"nokey": "table"}, facts=None)
        assert [new.name for new in found.new] == [name("nokey")]


class TestCustomObjects:
    def test_find_goat(self):
        goats = [goat(1, "a"), goat(2, "a", db="B"), goat(3, "b")]
        assert find_goat(goats, name("b")).id == 3
        assert find_goat(goats, name("a"), "B").id == 2
        lacking = []
        assert find_goat(goats, name("c"), lacks=lacking.append).id == 0
        assert [error.message for error in lacking] == [
            "Bucardo does not know the relation public.c"
        ]
        with pytest.raises(Refused, match="relation_db"):
            find_goat(goats, name("a"))
        with pytest.raises(Refused, match=r"Did you mean public\.b\?"):
            find_goat(goats, name("bb"))

    def test_only_databases_that_are_no_source_use_overrides(self):
        groups = {"g": Dbgroup("g", {"A": "source", "B": "source", "C": "target"})}
        syncs = {"s": Sync("s", "r", "g")}
        assert users_of_overrides(groups, syncs, "", "") == ["C"]
        assert users_of_overrides(groups, syncs, "C", "s") == ["C"]
        assert users_of_overrides(groups, syncs, "A", "") == []
        assert users_of_overrides(groups, syncs, "", "other") == []

    def test_values_that_bucardo_does_not_take(self):
        check_newname('"My Schema".t_1')
        check_clause(" select id")
        for wrong in ("", "a;b", "ü"):
            with pytest.raises(Refused):
                check_newname(wrong)
        for wrong in ("", "id", "SELECTED"):
            with pytest.raises(Refused):
                check_clause(wrong)

    def test_customcode(self):
        wanted = {
            "name": "c",
            "whenrun": None,
            "about": None,
            "getdbh": None,
            "status": None,
            "priority": 3,
        }
        with pytest.raises(Refused, match="needs whenrun"):
            plan_customcode(None, wanted, "x", None, None)
        wanted["whenrun"] = "conflict"
        with pytest.raises(Refused, match="needs src"):
            plan_customcode(None, wanted, None, None, None)
        syncs, goats = attachments("s", None, 3)
        assert (syncs, goats) == ({"s": 3}, {})
        code = plan_customcode(None, wanted, "x", syncs, None)
        assert code == Customcode("c", "conflict", "x", syncs={"s": (True, 3)})
        assert plan_customcode(code, {**wanted, "whenrun": None}, None, None, None) == code
        assert attachments(None, None, 0) == (None, None)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written into Bucardo's catalog."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    Customcode,
    DatabaseRecord,
    Dbgroup,
    NewGoat,
    Override,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName

ORDERS = NewGoat(TableName("public", "orders"), "table", ("id", "line"), ("integer", "bigint"))
NUMBERS = NewGoat(TableName("public", "numbers"), "sequence")


def texts(writes):
    return [" ".join(one.query.split()) for one in writes]


def test_settings_are_written_by_name_and_the_secret_one_is_masked():
    first, second = statements.settings({"log_level": "terse", "email_auth_pass": "x"})
    assert first.params == {"name": "email_auth_pass", "password": "x"}
    assert second.params == {"name": "log_level", "value": "terse"}
    assert texts([first]) == [
        "UPDATE bucardo.bucardo_config SET setting = %(password)s"
        " WHERE name = %(name)s AND item IS NULL"
    ]


def test_a_new_database():
    (write,) = statements.database(
        DatabaseRecord("here", host="db1", port="5433", dbname="My Shop", user="bucardo"),
        None,
        new=True,
    )
    assert write.query == (
        "INSERT INTO bucardo.db (name, dbhost, dbport, dbname, dbuser, dbconn, dbservice, status,"
        " server_side_prepares) VALUES (%(name)s, %(dbhost)s, %(dbport)s, %(dbname)s, %(dbuser)s,"
        " %(dbconn)s, %(dbservice)s, %(status)s, %(server_side_prepares)s)"
    )
    assert write.params == {
        "name": "here",
        "dbhost": "db1",
        "dbport": "5433",
        "dbname": "'My Shop'",
        "dbuser": "bucardo",
        "dbconn": "",
        "dbservice": "",
        "status": "active",
        "server_side_prepares": True,
    }
    assert write.secret == ""


@pytest.mark.parametrize(
    ("password", "set_to", "secret"),
    [
        (None, None, ""),
        ("", "dbpass = NULL", ""),
        ("s3", "dbpass = (SELECT value FROM pg_temp.multimaster_secret)", "s3"),
    ],
)
def test_a_password_is_never_part_of_the_statement(password, set_to, secret):
    (write,) = statements.database(DatabaseRecord("here", dbname="shop"), password, new=False)
    assert write.query.startswith("UPDATE bucardo.db SET dbhost = %(dbhost)s,")
    assert write.query.endswith(" WHERE name = %(name)s")
    assert ("dbpass" in write.query) == (set_to is not None)
    assert set_to is None or set_to in write.query
    assert write.secret == secret
    assert "s3" not in write.query + repr(write)
    assert "s3" not in write.params.values()


@pytest.mark.parametrize(
    ("current", "wanted", "expected"),
    [
        (None, {"b": "target", "a": "source"}, ("add", "dbgroup", "g", "a:source", "b:target")),
        (Dbgroup("g", {}), {"a": "source"}, ("update", "dbgroup", "g", "a:source")),
    ],
)
def test_members_by_the_program(current, wanted, expected):
    assert statements.members("g", current, wanted) == [statements.Program(expected)]


def test_a_group_is_emptied_by_a_statement():
    (write,) = statements.members("g", Dbgroup("g", {"a": "source"}), {})
    assert (write.query, write.params) == (
        "DELETE FROM bucardo.dbmap WHERE dbgroup = %(name)s",
        {"name": "g"},
    )


def test_relations_leave_before_the_triggers_go_off_and_others_join_after():
    found = texts(statements.relgroup("r", "here", [ORDERS], [4], [7]))
    starts = [
        "LOCK TABLE bucardo.goat IN SHARE ROW EXCLUSIVE MODE",
        "INSERT INTO bucardo.herd (name)",
        "DELETE FROM bucardo.herdmap WHERE herd",
        "DELETE FROM bucardo.goat g WHERE g.id = ANY",
        "SELECT 1 FROM bucardo.db, bucardo.herd",
        "SET LOCAL session_replication_role = replica",
        "INSERT INTO bucardo.goat (db, schemaname",
        "INSERT INTO bucardo.herdmap (herd, goat) SELECT %(name)s, min(g.id)",
        "INSERT INTO bucardo.herdmap (herd, goat) SELECT %(name)s, unnest",
    ]
    assert [text[: len(start)] for text, start in zip(found, starts)] == starts
    assert len(found) == len(starts)


def test_triggers_stay_on_where_nothing_joins():
    found = texts(statements.relgroup("r", "here", [], [], [7]))
    assert len(found) == 4
    assert statements.WITHOUT_TRIGGERS.query not in found


def test_relations_travel_as_arrays():
    writes = statements.learned_keys("here", [ORDERS, NUMBERS])
    assert writes[0] == statements.WITHOUT_TRIGGERS
    assert writes[1].params == {
        "db": "here",
        "schemas": ["public", "public"],
        "names": ["orders", "numbers"],
        "reltypes": ["table", "sequence"],
        "keys": ["id|line", ""],
        "types": ["integer|bigint", ""],
    }


def test_a_relgroup_goes_with_what_no_other_holds():
    assert [text.split(" AS ")[0].split(" WHERE ")[0] for text in texts(removed())] == [
        "CREATE TEMPORARY TABLE orphans ON COMMIT DROP",
        "DELETE FROM bucardo.herd",
        "DELETE FROM bucardo.goat",
    ]


def removed():
    return statements.removed_relgroup("r")


def test_tables_go_aside_and_come_back():
    for build, verb in ((statements.set_aside, "DELETE"), (statements.put_back, "INSERT")):
        writes = build("r", [3, 5])
        assert [one.params for one in writes] == [
            {"herd": "r", "goat": 3},
            {"herd": "r", "goat": 5},
        ]
        assert all(one.query.startswith(verb) for one in writes)


def test_relations_move_without_the_trigger_that_logs_in_for_each():
    first, second = statements.moved_goats([3, 5], "there")
    assert first == statements.WITHOUT_TRIGGERS
    assert second.params == {"origin": "there", "ids": [3, 5]}


CODE = Customcode("c", "exception", "1;")


def test_custom_code_that_is_attached_to_nothing_named_keeps_its_places():
    (write,) = statements.customcode(CODE, True, None, None)
    assert write.query == (
        "INSERT INTO bucardo.customcode (name, whenrun, src_code, about, getdbh, status)"
        " VALUES (%(name)s, %(whenrun)s, %(src_code)s, %(about)s, %(getdbh)s, %(status)s)"
    )
    assert write.params["about"] is None


def test_custom_code_is_attached_to_exactly_these():
    update, *maps = statements.customcode(CODE, False, {"s": 2}, None)
    assert update.query.startswith("UPDATE bucardo.customcode SET whenrun = %(whenrun)s")
    assert [one.query.split(" (")[0].split(" WHERE")[0] for one in maps] == [
        "DELETE FROM bucardo.customcode_map",
        "INSERT INTO bucardo.customcode_map",
        "DELETE FROM bucardo.customcode_map",
    ]
    assert maps[1].params == {"name": "c", "keys": ["s"], "priorities": [2]}
    assert "sync <> ALL(%(keys)s::text[])" in maps[0].query
    assert "goat <> ALL(%(keys)s::int[])" in maps[2].query


@pytest.mark.parametrize(("kind", "column"), [("customname", "newname"), ("customcols", "clause")])
def test_a_row_takes_the_place_of_others(kind, column):
    new = Override(0, "here", TableName("public", "orders"), "value", db="x")
    delete, insert = statements.override(kind, 3, new, [8, 9])
    assert (delete.query, delete.params) == (
        f"DELETE FROM bucardo.{kind} WHERE id = ANY(%(ids)s)",
        {"ids": [8, 9]},
    )
    assert insert.query.startswith(f"INSERT INTO bucardo.{kind} (goat, {column}, db, sync)")
    assert insert.params == {"goat": 3, "value": "value", "db": "x", "sync": ""}
    assert len(statements.override(kind, 3, new, [])) == 1


def test_the_row_of_a_sync():
    (new,) = statements.sync("s", {"herd": "r", "dbs": "g", "status": "inactive"}, new=True)
    assert new.query == (
        "INSERT INTO bucardo.sync (name, herd, dbs, status)"
        " VALUES (%(name)s, %(herd)s, %(dbs)s, %(status)s)"
    )
    (changed,) = statements.sync("s", {"priority": 3}, new=False)
    assert (changed.query, changed.params) == (
        "UPDATE bucardo.sync SET priority = %(priority)s WHERE name = %(name)s",
        {"priority": 3, "name": "s"},
    )
    assert statements.sync("s", {}, new=False) == []


def test_removal_by_the_program():
    assert statements.removed("customcols", "3", "4") == [
        statements.Program(("remove", "customcols", "3", "4"))
    ]

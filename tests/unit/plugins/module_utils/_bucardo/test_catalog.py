# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of the rows of Bucardo's catalog, and of a catalog that is not there."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.catalog import Catalog
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    DatabaseRecord,
    Dbgroup,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName

from ..fake_session import FakeSession


def catalog(answers):
    return Catalog(FakeSession(answers))


def db(name="here", **values):
    row = {option: one.default for option, one in columns.DATABASE.items()}
    about = {"has_password": False, "dbtype": "postgres", "dsn": "", "makedelta": False}
    return {**row, **about, "name": name, **values}


def test_databases():
    found = catalog({"FROM bucardo.db": [db(dbname="'My Shop'", host="db1")]}).databases()
    assert found == {"here": DatabaseRecord("here", host="db1", dbname="My Shop", user="bucardo")}


def test_the_login_to_a_database_has_its_password():
    answers = {"SELECT dbpass": [{"dbpass": "s3"}], "FROM bucardo.db": [db(dbname="shop")]}
    assert catalog(answers).conninfo("here").params == {
        "dbname": "shop",
        "user": "bucardo",
        "password": "s3",
    }


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "no database 'here'"),
        ([db(dbtype="mysql")], "not a plain PostgreSQL database"),
        ([db(dsn="dbi:Pg:x")], "not a plain PostgreSQL database"),
        ([db(conn="x='")], "conn of Bucardo's database 'here' cannot be read"),
    ],
)
def test_databases_that_libpq_cannot_reach(rows, text):
    answers = {"SELECT dbpass": [], "FROM bucardo.db": rows}
    with pytest.raises(Refused, match=text):
        catalog(answers).conninfo("here")


def test_a_group_without_members_is_a_group():
    rows = [
        {"name": "a", "db": "here", "role": "source"},
        {"name": "a", "db": "there", "role": "target"},
        {"name": "b", "db": None, "role": None},
    ]
    found = catalog({"FROM bucardo.dbgroup": rows}).dbgroups()
    assert found == {
        "a": Dbgroup("a", {"here": "source", "there": "target"}),
        "b": Dbgroup("b", {}),
    }


def test_relations():
    row = {
        "id": 1,
        "db": "here",
        "schemaname": "public",
        "tablename": "orders",
        "reltype": "table",
        "pkey": "id|line",
        "pkeytype": "integer|text",
        "autokick": None,
        "relgroups": ["r"],
    }
    (goat,) = catalog({"FROM bucardo.goat": [row]}).goats("r")
    assert goat.name == TableName("public", "orders")
    assert goat.key == ("id", "line")
    assert goat.key_types == ("integer", "text")


def test_syncs():
    row = {
        "name": "s",
        "relgroup": "r",
        "dbgroup": "g",
        "status": "inactive",
        "copyextra": "",
        **columns.defaults(columns.SYNC),
        "checktime": "00:01:00",
    }
    found = catalog({"FROM bucardo.sync": [row]}).syncs()
    options = {**columns.defaults(columns.SYNC), "checktime": "00:01:00"}
    assert found == {"s": Sync("s", "r", "g", "inactive", options)}
    assert found["s"].to_result()["status"] == "held"


def test_custom_code_is_one_with_all_its_places():
    row = {"name": "c", "whenrun": "exception", "src_code": "1;", "about": "", "getdbh": True}
    row = {**row, "status": "active", "sync": None, "schemaname": None, "tablename": None}
    rows = [
        {**row, "sync": "s", "active": True, "priority": 3},
        {**row, "schemaname": "public", "tablename": "t", "active": True, "priority": 0},
        {**row, "name": "d", "active": None, "priority": None},
    ]
    found = catalog({"FROM bucardo.customcode": rows}).customcodes()
    assert found["c"].syncs == {"s": (True, 3)}
    assert found["c"].relations == {TableName("public", "t"): (True, 0)}
    assert (found["d"].syncs, found["d"].relations) == ({}, {})


def test_the_words_of_the_last_failed_run_are_one_line():
    assert catalog({"FROM bucardo.syncrun": [{"x": "a\n  b"}]}).last_error("s") == "a b"
    assert catalog({"FROM bucardo.syncrun": []}).last_error("s") == ""


def test_an_interval_that_is_none_names_its_option():
    answers = {"::interval": StatementFailed("invalid input syntax", sqlstate="22007")}
    with pytest.raises(Refused, match=r"checktime: 'often' is not an interval\. Write it like"):
        catalog(answers).interval("checktime", "often")


def test_a_control_database_that_is_to_come_is_empty():
    empty = Catalog(None)
    assert not empty.installed
    assert empty.version == ""
    for read in (
        *(empty.settings, empty.databases, empty.dbgroups, empty.relgroups, empty.goats),
        *(empty.syncs, empty.customcodes, lambda: empty.overrides("customname")),
        lambda: empty.runs("s"),
    ):
        assert not read()
    assert empty.sync("s") is None
    assert empty.stored_password("here") == ""
    assert empty.interval("checktime", "60 s") == "60 s"
    assert empty.daemon.pid() is None
    assert not empty.has_run("s")


def test_nobody_gets_a_session_that_is_not_there():
    with pytest.raises(Refused, match="not installed"):
        Catalog(None).session.value("SELECT 1")

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a task asks for and the catalog holds to a change, and what is seen when it fails."""

from __future__ import annotations

import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import (
    columns,
    customcode,
    databases,
    dbgroups,
    overrides,
    relgroups,
    settings,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName

from ..fake_session import FakeSession

SYNC = {
    **columns.defaults(columns.SYNC),
    "name": "shop",
    "relgroup": "r",
    "dbgroup": "g",
    "status": "active",
    "copyextra": "",
}


def db(name, **values):
    about = {"has_password": False, "dbtype": "postgres", "dsn": "", "makedelta": False}
    return {**columns.defaults(columns.DATABASE), **about, "name": name, **values}


def goat(number=1, name="orders", db="here", relgroups=("r",)):
    return {
        "id": number,
        "db": db,
        "schemaname": "public",
        "tablename": name,
        "reltype": "table",
        "pkey": "id",
        "pkeytype": "integer",
        "autokick": None,
        "relgroups": list(relgroups),
    }


class Catalog(dict):
    """Rows by table of Bucardo's catalog, to be changed while a plan is applied."""

    def control(self):
        tables = ("bucardo_config", "dbgroup", "herd", "goat", "customcode", "customname", "sync")
        answers = {
            f"FROM bucardo.{table}": lambda _params, t=table: self.get(t, ()) for table in tables
        }
        answers["SELECT dbpass"] = lambda _params: self.get("dbpass", [])
        answers["FROM bucardo.db ORDER"] = lambda _params: self.get("db", ())
        # Queries name several tables: the most particular first.
        order = ["FROM bucardo.customname", "FROM bucardo.customcode", "FROM bucardo.goat"]
        session = FakeSession({key: answers[key] for key in [*order, *answers]})
        # The program is told as whom the session is logged in.
        info = types.SimpleNamespace(dbname="bucardo", user="bucardo")
        session.connection = types.SimpleNamespace(info=info)
        return Control(session), session


def run(catalog, plan, **becomes):
    """The change, and what is written when the catalog becomes like that by it."""
    control, session = catalog.control()
    change = plan(control, Scope(check=False))
    before = len(session.ran)
    catalog.update(becomes)
    change.apply()
    return change, [text for text in session.texts[before:] if not text.startswith("SELECT")]


LEVEL = {"name": "log_level", "value": "normal", "default": "normal", "about": ""}
MAIL = {"name": "email_auth_pass", "value": "", "default": "", "about": ""}


def test_settings():
    catalog = Catalog(bucardo_config=[LEVEL, MAIL])
    change, written = run(
        catalog,
        lambda control, scope: settings.plan(control, {"Log_Level": "terse"}, "s3cret"),
        bucardo_config=[{**LEVEL, "value": "terse"}, {**MAIL, "value": "s3cret"}],
    )
    assert change.changed
    assert change.after == {"log_level": "terse", "email_auth_pass": "********"}
    assert "s3cret" not in repr(change)
    assert len(change.commands) == 2
    assert [text.split()[0] for text in written] == ["BEGIN", "UPDATE", "UPDATE", "COMMIT"]


def test_a_setting_that_bucardo_did_not_take():
    catalog = Catalog(bucardo_config=[LEVEL])
    with pytest.raises(CommandFailed, match="did not take the settings log_level"):
        run(catalog, lambda control, scope: settings.plan(control, {"log_level": "terse"}, None))


def test_settings_of_a_control_database_to_come():
    change = settings.plan(Control(None), {"anything": 3}, None)
    assert (change.changed, change.after) == (True, {"anything": "3"})


HERE = {"name": "g", "db": "here", "role": "source"}
THERE = {"name": "g", "db": "there", "role": "source"}
BOTH = {"here": "source", "there": "source"}


def group(members, exclusive=True, joined=lambda members: None, scope=None):
    return lambda control, own: dbgroups.plan(
        control, scope or own, "g", members, exclusive, joined
    )


def test_a_member_leaves_a_group_that_a_sync_uses():
    catalog = Catalog(dbgroup=[HERE, THERE], db=[db("here"), db("there")], sync=[SYNC])
    control, _session = catalog.control()
    change = group({"here": "source"})(control, Scope(check=False))
    assert change.changed
    assert "there leaves dbgroup g, which sync shop uses" in change.warnings[0]


def test_an_unknown_member_is_refused_and_in_a_check_is_one_to_come():
    catalog = Catalog(db=[db("here")])
    control, _session = catalog.control()
    with pytest.raises(Refused, match="Bucardo has no database 'ther'"):
        group({"ther": "source"})(control, Scope(check=False))
    assert group(BOTH)(control, Scope(check=True)).after["members"] == BOTH


def test_a_group_that_stays_is_left_alone():
    catalog = Catalog(dbgroup=[HERE, THERE], db=[db("here"), db("there")])
    change, written = run(catalog, group(BOTH))
    assert (change.changed, change.commands, written) == (False, [], [])


def test_a_group_goes_only_when_no_sync_uses_it():
    control, _session = Catalog(dbgroup=[HERE], sync=[SYNC]).control()
    with pytest.raises(Refused, match=r"dbgroup g is used by the sync shop"):
        dbgroups.plan_absent(control, "g")
    control, _session = Catalog(dbgroup=[HERE]).control()
    assert not dbgroups.plan_absent(control, "other").changed


def test_a_relgroup_loses_what_is_not_named():
    catalog = Catalog(herd=[{"name": "r"}], goat=[goat(1), goat(2, "items")], sync=[SYNC])
    request = relgroups.Request.of("r", "here", {"tables": [], "sequences": None}, True)
    change, written = run(
        catalog, lambda control, scope: relgroups.plan(control, scope, request), goat=[]
    )
    assert change.values["removed"] == ["public.items", "public.orders"]
    assert change.values["syncs"] == ["shop"]
    assert [text.split()[0] for text in written] == [
        *("BEGIN", "LOCK", "INSERT", "DELETE", "DELETE", "COMMIT")
    ]


def test_a_relgroup_of_a_database_to_come():
    control, _session = Catalog().control()
    request = relgroups.Request.of("r", "here", {"tables": ["orders"], "sequences": None}, False)
    change = relgroups.plan(control, Scope(check=True), request)
    assert change.values["added"] == ["public.orders"]
    with pytest.raises(Refused, match="db: Bucardo has no database 'here'"):
        relgroups.plan(control, Scope(check=False), request)


def test_a_relgroup_goes_only_when_no_sync_uses_it():
    control, _session = Catalog(herd=[{"name": "r"}], sync=[SYNC]).control()
    with pytest.raises(Refused, match="relgroup r is used by the sync shop"):
        relgroups.plan_absent(control, "r")


PLACE = overrides.Place("customname", "newname", TableName("public", "orders"), "", "there", "")
ROW = {
    "id": 3,
    "relation_db": "here",
    "schemaname": "public",
    "tablename": "orders",
    "value": "old",
    "db": "there",
    "sync": "",
}


def test_a_row_takes_the_place_of_another_and_nobody_would_use_it():
    catalog = Catalog(goat=[goat()], customname=[ROW], db=[db("here"), db("there")])
    change, written = run(
        catalog,
        lambda control, scope: overrides.plan(control, scope, PLACE, "new"),
        customname=[{**ROW, "value": "new"}],
    )
    assert (change.before["newname"], change.after["newname"]) == ("old", "new")
    assert [text.split()[0] for text in written] == ["BEGIN", "DELETE", "INSERT", "COMMIT"]
    assert "Bucardo ignores it for sources" in change.warnings[0]


def test_what_was_not_written_is_an_error():
    catalog = Catalog(goat=[goat()], db=[db("there")])
    with pytest.raises(CommandFailed, match="does not hold the customname as asked"):
        run(catalog, lambda control, scope: overrides.plan(control, scope, PLACE, "new"))


def test_what_is_not_there_is_not_removed():
    control, _session = Catalog(goat=[goat()]).control()
    assert not overrides.plan(control, Scope(check=False), PLACE, None).changed
    assert not overrides.plan(Control(None), Scope(check=True), PLACE, None).changed


CODE = {"whenrun": "exception", "about": None, "getdbh": None, "status": None}


def code(**more):
    given = {
        "name": "c",
        "source": "1;",
        "columns": CODE,
        "sync": None,
        "relation": None,
        "relation_db": "",
        "priority": 0,
        "validate": False,
    }
    return customcode.Request(**{**given, **more})


def test_code_of_a_sync_that_is_not_there():
    control, _session = Catalog(sync=[SYNC]).control()
    with pytest.raises(Refused, match=r"no sync 'shopp'\. Did you mean shop"):
        customcode.plan(control, Scope(check=False), code(sync="shopp"))
    change = customcode.plan(Control(None), Scope(check=True), code(sync="shopp"))
    assert change.values["customcode"]["syncs"] == ["shopp"]


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(Refused, match="src_file: cannot read"):
        customcode.read_source(str(tmp_path / "missing"))


def request(**more):
    options = {**dict.fromkeys(columns.DATABASE), "name": "here", "dbname": "shop"}
    return databases.Request({**options, **more}, validate=False)


def test_a_database_that_changes_needs_a_restart_and_a_new_one_does_not():
    catalog = Catalog(db=[db("here", dbname="shop")])
    change, written = run(
        catalog,
        lambda control, scope: databases.plan(control, request(host="db2")),
        db=[db("here", dbname="shop", host="db2")],
    )
    assert change.values["restart_required"]
    assert (change.before["host"], change.after["host"]) == ("", "db2")
    assert [text.split()[0] for text in written] == ["BEGIN", "UPDATE", "COMMIT"]
    control, _session = Catalog().control()
    assert not databases.plan(control, request()).values["restart_required"]


def test_a_database_that_stays_is_left_alone():
    change, written = run(
        Catalog(db=[db("here", dbname="shop")]),
        lambda control, scope: databases.plan(control, request()),
    )
    assert (change.changed, change.commands, written) == (False, [], [])


def test_a_password_is_compared_and_never_shown():
    catalog = Catalog(db=[db("here", dbname="shop")], dbpass=[{"dbpass": "s3cret"}])
    control, _session = catalog.control()
    options = request().options
    same = databases.plan(control, databases.Request(options, "s3cret", validate=False))
    assert not same.changed
    other = databases.plan(control, databases.Request(options, "0ther", validate=False))
    assert other.after["password"] == "******** (changed)"
    assert "0ther" not in repr(other) + repr(other.work)


def test_a_database_goes_only_when_nothing_uses_it():
    used = Catalog(db=[db("here")], dbgroup=[HERE], sync=[SYNC])
    with pytest.raises(Refused, match="database here is used by the sync shop"):
        databases.plan_absent(used.control()[0], "here")
    known = Catalog(db=[db("here")], goat=[goat()])
    with pytest.raises(Refused, match="knows 1 relations of database here, in the relgroup r"):
        databases.plan_absent(known.control()[0], "here")
    assert not databases.plan_absent(Catalog().control()[0], "here").changed


def test_several_databases_are_one_change():
    catalog = Catalog(db=[db("here", dbname="shop")])
    control, _session = catalog.control()
    change = databases.together(
        {
            "here": databases.plan(control, request()),
            "there": databases.plan(control, request(name="there")),
        }
    )
    assert change.changed
    assert set(change.values["databases"]) == {"here", "there"}
    assert not change.values["restart_required"]
    assert len(change.commands) == 1

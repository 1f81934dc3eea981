# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of one master, and what is made there."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Goat
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    SyncKey,
    TableName,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import locks
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import master as sync_master
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.master import OpenMaster
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import plan, truncate

from ..fake_session import FakeSession, text_of

KEY = SyncKey("shop", "group")
ORDERS, ITEMS = TableName("public", "orders"), TableName("public", "items")
GOATS = [Goat(1, "here", ORDERS, key=("id",)), Goat(2, "here", ITEMS, key=("id", "code"))]


def table(name=ORDERS, oid=100, **values):
    given = {"key": (plan.KeyColumn("id", "integer"),), "wanted_key": ("id",), **values}
    return plan.TableState(name, oid, "r", str(name), **given)


def need(name=ORDERS, oid=100, **values):
    return plan.TableNeed(table(name, oid), **values)


def master(answers=None, role="bucardo", version=150000):
    session = FakeSession(answers, server_version=version)
    made = OpenMaster("here", session, role)
    assert session.texts == ["SET search_path = pg_catalog"]
    session.ran.clear()
    return made, session


ROW = {"schema": "public", "oid": 100, "kind": "r"}
COLLATED = [["id", "integer", None, None], ["code", "text", "public", "german"]]


class TestRead:
    def answers(self, **more):
        return {
            "AS m (s text, t text, k json)": [
                {**ROW, "name": "orders", "quoted": "public.orders", "key": COLLATED[:1]},
                {**ROW, "name": "items", "quoted": "public.items", "key": COLLATED},
            ],
            "to_regclass('bucardo.bucardo_delta_targets')": [{"is": False}],
            "WITH equality": [],
            "SELECT c.relname, c.relkind": [],
            "SELECT DISTINCT p.proname": [],
            "p.prosrc AS body": [],
            "oid::regprocedure::text": [],
            **more,
        }

    def test_a_master_that_has_nothing_yet(self):
        made, session = master(self.answers())
        state = made.read(GOATS, KEY)
        assert [one.name for one in state.tables] == [ITEMS, ORDERS]
        items, orders = state.tables
        assert items.key[1].collation == ("public", "german")
        assert (orders.key[0].name, orders.key[0].collation) == ("id", None)
        assert items.wanted_key == ("id", "code")
        assert not orders.found.is_known
        assert (state.targets, state.registered, state.unsearched) == (set(), set(), ())
        # The registries are there no sooner than Bucardo's own schema.
        assert not any("FROM bucardo." in text for text in session.texts)

    def test_one_that_is_enrolled(self):
        name, function = next(iter(truncate.FUNCTIONS.items()))
        relations = [
            {"relname": one, "relkind": "r"}
            for one in ("bucardo_delta_targets", "bucardo_delta_names", "delta_public_orders")
        ]
        body = [
            {
                "name": function.name,
                "body": function.body,
                "definer": function.definer,
                "settings": list(function.settings),
            },
            *(
                {"name": x.name, "body": "old", "definer": True, "settings": list(x.settings)}
                for x in truncate.FUNCTIONS.values()
                if x != function
            ),
        ]
        made, session = master(
            self.answers(
                **{
                    "SELECT c.relname, c.relkind": relations,
                    "SELECT tablename::bigint": [{"oid": 100}],
                    "SELECT tablename FROM bucardo.bucardo_delta_names": [{"n": "public.orders"}],
                    "SELECT DISTINCT p.proname": [{"name": "delta_public_orders"}],
                    "p.prosrc AS body": body,
                    "oid::regprocedure::text": [{"f": "bucardo.bucardo_purge_delta(text)"}],
                }
            )
        )
        state = made.read(GOATS, KEY)
        assert state.relations["delta_public_orders"] == "r"
        assert (state.targets, state.registered) == ({100}, {"public.orders"})
        assert state.functions == {"delta_public_orders"}
        # Of our own functions only those with today's text.
        assert state.current == {function.name}, name
        assert state.unset_functions == ("bucardo.bucardo_purge_delta(text)",)
        params = {ran.text.split(" WHERE")[0]: ran.params for ran in session.ran}
        assert params["SELECT tablename::bigint FROM bucardo.bucardo_delta_targets"] == (
            "dbgroup group",
        )
        assert params["SELECT tablename FROM bucardo.bucardo_delta_names"] == ("shop",)

    @pytest.mark.parametrize(
        ("role", "path", "unsearched"),
        [("bucardo", '"$user", public', ("ext",)), ("bucardo", "public, ext", ()), ("", "", ())],
    )
    def test_operators_of_keys_must_be_where_bucardo_s_role_looks(self, role, path, unsearched):
        found = {
            "schema": "public",
            "name": "orders",
            "keys": None,
            "columns": None,
            "equals": {"id": ["ext", "="]},
            "triggers": None,
            "delta": None,
            "grows": None,
            "function": None,
            "older": None,
            "is_known": False,
            "is_child": False,
        }
        made, _session = master(
            self.answers(**{"WITH equality": [found], "pg_db_role_setting": [{"path": path}]}), role
        )
        assert made.read(GOATS, KEY).unsearched == unsearched


def test_one_run_at_a_time_changes_a_master():
    made, session = master({"pg_advisory_lock": [{"got": ""}]})
    with made.alone():
        assert any("pg_advisory_lock" in text for text in session.texts)
    busy = StatementFailed("canceling statement due to lock timeout", sqlstate="55P03")
    made, _session = master({"pg_advisory_lock": busy})
    with pytest.raises(Refused, match="Another run is changing the objects"), made.alone():
        pass


class TestMake:
    def test_many_objects_go_in_few_messages_each_as_bucardo_s_role(self, monkeypatch):
        monkeypatch.setattr(sync_master, "_CHUNK", 2)
        made, session = master()
        needed = [need(TableName("public", f"t{n}"), n, objects=("delta_",)) for n in range(3)]
        made.make_objects([*needed, need(triggers=("bucardo_delta",))])
        assert len(session.ran) == 2
        assert all(text.startswith('SET LOCAL ROLE "bucardo";') for text in session.texts)
        assert [text.count("CREATE TABLE") for text in session.texts] == [2, 1]
        assert "orders" not in "".join(session.texts)

    def test_functions_only_where_some_are_missing(self):
        made, session = master()
        made.make_functions([])
        assert session.ran == []
        made.make_functions(list(truncate.FUNCTIONS.values()))
        assert session.texts[0].count("CREATE OR REPLACE FUNCTION") == len(truncate.FUNCTIONS)

    def test_registration(self):
        made, session = master()
        needed = [need(target=True), need(ITEMS, 101, target=True, discard=True), need(oid=102)]
        made.register(needed, "group")
        cleared, registered = session.ran
        assert cleared.text.startswith("DELETE FROM bucardo.bucardo_truncate_trigger")
        assert cleared.params == ([100, 101],)
        # What is to be discarded is registered with the work that discards it.
        assert registered.text.startswith("INSERT INTO bucardo.bucardo_delta_targets")
        assert registered.params == {"oids": [100], "target": "dbgroup group"}
        session.ran.clear()
        made.register([need()], "group")
        assert session.ran == []

    @pytest.mark.parametrize("version", [130000, 150000])
    def test_triggers_that_keep_readers_out_are_made_table_by_table(self, monkeypatch, version):
        ran = []

        def run_locked(session, jobs, mode, policy, role, largest):
            ran.append((mode, largest, role, [str(job.table) for job in jobs]))
            return locks.LockReport(batches=len(jobs))

        monkeypatch.setattr(sync_master.locks, "run_locked", run_locked)
        made, _session = master(version=version)
        needed = [
            need(triggers=("bucardo_delta",)),
            need(ITEMS, 101, triggers=("bucardo_delta",), replaced=("bucardo_delta",)),
            need(TableName("public", "fine"), 102),
        ]
        wanted = statements.Wanted(KEY, True, truncate.DELETE)
        report = made.make_triggers(needed, wanted, locks.LockPolicy())
        assert report.batches == 2
        alone, together = ran
        assert alone[:3] == (locks.ACCESS_EXCLUSIVE, 1, "bucardo")
        assert together[:3] == (locks.SHARE_ROW_EXCLUSIVE, locks.BATCH_MAX, "bucardo")
        dropped = ["public.items"] if version < 140000 else []
        both = ["public.orders", "public.items"]
        assert (alone[3], together[3]) == (dropped, [one for one in both if one not in dropped])

    def test_functions_are_given_a_path(self):
        made, session = master({"oid::regprocedure::text": [{"f": "bucardo.bucardo_x(text)"}]})
        made.configure_functions()
        assert session.texts[1:] == [
            "ALTER FUNCTION bucardo.bucardo_x(text) SET search_path = pg_catalog, pg_temp"
        ]

    def test_what_is_noted_of_tables_that_are_gone_is_swept(self):
        made, session = master()
        made.sweep()
        assert session.texts[0].count("DELETE FROM bucardo.bucardo_") == 2

    def test_the_path_of_bucardo_s_role_is_extended_only_where_it_must(self):
        made, session = master(
            {"pg_db_role_setting": [{"path": "public"}], "current_database()": [{"d": "app"}]}
        )
        made.extend_path(())
        assert session.ran == []
        made.extend_path(("ext",))
        assert session.texts[-1] == (
            'ALTER ROLE "bucardo" IN DATABASE "app" SET search_path = "public", "ext"'
        )


class TestProbe:
    def test_it_is_made(self):
        made, session = master()
        made.make_probe()
        assert session.texts == ["; ".join(map(text_of, statements.probe()))]

    @pytest.mark.parametrize("there", [True, False])
    def test_whether_one_was_left_behind(self, there):
        made, _session = master({"to_regclass(%s)": [{"r": "x" if there else None}]})
        assert made.has_probe() is there

    def test_it_goes_and_a_schema_that_holds_more_stays(self):
        made, session = master(
            {
                "IS NOT NULL AS targets": [{"targets": True, "names": False}],
                "DROP SCHEMA": StatementFailed("cannot drop schema", sqlstate="2BP01"),
            }
        )
        made.drop_probe()
        assert "bucardo_delta_targets" in session.texts[1]
        assert "bucardo_delta_names" not in session.texts[1]
        assert session.texts[2].endswith("RESTRICT")

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which masters are opened, and when a daemon is told."""

from __future__ import annotations

import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    BucardoSetting,
    DatabaseRecord,
    Dbgroup,
    Goat,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import keeper
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.keeper import Keeper, Terms
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.master import OpenMaster

from ..fake_session import FakeSession

MASTERS = Dbgroup("group", {"here": "source", "there": "source", "copy": "target"})
GOATS = [Goat(1, "here", TableName("public", "orders"), key=("id",))]


class Daemon:
    def __init__(self, pid=7):
        self._pid, self.told = pid, []

    def pid(self):
        return self._pid

    def reload(self, timeout, masters):
        self.told.append([one.conninfo.name for one in masters])
        return True


def database(name, status="active"):
    known = {**columns.defaults(columns.DATABASE), "status": status, "user": "bucardo"}
    return DatabaseRecord(
        name=name, has_password=False, dbtype="postgres", dsn="", makedelta=False, **known
    )


@pytest.fixture(name="made")
def _made(monkeypatch):
    def _open(login):
        if login.name in down:
            raise ConnectionFailed(f"Cannot connect to {login.name}", "Start it.")
        opened.append(login.name)
        return FakeSession({"WITH ours AS": [], "pg_advisory_lock": [{"got": ""}]}, login.name)

    opened, down = [], set()
    monkeypatch.setattr(keeper, "Session", _open)

    def _keeper(*, unreachable=(), inactive=(), pid=7, settings=(), check=False, **terms):
        down.update(unreachable)
        names = ("here", "there", "copy")
        control = types.SimpleNamespace(
            daemon=Daemon(pid),
            session=FakeSession(name="control"),
            databases=lambda: {
                name: database(name, "inactive" if name in inactive else "active") for name in names
            },
            dbgroups=lambda: {"group": MASTERS},
            login=lambda name, given: (
                given.get(name) or ConnInfo(name, {"host": f"as Bucardo to {name}"})
            ),
            settings=lambda: {
                name: BucardoSetting(name=name, value=value, default="", about="")
                for name, value in settings
            },
        )
        return Keeper(control, Scope(check=check), {}, Terms(**terms)), opened

    return _keeper


class TestMasters:
    def test_sources_are_opened_and_others_kept_away_from_them(self, made):
        one, opened = made()
        warnings = []
        found = one.masters(MASTERS, warnings)
        assert (list(found), opened, warnings) == (["here", "there"], ["here", "there"], [])
        assert found["here"].role == "bucardo"
        assert any("pg_advisory_lock" in text for text in found["here"].session.texts)

    def test_a_check_keeps_nobody_away(self, made):
        one, _opened = made(check=True)
        session = one.masters(MASTERS, [])["here"].session
        assert not any("pg_advisory_lock" in text for text in session.texts)

    def test_no_group_and_one_that_is_only_copied_as_a_whole_have_none(self, made):
        one, opened = made()
        assert one.masters(None, []) == {}
        assert one.masters(Dbgroup("g", {"here": "source", "x": "fullcopy"}), []) == {}
        assert opened == []

    def test_an_inactive_database_is_left_alone_and_named(self, made):
        one, opened = made(inactive=["there"])
        warnings = []
        one.masters(MASTERS, warnings)
        assert (opened, warnings) == (["here"], ["Database there is inactive and is left alone."])

    def test_half_of_a_sync_is_none(self, made):
        one, _opened = made(unreachable=["there"])
        with pytest.raises(ConnectionFailed, match="Cannot connect to there") as caught:
            one.masters(MASTERS, [])
        assert caught.value.cure == "Start it. Every master of the sync must be reachable."

    def test_to_hold_a_sync_those_that_answer_are_enough(self, made):
        one, _opened = made(unreachable=["there"])
        assert list(one.reachable("group")) == ["here"]
        assert one.reachable("gone") == {}


class TestReload:
    def test_a_running_daemon_is_told_unless_the_user_does_not_want_it(self, made):
        one, _opened = made()
        assert one.reload()
        assert one.disturbs(True)
        assert not one.disturbs(False)
        quiet, _opened = made(reload=False)
        assert not quiet.reload()
        assert not quiet.disturbs(True)
        assert quiet.control.daemon.told == []
        stopped, _opened = made(pid=None)
        assert not stopped.disturbs(True)

    def masters(self, columns):
        answers = {
            "to_regclass('multimaster.loaded')": [{"is": True}],
            "SELECT columns FROM multimaster.loaded": [{"columns": columns}],
            "AS m (s text, t text)": [{"s": "public", "t": "orders", "oid": 1, "columns": "[]"}],
        }
        return {"here": OpenMaster("here", FakeSession(answers, "here"), "bucardo")}

    def test_what_the_tables_looked_like_is_read_before_and_remembered_after(self, made):
        one, _opened = made()
        masters = self.masters("older")
        assert one.outdated(masters, GOATS, "shop")
        assert one.reload_tables(masters, GOATS, "shop")
        assert one.control.daemon.told == [["here"]]
        insert = masters["here"].session.ran[-1]
        assert insert.text.startswith("INSERT INTO multimaster.loaded")
        # And then the daemon knows them.
        assert not one.outdated(self.masters(insert.params[1]), GOATS, "shop")

    def test_without_a_reload_nothing_is_remembered(self, made):
        one, _opened = made(reload=False)
        masters = self.masters("older")
        masters["here"].session.ran.clear()
        assert not one.outdated(masters, GOATS, "shop")
        assert not one.reload_tables(masters, GOATS, "shop")
        assert not one.keep_still("shop", {}, True)
        assert masters["here"].session.ran == []


class TestPurging:
    def purging(self, made, lives, status="active", **facts):
        one, _opened = made(**facts)
        asked = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keeper.purge, "lives", lambda sessions, wait: asked.append(wait) or lives)
            sync = Sync("shop", "tables", "group", status)
            return one.purging(sync, {}), one.purging(sync, {}, patient=True), asked

    @pytest.mark.parametrize("lives", [True, False])
    def test_what_an_active_sync_replicates_must_be_purged(self, made, lives):
        settings = [("mcp_vactime", "10"), ("vac_run", "30"), ("vac_sleep", "120")]
        first, second, (at_once, patient) = self.purging(made, lives, settings=settings)
        assert (first, second) == (lives, lives)
        assert at_once == 0 < patient

    @pytest.mark.parametrize(
        "facts", [{"status": "inactive"}, {"settings": [("bucardo_vac", "0")]}]
    )
    def test_where_nothing_has_to_be_purged_nobody_is_asked(self, made, facts):
        assert self.purging(made, False, **facts) == (True, True, [])

    def test_without_a_daemon_nobody_purges(self, made):
        assert self.purging(made, True, pid=None) == (False, False, [])

    def test_nor_where_there_is_no_sync(self, made):
        assert made()[0].purging(None, {})

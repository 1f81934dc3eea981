# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight makes of the rows that tell of a master's server."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    Address,
    Database,
    Server,
    Setting,
    SurveyedMaster,
    Wanted,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import (
    master as survey_master,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import queries
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.master import (
    read_server,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.reader import (
    Reader,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

SERVER = {
    "dbname": "shop",
    "version": 150012,
    "identity": "7/1",
    "in_recovery": False,
    "read_only": False,
    "free_connections": 90,
    "lock_slots": 6400,
    "session_libraries": "",
    "data_directory": "",
    "databases": ["shop"],
    "tablespaces": ["pg_default"],
}
ROLE = {
    "name": "postgres",
    "superuser": True,
    "can_login": True,
    "connections": -1,
    "expired": False,
    "may_set_replica": True,
    "is_login": True,
}
ROLES = "FROM pg_catalog.pg_roles WHERE rolname IN"


def read(answers: dict[str, t.Any], **server: t.Any) -> tuple[Server, FakeSession]:
    usual = {
        queries.SERVER: [{**SERVER, **server}],
        "clock_timestamp": [{"now": 0.0}],
        ROLES: [ROLE],
    }
    # What is asked in addition finds nothing.
    session = FakeSession({**usual, **answers, "": []})
    conninfo = ConnInfo("here", {"host": "db1", "dbname": "shop"})
    dbname, found = read_server(Reader(session), conninfo, Wanted(), "")
    assert dbname == "shop"
    return found, session


def test_a_server_as_it_is() -> None:
    found, _session = read({})
    assert (found.version, found.major, found.identity) == (150012, 15, "7/1")
    assert (found.login.name, found.bucardo_role, found.free_bytes) == ("postgres", None, None)


def test_the_session_cannot_write_from_the_first_answer_on() -> None:
    _found, session = read({})
    assert "set_config('default_transaction_read_only', 'on', false)" in session.texts[1]


def test_bucardos_role_is_told_from_the_login() -> None:
    bucardo = {**ROLE, "name": "bucardo", "superuser": False, "is_login": False}
    found, _session = read({ROLES: [ROLE, bucardo]})
    assert found.login.name == "postgres"
    assert found.bucardo_role
    assert not found.bucardo_role.superuser


def test_the_right_to_switch_triggers_off_is_asked_for_where_it_can_be_granted() -> None:
    for version, asked in ((140000, False), (150000, True)):
        _found, session = read({}, version=version)
        assert any("has_parameter_privilege" in text for text in session.texts) is asked


def test_files_are_read_by_a_superuser_only() -> None:
    answers = {
        queries.ROLE_SETTINGS: [
            {"name": "lock_timeout", "value": "3s", "role": "bucardo", "database": ""}
        ],
        queries.FILE_SETTINGS: [{"name": "statement_timeout", "value": "30s"}],
    }
    found, _session = read(answers)
    assert found.settings == (
        Setting("lock_timeout", "3s", role="bucardo"),
        Setting("statement_timeout", "30s"),
    )
    found, _session = read({**answers, ROLES: [{**ROLE, "superuser": False}]})
    assert [one.name for one in found.settings] == ["lock_timeout"]


class TestWholeMaster:
    """By which sessions one master is read, and what stands for what could not be."""

    OPTIONS: t.ClassVar[dict[str, t.Any]] = {
        "name": "here",
        "origin": True,
        "login_host": "db1",
        "login_port": 5433,
        "login_db": "shop",
        "maintenance_db": "admin",
    }

    def read(
        self,
        monkeypatch: pytest.MonkeyPatch,
        sessions: dict[str, t.Any],
        database: t.Any = None,
    ) -> tuple[SurveyedMaster, list[str]]:
        """
        :param sessions: what opening each database gives.
        :param database: what reading it gives.
        """
        opened: list[str] = []

        def session(conninfo: ConnInfo) -> t.Any:
            opened.append(conninfo.dbname)
            found = sessions[conninfo.dbname]
            if isinstance(found, BaseException):
                raise found
            return found

        def read_database(*_given: t.Any) -> t.Any:
            if isinstance(database, BaseException):
                raise database
            return database

        monkeypatch.setattr(survey_master.pg, "Session", session)
        monkeypatch.setattr(survey_master, "read_database", read_database)
        monkeypatch.setattr(survey_master.addresses, "read_address", lambda *_given: Address())
        return survey_master.read_master(self.OPTIONS, Wanted()), opened

    def session(self, databases: t.Sequence[str] = ("shop",)) -> FakeSession:
        moments = iter([{"count": 1000, "clock": 10.0}, {"count": 1100, "clock": 10.5}])
        answers = {
            queries.SERVER: [{**SERVER, "databases": list(databases)}],
            "txid_snapshot_xmax": lambda _params: [next(moments)],
            "clock_timestamp": [{"now": 0.0}],
            ROLES: [ROLE],
            "": [],
        }
        return FakeSession(answers)

    def test_its_server_and_its_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shop = Database("shop")
        found, opened = self.read(monkeypatch, {"shop": self.session()}, shop)
        assert (found.name, found.origin, found.host, found.port) == ("here", True, "db1", "5433")
        assert (found.error, found.database, opened) == ("", shop, ["shop"])
        assert found.server is not None
        assert found.server.writes == 200

    def test_one_whose_database_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        missing = ConnectionFailed("Cannot connect to here: no such database")
        found, opened = self.read(
            monkeypatch, {"shop": missing, "admin": self.session(databases=["admin"])}
        )
        assert opened == ["shop", "admin"]
        assert (found.error, found.database) == ("", None)
        assert found.server is not None

    @pytest.mark.parametrize("there", [True, False])
    def test_but_not_where_it_is_there_or_nobody_tells(
        self, monkeypatch: pytest.MonkeyPatch, there: bool
    ) -> None:
        refused = ConnectionFailed("Cannot connect to here: wrong password")
        other = self.session(databases=["shop"]) if there else refused
        found, opened = self.read(monkeypatch, {"shop": refused, "admin": other})
        assert opened == ["shop", "admin"]
        assert (found.error, found.server) == ("Cannot connect to here: wrong password", None)

    def test_a_server_that_does_not_answer_is_not_asked_twice(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(survey_master, "_SLOW_FAILURE", -1.0)
        found, opened = self.read(monkeypatch, {"shop": ConnectionFailed("timeout expired")})
        assert (found.error, opened) == ("timeout expired", ["shop"])

    def test_a_database_that_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found, _opened = self.read(
            monkeypatch, {"shop": self.session()}, StatementFailed("permission denied")
        )
        assert (found.error, found.database) == ("permission denied", None)
        assert found.server is not None

    def test_a_pooler(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found, _opened = self.read(monkeypatch, {"shop": survey_master.pg.Pooled("a pooler")})
        assert found.address.pooled
        assert (found.error, found.server) == ("", None)

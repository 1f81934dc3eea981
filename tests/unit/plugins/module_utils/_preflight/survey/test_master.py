# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight makes of the rows that tell of a master's server."""

from __future__ import annotations

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    Server,
    Setting,
    Wanted,
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

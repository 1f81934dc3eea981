# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control database that is not there: an error for a run, and empty for a check that may come
before it is made. No word of the server's decides, which may speak any language."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    Refused,
)

from ..fake_session import FakeSession

INSTALLED = "to_regclass('bucardo.bucardo_config')"
FAILED = ConnectionFailed("FATAL: Datenbank »bucardo« existiert nicht")
REMOTE = {"login_host": "db1.example.com"}


@pytest.fixture
def server(monkeypatch):
    """Let sessions be what a function of the login returns or raises."""

    def _server(answer):
        def session(conninfo):
            found = answer(conninfo)
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.delenv("PGHOST", raising=False)
        monkeypatch.setattr(connect, "Session", session)
        ask = connect.connect_if_exists
        monkeypatch.setattr(connect, "connect_if_exists", lambda c, m: ask(c, m, session))

    return _server


def test_one_that_is_there(server):
    session = FakeSession({INSTALLED: [{"r": True}]})
    server(lambda conninfo: session)
    with Scope(check=False) as scope:
        assert connect.connect({}, scope).installed
        assert not session.closed
    assert session.closed


def test_a_database_without_bucardo(server):
    server(lambda conninfo: FakeSession({INSTALLED: [{"r": False}]}))
    with pytest.raises(Refused, match="Bucardo is not installed"):
        connect.connect({}, Scope(check=False))
    assert not connect.connect({}, Scope(check=True)).installed


@pytest.mark.parametrize("login", [{}, {"login_unix_socket": "/run/postgresql"}])
def test_on_this_host_anything_may_still_be_made(server, login):
    server(lambda conninfo: FAILED)
    with pytest.raises(ConnectionFailed):
        connect.connect(login, Scope(check=False))
    assert not connect.connect(login, Scope(check=True)).installed


@pytest.mark.parametrize(("exists", "comes"), [([], True), ([{"r": 1}], False)])
def test_elsewhere_the_server_is_asked_whether_the_database_is_there(server, exists, comes):
    def answer(conninfo):
        return FakeSession({"pg_database": exists}) if conninfo.dbname == "postgres" else FAILED

    server(answer)
    if comes:
        assert not connect.connect(REMOTE, Scope(check=True)).installed
    else:
        with pytest.raises(ConnectionFailed, match="existiert nicht"):
            connect.connect(REMOTE, Scope(check=True))


def test_elsewhere_a_server_that_does_not_answer_is_an_error(server):
    server(lambda conninfo: FAILED)
    with pytest.raises(ConnectionFailed):
        connect.connect(REMOTE, Scope(check=True))

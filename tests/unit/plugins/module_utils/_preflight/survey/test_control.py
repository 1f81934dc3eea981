# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which ways the control database is looked for, and what is read of it."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import Wanted
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import control

from ...fake_session import FakeSession

INSTALLED = "to_regclass('bucardo.bucardo_config')"


@pytest.fixture(name="site")
def _site(monkeypatch):
    """Asks for the control database where only some ways in are open."""
    tried = []

    def _read(options=None, *, ways=(), answers=None, root=False, users=("bucardo", "postgres")):
        def _open(conninfo):
            way = (conninfo.params.get("user", ""), conninfo.dbname)
            tried.append(way)
            if way not in ways:
                raise ConnectionFailed(f"Cannot connect as {way[0]} to {way[1]}")
            return FakeSession({**(answers or {}), "": []})

        monkeypatch.setattr(control.pg, "Session", _open)
        monkeypatch.setattr(control.os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(control, "home_of", lambda user: "/home" if user in users else "")
        monkeypatch.setattr(control, "_as_os_user", lambda name: control.contextlib.nullcontext())
        monkeypatch.setattr(control.addresses, "password_differs", lambda session, wanted: None)
        tried.clear()
        return control.read_control(options or {}, Wanted()), tried

    return _read


TOLD = {"login_host": "control.example", "login_user": "postgres"}
KNOWN = {
    "pg_available_extensions": [{"there": True}],
    "pg_catalog.pg_namespace": [{"there": False}],
}


def test_as_told_and_by_no_other_way(site):
    found, tried = site(TOLD, root=True)
    assert tried == [("postgres", "bucardo"), ("postgres", "postgres")]
    # Of what was tried first.
    assert found.error == "Cannot connect as postgres to bucardo"
    assert not found.installed


def test_root_tries_the_users_that_may_over_the_local_socket(site):
    _found, tried = site(root=True)
    assert tried == [
        ("bucardo", "bucardo"),
        ("postgres", "bucardo"),
        ("bucardo", "postgres"),
        ("postgres", "postgres"),
    ]
    _found, tried = site(root=True, users=("postgres",))
    assert tried == [("postgres", "bucardo"), ("postgres", "postgres")]
    _found, tried = site(root=True, users=())
    assert tried == [("", "bucardo"), ("", "postgres")]
    # Others are whoever they are.
    _found, tried = site()
    assert tried == [("", "bucardo"), ("", "postgres")]


def test_a_server_without_the_database_tells_whether_it_could_be_made(site, monkeypatch):
    monkeypatch.setattr(control, "is_installed", lambda session: False)
    found, _tried = site(TOLD, ways=[("postgres", "postgres")], answers=KNOWN)
    assert (found.error, found.installed, found.plperlu) == ("", False, True)


def test_what_is_installed_is_read(site, monkeypatch):
    monkeypatch.setattr(control, "is_installed", lambda session: True)
    answers = {**KNOWN, "bucardo_version": [{"setting": "5.6.0"}]}
    found, tried = site(TOLD, ways=[("postgres", "bucardo")], answers=answers)
    assert tried == [("postgres", "bucardo")]
    assert (found.installed, found.bucardo_version, found.goats) == (True, "5.6.0", ())


def test_what_cannot_be_read_is_an_error_and_no_absence(site, monkeypatch):
    monkeypatch.setattr(control, "is_installed", lambda session: True)
    refused = StatementFailed("permission denied for schema bucardo")
    found, _tried = site(
        TOLD, ways=[("postgres", "bucardo")], answers={**KNOWN, "bucardo_version": refused}
    )
    assert found.error == "permission denied for schema bucardo"


def test_options_that_are_refused_are_not_tried(site):
    found, tried = site({"connect_params": {"password": "secret"}})
    assert found.error
    assert tried == []


def test_the_local_socket_is_local():
    assert control.is_local(ConnInfo("c", {"dbname": "bucardo"}))

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose logins are tried on this host, and what is said of them."""

from __future__ import annotations

import dataclasses
import os
import pwd

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    ConnectionFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    Database,
    Login,
    SurveyedMaster,
    Wanted,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import host

ME = pwd.getpwuid(os.geteuid()).pw_name
OPTIONS = [
    {"name": name, "login_host": name, "login_db": "shop", "maintenance_db": "postgres"}
    for name in ("here", "there")
]


def master(name, **values):
    return SurveyedMaster(name, dbname="shop", server=object(), **values)


FOUND = (master("here", database=Database("shop")), master("there"))


@pytest.fixture(autouse=True)
def _programs(monkeypatch):
    class Tools:
        major = 17

    monkeypatch.setattr(host, "find_tools", lambda directory: Tools)
    monkeypatch.setattr(host.addresses, "read_rc", lambda: "")


def read(found=FOUND, check="auto", users=(ME,)):
    return host.read_host(OPTIONS, found, Wanted(check_os_users=check), users, None)


def test_the_version_of_pg_dump_and_its_absence(monkeypatch):
    assert read(users=()).pg_dump == 17

    def missing(directory):
        raise CommandFailed("There is no pg_dump")

    monkeypatch.setattr(host, "find_tools", missing)
    assert read(users=()).pg_dump is None


def test_logins_are_tried_in_a_process_of_that_user(monkeypatch):
    here = os.getpid()

    def session(conninfo):
        # Of another process: only its answer comes back.
        assert os.getpid() != here
        assert "password" not in conninfo.params
        if conninfo.params["dbname"] == "postgres":
            raise ConnectionFailed("Cannot connect to there: no pg_hba.conf entry")

        class Open:
            @staticmethod
            def close():
                pass

        return Open

    monkeypatch.setattr(host.pg, "Session", session)
    monkeypatch.setattr(host, "_become", lambda user, home: None)
    first, second = read().logins
    assert (first.os_user, first.master, first.error) == (ME, "here", "")
    # Its database is still to be cloned: the one that exists in any case was asked for.
    assert (second.master, second.error) == ("there", "no pg_hba.conf entry")


def test_a_process_that_ends_without_an_answer(monkeypatch):
    def fail(user, home):
        os._exit(1)

    monkeypatch.setattr(host, "_become", fail)
    assert [one.error for one in read().logins] == ["cannot act as this OS user"] * 2


def test_masters_that_could_not_be_read_are_not_tried(monkeypatch):
    monkeypatch.setattr(host, "_logins", lambda user, home, places: [name for name, _p in places])
    lost = dataclasses.replace(FOUND[1], server=None)
    assert read([FOUND[0], lost]).logins == ("here",)


def test_who_may_not_become_another_says_so(monkeypatch):
    monkeypatch.setattr(host.os, "geteuid", lambda: 12345)
    found = read(users=(ME,))
    assert found.logins == ()
    assert found.logins_skipped == f"only root can try the logins of {ME}"


def test_a_user_that_is_not_there_is_named_only_when_it_must_be():
    assert read(users=("nobody-of-that-name",)).logins == ()
    found = read(check="always", users=("nobody-of-that-name",))
    assert found.logins == tuple(
        Login("nobody-of-that-name", name, "there is no such OS user") for name in ("here", "there")
    )
    assert read(check="never", users=(ME,)).logins == ()


def test_the_home_of_a_user():
    assert host.home_of(ME) == pwd.getpwnam(ME).pw_dir
    assert host.home_of("nobody-of-that-name") == ""

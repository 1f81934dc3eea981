# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Bucardo is told of a master, and whose a name is."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import registration
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    DatabaseRecord,
    Dbgroup,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo


def master(**options):
    return {"name": "here", "login_db": "shop", **options}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"login_host": "db1", "login_port": 5433}, {"host": "db1", "port": "5433"}),
        ({"login_unix_socket": "/srv/pg"}, {"host": "/srv/pg"}),
        ({"login_host": "db1", "connect_params": {"host": "db2"}}, {"host": "db2"}),
        ({"connect_params": {"dbname": "other", "port": 1}}, {"dbname": "other", "port": "1"}),
        ({"connect_params": {"service": "s"}}, {"service": "s"}),
        (
            {"ssl_mode": "verify-full", "ca_cert": "/ca", "ssl_cert": "/mine", "ssl_key": "/mine"},
            {"conn": {"sslmode": "verify-full", "sslrootcert": "/ca"}},
        ),
        (
            {"connect_params": {"sslmode": "verify-full", "sslcrl": "/crl", "hostaddr": "::1"}},
            {"conn": {"sslmode": "verify-full", "sslcrl": "/crl", "hostaddr": "::1"}},
        ),
    ],
)
def test_a_registration_follows_from_the_login(options, expected):
    nothing = {"host": "", "port": "", "service": "", "dbname": "shop", "conn": {}}
    assert registration.registration(master(**options)) == {"name": "here", **nothing, **expected}


def test_a_certificate_of_bucardos_own_goes_along():
    found = registration.registration(master(ssl_cert="/mine"), "bucardo", "/own", "/own.key")
    assert found["conn"] == {"sslcert": "/own", "sslkey": "/own.key"}


def test_a_database_that_libpq_chooses_is_left_alone():
    assert registration.registration({"name": "here"})["dbname"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"login_host": "db1"}, ""),
        ({"login_db": "o'hara"}, ""),
        ({"login_host": "a b"}, "host 'a b'"),
        ({"connect_params": {"sslrootcert": "/o'hara"}}, "single quote"),
        ({"connect_params": {"host": "a,b"}}, "another server"),
    ],
)
def test_what_cannot_be_passed_on_is_named(options, words):
    found = registration.problem_with_registration(master(**options))
    assert words in found
    assert bool(found) == bool(words)


def test_the_other_users_of_a_name():
    groups = {"a": Dbgroup("a", {"here": "source"}), "b": Dbgroup("b", {"here": "source"})}
    syncs = {name: Sync(name, name, name) for name in ("a", "b", "c")}
    assert registration.other_users("here", groups, syncs, "a") == {"b"}
    assert registration.other_users("here", groups, syncs, "") == {"a", "b"}
    assert registration.other_users("there", groups, syncs, "") == set()


def test_places_for_people():
    assert registration.address(DatabaseRecord("x", host="db1", port="1", dbname="d")) == "db1:1/d"
    assert registration.address(DatabaseRecord("x", service="s", dbname="d")) == "s/d"
    assert (
        registration.suggested_name("here", ConnInfo("", {"dbname": "my-shop ö"}))
        == "here_my_shop__"
    )

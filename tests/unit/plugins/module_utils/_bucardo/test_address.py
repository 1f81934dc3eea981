# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Bucardo is told of a master, and whose configuration a host has."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import address
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    Database,
    Dbgroup,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight import survey_addresses

TEMPLATE = pathlib.Path(__file__).parents[5] / "roles/bucardo/templates/bucardorc.j2"


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
    assert address.registration(master(**options)) == {"name": "here", **nothing, **expected}


def test_a_certificate_of_bucardos_own_goes_along():
    found = address.registration(master(ssl_cert="/mine"), "bucardo", "/own", "/own.key")
    assert found["conn"] == {"sslcert": "/own", "sslkey": "/own.key"}


def test_a_database_that_libpq_chooses_is_left_alone():
    assert address.registration({"name": "here"})["dbname"] is None


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
    found = address.problem_with_registration(master(**options))
    assert words in found
    assert bool(found) == bool(words)


def test_the_other_users_of_a_name():
    groups = {"a": Dbgroup("a", {"here": "source"}), "b": Dbgroup("b", {"here": "source"})}
    syncs = {name: Sync(name, name, name) for name in ("a", "b", "c")}
    assert address.other_users("here", groups, syncs, "a") == {"b"}
    assert address.other_users("here", groups, syncs, "") == {"a", "b"}
    assert address.other_users("there", groups, syncs, "") == set()


def test_places_for_people():
    assert address.address(Database("x", host="db1", port="1", dbname="d")) == "db1:1/d"
    assert address.address(Database("x", service="s", dbname="d")) == "s/d"
    assert address.suggested_name("here", ConnInfo("", {"dbname": "my-shop ö"})) == "here_my_shop__"


PACKAGED = (
    "dbport = 5432\ndbhost = localhost\ndbname = bucardo\ndbuser = bucardo\ndbpass = bucardo\n"
)


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        (TEMPLATE.read_text("utf-8"), "ours"),
        (PACKAGED, "packaged"),
        ("# nothing\n", "packaged"),
        (PACKAGED.replace("localhost", "db9"), "foreign"),
        ("dbname = bucardo\n", "foreign"),
    ],
)
def test_whose_configuration_it_is(tmp_path, text, whose):
    file = tmp_path / "bucardorc"
    file.write_text(text, "utf-8")
    assert survey_addresses.read_rc(str(file)) == whose


def test_a_configuration_that_is_not_there(tmp_path):
    assert survey_addresses.read_rc(str(tmp_path / "none")) == "absent"


def test_what_an_rc_file_cannot_say():
    told = ConnInfo("", {"host": "h", "port": "1", "user": "u", "password": "p", "dbname": "d"})
    assert survey_addresses.not_passed_on(told) == ()
    assert survey_addresses.not_passed_on(told.with_params(sslmode="require")) == ("sslmode",)

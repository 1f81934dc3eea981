# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a task's options to libpq, and back to people without the password."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo

PASSWORD = "p,o's\"t g%r=e\\s"
FULL = {
    "name": "here",
    "login_host": "db1",
    "login_port": 5433,
    "login_user": "postgres",
    "login_password": PASSWORD,
    "login_db": "Shop & Söhne",
    "login_unix_socket": None,
    "ssl_mode": "verify-full",
    "ca_cert": "/ca",
    "ssl_cert": "/cert",
    "ssl_key": "/key",
    "connect_params": {"connect_timeout": 3},
}


def test_options_become_keywords():
    conninfo = ConnInfo.from_options(FULL)
    assert conninfo.name == "here"
    assert conninfo.params == {
        "host": "db1",
        "port": "5433",
        "user": "postgres",
        "password": PASSWORD,
        "dbname": "Shop & Söhne",
        "sslmode": "verify-full",
        "sslrootcert": "/ca",
        "sslcert": "/cert",
        "sslkey": "/key",
        "connect_timeout": "3",
    }


def test_every_login_option_counts():
    options = {name: name for name in connection_spec()}
    options["connect_params"] = {"keepalives": 1}
    for name in set(options) - {"login_unix_socket"}:
        without = {**options, name: None}
        assert ConnInfo.from_options(without).params != ConnInfo.from_options(options).params, name


def test_what_is_not_given_is_left_to_libpq():
    assert ConnInfo.from_options(dict.fromkeys(connection_spec())).params == {}
    assert ConnInfo.from_options({"login_host": "", "login_password": ""}).params == {}


@pytest.mark.parametrize(
    ("host", "used"), [(None, "/run/pg"), ("", "/run/pg"), ("localhost", "/run/pg"), ("db1", "db1")]
)
def test_the_socket_counts_on_this_host_only(host, used):
    options = {"login_host": host, "login_unix_socket": "/run/pg"}
    assert ConnInfo.from_options(options).params["host"] == used


def test_connect_params_win():
    options = {"login_host": "db1", "connect_params": {"host": "db2", "service": "s"}}
    assert ConnInfo.from_options(options).params == {"host": "db2", "service": "s"}


@pytest.mark.parametrize(
    ("options", "dbname"),
    [
        ({}, "bucardo"),
        ({"login_db": "mine"}, "mine"),
        ({"connect_params": {"dbname": "mine"}}, "mine"),
        ({"connect_params": {"service": "s"}}, ""),
    ],
)
def test_the_default_database(options, dbname):
    assert ConnInfo.from_options(options, default_db="bucardo").dbname == dbname


@pytest.mark.parametrize(
    ("options", "name", "called"),
    [
        ({"name": "here", "login_host": "db1"}, "", "here"),
        ({"name": "here"}, "the control database", "the control database"),
        ({"login_host": "db1"}, "", "db1"),
        ({}, "", "the server"),
    ],
)
def test_how_messages_call_it(options, name, called):
    assert ConnInfo.from_options(options, name).name == called


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"host": "db1", "port": "5433", "dbname": "shop"}, "here (db1:5433/shop)"),
        ({"host": "db1"}, "here (db1)"),
        ({"service": "prod", "host": "db1"}, "here (prod)"),
        ({"dbname": "shop"}, "here (shop)"),
        ({}, "here"),
    ],
)
def test_where_it_is(params, text):
    assert str(ConnInfo("here", params)) == text


def test_no_text_form_shows_a_password():
    conninfo = ConnInfo.from_options(FULL)
    for text in (str(conninfo), repr(conninfo), f"{conninfo}", f"{[conninfo]!r}"):
        assert "db1" in text
        assert "p,o" not in text


def test_environment_of_programs():
    assert ConnInfo.from_options(FULL).environment() == {
        "PGHOST": "db1",
        "PGPORT": "5433",
        "PGUSER": "postgres",
        "PGPASSWORD": PASSWORD,
        "PGDATABASE": "Shop & Söhne",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca",
        "PGSSLCERT": "/cert",
        "PGSSLKEY": "/key",
        "PGCONNECT_TIMEOUT": "3",
    }


def test_a_keyword_without_variable_is_named_without_its_value():
    with pytest.raises(ValueError, match="keepalives_idle") as caught:
        ConnInfo("here", {"keepalives_idle": "60", "password": PASSWORD}).environment()
    assert "60" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_variants_leave_the_original_alone():
    conninfo = ConnInfo.from_options(FULL)
    assert conninfo.database("other").dbname == "other"
    assert conninfo.with_params(sslmode="disable").params["sslmode"] == "disable"
    assert conninfo.database("other").password == PASSWORD
    assert conninfo == ConnInfo.from_options(FULL)
    assert ConnInfo("here", {}).password == ""


@pytest.mark.parametrize("keyword", ["password", "sslpassword", "oauth_client_secret"])
def test_a_secret_among_free_parameters_is_refused_without_being_shown(keyword):
    with pytest.raises(Refused, match=f"here: {keyword} is a secret") as caught:
        ConnInfo.from_options({"name": "here", "connect_params": {keyword: PASSWORD}})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"login_host": "a,b"},
        {"connect_params": {"host": "a,b"}},
        {"connect_params": {"hostaddr": "10.0.0.1,10.0.0.2"}},
        {"connect_params": {"load_balance_hosts": "random"}},
    ],
)
def test_an_address_of_several_servers_is_refused(options):
    with pytest.raises(Refused, match="may lead to another server"):
        ConnInfo.from_options(options)
    ConnInfo.from_options({"connect_params": {"load_balance_hosts": "disable"}})


def test_bucardo_is_told_all_but_what_belongs_to_the_login():
    options = {
        **FULL,
        "connect_params": {
            "hostaddr": "10.0.0.1",
            "passfile": "/home/dba/.pgpass",
            "application_name": "mine",
            "sslcrl": "/crl",
            "options": "-c geqo=off",
        },
    }
    assert ConnInfo.from_options(options).for_bucardo("bucardo").params == {
        "host": "db1",
        "hostaddr": "10.0.0.1",
        "port": "5433",
        "user": "bucardo",
        "dbname": "Shop & Söhne",
        "sslmode": "verify-full",
        "sslrootcert": "/ca",
        "sslcrl": "/crl",
        "options": "-c geqo=off",
    }
    with_cert = ConnInfo.from_options(options).for_bucardo("bucardo", "/own", "/own.key").params
    assert (with_cert["sslcert"], with_cert["sslkey"]) == ("/own", "/own.key")

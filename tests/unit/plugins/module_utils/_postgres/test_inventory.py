# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology from inventory variables."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.inventory import (
    masters,
    mistyped,
    pgpass_line,
    pgpass_lines,
    problem_with_masters,
)


def host(name, **variables):
    return {"inventory_hostname": name, "ansible_connection": "ssh", **variables}


def test_origin_comes_first_and_defaults_are_filled():
    found = masters(
        [
            host("there", ansible_host="10.0.0.2", master_db="widgets"),
            host("here-1.example", master_origin="yes", master_port=5433),
        ]
    )
    assert found == [
        {
            "name": "here_1_example",
            "origin": True,
            "login_host": "here-1.example",
            "login_port": 5433,
        },
        {"name": "there", "origin": False, "login_host": "10.0.0.2", "login_db": "widgets"},
    ]


def test_a_service_decides_about_the_host():
    found = masters(
        [host("a", master_origin=True, master_connect_params={"service": "x"}), host("b")]
    )
    assert "login_host" not in found[0]


@pytest.mark.parametrize(
    ("hosts", "complaint"),
    [
        ([host("a", master_origin=True)], "has 1 master(s)"),
        ([], "has 0 master(s)"),
        ([host("a"), host("b")], "master_origin is set on none"),
        ([host("a", master_origin=True), host("b", master_origin=1)], "is set on a, b"),
        ([host("a", master_origin="perhaps"), host("b")], "master_origin is 'perhaps'"),
        ([host("a", master_origin=True), host("b", master_name="a")], "Two masters are called 'a'"),
        ([host("a", master_origin=True), host("b", master_prot=1)], "Did you mean master_port?"),
        ([host("a", master_origin=True), host("1b")], "'1b' must start with a letter"),
    ],
)
def test_mistakes_are_named(hosts, complaint):
    with pytest.raises(Refused) as caught:
        masters(hosts)
    assert complaint in caught.value.one_line
    assert problem_with_masters(hosts) == caught.value.one_line


def test_a_sound_topology_is_no_problem():
    assert problem_with_masters([host("a", master_origin=True), host("b")]) == ""


def test_mistyped_variables_are_recognised_and_foreign_ones_left_alone():
    known = ["replication_conflict_strategy", "multimaster_tables", "verify_timeout"]
    assert mistyped(["replication_conflict_strategy", "verify_ssl", "my_tables"], known) == []
    assert mistyped(["replication_conflct_strategy"], known) == [
        "replication_conflct_strategy: did you mean replication_conflict_strategy?"
    ]
    assert mistyped(["multimaster_xyzzy"], known) == ["multimaster_xyzzy: no such variable"]


def test_pgpass_escapes_what_the_format_reserves():
    assert pgpass_line("h", "5432", "d", "u", r"a:b\c ,'\"%=") == r"""h:5432:d:u:a\:b\\c ,'\\"%="""


def test_pgpass_cannot_hold_a_line_break():
    with pytest.raises(Refused):
        pgpass_line("h", "1", "d", "u", "a\nb")


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({"login_host": "db1", "login_port": 5433, "login_db": "shop"}, ["db1:5433:shop"]),
        ({"login_host": "db1"}, ["db1:*:*"]),
        ({"login_host": "db1", "connect_params": {"host": "db2"}}, ["db2:*:*"]),
        ({"connect_params": {"hostaddr": "10.0.0.1"}}, ["10.0.0.1:*:*"]),
        ({"login_host": "db1", "connect_params": {"hostaddr": "10.0.0.1"}}, ["db1:*:*"]),
        ({"connect_params": {"service": "shop"}, "login_db": "shop"}, ["*:*:shop"]),
        ({"connect_params": {"port": 6000, "dbname": "other"}}, ["localhost:6000:other"]),
        ({"login_unix_socket": "/srv/pg"}, ["/srv/pg:*:*", "localhost:*:*"]),
        ({"login_host": "db1", "login_unix_socket": "/srv/pg"}, ["db1:*:*"]),
        ({}, ["localhost:*:*"]),
    ],
)
def test_the_lines_of_a_password_file_fit_what_libpq_looks_for(options, places):
    assert pgpass_lines(options, "u", "p") == [f"{place}:u:p" for place in places]


def test_a_secret_among_free_parameters_is_refused_before_any_task_sees_it():
    wrong = host("here", master_origin=True, master_connect_params={"password": "decoy"})
    said = problem_with_masters([wrong, host("there")])
    assert "Host here: master_connect_params holds the secret password" in said
    assert "master_password" in said
    assert "decoy" not in said


def test_a_host_among_free_parameters_is_the_host():
    here = host("here", master_origin=True, master_connect_params={"host": "db1"})
    there = host("there", master_connect_params={"hostaddr": "10.0.0.2"})
    first, second = masters([here, there])
    assert "login_host" not in first
    # Needed to look up passwords and to check the server's certificate.
    assert second["login_host"] == "there"

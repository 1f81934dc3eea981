"""The topology from inventory variables."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._inventory import (
    masters,
    mistyped,
    pgpass_line,
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

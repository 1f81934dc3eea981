# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a list of masters a topology, and what follows from one."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import (
    NO_ORIGIN,
    SEVERAL_ORIGINS,
    TOO_FEW,
    TWINS,
    Topology,
    TopologyFault,
    faults,
)


def options(name, origin=False, **more):
    return {"name": name, "origin": origin, "maintenance_db": "postgres", **more}


def test_masters_keep_their_order_and_the_origin_is_the_marked_one():
    found = Topology.from_options(
        [options("b", login_host="hb"), options("a", origin=True), options("c")]
    )
    assert found.names == ("b", "a", "c")
    assert found.origin.name == "a"
    assert [one.name for one in found.targets] == ["b", "c"]
    assert found.logins["b"].params == {"host": "hb"}
    assert len(found) == 3


def test_without_a_mark_the_first_is_the_origin():
    found = Topology.from_options([options("b"), options("a")])
    assert found.origin.name == "b"


def test_the_maintenance_database_is_on_the_same_server():
    (master, _other) = Topology.from_options(
        [options("a", login_host="ha", login_db="shop"), options("b")]
    ).masters
    assert master.maintenance.params == {"host": "ha", "dbname": "postgres"}


@pytest.mark.parametrize(
    ("masters", "found"),
    [
        ([("a", True), ("b", False)], []),
        ([("a", True)], [TopologyFault(TOO_FEW, ("a",))]),
        ([], [TopologyFault(TOO_FEW, ()), TopologyFault(NO_ORIGIN, ())]),
        ([("a", True), ("a", False)], [TopologyFault(TWINS, ("a", "a"))]),
        ([("a", True), ("b", True)], [TopologyFault(SEVERAL_ORIGINS, ("a", "b"))]),
        ([("a", False), ("b", False)], [TopologyFault(NO_ORIGIN, ())]),
    ],
)
def test_every_fault_is_found(masters, found):
    assert list(faults(masters)) == found


@pytest.mark.parametrize(
    ("masters", "least", "complaint"),
    [
        ([options("a")], 2, "masters: 1 of at least 2 are named. Name all masters."),
        (None, 1, "masters: 0 of at least 1 are named. Name all masters."),
        ([options("a"), options("a")], 1, "masters: two masters have the name a."),
        ([options("a", True), options("b", True)], 1, "masters: a, b are all marked as origin."),
    ],
)
def test_what_is_no_topology_is_refused(masters, least, complaint):
    with pytest.raises(Refused) as caught:
        Topology.from_options(masters, least)
    assert caught.value.one_line.startswith(complaint)


def test_modules_may_leave_the_origin_open():
    assert Topology.from_options(None, 0).logins == {}

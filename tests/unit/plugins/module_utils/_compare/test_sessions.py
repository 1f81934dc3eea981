# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the catalogs of a master say about tables to compare."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import sessions
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


def reading(names, **more):
    return FakeSession(
        {
            "bucardo.bucardo_delta_targets": [{"oid": 7, "targets": ["dbgroup shop"]}],
            "c.relkind = 'r'": [{"relname": name} for name in names],
            "pg_catalog": [],
            **more,
        }
    )


@pytest.mark.parametrize(("dbgroup", "asked"), [("shop", "dbgroup shop"), ("", "")])
def test_only_the_queue_of_the_dbgroup_counts(dbgroup, asked):
    session = reading(["bucardo_delta_targets", "delta_public_t"])
    found = sessions.read(session, dbgroup)
    assert found.queue_targets == {7: ("dbgroup shop",)}
    assert found.queue_tables == {"bucardo_delta_targets", "delta_public_t"}
    (params,) = [one.params for one in session.ran if "bucardo_delta_targets" in one.text]
    assert params == (asked,)


def test_a_master_without_bucardo_has_no_queue():
    found = sessions.read(reading([]), "shop")
    assert (found.queue_targets, found.queue_tables) == ({}, frozenset())

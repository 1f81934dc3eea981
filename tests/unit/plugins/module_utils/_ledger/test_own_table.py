# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of schema multimaster that are made when they are first needed, and go when empty."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import own_table

from ..fake_session import FakeSession

TABLE = own_table.of_groups("seen", "token text NOT NULL")
THERE = "to_regclass('multimaster.seen')"
FOREIGN = "WITH ours AS"


def session(there=False, **answers):
    return FakeSession({THERE: [{"is": there}], FOREIGN: [], **answers})


def test_it_is_made_once_in_one_message():
    here = session()
    TABLE.ensure(here)
    assert here.texts[-1] == (
        "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS multimaster;"
        " CREATE TABLE IF NOT EXISTS multimaster.seen ( dbgroup text PRIMARY KEY,"
        " token text NOT NULL ); RESET client_min_messages"
    )
    here = session(there=True)
    TABLE.ensure(here)
    assert len(here.ran) == 1


def test_a_member_s_row_goes_with_its_membership():
    here = FakeSession({"to_regclass('multimaster.m')": [{"is": False}], FOREIGN: []})
    own_table.of_members("m", "epoch text").ensure(here)
    assert here.texts[-1].endswith(
        "( dbgroup text NOT NULL, db text NOT NULL, epoch text, PRIMARY KEY (dbgroup, db),"
        " FOREIGN KEY (db, dbgroup) REFERENCES bucardo.dbmap (db, dbgroup)"
        " ON UPDATE CASCADE ON DELETE CASCADE ); RESET client_min_messages"
    )


def test_nothing_is_made_in_a_schema_of_somebody_else():
    foreign = [{"kind": "schema", "name": "multimaster", "owner": "mallory"}]
    here = session(**{FOREIGN: foreign})
    with pytest.raises(Refused, match="mallory"):
        TABLE.ensure(here)
    assert not any("CREATE" in text for text in here.texts)


@pytest.mark.parametrize("filled", [False, True])
def test_it_is_dropped_when_the_last_row_is_gone(filled):
    here = FakeSession({"SELECT EXISTS (SELECT FROM multimaster.seen)": [{"is": filled}]})
    assert TABLE.drop_if_empty(here) is not filled
    assert ("DROP TABLE multimaster.seen" in here.texts) is not filled

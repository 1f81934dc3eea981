# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Epochs of members are foreseen by a plan, and given when it is applied."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    SyncKey,
    TableName,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import (
    membership,
    release,
)

from ..fake_session import FakeSession

ORDERS = TableName("public", "orders")
JOINED = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)


class Members(release.Members):
    """Here, the origin, and there, which was never seeded."""

    def __init__(self, epochs, noted):
        self.control = FakeSession(
            {
                "to_regclass('multimaster.member')": [{"r": True}],
                "FROM multimaster.member": lambda _params: [
                    {"db": name, "epoch": f"given-{name}"} for name in ("here", "there")
                ],
            }
        )
        self.key = SyncKey("shop", "shop")
        self.origin = "here"
        self.names = [ORDERS]
        self._unnoted = {}
        self.standings = {
            name: release.Standing(
                name=name,
                session=FakeSession({"to_regclass('multimaster.membership')": [{"r": True}]}, name),
                epoch=epochs.get(name),
                noted=noted.get(name),
                identity=name,
                place=name,
                oids={ORDERS: 1},
                entries={},
                truncates={},
                joined=JOINED,
            )
            for name in ("here", "there")
        }

    def written(self):
        return {
            name: [text.split()[0] for text in one.session.texts if not text.startswith("SELECT")]
            for name, one in self.standings.items()
        }


def noted(epochs):
    return {name: membership.Membership(epoch, name == "here") for name, epoch in epochs.items()}


EPOCHS = {"here": "given-here", "there": "given-there"}
WRITTEN = {name: ["BEGIN", "INSERT", "COMMIT"] for name in EPOCHS}


def test_what_is_foreseen_is_written_nowhere():
    members = Members({}, {})
    members.foresee(active=False)
    assert members.unsettled() == []
    assert members.written() == {"here": [], "there": []}
    assert members.control.texts == []


def test_each_member_gets_an_epoch_and_notes_it():
    members = Members({}, {})
    members.foresee(active=False)
    members.settle()
    assert {name: one.epoch for name, one in members.standings.items()} == EPOCHS
    assert members.written() == WRITTEN
    assert members.unsettled() == []
    members.settle()
    assert members.written() == WRITTEN


def test_a_member_that_has_not_noted_its_epoch_notes_it():
    members = Members(EPOCHS, noted({"here": "given-here"}))
    assert members.unsettled() == ["there"]
    members.foresee(active=True)
    members.settle()
    assert members.written() == {"here": [], "there": WRITTEN["there"]}
    assert members.control.texts == []


def test_settled_members_are_left_alone():
    members = Members(EPOCHS, noted(EPOCHS))
    members.foresee(active=True)
    members.settle()
    assert members.written() == {"here": [], "there": []}


@pytest.mark.parametrize("check", [False, True])
def test_a_sync_is_not_released_over_a_table_that_was_never_seeded(check):
    guard = release.Guard(Members(EPOCHS, noted(EPOCHS)), (False, True), elsewhere=False)
    if check:
        # The seed that would have come before was only planned.
        guard.look(Scope(check=True).lacks)
        assert "there: 1 of 1 tables was never seeded" in guard.warnings[0]
    else:
        with pytest.raises(Refused, match="there: 1 of 1 tables was never seeded"):
            guard.look(Scope(check=False).lacks)
    assert not guard.changed


def test_a_held_sync_may_lack_rows():
    guard = release.Guard(Members(EPOCHS, noted(EPOCHS)), (False, False), elsewhere=True)
    guard.look(Scope(check=False).lacks)
    assert (guard.changed, guard.elsewhere, guard.warnings) == (False, False, [])


def test_what_the_user_vouches_for_is_a_change():
    guard = release.Guard(Members(EPOCHS, noted(EPOCHS)), (False, True), elsewhere=True)
    guard.look(Scope(check=False).lacks)
    assert guard.changed

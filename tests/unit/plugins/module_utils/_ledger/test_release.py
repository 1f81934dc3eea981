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
    doubts,
    membership,
    release,
    states,
)

from ..fake_session import FakeSession
from ..ledger_entries import entry

ORDERS = TableName("public", "orders")
JOINED = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)


class Members(release.Members):
    """Here, the origin, and there, which was never seeded."""

    def __init__(self, epochs, noted, tokens=("", "")):
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
                token=token,
            )
            for name, token in zip(("here", "there"), tokens)
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


class TestControlDatabaseMadeAnew:
    """Who was a member until it was lost goes on being one, once its rows were compared."""

    def members(self, tokens=("t", "t"), source="here", epoch="old-there"):
        members = Members(EPOCHS, noted({"here": "old-here", "there": "old-there"}), tokens)
        members.standings["there"].entries = {ORDERS: seeded(source, epoch)}
        members.standings["there"].session.answers["multimaster.seed') IS NOT NULL"] = [{"r": True}]
        members.foresee(active=False)
        return members

    def doubt(self, members):
        return members.doubts()["there"][ORDERS]

    def test_is_to_be_compared(self):
        assert self.doubt(self.members()) == doubts.MISSED

    def test_unless_it_was_away_at_the_last_run(self):
        for tokens in (("t", "older"), ("t", ""), ("", "")):
            assert self.doubt(self.members(tokens)) == "was seeded before this membership began"

    def test_or_was_seeded_from_elsewhere_or_in_an_earlier_membership(self):
        assert "this membership" in self.doubt(self.members(source="elsewhere"))
        assert "this membership" in self.doubt(self.members(epoch="older"))

    def test_who_joins_an_old_group_is_not_taken_over(self):
        found = noted({"here": "given-here", "there": "old-there"})
        members = Members(EPOCHS, found, ("t", "t"))
        members.standings["there"].entries = {ORDERS: seeded("here", "old-there")}
        members.foresee(active=True)
        assert self.doubt(members) == "was seeded before this membership began"

    def test_the_origin_notes_it_last(self, monkeypatch):
        told = []
        members = self.members()
        monkeypatch.setattr(release.ledger, "create", lambda session: None)
        monkeypatch.setattr(
            release.ledger_membership,
            "note",
            lambda session, *_: told.append(session.conninfo.name),
        )
        members.settle()
        assert told == ["there", "here"]


def seeded(source, epoch):
    return entry(
        ORDERS,
        source=source,
        source_oid=1,
        target="there",
        epoch=epoch,
        how=states.BY_COPY,
        finished_at=JOINED,
    )

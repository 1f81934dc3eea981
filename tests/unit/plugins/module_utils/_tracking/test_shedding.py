# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table is shed in an order that may end anywhere, and not where that would be wrong."""

from __future__ import annotations

import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    Goat,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    DeadlineExceeded,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import shed, shedding

BIG, NOTE = TableName("public", "big"), TableName("public", "note")
SOURCES = ["here", "there"]


class Site:
    """What is told to whom, in order."""

    def __init__(self, monkeypatch, *, members=(BIG, NOTE), others=(), marks=()):
        self.told, self.members, self.marks = [], list(members), list(marks)
        self.fails = False
        monkeypatch.setattr(shedding.halt, "end", lambda session, piddir: self.tell("end daemon"))
        monkeypatch.setattr(
            shedding.ledger, "distrust", lambda session, names: self.tell(f"distrust on {session}")
        )
        monkeypatch.setattr(shed, "check", lambda session, master, sync, table: self.check(others))
        monkeypatch.setattr(shed, "note", lambda *given: self.tell(f"mark {given[2]}"))
        monkeypatch.setattr(shed, "note_told", lambda *given: self.tell("note it"))
        monkeypatch.setattr(shed, "forget", lambda *given: self.tell("unmark"))
        monkeypatch.setattr(shed, "drop", lambda *given: self.drop())
        monkeypatch.setattr(shed, "read", lambda session, sync: self.marks)
        self.session = "control"

    def tell(self, what):
        self.told.append(what)

    def check(self, others):
        if others:
            raise Refused("other syncs", "No.")

    def drop(self):
        if self.fails:
            raise DeadlineExceeded("in use", "Later.")
        self.tell("drop")
        return ["bucardo_delta"]

    def goats(self):
        return [
            Goat(number, "here", name, relgroups=("shop",) if name in self.members else ())
            for number, name in enumerate((BIG, NOTE))
        ]

    def dbgroups(self):
        return {"shop": types.SimpleNamespace(sources=SOURCES)}

    def execute(self, writes):
        for one in writes:
            self.tell(" ".join(one.query.split()[:3]))

    def shedding(self, answer=("here",), master="here", table=BIG):
        sync = Sync("shop", "shop", "shop", "active")
        return shedding.Shedding(self, sync, master, table, {one: one for one in answer}, "/run")


@pytest.fixture
def site(monkeypatch):
    return lambda **given: Site(monkeypatch, **given)


def test_the_daemon_has_forgotten_the_table_before_its_first_trigger_goes(site):
    made = site()
    one = made.shedding()
    one.check()
    said = one.work(900, 2_000_000_000)
    assert made.told == [
        "mark public.big",
        "distrust on here",
        "DELETE FROM bucardo.herdmap",
        "end daemon",
        "note it",
        "drop",
    ]
    assert said == "shed public.big on here, 900 changes of 2.0 GB: dropped bucardo_delta"


def test_a_run_that_ended_in_between_is_finished(site):
    made = site(members=(NOTE,))
    one = made.shedding()
    one.check()
    one.work(900, 5)
    assert made.told[-3:] == ["end daemon", "note it", "drop"]
    assert "DELETE FROM bucardo.herdmap" not in made.told


def test_the_daemon_is_ended_once_while_a_table_is_in_use(site):
    begun = shed.Shed(BIG, 900, 5, "then", 60.0, done=False, told=True)
    made = site(members=(NOTE,), marks=[begun])
    made.shedding().work(900, 5)
    assert made.told == ["mark public.big", "distrust on here", "drop"]


def test_a_table_that_is_in_use_keeps_its_triggers_and_comes_back(site):
    made = site()
    made.fails = True
    with pytest.raises(DeadlineExceeded):
        made.shedding().work(900, 5)
    made.members = [NOTE]
    made.told.clear()
    made.shedding(answer=SOURCES).undo()
    assert made.told == ["INSERT INTO bucardo.herdmap", "unmark"]


@pytest.mark.parametrize(
    ("given", "way", "says"),
    [
        ({}, {"master": "nobody"}, "nobody is no master of sync shop"),
        ({}, {"answer": ("there",)}, "here cannot be reached"),
        ({}, {"answer": SOURCES}, "All masters of sync shop answer"),
        ({"members": (BIG,)}, {}, "public.big is the last table of sync shop"),
        ({"others": ("stock",)}, {}, "other syncs"),
        ({}, {"table": TableName("public", "else")}, "Bucardo knows no table public.else"),
    ],
)
def test_it_is_refused(site, given, way, says):
    made = site(**given)
    with pytest.raises(Refused) as error:
        made.shedding(**way).check()
    assert says in error.value.message
    assert made.told == []


def test_what_is_shed_is_left_alone(site):
    done = shed.Shed(BIG, 900, 5, "then", 60.0, True)
    change = shedding.plan(site(marks=[done]).shedding())
    assert not change.changed
    assert change.work is None

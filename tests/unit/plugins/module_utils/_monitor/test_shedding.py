# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a table is shed, and which: only with a limit, a dead master, and a queue that stands."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor import (
    detectors,
    shedding,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.facts import (
    Facts,
    Limits,
    MasterFacts,
    SyncFacts,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.shed import Shed

BIG, NOTE = TableName("public", "big"), TableName("public", "note")
AWAY = MasterFacts("there", error="no route to host")
BACK = MasterFacts("there")


def master(**more) -> MasterFacts:
    return MasterFacts(
        **{
            "name": "here",
            "pending": (Pending(NOTE, 9_000, 900.0), Pending(BIG, 8_000, 800.0)),
            "sizes": {NOTE: 400, BIG: 700},
            # Files of drained queues are no reason.
            "bytes": 9_999_999,
            **more,
        }
    )


def facts(here: MasterFacts | None = None, other: MasterFacts = AWAY, **more) -> Facts:
    given = {"status": "active", "limits": Limits(shed=1_000), "tables": 2, **more}
    sync = SyncFacts(
        name="shop",
        members={"here": "source", "there": "source"},
        masters=(here or master(), other),
        **given,
    )
    return Facts(running=True, answers=True, syncs=(sync,))


def step(seen: Facts, seconds: float = 300.0) -> shedding.Step | None:
    """What is done when a master that is away has been so for these seconds."""
    problems = [
        dataclasses.replace(one, age=seconds) if one.name == "master_unreachable" else one
        for one in detectors.problems(seen)
    ]
    return shedding.next_step(seen, problems)


def test_the_table_whose_changes_take_most_goes_first():
    assert step(facts()) == shedding.Step("shop", "here", BIG, 8_000, 700)
    held = facts(status="held")
    assert step(held) == step(facts(status="stalled"))


@pytest.mark.parametrize(
    "quiet",
    [
        facts(limits=Limits()),
        facts(master(sizes={NOTE: 400, BIG: 599})),
        # It drains, or why it does not is something else.
        facts(other=BACK),
        # A bulk change that has just begun.
        facts(master(pending=(Pending(BIG, 8_000, 299.0),))),
        facts(master(pending=())),
        facts(master(sizes={})),
        # A TRUNCATE takes no room.
        facts(master(pending=(Pending(BIG, 0, 800.0, truncated=True),), sizes={})),
        facts(seeding=True),
        # The last table is the sync.
        facts(tables=1),
        facts(master(error="no route to host", pending=(), sizes={})),
        # Nothing is queued for a master that only receives, and by it.
        facts(other=MasterFacts("there", role="target", error="no route to host")),
    ],
)
def test_nothing_is_shed(quiet):
    assert step(quiet) is None


def test_a_network_that_stutters_is_no_reason():
    assert step(facts(), seconds=299.0) is None


def mark(done: bool) -> Shed:
    return Shed(BIG, 8_000, 700, "2026-01-02 03:04:05+00", 60.0, done)


def test_what_was_begun_is_finished_whatever_the_size_now():
    begun = master(shed=(mark(False),), sizes={})
    assert step(facts(begun)) == shedding.Step("shop", "here", BIG, 8_000, 700)


def test_what_was_begun_is_taken_back_when_all_are_there():
    found = step(facts(master(shed=(mark(False),)), other=BACK))
    assert found is not None
    assert found.back


def test_what_is_shed_is_not_shed_again():
    assert step(facts(master(shed=(mark(True),)), other=BACK)) is None


def test_nobody_waits_for_changes_of_what_was_shed():
    """They stay on masters that queue them, and are no backlog of the sync."""
    waits = MasterFacts("there", pending=(Pending(BIG, 8_000, 9_999.0),), left_out=frozenset({BIG}))
    here = MasterFacts("here", shed=(mark(True),), left_out=frozenset({BIG}))
    found = [
        one.name for one in detectors.problems(facts(here, waits)) if one.name != "daemon_down"
    ]
    assert "shed" in found
    assert not [name for name in found if name.startswith("backlog")]

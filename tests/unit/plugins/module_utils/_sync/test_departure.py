# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people and results are told of changes that would be lost."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    DeadlineExceeded,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import departure
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending


def pending(name, changes, truncated=False):
    return Pending(TableName("public", name), changes, 1.5, truncated)


def test_changes_are_counted_by_master_and_table():
    found = {"here": [pending("a", 12), pending("b", 3)], "there": [pending("a", 1)]}
    assert departure.counted(found) == (
        "15 on here (public.a 12, public.b 3); 1 on there (public.a 1)"
    )


def test_a_truncate_without_rows_is_named():
    assert departure.counted({"here": [pending("a", 0, truncated=True)]}) == (
        "0 on here (public.a 0 and a TRUNCATE)"
    )


def test_only_the_largest_tables_are_named():
    found = {"here": [pending(name, 9 - number) for number, name in enumerate("abcde")]}
    assert departure.counted(found) == (
        "35 on here (public.a 9, public.b 8, public.c 7 and 2 more tables)"
    )


def test_rows_for_results_hold_every_table():
    found = {"here": [pending(name, 1) for name in "abcde"]}
    assert [row["table"] for row in departure.rows(found)] == [f"public.{n}" for n in "abcde"]


def test_a_check_speaks_of_what_waits():
    found = {"here": [pending("a", 2)]}
    assert "Changes that wait: 2 on here" in departure.waits(found)
    assert "lost" in departure.were_lost(found)


class Waiting:
    """A queue that holds so much at each look."""

    def __init__(self, *counts, master="here"):
        self.master, self.counts = master, list(counts)

    def pending(self, until="", tables=()):
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        return [pending("a", count)] if count else []


@pytest.fixture(name="drain")
def _drain(monkeypatch):
    """What draining says, and whether the sync runs at all."""
    says = {}

    def until_drained(_control, _queues, _sync, timeout):
        if "drain" in says:
            raise says["drain"]

    def refuse_unless_it_runs(_control, _sync):
        if "runs" in says:
            raise says["runs"]

    monkeypatch.setattr(departure.kick, "until_drained", until_drained)
    monkeypatch.setattr(departure.kick, "refuse_unless_it_runs", refuse_unless_it_runs)
    return says


def leaving(*counts, **facts):
    return departure.Departure(None, "shop", [Waiting(*counts)], 60, **{"discard": False, **facts})


def test_where_nothing_waits_nothing_is_asked(drain):
    drain["runs"] = drain["drain"] = Refused("the daemon is gone")
    assert leaving(0).look() == leaving(0).settle() == {}
    # Before its first run no master counts on another's changes.
    assert leaving(5, released=False).look() == leaving(5, released=False).settle() != {}


def test_a_look_refuses_what_could_not_be_drained(drain):
    assert leaving(5).look() == {"here": [pending("a", 5)]}
    drain["runs"] = Refused("No daemon runs sync shop")
    with pytest.raises(Refused, match=r"changes would be lost, 5 on here .* No daemon runs") as no:
        leaving(5).look()
    assert no.value.details["lost"][0]["changes"] == 5
    assert leaving(5, discard=True).look() == {"here": [pending("a", 5)]}


def test_what_is_left_after_the_wait_is_refused_and_what_arrived_is_not(drain):
    assert leaving(5).settle() == {}
    drain["drain"] = DeadlineExceeded("Sync shop was not drained within 60 s")
    with pytest.raises(Refused, match=r"changes would be lost, 3 on here .* within 60 s"):
        leaving(5, 3).settle()
    assert leaving(5, 3, discard=True).settle() == {"here": [pending("a", 3)]}
    # It came through at last.
    assert leaving(5, 0).settle() == {}


def test_a_table_that_the_daemon_has_left_out_already_is_never_drained(drain):
    with pytest.raises(Refused, match=r"no longer replicates public\.a: take it into the sync"):
        leaving(5, unserved={TableName("public", "a")}).settle()
    assert leaving(5, unserved={TableName("public", "b")}).settle() == {}

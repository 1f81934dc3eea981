# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sync's row should hold, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    STRATEGIES,
    Dbgroup,
    Sync,
    problem_with_strategy,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import (
    desired as sync_desired,
)

MEMBERS = {"here": "source", "there": "source"}


def desired(held=None, **options):
    return sync_desired.Desired("multimaster", "tables", "masters", held, options)


def current(status="active", **options):
    return Sync("multimaster", "tables", "masters", status, options)


def test_a_new_sync_is_held():
    assert sync_desired.changes(None, desired()) == {"status": "inactive"}
    assert sync_desired.changes(None, desired(held=False)) == {"status": "active"}


def test_only_what_differs_is_written():
    assert sync_desired.changes(current(), desired(autokick=True, priority=3)) == {"priority": 3}
    assert sync_desired.changes(current(), desired()) == {}


def test_an_omitted_status_stays():
    assert sync_desired.changes(current(status="inactive"), desired()) == {}


def test_release_and_hold():
    assert sync_desired.changes(current(status="inactive"), desired(held=False)) == {
        "status": "active"
    }
    assert sync_desired.changes(current(), desired(held=True)) == {"status": "inactive"}


def test_a_stalled_sync_counts_as_active():
    assert sync_desired.changes(current(status="stalled"), desired(held=False)) == {}
    assert sync_desired.changes(current(status="stalled"), desired(held=True)) == {
        "status": "inactive"
    }


@pytest.mark.parametrize("strategy", [*STRATEGIES, "here there", "there,here", "here"])
def test_strategies_that_work(strategy):
    assert problem_with_strategy(strategy, MEMBERS) == ""


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ("bucardo_source", "not implemented"),
        ("bucardo_random", "not implemented"),
        ("bucardo_latets", "neither a strategy nor a database"),
        ("here elsewhere", "'elsewhere'"),
        (" , ", "empty"),
    ],
)
def test_strategies_that_stop_at_the_first_conflict(strategy, text):
    assert text in problem_with_strategy(strategy, MEMBERS)


@pytest.mark.parametrize("strategy", ["a", "a b"])
def test_between_masters_that_are_not_named_both_changes_would_be_lost(strategy):
    members = dict.fromkeys("abcd", "source")
    assert "nobody would win" in problem_with_strategy(strategy, members)
    assert problem_with_strategy("c a b", members) == ""


def test_who_is_to_come_is_named_when_it_is_there():
    """Bucardo pauses a sync at a conflict when its strategy names somebody else."""
    wanted = desired(conflict_strategy="new here there", autokick=True)
    group = Dbgroup("masters", MEMBERS)
    with pytest.raises(Refused, match="'new' is neither"):
        sync_desired.refuse_impossible(wanted, group)
    sync_desired.refuse_impossible(wanted, group, ["new", "here", "there"])
    fitting = sync_desired.for_members(wanted, group)
    assert fitting.options == {"conflict_strategy": "here there", "autokick": True}
    alone = sync_desired.for_members(desired(conflict_strategy="new"), group)
    assert alone.options == {"conflict_strategy": "bucardo_latest"}
    latest = desired(conflict_strategy="bucardo_latest_all_tables")
    assert sync_desired.for_members(latest, group) == latest
    assert sync_desired.for_members(desired(), group) == desired()


def test_status_is_shown_in_our_words():
    assert sync_desired.result(current(status="inactive"))["status"] == "held"
    assert sync_desired.result(current())["status"] == "active"
    assert sync_desired.result(None) == {}


def test_a_sync_to_come_is_shown_held():
    after = sync_desired.result_after(None, desired(), sync_desired.changes(None, desired()))
    assert after == {
        "name": "multimaster",
        "relgroup": "tables",
        "dbgroup": "masters",
        "status": "held",
    }

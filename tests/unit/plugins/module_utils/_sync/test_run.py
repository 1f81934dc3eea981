"""What a sync's row should hold, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Sync
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import run as sync_run

MEMBERS = {"here": "source", "there": "source"}


def desired(held=None, **columns):
    return sync_run.Desired("multimaster", "tables", "masters", held, columns)


def current(**columns):
    return Sync("multimaster", "tables", "masters", **columns)


def test_a_new_sync_is_held():
    assert sync_run.changes(None, desired()) == {"status": "inactive"}
    assert sync_run.changes(None, desired(held=False)) == {"status": "active"}


def test_only_what_differs_is_written():
    assert sync_run.changes(current(), desired(autokick=True, priority=3)) == {"priority": 3}
    assert sync_run.changes(current(), desired()) == {}


def test_an_omitted_status_stays():
    assert sync_run.changes(current(status="inactive"), desired()) == {}


def test_release_and_hold():
    assert sync_run.changes(current(status="inactive"), desired(held=False)) == {"status": "active"}
    assert sync_run.changes(current(), desired(held=True)) == {"status": "inactive"}


def test_a_stalled_sync_counts_as_active():
    assert sync_run.changes(current(status="stalled"), desired(held=False)) == {}
    assert sync_run.changes(current(status="stalled"), desired(held=True)) == {"status": "inactive"}


@pytest.mark.parametrize("strategy", [*sync_run.STRATEGIES, "here there", "there,here", "here"])
def test_strategies_that_work(strategy):
    assert sync_run.problem_with_strategy(strategy, MEMBERS) == ""


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
    assert text in sync_run.problem_with_strategy(strategy, MEMBERS)


def test_status_is_shown_in_our_words():
    assert sync_run.shown(current(status="inactive"))["status"] == "held"
    assert sync_run.shown(current())["status"] == "active"
    assert sync_run.shown(None) == {}


def test_planned_without_a_control_database():
    outcome = sync_run.planned(desired(), absent=False)
    assert outcome.changed
    assert outcome.after["status"] == "held"
    assert not sync_run.planned(desired(), absent=True).changed

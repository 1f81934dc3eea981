# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a queue: whom to believe, when to give up, and what is said then."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Sync
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    DeadlineExceeded,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import kick
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending

ORDERS = TableName("public", "orders")


class Daemon:
    """Answers kicks one after another."""

    def __init__(self, answers=(), pid=7, alive=True):
        self.replies, self._pid, self._alive = list(answers), pid, alive
        self.sent = []

    def pid(self):
        return self._pid

    def answers(self):
        return self._alive

    def listen(self, answers):
        self.names = answers

    def send(self, message):
        self.sent.append(message)

    def wait(self, timeout):
        return self.replies.pop(0) if self.replies else None


class Control:
    def __init__(self, daemon, status="active", running=False, error=""):
        self.daemon, self.status, self.running, self.error = daemon, status, running, error

    def sync(self, name):
        return self.syncs().get(name)

    def syncs(self):
        return {"shop": Sync("shop", "shop", "shop", self.status)}

    def clock(self):
        return "2026-01-02 03:04:05+00"

    def is_running(self, name):
        return self.running

    def last_error(self, name, since):
        return self.error


class Queue:
    """What waits, look by look; the last look lasts."""

    master = "here"

    def __init__(self, *counts):
        self.counts = list(counts)

    def clock(self):
        return "now"

    def pending(self, until="", tables=()):
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        return [Pending(ORDERS, count, 1.0)] if count else []


def test_the_queue_decides_and_not_the_answer():
    daemon = Daemon(["syncdone_shop", "syncdone_shop"])
    outcome = kick.until_drained(Control(daemon), [Queue(5, 5, 0)], "shop", kick.Wait(60))
    assert outcome.runs == 2
    assert outcome.before == {"here": [Pending(ORDERS, 5, 1.0)]}
    assert outcome.after == {"here": []}
    assert daemon.sent == ["kick_sync_shop"] * 2


def test_nothing_waits_and_nobody_is_woken():
    daemon = Daemon()
    assert kick.until_drained(Control(daemon), [Queue(0)], "shop", kick.Wait(60)).runs == 0
    assert daemon.sent == []


def test_one_good_run_is_enough_where_that_was_asked():
    daemon = Daemon(["syncdone_shop"])
    assert (
        kick.until_drained(Control(daemon), [Queue(0)], "shop", kick.Wait(60, drained=False)).runs
        == 1
    )


def test_a_run_in_progress_is_not_kicked():
    daemon = Daemon(["syncdone_shop"])
    kick.until_drained(Control(daemon, running=True), [Queue(5, 0)], "shop", kick.Wait(60))
    assert daemon.sent == []


def test_runs_that_fail_one_after_another_are_hopeless(monkeypatch):
    monkeypatch.setattr(kick.time, "sleep", lambda seconds: None)
    daemon = Daemon(["synckill_shop"] * 3)
    with pytest.raises(CommandFailed) as caught:
        kick.until_drained(
            Control(daemon, error="duplicate key"), [Queue(5)], "shop", kick.Wait(60)
        )
    assert "failed 3 times in a row: duplicate key" in caught.value.message
    assert caught.value.details["pending"] == [
        {"master": "here", "table": "public.orders", "changes": 5}
    ]


def test_a_run_that_fails_once_is_repeated(monkeypatch):
    monkeypatch.setattr(kick.time, "sleep", lambda seconds: None)
    daemon = Daemon(["synckill_shop", "syncdone_shop"])
    assert kick.until_drained(Control(daemon), [Queue(5, 5, 0)], "shop", kick.Wait(60)).runs == 1


def test_a_daemon_that_does_not_run_the_sync_says_so():
    with pytest.raises(CommandFailed, match="does not run sync shop: it is paused"):
        kick.until_drained(Control(Daemon(["syncerror_shop"])), [Queue(5)], "shop", kick.Wait(60))


def test_what_is_left_when_time_is_over_is_named():
    with pytest.raises(DeadlineExceeded) as caught:
        kick.until_drained(Control(Daemon(), error="no route"), [Queue(5)], "shop", kick.Wait(0))
    assert "5 changes on here (public.orders 5); last error: no route" in caught.value.message


def test_who_does_not_mind_gets_what_is_left_when_time_is_over():
    outcome = kick.until_drained(
        Control(Daemon()), [Queue(5, 4)], "shop", kick.Wait(0, fails=False)
    )
    assert outcome.unfinished
    assert outcome.after == {"here": [Pending(ORDERS, 4, 1.0)]}


@pytest.mark.parametrize(
    ("control", "name", "text"),
    [
        (Control(Daemon()), "other", r"There is no sync 'other'\. Known syncs: shop"),
        (Control(Daemon(), status="inactive"), "shop", "Sync shop is held"),
        (Control(Daemon(pid=None)), "shop", "daemon is not running"),
        (Control(Daemon(alive=False)), "shop", "does not answer"),
    ],
)
def test_what_cannot_run_is_not_waited_for(control, name, text):
    with pytest.raises(Refused, match=text):
        kick.until_drained(control, [Queue(5)], name, kick.Wait(60))


def test_who_looks_on_may_end_the_wait():
    def stop(before, left, runs, seconds):
        assert kick.progress(before, left, runs, seconds)["left"] == {"here": 4}
        raise CommandFailed("stopped")

    daemon = Daemon(["syncdone_shop"])
    with pytest.raises(CommandFailed, match="stopped"):
        kick.until_drained(Control(daemon), [Queue(5, 4)], "shop", kick.Wait(60, report=stop))


@pytest.mark.parametrize(
    ("count", "daemon", "drained", "changed"),
    [
        (0, Daemon(), True, False),
        (5, Daemon(), True, True),
        # One run was asked for, whatever waits.
        (0, Daemon(), False, True),
        # Nobody could run it yet.
        (0, Daemon(pid=None), True, True),
        (0, Daemon(alive=False), True, True),
    ],
)
def test_a_check_is_as_thorough_as_the_wait(monkeypatch, count, daemon, drained, changed):
    monkeypatch.setattr(kick, "open_queues", lambda *_all: [Queue(count)])
    with Scope(check=True) as scope:
        found = kick.plan(Control(daemon), scope, {}, "shop", kick.Wait(60, drained))
    assert found.changed is changed
    assert daemon.sent == []

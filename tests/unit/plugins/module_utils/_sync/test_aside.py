# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables that are set aside, and the daemon that must learn of it each time."""

from __future__ import annotations

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
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import aside


def goat(number, name, *relgroups):
    return Goat(number, "here", TableName("public", name), relgroups=relgroups)


class Control:
    """A catalog whose writes are noted, and a daemon that reloads."""

    def __init__(self, status="active", old_workers=0):
        self.status, self.old_workers = status, old_workers
        self.written, self.reloads = [], 0
        self.daemon = self

    def sync(self, name):
        return Sync("shop", "shop", "shop", self.status) if name == "shop" else None

    def goats(self):
        return [goat(1, "orders", "shop"), goat(2, "items", "shop"), goat(3, "away")]

    def shown(self, writes):
        return [one.query.split()[0] for one in writes]

    def execute(self, writes):
        self.written += [(one.query.split()[0], one.params["goat"]) for one in writes]

    def clock(self):
        return "now"

    def reload(self, timeout):
        self.reloads += 1
        return True

    def has_older_worker(self, began):
        self.old_workers -= 1
        return self.old_workers >= 0


def test_a_table_is_set_aside_and_the_daemon_told(monkeypatch):
    monkeypatch.setattr(aside.time, "sleep", lambda seconds: None)
    control = Control(old_workers=2)
    change = aside.plan(control, "shop", ["orders"], True)
    assert (change.changed, change.commands) == (True, ["DELETE"])
    assert change.disturbs
    change.apply()
    assert control.written == [("DELETE", 1)]
    assert change.values == {"aside": ["public.orders"], "reloaded": True}
    assert control.old_workers == -1


def test_it_is_put_back():
    control = Control()
    change = aside.plan(control, "shop", ["away"], False)
    change.apply()
    assert control.written == [("INSERT", 3)]
    assert change.after == {"replicated": ["public.away"]}


def test_the_daemon_is_told_also_when_an_earlier_run_ended_in_between():
    control = Control()
    change = aside.plan(control, "shop", ["orders"], False)
    change.apply()
    assert (change.changed, control.written, control.reloads) == (False, [], 1)


def test_nobody_has_to_be_told_of_a_held_sync():
    control = Control(status="inactive")
    change = aside.plan(control, "shop", ["orders"], True)
    change.apply()
    assert (control.reloads, change.values["reloaded"], change.disturbs) == (0, False, [])


def test_a_worker_that_goes_on_is_an_error(monkeypatch):
    monkeypatch.setattr(aside, "RELOAD_TIMEOUT", 0.0)
    monkeypatch.setattr(aside.time, "sleep", lambda seconds: None)
    with pytest.raises(DeadlineExceeded, match="told to end goes on"):
        aside.plan(Control(old_workers=10**9), "shop", ["orders"], True).apply()


@pytest.mark.parametrize(
    ("sync", "tables", "text"),
    [
        ("other", ["orders"], "There is no sync 'other'"),
        ("shop", ["orders", "items"], "No table would be left"),
        ("shop", ["strange"], "knows no table public.strange"),
    ],
)
def test_refusals(sync, tables, text):
    with pytest.raises(Refused, match=text):
        aside.plan(Control(), sync, tables, True)

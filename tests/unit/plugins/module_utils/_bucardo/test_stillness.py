# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a sync is held: what is asked, what is told, what is ended and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import stillness
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused

from ..fake_session import FakeSession

CONTROLLERS, WORKERS = "SELECT GREATEST(pg_catalog.count(*)", "SELECT pid FROM"
END = "pg_terminate_backend"
_LOOKS = 3


class Site:
    """A control database and a master; what runs there ends by itself, by a reload or by force."""

    def __init__(self, *, workers=0, controllers=0, away=0, ends=(), pid=7, answers=True, late=0):
        self.running = {"workers": workers, "controllers": controllers, "away": away}
        self.ends, self.pid, self.answers = set(ends), pid, answers
        # Controllers that are seen some looks after the first reload.
        self.late, self.looks = late, 0
        self.ended = []
        self.reloads = 0
        self.control = self._session("control", "workers")
        self.there = self._session("there", "away")

    def _session(self, name, which):
        def ended(params):
            self.ended.append(name)
            if "force" in self.ends:
                self.running.update(dict.fromkeys([which, "controllers"], 0))
            return [{"count": 1}]

        def workers(params):
            assert params == ("bucardo KID (shop) ",)
            return [{"pid": 1}] * self.running[which]

        def controllers(_params):
            if self.reloads:
                self.looks += 1
            if self.looks == _LOOKS:
                self.running["controllers"] += self.late
            return [{"count": self.running["controllers"]}]

        return FakeSession(
            {
                END: ended,
                "application_name LIKE 'bucardo MCP": lambda _p: [{"pid": self.pid}],
                "|| ' connected for '": [{"said": "MCP (PID 7) connected for 9 s"}],
                CONTROLLERS: controllers,
                WORKERS: workers,
            },
            name,
        )

    def reload(self):
        self.reloads += 1
        if "reload" in self.ends or f"reload {self.reloads}" in self.ends:
            self.running = dict.fromkeys(self.running, 0)
        return True

    def ensure(self, written=False):
        still = stillness.Stillness(self.control, {"there": self.there}, "shop")
        return still.ensure(self.reload, written)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    class Messages(stillness.DaemonMessages):
        def answers(self, timeout=0):
            return Site.current.answers

    made = Site.__init__

    def noting(self, **facts):
        made(self, **facts)
        Site.current = self

    monkeypatch.setattr(stillness, "DaemonMessages", Messages)
    monkeypatch.setattr(Site, "__init__", noting)
    for name, seconds in {"_GRACE": 0.1, "_LAST": 0.1, "_CALM": 0.1, "_POLL": 0.01}.items():
        monkeypatch.setattr(stillness, name, seconds)


def test_where_nothing_runs_nothing_is_done():
    site = Site()
    assert site.ensure() is False
    assert (site.reloads, site.ended) == (0, [])


def test_a_row_that_has_just_been_changed_is_read_by_the_daemon():
    site = Site()
    assert site.ensure(written=True) is True
    assert site.reloads == 1


@pytest.mark.parametrize("facts", [{"workers": 1}, {"controllers": 1}, {"away": 1}])
def test_what_runs_ends_when_the_daemon_reads_the_rows(facts):
    site = Site(ends=["reload"], **facts)
    assert site.ensure() is True
    assert (site.reloads, site.ended) == (1, [])


def test_a_daemon_that_was_just_starting_is_told_twice():
    site = Site(controllers=1, ends=["reload 2"])
    assert site.ensure() is True
    assert (site.reloads, site.ended) == (2, [])


def test_what_does_not_end_is_ended_on_every_server():
    site = Site(workers=1, away=1, ends=["force"])
    assert site.ensure() is True
    assert site.ended == ["control", "there", "control"]


def test_a_controller_that_was_just_beginning_is_waited_for_and_told_as_well():
    """Its process file was not there yet, and neither was its session."""
    site = Site(controllers=1, ends=["reload 1"], late=1)
    with pytest.raises(Refused):
        site.ensure()
    site = Site(controllers=1, ends=["reload 1", "reload 2"], late=1)
    assert site.ensure() is True
    assert (site.reloads, site.ended) == (2, [])


def test_what_runs_on_all_the_same_is_refused_by_name():
    site = Site(workers=1, away=1, controllers=1)
    with pytest.raises(Refused) as caught:
        site.ensure()
    assert caught.value.message == (
        "Sync shop is to be held, but a worker is connected to the control database, a worker is"
        " connected to there, a controller is there that no active sync has"
        " (MCP (PID 7) connected for 9 s)"
    )


def test_a_daemon_that_does_not_answer_is_not_waited_for_and_not_believed():
    site = Site(workers=1, answers=False, ends=["force"])
    with pytest.raises(Refused, match="daemon does not answer, and may start it when it wakes"):
        site.ensure()
    assert site.reloads == 0
    assert site.ended
    # Even where nothing runs just now.
    with pytest.raises(Refused, match="may start it when it wakes"):
        Site(answers=False).ensure()


def test_without_a_daemon_what_runs_is_ended():
    site = Site(workers=1, pid=None, answers=False, ends=["force"])
    assert site.ensure() is True

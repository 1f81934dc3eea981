# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a sync is held: what is asked, what is told, what is ended and what is refused."""

from __future__ import annotations

import signal
import subprocess

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import stillness
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused

from ..fake_session import FakeSession

CONTROLLERS, WORKERS = "SELECT GREATEST(pg_catalog.count(*)", "SELECT pid FROM"
CONTROLLER_PIDS = "'PID ([0-9]+)'))[1]::int"
END = "pg_terminate_backend"


class Site:
    """A control database and a master; what runs there ends by itself, by a reload or by force."""

    def __init__(self, *, workers=0, controllers=0, away=0, ends=(), pid=7, answers=True, pids=()):
        self.running = {"workers": workers, "controllers": controllers, "away": away}
        self.ends, self.pid, self.answers = set(ends), pid, answers
        self.pids = pids
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

        return FakeSession(
            {
                END: ended,
                "application_name LIKE 'bucardo MCP": lambda _p: [{"pid": self.pid}],
                "|| ' connected for '": [{"said": "MCP (PID 7) connected for 9 s"}],
                CONTROLLER_PIDS: lambda _p: [{"pid": one} for one in self.pids],
                CONTROLLERS: lambda _p: [{"count": self.running["controllers"]}],
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
    for name in ("_GRACE", "_LAST", "_POLL"):
        monkeypatch.setattr(stillness, name, 0.01)


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


def test_a_controller_that_goes_on_without_its_sessions_is_killed():
    titles = ("Bucardo Controller. Sync shop", "somebody else's program")
    ours, other = (subprocess.Popen([title, "60"], executable="/bin/sleep") for title in titles)
    try:
        site = Site(controllers=1, pids=[ours.pid, other.pid])
        with pytest.raises(Refused):
            site.ensure()
        assert ours.wait(10) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


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

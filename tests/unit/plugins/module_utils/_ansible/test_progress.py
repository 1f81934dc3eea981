# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task in the background stops when nobody looks on, and only then."""

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import progress
from ansible_collections.multimaster.bucardo.plugins.plugin_utils import _live as _other_side


@pytest.fixture(autouse=True)
def _signals():
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def now(monkeypatch):
    """The clock of the task's host, to be set."""
    time = [1_000_000.0]
    monkeypatch.setattr(progress.time, "time", lambda: time[0])
    return time


@pytest.fixture
def lease(tmp_path, now):
    path = tmp_path / "lease"
    path.touch()
    os.utime(path, (now[0], now[0]))
    return path


def test_it_stops_when_the_lease_ran_out(lease, now):
    watcher = progress.Watcher(str(lease.parent))
    for _second in range(progress.LEASE):
        assert watcher.keep_going()
        now[0] += 1
    assert not watcher.keep_going()


def test_it_goes_on_while_somebody_looks_on(lease, now):
    watcher = progress.Watcher(str(lease.parent))
    for _second in range(5 * progress.LEASE):
        now[0] += 1
        os.utime(lease, (now[0], now[0]))
        assert watcher.keep_going()


@pytest.mark.parametrize("seconds", [40, 400, 40_000])
def test_a_host_that_was_frozen_does_not_take_it_for_silence(lease, now, seconds):
    watcher = progress.Watcher(str(lease.parent))
    assert watcher.keep_going()
    now[0] += seconds
    assert watcher.keep_going()
    for _second in range(progress.LEASE):
        now[0] += 1
    for _second in range(2 * progress.LEASE):
        now[0] += 1
        watcher.keep_going()
    assert not watcher.keep_going()


def test_it_stops_at_once_when_the_lease_is_withdrawn(lease):
    watcher = progress.Watcher(str(lease.parent))
    assert watcher.keep_going()
    lease.unlink()
    assert not watcher.keep_going()


def test_both_sides_are_patient_for_as_long():
    assert _other_side.PATIENCE == progress.LEASE

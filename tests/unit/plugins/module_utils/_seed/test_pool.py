# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With real processes."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.pool import Pool, tasks_of


def serve(channel, slot):
    def do(task):
        if task["do"] == "sleep":
            time.sleep(60)
        channel.send({"slot": slot, "pid": os.getpid(), "sum": sum(task["numbers"])})

    tasks_of(channel, do)


@pytest.fixture
def pool():
    made = Pool(2, serve, [])
    yield made
    made.close()


def wait_for(pool, count):
    found = []
    end = time.monotonic() + 10
    while len(found) < count and time.monotonic() < end:
        found += pool.events(0.2)
    return found


def gone(pid, seconds=5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
                if stream.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_tasks_are_done_by_several_processes(pool):
    for slot in pool.slots:
        pool.give(slot, {"do": "add", "numbers": list(range(50_000))})
    found = dict(wait_for(pool, 2))
    assert {slot: message["slot"] for slot, message in found.items()} == {0: 0, 1: 1}
    assert {message["sum"] for message in found.values()} == {sum(range(50_000))}
    assert {slot: message["pid"] for slot, message in found.items()} == pool.pids
    assert len({*pool.pids.values(), os.getpid()}) == 3


def test_no_process_starts_before_it_has_something_to_do(pool):
    assert pool.pids == {}
    pool.give(1, {"do": "add", "numbers": [1]})
    assert list(pool.pids) == [1]
    pool.give(1, {"do": "add", "numbers": [2]})
    assert [message["pid"] for _slot, message in wait_for(pool, 2)] == [pool.pids[1]] * 2


def test_the_end_of_a_process_is_an_event(pool):
    for slot in pool.slots:
        pool.give(slot, {"do": "sleep"})
    victim = pool.pids[0]
    os.kill(victim, signal.SIGKILL)
    assert wait_for(pool, 1) == [(0, None)]
    assert list(pool.pids) == [1]
    pool.give(0, {"do": "add", "numbers": [1]})
    [(slot, message)] = wait_for(pool, 1)
    assert (slot, message["sum"]) == (0, 1)
    assert message["pid"] not in (victim, pool.pids[1])


def test_a_task_for_a_process_that_has_just_died_is_answered_by_its_end(pool):
    pool.give(0, {"do": "sleep"})
    os.kill(pool.pids[0], signal.SIGKILL)
    assert gone(pool.pids[0])
    pool.give(0, {"do": "add", "numbers": [1]})
    assert wait_for(pool, 1) == [(0, None)]


def test_closing_ends_processes_at_work(pool):
    for slot in pool.slots:
        pool.give(slot, {"do": "sleep"})
    pids = list(pool.pids.values())
    pool.close()
    assert all(gone(pid) for pid in pids)


def test_processes_end_with_their_parent_however_it_ends():
    reading, writing = os.pipe()
    parent = os.fork()
    if not parent:
        made = Pool(3, serve, [])
        for slot in made.slots:
            made.give(slot, {"do": "sleep"})
        os.write(writing, " ".join(map(str, made.pids.values())).encode() + b"\n")
        time.sleep(60)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        pids = [int(pid) for pid in stream.readline().split()]
    assert len(pids) == 3
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert all(gone(pid) for pid in pids)

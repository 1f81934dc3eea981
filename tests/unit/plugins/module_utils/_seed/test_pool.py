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
    for process in pool.idle():
        pool.give(process, {"do": "add", "numbers": list(range(50_000))})
    assert pool.idle() == []
    found = wait_for(pool, 2)
    assert {message["slot"] for _process, message in found} == {0, 1}
    assert {message["sum"] for _process, message in found} == {sum(range(50_000))}
    assert len({message["pid"] for _process, message in found} | {os.getpid()}) == 3


def test_the_end_of_a_process_is_an_event(pool):
    victim = pool.processes[0]
    pool.give(victim, {"do": "sleep"})
    os.kill(victim.pid, signal.SIGKILL)
    assert wait_for(pool, 1) == [(victim, None)]
    assert len(pool.processes) == 1


def test_closing_ends_processes_at_work(pool):
    pids = [process.pid for process in pool.processes]
    for process in pool.idle():
        pool.give(process, {"do": "sleep"})
    pool.close()
    assert all(gone(pid) for pid in pids)


def test_processes_end_with_their_parent_however_it_ends():
    reading, writing = os.pipe()
    parent = os.fork()
    if not parent:
        made = Pool(3, serve, [])
        for process in made.processes:
            made.give(process, {"do": "sleep"})
        os.write(writing, " ".join(str(p.pid) for p in made.processes).encode() + b"\n")
        time.sleep(60)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        pids = [int(pid) for pid in stream.readline().split()]
    assert len(pids) == 3
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert all(gone(pid) for pid in pids)

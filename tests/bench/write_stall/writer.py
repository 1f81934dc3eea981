# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes single rows to random tables and measures every write, until it is ended.

Runs on the origin itself, so that no network is in the figures. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import random
import signal
import sys
import threading
import time

import psycopg2

# Seconds between two looks.
INTERVAL = 0.05
WAITS = """
SELECT pid, wait_event_type || ':' || wait_event FROM pg_stat_activity
 WHERE application_name = 'write_stall writer' AND state = 'active'
   AND clock_timestamp() - query_start > interval '100 ms'
"""

# By process id, nanoseconds spent ready to run but not running.
_waited: dict[int, int] = {}
ended = threading.Event()
failures: list[str] = []


def write(tables: int, seed: int, out: list[tuple[float, float]]) -> None:
    """Insert and update in autocommit; note when each write began and how long it took."""
    try:
        _write(tables, seed, out)
    except psycopg2.Error as error:
        # A writer that is gone waits for nothing: its figures would flatter.
        failures.append(str(error).splitlines()[0])
        ended.set()


def _write(tables: int, seed: int, out: list[tuple[float, float]]) -> None:
    chance = random.Random(seed)
    connection = psycopg2.connect(dbname="app", application_name="write_stall writer")
    connection.autocommit = True
    # Another run of this program must not have used the same keys.
    number = time.time_ns() // 1000 * 100 + seed
    with connection.cursor() as cursor:
        while not ended.is_set():
            table = chance.randrange(tables)
            number += 100
            begun = time.monotonic()
            if chance.random() < 0.5:
                cursor.execute(f"INSERT INTO t{table:04d} VALUES (%s, 'x')", (number,))
            else:
                cursor.execute(f"UPDATE t{table:04d} SET n = n + 1 WHERE id = %s", (seed,))
            out.append((begun, time.monotonic() - begun))


def watch(waits: collections.Counter[str]) -> None:
    """Note what writes that take long are waiting for."""
    connection = psycopg2.connect(dbname="app", application_name="write_stall watcher")
    connection.autocommit = True
    with connection.cursor() as cursor:
        while not ended.wait(INTERVAL):
            cursor.execute(WAITS)
            waits.update(event or state_of(pid) for pid, event in cursor.fetchall())


def state_of(pid: int) -> str:
    """What the kernel says of a backend that waits for nothing that PostgreSQL knows."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        waited = int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return "gone"
    # Since the last look: whether it was ready to run all the time, and nobody let it.
    starved = waited - _waited.get(pid, waited) > INTERVAL * 0.5e9
    _waited[pid] = waited
    return f"state {fields[0]}" + (", no processor" if starved else "")


def main() -> int:
    """Write from several connections; non-zero when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, required=True)
    parser.add_argument("--writers", type=int, default=2)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_args: ended.set())
    figures: list[list[tuple[float, float]]] = [[] for _writer in range(options.writers)]
    threads = [
        threading.Thread(target=write, args=(options.tables, number + 1, figures[number]))
        for number in range(options.writers)
    ]
    waits: collections.Counter[str] = collections.Counter()
    threads.append(threading.Thread(target=watch, args=(waits,)))
    for thread in threads:
        thread.start()
    print("writing", flush=True)
    while not ended.wait(0.2):
        pass
    for thread in threads:
        thread.join()
    if failures:
        print(json.dumps({"failures": failures}))
        return 1
    everything = sorted(took for one in figures for _begun, took in one)
    print(
        json.dumps(
            {
                "writes": len(everything),
                "longest_ms": round(everything[-1] * 1000),
                "p99_ms": round(everything[int(len(everything) * 0.99)] * 1000, 1),
                "over_250_ms": sum(took > 0.25 for took in everything),
                "slow_waits": dict(waits.most_common()),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is looked at meanwhile: how much waits, and how much memory the work takes."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import time
import typing as t

import servers
from runs import Run
from sets import Set

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

# Seconds between two looks at what waits.
LOOK = 0.25
# Largest memory of the process that does the work, as long as the file is there. Of a server's
# process only what is its own counts.
_MEMORY = """
touch /tmp/watched; : > /tmp/memory
while [ -e /tmp/watched ]; do
  for pid in $(pgrep -f -- "$PATTERN"); do
    sed -n "s/^$FIELD: *//p" /proc/$pid/status 2>/dev/null >> /tmp/memory
  done
  sleep 0.2
done
"""
_PATTERN = {
    "ours": ("[b]ucardo_catch_up", "VmHWM"),
    "default": ("^Bucardo [K]id", "VmHWM"),
    "settings": ("^Bucardo [K]id", "VmHWM"),
    "native": ("logical replication [w]orker|[w]alsender", "RssAnon"),
}


@dataclasses.dataclass(frozen=True)
class Queue:
    """How to see what waits.

    :param gone: query: how many rows have left it, since ever.
    :param over: query: whether nothing of it waits any more; "" when the number tells.
    :param queued: how many of its rows waited in the beginning.
    """

    gone: str
    over: str
    queued: int


def queries(tables: Set, native: bool) -> tuple[str, str]:
    """The queries of `Queue`."""
    if native:
        return f"SELECT sum({_counted('inserted', 'updated', 'deleted')})::bigint {_of(tables)}", ""
    # In little time, as nobody writes: Bucardo marks all at once. What others brought is deleted.
    over = (
        f"(NOT EXISTS (SELECT FROM bucardo.delta_public_{name})"
        f" OR EXISTS (SELECT FROM bucardo.track_public_{name}))"
        for name in tables.names
    )
    return (
        f"SELECT sum({_counted('deleted')})::bigint {_of(tables, 'bucardo.delta_public_')}",
        f"SELECT {' AND '.join(over)}",
    )


def _counted(*kinds: str) -> str:
    return " + ".join(f"pg_stat_get_tuples_{kind}(c)" for kind in kinds)


def _of(tables: Set, prefix: str = "public.") -> str:
    return f"FROM unnest('{{{','.join(prefix + name for name in tables.names)}}}'::regclass[]) c"


class Clock(threading.Thread):
    """Looks at what waits until nothing does, or the time is over."""

    def __init__(self, run: Run, session: Session, queue: Queue) -> None:
        super().__init__(daemon=True)
        self._run, self._session, self._queue = run, session, queue
        self._base = session.value(queue.gone)
        self._begun = time.monotonic()
        self._ended: float | None = None
        self._stopped = False
        self.left = run.changes

    def run(self) -> None:
        """Note what waits; a straight line needs no more than its ends."""
        while not self._stopped:
            self.left = self._look()
            passed = time.monotonic() - self._begun
            if not self._run.backlog or self._run.backlog[-1][1] != self.left:
                self._run.backlog.append((round(passed, 2), self.left))
            if self.left == 0 and self._ended is None:
                self._ended = passed
            time.sleep(LOOK)

    def _look(self) -> int:
        """In changes, of which some have two rows in a queue."""
        gone = self._session.value(self._queue.gone) - self._base
        left = math.ceil(self._run.changes * (1 - gone / self._queue.queued))
        if not self._queue.over:
            return max(0, left)
        # What a transaction deleted counts even when it was rolled back.
        return 0 if self._session.value(self._queue.over) else max(1, left)

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def wait(self) -> float | None:
        """Seconds until nothing waited, None when that takes too long."""
        while self._ended is None and self.passed < self._run.limit:
            time.sleep(LOOK)
        return self._ended

    def stop(self) -> None:
        """Before the session is closed."""
        self._stopped = True
        self.join()


@contextlib.contextmanager
def memory(bench: servers.Servers, host: str, run: Run) -> t.Iterator[None]:
    """Note the memory of the processes that do the work."""
    pattern, field = _PATTERN[run.way]
    servers.docker(
        *("exec", "--detach", "--env", f"PATTERN={pattern}", "--env", f"FIELD={field}"),
        *(bench.container(host), "bash", "-c", _MEMORY),
    )
    yield
    said = bench.run(host, "rm -f /tmp/watched; sleep 0.3; cat /tmp/memory")
    run.memory = max((int(line.split()[0]) // 1024 for line in said.splitlines()), default=0)

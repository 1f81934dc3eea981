# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writers on one master, and what can be seen of them on the other."""

from __future__ import annotations

import threading
import time
import typing as t

from pairs import PATIENCE, ROWS, UPDATES, Pair

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

SCRIPT = rf"""
\set id random(1, {ROWS})
UPDATE public.item SET n = n + 1 WHERE id = :id;
"""
# Of those that write at a fixed rate.
CLIENTS = 16
# Seconds between two rows of which the way is timed, and between two looks for them.
BEAT, LOOK = 0.1, 0.005
# How often what waits is looked at.
GLANCES = 60


class Written(t.NamedTuple):
    """Transactions per second, and the latency in milliseconds that one in a hundred exceeds."""

    tps: float
    p99: float


class Seen(t.NamedTuple):
    """What was written, and seconds that rows took to the other master, in order.

    :param waiting: seconds since the start, and updates that were not on the other master then.
    """

    written: Written
    lags: list[float]
    waiting: list[tuple[float, int]]


def p99(ordered: t.Sequence[float]) -> float:
    """What one in a hundred exceeds."""
    return ordered[int(len(ordered) * 0.99)]


def write(pair: Pair, clients: int, seconds: float, rate: int = 0) -> Written:
    """Let so many clients write."""
    limit = f"-R {rate}" if rate else ""
    said = pair.site.run(
        pair.left.host,
        'cd $(mktemp -d) && chmod 777 . && echo "$SCRIPT" > write.sql && runuser -u postgres --'
        f" pgbench -n -c {clients} -j {min(clients, 2)} -T {seconds:.0f} {limit}"
        f" -f write.sql -l {pair.left.database} >&2 && cat pgbench_log.*",
        SCRIPT=SCRIPT,
    )
    # The third field is the latency in microseconds; at a fixed rate it is from the moment at
    # which the transaction was due.
    latencies = sorted(int(line.split()[2]) / 1000 for line in said.splitlines())
    return Written(len(latencies) / seconds, p99(latencies))


def watched(pair: Pair, rate: int, seconds: float, glance: bool = False) -> Seen:
    """Let others write at a rate, and time rows on their way; all has come over at the end.

    :param glance: look at what waits as well, which costs both masters a little.
    """
    ends = [pair.site.conninfo(master) for master in pair.masters]
    with Session(ends[0]) as left, Session(ends[1]) as right:
        beats = Beats(left, right)
        with Session(ends[0]) as other_left, Session(ends[1]) as other_right:
            waiting = Waiting(other_left, other_right, seconds / GLANCES)
            watchers: list[Watcher] = [beats, waiting] if glance else [beats]
            for watcher in watchers:
                watcher.start()
            try:
                written = write(pair, CLIENTS, seconds, rate)
            finally:
                for watcher in reversed(watchers):
                    watcher.stop()
    pair.drain()
    return Seen(written, sorted(beats.lags), waiting.found)


class Watcher(threading.Thread):
    """Looks at both masters until it is stopped."""

    def __init__(self, left: Session, right: Session) -> None:
        super().__init__(daemon=True)
        self.left, self.right = left, right
        self.over = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """An error is told when it is stopped."""
        try:
            self.look()
        except BaseException as error:
            self._error = error

    def stop(self) -> None:
        """When the last has been seen."""
        self.over.set()
        self.join()
        if self._error:
            raise self._error

    def look(self) -> None:
        """All that it does."""
        raise NotImplementedError


class Beats(Watcher):
    """Writes rows on one master, and notes when they are on the other."""

    def __init__(self, left: Session, right: Session) -> None:
        super().__init__(left, right)
        self.lags: list[float] = []

    def look(self) -> None:
        """Both in one loop: the times are of one clock."""
        number = int(self.left.value("SELECT COALESCE(max(id), 0) FROM public.beat"))
        sent: dict[int, float] = {}
        due = time.monotonic()
        while sent or not self.over.is_set():
            now = time.monotonic()
            if now >= due and not self.over.is_set():
                number, due = number + 1, due + BEAT
                self.left.execute("INSERT INTO public.beat VALUES (%s, %s)", (number, now))
                sent[number] = now
            if sent:
                arrived = self.right.column(
                    "SELECT id FROM public.beat WHERE id = ANY (%s)", (list(sent),)
                )
                self.lags += [time.monotonic() - sent.pop(one) for one in arrived]
                if sent and now - min(sent.values()) > PATIENCE:
                    raise SystemExit(f"error: rows wait after {PATIENCE} s")
            time.sleep(LOOK)


class Waiting(Watcher):
    """Notes how many updates of one master are not yet on the other."""

    def __init__(self, left: Session, right: Session, pause: float) -> None:
        super().__init__(left, right)
        self._pause = pause
        self.found: list[tuple[float, int]] = []

    def look(self) -> None:
        """The other one first: what comes over between the two looks counts as waiting."""
        begun = time.monotonic()
        while not self.over.wait(self._pause):
            there, passed = int(self.right.value(UPDATES)), time.monotonic() - begun
            self.found.append((passed, int(self.left.value(UPDATES)) - there))

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients did, kept outside of the databases.

Every write makes a version, a number that no other write has, and puts it into the row. So each row
that is found later says which write made it, and each write says which version it replaced.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import threading
import typing as t

# What became of a transaction. The client of one that is unknown lost its server while it
# committed; of one that was refused, before.
ACKNOWLEDGED, UNKNOWN, REFUSED = "acknowledged", "unknown", "refused"


class Row(t.NamedTuple):
    """Where a write went: a table and the row's key, as text."""

    table: str
    key: str


@dataclasses.dataclass(frozen=True)
class Change:
    """What a transaction did to one row.

    :param saw: the version that was there when the row was locked; None: there was no such row.
    :param wrote: the version that is there now; None: the row was deleted.
    :param number: whether the key was just handed out by a sequence.
    """

    row: Row
    saw: int | None
    wrote: int | None
    number: bool = False


@dataclasses.dataclass(frozen=True)
class Transaction:
    """By one client on one master; times are of one clock, before the first statement and after
    the last answer.

    :param error: PostgreSQL's code for it; the statement that failed is the last change.
    """

    master: str
    client: str
    begun: float
    ended: float
    outcome: str
    changes: tuple[Change, ...]
    error: str = ""


class History:
    """The transactions since the last check, in memory, and all of them in a file."""

    def __init__(self, path: pathlib.Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("w", encoding="utf-8")
        self._recent: list[Transaction] = []
        self._version = 0
        self.counts = dict.fromkeys((ACKNOWLEDGED, UNKNOWN, REFUSED), 0)
        # Of acknowledged transactions.
        self.rows = 0

    def version(self) -> int:
        """One that nobody had before."""
        with self._lock:
            self._version += 1
            return self._version

    def add(self, transaction: Transaction) -> None:
        """Remember one."""
        with self._lock:
            self._recent.append(transaction)
            self.counts[transaction.outcome] += 1
            if transaction.outcome == ACKNOWLEDGED:
                self.rows += len(transaction.changes)
            self._file.write(json.dumps(dataclasses.astuple(transaction)) + "\n")

    def note(self, **words: t.Any) -> None:
        """Something else that belongs to the story: a fault, a check."""
        with self._lock:
            self._file.write(json.dumps(words) + "\n")
            self._file.flush()

    def take(self) -> list[Transaction]:
        """Those since the last time. Nobody must be writing."""
        with self._lock:
            taken, self._recent = self._recent, []
            return taken

    def close(self) -> None:
        """No more."""
        self._file.close()

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the watchdog remembers from one look to the next, in a file of Bucardo's user."""

from __future__ import annotations

import dataclasses
import json
import os
import time
import typing as t

from .._common.names import TableName
from .._common.text import age
from . import mend
from .facts import Facts, Sample, pairs
from .problem import Alarm

FILE = "/var/lib/bucardo-watchdog/state.json"
# Looks that are kept, and seconds that lie between two at least.
_SAMPLES = 10
_APART = 45.0
# Seconds that a look may take however often it comes.
_SHORT = 30.0
# Seconds after which what was seen says nothing of now.
_OLD = 1800.0


class Memory:
    """Earlier looks, rows that have been lost, and what was tried."""

    def __init__(self, values: t.Mapping[str, t.Any] | None = None) -> None:
        given = values or {}
        self.state: mend.State = given.get("state") or mend.fresh()
        # By sync and master as text: time, changes, age of the oldest.
        self.samples: dict[str, list[list[float]]] = dict(given.get("samples") or {})
        # By sync and table as text: keys of rows.
        self.lost: dict[str, list[str]] = dict(given.get("lost") or {})
        # When the last look began, and the seconds that it took.
        when, took = given.get("looked") or (0.0, 0.0)
        self.looked: tuple[float, float] = (when, took)

    @classmethod
    def load(cls, path: str = FILE) -> Memory:
        """What is in the file; nothing where there is none, or none that can be read."""
        try:
            with open(path, encoding="utf-8") as file:
                return cls(json.load(file))
        except (OSError, ValueError, AttributeError):
            return cls()

    def save(self, path: str = FILE) -> None:
        """Write it whole or not at all."""
        temporary = f"{path}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(vars(self), file, indent=1)
        os.replace(temporary, path)

    def history(self, now: float | None = None) -> dict[tuple[str, str], tuple[Sample, ...]]:
        """Earlier looks for the detectors."""
        moment = time.time() if now is None else now
        found = {}
        for key, samples in self.samples.items():
            sync, _slash, master = key.partition("/")
            found[sync, master] = tuple(
                Sample(moment - when, int(changes), oldest)
                for when, changes, oldest in samples
                if moment - when < _OLD
            )
        return found

    def suspects(self, sync: str) -> dict[TableName, tuple[str, ...]]:
        """Rows of a sync that differed at an earlier look, though nothing of them waited."""
        return {
            TableName.parse(key.partition("/")[2]): tuple(keys)
            for key, keys in self.lost.items()
            if key.partition("/")[0] == sync
        }

    def dated(self, alarms: t.Iterable[Alarm], now: float | None = None) -> list[Alarm]:
        """The same, with since when, where only this memory knows that."""
        moment = time.time() if now is None else now
        found = []
        for alarm in alarms:
            since = self.state["problems"].get(alarm.key, {}).get("since", moment)
            if not alarm.age and moment - since >= 1:
                seen = f"{alarm.what} (seen for {age(moment - since)})"
                alarm = dataclasses.replace(alarm, what=seen, age=moment - since)
            found.append(alarm)
        return found

    def is_due(self, now: float) -> bool:
        """Whether looking takes no more than a tenth of the time: a large queue takes long."""
        when, took = self.looked
        # Most of a short look is waiting for an answer.
        return took < _SHORT or not when <= now < when + 10 * took

    def note(self, facts: Facts, now: float) -> None:
        """Keep what this look saw."""
        for sync, master in pairs(facts):
            key = f"{sync.name}/{master.name}"
            samples = self.samples.setdefault(key, [])
            if not samples or now - samples[-1][0] >= _APART:
                samples.append([now, master.changes, master.oldest])
            del samples[:-_SAMPLES]
        self.lost = {
            f"{sync.name}/{one.table}": list(one.keys)
            for sync in facts.syncs
            for one in sync.unequal
        }

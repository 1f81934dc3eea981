# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How equality of tables is decided (pure); docs/decisions/compare.md says why it is sound."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.batches import fill
from .._common.names import quote_if_needed
from .._common.text import listed
from .._postgres.tables import Table

# One statement reads tables up to this many bytes, and at most so many, in one round trip.
BATCH_BYTES = 16 * 1024 * 1024
BATCH_TABLES = 50

# Buckets of one pass: at least, at most, and rows that a bucket should hold.
MIN_BITS = 10
MAX_BITS = 16
ROWS_PER_BUCKET = 1000
# Groups or rows that one answer may bring to this process (some hundred bytes each).
MAX_GROUPS = 1 << 17
MAX_ROWS = 50_000
# Rechecks in which a difference must stay exactly the same to count as one.
RECHECKS = 3
# Versions of a row that are remembered per key and master.
HISTORY = 1000

# What a master says about a group of rows: their number and the sum of their hashes.
Group = t.Tuple[int, int]
# Key hash -> (key's columns as text, row hash)
Rows = t.Dict[int, t.Tuple[t.Tuple[str, ...], int]]


def batches(tables: t.Iterable[Table]) -> list[list[Table]]:
    """Groups of tables to read in one statement each, the largest table first."""
    ordered = sorted(tables, key=lambda table: (-table.bytes, table.name))
    return fill(ordered, lambda table: table.bytes, BATCH_TABLES, BATCH_BYTES)


def first_bits(rows: int) -> int:
    """How many bits of the key's hash number the buckets of the first pass."""
    bits = MIN_BITS
    while bits < MAX_BITS and (1 << bits) * ROWS_PER_BUCKET < rows:
        bits += 1
    return bits


def unequal(sides: t.Sequence[t.Mapping[int, Group]]) -> dict[int, int]:
    """Buckets that are not the same on all masters, with the most rows that one holds there."""
    found: dict[int, int] = {}
    for bucket in set().union(*sides):
        groups = [side.get(bucket, (0, 0)) for side in sides]
        if any(group != groups[0] for group in groups[1:]):
            found[bucket] = max(group[0] for group in groups)
    return found


@dataclasses.dataclass(frozen=True)
class Step:
    """What to read next: the listed buckets, as rows or split by more bits of the hash.

    :param bits: bits that number the listed buckets.
    :param split_bits: bits of the finer buckets, 0 to read rows.
    :param complete: False when only some of the differing buckets are looked at.
    """

    buckets: tuple[int, ...]
    bits: int
    split_bits: int
    complete: bool


def next_step(differing: t.Mapping[int, int], bits: int) -> Step:
    """Read rows as soon as they are few; split buckets before that; never more than memory holds.

    Where nearly everything differs (half-filled tables), as many buckets as fit are looked at.
    """
    buckets = sorted(differing)
    if sum(differing.values()) <= MAX_ROWS:
        return Step(tuple(buckets), bits, 0, True)
    more = 0
    while more < 10 and len(buckets) << (more + 1) <= MAX_GROUPS and bits + more < 40:
        more += 1
    # Splitting helps while a finer bucket holds fewer rows than the one that it came from.
    if more and sum(differing.values()) > 4 * len(buckets):
        return Step(tuple(buckets), bits, bits + more, True)
    chosen: list[int] = []
    room = MAX_ROWS
    for bucket in sorted(buckets, key=lambda bucket: (differing[bucket], bucket)):
        if chosen and differing[bucket] > room:
            break
        chosen.append(bucket)
        room -= differing[bucket]
    return Step(tuple(chosen), bits, 0, False)


@dataclasses.dataclass(frozen=True)
class Difference:
    """One row that is not the same on all masters.

    :param key: the key's columns and values as text.
    :param missing_on: masters without a row of that key.
    :param versions: the other masters, those with the same row together.
    """

    key: dict[str, str]
    missing_on: tuple[str, ...]
    versions: tuple[tuple[str, ...], ...]

    @property
    def problem(self) -> str:
        """ "missing", "different", or "missing and different" (three masters and more)."""
        if not self.missing_on:
            return "different"
        return "missing" if len(self.versions) < 2 else "missing and different"

    def to_dict(self) -> dict[str, t.Any]:
        """For the result of a task."""
        return {
            "key": self.key,
            "problem": self.problem,
            "missing_on": list(self.missing_on),
            "versions": [list(names) for names in self.versions],
        }


@dataclasses.dataclass
class _Candidate:
    key: tuple[str, ...]
    hashes: tuple[int | None, ...]
    seen: tuple[set[int | None], ...]
    unchanged: int = 0

    def equal(self, hashes: tuple[int | None, ...]) -> bool:
        """Take in what the masters hold now; whether all of them have been seen with one value.

        Not necessarily at one moment: a row that is updated all the time is hardly ever equal,
        but the version that one master had arrives on the others.
        """
        for values, value in zip(self.seen, hashes):
            if len(values) < HISTORY:
                values.add(value)
        return bool(set.intersection(*self.seen))


class KeyWatch:
    """Keys whose rows differed, watched until each is seen equal or is sure to differ.

    A key is let go as soon as every master has been seen with the same version of its row (or
    without the row). It differs for sure when the row stayed the same on every master through
    `RECHECKS` further looks while no queue held it.
    """

    def __init__(self, masters: t.Sequence[str], key_columns: t.Sequence[str]) -> None:
        self._masters = tuple(masters)
        self._key_columns = tuple(key_columns)
        self._candidates: dict[int, _Candidate] = {}
        self._proven: dict[int, _Candidate] = {}

    def start(self, sides: t.Sequence[Rows]) -> None:
        """Take every key of these rows that is not equal on all masters."""
        for keyhash in set().union(*sides):
            hashes = _hashes(sides, keyhash)
            if keyhash in self._candidates or len(set(hashes)) == 1:
                continue
            key = next(side[keyhash][0] for side in sides if keyhash in side)
            self._candidates[keyhash] = _Candidate(key, hashes, tuple({h} for h in hashes))

    def look(self, sides: t.Sequence[Rows], queued: t.Collection[int]) -> None:
        """Take in another look at all keys that are being watched.

        :param queued: hashes of keys that wait in a queue, read before the rows, so that a row
            that left the queue in between is seen as it is afterwards.
        """
        self._proven.clear()
        for keyhash, candidate in list(self._candidates.items()):
            hashes = _hashes(sides, keyhash)
            if candidate.equal(hashes):
                del self._candidates[keyhash]
            elif hashes != candidate.hashes or keyhash in queued:
                candidate.hashes, candidate.unchanged = hashes, 0
            else:
                candidate.unchanged += 1
                if candidate.unchanged >= RECHECKS:
                    self._proven[keyhash] = candidate

    def glance(self, sides: t.Sequence[Rows]) -> None:
        """Take in a quick look between two others, which may only let keys go."""
        for keyhash in list(self.undecided_keys):
            if self._candidates[keyhash].equal(_hashes(sides, keyhash)):
                del self._candidates[keyhash]

    def let_go(self, keys: t.Collection[int]) -> None:
        """KeyWatch these no longer."""
        for keyhash in keys:
            self._candidates.pop(keyhash, None)
            self._proven.pop(keyhash, None)

    @property
    def keys(self) -> dict[int, tuple[str, ...]]:
        """Hash and columns of every key that is being watched."""
        return {keyhash: candidate.key for keyhash, candidate in self._candidates.items()}

    @property
    def undecided_keys(self) -> dict[int, tuple[str, ...]]:
        """The same without those that differ for sure."""
        return {
            keyhash: candidate.key
            for keyhash, candidate in self._candidates.items()
            if keyhash not in self._proven
        }

    @property
    def proven(self) -> int:
        """Number of keys that differ for sure."""
        return len(self._proven)

    @property
    def undecided(self) -> int:
        """Number of keys that still change or wait in a queue."""
        return len(self._candidates) - len(self._proven)

    def differences(self, limit: int, undecided: bool = False) -> list[Difference]:
        """The first differences by key: those that are sure, or all that are left."""
        source = self._candidates if undecided else self._proven
        ordered = sorted(source.values(), key=lambda candidate: _natural(candidate.key))
        return [self._difference(candidate) for candidate in ordered[:limit]]

    def _difference(self, candidate: _Candidate) -> Difference:
        versions: dict[int, list[str]] = {}
        missing = []
        for master, value in zip(self._masters, candidate.hashes):
            if value is None:
                missing.append(master)
            else:
                versions.setdefault(value, []).append(master)
        return Difference(
            dict(zip(self._key_columns, candidate.key)),
            tuple(missing),
            tuple(tuple(names) for names in versions.values()),
        )


def _hashes(sides: t.Sequence[Rows], keyhash: int) -> tuple[int | None, ...]:
    return tuple(side[keyhash][1] if keyhash in side else None for side in sides)


def _natural(key: tuple[str, ...]) -> tuple[tuple[int, int, str], ...]:
    """Numbers by value, and before other texts."""
    return tuple(
        (0, int(part), "") if part.lstrip("-").isdecimal() else (1, 0, part) for part in key
    )


# How a table was found equal.
PROOF_SUMS = "sums"
PROOF_KEYS = "keys"


@dataclasses.dataclass
class TableResult:
    """What is known about one table.

    :param proof: `PROOF_SUMS`: count and sum were the same on all masters; `PROOF_KEYS`: every
        key was seen equal on all masters, though not all at one moment; "" when not equal.
    :param rows: rows per master, as last counted.
    :param problem: why it is not equal, in a few words.
    :param undecided: it may still become equal: rows change or wait in a queue.
    """

    name: str
    rows: dict[str, int] = dataclasses.field(default_factory=dict)
    proof: str = ""
    problem: str = ""
    undecided: bool = False
    differences: list[Difference] = dataclasses.field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether all masters hold the same rows."""
        return bool(self.proof)

    def to_dict(self) -> dict[str, t.Any]:
        """For the result of a task."""
        return {
            "name": self.name,
            "equal": self.equal,
            "proof": self.proof,
            "rows": self.rows,
            "problem": self.problem,
            "undecided": self.undecided,
            "differences": [difference.to_dict() for difference in self.differences],
        }


def structure_problem(sides: t.Mapping[str, Table | None]) -> str:
    """Why the rows of a table cannot be compared at all, or ""."""
    missing = [master for master, table in sides.items() if table is None]
    if missing:
        return f"no such table on {', '.join(missing)}"
    columns: dict[str, list[str]] = {}
    for master, table in sides.items():
        for column in table.columns if table else ():
            columns.setdefault(column.name, []).append(master)
    for column_name, masters in sorted(columns.items()):
        if len(masters) < len(sides):
            without = ", ".join(master for master in sides if master not in masters)
            return f"no column {quote_if_needed(column_name)} on {without}"
    return ""


def row_problem(rows: t.Mapping[str, int]) -> str:
    """The counts of a table that differ, in words."""
    if len(set(rows.values())) == 1:
        return "same number of rows, different content"
    return "rows: " + ", ".join(f"{count} on {master}" for master, count in rows.items())


def key_problem(proven: int, undecided: int, complete: bool, examples: list[Difference]) -> str:
    """The keys of a table that differ, in words."""
    parts = []
    if proven:
        parts.append(f"{'' if complete else 'at least '}{_keys(proven)} differ{_s(proven)}")
    if undecided:
        parts.append(
            f"{_keys(undecided)} still change{_s(undecided)} or wait{_s(undecided)} in a queue"
        )
    text = " and ".join(parts)
    if examples:
        first = examples[0]
        where = f" on {', '.join(first.missing_on)}" if first.missing_on else ""
        key = ", ".join(f"{name}={value}" for name, value in first.key.items())
        text += f", for example {key} ({first.problem}{where})"
    return text


def _keys(count: int) -> str:
    return f"{count} key" if count == 1 else f"{count} keys"


def _s(count: int) -> str:
    return "s" if count == 1 else ""


def to_result(results: t.Sequence[TableResult]) -> dict[str, t.Any]:
    """For the result of a task."""
    return {
        "equal": all(result.equal for result in results),
        "summary": summary(results),
        "tables": [result.to_dict() for result in results],
    }


def summary(results: t.Sequence[TableResult], named: int = 5) -> str:
    """One line that names the tables that are not equal."""
    bad = [result for result in results if not result.equal]
    total = f"{len(results)} table" + ("" if len(results) == 1 else "s")
    if not bad:
        return f"{total}, all equal"
    shown = listed((f"{result.name}: {result.problem}" for result in bad), named, "; ")
    return f"{len(bad)} of {total} not equal: {shown}"

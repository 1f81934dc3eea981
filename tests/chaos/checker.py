# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges what is in the databases by what clients were told. Pure: no server, none of our modules.

Between two checks, a write *follows* another one of the same row when it saw its version, directly
or through others, or when it began on the same master after that one was acknowledged. Of two
writes of which none follows the other, none knew of the other: that is a conflict, and the
conflict rule says who may win. All else has one right answer.

What may be there in the end is a write that no acknowledged one follows:

- With names of masters in order of preference as the rule, Bucardo decides for each row: a write
  that does not know of one by a master that is preferred has lost.
- With `bucardo_latest` it decides for whole tables, by times that clients cannot know, so that
  any of them may win; it must be one of them.

One whose outcome the client was not told may be there or not, but is not undone once it was seen.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from history import ACKNOWLEDGED, REFUSED, Change, Row, Transaction

# What a master holds: of each row its key, its version, whether the rest of the row is what belongs
# to this version, and a digest of all columns, those included that no client knows.
Found = t.Tuple[str, int, bool, str]
Tables = t.Mapping[str, t.Sequence[Found]]
Baseline = t.Mapping[Row, int]
# PostgreSQL's code.
UNIQUE_VIOLATION = "23505"


@dataclasses.dataclass(frozen=True)
class Violation:
    """Something that must never be."""

    kind: str
    where: Row
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where.table} {self.where.key}: {self.text}"


@dataclasses.dataclass
class Verdict:
    """What the checker says, and what it had to look at."""

    violations: list[Violation]
    rows: int = 0
    conflicts: int = 0
    baseline: dict[Row, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(eq=False)
class _Write:
    """A change with what is known of its transaction."""

    change: Change
    master: str
    begun: float
    ended: float
    outcome: str

    def __str__(self) -> str:
        did = "deleted it" if self.change.wrote is None else f"wrote {self.change.wrote}"
        saw = "nothing" if self.change.saw is None else self.change.saw
        return f"{self.master} saw {saw} and {did} ({self.outcome}, {self.begun:.3f})"


def check(
    transactions: t.Sequence[Transaction],
    baseline: Baseline,
    masters: t.Mapping[str, Tables],
    preference: t.Sequence[str] = (),
    numbers: dict[Row, str] | None = None,
) -> Verdict:
    """Compare.

    :param baseline: what all masters held before the first of these transactions.
    :param masters: what each of them holds now; nothing must be under way.
    :param preference: masters in the order in which they win conflicts; else `bucardo_latest`.
    :param numbers: who handed out which; those of these transactions are added.
    """
    verdict = Verdict([])
    held = {name: _held(tables, name, verdict) for name, tables in masters.items()}
    _compare(masters, verdict)
    _numbers(transactions, {} if numbers is None else numbers, verdict)
    writes = _writes_of_rows(transactions)
    for row in sorted({*baseline, *writes, *(row for rows in held.values() for row in rows)}):
        verdict.rows += 1
        found = {rows.get(row) for rows in held.values()}
        _judge(row, writes.get(row, []), baseline.get(row), found, preference, verdict)
    verdict.baseline = next(iter(held.values()))
    return verdict


def _held(tables: Tables, name: str, verdict: Verdict) -> dict[Row, int]:
    held: dict[Row, int] = {}
    for table, rows in tables.items():
        for key, version, whole, _digest in rows:
            row = Row(table, key)
            if row in held:
                _say(verdict, "doubled id", row, f"{name} holds more than one row with this key")
            if not whole:
                text = f"{name} holds version {version} with values of another one"
                _say(verdict, "torn row", row, text)
            held[row] = version
    return held


def _compare(masters: t.Mapping[str, Tables], verdict: Verdict) -> None:
    rows: dict[Row, dict[str, tuple[int, str]]] = collections.defaultdict(dict)
    for name, tables in masters.items():
        for table, found in tables.items():
            for key, version, _whole, digest in found:
                rows[Row(table, key)][name] = (version, digest)
    for row, held in sorted(rows.items()):
        seen = {name: held.get(name) for name in masters}
        if len(set(seen.values())) > 1:
            text = ", ".join(
                f"{name} holds {'nothing' if one is None else f'version {one[0]} ({one[1]})'}"
                for name, one in seen.items()
            )
            _say(verdict, "masters differ", row, text)


def _numbers(
    transactions: t.Sequence[Transaction], given: dict[Row, str], verdict: Verdict
) -> None:
    """No sequence hands out a number that another one, or itself, handed out before."""
    for done in transactions:
        if done.error == UNIQUE_VIOLATION and done.changes[-1].number:
            text = f"{done.master} handed out a number that was there already"
            _say(verdict, "doubled id", done.changes[-1].row, text)
        for change in done.changes if done.outcome == ACKNOWLEDGED else ():
            if not change.number:
                continue
            if change.row in given:
                text = f"handed out by {given[change.row]} and by {done.master}"
                _say(verdict, "doubled id", change.row, text)
            given[change.row] = done.master


def _writes_of_rows(transactions: t.Sequence[Transaction]) -> dict[Row, list[_Write]]:
    writes: dict[Row, list[_Write]] = collections.defaultdict(list)
    for done in transactions:
        for change in done.changes:
            write = _Write(change, done.master, done.begun, done.ended, done.outcome)
            writes[change.row].append(write)
    return writes


def _judge(
    row: Row,
    writes: list[_Write],
    before: int | None,
    found: t.Collection[int | None],
    preference: t.Sequence[str],
    verdict: Verdict,
) -> None:
    """One row: whether what was found is one of the writes that may be there."""
    effective = [write for write in writes if write.outcome != REFUSED]
    made = {write.change.wrote: write for write in effective if write.change.wrote is not None}
    for write in writes:
        saw = write.change.saw
        if saw is not None and saw not in made and saw != before:
            _say(verdict, "phantom", row, f"{write}, a version that nobody wrote to this row")
    after = _followers(effective, made)
    last = [
        write
        for write in effective
        if not any(other.outcome == ACKNOWLEDGED for other in after[write])
    ]
    verdict.conflicts += sum(write.outcome == ACKNOWLEDGED for write in last) > 1
    allowed = [write for write in last if not _beaten(write, effective, after, preference)]
    versions = {write.change.wrote for write in allowed}
    # Whoever follows an unknown one saw it, or it is acknowledged: it was done.
    if not any(write.outcome == ACKNOWLEDGED or after[write] for write in effective):
        versions.add(before)
    for version in found:
        if version not in versions:
            beaten = version in {write.change.wrote for write in last}
            kind = _kind(version, before, made, versions, beaten)
            _say(verdict, kind, row, _story(version, before, writes, allowed))


def _followers(
    writes: list[_Write], made: t.Mapping[int | None, _Write]
) -> dict[_Write, set[_Write]]:
    """Of each write, all that follow it."""
    direct: dict[_Write, list[_Write]] = {write: [] for write in writes}
    for write in writes:
        saw = made.get(write.change.saw)
        if saw is not None and saw is not write:
            direct[saw].append(write)
        for other in writes:
            acknowledged = other.outcome == ACKNOWLEDGED and other is not write
            if acknowledged and other.master == write.master and other.ended <= write.begun:
                direct[other].append(write)
    return {write: _reached(write, direct) for write in writes}


def _reached(start: _Write, direct: t.Mapping[_Write, list[_Write]]) -> set[_Write]:
    reached: set[_Write] = set()
    waiting = list(direct[start])
    while waiting:
        write = waiting.pop()
        if write not in reached:
            reached.add(write)
            waiting.extend(direct[write])
    return reached


def _beaten(
    write: _Write,
    writes: list[_Write],
    after: t.Mapping[_Write, set[_Write]],
    preference: t.Sequence[str],
) -> bool:
    """Whether the rule prefers an acknowledged write that did not know of this one, nor this one
    of it.
    """
    lineage = [write, *(other for other in writes if write in after[other])]
    known = [*lineage[1:], *(one for one in writes if _perhaps_known(one, lineage, after))]

    def preferred(one: _Write, two: _Write) -> bool:
        unaware = one is not two and one not in after[two] and two not in after[one]
        return unaware and preference.index(one.master) < preference.index(two.master)

    return any(
        preferred(other, write)
        and other.outcome == ACKNOWLEDGED
        # It had lost already to one that this one knew of.
        and not any(preferred(one, other) for one in known)
        and other not in known
        for other in (writes if preference else ())
    )


def _perhaps_known(
    other: _Write, lineage: list[_Write], after: t.Mapping[_Write, set[_Write]]
) -> bool:
    """Whether this one began with a row that was not there, perhaps since the other one, or one
    that followed it, had deleted it: no version is left that could tell.
    """
    deletes = [one for one in (other, *after[other]) if one.change.wrote is None]
    inserts = [one for one in lineage if one.change.saw is None]
    return any(one.begun < insert.ended for one in deletes for insert in inserts)


def _kind(
    found: int | None,
    before: int | None,
    made: t.Mapping[int | None, _Write],
    allowed: t.Collection[int | None],
    beaten: bool,
) -> str:
    if beaten:
        return "wrong winner"
    if found is None:
        return "lost row"
    if found not in made and found != before:
        return "phantom"
    return "came back" if set(allowed) <= {None} else "lost write"


def _story(
    found: int | None, before: int | None, writes: list[_Write], allowed: list[_Write]
) -> str:
    """All that is known of the row."""
    there = "it is not there" if found is None else f"it is version {found}"
    may = "; or: ".join(str(write) for write in allowed) or f"as before, {before}"
    told = "; ".join(str(write) for write in sorted(writes, key=lambda write: write.begun))
    return f"{there}, but must be: {may}. Before it was {before}; then: {told or 'nothing'}"


def _say(verdict: Verdict, kind: str, row: Row, text: str) -> None:
    verdict.violations.append(Violation(kind, row, text))

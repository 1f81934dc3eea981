# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Which numbers each master may hand out (pure); docs/decisions/sequences.md says why."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName

# Warn when a master has fewer numbers left than this.
_LOW = 1_000_000


@dataclasses.dataclass(frozen=True)
class Share:
    """A master's part in a sequence, as its ledger holds it.

    :param original: INCREMENT BY before the numbers were shared out.
    :param slots: among how many masters they are shared out.
    :param slot: this master's place among them, from 0.
    """

    original: int
    slots: int
    slot: int


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A sequence on one master, by pg_sequence and the sequence's own row.

    :param highest: highest value of a column that it fills, None where an index does not tell it.
    :param share: from the ledger, None for a sequence that was not changed.
    """

    name: TableName
    oid: int
    start: int
    increment: int
    minimum: int
    maximum: int
    cycle: bool
    last_value: int
    is_called: bool
    highest: int | None = None
    share: Share | None = None

    @property
    def following(self) -> int:
        """The value that nextval() would return."""
        return self.last_value + self.increment if self.is_called else self.last_value

    @property
    def used(self) -> int:
        """No value above this has been handed out or stored, as far as this master knows."""
        known = self.last_value if self.is_called else self.last_value - self.increment
        return known if self.highest is None else max(known, self.highest)


@dataclasses.dataclass(frozen=True)
class Change:
    """What to do with one sequence on one master.

    :param share: the part to write into the ledger, None to remove the entry.
    :param step: the new INCREMENT BY.
    :param residue: values must be equal to it modulo C(step).
    """

    master: str
    sequence: Sequence
    share: Share | None
    step: int
    residue: int

    def first_above(self, used: int) -> int:
        """The first value of this master's own above a value.

        :raises Refused: when the sequence has no such value.
        """
        least = max(used + 1, self.sequence.minimum)
        value = least + (self.residue - least) % self.step
        if value > self.sequence.maximum:
            raise Refused(
                f"{self.sequence.name} on {self.master}: no value above {used} is left"
                f" (MAXVALUE {self.sequence.maximum}, INCREMENT BY {self.step})",
                "Change the sequence and its column to bigint on all masters, or name it in"
                " exclude_sequences.",
            )
        return value


@dataclasses.dataclass(frozen=True)
class Plan:
    """Changes of one sequence, at most one per master; those belong together."""

    name: TableName
    changes: tuple[Change, ...]
    used: int
    warnings: tuple[str, ...] = ()


def interleave(
    name: TableName, sides: t.Mapping[str, Sequence | None], slots: int, reference: str
) -> Plan:
    """Share the numbers of a sequence out among the masters, in their order.

    Each gets every C(slots)-th of the values that the sequence had before, so a step that
    applications rely on (blocks of 50, say) keeps its meaning. A master whose part is as planned
    is left alone; where all of it is, the plan is empty.

    :param reference: master that decides about the step where no ledger knows it.
    :raises Refused: when the numbers of this sequence cannot be shared out.
    """
    missing = [master for master, side in sides.items() if side is None]
    if missing:
        raise Refused(
            f"{name}: no such sequence on {', '.join(missing)}", "Clone the schema first."
        )
    known = t.cast("t.Mapping[str, Sequence]", sides)
    shares = [known[reference].share, *(sequence.share for sequence in known.values())]
    original = next((s.original for s in shares if s is not None), known[reference].increment)
    start = known[reference].start
    changes = []
    warnings = []
    for slot, (master, sequence) in enumerate(known.items()):
        share = Share(original, slots, slot)
        step = original * slots
        change = Change(master, sequence, share, step, (start + slot * original) % (step or 1))
        if not _as_planned(change):
            changes.append(change)
    used = max(sequence.used for sequence in known.values())
    if changes:
        _check(name, known)
    for change in changes:
        value = change.first_above(used)
        left = (change.sequence.maximum - value) // change.step + 1
        if left < _LOW:
            warnings.append(f"{name} on {change.master}: only {left} values are left")
    return Plan(name, tuple(changes), used, tuple(warnings))


def restore(name: TableName, sides: t.Mapping[str, Sequence | None]) -> Plan:
    """Give a sequence back the step that it had, above all values of all masters."""
    known = {master: sequence for master, sequence in sides.items() if sequence is not None}
    changes = tuple(
        Change(
            master,
            sequence,
            None,
            sequence.share.original,
            sequence.start % sequence.share.original,
        )
        for master, sequence in known.items()
        if sequence.share is not None
    )
    return Plan(name, changes, max((s.used for s in known.values()), default=0))


def _as_planned(change: Change) -> bool:
    # The ledger is asked too: a fresh clone has the step and the start of another master.
    sequence = change.sequence
    return (
        sequence.share == change.share
        and sequence.increment == change.step
        and sequence.following % change.step == change.residue
    )


def _check(name: TableName, sides: t.Mapping[str, Sequence]) -> None:
    leave = "Name it in exclude_sequences to leave it alone."
    for master, sequence in sides.items():
        if sequence.increment < 0:
            raise Refused(f"{name} on {master}: counts downwards", leave)
        if sequence.cycle:
            raise Refused(
                f"{name} on {master}: CYCLE would lead it into the values of other masters",
                f"ALTER SEQUENCE {name} NO CYCLE on all masters, or name it in exclude_sequences.",
            )
    starts = {sequence.start for sequence in sides.values()}
    if len(starts) > 1:
        raise Refused(f"{name}: START differs between the masters", "Clone the schema again.")


def state(plan: Plan, after: bool) -> dict[str, dict[str, t.Any]]:
    """For the diff: per master, how the sequence counts before or after the changes.

    Without current values, which move on by themselves.
    """
    result = {}
    for change in plan.changes:
        share = change.share if after else change.sequence.share
        result[change.master] = {
            "increment": change.step if after else change.sequence.increment,
            "share": f"{share.slot + 1} of {share.slots}" if share else "all",
        }
    return result


def collect(
    names: t.Iterable[TableName], one: t.Callable[[TableName], Plan]
) -> tuple[list[Plan], list[str]]:
    """Plan every sequence, and tell all reasons to refuse at once.

    :raises Refused: naming every sequence that cannot be planned.
    """
    plans: list[Plan] = []
    refusals: list[Refused] = []
    for name in names:
        try:
            plans.append(one(name))
        except Refused as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        raise Refused(
            f"{len(refusals)} sequences cannot be shared out: "
            + " ".join(error.one_line for error in refusals)
        )
    return plans, [line for plan in plans for line in plan.warnings]

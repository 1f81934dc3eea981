# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sequence of a master, and the share of its numbers that is the master's (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName

INT8_MAX = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Progression:
    """Numbers at one distance from each other: all that a sequence can be made to hand out.

    :param step: the distance, its INCREMENT BY.
    :param residue: every number is equal to it modulo `step`.
    """

    step: int
    residue: int

    def covers(self, number: int) -> bool:
        """Whether a number is one of them."""
        return number % self.step == self.residue

    def next_from(self, least: int) -> int:
        """The lowest of them that is no less than this."""
        return least + (self.residue - least) % self.step


@dataclasses.dataclass(frozen=True)
class Share:
    """A master's part in a sequence, as its ledger holds it.

    :param original: INCREMENT BY before the numbers were shared out.
    :param slots: among how many masters they are shared out.
    :param slot: this master's place among them, from 0.
    :param start: START WITH before; in entries of the first release it is the sequence's own.
    :param first: where its numbers began when they were last shared out, None when not known.
    :param syncs: the syncs that need it; none when it was left out later.
    """

    original: int
    slots: int
    slot: int
    start: int = 1
    first: int | None = None
    syncs: frozenset[str] = frozenset()

    @property
    def step(self) -> int:
        """The INCREMENT BY that goes with it."""
        return self.original * self.slots

    @property
    def numbers(self) -> Progression:
        """The numbers of this share."""
        return Progression(self.step, (self.start + self.slot * self.original) % self.step)

    def same_numbers(self, other: Share | None) -> bool:
        """Whether two shares are the same part."""
        return other is not None and (self.original, self.slots, self.slot, self.start) == (
            other.original,
            other.slots,
            other.slot,
            other.start,
        )


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A sequence on one master, by pg_sequence and the sequence's own row.

    :param highest: highest value of a column that it fills, None where an index does not tell it.
    :param limit: the highest value that every column that it fills can take.
    :param persistence: pg_class.relpersistence.
    :param extension: whether it belongs to an extension.
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
    limit: int = INT8_MAX
    persistence: str = "p"
    extension: bool = False
    share: Share | None = None

    @property
    def following(self) -> int:
        """The value that nextval() would return."""
        return self.last_value + self.increment if self.is_called else self.last_value

    @property
    def handed_out(self) -> int:
        """No value above this has been handed out."""
        return self.last_value if self.is_called else self.last_value - abs(self.increment)

    @property
    def ceiling(self) -> int:
        """The highest value that is good for something."""
        return min(self.maximum, self.limit)

    @property
    def unused(self) -> bool:
        """Whether it stands as CREATE SEQUENCE leaves it."""
        return not self.is_called and self.last_value == self.start


@dataclasses.dataclass(frozen=True)
class Survey:
    """The sequences of one master.

    :param users: sequence to the tables that it fills a column of.
    :param owned: sequences that belong to a column.
    :param indexed: sequence to the columns, with their tables, that an index tells the highest of.
    :param ledger: whether the ledger of changed sequences is there.
    """

    sequences: t.Mapping[TableName, Sequence] = dataclasses.field(default_factory=dict)
    users: t.Mapping[TableName, frozenset[TableName]] = dataclasses.field(default_factory=dict)
    owned: frozenset[TableName] = frozenset()
    indexed: t.Mapping[TableName, tuple[tuple[TableName, str], ...]] = dataclasses.field(
        default_factory=dict
    )
    ledger: bool = False


def stray(sequence: Sequence, share: Share) -> str:
    """How a sequence has left its share, "" when it has not."""
    if sequence.increment != share.step:
        return f"counts by {sequence.increment} instead of {share.step}"
    if not share.numbers.covers(sequence.following):
        return f"goes on with {sequence.following}, a number of another master"
    if share.first is not None and sequence.following < share.first:
        return f"was set back to {sequence.following}; its own numbers begin at {share.first}"
    if not share.numbers.covers(sequence.start):
        return f"RESTART leads to {sequence.start}, a number of another master"
    return ""

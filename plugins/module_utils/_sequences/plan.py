# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which numbers each master may hand out (pure); docs/decisions/sequences.md says why."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused
from .._common.names import TableName
from .facts import INT8_MAX, Progression, Sequence, Share, Survey, stray

# Warn when a master has fewer numbers left than this.
_LOW = 1_000_000
# A stored number beyond which less than one in so many of the numbers would be left is passed
# over: a marker such as 2147483647 is no reason to have none any more.
_MARKER = 10
_MASTERS_EVER = 100
LEAVE = "name it in multimaster_exclude_sequences (the modules' exclude_sequences)"


class Unshareable(Refused):
    """The numbers of a sequence cannot be shared out.

    :param master: the master whose sequence is in the way, "" when it is not a single one.
    """

    def __init__(self, name: TableName, reason: str, cure: str, master: str = "") -> None:
        super().__init__(f"{name}{f' on {master}' if master else ''}: {reason}", cure)
        self.reason = reason
        self.master = master


@dataclasses.dataclass(frozen=True)
class Move:
    """What to do with one sequence on one master.

    :param share: the part to write into the ledger, None to remove the entry.
    :param numbers: what it is to hand out.
    :param start: the new START WITH: where RESTART leads.
    """

    master: str
    sequence: Sequence
    share: Share | None
    numbers: Progression
    start: int

    def first_above(self, used: int) -> int:
        """The first value of this master's own above a value.

        :raises Unshareable: when the sequence has no such value.
        """
        value = self.numbers.next_from(max(used + 1, self.sequence.minimum))
        if self.share is None:
            # An end that is reached is no reason not to give the sequence back.
            return min(value, self.sequence.maximum)
        if value > self.sequence.ceiling:
            column = " of its column" if self.sequence.limit < self.sequence.maximum else ""
            raise Unshareable(
                self.sequence.name,
                f"no value above {used} is left (maximum{column} {self.sequence.ceiling},"
                f" INCREMENT BY {self.numbers.step})",
                f"Change the sequence and its column to bigint on all masters, or {LEAVE}.",
                self.master,
            )
        return value

    def placed(self, first: int) -> Share | None:
        """The ledger's entry once the numbers begin at this one."""
        return dataclasses.replace(self.share, first=first) if self.share else None


@dataclasses.dataclass(frozen=True)
class Note:
    """A new entry in a master's ledger, None to remove it; the sequence stays as it is."""

    master: str
    sequence: Sequence
    share: Share | None


@dataclasses.dataclass(frozen=True)
class Follow:
    """A sequence that was never used takes the position that the origin's has."""

    master: str
    sequence: Sequence
    last_value: int
    is_called: bool


@dataclasses.dataclass(frozen=True)
class SequencePlan:
    """What to do with one sequence, at most one move per master; those belong together."""

    name: TableName
    moves: tuple[Move, ...] = ()
    used: int = 0
    warnings: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    follows: tuple[Follow, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.moves or self.notes or self.follows)


def interleave(
    name: TableName,
    sides: t.Mapping[str, Sequence | None],
    slots: int,
    origin: str,
    sync: str = "",
) -> SequencePlan:
    """Share the numbers of a sequence out among the masters, in their order.

    Each gets every `slots`-th of the values that the sequence had before, so a step that
    applications rely on (blocks of 50, say) keeps its meaning. A master whose part is as planned
    is left alone; where all of it is, the plan is empty.

    :param origin: master that decides about the step where no ledger knows it.
    :param sync: for which sync; others that need the sequence too keep their shares.
    :raises Unshareable: when that cannot be done.
    """
    missing = [master for master, side in sides.items() if side is None]
    if missing:
        raise Unshareable(
            name,
            f"no such sequence on {', '.join(missing)}",
            "Create it there exactly as on the other masters.",
        )
    known = t.cast("t.Mapping[str, Sequence]", sides)
    here = known[origin]
    shares = [s for s in (here.share, *(side.share for side in known.values())) if s]
    original, start = (
        (shares[0].original, shares[0].start) if shares else (here.increment, here.start)
    )
    _check(name, known, origin, shares)
    wanted = _layout(name, known, slots, sync, original, start)
    if max(share.step for share in wanted.values()) > INT8_MAX:
        raise Unshareable(
            name, f"INCREMENT BY {original} is too large", f"Make it less, or {LEAVE}."
        )
    wrong = [master for master, side in known.items() if not _as_planned(side, wanted[master])]
    if any(known[master].share or not known[master].unused for master in wrong):
        # What it has handed out may be any other master's next number.
        wrong = list(known)
    moves = tuple(_move(master, known[master], wanted[master]) for master in wrong)
    used, warnings = _used(name, known, moves)
    for move in moves:
        value = move.first_above(used)
        left = (move.sequence.ceiling - value) // move.numbers.step + 1
        if left < _LOW:
            warnings.append(f"{name} on {move.master}: only {left} values are left")
    notes = tuple(
        Note(master, side, dataclasses.replace(side.share, syncs=side.share.syncs | {sync}))
        for master, side in known.items()
        if sync and side.share and master not in wrong and sync not in side.share.syncs
    )
    return SequencePlan(name, moves, used, tuple(warnings), notes)


def _move(master: str, sequence: Sequence, share: Share) -> Move:
    start = share.start + share.slot * share.original
    if start > sequence.maximum:
        start = min(share.numbers.next_from(sequence.minimum), sequence.maximum)
    return Move(master, sequence, share, share.numbers, start)


def _layout(
    name: TableName,
    known: t.Mapping[str, Sequence],
    slots: int,
    sync: str,
    original: int,
    start: int,
) -> dict[str, Share]:
    """Each master's share: in their order, or what other syncs leave."""

    def share(master: str, slot: int, slots: int) -> Share:
        before = known[master].share
        syncs = (before.syncs if before else frozenset()) | ({sync} if sync else set())
        return Share(original, slots, slot, start, syncs=syncs)

    plain = {master: share(master, slot, slots) for slot, master in enumerate(known)}
    kept = {
        master: side.share
        for master, side in known.items()
        if side.share and side.share.syncs - {sync}
    }
    if not kept:
        return plain
    room = min(one.slots for one in kept.values())
    taken = {one.slot for one in kept.values()}
    free = [slot for slot in range(room) if slot not in taken]
    rest = [master for master in known if master not in kept]
    fits = len(taken) == len(kept) and all(one.slots == room for one in kept.values())
    if fits and room >= slots and len(free) >= len(rest):
        places = {**{master: one.slot for master, one in kept.items()}, **dict(zip(rest, free))}
        return {master: share(master, places[master], room) for master in known}
    if taken >= set(range(room)):
        # Everybody who counts on the old shares is here.
        return plain
    others = sorted({other for one in kept.values() for other in one.syncs} - {sync})
    raise Unshareable(
        name,
        f"sync {', '.join(others)} has shared it out among {room}, which is too few for"
        f" {len(known)} masters here, and one of its masters is not among them",
        f"Bootstrap that sync again with data_seed_sequence_slots of {room + len(rest)} or more,"
        f" or {LEAVE}.",
    )


def _used(
    name: TableName, known: t.Mapping[str, Sequence], moves: t.Sequence[Move]
) -> tuple[int, list[str]]:
    """No value above this has been handed out or stored; and warnings."""
    handed_out = max(side.handed_out for side in known.values())
    stored = max((s.highest for s in known.values() if s.highest is not None), default=handed_out)
    if stored <= handed_out or not moves:
        return max(handed_out, stored), []
    ceiling = min(move.sequence.ceiling for move in moves)
    if ceiling - stored >= (ceiling - handed_out) // _MARKER:
        return stored, []
    return handed_out, [
        f"{name}: a row holds {stored}, close to the end of the numbers; they go on above"
        f" {handed_out} and meet it when they get there"
    ]


def restore(
    name: TableName, sides: t.Mapping[str, Sequence | None], sync: str = ""
) -> SequencePlan:
    """Give a sequence back the step that it had, above all values of all masters.

    :param sync: the sync that needs it no longer; a share that others need is left. Without a
        name nobody does.
    """
    known = {master: sequence for master, sequence in sides.items() if sequence is not None}
    moves, notes = [], []
    for master, sequence in known.items():
        share = sequence.share
        if share is None or (sync and share.syncs and sync not in share.syncs):
            continue
        left = share.syncs - {sync} if sync else frozenset()
        if left:
            notes.append(Note(master, sequence, dataclasses.replace(share, syncs=left)))
        elif not share.syncs and sequence.increment != share.step:
            # It was left out, then changed by somebody who meant it.
            notes.append(Note(master, sequence, None))
        else:
            numbers = Progression(share.original, share.start % share.original)
            moves.append(Move(master, sequence, None, numbers, share.start))
    used, _none = _used(name, known, moves) if known else (0, [])
    return SequencePlan(name, tuple(moves), used, notes=tuple(notes))


def release(name: TableName, sides: t.Mapping[str, Sequence | None], sync: str) -> SequencePlan:
    """A sequence that was left out after it had been shared out: it stays, nobody watches it."""
    return SequencePlan(
        name,
        notes=tuple(
            Note(master, side, dataclasses.replace(side.share, syncs=side.share.syncs - {sync}))
            for master, side in sides.items()
            if side and side.share and sync in side.share.syncs
        ),
    )


def follow(name: TableName, sides: t.Mapping[str, Sequence | None], origin: str) -> SequencePlan:
    """Let sequences that are as a clone made them go on where the origin's is."""
    here = sides.get(origin)
    if here is None or here.unused:
        return SequencePlan(name)
    return SequencePlan(
        name,
        follows=tuple(
            Follow(master, side, here.last_value, here.is_called)
            for master, side in sides.items()
            if side and side.unused and not side.share and _definition(side) == _definition(here)
        ),
    )


def as_cloned(
    surveys: t.Mapping[str, Survey], names: t.Iterable[str], origin: str
) -> dict[str, Survey]:
    """The masters as they will be once each has a clone of what the origin has.

    :param names: all masters; one that is not among the surveys has no database yet.
    """
    fresh = {
        name: dataclasses.replace(
            sequence, last_value=sequence.start, is_called=False, highest=None, share=None
        )
        for name, sequence in surveys[origin].sequences.items()
    }
    model = dataclasses.replace(surveys[origin], sequences=fresh, ledger=False)
    result = {}
    for name in names:
        found = surveys.get(name, model)
        result[name] = dataclasses.replace(found, sequences={**fresh, **found.sequences})
    return result


def _as_planned(sequence: Sequence, share: Share) -> bool:
    # The ledger is asked too: a fresh clone has the step and the start of another master.
    return share.same_numbers(sequence.share) and not stray(
        sequence, t.cast("Share", sequence.share)
    )


def _definition(sequence: Sequence) -> tuple[int, int, int, int, bool]:
    return (
        sequence.start,
        sequence.increment,
        sequence.minimum,
        sequence.maximum,
        sequence.cycle,
    )


def _check(
    name: TableName, sides: t.Mapping[str, Sequence], origin: str, shares: t.Sequence[Share]
) -> None:
    here = sides[origin]
    for master, sequence in sides.items():
        if sequence.increment < 0:
            raise Unshareable(
                name,
                "counts downwards, which cannot be shared out",
                f"To keep it, {LEAVE}.",
                master,
            )
        if sequence.cycle:
            raise Unshareable(
                name,
                "CYCLE would lead it into the numbers of other masters",
                f"ALTER SEQUENCE {name} NO CYCLE on all masters, or {LEAVE}.",
                master,
            )
        if sequence.share:
            continue
        for word, field in _DEFINITION.items():
            own, wanted = getattr(sequence, field), getattr(here, field)
            if own != wanted and own not in _ours(field, shares):
                raise Unshareable(
                    name,
                    f"{word} {own} differs from {wanted} on {origin}",
                    f"ALTER SEQUENCE {name} {word} {wanted} on {master}, or {LEAVE}.",
                    master,
                )


_DEFINITION = {
    "START WITH": "start",
    "INCREMENT BY": "increment",
    "MINVALUE": "minimum",
    "MAXVALUE": "maximum",
}


def _ours(field: str, shares: t.Sequence[Share]) -> range:
    """What a sequence without a ledger may have from us: it is a clone of any master's, made at
    any number of masters, or its ledger was lost."""
    if not shares or field not in ("start", "increment"):
        return range(0)
    original = shares[0].original
    if field == "increment":
        return range(original, original * _MASTERS_EVER, original)
    return range(shares[0].start, shares[0].start + original * _MASTERS_EVER, original)


def state(plan: SequencePlan, after: bool) -> dict[str, dict[str, t.Any]]:
    """For the diff: per master, how the sequence counts before or after the moves.

    Without current values, which move on by themselves.
    """
    result: dict[str, dict[str, t.Any]] = {}
    for move in plan.moves:
        share = move.share if after else move.sequence.share
        result[move.master] = {
            "increment": move.numbers.step if after else move.sequence.increment,
            "share": f"{share.slot + 1} of {share.slots}" if share else "all",
        }
    for note in plan.notes:
        share = note.share if after else note.sequence.share
        result[note.master] = {"syncs": sorted(share.syncs) if share else []}
    for one in plan.follows:
        result[one.master] = {"position": "the origin's" if after else "START"}
    return result


def collect(
    names: t.Iterable[TableName], one: t.Callable[[TableName], SequencePlan]
) -> tuple[list[SequencePlan], list[str]]:
    """Plan every sequence, and tell all reasons to refuse at once.

    :raises Refused: naming every sequence that cannot be planned.
    """
    plans: list[SequencePlan] = []
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


def cleared(surveys: t.Mapping[str, Survey], plans: t.Iterable[SequencePlan]) -> list[str]:
    """Masters whose ledger holds nothing any more once this is done."""
    gone = {
        (master, one.name)
        for one in plans
        for master in (
            *(move.master for move in one.moves if move.share is None),
            *(note.master for note in one.notes if note.share is None),
        )
    }
    return [
        master
        for master, survey in surveys.items()
        if survey.ledger
        and all(
            (master, name) in gone for name, sequence in survey.sequences.items() if sequence.share
        )
    ]

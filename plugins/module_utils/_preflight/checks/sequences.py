# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of preflight that are about sequences (pure).

They ask the same plan that shares the numbers out after the copy.
"""

from __future__ import annotations

import typing as t

from ..._common.errors import Refused
from ..._common.names import TableName
from ..._postgres.tables import Selection
from ..._sequences import plan
from ..._sequences.facts import Sequence, Survey
from ..._sequences.selection import choose, matching
from ..._sequences.strategies import STRATEGIES
from ..context import Context
from ..registry import BLOCKER, INFO, WARNING, Hit, check

# Of a sequence's range; with N masters each uses its numbers N times as fast.
_RESERVE = 0.1
_SHOWN = 5


def _origin(ctx: Context) -> Survey:
    return ctx.origin.database.sequences if ctx.origin and ctx.origin.database else Survey()


def _unknown(ctx: Context) -> dict[str, str]:
    """Patterns that match no sequence, with what is said about them."""
    found = {}
    if ctx.origin and ctx.origin.database:
        for pattern in ctx.wanted.exclude_sequences:
            try:
                matching(pattern, _origin(ctx).sequences)
            except Refused as error:
                found[pattern] = error.one_line
    return found


def _share(ctx: Context) -> t.Callable[..., plan.SequencePlan] | None:
    return STRATEGIES[ctx.wanted.sequences].share


def _shared(ctx: Context) -> list[tuple[TableName, Sequence]]:
    """The origin's sequences that will be shared out."""
    database = ctx.origin.database if ctx.origin else None
    if database is None or _share(ctx) is None:
        return []
    wrong = {pattern for _option, pattern, _line in ctx.unknown} | set(_unknown(ctx))
    chosen = choose(
        database.sequences,
        database.tables,
        Selection(
            tuple(pattern for pattern in ctx.wanted.tables if pattern not in wrong),
            tuple(pattern for pattern in ctx.wanted.exclude if pattern not in wrong),
        ),
        [pattern for pattern in ctx.wanted.exclude_sequences if pattern not in wrong],
    )
    return [(name, database.sequences.sequences[name]) for name in chosen.shared]


def _plans(ctx: Context) -> t.Iterator[tuple[TableName, plan.SequencePlan | plan.Unshareable]]:
    """What will be done with each sequence, or why it cannot be done."""
    masters = ctx.facts.masters
    surveys = {m.name: m.database.sequences for m in masters if m.database}
    shared, share = _shared(ctx), _share(ctx)
    if not shared or share is None:
        return
    names = [ctx.origin_name, *(master.name for master in ctx.targets)]
    surveys = plan.as_cloned(surveys, names, ctx.origin_name)
    slots = max(ctx.wanted.sequence_slots, len(names))
    for name, _sequence in shared:
        sides = {master: survey.sequences.get(name) for master, survey in surveys.items()}
        try:
            yield name, share(name, sides, slots, ctx.origin_name, ctx.wanted.sync)
        except plan.Unshareable as error:
            yield name, error


@check(
    "sequence-unknown",
    BLOCKER,
    "A pattern of exclude_sequences matches no sequence of the origin.",
    "Correct the pattern.",
)
def _sequence_unknown(ctx: Context) -> t.Iterator[Hit]:
    for pattern, line in _unknown(ctx).items():
        yield Hit(pattern, ctx.origin_name, line)


@check(
    "sequence-missing",
    BLOCKER,
    "A sequence of the origin is missing on a target that has its tables: DDL is not replicated.",
    "Create it on the target exactly as on the origin.",
)
def _sequence_missing(ctx: Context) -> t.Iterator[Hit]:
    shared = _shared(ctx)
    for master, database, _tables in ctx.cloned_targets():
        for name, _sequence in shared:
            if name not in database.sequences.sequences:
                yield Hit(str(name), master.name, "does not exist on this target")


@check(
    "sequence-unshareable",
    BLOCKER,
    "A sequence's numbers cannot be shared out: CYCLE, counting downwards, no numbers left for"
    " every master, or another definition on a target.",
    f"Change it as the finding says, or {plan.LEAVE} and keep the masters' numbers apart yourself.",
)
def _sequence_unshareable(ctx: Context) -> t.Iterator[Hit]:
    for name, found in _plans(ctx):
        if isinstance(found, plan.Unshareable):
            yield Hit(str(name), found.master, found.reason, found.cure)


@check(
    "sequence-headroom",
    WARNING,
    "A sequence is near its end, and several masters use its numbers up faster.",
    "ALTER SEQUENCE ... AS bigint, and the column as well.",
)
def _sequence_headroom(ctx: Context) -> t.Iterator[Hit]:
    masters = max(len(ctx.facts.masters), 1)
    for name, sequence in _shared(ctx):
        span = sequence.ceiling - sequence.minimum
        left = sequence.ceiling - sequence.last_value
        if sequence.is_called and left < _RESERVE * span * masters / 2:
            yield Hit(
                str(name),
                ctx.origin_name,
                f"{left} of {span} numbers are left for {masters} masters",
            )


@check(
    "sequence-step",
    WARNING,
    "A sequence counts by more than one, and will count by a multiple of it. Applications that take"
    " blocks of numbers may compare the step, as Hibernate does with allocationSize.",
    "If they do, turn that check off (Hibernate:"
    " hibernate.id.sequence.increment_size_mismatch_strategy=none),"
    f" or {plan.LEAVE} and give each master a range of its own.",
)
def _sequence_step(ctx: Context) -> t.Iterator[Hit]:
    for name, found in _plans(ctx):
        if isinstance(found, plan.Unshareable):
            continue
        # Those that are shared out already have been told of.
        step = max((move.numbers.step for move in found.moves), default=0)
        before = next((move.share.original for move in found.moves if move.share), 1)
        if before > 1 and step > before:
            yield Hit(
                str(name), ctx.origin_name, f"counts by {before}; each master's will by {step}"
            )


@check(
    "sequence-without-owner",
    INFO,
    "Sequences that no column owns are shared out like the others, whoever calls nextval().",
    f"Nothing; a sequence that must stay as it is: {plan.LEAVE}.",
)
def _sequence_without_owner(ctx: Context) -> t.Iterator[Hit]:
    names = [str(name) for name, _sequence in _shared(ctx) if name not in _origin(ctx).owned]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        shown = ", ".join(names[:_SHOWN]) + more
        yield Hit(names[0], ctx.origin_name, f"owned by no column and shared out: {shown}")

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sequences have left their shares (pure)."""

from __future__ import annotations

import typing as t

from .._common.names import TableName
from .facts import Sequence, Survey, stray
from .plan import Unshareable, interleave

CURE = "Run the bootstrap again to move it above all numbers in use."


def watch(
    name: TableName, sides: t.Mapping[str, Sequence | None], sync: str = ""
) -> list[tuple[str, str]]:
    """Masters whose sequence has left its share, with what is wrong; by the ledgers alone.

    :param sync: only sequences that this sync needs shared out.
    """
    known = {master: side for master, side in sides.items() if side}
    shares = {master: side.share for master, side in known.items() if side.share}
    needed = {one for share in shares.values() for one in share.syncs}
    if not (sync in needed if sync else needed):
        return []
    found = []
    parts: dict[tuple[int, int], str] = {}
    for master, side in known.items():
        share = shares.get(master)
        if share is None and side.unused:
            # A new clone, in the middle of its bootstrap.
            continue
        if share is None:
            found.append((master, "has no share of its own and hands out numbers of all masters"))
            continue
        problem = stray(side, share)
        twin = parts.setdefault((share.slots, share.slot), master)
        if not problem and twin != master:
            problem = f"has the same share as {twin}"
        if problem:
            found.append((master, problem))
    if not found and len({share.slots for share in shares.values()}) > 1:
        found = [(master, f"has one of {share.slots} shares") for master, share in shares.items()]
    return found


def problems(surveys: t.Mapping[str, Survey], sync: str = "") -> list[str]:
    """What `watch` finds on these masters, one line each with the cure."""
    names = {
        name
        for survey in surveys.values()
        for name, sequence in survey.sequences.items()
        if sequence.share
    }
    return [
        f"{name} on {master}: {problem}. {CURE}"
        for name in sorted(names)
        for master, problem in watch(
            name, {master: survey.sequences.get(name) for master, survey in surveys.items()}, sync
        )
    ]


def not_shared(
    surveys: t.Mapping[str, Survey], names: t.Iterable[TableName], origin: str, sync: str = ""
) -> list[str]:
    """Sequences that have no share where they should, one line each with the cure.

    Without those that `problems` tells of.
    """
    found = []
    for name in names:
        sides = {master: survey.sequences.get(name) for master, survey in surveys.items()}
        if watch(name, sides, sync):
            continue
        try:
            plan = interleave(name, sides, len(sides), origin)
        except Unshareable as error:
            found.append(error.one_line)
            continue
        masters = [move.master for move in plan.moves if not move.sequence.share]
        if masters:
            found.append(f"{name} on {', '.join(masters)}: has no share of its own yet. {CURE}")
    return found

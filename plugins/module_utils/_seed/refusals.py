# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tables cannot be seeded, and what to do about each (pure)."""

from __future__ import annotations

import collections
import typing as t

from .._common.change import Lacks, refuse
from .._common.cures import REPLACE
from .._common.errors import Refused
from .._common.names import TableName
from .._common.text import listed
from .._postgres.tables import Table
from .plan import PairState


def difference_of_columns(source: Table, target: Table) -> str:
    """Why the source's rows do not fit into the target's table, or ""."""
    if target.kind != source.kind:
        return "is another kind of relation there"
    here = {column.name: column for column in source.columns}
    there = {column.name: column for column in target.columns}
    missing = sorted(set(here) - set(there))
    if missing:
        return f"lacks column {missing[0]} there"
    extra = sorted(set(there) - set(here))
    if extra:
        return f"has column {extra[0]} only there"
    for name, column in here.items():
        other = there[name]
        if column.type != other.type:
            return f"column {name} is {column.type} here and {other.type} there"
        if column.generated != other.generated:
            return f"column {name} is generated on one side only"
    return ""


class Problem(t.NamedTuple):
    """Why a table cannot be seeded, and what to do about it.

    :param early: an earlier step of the same play makes it good.
    """

    what: str
    cure: str
    early: bool = False


def check(
    sources: t.Sequence[Table],
    targets: t.Mapping[TableName, Table],
    states: t.Mapping[TableName, PairState],
    target_name: str,
    source_name: str,
    require_triggers: bool,
    replace: t.Collection[TableName] = (),
    lacks: Lacks = refuse,
) -> None:
    """Refuse what cannot be seeded; everything that is wrong is named at once.

    :param replace: tables whose rows on the target may go.
    :param lacks: told of what an earlier step makes good.
    :raises Refused: before anything was changed.
    """
    found: list[tuple[TableName, Problem]] = []
    for source in sources:
        name, state = source.name, states.get(source.name, PairState())
        problems = _misfit(source, targets.get(name), target_name, source_name) or [
            *_rows_in_the_way(state, target_name, name in replace),
            *(_untracked(state, target_name, source_name) if require_triggers else ()),
        ]
        found += [(name, problem) for problem in problems]
    if any(problem.early for _name, problem in found):
        lacks(_refusal(found, target_name))
    lasting = [(name, problem) for name, problem in found if not problem.early]
    if lasting:
        raise _refusal(lasting, target_name)


def _refusal(found: t.Iterable[tuple[TableName, Problem]], target_name: str) -> Refused:
    problems: dict[str, list[str]] = collections.defaultdict(list)
    cures: dict[str, None] = {}
    for name, problem in found:
        problems[problem.what].append(str(name))
        cures[problem.cure] = None
    parts = [f"{listed(names)}: {what}" for what, names in problems.items()]
    return Refused(
        f"Cannot seed {target_name}: " + "; ".join(parts), " ".join(cures), problems=problems
    )


def _misfit(
    source: Table, target: Table | None, target_name: str, source_name: str
) -> list[Problem]:
    """Why there is no table for the source's rows."""
    if source.kind != "r":
        return [
            Problem(
                "not a plain table",
                "Take partitions instead of their parent, or leave it out with exclude.",
            )
        ]
    if target is None:
        return [Problem(f"missing on {target_name}", "Clone the schema first.", early=True)]
    different = difference_of_columns(source, target)
    if different:
        return [Problem(different, f"Make the table on {target_name} like that on {source_name}.")]
    return []


def in_the_way(state: PairState) -> bool:
    """Whether the target holds rows that no seed of ours put there."""
    return state.has_rows and not state.half


def _rows_in_the_way(state: PairState, target_name: str, may_go: bool) -> list[Problem]:
    if not in_the_way(state) or may_go:
        return []
    why = state.doubt or "was never seeded"
    if state.target_queues:
        # Whatever a user does to its rows is queued and comes to the other masters.
        only_there = ", with changes that no other master has yet" if state.waits else ""
        what = f"replicated, and holds rows on {target_name}{only_there}, but {why}"
        return [Problem(what, REPLACE)]
    return [
        Problem(
            f"holds rows on {target_name}, but {why}",
            f"{REPLACE} Or leave it out with exclude.",
        )
    ]


def _untracked(state: PairState, target_name: str, source_name: str) -> list[Problem]:
    if state.queues and state.target_queues:
        return []
    where = source_name if not state.queues else target_name
    return [
        Problem(
            f"without an enabled trigger bucardo_delta on {where}",
            "Create the sync (held) first, or set require_triggers to false when nothing"
            " writes to the source.",
            early=True,
        )
    ]

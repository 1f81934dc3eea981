# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: what the play asks for (pure)."""

from __future__ import annotations

import typing as t

from ..._bucardo.objects import STRATEGIES, problem_with_strategy
from ..._common.names import problem_with_object_name, problem_with_sync_name
from ..._postgres import topology
from ..context import Context
from ..registry import BLOCKER, Hit, check


@check(
    "master-name",
    BLOCKER,
    "Bucardo cannot take a master's name.",
    "Give the master a name of letters, digits and underscores that starts with a letter.",
)
def _master_name(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        problem = problem_with_object_name(master.name)
        if problem:
            yield Hit(master.name, master.name, f"the name of the master {problem}")


@check(
    "master-twice",
    BLOCKER,
    "Two masters have the same name.",
    "Give every master a name of its own.",
)
def _master_twice(ctx: Context) -> t.Iterator[Hit]:
    for fault in _faults(ctx, topology.TWINS):
        name = fault.masters[0]
        yield Hit(name, name, f"{len(fault.masters)} masters have this name")


@check(
    "too-few-masters",
    BLOCKER,
    "There is nothing to replicate with.",
    "Add a second master to the topology.",
)
def _too_few_masters(ctx: Context) -> t.Iterator[Hit]:
    for fault in _faults(ctx, topology.TOO_FEW):
        yield Hit("masters", "", f"{len(fault.masters)} master(s), but at least two are needed")


@check(
    "origin",
    BLOCKER,
    "Not exactly one master is the origin.",
    "Mark exactly one master as origin: the live database that the others are copied from.",
)
def _origin(ctx: Context) -> t.Iterator[Hit]:
    for _fault in _faults(ctx, topology.NO_ORIGIN):
        yield Hit("masters", "", "no master is marked as origin")
    for fault in _faults(ctx, topology.SEVERAL_ORIGINS):
        names = ", ".join(fault.masters)
        yield Hit("masters", "", f"several masters are marked as origin: {names}")


def _faults(ctx: Context, kind: str) -> list[topology.TopologyFault]:
    found = topology.faults((master.name, master.origin) for master in ctx.facts.masters)
    return [fault for fault in found if fault.kind == kind]


@check(
    "sync-name",
    BLOCKER,
    "Bucardo cannot take the sync's name.",
    "Choose another name for the sync, of letters, digits and underscores, at most 42 long.",
)
def _sync_name(ctx: Context) -> t.Iterator[Hit]:
    problem = problem_with_sync_name(ctx.wanted.sync)
    if problem:
        yield Hit(ctx.wanted.sync, "", f"the name of the sync {problem}")


@check(
    "group-name",
    BLOCKER,
    "Bucardo cannot take the name of the dbgroup or relgroup.",
    "Choose another name of letters, digits and underscores that starts with a letter.",
)
def _group_name(ctx: Context) -> t.Iterator[Hit]:
    for what, name in (("dbgroup", ctx.wanted.dbgroup), ("relgroup", ctx.wanted.relgroup)):
        problem = problem_with_object_name(name)
        # By default the groups are called like the sync, which is reported already.
        if problem and (name != ctx.wanted.sync or not problem_with_sync_name(name)):
            yield Hit(name, "", f"the name of the {what} {problem}")


@check(
    "conflict-strategy",
    BLOCKER,
    "Bucardo has no such way to settle a conflict: the sync would stop at the first one.",
    f"Use {', '.join(STRATEGIES)}, or names of masters in order of preference.",
)
def _conflict_strategy(ctx: Context) -> t.Iterator[Hit]:
    strategy = ctx.wanted.conflict_strategy
    problem = problem_with_strategy(strategy, [master.name for master in ctx.facts.masters])
    if problem:
        # The problem names the strategy where there is one.
        yield Hit("conflict_strategy", "", problem)


@check(
    "unknown-table",
    BLOCKER,
    "An entry of tables or exclude matches no table of the origin.",
    "Correct the spelling, capitals included, or remove the entry.",
)
def _unknown_table(ctx: Context) -> t.Iterator[Hit]:
    for _option, pattern, message in ctx.unknown:
        yield Hit(pattern, ctx.origin_name, message)


@check(
    "no-tables",
    BLOCKER,
    "No table takes part.",
    "Widen tables, or narrow exclude.",
)
def _no_tables(ctx: Context) -> t.Iterator[Hit]:
    if ctx.origin and ctx.origin.database and not ctx.selected:
        yield Hit(ctx.origin.database.name, ctx.origin.name, "no table takes part")

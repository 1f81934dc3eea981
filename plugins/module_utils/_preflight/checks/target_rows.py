# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: rows and tables that the targets have already (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._bucardo.keys import registered_key
from ..._common.cures import REPLACE
from ..._common.names import TableName
from ..._common.text import listed
from ..._postgres.tables import Table
from .. import enrolled_findings
from ..context import Context, matches
from ..facts import Database, SurveyedMaster
from ..registry import BLOCKER, WARNING, Hit, check
from . import control


@check(
    "target-not-empty",
    BLOCKER,
    "A target's table holds rows for which no seed of this membership vouches; they would not be"
    " overwritten. Nothing that you do to them by hand is safe: where the table is replicated, it"
    " is replayed on the origin.",
    REPLACE,
)
def _target_not_empty(ctx: Context) -> t.Iterator[Hit]:
    # Rows of the origin itself are reported as what they are.
    twins = {twin.name for pair in ctx.twins() for twin in pair}
    if ctx.facts.origin_stays or any(control.sync_taken.run(ctx)):
        # Who is seeded from whom, or in which sync, is the question, not what the tables hold.
        return
    replaced = {
        table.name for table in ctx.selected if any(matches(table, p) for p in ctx.wanted.replace)
    }
    for master in ctx.targets:
        if master.database and master.name not in twins:
            compared = {
                name
                for name in master.database.filled
                if enrolled_findings.is_comparable(ctx.facts, ctx.origin, master, name)
            }
            yield from _filled(master.name, master.database, ctx.names - replaced - compared)


@check(
    "unproven",
    WARNING,
    "Changes of a table that was seeded may have been missed since, so that nobody vouches for its"
    " rows.",
    "The bootstrap compares them while the sync is held, and refuses the table if they differ.",
)
def _unproven(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.targets:
        for table in sorted(master.database.filled & ctx.names if master.database else ()):
            if enrolled_findings.is_comparable(ctx.facts, ctx.origin, master, table):
                yield Hit(str(table), master.name, "holds rows that nobody vouches for")


def _filled(name: str, database: Database, names: t.Collection[TableName]) -> t.Iterator[Hit]:
    replicated = database.seed.enrolled if database.seed else frozenset()
    for table in sorted(database.filled & set(names)):
        why = database.doubts.get(table, "was never seeded")
        state = "replicated and not empty" if table in replicated else "not empty"
        yield Hit(str(table), name, f"is {state}, and {why}")


@check(
    "shed",
    BLOCKER,
    "A table was shed on a master, so that its changes would not fill the disk: it is not"
    " replicated, and nobody knows which of its rows were written since.",
    "Choose the master whose rows are right, and run the playbook reseed with"
    " multimaster_reseed_from=NAME and multimaster_reseed_tables.",
)
def _shed(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.facts.masters:
        for table, since in sorted(master.database.shed.items() if master.database else ()):
            yield Hit(str(table), master.name, f"was shed at {since}")


@check(
    "origin-moved",
    BLOCKER,
    "The inventory names another origin than the one from which the masters of the sync were"
    " seeded, and it cannot take its place now.",
    "Let the former origin be the origin in the inventory until the sync replicates and every"
    " master is seeded.",
)
def _origin_moved(ctx: Context) -> t.Iterator[Hit]:
    former = ctx.facts.former_origin
    if ctx.facts.origin_stays:
        said = f"the origin is {former}, and {ctx.facts.origin_stays}"
        yield Hit(ctx.origin_name, ctx.origin_name, said)


@check(
    "missing-table",
    BLOCKER,
    "A table of the origin is missing on a target that has others of them: DDL is not replicated.",
    "Create it on the target exactly as on the origin.",
)
def _missing_table(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, found in ctx.cloned_targets():
        for table in ctx.selected:
            if table.name not in found:
                yield Hit(str(table.name), master.name, "does not exist on this target")


def _pairs(ctx: Context) -> t.Iterator[tuple[SurveyedMaster, Database, Table, Table]]:
    for master, database, found in ctx.cloned_targets():
        for table in ctx.selected:
            if table.name in found:
                yield master, database, table, found[table.name]


@check(
    "columns-differ",
    BLOCKER,
    "A table's columns differ in name, order, type or generation: Bucardo copies by position.",
    "Make the table equal on both sides.",
)
def _columns_differ(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, here, there in _pairs(ctx):
        ours = [(c.name, c.type, c.generated) for c in here.columns]
        theirs = [(c.name, c.type, c.generated) for c in there.columns]
        if ours == theirs:
            continue
        cure = ""
        if sorted(ours) == sorted(theirs):
            said = f"columns in another order: {listed([c.name for c in there.columns])}"
        else:
            said = "; ".join(
                part
                for part in (
                    _described("only on the origin", [c for c in ours if c not in theirs]),
                    _described("only here", [c for c in theirs if c not in ours]),
                )
                if part
            )
            if ours[: len(theirs)] == theirs:
                # As after DDL between two runs; nothing of the rows or the queue is lost by it.
                cure = (
                    "ALTER TABLE ... ADD COLUMN on this master as well, in the same order, and run"
                    " again."
                )
        yield Hit(str(here.name), master.name, said, cure)


def _described(where: str, columns: t.Sequence[tuple[str, str, str]]) -> str:
    texts = [f"{name} {kind}{' generated' if gen else ''}" for name, kind, gen in columns]
    return f"{where}: {listed(texts)}" if texts else ""


@check(
    "column-details-differ",
    WARNING,
    "A table's columns differ in NOT NULL, collation or identity; a row that one master takes may"
    " be refused by the other.",
    "Make the table equal on both sides.",
)
def _column_details_differ(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, here, there in _pairs(ctx):
        others = {column.name: column for column in there.columns}
        different = [
            column.name
            for column in here.columns
            if column.name in others
            and (column.not_null, column.collation, column.identity)
            != (
                others[column.name].not_null,
                others[column.name].collation,
                others[column.name].identity,
            )
        ]
        if different:
            yield Hit(
                str(here.name),
                master.name,
                f"NOT NULL, collation or identity differs: {listed(different)}",
            )


@check(
    "key-differs",
    BLOCKER,
    "A table has another key on the target, so that rows would be identified differently.",
    "Make the primary key equal on both sides.",
)
def _key_differs(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, here, there in _pairs(ctx):
        ours, theirs = registered_key(here), registered_key(_as_seeded(there))
        if ours and theirs != ours:
            said = f"the key is {', '.join(theirs) or 'none'}, on the origin {', '.join(ours)}"
            yield Hit(str(here.name), master.name, said)


def _as_seeded(table: Table) -> Table:
    """The table with the indexes that a killed seed had set aside, which the next one rebuilds."""
    indexes = tuple(dataclasses.replace(index, valid=True) for index in table.indexes)
    return dataclasses.replace(table, indexes=indexes)

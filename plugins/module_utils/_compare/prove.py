# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Proves anew that a master holds the origin's rows, where nobody vouches for them any more.

Changes may have been missed before the triggers were as they are now. Since then every change
queues, so a row that differs and waits in no queue is one that replication will never bring over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from .._common.cures import REPLACE
from .._common.errors import Refused
from .._common.names import TableName
from .._common.text import listed
from .._ledger import ledger, membership
from .._postgres import pg, rowhash
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.tables import Table, select
from .._tracking import vouching
from . import plan as compare_plan
from . import run as compare_run

# Tables per statement; each is locked until its end.
_CHUNK = 500
# In the column of the ledger that says how rows came: they were there.
_FORMAT = "compared"
_COMPARABLE = (membership.MISSED, membership.MADE_ANEW)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What to prove.

    :param replace: tables that are not compared, since their rows will be replaced.
    :param timeout: seconds for differences to vanish or to turn out to be queued.
    """

    tables: t.Sequence[str]
    exclude: t.Sequence[str]
    sync: str
    dbgroup: str
    timeout: float
    replace: t.Sequence[str] = ()
    workers: int = 2


def prove(
    source: ConnInfo, target: ConnInfo, maintenance_db: str, wanted: Wanted, check_mode: bool
) -> list[TableName]:
    """The tables that were proven, or in check mode would have to be.

    :raises Refused: naming the tables whose rows differ; the others are entered into the ledger.
    """
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(pg.Session(source))
        there = pg.connect_if_exists(target, maintenance_db)
        if there is None:
            return []
        stack.enter_context(there)
        everything = read_tables(here, sizes=False)
        selected = select(everything, wanted.tables, [*wanted.exclude, *wanted.replace])
        theirs = {table.name: table for table in read_tables(there)}
        today = membership.today(
            here,
            there,
            {table.name: table.oid for table in selected},
            membership.epoch_of(there, wanted.dbgroup),
        )
        known = ledger.entries(there)
        open_ = [
            table
            for table in selected
            if membership.doubt(known.get(table.name), today) in _COMPARABLE
        ]
        full = _with_rows(there, [theirs[table.name] for table in open_])
        suspects = {table.name: table for table in open_ if table.name in full}
        if check_mode or not suspects:
            return sorted(suspects)
        _check_enrolled(here, source.name, suspects, wanted.sync)
        _check_enrolled(there, target.name, suspects, wanted.sync)
        ledger.create(there)
        if not ledger.lock(there):
            raise Refused(f"A seed of {target.name} is under way", "Wait for it, or end it.")
        began = time.monotonic()
        results = compare_run.compare(
            [source, target],
            source.name,
            [str(name) for name in suspects],
            [],
            compare_run.Options(
                timeout=wanted.timeout,
                dbgroup=wanted.dbgroup,
                workers=wanted.workers,
                settled=True,
            ),
        )
        by_name = {str(name): name for name in suspects}
        equal = [result for result in results if result.equal]
        if equal:
            seconds = (time.monotonic() - began) / len(results)
            there.execute(
                ledger.record(
                    [
                        _entry(
                            suspects[by_name[result.name]],
                            theirs[by_name[result.name]],
                            result.rows.get(target.name, 0),
                            today,
                            seconds,
                        )
                        for result in equal
                    ]
                )
            )
        _refuse([result for result in results if not result.equal], target.name)
        return sorted(by_name[result.name] for result in equal)


def _entry(
    source: Table, target: Table, rows: int, today: membership.Today, seconds: float
) -> ledger.Entry:
    complete = all(index.valid for index in target.indexes)
    return ledger.Entry(
        name=target.name,
        table_oid=target.oid,
        state=ledger.SEEDED if complete else ledger.COPIED,
        rows=rows,
        bytes=target.bytes,
        # Each row was compared, at its own moment: no sum stands for all of them.
        hash="",
        proof=rowhash.PROOF,
        format=_FORMAT,
        index_mode="keep",
        snapshot="",
        source=today.source,
        seconds=seconds,
        source_oid=source.oid,
        target=today.target,
        epoch=today.epoch,
        how=ledger.BY_COMPARISON,
    )


def _check_enrolled(
    session: pg.Session, master: str, suspects: t.Collection[TableName], sync: str
) -> None:
    missed = vouching.missed(session, suspects, sync)
    if missed:
        raise Refused(
            f"{listed(sorted(missed))}: changes are not queued on {master}",
            "Enrol the tables first, with bucardo_sync.",
        )


def _with_rows(session: pg.Session, tables: t.Sequence[Table]) -> set[TableName]:
    sql = pg.sql
    found: set[TableName] = set()
    # Only a table whose file is not empty is looked into.
    suspects = [table for table in tables if table.kind == "r" and table.bytes > 0]
    for start in range(0, len(suspects), _CHUNK):
        some = suspects[start : start + _CHUNK]
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} AS number WHERE EXISTS (SELECT FROM ONLY {})").format(
                sql.Literal(number), sql.Identifier(table.name.schema, table.name.name)
            )
            for number, table in enumerate(some)
        )
        found.update(some[number].name for number in session.column(query))
    return found


def _refuse(different: t.Sequence[compare_plan.TableResult], target: str) -> None:
    if not different:
        return
    lines = [f"{result.name} on {target}: {result.problem}" for result in different]
    raise Refused(
        f"Replication would never even out what differs: {listed(lines, separator='; ')}",
        REPLACE,
        differences=[result.to_dict() for result in different],
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proves anew that a master holds the origin's rows, where nobody vouches for them any more.

Changes may have been missed before the triggers were as they are now. Since then every change
queues, so a row that differs and waits in no queue is one that replication will never bring over.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._common.batches import chunks
from .._common.change import Change, Scope
from .._common.cures import REPLACE
from .._common.errors import Refused
from .._common.names import SyncKey, TableName
from .._common.text import listed
from .._ledger import doubts, ledger, membership, states
from .._postgres import pg, proof, sql
from .._postgres.catalog import read_tables
from .._postgres.tables import Selection, Table
from .._postgres.topology import Master, Topology
from .._tracking import vouching
from . import plan as compare_plan
from .run import CompareOptions, compare

# The origin's rows are not to be copied over those that it may lack.
WENT_BACK = (
    "The origin went back in time, so the others may be right: see docs/runbooks/restored-master.md"
    " before rows of any master are changed."
)
# Tables per statement; each is locked until its end.
_CHUNK = 500
# In the column of the ledger that says how rows came: they were there.
_FORMAT = "compared"


@dataclasses.dataclass(frozen=True)
class DesiredProof:
    """What to prove.

    :param selection: the tables, without those whose rows will be replaced.
    :param key: a row that differs must wait in the queue of this sync.
    :param source_went_back: the origin was restored or promoted: it may lack rows of the target.
    :param timeout: seconds for differences to vanish or to turn out to be queued.
    """

    selection: Selection
    key: SyncKey
    timeout: float = 60
    workers: int = 2
    source_went_back: bool = False


def plan_change(source: Master, target: Master, desired: DesiredProof, scope: Scope) -> Change:
    """Prove the tables that nobody vouches for.

    Applying it refuses tables whose rows differ, by name; the others are entered into the ledger.
    """
    here = scope.enter_context(pg.Session(source.login))
    there = pg.connect_if_exists(target.login, target.maintenance_db)
    if there is None:
        return Change(values={"proven": []})
    scope.enter_context(there)
    proof = _read(source, target, desired, here, there)
    found = Change(work=proof.apply)
    _fill(found, sorted(proof.suspects))
    return found


def _fill(change: Change, tables: t.Sequence[TableName]) -> None:
    change.changed = bool(tables)
    change.values = {"proven": [str(name) for name in tables]}


def _read(
    source: Master, target: Master, desired: DesiredProof, here: pg.Session, there: pg.Session
) -> _Proof:
    selected = desired.selection.of(read_tables(here, sizes=False))
    on_target = {table.name: table for table in read_tables(there)}
    today = membership.today(
        here,
        there,
        {table.name: table.oid for table in selected},
        membership.epoch_of(there, desired.key.dbgroup),
    )
    known = ledger.entries(there)
    doubtful = [
        table
        for table in selected
        if doubts.doubt(known.get(table.name), today) in doubts.COMPARABLE
    ]
    full = _with_rows(there, [on_target[table.name] for table in doubtful])
    suspects = {table.name: table for table in doubtful if table.name in full}
    return _Proof(source, target, desired, here, there, today, suspects, on_target)


@dataclasses.dataclass
class _Proof:
    """The tables to prove, and how that is done.

    :param here: a session with the source; there: with the target.
    :param suspects: tables of the source with rows on the target that nobody vouches for.
    :param on_target: all tables of the target.
    """

    source: Master
    target: Master
    desired: DesiredProof
    here: pg.Session
    there: pg.Session
    today: doubts.Today
    suspects: dict[TableName, Table]
    on_target: dict[TableName, Table]

    def apply(self, change: Change) -> None:
        """Compare, and enter what is equal into the ledger.

        :raises Refused: naming the tables whose rows differ.
        """
        sync = self.desired.key.sync
        _check_enrolled(self.here, self.source.name, self.suspects, sync)
        _check_enrolled(self.there, self.target.name, self.suspects, sync)
        ledger.create(self.there)
        if not ledger.lock(self.there):
            raise Refused(f"A seed of {self.target.name} is under way", "Wait for it, or end it.")
        began = time.monotonic()
        results = self._compare()
        names = {str(name): name for name in self.suspects}
        equal = {names[result.name]: result for result in results if result.equal}
        if equal:
            seconds = (time.monotonic() - began) / len(results)
            entries = [self._entry(name, result, seconds) for name, result in equal.items()]
            statement = ledger.record(entries)
            self.there.execute(statement)
            change.commands = [self.there.as_text(statement)]
        cure = WENT_BACK if self.desired.source_went_back else REPLACE
        _refuse([result for result in results if not result.equal], self.target.name, cure)
        _fill(change, sorted(equal))

    def _compare(self) -> list[compare_plan.TableResult]:
        return compare(
            Topology((self.source, self.target)),
            Selection.named(self.suspects),
            CompareOptions(
                timeout=self.desired.timeout,
                dbgroup=self.desired.key.dbgroup,
                workers=self.desired.workers,
                settled=True,
            ),
        )

    def _entry(
        self, name: TableName, result: compare_plan.TableResult, seconds: float
    ) -> states.Entry:
        rows = result.rows.get(self.target.name, 0)
        return _entry(self.suspects[name], self.on_target[name], rows, self.today, seconds)


def _entry(
    source: Table, target: Table, rows: int, today: doubts.Today, seconds: float
) -> states.Entry:
    complete = all(index.valid for index in target.indexes)
    return states.Entry(
        name=target.name,
        table_oid=target.oid,
        state=states.SEEDED if complete else states.COPIED,
        rows=rows,
        bytes=target.bytes,
        # Each row was compared, at its own moment: no sum stands for all of them.
        hash="",
        proof=proof.PROOF,
        format=_FORMAT,
        index_mode="keep",
        snapshot="",
        source=today.source,
        seconds=seconds,
        source_oid=source.oid,
        target=today.target,
        epoch=today.epoch,
        how=states.BY_COMPARISON,
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
    found: set[TableName] = set()
    # Only a table whose file is not empty is looked into.
    suspects = [table for table in tables if table.kind == "r" and table.bytes > 0]
    for chunk in chunks(suspects, _CHUNK):
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} AS number WHERE EXISTS (SELECT FROM ONLY {})").format(
                sql.Literal(number), sql.relation(table.name)
            )
            for number, table in enumerate(chunk)
        )
        found.update(chunk[number].name for number in session.column(query))
    return found


def _refuse(different: t.Sequence[compare_plan.TableResult], target: str, cure: str) -> None:
    if not different:
        return
    lines = [f"{result.name} on {target}: {result.problem}" for result in different]
    raise Refused(
        f"Replication would never even out what differs: {listed(lines, separator='; ')}",
        cure,
        differences=[result.to_dict() for result in different],
    )

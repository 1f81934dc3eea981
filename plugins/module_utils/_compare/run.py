# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the rows of tables on several masters while all of them stay live."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import threading
import time
import typing as t

from .._common.errors import MultimasterError, Refused
from .._common.names import TableName
from .._postgres import pg, rowhash, sql
from .._postgres.tables import Selection, Table
from .._postgres.topology import Topology
from . import plan, statements
from .sessions import SessionPerMaster, read
from .table import TableComparison

Item = t.TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """How to compare.

    :param timeout: seconds, after the first pass, for differences to vanish.
    :param interval: seconds between two looks at what differs.
    :param max_keys: differing keys to name per table.
    :param workers: tables read at the same time on every master.
    :param dbgroup: look only at the queue for this dbgroup; "" for all.
    :param settled: a key that waits in a queue is as good as equal: the sync is held, and brings it
        over when it is released.
    """

    timeout: float = 300
    interval: float = 1.0
    max_keys: int = 20
    workers: int = 2
    dbgroup: str = ""
    settled: bool = False

    def __post_init__(self) -> None:
        """:raises Refused: for a number that makes no sense."""
        least = {"timeout": 0, "interval": 0.1, "max_keys": 0, "workers": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise Refused(
                    f"{name}: {getattr(self, name)} is too little", f"Use {value} or more."
                )


def compare(
    topology: Topology, selection: Selection, options: CompareOptions
) -> list[plan.TableResult]:
    """Compare the selected tables of all masters; one result per table, sorted by name.

    :param selection: of the origin's tables.
    :raises Refused: when a pattern matches nothing, or values are written differently as text.
    """
    with contextlib.ExitStack() as stack:

        def crew() -> SessionPerMaster:
            made = SessionPerMaster(topology.logins)
            stack.callback(made.close)
            return made

        crews = [crew()]
        comparison = _Comparison(crews, topology.names.index(topology.origin.name), options)
        comparison.take(selection)
        while len(crews) < min(options.workers, len(comparison.batches)):
            crews.append(crew())
        return comparison.run()


def refuse_differences(results: t.Sequence[plan.TableResult]) -> None:
    """:raises MultimasterError: when a table is not equal, with all that is known."""
    found = plan.to_result(results)
    if not found["equal"]:
        raise MultimasterError(
            str(found["summary"]),
            "Keys that still change or wait need replication to run, or a longer timeout;"
            " write rows that differ again on the master where they are right.",
            **found,
        )


class _Comparison:
    """All tables of one comparison, worked off by several crews."""

    def __init__(self, crews: list[SessionPerMaster], origin: int, options: CompareOptions) -> None:
        self._crews = crews
        self._origin = origin
        self._options = options
        self._masters = crews[0].each(lambda _i, session: read(session, options.dbgroup))
        self._results: dict[TableName, plan.TableResult] = {}
        self._tables: dict[TableName, TableComparison] = {}
        self._stop = threading.Event()
        self.batches: list[list[Table]] = []

    def take(self, selection: Selection) -> None:
        """Choose the tables."""
        method = rowhash.agree(self._crews[0].sessions)
        comparable = []
        for table in selection.of(self._masters[self._origin].tables.values()):
            sides = {master.name: master.tables.get(table.name) for master in self._masters}
            result = plan.TableResult(str(table.name), problem=plan.structure_problem(sides))
            self._results[table.name] = result
            if not result.problem:
                comparable.append(table)
                self._tables[table.name] = TableComparison(
                    self._masters, method, table, self._options.settled
                )
        self.batches = plan.batches(comparable)

    def run(self) -> list[plan.TableResult]:
        """Look again and again, until everything is decided or the time is over."""
        self._parallel(self._sums, self.batches)
        started = time.monotonic()
        deadline = started + self._options.timeout
        again = True
        while not self._stop.is_set():
            left = [one for one in self._tables.values() if not one.decided]
            now = time.monotonic()
            if not left or now >= deadline:
                break
            # Rechecks are spaced, so that replication gets its chance between two of them.
            wait = min(started + self._options.interval, deadline) - now
            if wait > 0:
                time.sleep(wait)
            started = time.monotonic()
            if again:
                self._parallel(self._again, plan.batches(one.table for one in left))
                again = False
                continue
            without_key = [one.table for one in left if not one.has_key]
            self._parallel(self._sums, plan.batches(without_key))
            self._parallel(lambda crew, one: one.look(crew), [one for one in left if one.has_key])
        for name, one in self._tables.items():
            one.finish(self._results[name], self._options.max_keys)
        return list(self._results.values())

    def _parallel(
        self, work: t.Callable[[SessionPerMaster, Item], None], items: t.Sequence[Item]
    ) -> None:
        """Let the crews work off the items in their order; the first failure ends it all."""
        waiting = iter(items)
        lock = threading.Lock()

        def take_turns(crew: SessionPerMaster) -> None:
            while not self._stop.is_set():
                with lock:
                    item = next(waiting, None)
                if item is None:
                    return
                work(crew, item)

        if not items:
            return
        with concurrent.futures.ThreadPoolExecutor(len(self._crews)) as pool:
            running = [pool.submit(take_turns, crew) for crew in self._crews]
            try:
                for future in concurrent.futures.as_completed(running):
                    future.result()
            except BaseException:
                self._stop.set()
                for crew in self._crews:
                    crew.cancel()
                raise

    def _again(self, crew: SessionPerMaster, batch: t.Sequence[Table]) -> None:
        """What differed was mostly on its way: one more cheap look, but where more is."""
        cheap = []
        for table in batch:
            one = self._tables[table.name]
            if one.has_key and one.in_use(crew):
                one.look(crew)
            else:
                cheap.append(table)
        if cheap:
            self._sums(crew, cheap)

    def _sums(self, crew: SessionPerMaster, batch: t.Sequence[Table]) -> None:
        tables = [self._tables[table.name] for table in batch]
        answers = crew.each(
            lambda i, session: _aggregates(session, [one.aggregate(i) for one in tables])
        )
        for position, one in enumerate(tables):
            one.sums([answer[position] for answer in answers])


def _aggregates(session: pg.Session, queries: t.Sequence[sql.Composable]) -> list[tuple[int, str]]:
    """The results of many aggregates in one round trip, in their order."""
    rows = session.rows(statements.together(queries))
    return [(row["rows"], row["hash"]) for row in sorted(rows, key=lambda row: row["i"])]

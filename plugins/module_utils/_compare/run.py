# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Compares the rows of tables on several masters while all of them stay live."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import threading
import time
import typing as t

from .._bucardo.keys import registered_key
from .._common.names import TableName, delta_suffix
from .._postgres import pg, rowhash
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.tables import BUCARDO_SCHEMA, Table, select
from . import plan

if t.TYPE_CHECKING:
    from psycopg2.sql import Composable

    Answer = t.TypeVar("Answer")
    Item = t.TypeVar("Item")

# Seconds per table and round of quick looks at rows that are updated all the time, and for how
# many keys at most: the version that arrives on one master must have been seen on the other.
_GLANCE_SECONDS = 0.5
_GLANCE_KEYS = 1000
# Looks that the other keys of a table still get once the first is sure to differ.
_LAST_LOOKS = 5
# Enough for the groups of one bucketed pass, so that it does not spill.
_WORK_MEM = "32MB"


@dataclasses.dataclass(frozen=True)
class Options:
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


@dataclasses.dataclass(frozen=True)
class _Master:
    """What the catalogs of one master say."""

    name: str
    types: rowhash.Types
    tables: t.Mapping[TableName, Table]
    queue_tables: frozenset[str]
    queue_targets: t.Mapping[int, tuple[str, ...]]


class _Crew:
    """One session per master, which all do the same at the same time."""

    def __init__(self, conninfos: t.Sequence[ConnInfo]) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(len(conninfos))
        self.sessions: list[pg.Session] = []
        opened = [self._pool.submit(_open, conninfo) for conninfo in conninfos]
        concurrent.futures.wait(opened)
        failures = [future.exception() for future in opened if future.exception()]
        self.sessions = [future.result() for future in opened if not future.exception()]
        if failures:
            self.close()
            raise t.cast(BaseException, failures[0])

    def each(self, ask: t.Callable[[int, pg.Session], Answer]) -> list[Answer]:
        """Ask every master, in parallel: ask(index of the master, its session)."""
        asked = [self._pool.submit(ask, i, session) for i, session in enumerate(self.sessions)]
        return [future.result() for future in asked]

    def cancel(self) -> None:
        """Stop the statements that are running."""
        for session in self.sessions:
            with contextlib.suppress(Exception):
                session.connection.cancel()

    def close(self) -> None:
        self.cancel()
        self._pool.shutdown()
        for session in self.sessions:
            session.close()


def _open(conninfo: ConnInfo) -> pg.Session:
    session = pg.Session(conninfo)
    # In a SQL_ASCII database psycopg2 would refuse to read anything else than ASCII.
    session.connection.set_client_encoding("UTF8")
    rowhash.pin_session(session)
    session.execute("SELECT set_config('work_mem', %s, false)", (_WORK_MEM,))
    session.execute("SET default_transaction_read_only = on")
    return session


def compare(
    conninfos: t.Sequence[ConnInfo],
    reference: str,
    include: t.Sequence[str],
    exclude: t.Sequence[str],
    options: Options,
) -> list[plan.TableResult]:
    """Compare the selected tables of all masters; one result per table, sorted by name.

    :param reference: name of the master whose tables are selected.
    :raises Refused: when a pattern matches nothing, or values are written differently as text.
    """
    crews = [_Crew(conninfos)]
    try:
        comparison = _Comparison(crews, reference, include, exclude, options)
        wanted = min(options.workers, len(comparison.batches))
        while len(crews) < wanted:
            crews.append(_Crew(conninfos))
        return comparison.run()
    finally:
        for crew in crews:
            crew.close()


class _Comparison:
    def __init__(
        self,
        crews: list[_Crew],
        reference: str,
        include: t.Sequence[str],
        exclude: t.Sequence[str],
        options: Options,
    ) -> None:
        self._crews = crews
        self._options = options
        self._masters = crews[0].each(lambda _i, session: _read(session, options.dbgroup))
        self._names = [master.name for master in self._masters]
        self._method = rowhash.agree(crews[0].sessions)
        index = self._names.index(reference)
        selected = select(self._masters[index].tables.values(), include, exclude)
        self._results: dict[TableName, plan.TableResult] = {}
        self._states: dict[TableName, _State] = {}
        comparable = []
        for table in selected:
            sides = {master.name: master.tables.get(table.name) for master in self._masters}
            result = plan.TableResult(str(table.name))
            self._results[table.name] = result
            result.problem = plan.structure_problem(str(table.name), sides)
            if not result.problem:
                comparable.append(table)
                self._states[table.name] = _State(self, table)
        self.batches = plan.batches(comparable)
        self._stop = threading.Event()

    @property
    def names(self) -> list[str]:
        return self._names

    @property
    def masters(self) -> list[_Master]:
        return self._masters

    @property
    def settled(self) -> bool:
        return self._options.settled

    @property
    def method(self) -> rowhash.Method:
        return self._method

    def run(self) -> list[plan.TableResult]:
        self._parallel(self._sums, self.batches)
        started = time.monotonic()
        deadline = started + self._options.timeout
        again = True
        while not self._stop.is_set():
            open_states = [state for state in self._states.values() if not state.decided]
            now = time.monotonic()
            if not open_states or now >= deadline:
                break
            # Rechecks are spaced, so that replication gets its chance between two of them.
            wait = min(started + self._options.interval, deadline) - now
            if wait > 0:
                time.sleep(wait)
            started = time.monotonic()
            if again:
                # Most of what differed was on its way: one more cheap look at the sums.
                self._parallel(self._sums, plan.batches(s.table for s in open_states))
                again = False
                continue
            without_key = [s.table for s in open_states if not registered_key(s.table)]
            with_key = [s for s in open_states if registered_key(s.table)]
            self._parallel(self._sums, plan.batches(without_key))
            self._parallel(lambda crew, s: s.look(crew), with_key)
        for name, state in self._states.items():
            state.finish(self._results[name], self._options.max_keys)
        return list(self._results.values())

    def _parallel(self, work: t.Callable[[_Crew, Item], None], items: t.Sequence[Item]) -> None:
        """Let the crews work off the items in their order; the first failure ends it all."""
        waiting = iter(items)
        lock = threading.Lock()

        def take_turns(crew: _Crew) -> None:
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

    def _sums(self, crew: _Crew, batch: t.Sequence[Table]) -> None:
        answers = crew.each(
            lambda i, session: _aggregates(
                session, [self._states[table.name].aggregate(i) for table in batch]
            )
        )
        for position, table in enumerate(batch):
            self._states[table.name].sums([answer[position] for answer in answers])


class _State:
    """How far the decision about one table has come."""

    def __init__(self, comparison: _Comparison, table: Table) -> None:
        self.table = table
        self.decided = False
        self._comparison = comparison
        self._sides = [(master.tables[table.name], master.types) for master in comparison.masters]
        self._as_text = rowhash.columns_as_text(self._sides)
        # By the order in which the hash takes them, so that all servers agree.
        self._key = tuple(sorted(registered_key(table)))
        self._rows: dict[str, int] = {}
        self._proof = ""
        self._watch = plan.Watch(comparison.names, self._key)
        self._complete = True
        self._drilled = False
        self._sums: list[tuple[int, str]] = []
        self._unchanged = 0
        self._last_looks = _LAST_LOOKS

    def aggregate(self, index: int) -> Composable:
        table, types = self._sides[index]
        return rowhash.aggregate(table, types, self._comparison.method, self._as_text)

    def sums(self, answers: t.Sequence[tuple[int, str]]) -> None:
        """Take in rows and hash of every master.

        Without a key there is nothing to watch but the whole table, and Bucardo cannot change it.
        """
        self._unchanged = self._unchanged + 1 if list(answers) == self._sums else 0
        self._sums = list(answers)
        self._rows = {name: answer[0] for name, answer in zip(self._comparison.names, answers)}
        if len(set(answers)) == 1:
            self._proof, self.decided = plan.PROOF_SUMS, True
        elif not registered_key(self.table) and self._unchanged >= plan.RECHECKS:
            self.decided = True

    def look(self, crew: _Crew) -> None:
        """One more look at the keys that differ, or the first one that finds them."""
        if not self._drilled or (not self._watch.keys and not self._complete):
            self._drill(crew)
            self._drilled = True
        else:
            self._recheck(crew)
        if not self._watch.keys and self._complete:
            self._proof, self.decided = plan.PROOF_KEYS, True
        elif self._watch.proven:
            self._last_looks -= 1
            self.decided = not self._watch.undecided or self._last_looks <= 0

    def finish(self, result: plan.TableResult, max_keys: int) -> None:
        """Write down what is known at the end."""
        result.rows, result.proof = self._rows, self._proof
        if self._proof:
            return
        result.undecided = not self.decided
        if not self._drilled:
            result.problem = plan.row_problem(self._rows)
            return
        differences = self._watch.differences(max_keys)
        result.differences = differences or self._watch.differences(max_keys, undecided=True)
        result.problem = plan.key_problem(
            self._watch.proven, self._watch.undecided, self._complete, result.differences
        ) or plan.row_problem(self._rows)

    def _drill(self, crew: _Crew) -> None:
        bits = plan.first_bits(max(self._rows.values()))
        groups = crew.each(lambda i, session: self._buckets(i, session, bits))
        totals = [sum(group[0] for group in side.values()) for side in groups]
        self._rows = dict(zip(self._comparison.names, totals))
        self._complete = True
        while True:
            differing = plan.unequal(groups)
            if not differing:
                return
            step = plan.next_step(differing, bits)
            self._complete = self._complete and step.complete
            if not step.split_bits:
                break
            bits = step.split_bits
            groups = crew.each(functools.partial(self._buckets, bits=bits, within=step))
        self._watch.start(crew.each(lambda i, session: self._rows_of_buckets(i, session, step)))

    def _recheck(self, crew: _Crew) -> None:
        keys = self._watch.keys
        queued: set[int] = set()
        queued.update(*crew.each(lambda i, session: self._queued(i, session, keys)))
        self._watch.look(self._read(crew, keys), queued)
        if self._comparison.settled:
            self._watch.let_go(queued)
        if not self._by_value:
            return
        until = time.monotonic() + _GLANCE_SECONDS
        while time.monotonic() < until:
            keys = self._watch.undecided_keys
            if not keys or len(keys) > _GLANCE_KEYS:
                return
            self._watch.glance(self._read(crew, keys))

    def _read(self, crew: _Crew, keys: t.Mapping[int, tuple[str, ...]]) -> list[plan.Rows]:
        return crew.each(lambda i, session: self._rows_of_keys(i, session, keys))

    # ---- statements ----

    def _hash(self, index: int, only: t.Collection[str] | None = None) -> Composable:
        table, types = self._sides[index]
        return rowhash.row_expression(table, types, self._comparison.method, self._as_text, only)

    def _from(self, index: int) -> Composable:
        return rowhash.from_item(self._sides[index][0])

    def _buckets(
        self, index: int, session: pg.Session, bits: int, within: plan.Step | None = None
    ) -> dict[int, plan.Group]:
        """Count and sum per bucket of the key's hash."""
        sql = pg.sql
        query = sql.SQL(
            "SELECT k & {mask} AS bucket, count(*) AS n, sum(r)::text AS s"
            " FROM (SELECT {key} AS k, {row} AS r FROM {table}) q {where} GROUP BY 1"
        ).format(
            mask=sql.Literal((1 << bits) - 1),
            key=self._hash(index, self._key),
            row=self._hash(index),
            table=self._from(index),
            where=_in_buckets(within),
        )
        return {row["bucket"]: (row["n"], int(row["s"])) for row in session.rows(query)}

    def _rows_of_buckets(self, index: int, session: pg.Session, step: plan.Step) -> plan.Rows:
        query = pg.sql.SQL(
            "SELECT k, key, r FROM (SELECT {key} AS k, {columns} AS key, {row} AS r FROM {table}) q"
            " {where}"
        ).format(
            key=self._hash(index, self._key),
            columns=self._key_columns(),
            row=self._hash(index),
            table=self._from(index),
            where=_in_buckets(step),
        )
        return _as_rows(session.rows(query))

    @property
    def _by_value(self) -> bool:
        """Whether rows can be found through the index of the key.

        Operators of types that PostgreSQL does not bring are not in the pinned search_path.
        """
        return all(
            types.builtin_name(column.type_oid)
            for table, types in self._sides
            for column in table.columns
            if column.name in self._key
        )

    def _rows_of_keys(
        self, index: int, session: pg.Session, keys: t.Mapping[int, tuple[str, ...]]
    ) -> plan.Rows:
        sql = pg.sql
        if not keys:
            return {}
        if self._by_value:
            table = self._sides[index][0]
            kinds = {column.name: column.type for column in table.columns}
            names = [sql.Identifier(f"x{i}") for i in range(len(self._key))]
            condition = sql.SQL("({}) IN (SELECT {} FROM unnest({}) AS u ({}))").format(
                sql.SQL(", ").join(sql.Identifier(name) for name in self._key),
                # format_type() of the catalog has quoted the type's name.
                sql.SQL(", ").join(
                    sql.SQL("CAST({} AS {})").format(name, sql.SQL(kinds[column]))
                    for name, column in zip(names, self._key)
                ),
                sql.SQL(", ").join(
                    sql.SQL("{}::text[]").format(sql.Literal(list(values)))
                    for values in zip(*keys.values())
                ),
                sql.SQL(", ").join(names),
            )
        else:
            condition = sql.SQL("{} IN (SELECT unnest({}::bigint[]))").format(
                self._hash(index, self._key), sql.Literal(list(keys))
            )
        query = sql.SQL(
            "SELECT {key} AS k, {columns} AS key, {row} AS r FROM {table} WHERE {condition}"
        ).format(
            key=self._hash(index, self._key),
            columns=self._key_columns(),
            row=self._hash(index),
            table=self._from(index),
            condition=condition,
        )
        return _as_rows(session.rows(query))

    def _key_columns(self) -> Composable:
        # concat() writes any type by its output function.
        sql = pg.sql
        return sql.SQL("ARRAY[{}]").format(
            sql.SQL(", ").join(
                sql.SQL("concat({})").format(sql.Identifier(name)) for name in self._key
            )
        )

    def _queued(self, index: int, session: pg.Session, keys: t.Iterable[int]) -> set[int]:
        """Which of these keys wait in Bucardo's queue on this master.

        A delta row is done for a target when the track table has its txntime (Bucardo.pm 5.6.0,
        "push_rows"). Delta tables have the key's columns under the same names and types.
        """
        master = self._comparison.masters[index]
        suffix = delta_suffix(self.table.name)
        delta, track = f"delta_{suffix}", f"track_{suffix}"
        targets = master.queue_targets.get(self._sides[index][0].oid, ())
        if not targets or not {delta, track} <= master.queue_tables:
            return set()
        sql = pg.sql
        query = sql.SQL(
            "SELECT DISTINCT k FROM (SELECT {key} AS k FROM {delta} d WHERE EXISTS"
            " (SELECT FROM unnest({targets}::text[]) AS g (target) WHERE NOT EXISTS"
            " (SELECT FROM {track} t WHERE t.txntime = d.txntime AND t.target = g.target))) q"
            " WHERE k IN (SELECT unnest({keys}::bigint[]))"
        ).format(
            key=self._hash(index, self._key),
            delta=sql.Identifier(BUCARDO_SCHEMA, delta),
            track=sql.Identifier(BUCARDO_SCHEMA, track),
            targets=sql.Literal(list(targets)),
            keys=sql.Literal(list(keys)),
        )
        return set(session.column(query))


def _in_buckets(step: plan.Step | None) -> Composable:
    sql = pg.sql
    if step is None:
        return sql.SQL("")
    return sql.SQL("WHERE k & {} IN (SELECT unnest({}::bigint[]))").format(
        sql.Literal((1 << step.bits) - 1), sql.Literal(list(step.buckets))
    )


def _as_rows(rows: t.Iterable[dict[str, t.Any]]) -> plan.Rows:
    return {row["k"]: (tuple(row["key"]), row["r"]) for row in rows}


def _aggregates(session: pg.Session, queries: t.Sequence[Composable]) -> list[tuple[int, str]]:
    """The results of many aggregates in one round trip, in their order."""
    sql = pg.sql
    parts = [
        sql.SQL("SELECT {} AS i, q.* FROM ({}) q").format(sql.Literal(i), query)
        for i, query in enumerate(queries)
    ]
    rows = session.rows(sql.SQL(" UNION ALL ").join(parts))
    return [(row["rows"], row["hash"]) for row in sorted(rows, key=lambda row: row["i"])]


def _read(session: pg.Session, dbgroup: str) -> _Master:
    queue_tables = frozenset(
        session.column(
            "SELECT c.relname FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relkind = 'r'",
            (BUCARDO_SCHEMA,),
        )
    )
    targets: dict[int, tuple[str, ...]] = {}
    if "bucardo_delta_targets" in queue_tables:
        for row in session.rows(
            "SELECT tablename::bigint AS oid, array_agg(DISTINCT target) AS targets"
            " FROM bucardo.bucardo_delta_targets WHERE %s IN ('', target) GROUP BY 1",
            (f"dbgroup {dbgroup}" if dbgroup else "",),
        ):
            targets[row["oid"]] = tuple(row["targets"])
    return _Master(
        name=session.conninfo.name,
        types=rowhash.read_types(session),
        tables={table.name: table for table in read_tables(session)},
        queue_tables=queue_tables,
        queue_targets=targets,
    )

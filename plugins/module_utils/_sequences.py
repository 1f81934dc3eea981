# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Reads the sequences of masters and changes them on all masters at the same moment."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils import (
    _locks,
    _own_objects,
    _pg,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils import (
    _sequence_plan as plan,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import (
    DeadlineExceeded,
    MultimasterError,
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._master import read_tables
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._tables import select

if t.TYPE_CHECKING:
    from psycopg2.sql import Composable

    Answer = t.TypeVar("Answer")
    Item = t.TypeVar("Item")

# Sequences that are locked together, as long as nobody is in the way.
_BATCH = 20
# Relations read in one statement; the time to plan one grows with the square of their number.
_CHUNK = 200
# Seconds between attempts on sequences that are in use.
_PAUSE = 0.25
# Seconds. A sequence that an old transaction holds is queued for (no longer than lock_timeout)
# only this often, since everybody else queues behind.
_FORCE_EVERY = 5.0

_READ = """
SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid::bigint AS oid,
       s.seqstart AS start, s.seqincrement AS increment, s.seqmin AS minimum,
       s.seqmax AS maximum, s.seqcycle AS cycle
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')
   AND c.relpersistence <> 't'
"""
# Columns that a sequence fills: it is owned by them, or their default names it. A partition or
# child table shares the sequence of its parent, so ancestors of a table count as the table.
_USERS = """
WITH RECURSIVE users AS (
  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
   WHERE d.classid = 'pg_catalog.pg_class'::regclass
     AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
   UNION
  SELECT d.refobjid, f.adrelid, f.adnum
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.refobjid
   WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
     AND d.refclassid = 'pg_catalog.pg_class'::regclass
), tables AS (
  SELECT u.sequence, u.relation, a.attname
    FROM users u
    JOIN pg_catalog.pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.attnum
   UNION
  SELECT u.sequence, i.inhrelid, u.attname
    FROM tables u
    JOIN pg_catalog.pg_inherits i ON i.inhparent = u.relation
)
SELECT u.sequence::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
       u.attname::text AS column, c.relkind::text AS kind,
       EXISTS (SELECT FROM pg_catalog.pg_index x
                 JOIN pg_catalog.pg_attribute a
                   ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
                 JOIN pg_catalog.pg_class k ON k.oid = x.indexrelid
                 JOIN pg_catalog.pg_am m ON m.oid = k.relam
                WHERE x.indrelid = u.relation AND a.attname = u.attname AND m.amname = 'btree'
                  AND x.indisvalid AND x.indpred IS NULL)
       AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AS indexed
  FROM tables u
  JOIN pg_catalog.pg_class c ON c.oid = u.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = u.relation AND a.attname = u.attname
"""
# regclass follows a sequence that is renamed.
_CREATE = """
CREATE SCHEMA IF NOT EXISTS multimaster;
CREATE TABLE IF NOT EXISTS multimaster.sequence (
  sequence pg_catalog.regclass PRIMARY KEY,
  original pg_catalog.int8 NOT NULL,
  slots pg_catalog.int4 NOT NULL,
  slot pg_catalog.int4 NOT NULL
);
COMMENT ON TABLE multimaster.sequence IS 'What each sequence was before sequence_interleave'
"""
# The schema may also hold the ledger of the seed.
_DROP_EMPTY = """
DO $$
BEGIN
  DELETE FROM multimaster.sequence l
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = l.sequence);
  IF NOT EXISTS (SELECT FROM multimaster.sequence) THEN
    DROP TABLE multimaster.sequence;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                    WHERE refclassid = 'pg_catalog.pg_namespace'::regclass
                      AND refobjid = 'multimaster'::regnamespace) THEN
      DROP SCHEMA multimaster;
    END IF;
  END IF;
END $$
"""


@dataclasses.dataclass(frozen=True)
class Survey:
    """The sequences of one master.

    :param users: sequence to the tables that it fills a column of.
    :param ledger: whether the ledger of changed sequences is there.
    """

    sequences: t.Mapping[TableName, plan.Sequence]
    users: t.Mapping[TableName, frozenset[TableName]]
    ledger: bool


@dataclasses.dataclass(frozen=True)
class Policy:
    """How gently sequences are locked.

    :param lock_timeout: longest wait for a sequence's lock, milliseconds; whoever calls nextval()
        meanwhile waits too.
    :param timeout: give up after this many seconds altogether.
    """

    lock_timeout: int = 100
    timeout: float = 120


def read(session: _pg.Session) -> Survey:
    """All sequences of a database, except those of the system, Bucardo and this collection.

    Two round trips per 200 sequences and four besides.
    """
    sql = _pg.sql
    found = session.rows(_READ)
    names = {row["oid"]: TableName(row["schema"], row["name"]) for row in found}
    values = _values(session, list(names.values()))
    shares: dict[int, plan.Share] = {}
    ledger = bool(session.value("SELECT pg_catalog.to_regclass('multimaster.sequence')"))
    if ledger:
        _own_objects.require_ours(session)
        for row in session.rows(
            "SELECT sequence::oid::bigint AS oid, original, slots, slot FROM multimaster.sequence"
        ):
            shares[row["oid"]] = plan.Share(row["original"], row["slots"], row["slot"])
    users: dict[TableName, set[TableName]] = {}
    queries: list[Composable] = []
    for row in session.rows(_USERS):
        if row["oid"] not in names:
            continue
        users.setdefault(names[row["oid"]], set()).add(TableName(row["schema"], row["name"]))
        if row["indexed"] and row["kind"] == "r":
            queries.append(
                sql.SQL("SELECT {} AS oid, max({})::bigint AS highest FROM ONLY {}").format(
                    sql.Literal(row["oid"]),
                    sql.Identifier(row["column"]),
                    sql.Identifier(row["schema"], row["name"]),
                )
            )
    highest: dict[int, int] = {}
    for chunk in _chunks(queries):
        for row in session.rows(sql.SQL(" UNION ALL ").join(chunk)):
            if row["highest"] is not None:
                highest[row["oid"]] = max(row["highest"], highest.get(row["oid"], row["highest"]))
    sequences = {}
    for row in found:
        name = names[row["oid"]]
        sequences[name] = plan.Sequence(
            name=name,
            oid=row["oid"],
            start=row["start"],
            increment=row["increment"],
            minimum=row["minimum"],
            maximum=row["maximum"],
            cycle=row["cycle"],
            last_value=values[name][0],
            is_called=values[name][1],
            highest=highest.get(row["oid"]),
            share=shares.get(row["oid"]),
        )
    by_name = {name: frozenset(tables) for name, tables in users.items()}
    return Survey(sequences, by_name, ledger)


def _select_values(names: t.Sequence[TableName]) -> Composable:
    sql = _pg.sql
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} AS i, last_value, is_called FROM {}").format(
            sql.Literal(i), sql.Identifier(name.schema, name.name)
        )
        for i, name in enumerate(names)
    )


def _values(
    session: _pg.Session, names: t.Sequence[TableName]
) -> dict[TableName, tuple[int, bool]]:
    # pg_sequences hides the value of a sequence that setval(..., false) has placed.
    return {
        chunk[row["i"]]: (row["last_value"], row["is_called"])
        for chunk in _chunks(names)
        for row in session.rows(_select_values(chunk))
    }


def _chunks(items: t.Sequence[Item]) -> t.Iterator[t.Sequence[Item]]:
    """Parts of a size that one statement can be made of; deeper ones exceed the parser's stack."""
    return (items[first : first + _CHUNK] for first in range(0, len(items), _CHUNK))


def read_all(sessions: t.Mapping[str, _pg.Session]) -> dict[str, Survey]:
    """The surveys of all masters, read at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(sessions)) as pool:
        asked = {master: pool.submit(read, session) for master, session in sessions.items()}
    return {master: future.result() for master, future in asked.items()}


def wanted(
    session: _pg.Session,
    survey: Survey,
    tables: tuple[t.Sequence[str], t.Sequence[str]] | None,
    exclude: t.Sequence[str],
) -> list[TableName]:
    """Names of the sequences that take part, sorted.

    :param tables: patterns to include and to exclude; None for all sequences of the database.
    :param exclude: exact names of sequences to leave alone.
    :raises Refused: when a pattern or name matches nothing.
    """
    names = set(survey.sequences)
    if tables is not None:
        selected = {table.name for table in select(read_tables(session, sizes=False), *tables)}
        names = {name for name in names if survey.users.get(name, frozenset()) & selected}
    for text in exclude:
        try:
            name = TableName.parse(text)
        except ValueError as error:
            raise Refused(f"exclude_sequences: {error}") from error
        if name not in survey.sequences:
            raise Refused(
                f"exclude_sequences: {text!r} is no sequence of {session.conninfo.name}",
                "Check schema, capitals and spelling.",
            )
        names.discard(name)
    return sorted(names)


def change(
    sessions: t.Mapping[str, _pg.Session], plans: t.Sequence[plan.Plan], policy: Policy
) -> dict[tuple[TableName, str], int]:
    """Carry out plans, see C(_Changer.run); the first value by sequence and master."""
    changer = _Changer(sessions, policy)
    try:
        changer.run(plans)
    finally:
        changer.close()
    return changer.started


class _Changer:
    """Changes sequences on several masters, each on all of them at the same moment.

    A sequence is locked on every master whose part changes, then read, then moved above the
    highest value that any master has handed out, then released. Nobody can get a number of the
    old kind in between, so no number comes twice.
    """

    def __init__(self, sessions: t.Mapping[str, _pg.Session], policy: Policy) -> None:
        self._sessions = sessions
        self._policy = policy
        self._pool = concurrent.futures.ThreadPoolExecutor(max(1, len(sessions)))
        self.started: dict[tuple[TableName, str], int] = {}

    def run(self, plans: t.Sequence[plan.Plan]) -> None:
        """Carry out all plans; those that are free first, those in use as soon as they are free.

        Each sequence is either changed on all its masters or on none, except when a server or
        this process dies between two commits; the next run completes that.

        :raises DeadlineExceeded: naming the sequences that could not be locked, and who holds them.
        """
        deadline = time.monotonic() + self._policy.timeout
        waiting = [one for one in plans if one.changes]
        size = _BATCH
        for master in {change.master for one in waiting for change in one.changes}:
            if any(c.share for one in waiting for c in one.changes if c.master == master):
                _own_objects.require_ours(self._sessions[master])
                self._sessions[master].execute(_CREATE)
                # Somebody may have been quicker just now.
                _own_objects.require_ours(self._sessions[master])
        forced = time.monotonic()
        while waiting:
            held = self._held(waiting)
            batch = [one for one in waiting if one.name not in held][:size]
            if not batch and time.monotonic() - forced > _FORCE_EVERY:
                # What old transactions hold all the time would never get its turn.
                batch, forced = waiting[:1], time.monotonic()
            if batch and self._change(batch):
                done = {one.name for one in batch}
                waiting = [one for one in waiting if one.name not in done]
                continue
            size = max(1, size // 4)
            if time.monotonic() >= deadline:
                raise DeadlineExceeded(
                    f"Within {self._policy.timeout:g} s, could not lock "
                    + "; ".join(held.get(one.name, str(one.name)) for one in waiting[:5]),
                    "End the transactions that hold them, then run this again; what is done stays.",
                    pending=[str(one.name) for one in waiting],
                )
            # The one that was in the way goes to the end of the queue.
            waiting = [one for one in waiting if one not in batch] + batch
            time.sleep(_PAUSE)

    def close(self) -> None:
        self._pool.shutdown()

    def _each(
        self, masters: t.Iterable[str], ask: t.Callable[[str, _pg.Session], Answer]
    ) -> dict[str, Answer]:
        """Ask several masters at the same time; the first failure is raised when all are done."""
        asked = {m: self._pool.submit(ask, m, self._sessions[m]) for m in masters}
        concurrent.futures.wait(asked.values())
        return {master: future.result() for master, future in asked.items()}

    def _held(self, plans: t.Sequence[plan.Plan]) -> dict[TableName, str]:
        """Sequences in use by transactions that are older than the lock timeout, and by whom."""
        jobs: dict[str, list[_locks.Job]] = {}
        for change in (change for one in plans for change in one.changes):
            job = _locks.Job(change.sequence.name, change.sequence.oid, ())
            jobs.setdefault(change.master, []).append(job)
        held: dict[TableName, str] = {}
        for master, found in self._each(
            jobs,
            lambda m, session: _locks.holders(session, jobs[m], _locks.SHARE_ROW_EXCLUSIVE),
        ).items():
            for holders in found.values():
                if holders[0].age * 1000 > self._policy.lock_timeout:
                    held[holders[0].table] = f"{holders[0]} on {master}"
        return held

    def _change(self, batch: t.Sequence[plan.Plan]) -> bool:
        """Change a few sequences; False when one of them was in use, with nothing changed."""
        changes: dict[str, list[plan.Change]] = {}
        for change in (change for one in batch for change in one.changes):
            changes.setdefault(change.master, []).append(change)
        try:
            locked = self._each(changes, lambda m, session: self._lock(session, changes[m]))
            used = {one.name: one.used for one in batch}
            for master, rows in locked.items():
                for change, (last_value, is_called) in zip(changes[master], rows):
                    sequence = dataclasses.replace(
                        change.sequence, last_value=last_value, is_called=is_called
                    )
                    name = sequence.name
                    used[name] = max(used[name], sequence.used)
            starts = {
                master: [change.first_above(used[change.sequence.name]) for change in mine]
                for master, mine in changes.items()
            }
            self._each(changes, lambda m, s: self._place(s, changes[m], starts[m]))
            self._each(changes, lambda _m, session: session.execute("COMMIT"))
        except BaseException as error:
            for master in changes:
                with contextlib.suppress(MultimasterError):
                    self._sessions[master].execute("ROLLBACK")
            if isinstance(error, StatementFailed) and error.sqlstate in (
                _pg.LOCK_NOT_AVAILABLE,
                _pg.DEADLOCK_DETECTED,
            ):
                return False
            raise
        for master, mine in changes.items():
            for change, start in zip(mine, starts[master]):
                self.started[change.sequence.name, master] = start
        return True

    def _lock(
        self, session: _pg.Session, changes: t.Sequence[plan.Change]
    ) -> list[tuple[int, bool]]:
        """Change the step, which locks, and read the last values: one round trip."""
        sql = _pg.sql
        names = [change.sequence.name for change in changes]
        statements = [
            sql.SQL("BEGIN"),
            sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(self._policy.lock_timeout)),
        ]
        statements += [
            sql.SQL("ALTER SEQUENCE {} INCREMENT BY {}").format(
                sql.Identifier(change.sequence.name.schema, change.sequence.name.name),
                sql.Literal(change.step),
            )
            for change in changes
        ]
        rows = session.rows(sql.SQL("; ").join([*statements, _select_values(names)]))
        rows.sort(key=lambda row: row["i"])
        return [(row["last_value"], row["is_called"]) for row in rows]

    @staticmethod
    def _place(
        session: _pg.Session, changes: t.Sequence[plan.Change], starts: t.Sequence[int]
    ) -> None:
        """Set the first values and write the ledger: one round trip."""
        sql = _pg.sql
        statements: list[Composable] = []
        for change, start in zip(changes, starts):
            oid = sql.Literal(change.sequence.oid)
            statements.append(
                sql.SQL("SELECT pg_catalog.setval({}::oid::regclass, {}, false)").format(
                    oid, sql.Literal(start)
                )
            )
            if change.share is None:
                statements.append(
                    sql.SQL("DELETE FROM multimaster.sequence WHERE sequence = {}::oid").format(oid)
                )
                continue
            share = change.share
            statements.append(
                sql.SQL(
                    "INSERT INTO multimaster.sequence (sequence, original, slots, slot)"
                    " VALUES ({}::oid, {}, {}, {}) ON CONFLICT (sequence) DO UPDATE"
                    " SET original = excluded.original, slots = excluded.slots,"
                    " slot = excluded.slot"
                ).format(
                    oid,
                    sql.Literal(share.original),
                    sql.Literal(share.slots),
                    sql.Literal(share.slot),
                )
            )
        session.execute(sql.SQL("; ").join(statements))


def drop_empty_ledger(session: _pg.Session) -> None:
    """Remove the ledger when it holds no sequence any more, and its schema when that is empty."""
    session.execute(_DROP_EMPTY)


def open_all(conninfos: t.Sequence[ConnInfo]) -> dict[str, _pg.Session]:
    """A session per master, opened at the same time; all closed again when one fails."""
    with concurrent.futures.ThreadPoolExecutor(len(conninfos)) as pool:
        opened = [pool.submit(_pg.Session, conninfo) for conninfo in conninfos]
    failures = [future.exception() for future in opened if future.exception()]
    sessions = {f.result().conninfo.name: f.result() for f in opened if not f.exception()}
    if failures:
        for session in sessions.values():
            session.close()
        raise t.cast(BaseException, failures[0])
    return sessions

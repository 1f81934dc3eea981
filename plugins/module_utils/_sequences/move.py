# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Changes the sequences of masters, on all masters at the same moment."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import time
import typing as t

from .._common.errors import DeadlineExceeded, MultimasterError, StatementFailed
from .._common.names import TableName
from .._ledger import own_objects
from .._postgres import locks, pg
from .._postgres.conninfo import ConnInfo
from . import plan
from .read import select_values

if t.TYPE_CHECKING:
    from psycopg2.sql import Composable

    Answer = t.TypeVar("Answer")

# Sequences that are locked together, as long as nobody is in the way.
_BATCH = 20
# Seconds between attempts on sequences that are in use.
_PAUSE = 0.25
# Seconds. A sequence that an old transaction holds is queued for (no longer than lock_timeout)
# only this often, since everybody else queues behind.
_FORCE_EVERY = 5.0

# regclass follows a sequence that is renamed.
_CREATE = """
CREATE SCHEMA IF NOT EXISTS multimaster;
CREATE TABLE IF NOT EXISTS multimaster.sequence (
  sequence pg_catalog.regclass PRIMARY KEY,
  original pg_catalog.int8 NOT NULL,
  slots pg_catalog.int4 NOT NULL,
  slot pg_catalog.int4 NOT NULL
);
ALTER TABLE multimaster.sequence
  ADD COLUMN IF NOT EXISTS start pg_catalog.int8,
  ADD COLUMN IF NOT EXISTS first pg_catalog.int8,
  ADD COLUMN IF NOT EXISTS syncs pg_catalog.text[] NOT NULL DEFAULT '{}';
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
class Policy:
    """How gently sequences are locked.

    :param lock_timeout: longest wait for a sequence's lock, milliseconds; whoever calls nextval()
        meanwhile waits too.
    :param timeout: give up after this many seconds altogether.
    """

    lock_timeout: int = 100
    timeout: float = 120


def change(
    sessions: t.Mapping[str, pg.Session], plans: t.Sequence[plan.Plan], policy: Policy
) -> dict[tuple[TableName, str], int]:
    """Carry out plans, see C(_Changer.run); the first value by sequence and master."""
    changer = _Changer(sessions, policy)
    try:
        changer.run(plans)
    finally:
        changer.close()
    for master, session in sessions.items():
        _write_notes(session, [n for one in plans for n in one.notes if n.master == master])
        _follow(session, [f for one in plans for f in one.follows if f.master == master], policy)
    return changer.started


def _create_ledger(session: pg.Session) -> None:
    own_objects.require_ours(session)
    session.execute(_CREATE)
    # Somebody may have been quicker just now.
    own_objects.require_ours(session)


def _write_notes(session: pg.Session, notes: t.Sequence[plan.Note]) -> None:
    if any(note.share for note in notes):
        _create_ledger(session)
    if notes:
        statements = [_entry(note.sequence.oid, note.share) for note in notes]
        session.execute(pg.sql.SQL("; ").join(statements))


def _follow(session: pg.Session, follows: t.Sequence[plan.Follow], policy: Policy) -> None:
    """Set positions, but not of a sequence that has been used since it was read."""
    sql = pg.sql
    statements: list[Composable] = [
        sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{policy.timeout:.0f}s"))
    ]
    statements += [
        sql.SQL(
            "SELECT pg_catalog.setval({}::oid::regclass, {}, {}) FROM {}"
            " WHERE NOT is_called AND last_value = {}"
        ).format(
            sql.Literal(one.sequence.oid),
            sql.Literal(one.last_value),
            sql.Literal(one.is_called),
            sql.Identifier(one.sequence.name.schema, one.sequence.name.name),
            sql.Literal(one.sequence.last_value),
        )
        for one in follows
    ]
    if follows:
        with session.transaction():
            session.execute(sql.SQL("; ").join(statements))


def _entry(oid: int, share: plan.Share | None) -> Composable:
    """The statement that brings the ledger's entry of a sequence up to date."""
    sql = pg.sql
    if share is None:
        return sql.SQL("DELETE FROM multimaster.sequence WHERE sequence = {}::oid").format(
            sql.Literal(oid)
        )
    values = {
        "original": share.original,
        "slots": share.slots,
        "slot": share.slot,
        "start": share.start,
        "first": share.first,
        "syncs": sorted(share.syncs),
    }
    return sql.SQL(
        "INSERT INTO multimaster.sequence (sequence, {names}) VALUES ({oid}::oid, {values})"
        " ON CONFLICT (sequence) DO UPDATE SET ({names}) = ROW({new})"
    ).format(
        names=sql.SQL(", ").join(map(sql.Identifier, values)),
        oid=sql.Literal(oid),
        values=sql.SQL(", ").join(map(sql.Literal, values.values())),
        new=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in values),
    )


class _Changer:
    """Changes sequences on several masters, each on all of them at the same moment.

    A sequence is locked on every master whose part changes, then read, then moved above the
    highest value that any master has handed out, then released. Nobody can get a number of the
    old kind in between, so no number comes twice.
    """

    def __init__(self, sessions: t.Mapping[str, pg.Session], policy: Policy) -> None:
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
                _create_ledger(self._sessions[master])
        forced = time.monotonic()
        while waiting:
            held = self._held(waiting[:size])
            if held:
                # Then look for others that are free.
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
        self, masters: t.Iterable[str], ask: t.Callable[[str, pg.Session], Answer]
    ) -> dict[str, Answer]:
        """Ask several masters at the same time; the first failure is raised when all are done."""
        asked = {m: self._pool.submit(ask, m, self._sessions[m]) for m in masters}
        concurrent.futures.wait(asked.values())
        return {master: future.result() for master, future in asked.items()}

    def _held(self, plans: t.Sequence[plan.Plan]) -> dict[TableName, str]:
        """Sequences in use by transactions that are older than the lock timeout, and by whom."""
        jobs: dict[str, list[locks.Job]] = {}
        for change in (change for one in plans for change in one.changes):
            job = locks.Job(change.sequence.name, change.sequence.oid, ())
            jobs.setdefault(change.master, []).append(job)
        held: dict[TableName, str] = {}
        for master, found in self._each(
            jobs,
            lambda m, session: locks.holders(session, jobs[m], locks.SHARE_ROW_EXCLUSIVE),
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
                    used[name] = max(used[name], sequence.handed_out)
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
                pg.LOCK_NOT_AVAILABLE,
                pg.DEADLOCK_DETECTED,
            ):
                return False
            raise
        for master, mine in changes.items():
            for change, start in zip(mine, starts[master]):
                self.started[change.sequence.name, master] = start
        return True

    def _lock(
        self, session: pg.Session, changes: t.Sequence[plan.Change]
    ) -> list[tuple[int, bool]]:
        """Change the step, which locks, and read the last values: one round trip."""
        sql = pg.sql
        names = [change.sequence.name for change in changes]
        statements = [
            sql.SQL("BEGIN"),
            sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(self._policy.lock_timeout)),
        ]
        statements += [
            sql.SQL("ALTER SEQUENCE {} INCREMENT BY {} START WITH {}").format(
                sql.Identifier(change.sequence.name.schema, change.sequence.name.name),
                sql.Literal(change.step),
                sql.Literal(change.start),
            )
            for change in changes
        ]
        rows = session.rows(sql.SQL("; ").join([*statements, select_values(names)]))
        rows.sort(key=lambda row: row["i"])
        return [(row["last_value"], row["is_called"]) for row in rows]

    @staticmethod
    def _place(
        session: pg.Session, changes: t.Sequence[plan.Change], starts: t.Sequence[int]
    ) -> None:
        """Set the first values and write the ledger: one round trip."""
        sql = pg.sql
        statements: list[Composable] = []
        for change, start in zip(changes, starts):
            statements.append(
                sql.SQL("SELECT pg_catalog.setval({}::oid::regclass, {}, false)").format(
                    sql.Literal(change.sequence.oid), sql.Literal(start)
                )
            )
            statements.append(_entry(change.sequence.oid, change.placed(start)))
        session.execute(sql.SQL("; ").join(statements))


def drop_empty_ledger(session: pg.Session) -> None:
    """Remove the ledger when it holds no sequence any more, and its schema when that is empty."""
    session.execute(_DROP_EMPTY)


def open_all(conninfos: t.Sequence[ConnInfo]) -> dict[str, pg.Session]:
    """A session per master, opened at the same time; all closed again when one fails."""
    with concurrent.futures.ThreadPoolExecutor(len(conninfos)) as pool:
        opened = [pool.submit(pg.Session, conninfo) for conninfo in conninfos]
    failures = [future.exception() for future in opened if future.exception()]
    sessions = {f.result().conninfo.name: f.result() for f in opened if not f.exception()}
    if failures:
        for session in sessions.values():
            session.close()
        raise t.cast(BaseException, failures[0])
    return sessions

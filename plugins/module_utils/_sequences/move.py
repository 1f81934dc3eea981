# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves the sequences of masters, on all masters at the same moment."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from .._common.errors import DeadlineExceeded, MultimasterError, StatementFailed
from .._common.names import TableName
from .._common.text import listed
from .._ledger import own_objects
from .._postgres import locks, pg, sql
from .._postgres.parallel import each
from . import statements
from .plan import Follow, Move, Note, SequencePlan

# Sequences that are locked together, as long as nobody is in the way.
_BATCH = 20
# Seconds between attempts on sequences that are in use.
_PAUSE = 0.25
# Seconds. A sequence that an old transaction holds is queued for (no longer than lock_timeout)
# only this often, since everybody else queues behind.
_FORCE_EVERY = 5.0

Sessions = t.Mapping[str, pg.Session]


@dataclasses.dataclass(frozen=True)
class MovePolicy:
    """How gently sequences are locked.

    :param lock_timeout: longest wait for a sequence's lock, milliseconds; whoever calls nextval()
        meanwhile waits too.
    :param timeout: give up after this many seconds altogether.
    """

    lock_timeout: int = 100
    timeout: float = 120


def carry_out(
    sessions: Sessions, plans: t.Sequence[SequencePlan], policy: MovePolicy
) -> dict[tuple[TableName, str], int]:
    """Carry out plans, see `_Mover.run`; the first value by sequence and master."""
    mover = _Mover(sessions, policy)
    mover.run(plans)
    for master, session in sessions.items():
        _write_notes(session, [n for one in plans for n in one.notes if n.master == master])
        _follow(session, [f for one in plans for f in one.follows if f.master == master], policy)
    return mover.started


def drop_empty_ledger(session: pg.Session) -> None:
    """Remove the ledger when it holds no sequence any more, and its schema when that is empty."""
    session.execute(statements.DROP_EMPTY_LEDGER)


def _create_ledger(session: pg.Session) -> None:
    own_objects.require_ours(session)
    session.execute(statements.CREATE_LEDGER)
    # Somebody may have been quicker just now.
    own_objects.require_ours(session)


def _write_notes(session: pg.Session, notes: t.Sequence[Note]) -> None:
    if any(note.share for note in notes):
        _create_ledger(session)
    if notes:
        session.execute(statements.notes(notes))


def _follow(session: pg.Session, follows: t.Sequence[Follow], policy: MovePolicy) -> None:
    if not follows:
        return
    with session.transaction():
        session.execute(
            sql.together(
                [
                    sql.SQL("SET LOCAL lock_timeout = {}").format(
                        sql.Literal(f"{policy.timeout:.0f}s")
                    ),
                    *map(statements.follow, follows),
                ]
            )
        )


class _Mover:
    """Moves sequences on several masters, each on all of them at the same moment.

    A sequence is locked on every master whose part changes, then read, then moved above the
    highest value that any master has handed out, then released. Nobody can get a number of the
    old kind in between, so no number comes twice.
    """

    def __init__(self, sessions: Sessions, policy: MovePolicy) -> None:
        self._sessions = sessions
        self._policy = policy
        self.started: dict[tuple[TableName, str], int] = {}

    def run(self, plans: t.Sequence[SequencePlan]) -> None:
        """Carry out all plans; those that are free first, those in use as soon as they are free.

        Each sequence is either moved on all its masters or on none, except when a server or
        this process dies between two commits; the next run completes that.

        :raises DeadlineExceeded: naming the sequences that could not be locked, and who holds them.
        """
        deadline = time.monotonic() + self._policy.timeout
        waiting = [one for one in plans if one.moves]
        size = _BATCH
        for master in {move.master for one in waiting for move in one.moves if move.share}:
            _create_ledger(self._sessions[master])
        forced = time.monotonic()
        while waiting:
            held = self._held(waiting[:size])
            if held:
                # Then look for others that are free.
                held = self._held(waiting)
            batch = [one for one in waiting if one.name not in held][:size]
            if not batch and time.monotonic() - forced > _FORCE_EVERY:
                # Otherwise a sequence that is always in use would never be moved.
                batch, forced = waiting[:1], time.monotonic()
            if batch and self._move(batch):
                done = {one.name for one in batch}
                waiting = [one for one in waiting if one.name not in done]
                continue
            size = max(1, size // 4)
            if time.monotonic() >= deadline:
                raise self._too_late(waiting, held)
            # The one that was in the way goes to the end of the queue.
            waiting = [one for one in waiting if one not in batch] + batch
            time.sleep(_PAUSE)

    def _too_late(
        self, waiting: t.Sequence[SequencePlan], held: t.Mapping[TableName, str]
    ) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"Within {self._policy.timeout:g} s, could not lock "
            + listed((held.get(one.name, str(one.name)) for one in waiting), separator="; "),
            "End the transactions that hold them, then run this again; what is done stays.",
            pending=[str(one.name) for one in waiting],
        )

    def _held(self, plans: t.Sequence[SequencePlan]) -> dict[TableName, str]:
        """Sequences in use by transactions that are older than the lock timeout, and by whom."""
        jobs: dict[str, list[locks.LockJob]] = {}
        for move in (move for one in plans for move in one.moves):
            job = locks.LockJob(move.sequence.name, move.sequence.oid, ())
            jobs.setdefault(move.master, []).append(job)
        held: dict[TableName, str] = {}
        for master, found in each(
            jobs,
            lambda master, moving: locks.holders(
                self._sessions[master], moving, locks.SHARE_ROW_EXCLUSIVE
            ),
        ).items():
            for holders in found.values():
                if holders[0].age * 1000 > self._policy.lock_timeout:
                    held[holders[0].table] = f"{holders[0]} on {master}"
        return held

    def _move(self, batch: t.Sequence[SequencePlan]) -> bool:
        """Move a few sequences; False when one of them was in use, with nothing changed."""
        moves: dict[str, list[Move]] = {}
        for move in (move for one in batch for move in one.moves):
            moves.setdefault(move.master, []).append(move)
        try:
            starts = self._in_transactions(batch, moves)
        except BaseException as error:
            for master in moves:
                with contextlib.suppress(MultimasterError):
                    self._sessions[master].execute("ROLLBACK")
            if isinstance(error, StatementFailed) and error.sqlstate in (
                pg.LOCK_NOT_AVAILABLE,
                pg.DEADLOCK_DETECTED,
            ):
                return False
            raise
        for master, moving in moves.items():
            for move, start in zip(moving, starts[master]):
                self.started[move.sequence.name, master] = start
        return True

    def _in_transactions(
        self, batch: t.Sequence[SequencePlan], moves: t.Mapping[str, t.Sequence[Move]]
    ) -> dict[str, list[int]]:
        """The first values by master, committed everywhere."""
        locked = each(moves, lambda master, moving: self._lock(self._sessions[master], moving))
        used = {one.name: one.used for one in batch}
        for master, rows in locked.items():
            for move, (last_value, is_called) in zip(moves[master], rows):
                sequence = dataclasses.replace(
                    move.sequence, last_value=last_value, is_called=is_called
                )
                used[sequence.name] = max(used[sequence.name], sequence.handed_out)
        starts = {
            master: [move.first_above(used[move.sequence.name]) for move in moving]
            for master, moving in moves.items()
        }
        each(moves, lambda master, moving: _place(self._sessions[master], moving, starts[master]))
        each(moves, lambda master, _mine: self._sessions[master].execute("COMMIT"))
        return starts

    def _lock(self, session: pg.Session, moves: t.Sequence[Move]) -> list[tuple[int, bool]]:
        """Change the step, which locks, and read the last values: one round trip."""
        query = sql.together(
            [
                *statements.begin(self._policy.lock_timeout),
                *map(statements.step, moves),
                statements.values(move.sequence.name for move in moves),
            ]
        )
        rows = sorted(session.rows(query), key=lambda row: row["i"])
        return [(row["last_value"], row["is_called"]) for row in rows]


def _place(session: pg.Session, moves: t.Sequence[Move], starts: t.Sequence[int]) -> None:
    """Set the first values and write the ledger: one round trip."""
    made: list[sql.Composable] = []
    for move, start in zip(moves, starts):
        made.append(statements.place(move.sequence.oid, start))
        made.append(statements.entry(move.sequence.oid, move.placed(start)))
    session.execute(sql.together(made))

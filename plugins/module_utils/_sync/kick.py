# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a sync until what waited at the start has reached every master.

Bucardo's answer "done" may come from a run that began before the kick, and a kick of a sync that
it does not run is answered by nobody. So the queues on the masters decide, not the answer.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._bucardo.catalog import Catalog
from .._common.change import Change, Scope
from .._common.errors import CommandFailed, DeadlineExceeded, Refused
from .._common.names import SyncKey
from .._postgres.conninfo import ConnInfo
from .._tracking.queue import Pending, Queue, as_rows, open_queues

# Seconds between two looks at the queue when no answer comes.
_LOOK_EVERY = 2.0
# Seconds without a run in progress after which the sync is kicked anew.
_KICK_AGAIN = 10.0
# Failed runs in a row after which it is hopeless; serialization failures, which Bucardo retries
# within a run, are not among them.
_MAX_FAILURES = 3

Found = t.Dict[str, t.List[Pending]]
# Told what waited at first, what is left, the number of runs and the seconds so far.
Report = t.Callable[[Found, Found, int, float], None]


@dataclasses.dataclass(frozen=True)
class Wait:
    """How long to wait, and for what.

    :param timeout: seconds.
    :param drained: False to return after the first good run.
    :param fails: whether it is an error when that was not long enough.
    :param report: called with what waited at first, what is left, the number of runs and the
        seconds so far, about every two seconds; may raise to end the wait.
    """

    timeout: float
    drained: bool = True
    fails: bool = True
    report: Report = lambda *_state: None


@dataclasses.dataclass
class Drained:
    """What was waited for. Times in seconds.

    :param unfinished: the time was over before.
    """

    before: Found
    after: Found = dataclasses.field(default_factory=dict)
    runs: int = 0
    seconds: float = 0.0
    unfinished: bool = False


def read(queues: t.Iterable[Queue]) -> Found:
    """Everything that waits now, by master."""
    return {queue.master: queue.pending() for queue in queues}


def refuse_unless_it_runs(control: Catalog, name: str) -> None:
    """:raises Refused: when a sync is not there, held, or nobody is there to run it."""
    sync = control.sync(name)
    if sync is None:
        known = ", ".join(control.syncs()) or "none"
        raise Refused(f"There is no sync {name!r}", f"Known syncs: {known}.")
    if sync.status == "inactive":
        raise Refused(
            f"Sync {name} is held, so its queue only grows",
            "Wait for the bootstrap that is under way, or run it again: it releases the sync when"
            " every master is proven.",
        )
    if control.daemon.pid() is None:
        raise Refused(
            "Bucardo's daemon is not running: no connection of it to the control database",
            "Start it with bucardo_daemon.",
        )
    if not control.daemon.answers():
        raise Refused(
            "Bucardo's daemon is connected to the control database but does not answer",
            "Restart it with bucardo_daemon.",
        )


def until_drained(
    control: Catalog,
    queues: t.Sequence[Queue],
    name: str,
    wait: Wait,
) -> Drained:
    """Kick a sync until nothing of what waits now is left, however much is written meanwhile.

    Decidable under load, since only transactions that began before this call count, by the clock
    of the master where they wait.

    :raises DeadlineExceeded: naming what still waits.
    :raises CommandFailed: when runs fail one after another, with Bucardo's own words.
    """
    refuse_unless_it_runs(control, name)
    begun = time.monotonic()
    started = control.clock()
    marks = {queue.master: queue.clock() for queue in queues}
    left = {queue.master: queue.pending(marks[queue.master]) for queue in queues}
    outcome = Drained(before=left)
    daemon = control.daemon
    done, killed, refused = f"syncdone_{name}", f"synckill_{name}", f"syncerror_{name}"
    failures, kicked_at = 0, 0.0
    daemon.listen([done, killed, refused])
    while any(left.values()) or not (wait.drained or outcome.runs):
        now = time.monotonic()
        if now - begun >= wait.timeout:
            if wait.fails:
                raise _too_late(control, name, left, wait.timeout, started)
            outcome.unfinished = True
            break
        if now - kicked_at >= _KICK_AGAIN and not control.is_running(name):
            daemon.send(f"kick_sync_{name}")
            kicked_at = now
        answer = daemon.wait(min(_LOOK_EVERY, max(0.1, wait.timeout - (now - begun))))
        if answer == refused:
            raise _not_run(name, left)
        if answer == killed:
            failures += 1
            kicked_at = 0.0
            # A worker that died is replaced only after a pause.
            time.sleep(min(1.0, max(0.0, wait.timeout - (time.monotonic() - begun))))
            if failures >= _MAX_FAILURES:
                raise _hopeless(control, name, left, failures, started)
        if answer == done:
            failures, kicked_at = 0, 0.0
            outcome.runs += 1
        left = {queue.master: _left(queue, marks[queue.master], left) for queue in queues}
        wait.report(outcome.before, left, outcome.runs, time.monotonic() - begun)
    # A transaction that began before the call may have ended after the first look.
    outcome.after = read(queues)
    outcome.seconds = time.monotonic() - begun
    return outcome


def _left(queue: Queue, mark: str, before: Found) -> list[Pending]:
    """What of that still waits on one master."""
    waited = [one.table for one in before[queue.master]]
    return queue.pending(mark, waited) if waited else []


def _not_run(name: str, left: Found) -> CommandFailed:
    return CommandFailed(
        f"Bucardo's daemon does not run sync {name}: it is paused, as after a conflict"
        " that the strategy cannot decide, or the daemon has not read that it is active",
        "See its log, correct the cause and reload the daemon (bucardo_daemon).",
        pending=_flat(left),
    )


def _hopeless(
    control: Catalog, name: str, left: Found, failures: int, started: str
) -> CommandFailed:
    return CommandFailed(
        f"Sync {name} failed {failures} times in a row:"
        f" {control.last_error(name, started) or 'see the log of the daemon'}",
        "Correct the cause; the changes stay queued meanwhile.",
        pending=_flat(left),
    )


def _too_late(
    control: Catalog, name: str, left: Found, timeout: float, started: str
) -> DeadlineExceeded:
    parts = []
    for master, pending in left.items():
        if pending:
            worst = ", ".join(f"{one.table} {one.changes}" for one in pending[:3])
            more = f" and {len(pending) - 3} more tables" if len(pending) > 3 else ""
            total = sum(one.changes for one in pending)
            parts.append(f"{total} changes on {master} ({worst}{more})")
    error = control.last_error(name, started)
    return DeadlineExceeded(
        f"Sync {name} has not drained its queue within {timeout:g} s: {'; '.join(parts)}"
        + (f"; last error: {error}" if error else ""),
        "Nothing is lost: wait longer (timeout), or see the daemon's log.",
        pending=_flat(left),
    )


def _flat(found: Found) -> list[dict[str, t.Any]]:
    return [
        {"master": master, "table": str(one.table), "changes": one.changes}
        for master, pending in found.items()
        for one in pending
    ]


def plan(
    control: Catalog,
    scope: Scope,
    logins: t.Mapping[str, ConnInfo],
    name: str,
    wait: Wait,
) -> Change:
    """What waits now, and the wait until it has reached every master.

    :param logins: connection options of masters by name; others log in as Bucardo does.
    """
    ready = True
    try:
        refuse_unless_it_runs(control, name)
    except Refused as error:
        scope.lacks(error)
        ready = False
    sync = control.sync(name)
    queues = open_queues(scope, control, logins, sync.key if sync else SyncKey(name, ""))
    change = _told(Drained(read(queues)))
    # Where nothing waits and one run is asked for, or nobody could run it yet, it will be kicked.
    change.changed = change.changed or not (wait.drained and ready)

    def work(change: Change) -> None:
        outcome = until_drained(control, queues, name, wait)
        told = _told(outcome)
        change.changed, change.before, change.after = told.changed, told.before, told.after
        change.values = told.values
        change.commands = [f"NOTIFY bucardo_kick_sync_{name}"] if told.changed else []

    change.work = work
    # What waits is looked at anew.
    change.always = True
    change.commands = [f"NOTIFY bucardo_kick_sync_{name}"] if change.changed else []
    return change


def _told(outcome: Drained) -> Change:
    return Change(
        changed=any(outcome.before.values()) or bool(outcome.runs),
        before={"waiting": _total(outcome.before)},
        after={
            "waiting": _total(outcome.after)
            if outcome.unfinished
            else dict.fromkeys(outcome.before, 0)
        },
        values={
            "before": _rows(outcome.before),
            "after": _rows(outcome.after),
            "runs": outcome.runs,
            "seconds": round(outcome.seconds, 2),
            "unfinished": outcome.unfinished,
        },
    )


def progress(before: Found, left: Found, runs: int, seconds: float) -> dict[str, t.Any]:
    """How far a wait is, for the live display."""
    pending = [one for found in left.values() for one in found]
    return {
        "waited": sum(_total(before).values()),
        "left": {master: count for master, count in _total(left).items() if count},
        "tables": [str(one.table) for one in pending],
        "oldest": max((one.oldest for one in pending), default=0),
        "runs": runs,
        "elapsed": seconds,
    }


def _total(found: Found) -> dict[str, int]:
    return {master: sum(one.changes for one in pending) for master, pending in found.items()}


def _rows(found: Found) -> list[dict[str, t.Any]]:
    return [row for master, pending in found.items() for row in as_rows(master, pending)]

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What waits, what grows, and what was taken for done (pure)."""

from __future__ import annotations

import typing as t

from .._common.text import age, listed, size
from .facts import WORKER, Facts, MasterFacts, SyncFacts, pairs
from .problem import BOOTSTRAP, WARNING, Alarm, said

# Seconds. A living purge takes changes away within 90; one over many rows takes longer.
PURGE_LATE = 900.0
# A process that ended at an error is replaced within that time.
PURGE_MISSING = 120.0
# Looks in a row that saw the backlog grow before it counts as growing.
_GROWING = 5


def backlog_old(facts: Facts) -> t.Iterator[Alarm]:
    """The one measure of whether changes arrive: how long the oldest has been waiting."""
    for sync, master in pairs(facts):
        if master.oldest >= sync.limits.age and sync.active:
            yield Alarm(
                "backlog_old",
                f"{master.name}: {master.changes} changes of {sync.name} wait, the oldest for"
                f" {age(master.oldest)} ({_fullest(master)})",
                f"See what holds the worker up: {_occupation(facts, sync)}.",
                sync=sync.name,
                master=master.name,
                age=master.oldest,
            )


def backlog_large(facts: Facts) -> t.Iterator[Alarm]:
    """More changes wait than somebody has said may."""
    for sync, master in pairs(facts):
        if master.changes >= sync.limits.rows and sync.active:
            yield Alarm(
                "backlog_large",
                f"{master.name}: {master.changes} changes of {sync.name} wait, more than"
                f" {sync.limits.rows} ({_fullest(master)})",
                "They go over in one run, which takes long; let no bulk change follow before.",
                severity=WARNING,
                sync=sync.name,
                master=master.name,
                age=master.oldest,
            )


def backlog_grows(facts: Facts) -> t.Iterator[Alarm]:
    """Changes come in faster than they go over: in each of several looks more and older."""
    for sync, master in pairs(facts):
        seen = list(facts.history.get((sync.name, master.name), ()))[-_GROWING:]
        counts = [*(one.changes for one in seen), master.changes]
        ages = [*(one.oldest for one in seen), master.oldest]
        rising = all(
            after > before for series in (counts, ages) for before, after in zip(series, series[1:])
        )
        if len(seen) == _GROWING and rising and sync.active:
            took = seen[0].age
            rate = (counts[-1] - counts[0]) / max(took, 1.0)
            yield Alarm(
                "backlog_grows",
                f"{master.name}: changes of {sync.name} come faster than they are replicated,"
                f" {rate:.1f} more wait each second for {age(took)} now",
                "Slow the bulk change down, or find what slows the worker (the network, a table"
                " without statistics, another master).",
                severity=WARNING,
                sync=sync.name,
                master=master.name,
                age=took,
            )


def disk_fills(facts: Facts) -> t.Iterator[Alarm]:
    """What Bucardo keeps of changes takes more of a master's disk than somebody has said may."""
    seen = set()
    for sync, master in pairs(facts):
        if master.bytes >= sync.limits.bytes and master.name not in seen:
            seen.add(master.name)
            yield Alarm(
                "disk_fills",
                f"{master.name}: Bucardo's tables of changes take {size(master.bytes)}, more than"
                f" {size(sync.limits.bytes)}",
                "See why changes wait or are not purged; VACUUM gives the space back to the"
                " tables, and a master that is gone for good must leave the group.",
                severity=WARNING,
                sync=sync.name,
                master=master.name,
            )


def purge_dead(facts: Facts) -> t.Iterator[Alarm]:
    """What was replicated stays in the tables, and each run reads through all of it."""
    for sync, master in pairs(facts):
        purge = master.purge
        if purge is None or not (facts.running and facts.purges and sync.active):
            continue
        what = f"{master.name}: {purge.rows} replicated changes of {sync.name} are not purged"
        if not purge.alive and purge.oldest > PURGE_MISSING:
            yield Alarm(
                "purge_dead",
                f"{what}, and more are coming: no purging process is connected to it",
                f"{BOOTSTRAP}, which restarts the daemon.",
                sync=sync.name,
                master=master.name,
                age=purge.oldest,
            )
        elif purge.alive and purge.oldest > PURGE_LATE:
            yield Alarm(
                "purge_dead",
                f"{what}, the oldest for {age(purge.oldest)}",
                "See the log of Bucardo's process VAC.",
                sync=sync.name,
                master=master.name,
                age=purge.oldest,
            )


def track_doubled(facts: Facts) -> t.Iterator[Alarm]:
    """Bucardo counts track rows: twice the same is never purged, or with two syncs too early."""
    for sync, master in pairs(facts):
        if master.doubled:
            yield Alarm(
                "track_doubled",
                f"{master.name}: {sum(master.doubled.values())} transaction times of"
                f" {listed(master.doubled)} are marked as replicated twice, so that Bucardo never"
                " purges their changes, or purges them before another sync has them",
                "See docs/silent-failures.md, track_doubled.",
                severity=WARNING,
                sync=sync.name,
                master=master.name,
            )


def truncate_lost(facts: Facts) -> t.Iterator[Alarm]:
    """Bucardo took a TRUNCATE for done that PostgreSQL had refused."""
    for sync, master in pairs(facts):
        for one in master.lost:
            yield Alarm(
                "truncate_lost",
                f"{master.name}: TRUNCATE of {one.table} ({one.count} times, last"
                f" {one.last.partition('.')[0]}) was not replicated, since a foreign key refers to"
                " it, and Bucardo has taken it for done",
                "Set replication_truncate to delete and run the playbook bootstrap: its comparison"
                " names the rows that differ.",
                sync=sync.name,
                master=master.name,
                table=str(one.table),
            )


def _fullest(master: MasterFacts) -> str:
    tables = sorted(master.waiting, key=lambda one: -one.changes)
    return listed((f"{one.table} {one.changes}" for one in tables[:3]), 3)


def _occupation(facts: Facts, sync: SyncFacts) -> str:
    """What the worker of a sync does, for people."""
    if not facts.running:
        return "the daemon does not run"
    workers = [one for one in facts.processes if one.kind == WORKER and one.sync == sync.name]
    if sync.failure:
        return f"its last run failed: {said(sync.failure.text)}"
    if not workers:
        return "no worker is there"
    if sync.under_way:
        return f"its run began {age(sync.under_way)} ago"
    return "its worker is idle and was not woken, see the kick trigger and checktime"

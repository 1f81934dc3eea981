# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Daemon, controller and worker: whether those that must replicate do (pure)."""

from __future__ import annotations

import typing as t

from .._bucardo.objects import CORRECTIONS
from .._common.text import age, listed
from .facts import CONTROLLER, MAIN, WORKER, Facts, Failure, SyncFacts, pairs
from .problem import BOOTSTRAP, Alarm, said

# Seconds in which a server notices that those of an earlier daemon have gone.
_GONE_WITHIN = 10.0
# Seconds during which a process does nothing on any server before it counts as stuck.
_STUCK = 120.0
# Seconds that a daemon takes at most until it has a controller for each sync, with few tables.
_BEGINS = 15.0


def daemon_down(facts: Facts) -> t.Iterator[Alarm]:
    """No main process is connected to the control database."""
    active = [sync.name for sync in facts.syncs if sync.active]
    if active and not facts.running:
        yield Alarm(
            "daemon_down",
            f"Bucardo's daemon does not run, so {', '.join(active)} replicates nothing and changes"
            f" queue, the oldest for {age(_oldest(facts))}",
            f"{BOOTSTRAP}, which starts it.",
            age=_oldest(facts),
        )


def daemon_stuck(facts: Facts) -> t.Iterator[Alarm]:
    """The main process is there, answers nobody, and does nothing on any server.

    One that reads many tables anew answers late, and has a statement under way.
    """
    active = [sync for sync in facts.syncs if sync.active]
    if not active or not facts.running or facts.answers:
        return
    places = [facts.processes, *(master.processes for sync in active for master in sync.read)]
    mine = [one for processes in places for one in processes if one.kind == MAIN]
    still = min((one.still for one in mine if one.state.startswith("idle")), default=0.0)
    busy = any(not one.state.startswith("idle") for one in mine)
    if not busy and still >= min(_STUCK, *(sync.limits.age for sync in active)):
        yield Alarm(
            "daemon_stuck",
            f"Bucardo's daemon does not answer and has done nothing for {age(still)}; the oldest"
            f" change waits for {age(_oldest(facts))}",
            "See its log, and restart it (bucardo_daemon with state restarted).",
            age=still,
        )


def poll_missing(facts: Facts) -> t.Iterator[Alarm]:
    """Writes advance a sequence, and nobody looks at it."""
    for sync in facts.syncs:
        masters = [one.name for one in sync.read if one.polled]
        if sync.active and masters and not facts.polling:
            yield Alarm(
                "poll_missing",
                f"Nobody looks whether rows of {sync.name} were written: they wait for its"
                " checktime, a minute where nothing else was said",
                "Start bucardo-poll.service on Bucardo's host, or where there is no systemd,"
                " /usr/local/sbin/bucardo-watchdog start-poll; bootstrap does it as well.",
                sync=sync.name,
            )


def daemon_doubled(facts: Facts) -> t.Iterator[Alarm]:
    """Started a second time, as where its PID file was gone: they end each other's workers.

    One that has died with its children alive does nothing any more, and one that has just been
    started in its place is young.
    """
    mains = sorted(
        {one.pid for one in facts.processes if one.kind == MAIN and one.still < _STUCK <= one.age}
    )
    if len(mains) > 1:
        yield Alarm(
            "daemon_doubled",
            f"{len(mains)} daemons serve this control database (PIDs"
            f" {', '.join(map(str, mains))}), and end each other's runs",
            "Restart it (bucardo_daemon with state restarted), which stops them all first.",
        )


def not_corrected(facts: Facts) -> t.Iterator[Alarm]:
    """The daemon runs as Bucardo 5.6 has it, or as an earlier release of this corrected it."""
    for sync in facts.syncs:
        if sync.active and not sync.corrected and len(sync.members) > 1:
            yield Alarm(
                "not_corrected",
                f"Custom code {CORRECTIONS} is missing, inactive or an older one's for {sync.name}:"
                " a run that ends between the commits of two masters loses changes",
                f"{BOOTSTRAP}, which attaches it.",
                sync=sync.name,
            )


def other_daemon(facts: Facts) -> t.Iterator[Alarm]:
    """The daemon of another control database works on a sync of the same name.

    Sessions of a daemon that died with its host may stay for hours; they do nothing any more.
    """
    ours = facts.before | {one.pid for one in facts.processes}
    started = min((one.age for one in facts.processes if one.kind == MAIN), default=0.0)
    for sync, master in pairs(facts):
        clients = sorted(
            {
                one.client
                for one in master.processes
                if one.kind == WORKER and one.sync == sync.name and one.pid not in ours
                if one.still < started - _GONE_WITHIN
            }
        )
        if clients:
            yield Alarm(
                "other_daemon",
                f"A second daemon, at {', '.join(clients)}, replicates {sync.name} on"
                f" {master.name}: each marks changes as done that the other has not brought over",
                "Stop the one that is not meant to be (bucardo stop there, and keep it from"
                " starting with its host), then compare with the playbook verify.",
                sync=sync.name,
                master=master.name,
            )


def sync_stalled(facts: Facts) -> t.Iterator[Alarm]:
    """The daemon has given a sync or a master of it up, and resumes at a reload only."""
    for sync in facts.syncs:
        stalled = [name for name in sync.members if name in facts.stalled]
        if sync.status == "stalled" or (sync.active and stalled):
            why = f", since it lost {', '.join(stalled)}" if stalled else ""
            yield Alarm(
                "sync_stalled",
                f"Bucardo has stalled {sync.name}{why}; the oldest change waits for"
                f" {age(sync.oldest)}",
                "Once the masters are reachable, reload the daemon (bucardo_daemon with state"
                " reloaded) and kick the sync.",
                sync=sync.name,
                age=sync.oldest,
            )


def controller_missing(facts: Facts) -> t.Iterator[Alarm]:
    """The daemon runs and has left a sync out, or somebody has paused it.

    A session of a controller does not name its sync, but is connected to all masters of it.
    """
    if not (facts.running and facts.answers) or _just_started(facts):
        return
    active = [sync for sync in facts.syncs if sync.active]
    for sync in active:
        working = any(one.kind == WORKER and one.sync == sync.name for one in facts.processes)
        alike = [one for one in active if set(sync.members) <= set(one.members)]
        if sync.status != "active" or working or len(_controllers(facts, sync)) >= len(alike):
            continue
        yield Alarm(
            "controller_missing",
            f"Bucardo runs, but no controller of {sync.name}: it was paused, or left out when"
            f" the daemon read it; the oldest change waits for {age(sync.oldest)}",
            "Reload the daemon (bucardo_daemon with state reloaded), kick the sync, and see"
            " Bucardo's log where it stays so.",
            sync=sync.name,
            age=sync.oldest,
        )


def worker_missing(facts: Facts) -> t.Iterator[Alarm]:
    """There is a controller, and no worker, although changes have been waiting for one.

    One that fails begins again by itself; that is another alarm.
    """
    for sync in facts.syncs:
        patience = min(sync.limits.age, _STUCK)
        working = any(one.kind == WORKER and one.sync == sync.name for one in facts.processes)
        if sync.status != "active" or working or sync.failure or sync.oldest < patience:
            continue
        if not (facts.running and facts.answers) or not _controllers(facts, sync):
            continue
        yield Alarm(
            "worker_missing",
            f"The controller of {sync.name} has no worker, and the oldest change waits for"
            f" {age(sync.oldest)}",
            "Reload the daemon (bucardo_daemon with state reloaded), or restart it where that does"
            " not help, and see its log.",
            sync=sync.name,
            age=sync.oldest,
        )


def held(facts: Facts) -> t.Iterator[Alarm]:
    """A sync was held for a new member, and nobody has released it."""
    for sync in facts.syncs:
        oldest = sync.oldest
        if sync.status == "held" and not sync.seeding and oldest >= sync.limits.age:
            yield Alarm(
                "held",
                f"{sync.name} is held and no seed runs; changes wait, the oldest for {age(oldest)}",
                f"{BOOTSTRAP}: it ends with the release.",
                sync=sync.name,
                age=oldest,
            )


def worker_fails(facts: Facts) -> t.Iterator[Alarm]:
    """Every run since the last good one failed; nothing of all tables of the sync comes over."""
    for sync in facts.syncs:
        failure = sync.failure
        if failure is None or not sync.active or not any(one.changes for one in sync.masters):
            continue
        yield Alarm(
            "worker_fails",
            f"Every run of {sync.name} has failed since {failure.since} ({failure.count} times),"
            f" and no table of it is replicated: {said(failure.text)}{_collision(failure)}",
            "Decide which row is right, and change the other one where it is so that both may"
            f" stay, or merge them there. To let the other tables go on meanwhile, set"
            f" {failure.table} aside with the module bucardo_aside."
            if failure.rows
            else "See to the cause; Bucardo tries again by itself, at least once a minute.",
            sync=sync.name,
            table=str(failure.table or ""),
            age=failure.age,
        )


def _collision(failure: Failure) -> str:
    places = [f"{', '.join(rows)} on {master}" for master, rows in sorted(failure.rows.items())]
    if not places:
        return ""
    return f". Rows of {failure.table} that cannot be together: {'; '.join(places)}"


def worker_blocked(facts: Facts) -> t.Iterator[Alarm]:
    """A worker waits for a lock that somebody holds on a master."""
    for sync, master in pairs(facts):
        for process in master.processes:
            mine = process.kind == WORKER and process.sync == sync.name
            if mine and process.blockers and process.still >= min(sync.limits.age, _STUCK):
                yield Alarm(
                    "worker_blocked",
                    f"{sync.name} is held up on {master.name} for {age(process.still)} by a lock"
                    f" of {listed(process.blockers)}",
                    "Let that transaction come to its end.",
                    sync=sync.name,
                    master=master.name,
                    age=process.still,
                )


def worker_stuck(facts: Facts) -> t.Iterator[Alarm]:
    """A run has been under way for long, and no session of its worker does anything."""
    for sync in facts.syncs:
        patience = min(sync.limits.age, _STUCK)
        own = [
            one
            for processes in [facts.processes, *(master.processes for master in sync.masters)]
            for one in processes
            if one.kind == WORKER and one.sync == sync.name
        ]
        still = min((one.still for one in own), default=0.0)
        idle = own and all(one.state.startswith("idle") for one in own)
        if sync.active and sync.under_way >= patience and idle and still >= patience:
            yield Alarm(
                "worker_stuck",
                f"A run of {sync.name} began {age(sync.under_way)} ago, and its worker has done"
                f" nothing for {age(still)}",
                "Restart the daemon (bucardo_daemon with state restarted); what the run had done"
                " is undone and done again.",
                sync=sync.name,
                age=still,
            )


def _just_started(facts: Facts) -> bool:
    """Whether the daemon is so new that it may not have begun with its syncs."""
    return any(one.kind == MAIN and one.age < _BEGINS for one in facts.processes)


def _oldest(facts: Facts) -> float:
    return max((sync.oldest for sync in facts.syncs), default=0.0)


def _controllers(facts: Facts, sync: SyncFacts) -> set[int]:
    """Those that are connected to all of its masters that can be read."""
    places = [facts.processes, *(master.processes for master in sync.read)]
    return set.intersection(
        *({one.pid for one in some_ if one.kind == CONTROLLER} for some_ in places)
    )

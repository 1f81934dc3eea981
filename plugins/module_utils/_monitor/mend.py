# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the watchdog may do about a problem: what is safe, in order, never in a loop (pure).

A reload, a kick and a restart lose nothing: a run that they end is undone and done again. But each
costs time, and a set-up in which one does not help must not be kept from working by the next. So
each problem has a ladder, and each step of all problems together a number per hour.
"""

from __future__ import annotations

import typing as t

from .problem import Alarm

START, RESTART, RELOAD, KICK = "start", "restart", "reload", "kick"
LADDERS: dict[str, tuple[str, ...]] = {
    # Its main process may be there and without a connection, as it waits for one.
    "daemon_down": (START, RESTART),
    "daemon_stuck": (RESTART,),
    "daemon_doubled": (RESTART,),
    "purge_dead": (RESTART,),
    "sync_stalled": (RELOAD, RESTART),
    "controller_missing": (RELOAD, RESTART),
    "worker_missing": (RELOAD, RESTART),
    "worker_stuck": (RELOAD, RESTART),
    "backlog_old": (KICK,),
}
# Times in an hour that a step may be taken, whatever for.
PER_HOUR = {START: 12, RESTART: 2, RELOAD: 12, KICK: 30}
# Seconds that a step is given to help before the next one.
PATIENCE = 120.0
# Seconds after which a problem that is gone is forgotten.
_FORGOTTEN = 600.0
# What is taken at the end of a ladder, again and again: a start disturbs nothing, and what kept the
# daemon from starting, such as a server that was away, may be over. Each of its ends is a new one.
_AGAIN = {"daemon_down": START}
_HOUR = 3600.0

# Times are seconds since the epoch. By problem: since when, last seen, and steps with their times.
State = t.Dict[str, t.Any]


def fresh() -> State:
    """Of a watchdog that has seen nothing yet."""
    return {"problems": {}, "steps": []}


def remember(state: State, problems: t.Iterable[Alarm], now: float) -> State:
    """The state after a look, with what was not seen for long forgotten."""
    known = {key: one for key, one in state["problems"].items() if now - one["seen"] < _FORGOTTEN}
    looked = state.get("looked", now)
    for problem in problems:
        before = known.get(problem.key, {"since": now - problem.age, "steps": [], "seen": now})
        patience = 0.0 if problem.name in _AGAIN else PATIENCE
        if before["seen"] < looked and now - before["seen"] > patience:
            # A look in between has seen that the steps helped.
            before = {**before, "steps": []}
        known[problem.key] = {**before, "seen": now}
    steps = [[when, step] for when, step in state["steps"] if now - when < _HOUR]
    return {**state, "problems": known, "steps": steps, "looked": now}


def sure(state: State, problems: t.Iterable[Alarm], stopped: bool) -> list[Alarm]:
    """Without those that may be a moment of a restart or a reload, as no look before has seen them.

    :param state: before this look.
    :param stopped: somebody has stopped the daemon, perhaps to start it again.
    """
    moments = {"controller_missing", *(["daemon_down"] if stopped else [])}
    looked = state.get("looked")
    lasting = {key for key, one in state["problems"].items() if one["seen"] == looked}
    return [one for one in problems if one.name not in moments or one.key in lasting]


def next_steps(state: State, problems: t.Sequence[Alarm], now: float) -> list[tuple[str, Alarm]]:
    """What to do now: at most one step for the daemon, and kicks.

    Nothing is done about a sync as long as one of its masters is away.
    """
    away = {problem.sync for problem in problems if problem.name == "master_unreachable"}
    # A worker that fails at an error is not helped by being started again.
    failing = {problem.sync for problem in problems if problem.name == "worker_fails"}
    wanted: dict[str, Alarm] = {}
    for problem in problems:
        taken = state["problems"].get(problem.key, {"steps": []})["steps"]
        step = _rung(problem.name, taken)
        if step is None or (problem.sync and problem.sync in away):
            continue
        if problem.name == "backlog_old" and problem.sync in failing:
            continue
        if taken and now - taken[-1][0] < PATIENCE:
            continue
        wanted.setdefault(step, problem)
    # The strongest step does what the weaker ones would.
    order = [step for step in (START, RESTART, RELOAD, KICK) if step in wanted]
    return [(step, wanted[step]) for step in order[:1] if _allowed(state, step, now)]


def taken(state: State, step: str, problems: t.Iterable[Alarm], now: float) -> State:
    """The state after a step, which counts for all problems that it is a step for."""
    known = dict(state["problems"])
    for problem in problems:
        ladder = LADDERS.get(problem.name, ())
        one = known.get(problem.key)
        if one and step in ladder[len(one["steps"]) :]:
            # What was skipped on the ladder is below it.
            done = [[now, rung] for rung in ladder[: ladder.index(step) + 1]]
            known[problem.key] = {**one, "steps": done}
        elif one and step == _AGAIN.get(problem.name):
            known[problem.key] = {**one, "steps": [*one["steps"], [now, step]]}
    return {**state, "problems": known, "steps": [*state["steps"], [now, step]]}


def _rung(name: str, taken: t.Sequence[t.Any]) -> str | None:
    """The next step for a problem for which these were taken."""
    ladder = LADDERS.get(name, ())
    if len(taken) < len(ladder):
        return ladder[len(taken)]
    return _AGAIN.get(name)


def _allowed(state: State, step: str, now: float) -> bool:
    lately = [when for when, one in state["steps"] if one == step and now - when < _HOUR]
    return len(lately) < PER_HOUR[step]

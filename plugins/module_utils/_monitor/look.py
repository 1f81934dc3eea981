# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look of the watchdog, as the user that runs the daemon: read, judge, mend what is safe."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
import typing as t

from .._bucardo.catalog import Catalog
from .._bucardo.daemon import Daemon, control_conninfo, parse_rc
from .._bucardo.daemon_messages import DaemonMessages
from .._bucardo.writes import Control
from .._common.errors import MultimasterError
from .._postgres.pg import Session
from .._tracking.shedding import Shedding, open_masters
from . import detectors, mend, render, shedding
from .facts import Facts, Limits
from .memory import Memory
from .problem import Alarm
from .read import Wanted, read

SETTINGS = "settings.json"
# Bucardo's own mark of "bucardo stop", which the next start removes.
FULL_STOP = "/run/bucardo/fullstopbucardo"
_PREFIX = "sync-"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the role has written.

    :param systemd: the daemon is run by its unit.
    :param metrics: directory of node_exporter's textfile collector; nothing is written where it
        does not exist.
    :param interval: seconds between two looks of the loop.
    :param patience: seconds that a reload may take.
    """

    systemd: bool = False
    metrics: str = ""
    interval: float = 60.0
    patience: float = 600.0
    bucardorc: str = "/etc/bucardorc"
    wanted: t.Mapping[str, Wanted] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, directory: str) -> Settings:
        """From the files of a directory: one for all, and one for each sync."""
        values: dict[str, t.Any] = {}
        wanted = {}
        for name in sorted(os.listdir(directory)):
            if not name.endswith(".json"):
                continue
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                given = json.load(file)
            if name == SETTINGS:
                values = given
            elif name.startswith(_PREFIX):
                wanted[name[len(_PREFIX) : -len(".json")]] = _wanted(given)
        return cls(wanted=wanted, **values)


def _wanted(given: t.Mapping[str, t.Any]) -> Wanted:
    limits = Limits(
        float(given["age"]), int(given["rows"]), int(given["bytes"]), int(given.get("shed", 0))
    )
    return Wanted(tuple(given["tables"]), tuple(given["exclude"]), limits)


@dataclasses.dataclass
class Look:
    """What came of one.

    :param code: a Nagios plugin's.
    :param text: the same plugin's output.
    :param metrics: Prometheus' text.
    :param log: lines for the watchdog's log.
    :param step: what is left to do, for who may do it; "" for nothing.
    """

    code: int
    text: str
    metrics: str
    log: list[str] = dataclasses.field(default_factory=list)
    step: str = ""


def look(settings: Settings, mending: bool) -> Look:
    """Read everything, and mend if asked to."""
    began = time.time()
    memory = Memory.load()
    try:
        with open(settings.bucardorc, encoding="utf-8", errors="replace") as file:
            conninfo = control_conninfo(parse_rc(file.read()))
        with Session(conninfo) as session:
            control = Catalog(session)
            reading = read(control, {}, wanted=settings.wanted, memory=memory)
            facts = seen_from_its_host(reading.facts, Daemon(settings.bucardorc))
            problems = memory.dated(detectors.problems(facts), began)
            found = _report(facts, problems, began)
            memory.note(facts, began)
            if mending:
                _mend(found, settings, control, memory, problems)
                step = shedding.next_step(facts, problems)
                if step is not None:
                    _shed(found, settings, Control(session), step)
                memory.looked = (began, time.time() - began)
                memory.save()
            return found
    except (MultimasterError, OSError) as error:
        code, text = render.unknown(str(error))
        failed = render.prometheus_failed(began, time.time() - began)
        return Look(code, text, failed, [f"cannot look: {error}"])


def seen_from_its_host(facts: Facts, daemon: Daemon) -> Facts:
    """Without a daemon whose main process has gone and whose children keep its connections open.

    To the servers it looks as one that is there and does not answer.
    """
    if facts.running and not facts.answers and not daemon.process().pid:
        return dataclasses.replace(facts, running=False)
    return facts


def stopped_on_purpose() -> bool:
    """Whether the daemon does not run because somebody stopped it."""
    return os.path.exists(FULL_STOP)


def _report(facts: Facts, problems: t.Sequence[Alarm], began: float) -> Look:
    code, text = render.nagios(facts, problems)
    return Look(code, text, render.prometheus(facts, problems, began, time.time() - began))


def _mend(
    found: Look,
    settings: Settings,
    control: Catalog,
    memory: Memory,
    problems: t.Sequence[Alarm],
) -> None:
    now = time.time()
    stopped = stopped_on_purpose()
    sure = mend.sure(memory.state, problems, stopped)
    memory.state = mend.remember(memory.state, problems, now)
    for one in sure:
        known = memory.state["problems"][one.key]
        if not known.get("told", False):
            found.log.append(one.line)
            known["told"] = True
    # Where somebody stopped the daemon, no step is taken, so none is said or counted.
    steps = [] if stopped else mend.next_steps(memory.state, sure, now)
    for step, problem in steps:
        memory.state = mend.taken(memory.state, step, problems, now)
        found.log.append(f"{step}: because of {problem.name} {problem.sync}".rstrip())
        daemon = control.daemon
        if step in (mend.START, mend.RESTART):
            found.step = step
        elif step == mend.RELOAD:
            found.log += _reload(daemon, settings, control)
        elif step == mend.KICK:
            daemon.send(f"kick_sync_{problem.sync}")


def _shed(found: Look, settings: Settings, control: Control, step: shedding.Step) -> None:
    """What cannot be done now, such as for a table that is in use, the next look tries again."""
    sync = control.syncs()[step.sync]
    with contextlib.ExitStack() as stack:
        sessions = open_masters(stack, control, sync.dbgroup, {}, only_reachable=True)
        piddir = Daemon(settings.bucardorc).files.piddir
        one = Shedding(control, sync, step.master, step.table, sessions, piddir)
        try:
            if step.back:
                found.log.append(one.undo())
                found.log += _reload(control.daemon, settings, control)
                return
            one.check()
            found.log.append(one.work(step.changes, step.bytes))
        except MultimasterError as error:
            found.log.append(f"cannot shed {step.table} on {step.master}: {error.one_line}")
        if not stopped_on_purpose() and not found.step:
            found.step = mend.START


def _reload(daemon: DaemonMessages, settings: Settings, control: Catalog) -> list[str]:
    try:
        daemon.reload(settings.patience)
    except MultimasterError as error:
        return [error.one_line]
    # No reload kicks a sync.
    active = [name for name, sync in control.syncs().items() if sync.status == "active"]
    for name in active:
        daemon.send(f"kick_sync_{name}")
    return [f"reloaded, and kicked {', '.join(active)}"]

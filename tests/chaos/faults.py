# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can happen while clients write. One entry of FAULTS each.

`draw` chooses the particulars when the schedule is made, so that a seed repeats them; `act` does
it, and undoes it before it returns. Weather strikes servers, links and processes; an operation is
what a DBA does, whatever the weather. One of each may be under way at the same time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import subprocess
import time
import typing as t

import tables
from world import BUCARDO, CLEAR, FILL, KILL, STOP, World

Particulars = t.Dict[str, t.Any]
WEATHER, OPERATION = "weather", "operation"


@dataclasses.dataclass(frozen=True)
class Fault:
    """One kind.

    :param weight: how often it is chosen.
    """

    name: str
    kind: str
    weight: int
    draw: t.Callable[[random.Random, t.Sequence[str]], Particulars]
    act: t.Callable[..., None]


def _draw_restart(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {
        "host": rng.choice((*masters, *masters, BUCARDO)),
        "way": rng.choice(("immediate", "kill -9")),
        "away": round(rng.uniform(0, 6), 1),
    }


def restart_server(world: World, host: str, way: str, away: float) -> None:
    """A crash; it comes back by hand."""
    try:
        world.run(host, KILL if way == "kill -9" else STOP, check=False)
        time.sleep(away)
    finally:
        world.start_server(host)


PROCESSES = {
    "worker": "Bucardo Kid",
    "controller": "Bucardo Controller",
    "daemon": "Bucardo Master Control",
    "purging process": "Bucardo VAC",
    "poller": "/usr/bin/python3 -I /usr/local/sbin/bucardo-watchdog poll",
    "everything of it": "Bucardo",
}


def _draw_kill(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {
        "process": rng.choice(("worker", "worker", *PROCESSES)),
        "times": rng.choice((1, 1, 3)),
        "apart": round(rng.uniform(0.2, 2), 1),
    }


def _kill(world: World, process: str, times: int, apart: float) -> None:
    for number in range(times):
        if number:
            time.sleep(apart)
        world.run(BUCARDO, f"pkill -9 -f '^{PROCESSES[process]}'", check=False)


def _draw_partition(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {
        "master": rng.choice(masters),
        "way": rng.choice(("cut", "silence")),
        "seconds": round(rng.uniform(0.3, 12), 1),
    }


def _partition(world: World, master: str, way: str, seconds: float) -> None:
    try:
        if way == "cut":
            world.proxy.cut(master)
        else:
            world.links[master].silent = True
        time.sleep(seconds)
    finally:
        world.links[master].cut = world.links[master].silent = False


def _draw_delay(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {
        "milliseconds": {name: rng.choice((0, rng.randint(1, 100))) for name in masters},
        "seconds": round(rng.uniform(3, 15), 1),
    }


def _delay(world: World, milliseconds: dict[str, int], seconds: float) -> None:
    try:
        for name, delay in milliseconds.items():
            world.links[name].delay = delay / 1000
        time.sleep(seconds)
    finally:
        for name in milliseconds:
            world.links[name].delay = 0


def _draw_full(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {
        "master": rng.choice(masters),
        "left": rng.choice((0, 100_000, 2_000_000)),
        "seconds": round(rng.uniform(1, 8), 1),
    }


def fill_disk(world: World, master: str, left: int, seconds: float) -> None:
    """All but so many bytes of its volume."""
    try:
        world.run(master, FILL.format(left=left), check=False)
        time.sleep(seconds)
    finally:
        world.run(master, CLEAR)
        # Where it could not write its log, it gave up.
        world.start_server(master)


def _draw_nothing(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {}


def _bootstrap(world: World) -> None:
    world.until_good("bootstrap")


def _draw_killed(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {"after": round(rng.uniform(1, 30), 1), "module": rng.choice((True, False))}


def _killed(world: World, after: float, module: bool) -> None:
    """The play, and the module that is at work in another process of another machine, or not."""
    with world.started("bootstrap", world.wanted()) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=after)
        process.kill()
        if module:
            world.run(BUCARDO, "pkill -KILL -f '[/]AnsiballZ_'", check=False)
    world.until_good("bootstrap")


def _draw_removed(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    master, other = rng.sample(list(masters), 2)
    return {"master": master, "heir": other, "away": round(rng.uniform(0, 8), 1)}


def _removed(world: World, master: str, heir: str, away: float) -> None:
    """As README says: nobody writes there any more, it goes, it comes back and is made new."""
    world.stop_clients(master)
    choice = ["-e", f"multimaster_remove_master={master}"]
    if master == world.origin:
        choice += ["-e", f"multimaster_new_origin={heir}"]
    world.until_good("remove_master", *choice)
    world.present.remove(master)
    if master == world.origin:
        world.origin = heir
    time.sleep(away)
    # Not before it is one again, since until then nothing of it has to be right.
    world.until_good(
        "bootstrap", "-e", '{"data_seed_replace": ["*.*"]}', members=[*world.present, master]
    )
    world.present.append(master)
    world.start_clients(master)


def _draw_reseed(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    names = [table.name for table in tables.TABLES]
    return {
        "turn": rng.randrange(len(masters)),
        "some": sorted(rng.sample(names, rng.randint(1, len(names)))),
    }


def _reseed(world: World, turn: int, some: list[str]) -> None:
    others = [name for name in world.present if name != world.origin]
    choice = {
        "multimaster_reseed_master": others[turn % len(others)],
        "multimaster_reseed_tables": [f"public.{name}" for name in some],
    }
    world.until_good("reseed", "-e", json.dumps(choice))


def _draw_columns(rng: random.Random, masters: t.Sequence[str]) -> Particulars:
    return {
        "table": rng.choice([table.name for table in tables.TABLES]),
        "apart": round(rng.uniform(0, 4), 1),
    }


def _columns(world: World, table: str, apart: float) -> None:
    """On every master, then the bootstrap, as README says."""
    world.changed_columns += 1
    name = f"later{world.changed_columns}"
    for master in world.present:
        world.until_done(
            master,
            f"SET lock_timeout = 3000; ALTER TABLE public.{table}"
            f" ADD COLUMN IF NOT EXISTS {name} text NOT NULL DEFAULT '{name}'",
        )
        time.sleep(apart)
    world.until_good("bootstrap")


FAULTS = (
    Fault("restart of a server", WEATHER, 4, _draw_restart, restart_server),
    Fault("kill -9 of Bucardo", WEATHER, 5, _draw_kill, _kill),
    Fault("partition", WEATHER, 4, _draw_partition, _partition),
    Fault("delay", WEATHER, 3, _draw_delay, _delay),
    Fault("full disk", WEATHER, 2, _draw_full, fill_disk),
    Fault("bootstrap again", OPERATION, 2, _draw_nothing, _bootstrap),
    Fault("bootstrap killed", OPERATION, 3, _draw_killed, _killed),
    Fault("master removed and added", OPERATION, 3, _draw_removed, _removed),
    Fault("tables reseeded", OPERATION, 3, _draw_reseed, _reseed),
    Fault("columns added", OPERATION, 2, _draw_columns, _columns),
)

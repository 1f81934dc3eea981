# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of replication, as the control database, the daemon and the masters tell it."""

from __future__ import annotations

import typing as t

from .._bucardo import status
from .._bucardo.catalog import Catalog
from .._postgres.conninfo import ConnInfo
from . import detectors, shown
from .catalog import Values, catalog
from .memory import Memory
from .read import Wanted, read

_OF_MASTERS = (
    *("pending", "queues", "purges", "shed", "truncates_lost", "seeds", "alarms", "problems"),
)


def info(
    control: Catalog,
    logins: t.Mapping[str, ConnInfo],
    only: str | None,
    wanted: t.Mapping[str, Wanted] | None,
) -> Values:
    """The return values of bucardo_info.

    :param logins: connection options of masters by name; others log in as Bucardo does.
    :param only: one sync, None for all.
    :param wanted: by sync; None where masters are not asked.
    """
    values = catalog(control, only)
    values.update({key: [] for key in _OF_MASTERS})
    if wanted is None:
        return values
    # The watchdog's memory, where it runs on this host.
    memory = Memory.load()
    reading = read(control, logins, only, wanted, memory)
    problems = memory.dated(detectors.problems(reading.facts))
    values.update(
        pending=shown.pending(reading.facts),
        queues=shown.queues(reading.facts),
        purges=shown.purges(reading.facts),
        shed=shown.shed(reading.facts),
        truncates_lost=shown.truncates_lost(reading.facts),
        seeds=[status.seed_row(name, run) for name, run in reading.seeds.items()],
        alarms=shown.alarms(problems),
        problems=[one.line for one in problems],
    )
    return values

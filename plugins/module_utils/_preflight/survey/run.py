# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what preflight judges: every master, the control database and this host.

Reads only. A master costs a fixed number of round trips, however many tables it has; what cannot
be read on one server is noted and never ends the survey of the others.
"""

from __future__ import annotations

import typing as t

from ..._postgres.parallel import each
from .. import ledgers
from ..facts import Facts, Wanted
from .control import read_control
from .host import read_host
from .master import Options, read_master
from .second import look_again, origin_of

_MASTERS_AT_ONCE = 8


def survey(
    masters: t.Sequence[Options],
    wanted: Wanted,
    control: Options | None = None,
    os_users: t.Sequence[str] = (),
    pg_bin_dir: str | None = None,
) -> Facts:
    """Read everything. Never raises because of a server."""
    # By their places: two may have the same name, which is for a check to say.
    read = each(
        dict(enumerate(masters)), lambda _place, one: read_master(one, wanted), _MASTERS_AT_ONCE
    )
    found = tuple(read.values())
    origin = origin_of(found)
    again = {place: one for place, one in enumerate(masters) if not found[place].origin}
    seen = each(again, lambda place, one: look_again(one, found[place], origin), _MASTERS_AT_ONCE)
    found = tuple(seen.get(place, one) for place, one in enumerate(found))
    return ledgers.judge(
        Facts(
            wanted=wanted,
            masters=found,
            control=None if control is None else read_control(control, wanted),
            host=read_host(masters, found, wanted, os_users, pg_bin_dir),
        )
    )

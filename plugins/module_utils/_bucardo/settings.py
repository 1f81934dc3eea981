# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucardo's settings as they shall be."""

from __future__ import annotations

import typing as t

from .._common.change import Change
from .._common.errors import CommandFailed, Refused
from . import statements
from .object_plan import plan_settings
from .writes import Control

SECRET = "email_auth_pass"


def plan(control: Control, given: t.Mapping[str, t.Any], secret: str | None) -> Change:
    """What it takes until settings have these values.

    :param secret: the value of `SECRET`, which must not be among the others, where it would be
        shown.
    """
    wanted = dict(given)
    if SECRET in {str(name).lower() for name in wanted}:
        raise Refused(f"settings: {SECRET} would be shown", f"Use the option {SECRET}.")
    if secret is not None:
        wanted[SECRET] = secret
    current = control.settings()
    changes = plan_settings(current, wanted, known=bool(current))
    names = [str(name).lower() for name in wanted]
    now = {name: one.value for name, one in current.items()}
    writes = statements.settings(changes)

    def work(change: Change) -> None:
        control.execute(writes)
        missed = plan_settings(control.settings(), wanted)
        if missed:
            raise CommandFailed(f"Bucardo did not take the settings {', '.join(missed)}")

    return Change(
        changed=bool(changes),
        before=_masked({name: now[name] for name in changes if name in now}),
        after=_masked(changes),
        values={
            "settings": _masked({name: changes.get(name, now.get(name, "")) for name in names}),
            "reload_required": bool(changes),
        },
        commands=control.shown(writes),
        work=work,
    )


def _masked(values: t.Mapping[str, str]) -> dict[str, str]:
    return {
        name: "********" if name == SECRET and value else value for name, value in values.items()
    }

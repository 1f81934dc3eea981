# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows how much still waits while bucardo_catch_up brings it over."""

from __future__ import annotations

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.text import (
    duration,
    listed,
)
from ansible_collections.multimaster.bucardo.plugins.plugin_utils._live import (
    LiveAction,
    seconds_of,
)


class ActionModule(LiveAction):
    """Runs the module bucardo_catch_up with a live display."""

    begins = True
    returned = ("before", "after", "totals", "unfinished")
    kept = "What was brought is kept."

    def begin(self, args: dict[str, t.Any], seconds: float) -> dict[str, t.Any]:
        """As many seconds, if it may take longer."""
        timeout = seconds_of(args, "timeout", 0)
        return args if timeout and timeout <= seconds else {**args, "timeout": seconds}

    def go_on(self, args: dict[str, t.Any], begun: dict[str, t.Any]) -> dict[str, t.Any]:
        """The rest of the time, however little waits by now."""
        timeout = seconds_of(args, "timeout", 0)
        left = max(timeout - begun["totals"]["seconds"], 1) if timeout else 0
        return {**args, "timeout": left, "above": 0}

    def sums(self, begun: dict[str, t.Any], rest: dict[str, t.Any]) -> dict[str, t.Any]:
        """All totals but of what is left: the rest has found it again."""
        both = dict(rest["totals"])
        for name in ("changes", "keys", "superseded", "rounds", "bytes", "seconds"):
            both[name] = round(begun["totals"][name] + both[name], 2)
        return {"totals": both}

    def line(self, state: dict[str, t.Any], args: dict[str, t.Any], detailed: bool) -> str:
        """One line on how far it is."""
        left, rate = state["left"], state["rate"]
        text = f"sync {args.get('name')}: {state['changes']} changes brought, {left} wait"
        if rate:
            text += f", {rate:.0f}/s"
        if state["growing"]:
            text += ", changes arrive faster than they are applied"
        elif rate:
            text += f", about {duration(left / rate)} left"
        if detailed:
            text += f", round {state['round']}, {duration(state['elapsed'])}"
        if state["current"]:
            text += f"; now {listed(state['current'], 10 if detailed else 3)}"
        return text

    def last_line(self, result: dict[str, t.Any], args: dict[str, t.Any]) -> str:
        """What was done in all."""
        totals = result.get("totals") or {}
        if not totals.get("changes"):
            return ""
        return (
            f"sync {args.get('name')}: {totals['changes']} changes of {totals['keys']} rows brought"
            f" in {duration(totals['seconds'])}"
        )

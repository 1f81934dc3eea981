# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows how much still waits while bucardo_kick waits for it."""

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
    """Runs the module bucardo_kick with a live display."""

    begins = True
    returned = ("before", "after", "runs", "unfinished")
    kept = "Bucardo goes on by itself."

    def begin(self, args: dict[str, t.Any], seconds: float) -> dict[str, t.Any]:
        """As many seconds, if it may take longer."""
        if seconds_of(args, "timeout", 300) <= seconds:
            return args
        return {**args, "timeout": seconds, "fail_on_timeout": False}

    def go_on(self, args: dict[str, t.Any], begun: dict[str, t.Any]) -> dict[str, t.Any]:
        """The rest of the time."""
        left = seconds_of(args, "timeout", 300) - begun["seconds"]
        return {**args, "timeout": max(left, 1)}

    def sums(self, begun: dict[str, t.Any], rest: dict[str, t.Any]) -> dict[str, t.Any]:
        """Runs and time."""
        return {
            "runs": begun["runs"] + rest["runs"],
            "seconds": round(begun["seconds"] + rest["seconds"], 2),
        }

    def line(self, state: dict[str, t.Any], args: dict[str, t.Any], detailed: bool) -> str:
        """One line on what still waits."""
        left = sum(state["left"].values())
        if not left:
            return ""
        where = ", ".join(f"{count} on {master}" for master, count in state["left"].items())
        text = f"sync {args.get('name')}: {left} of {state['waited']} changes wait ({where})"
        text += f", the oldest for {duration(state['oldest'])}"
        if detailed:
            text += f", {state['runs']} runs in {duration(state['elapsed'])}"
        tables = state["tables"]
        return f"{text}; {listed(tables, 10 if detailed else 3)}"

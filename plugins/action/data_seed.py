# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows how far the copy is while data_seed works."""

from __future__ import annotations

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.text import (
    duration,
    listed,
    size,
)
from ansible_collections.multimaster.bucardo.plugins.plugin_utils._live import LiveAction


class ActionModule(LiveAction):
    """Runs the module data_seed with a live display."""

    looks_first = True
    returned = ("tables", "totals")
    kept = "Finished tables are kept."

    def line(self, state: dict[str, t.Any], args: dict[str, t.Any], detailed: bool) -> str:
        """One line on how far the seed is."""
        current = state["current"] if detailed else listed(state["current"], 3)
        parts = []
        if state["phase"] == "copy":
            total, done = state["bytes_total"], state["bytes_done"]
            parts.append(f"{100 * done // total if total else 100} % of {size(total)}")
            parts.append(f"{size(state['rate'])}/s")
            if state["remaining"] is not None:
                parts.append(f"about {duration(state['remaining'])} left")
            parts.append(f"{state['tables_done']} of {state['tables_total']} tables")
        if state["phase"] == "indexes" or (state["phase"] == "copy" and state["indexes_total"]):
            parts.append(f"{state['indexes_done']} of {state['indexes_total']} indexes")
        if state["phase"] == "refresh":
            parts.append("materialized views")
        if not parts:
            return ""
        if detailed:
            parts.append(f"round {state['round']}")
            parts.append(f"{size(state['streamed'])} read in {duration(state['elapsed'])}")
            if state["snapshot_age"] is not None:
                parts.append(f"snapshot held for {duration(state['snapshot_age'])}")
        text = f"{_target(args)}: {', '.join(parts)}"
        if state["current"]:
            text += f"; now {current if isinstance(current, str) else ', '.join(current)}"
        return text

    def last_line(self, result: dict[str, t.Any], args: dict[str, t.Any]) -> str:
        """What was done in all."""
        totals = result.get("totals") or {}
        if not totals.get("tables"):
            return ""
        return (
            f"{_target(args)}: {totals['tables']} tables, {totals['rows']} rows and"
            f" {size(totals['bytes'])} in {duration(totals['seconds'])}"
        )


def _target(args: dict[str, t.Any]) -> str:
    target = args.get("target")
    return f"seed of {target['name']}" if isinstance(target, dict) and "name" in target else "seed"

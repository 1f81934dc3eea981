# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bootstrap that failed leaves behind, said in one line (pure).

A sync is held while a new master or table comes in, and then the masters that replicated before do
not. Whoever reads the last line of a failed run must learn that, and what to type.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from .._common.text import age

_WRITTEN = re.compile(
    r"([0-9-]{10}[ T][0-9:]{8})(?:\.([0-9]+))?([+-])([0-9]{2}):?([0-9]{2})?(?::[0-9]{2})?"
)
Info = t.Mapping[str, t.Any]


def text(info: Info, sync: str, origin: str, command: str) -> str:
    """How replication is, as the servers said after the failure.

    :param info: what bucardo_info returned then; also its failure.
    :param origin: name of the master that the others are seeded from.
    :param command: what starts the bootstrap again.
    """
    again = f"start the bootstrap again: {command}"
    if "syncs" not in info:
        why = " ".join(str(info.get("msg", "no answer")).split())[:300].rstrip(".")
        return (
            f"WHETHER SYNC {sync} REPLICATES COULD NOT BE READ ({why}). A run that was to bring in"
            f" a master or a table may have held it. Nothing is lost. Remove the cause and {again}"
        )
    row = info["syncs"].get(sync)
    ran = last_run(row) if row else ""
    if row is None or not ran:
        return (
            "Nothing is replicated yet, and nothing is lost. Remove the cause that is named above"
            f" and {again} - it goes on where this run stopped."
        )
    running = [seed for seed in info["seeds"] if seed["state"] == "running"]
    if running:
        return _another(running, sync, row)
    if row["status"] == "held":
        between = " AND ".join(before(info, sync, origin, ran))
        return (
            f"REPLICATION IS STOPPED BETWEEN {between} SINCE {ran}: sync {sync} is held,"
            f" {_waiting(info, sync)}. Nothing is lost. Remove the cause that is named above and"
            f" {again} - it ends with the release. Where a new master is the cause and cannot be"
            " mended now, take it out of the inventory first."
        )
    if not (info["daemon"]["running"] and info["daemon"]["answers"]):
        return (
            f"REPLICATION IS STOPPED: the daemon that runs sync {sync} is down,"
            f" {_waiting(info, sync)}. Nothing is lost. To start it, {again}"
        )
    return f"Sync {sync} is active and its daemon answers: replication goes on. Then {again}"


def last_run(row: Info) -> str:
    """When the sync last ran to a good end, "" for never."""
    ended = [run["ended"] for run in row["runs"] if run["outcome"] in ("good", "empty")]
    return max((str(one) for one in ended if one), key=_moment, default="")


def before(info: Info, sync: str, origin: str, ran: str) -> list[str]:
    """The masters that replicated with each other before: seeded when the sync last ran."""
    members = info["dbgroups"].get(info["syncs"][sync]["dbgroup"], {})
    seeded = {
        seed["master"]
        for seed in info["seeds"]
        if seed["first_finished"] and _moment(seed["first_finished"]) <= _moment(ran)
    }
    return [name for name in members if name == origin or name in seeded]


def _another(running: t.Sequence[Info], sync: str, row: Info) -> str:
    seeds = ", ".join(
        f"{seed['master']} ({seed['tables_done']} of {seed['tables_total']} tables)"
        for seed in running
    )
    held = f" Until then sync {sync} is held." if row["status"] == "held" else ""
    return (
        f"Another run is under way and seeds {seeds}: wait until it has ended. It releases the"
        f" sync itself.{held}"
    )


def _waiting(info: Info, sync: str) -> str:
    queues = [queue for queue in info["queues"] if queue["sync"] == sync]
    changes = sum(queue["changes"] for queue in queues)
    oldest = max((queue["oldest"] for queue in queues), default=0.0)
    return f"{changes} changes wait, the oldest for {age(oldest)}"


def _moment(written: str) -> datetime.datetime:
    """A time as PostgreSQL writes it: `2026-01-02 03:04:06.1+00`."""
    found = _WRITTEN.fullmatch(written)
    if found is None:
        raise ValueError(f"not a time: {written!r}")
    day, fraction, sign, hours, minutes = found.groups(default="")
    zone = f"{sign}{hours}:{minutes or '00'}"
    return datetime.datetime.fromisoformat(f"{day}.{fraction.ljust(6, '0')[:6]}{zone}")

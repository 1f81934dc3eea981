# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of replication as lines of text for people (pure)."""

from __future__ import annotations

import re
import typing as t

from .._common.text import age, table

# So many tables of the queue, largest first; the rest is counted.
TABLES_SHOWN = 10
# Characters of an error; PostgreSQL's CONTEXT can be pages long. The whole is in bucardo_info.
_ERROR_SHOWN = 300
# Seconds. A process that ended at an error, and is replaced, has made nothing wait that long.
PURGE_MISSING = 120.0

Info = t.Mapping[str, t.Any]
Rows = t.List[t.Sequence[str]]


def lines(info: Info) -> list[str]:
    """What `bucardo_info` returned, as lines.

    :raises KeyError: when it is not the result of that module, naming what is missing.
    """
    if not info["installed"]:
        return ["Bucardo is not installed in the control database", *_seeds(info)]
    found = [f"Bucardo {info['version']}: {_daemon(info['daemon'])}", *_seeds(info)]
    if not info["syncs"]:
        return [*found, "There is no sync"]
    for part in (_queues(info), _purges(info), _runs(info), _tables(info)):
        found += ["", *part] if part else []
    return found


def _is_dead(purge: t.Mapping[str, t.Any]) -> bool:
    return not purge["alive"] and purge["oldest"] > PURGE_MISSING


def seed_row(master: str, run: t.Any) -> dict[str, t.Any]:
    """A seed of a master for results.

    :param run: the ledger's last run (`states.Run`).
    """
    state = "running" if run.active else "finished" if run.finished_at else "interrupted"
    done, total = run.bytes_done, run.bytes_total
    # All bytes are there before the indexes are.
    percent = 100 if state == "finished" else min(99, 100 * done // total if total else 0)
    return {
        "master": master,
        "state": state,
        "phase": run.phase,
        "percent": percent,
        "tables_done": run.tables_done,
        "tables_total": run.tables_total,
        "bytes_done": done,
        "bytes_total": total,
        "tables": list(run.current_tables) if state == "running" else [],
        "started": run.started_at.isoformat(sep=" "),
        "updated": run.updated_at.isoformat(sep=" "),
        "finished": run.finished_at.isoformat(sep=" ") if run.finished_at else None,
        "first_finished": (
            run.first_finished_at.isoformat(sep=" ") if run.first_finished_at else None
        ),
    }


def _daemon(daemon: Info) -> str:
    if not daemon["running"]:
        return "the daemon is NOT RUNNING"
    return "the daemon runs and answers" if daemon["answers"] else "the daemon DOES NOT ANSWER"


def _seeds(info: Info) -> list[str]:
    found = []
    for seed in info.get("seeds") or []:
        done = f"{seed['tables_done']} of {seed['tables_total']} tables"
        if seed["state"] == "running":
            now = f", now {', '.join(seed['tables'])}" if seed["tables"] else ""
            found.append(
                f"Seed of {seed['master']} is running: {seed['percent']} %, {done},"
                f" {seed['phase']}{now}"
            )
        elif seed["state"] == "interrupted":
            found.append(
                f"Seed of {seed['master']} was INTERRUPTED {_time(seed['updated'])}:"
                f" {seed['percent']} %, {done}; run it again"
            )
    return found


def _queues(info: Info) -> list[str]:
    head = ("Sync", "Status", "Master", "Waiting", "Oldest")
    read = {(queue["sync"], queue["master"]): queue for queue in info["queues"]}
    rows: Rows = []
    problems = []
    for name, sync in info["syncs"].items():
        members = info["dbgroups"].get(sync["dbgroup"], {})
        first = (name, sync["status"])
        for master, role in members.items():
            queue = read.get((name, master))
            shown = master if role == "source" else f"{master} ({role})"
            if queue is None:
                waiting = ("", "")
            elif queue["error"]:
                waiting = ("unknown", "")
                problems.append(f"{master}: {_one_line(queue['error'])}")
            else:
                oldest = age(queue["oldest"]) if queue["oldest"] else ""
                waiting = (str(queue["changes"]), oldest)
            rows.append((*first, shown, *waiting))
            first = ("", "")
        if not members:
            rows.append((*first, "none", "", ""))
    return table(head, rows, right=("Waiting", "Oldest")) + _unique(problems)


def _purges(info: Info) -> list[str]:
    rows: Rows = [
        (
            purge["master"],
            purge["sync"],
            str(purge["rows"]),
            age(purge["oldest"]),
            "alive" if purge["alive"] else "DEAD" if _is_dead(purge) else "awaited",
        )
        for purge in info["purges"]
    ]
    head = ("Purge", "Sync", "Replicated", "Oldest", "Process")
    return table(head, rows, right=("Replicated", "Oldest")) if rows else []


def _runs(info: Info) -> list[str]:
    head = ("Sync", "Last run", "Began", "Ended", "Deletes", "Inserts", "Conflicts")
    rows: Rows = []
    errors = {}
    for name, sync in info["syncs"].items():
        first = name
        for run in sync["runs"]:
            # A superseded run that never ended.
            if run["outcome"] == "other":
                continue
            rows.append(
                (
                    first,
                    run["outcome"],
                    _time(run["started"]),
                    _time(run["ended"]),
                    *(str(run[count] or 0) for count in ("deletes", "inserts", "conflicts")),
                )
            )
            first = ""
            if run["outcome"] == "bad":
                errors[name] = _one_line(run["details"] or run["status"])
        if first:
            rows.append((first, "never", "", "", "", "", ""))
    return table(head, rows, right=head[4:]) + [
        f"Error of {name}: {text}" for name, text in errors.items()
    ]


def _tables(info: Info) -> list[str]:
    pending = sorted(info["pending"], key=lambda one: -one["changes"])
    rows: Rows = [
        (
            one["table"] + (" (TRUNCATE)" if one["truncated"] else ""),
            one["master"],
            one["sync"],
            str(one["changes"]),
            age(one["oldest"]),
        )
        for one in pending[:TABLES_SHOWN]
    ]
    if not rows:
        return []
    left = pending[TABLES_SHOWN:]
    changes = sum(one["changes"] for one in left)
    more = f"and {len(left)} more with {changes} changes"
    head = ("Table", "Master", "Sync", "Waiting", "Oldest")
    return table(head, rows, right=("Waiting", "Oldest")) + ([more] if left else [])


def _time(text: str | None) -> str:
    """A timestamp of PostgreSQL's without its fraction of a second."""
    return re.sub(r"\.\d+", "", text or "")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _ERROR_SHOWN else f"{line[:_ERROR_SHOWN]}…"


def _unique(texts: t.Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))

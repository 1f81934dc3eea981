# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catch-up as a planned change."""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo.writes import Control
from .._common.change import Change, Scope
from .._common.errors import Refused
from .._ledger import release
from .._postgres.conninfo import ConnInfo
from .._tracking.queue import as_rows
from . import run
from .group import Unsuitable, open_group, refuse_active

Watch = t.Callable[[run.State], bool]


def plan(
    control: Control,
    scope: Scope,
    logins: t.Mapping[str, ConnInfo],
    name: str,
    options: run.Options,
    skip_active: bool,
    watch: Watch,
) -> Change:
    """What waits, and whether it may and need be brought.

    :param skip_active: do nothing where Bucardo itself brings it, or has to.
    """
    nothing = Change(values=_values(run.Report({})))
    sync = control.sync(name) if control.installed else None
    if sync is None:
        scope.lacks(Refused(f"There is no sync {name!r}", "Create it with bucardo_sync."))
        return nothing
    if sync.status != "inactive" and skip_active:
        return nothing
    refuse_active(sync)
    try:
        group = open_group(scope, control, logins, sync)
    except Unsuitable as error:
        if not skip_active:
            raise
        nothing.warnings.append(f"{error.message}: what waits is left to Bucardo.")
        return nothing
    if not group.goats:
        return nothing
    scope.lock(control.alone(name))
    # It may have been released before.
    refuse_active(control.sync(name) or sync)
    scope.lock(group.without_seeds())
    catch_up = run.CatchUp(group, options, watch)
    report = catch_up.report
    before = _total(report.before)
    if not catch_up.needed:
        report.after = report.before
        return Change(before={"waiting": before}, after={"waiting": before}, values=_values(report))
    members = group.members()
    warnings = _foreseen(members, scope)

    def work(change: Change) -> None:
        group.wait_for_workers()
        members.settle()
        done = catch_up.run()
        change.changed = bool(done.done.changes)
        change.after = {"waiting": _total(done.after)}
        change.values = _values(done)
        change.warnings = _warnings(done)

    return Change(
        changed=True,
        before={"waiting": before},
        after={"waiting": dict.fromkeys(before, 0)},
        values=_values(report),
        warnings=warnings,
        work=work,
    )


def _foreseen(members: release.Members, scope: Scope) -> list[str]:
    """What would be wrong with the ledgers, as far as it may be passed over.

    :raises Refused: when masters may lack rows.
    """
    members.foresee(False)
    try:
        members.check()
    except Refused as error:
        # In a check, the seed that would have come before was only planned.
        scope.lacks(error)
        return [error.message]
    return []


def _warnings(report: run.Report) -> list[str]:
    warnings = []
    if report.growing:
        warnings.append(
            f"Changes arrive faster than they are applied: {sum(_total(report.before).values())}"
            f" waited, {sum(_total(report.after).values())} wait now."
        )
    waiting = {one.table for pending in report.after.values() for one in pending}
    for name, why in report.left_alone.items():
        if name in waiting:
            warnings.append(f"{name} is left to Bucardo: {why}")
    return warnings


def _total(found: run.Found) -> dict[str, int]:
    return {master: sum(one.changes for one in pending) for master, pending in found.items()}


def _values(report: run.Report) -> dict[str, t.Any]:
    return {
        "before": _rows(report.before),
        "after": _rows(report.after),
        "left_alone": {str(name): why for name, why in report.left_alone.items()},
        "unfinished": report.unfinished,
        "totals": {
            **dataclasses.asdict(report.done),
            "rounds": report.rounds,
            "bytes": report.bytes,
            "seconds": round(report.seconds, 2),
            "growing": report.growing,
        },
    }


def _rows(found: run.Found) -> list[dict[str, t.Any]]:
    return [row for master, pending in found.items() for row in as_rows(master, pending)]

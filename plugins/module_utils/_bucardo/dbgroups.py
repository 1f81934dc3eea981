# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of databases as they shall be."""

from __future__ import annotations

import typing as t

from .._common.change import Change, Scope
from .._common.errors import CommandFailed, Refused
from .._common.text import nearest
from . import statements
from .object_plan import check_name, plan_members
from .writes import Control

# Told of the members that came in, once they are there.
Joined = t.Callable[[t.AbstractSet[str]], object]


def plan(
    control: Control,
    scope: Scope,
    name: str,
    members: t.Mapping[str, t.Any] | None,
    exclusive: bool,
    joined: Joined,
) -> Change:
    """What it takes until a group has these members, each with its role.

    :param members: None to leave them.
    :param exclusive: whether others leave.
    """
    check_name("dbgroup", name)
    current = control.dbgroups().get(name)
    old = dict(current.members) if current else {}
    new = plan_members(old, members, exclusive)
    users = _users(control, name)
    change = Change(
        changed=current is None or old != new,
        before=_described(name, old) if current else {},
        after=_described(name, new),
        values={"dbgroup": _described(name, new), "syncs": users},
    )
    if not change.changed:
        return change
    _require_databases(control, scope, new)
    gone = sorted(set(old) - set(new))
    if gone and users:
        change.warnings.append(
            f"{', '.join(gone)} leaves dbgroup {name}, which sync {', '.join(users)} uses: its"
            " triggers stay, and go on queueing changes until they are removed"
        )
    writes = statements.members(name, current, new)

    def work(change: Change) -> None:
        control.execute(writes)
        joined(set(new) - set(old))
        found = control.dbgroups().get(name)
        if found is None or dict(found.members) != new:
            raise CommandFailed(f"Bucardo's catalog does not hold dbgroup {name} as asked")

    change.commands = control.shown(writes)
    change.work = work
    return change


def plan_absent(control: Control, name: str) -> Change:
    """What it takes until there is no such group.

    :raises Refused: while a sync uses it.
    """
    check_name("dbgroup", name)
    values: dict[str, object] = {"dbgroup": None, "syncs": []}
    current = control.dbgroups().get(name)
    if current is None:
        return Change(values=values)
    users = _users(control, name)
    if users:
        raise Refused(
            f"dbgroup {name} is used by the sync {', '.join(users)}",
            "Remove the sync first.",
        )
    writes = statements.removed("dbgroup", name)

    def work(change: Change) -> None:
        control.execute(writes)
        if name in control.dbgroups():
            raise CommandFailed(f"Bucardo's catalog still holds dbgroup {name}")

    return Change(
        changed=True,
        before=_described(name, current.members),
        after={},
        values=values,
        commands=control.shown(writes),
        work=work,
    )


def _users(control: Control, name: str) -> list[str]:
    return sorted(sync.name for sync in control.syncs().values() if sync.dbgroup == name)


def _require_databases(control: Control, scope: Scope, names: t.Iterable[str]) -> None:
    known = control.databases()
    for db in names:
        if db not in known:
            hint = nearest(db, known) or "Add it with bucardo_db first."
            scope.lacks(Refused(f"members: Bucardo has no database {db!r}", hint))


def _described(name: str, members: t.Mapping[str, str]) -> dict[str, object]:
    return {"name": name, "members": dict(sorted(members.items()))}

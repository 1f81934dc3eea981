# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""What bucardo_customname and bucardo_customcols have in common."""

from __future__ import annotations

import typing as t

from .._ansible.module import Params, Result
from .._common.errors import CommandFailed, Refused
from .._common.names import TableName
from .._common.text import nearest
from .control import Control, connect
from .object_plan import find_goat, matching_overrides, parse_relation, users_of_overrides
from .objects import Goat, Override


def ensure(
    kind: str, option: str, check: t.Callable[[str], None], params: Params, check_mode: bool
) -> Result:
    """Add, change or remove a row of "customname" or "customcols".

    :param option: the name of the option that holds the row's value.
    :param check: raises Refused for a value that Bucardo cannot take.
    """
    absent = params["state"] == "absent"
    if not absent:
        check(params[option])
    relation = parse_relation("relation", params["relation"])
    db, sync = params["db"] or "", params["sync"] or ""
    with connect(params, check_mode) as control:
        goat = _goat(control, relation, params["relation_db"] or "", absent)
        found = matching_overrides(control.overrides(kind), goat, db, sync) if goat else []
        if absent:
            return _remove(control, kind, option, found)
        # Without a relation the search above has failed already.
        if goat is None:
            raise AssertionError
        _check_references(control, db, sync)
        wanted = Override(0, goat.db, goat.name, params[option], db, sync)
        changed = [row.value for row in found] != [wanted.value]
        if changed:
            control.save_override(kind, goat.id, wanted, [row.id for row in found])
            if not control.dry:
                now = matching_overrides(control.overrides(kind), goat, db, sync)
                if [row.value for row in now] != [wanted.value]:
                    raise CommandFailed(f"Bucardo's catalog does not hold the {kind} as asked")
        users = users_of_overrides(control.dbgroups(), control.syncs(), db, sync)
        return Result(
            changed=changed,
            before=_described(option, found[0]) if found else {},
            after=_described(option, wanted),
            values={kind: _described(option, wanted), "reload_required": changed},
            commands=control.commands,
            warnings=[]
            if users or control.dry
            else [f"No database would use this {kind}: Bucardo ignores it for sources"],
        )


def _goat(control: Control, relation: TableName, db: str, absent: bool) -> Goat | None:
    goats = control.goats()
    if absent and not any(goat.name == relation for goat in goats):
        return None
    return find_goat(goats, relation, db, planned=control.dry)


def _check_references(control: Control, db: str, sync: str) -> None:
    if control.dry:
        return
    databases, syncs = control.databases(), control.syncs()
    if db and db not in databases:
        raise Refused(f"Bucardo has no database {db!r}", nearest(db, databases))
    if sync and sync not in syncs:
        raise Refused(f"Bucardo has no sync {sync!r}", nearest(sync, syncs))


def _remove(control: Control, kind: str, option: str, found: list[Override]) -> Result:
    if not found:
        return Result(values={kind: None, "reload_required": False})
    control.run("remove", kind, *[str(row.id) for row in found])
    if not control.dry:
        left = {row.id for row in control.overrides(kind)}.intersection(row.id for row in found)
        if left:
            raise CommandFailed(f"Bucardo's catalog still holds the {kind} {sorted(left)}")
    return Result(
        changed=True,
        before=_described(option, found[0]),
        after={},
        values={kind: None, "reload_required": True},
        commands=control.commands,
    )


def _described(option: str, row: Override) -> dict[str, t.Any]:
    return {
        "relation": str(row.relation),
        "relation_db": row.relation_db,
        option: row.value,
        "db": row.db,
        "sync": row.sync,
    }

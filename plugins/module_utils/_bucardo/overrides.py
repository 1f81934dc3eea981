# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of customname and customcols as they shall be: what replaces a relation on some targets."""

from __future__ import annotations

import typing as t

from .._common.change import Change, Scope
from .._common.errors import CommandFailed, Refused
from .._common.names import TableName
from .._common.text import nearest
from . import statements
from .object_plan import find_goat, matching_overrides, parse_relation, users_of_overrides
from .objects import Goat, Override
from .writes import Control


class Place(t.NamedTuple):
    """For what such a row is.

    :param kind: "customname" or "customcols".
    :param option: what results call the row's value.
    :param relation_db: "" where only one database has the relation.
    :param db: "" for all, as for sync.
    """

    kind: str
    option: str
    relation: TableName
    relation_db: str
    db: str
    sync: str

    @classmethod
    def from_options(cls, kind: str, option: str, options: t.Mapping[str, t.Any]) -> Place:
        """From a task's options.

        :raises Refused: when its relation is none.
        """
        return cls(
            kind=kind,
            option=option,
            relation=parse_relation("relation", options["relation"]),
            relation_db=options["relation_db"] or "",
            db=options["db"] or "",
            sync=options["sync"] or "",
        )


def plan(control: Control, scope: Scope, place: Place, value: str | None) -> Change:
    """What it takes until there is exactly one such row, with this value; or, for None, none."""
    if value is None:
        return _plan_absent(control, scope, place)
    return _plan_present(control, scope, place, value)


def _plan_present(control: Control, scope: Scope, place: Place, value: str) -> Change:
    kind = place.kind
    goat = find_goat(control.goats(), place.relation, place.relation_db, scope.lacks)
    found = _matching(control, place, goat)
    _require(scope, "database", place.db, control.databases())
    _require(scope, "sync", place.sync, control.syncs())
    wanted = Override(0, goat.db, goat.name, value, place.db, place.sync)
    changed = [row.value for row in found] != [value]
    writes = statements.override(kind, goat.id, wanted, [row.id for row in found])

    def work(change: Change) -> None:
        if changed:
            control.execute(writes)
            if [row.value for row in _matching(control, place, goat)] != [value]:
                raise CommandFailed(f"Bucardo's catalog does not hold the {kind} as asked")
        if not users_of_overrides(control.dbgroups(), control.syncs(), place.db, place.sync):
            change.warnings.append(
                f"No database would use this {kind}: Bucardo ignores it for sources"
            )

    return Change(
        changed=changed,
        before=_described(place, found[0]) if found else {},
        after=_described(place, wanted),
        values={kind: _described(place, wanted), "reload_required": changed},
        commands=control.shown(writes) if changed else [],
        work=work,
        # In a check, the sync that uses it may still be to come.
        always=True,
    )


def _plan_absent(control: Control, scope: Scope, place: Place) -> Change:
    kind = place.kind
    gone = Change(values={kind: None, "reload_required": False})
    goats = control.goats()
    if not any(goat.name == place.relation for goat in goats):
        return gone
    goat = find_goat(goats, place.relation, place.relation_db, scope.lacks)
    found = _matching(control, place, goat)
    if not found:
        return gone
    ids = {row.id for row in found}
    writes = statements.removed(kind, *map(str, sorted(ids)))

    def work(change: Change) -> None:
        control.execute(writes)
        left = ids.intersection(row.id for row in control.overrides(kind))
        if left:
            raise CommandFailed(f"Bucardo's catalog still holds the {kind} {sorted(left)}")

    return Change(
        changed=True,
        before=_described(place, found[0]),
        after={},
        values={kind: None, "reload_required": True},
        commands=control.shown(writes),
        work=work,
    )


def _matching(control: Control, place: Place, goat: Goat) -> list[Override]:
    return matching_overrides(control.overrides(place.kind), goat, place.db, place.sync)


def _require(scope: Scope, what: str, name: str, known: t.Iterable[str]) -> None:
    if name and name not in known:
        scope.lacks(Refused(f"Bucardo has no {what} {name!r}", nearest(name, known)))


def _described(place: Place, row: Override) -> dict[str, t.Any]:
    return {
        "relation": str(row.relation),
        "relation_db": row.relation_db,
        place.option: row.value,
        "db": row.db,
        "sync": row.sync,
    }

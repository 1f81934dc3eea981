# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of relations as they shall be."""

from __future__ import annotations

import typing as t

from .._common.change import Change, Scope
from .._common.errors import CommandFailed, Refused
from .._common.names import TableName
from .._common.text import nearest
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from . import statements
from .object_plan import RelgroupPlan, check_name, parse_relation, plan_relgroup
from .objects import RelationFacts
from .writes import Control

_KINDS = (("tables", "table"), ("sequences", "sequence"))


class Request(t.NamedTuple):
    """What a task asks for.

    :param db: whose relations they are.
    :param wanted: relation to reltype.
    :param exclusive: reltypes of which others leave.
    """

    name: str
    db: str
    wanted: t.Mapping[TableName, str]
    exclusive: t.AbstractSet[str]

    @classmethod
    def of(
        cls, name: str, db: str, lists: t.Mapping[str, t.Sequence[str] | None], exclusive: bool
    ) -> Request:
        """:param lists: names by `tables` and `sequences`, None to leave those as they are."""
        wanted = {
            parse_relation(option, text): reltype
            for option, reltype in _KINDS
            for text in lists[option] or ()
        }
        given = {reltype for option, reltype in _KINDS if lists[option] is not None}
        return cls(name, db, wanted, given if exclusive else set())


def plan(control: Control, scope: Scope, request: Request) -> Change:
    """What it takes until a relgroup holds these relations, with the keys that identify rows."""
    name, db = request.name, request.db
    check_name("relgroup", name)
    found = _plan(control, scope, request)
    writes: list[statements.Write] = []
    if found.changed:
        writes += statements.relgroup(name, db, found.new, found.join, found.leave)
    if found.learn:
        writes += statements.learned_keys(db, found.learn)

    def work(change: Change) -> None:
        control.execute(writes)
        if _plan(control, scope, request).changed:
            raise CommandFailed(f"Bucardo's catalog does not hold relgroup {name} as asked")

    after = _described(name, found.after)
    return Change(
        changed=found.changed,
        before={} if found.create else _described(name, found.before),
        after=after,
        values={
            "relgroup": after,
            "syncs": _users(control, name),
            "added": sorted(label for _kind, label in set(found.after) - set(found.before)),
            "removed": sorted(label for _kind, label in set(found.before) - set(found.after)),
        },
        commands=control.shown(writes),
        work=work,
    )


def _plan(control: Control, scope: Scope, request: Request) -> RelgroupPlan:
    facts = None
    if request.wanted:
        databases = control.databases()
        if request.db in databases:
            facts = read_facts(control.conninfo(request.db))
        else:
            hint = nearest(request.db, databases) or "Add it with bucardo_db first."
            scope.lacks(Refused(f"db: Bucardo has no database {request.db!r}", hint))
    exists = request.name in control.relgroups()
    return plan_relgroup(
        request.name,
        exists,
        control.goats(),
        request.db,
        request.wanted,
        facts,
        request.exclusive,
    )


def plan_absent(control: Control, name: str) -> Change:
    """What it takes until there is no such relgroup.

    :raises Refused: while a sync uses it.
    """
    check_name("relgroup", name)
    values: dict[str, object] = {"relgroup": None, "syncs": [], "added": []}
    if name not in control.relgroups():
        return Change(values={**values, "removed": []})
    users = _users(control, name)
    if users:
        raise Refused(
            f"relgroup {name} is used by the sync {', '.join(users)}", "Remove the sync first."
        )
    members = tuple(sorted((goat.reltype, str(goat.name)) for goat in control.goats(name)))
    writes = statements.removed_relgroup(name)

    def work(change: Change) -> None:
        control.execute(writes)
        if name in control.relgroups():
            raise CommandFailed(f"Bucardo's catalog still holds relgroup {name}")

    return Change(
        changed=True,
        before=_described(name, members),
        after={},
        values={**values, "removed": [label for _kind, label in members]},
        commands=control.shown(writes),
        work=work,
    )


def _users(control: Control, name: str) -> list[str]:
    return sorted(sync.name for sync in control.syncs().values() if sync.relgroup == name)


def _described(name: str, members: tuple[tuple[str, str], ...]) -> dict[str, object]:
    return {
        "name": name,
        "tables": [label for reltype, label in members if reltype == "table"],
        "sequences": [label for reltype, label in members if reltype == "sequence"],
    }


def read_facts(conninfo: ConnInfo) -> RelationFacts:
    """What `plan_relgroup` needs to know about the relations of a database."""
    with Session(conninfo) as session:
        return RelationFacts(
            tables={table.name: table for table in read_tables(session, sizes=False)},
            sequences=_read_sequences(session),
            types=_read_type_names(session),
        )


def _read_sequences(session: Session) -> set[TableName]:
    rows = session.rows(
        "SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'"
    )
    return {TableName(**row) for row in rows}


def _read_type_names(session: Session) -> dict[int, str]:
    rows = session.rows("SELECT oid::bigint AS oid, typname FROM pg_catalog.pg_type")
    return {row["oid"]: row["typname"] for row in rows}

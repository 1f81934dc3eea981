# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight makes of the rows that a master's catalogs return."""

from __future__ import annotations

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    Database,
    ForeignKey,
    Trigger,
    Wanted,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import (
    database,
    queries,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.reader import (
    Reader,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

DATABASE = {
    "encoding": "UTF8",
    "bytes": 8_000_000,
    "collate": "C.UTF-8",
    "ctype": "C.UTF-8",
    "provider": "c",
    "provider_locale": "",
    "large_objects": 0,
    "bucardo_relations": 0,
    "has_bucardo": False,
    "is_control": False,
}
A, B = TableName("public", "a"), TableName("public", "b")
ORDERS = {"schema": "public", "table": "a"}
TABLE = {
    "oid": 16400,
    "schema": "public",
    "name": "a",
    "kind": "r",
    "persistence": "p",
    "rows": 3,
    "relispartition": False,
    "row_security": False,
    "quoted": "public.orders",
    "bytes": 8192,
    "extension": "",
}
RELATIONS = "AS row_security"


def read(
    answers: dict[str, t.Any], origin: bool = True, wanted: Wanted | None = None
) -> tuple[Database, list[str]]:
    """The database with these answers, nothing else in it, and what could not be read."""
    # What is asked in addition finds nothing.
    session = FakeSession({queries.DATABASE: [DATABASE], **answers, "": []})
    reader = Reader(session)
    return database.read_database(reader, "shop", wanted or Wanted(), origin), reader.unread


def refused(sqlstate: str = "42501") -> StatementFailed:
    return StatementFailed("permission denied", sqlstate=sqlstate)


def test_an_empty_database() -> None:
    found, unread = read({})
    assert (found.name, found.encoding, found.bytes) == ("shop", "UTF8", 8_000_000)
    assert (found.tables, found.key_types, unread) == ((), {}, [])


def test_constraints_by_table() -> None:
    referring = {"name": "f", "type": "f", "other_schema": "public", "other": "b"}
    excluding = {"name": "x", "type": "x", "other_schema": None, "other": None}
    found, _unread = read({queries.CONSTRAINTS: [{**ORDERS, **referring}, {**ORDERS, **excluding}]})
    assert found.foreign_keys == (ForeignKey("f", A, B),)
    assert found.exclusions == ((A, "x"),)


def test_children_are_no_partitions() -> None:
    parent = {"parent_schema": "public", "parent": "p"}
    found, _unread = read(
        {
            queries.INHERITS: [
                {"schema": "public", "table": "a", **parent, "is_partition": False},
                {"schema": "public", "table": "b", **parent, "is_partition": True},
            ]
        }
    )
    assert found.children == {A: TableName("public", "p")}
    assert found.partitions == {B: TableName("public", "p")}


def test_other_replication_by_its_kind() -> None:
    rows = [("all", "cdc", "", ""), ("published", "p1", "public", "a")]
    rows += [("published", "p2", "public", "a"), ("subscribed", "", "public", "b")]
    rows += [("event trigger", "no_ddl", "", ""), ("extension", "ltree", "1.2", "")]
    names = ("what", "name", "schema", "table")
    found, _unread = read({queries.OTHER_REPLICATION: [dict(zip(names, row)) for row in rows]})
    assert found.publications_of_all == ("cdc",)
    assert found.published == {A: ("p1", "p2")}
    assert found.subscribed == {B}
    assert (found.event_triggers, found.extensions) == (("no_ddl",), {"ltree": "1.2"})


def test_a_trigger_with_the_schema_of_its_function() -> None:
    row = {"name": "audit", "enabled": "A", "function_schema": "util", "kind": "trigger"}
    found, _unread = read({queries.TRIGGERS: [{**ORDERS, **row}]})
    assert found.triggers == (Trigger(A, "audit", "A", "util"),)


def test_locks_are_those_of_tables_of_this_database() -> None:
    row = {"pid": 0, "gid": "tx1", "user": "app", "application": "", "state": "prepared"}
    found, _unread = read(
        {
            RELATIONS: [TABLE],
            queries.TRANSACTIONS: [{**row, "age": 5.0, "locked": [16400, 2619]}],
        }
    )
    assert [(one.gid, one.locked) for one in found.transactions] == [("tx1", (A,))]


def test_what_is_refused_is_noted_and_ends_nothing() -> None:
    found, unread = read({queries.CONSTRAINTS: refused(), RELATIONS: [TABLE]})
    assert unread == ["cannot read constraints: permission denied"]
    assert [table.name for table in found.tables] == [A]


def test_sizes_are_left_out_where_a_table_is_locked() -> None:
    def relations(params: t.Any) -> list[dict[str, t.Any]]:
        if params["sizes"]:
            raise refused("55P03")
        return [TABLE]

    found, unread = read({RELATIONS: relations})
    assert (found.locked, len(found.tables), unread) == (True, 1, [])


def test_rows_matter_on_a_target_and_extensions_rows_on_the_origin() -> None:
    answers = {
        queries.NOT_EMPTY_FILES: [{"schema": "public", "name": "a"}],
        "WHERE EXISTS (SELECT FROM ONLY": [{"number": 0}],
        "e.extconfig": [{"extension": "own", "schema": "public", "name": "b", "condition": ""}],
        "pg_catalog.count(*) FROM": [{"count": 3}],
    }
    origin, _unread = read(answers)
    assert (origin.filled, [one.rows for one in origin.extension_rows]) == (frozenset(), [3])
    target, _unread = read(answers, origin=False)
    assert (target.filled, target.extension_rows) == ({A}, ())


def test_syncs_by_name_where_bucardo_has_its_list_and_by_trigger_else() -> None:
    by_name = {queries.ENROLLED_BY_NAME: [{"sync": "shop", "tables": 3}]}
    by_trigger = {queries.ENROLLED_BY_TRIGGER: [{"sync": "shop", "tables": 2}]}
    found, _unread = read({**by_name, **by_trigger})
    assert found.enrolled == {"shop": 2}
    has = {queries.DATABASE: [{**DATABASE, "has_bucardo": True, "bucardo_relations": 9}]}
    found, _unread = read({**by_name, **by_trigger, **has})
    assert found.enrolled == {"shop": 3}

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a master's database holds."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._common.errors import Refused, StatementFailed
from ..._common.names import TableName
from ..._ledger import ledger, membership, own_objects
from ..._postgres import locks, pg, sql
from ..._postgres.catalog import read_tables
from ..._postgres.tables import Table
from ..._sequences import read as sequences_read
from ..._sequences.facts import Survey
from ..._tracking import read as tracking_read
from ..._tracking import shed
from ..._tracking.enrolled import Found
from ..._tracking.plan import DELTA_TRIGGER
from ..facts import (
    BadExpression,
    CheckCall,
    Database,
    ExtensionRows,
    ForeignKey,
    Seed,
    Transaction,
    Trigger,
    Wanted,
)
from . import keys, needs, queries, rows, trials
from .reader import Reader

# Each table of such a query is locked until its end.
_TABLES_PER_QUERY = 500


def read_database(reader: Reader, dbname: str, wanted: Wanted, origin: bool) -> Database:
    """The database of a session.

    :param origin: rows of its own matter on the origin, rows that are in the way on a target.
    """
    session = reader.session
    row = session.row(queries.DATABASE) or {}
    tables, locked = _read_tables(session)
    seed = reader.attempt("the seed's ledger", lambda: _read_seed(session, wanted.dbgroup), None)
    return Database(
        name=dbname,
        bytes=int(row["bytes"]),
        encoding=row["encoding"],
        locale=(row["collate"], row["ctype"], row["provider"], row["provider_locale"]),
        tables=tuple(tables),
        sequences=reader.attempt("the sequences", lambda: _read_sequences(session), Survey()),
        large_objects=row["large_objects"],
        transactions=_read_transactions(reader, tables, wanted),
        bucardo_relations=row["bucardo_relations"],
        has_bucardo=row["has_bucardo"],
        is_control=row["is_control"],
        enrolled=_read_enrolled(reader, row["has_bucardo"]),
        seed=seed,
        found=_read_found(reader, tables, row["bucardo_relations"]),
        locked=locked,
        shed=_read_shed(reader, wanted),
        foreign=tuple(own_objects.foreign(session, wanted.bucardo_user)),
        **_read_structure(reader),
        **_read_inheritance(reader),
        **_read_others(reader),
        refused_ddl=_refused_ddl(reader),
        **(_of_origin(reader, tables, wanted) if origin else _of_target(reader, seed)),
    )


def _read_tables(session: pg.Session) -> tuple[list[Table], bool]:
    """All tables, and whether their sizes are missing since something is locked."""
    try:
        return read_tables(session), False
    except StatementFailed as error:
        if error.sqlstate != pg.LOCK_NOT_AVAILABLE:
            raise
        return read_tables(session, sizes=False), True


def _read_structure(reader: Reader) -> dict[str, t.Any]:
    """Constraints and triggers."""
    foreign_keys, exclusions = [], []
    for found in reader.rows("constraints", queries.CONSTRAINTS):
        if found["type"] == "x":
            exclusions.append((_table(found), found["name"]))
        else:
            referenced = TableName(found["other_schema"], found["other"])
            foreign_keys.append(ForeignKey(found["name"], _table(found), referenced))
    triggers = (
        Trigger(
            _table(found), found["name"], found["enabled"], found["function_schema"], found["kind"]
        )
        for found in reader.rows("triggers", queries.TRIGGERS)
    )
    return {
        "foreign_keys": tuple(foreign_keys),
        "exclusions": tuple(exclusions),
        "triggers": tuple(triggers),
    }


def _table(row: dict[str, t.Any]) -> TableName:
    """The table of a row, taken out of it."""
    return TableName(row.pop("schema"), row.pop("table"))


def _read_inheritance(reader: Reader) -> dict[str, t.Any]:
    children: dict[TableName, TableName] = {}
    partitions: dict[TableName, TableName] = {}
    for found in reader.rows("inheritance", queries.INHERITS):
        relation = partitions if found["is_partition"] else children
        relation[_table(found)] = TableName(found["parent_schema"], found["parent"])
    return {"children": children, "partitions": partitions}


def _read_others(reader: Reader) -> dict[str, t.Any]:
    """Other replication, event triggers, extensions and tablespaces."""
    others: dict[str, list[tuple[str, str, str]]] = {}
    what = "publications, extensions and event triggers"
    for found in reader.rows(what, queries.OTHER_REPLICATION):
        entry = (found["name"], found["schema"], found["table"])
        others.setdefault(found["what"], []).append(entry)
    published: dict[TableName, tuple[str, ...]] = {}
    for publication, schema, table in others.get("published", []):
        name = TableName(schema, table)
        published[name] = (*published.get(name, ()), publication)
    session = reader.session
    all_tables: list[TableName] = [
        TableName(row["schema"], row["table"])
        for row in (
            reader.rows("published tables", queries.TABLES_OF_USERS) if "all" in others else ()
        )
    ]
    refused: dict[TableName, str] = {}
    return {
        "refused_changes": reader.attempt(
            "whether published rows can be deleted",
            lambda: trials.refused_changes(session, sorted({*published, *all_tables})),
            refused,
        ),
        "extensions": {name: version for name, version, _none in others.get("extension", [])},
        "event_triggers": tuple(entry[0] for entry in others.get("event trigger", [])),
        "publications_of_all": tuple(entry[0] for entry in others.get("all", [])),
        "published": published,
        "subscribed": frozenset(
            TableName(schema, table) for _none, schema, table in others.get("subscribed", [])
        ),
        "tablespaces": {
            found["name"]: found["relations"]
            for found in reader.rows("tablespaces", queries.TABLESPACES)
        },
    }


def _read_transactions(
    reader: Reader, tables: t.Sequence[Table], wanted: Wanted
) -> tuple[Transaction, ...]:
    by_oid = {table.oid: table.name for table in tables}
    params = {
        "modes": locks.CONFLICTS[locks.SHARE_ROW_EXCLUSIVE],
        "user": wanted.bucardo_user,
        "age": wanted.max_transaction_age,
    }
    found = []
    for row in reader.rows("transactions", queries.TRANSACTIONS, params):
        locked = tuple(sorted(by_oid[oid] for oid in row["locked"] if oid in by_oid))
        found.append(Transaction(**{**row, "locked": locked}))
    return tuple(found)


def _refused_ddl(reader: Reader) -> str:
    """Only where somebody may have forbidden it."""
    session = reader.session
    if not session.value(queries.MAY_REFUSE_DDL):
        return ""
    return reader.attempt("what can be made", lambda: trials.refused_ddl(session), "")


def _of_origin(reader: Reader, tables: t.Sequence[Table], wanted: Wanted) -> dict[str, t.Any]:
    """What a copy of the origin's rows leaves behind, or may stumble over."""
    session = reader.session
    kept: tuple[ExtensionRows, ...] = ()
    calls: tuple[CheckCall, ...] = ()
    bad: tuple[BadExpression, ...] = ()
    return {
        "extension_rows": reader.attempt(
            "rows in tables of extensions", lambda: rows.extension_rows(session), kept
        ),
        "check_calls": reader.attempt(
            "what CHECK constraints call", lambda: rows.check_calls(session), calls
        ),
        "needs": needs.read_needs(reader),
        **keys.read_keys(reader, tables, wanted),
        "bad_expressions": reader.attempt(
            "expressions of indexes", lambda: trials.bad_expressions(session), bad
        ),
    }


def _of_target(reader: Reader, seed: Seed | None) -> dict[str, t.Any]:
    """Rows that are in the way."""
    session, known = reader.session, _vouched(seed)
    filled: frozenset[TableName] = frozenset()
    return {
        "filled": reader.attempt(
            "which tables are empty", lambda: _read_filled(session, known), filled
        )
    }


def _read_seed(session: pg.Session, dbgroup: str) -> Seed:
    enrolled = frozenset(TableName(**row) for row in session.rows(queries.QUEUED, (DELTA_TRIGGER,)))
    seed = Seed(ledger.identity(session), ledger.place(session), enrolled=enrolled)
    try:
        epoch = membership.epoch_of(session, dbgroup)
        return dataclasses.replace(seed, epoch=epoch, entries=ledger.entries(session))
    except Refused:
        # What somebody else made is not believed; a check names it.
        return seed


def _read_found(
    reader: Reader, tables: t.Sequence[Table], relations: int
) -> dict[TableName, Found]:
    """How tables are enrolled; nothing where Bucardo has nothing."""
    if not relations:
        return {}
    names = [table.name for table in tables if table.kind == "r"]
    return reader.attempt(
        "how tables are enrolled", lambda: tracking_read.read(reader.session, names), {}
    )


def _read_shed(reader: Reader, wanted: Wanted) -> dict[TableName, str]:
    session, nothing = reader.session, ()
    marks: tuple[shed.Shed, ...] = reader.attempt(
        "which tables were shed", lambda: shed.read(session, wanted.sync), nothing
    )
    return {one.table: one.since for one in marks}


def _vouched(seed: Seed | None) -> set[TableName]:
    """Tables of which the ledger speaks, as far as this master alone can tell."""
    if seed is None:
        return set()
    return {
        name
        for name, entry in seed.entries.items()
        if entry.epoch == seed.epoch and entry.target in (None, seed.place)
    }


def _read_sequences(session: pg.Session) -> Survey:
    try:
        survey = sequences_read.read(session)
    except Refused:
        # A ledger that somebody else made is a finding of its own.
        return Survey()
    # What is shared out already stays, whatever is stored.
    new = [name for name, sequence in survey.sequences.items() if not sequence.share]
    return sequences_read.with_stored(session, survey, new)


def _read_enrolled(reader: Reader, has_names: bool) -> dict[str, int]:
    rows = reader.rows("Bucardo's triggers", queries.ENROLLED_BY_TRIGGER)
    if has_names:
        rows += reader.rows("Bucardo's tables", queries.ENROLLED_BY_NAME)
    enrolled: dict[str, int] = {}
    for row in rows:
        enrolled[row["sync"]] = max(enrolled.get(row["sync"], 0), row["tables"])
    return enrolled


def _read_filled(session: pg.Session, known: t.Collection[TableName]) -> frozenset[TableName]:
    """Tables that hold rows, without those that the ledger knows.

    Only a table whose file is not empty is looked into: on a fresh target, none.
    """
    suspects = [
        name
        for name in (TableName(**row) for row in session.rows(queries.NOT_EMPTY_FILES))
        if name not in known
    ]
    filled: set[TableName] = set()
    for start in range(0, len(suspects), _TABLES_PER_QUERY):
        some = suspects[start : start + _TABLES_PER_QUERY]
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} AS number WHERE EXISTS (SELECT FROM ONLY {})").format(
                sql.Literal(number), sql.Identifier(name.schema, name.name)
            )
            for number, name in enumerate(some)
        )
        filled.update(some[number] for number in session.column(query))
    return frozenset(filled)

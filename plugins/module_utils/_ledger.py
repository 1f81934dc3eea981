# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""What was seeded into a master, in tables of that master.

A table's row commits with the table's data, so there is never a moment at which one is true and
the other is not. A table that is copied in parts gets its row before the first of them, in a state
that vouches for nothing. C(multimaster.seed_run) tells of whole runs: which is under way and how
far it is, and whether the last one came to its end.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils import (
    _own_objects,
    _pg,
    _rowhash,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName

# Several workers copy parts of it, each in its own transaction: it may hold any of the rows.
COPYING = "copying"
# Rows are in the table and proven equal to the source's, indexes may still be missing.
COPIED = "copied"
# Everything is done.
SEEDED = "seeded"

# Key of the advisory lock that a running seed holds on its target: "mmseed" as a number.
_LOCK = int.from_bytes(b"mmseed", "big")

_CREATE = """
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS multimaster;
CREATE TABLE IF NOT EXISTS multimaster.seed (
    schema_name text NOT NULL,
    table_name text NOT NULL,
    table_oid oid NOT NULL,
    state text NOT NULL CHECK (state IN ('copying', 'copied', 'seeded')),
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    hash text,
    proof text,
    format text NOT NULL,
    index_mode text NOT NULL,
    snapshot text NOT NULL,
    source text NOT NULL,
    seconds double precision NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (schema_name, table_name)
);
CREATE TABLE IF NOT EXISTS multimaster.seed_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    phase text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    snapshot_at timestamptz,
    tables_total bigint NOT NULL DEFAULT 0,
    tables_done bigint NOT NULL DEFAULT 0,
    bytes_total bigint NOT NULL DEFAULT 0,
    bytes_done bigint NOT NULL DEFAULT 0,
    current_tables text[] NOT NULL DEFAULT '{}'
);
COMMENT ON SCHEMA multimaster IS 'Ledger of the Ansible collection multimaster.bucardo';
RESET client_min_messages;
"""
# For a ledger that was made before tables could be copied in parts.
_ALLOW_COPYING = """
ALTER TABLE multimaster.seed DROP CONSTRAINT IF EXISTS seed_state_check,
    ADD CONSTRAINT seed_state_check CHECK (state IN ('copying', 'copied', 'seeded'))
"""
# For one that was made by version 1.0.0, whose sums did not tell in which row a value was.
_ADD_PROOF = """
ALTER TABLE multimaster.seed ADD COLUMN IF NOT EXISTS proof text;
UPDATE multimaster.seed SET hash = NULL WHERE proof IS NULL AND hash IS NOT NULL
"""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One seeded table.

    :param table_oid: of the table on the target; another table of that name is not seeded.
    :param bytes: as they came from the source, before conversion.
    :param hash: the sum of row hashes by which both sides were proven equal, None if not asked for.
    :param proof: how that sum was made, C(_rowhash.PROOF) today.
    :param source: identity of the source, see C(identity).
    """

    name: TableName
    table_oid: int
    state: str
    rows: int
    bytes: int
    hash: t.Optional[str]
    format: str
    index_mode: str
    snapshot: str
    source: str
    seconds: float
    proof: t.Optional[str] = None

    @property
    def proven(self) -> bool:
        """Whether the copy was proven in a way that is believed today.

        If not, it is a copy all the same, whose changes have been recorded since. What proves it
        is a comparison of the live rows.
        """
        return self.hash is not None and self.proof == _rowhash.PROOF


@dataclasses.dataclass(frozen=True)
class Run:
    """The last run of a seed into a master.

    :param active: a process is at work on it right now.
    :param finished_at: None when it is under way or was killed.
    """

    active: bool
    phase: str
    source: str
    started_at: datetime.datetime
    updated_at: datetime.datetime
    finished_at: t.Optional[datetime.datetime]
    snapshot_at: t.Optional[datetime.datetime]
    tables_total: int
    tables_done: int
    bytes_total: int
    bytes_done: int
    current_tables: t.Sequence[str]


def exists(session: _pg.Session) -> bool:
    """Whether this master was ever the target of a seed.

    :raises Refused: when somebody else made the ledger.
    """
    found = bool(
        session.value(
            "SELECT pg_catalog.to_regclass('multimaster.seed') IS NOT NULL"
            " AND pg_catalog.to_regclass('multimaster.seed_run') IS NOT NULL"
        )
    )
    if found:
        _own_objects.require_ours(session)
    return found


def create(session: _pg.Session) -> None:
    """Make the ledger's tables where they are missing, and let them say all that they must.

    :raises Refused: when somebody else made them.
    """
    if not exists(session):
        _own_objects.require_ours(session)
        session.execute(_CREATE)
        # Somebody may have been quicker just now.
        _own_objects.require_ours(session)
        return
    if not session.value(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint"
        " WHERE conrelid = 'multimaster.seed'::regclass AND conname = 'seed_state_check'"
        " AND pg_catalog.pg_get_constraintdef(oid) LIKE '%copying%')"
    ):
        session.execute(_ALLOW_COPYING)
    if not session.value(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute"
        " WHERE attrelid = 'multimaster.seed'::regclass AND attname = 'proof')"
    ):
        session.execute(_ADD_PROOF)


def identity(session: _pg.Session) -> str:
    """Which database of which cluster this is: C(system identifier/name of the database)."""
    return str(
        session.value(
            "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text"
            " || '/' || pg_catalog.current_database()"
        )
    )


def entries(session: _pg.Session) -> dict[TableName, Entry]:
    """The tables that the ledger knows; it vouches for those that are not C(COPYING).

    Entries of tables that were dropped since, or dropped and made anew, are left out.
    """
    if not exists(session):
        return {}
    found: dict[TableName, Entry] = {}
    for row in session.rows(
        "SELECT s.schema_name, s.table_name, s.table_oid::bigint AS table_oid, s.state, s.rows,"
        "       s.bytes, s.hash, s.format, s.index_mode, s.snapshot, s.source, s.seconds,"
        # Ledgers of version 1.0.0 have no such column.
        "       pg_catalog.to_jsonb(s) ->> 'proof' AS proof"
        "  FROM multimaster.seed s"
        "  JOIN pg_catalog.pg_class c ON c.oid = s.table_oid AND c.relname = s.table_name"
        "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s.schema_name"
    ):
        name = TableName(row.pop("schema_name"), row.pop("table_name"))
        found[name] = Entry(name=name, **row)
    return found


def is_copying(session: _pg.Session, oid: int) -> bool:
    """Whether this table is being copied in parts; locks its entry until the transaction ends.

    With the lock, an answer is not overtaken by a proof that is just being committed.
    """
    return bool(
        session.value(
            "SELECT true FROM multimaster.seed WHERE table_oid = %s::oid AND state = %s FOR UPDATE",
            (oid, COPYING),
        )
    )


def forget(session: _pg.Session, oids: t.Sequence[int]) -> None:
    """No longer vouch for these tables: their changes are not recorded any more."""
    if oids and exists(session):
        session.execute(
            "DELETE FROM multimaster.seed WHERE table_oid = ANY(%s::oid[])", (list(oids),)
        )


def forget_names(session: _pg.Session, names: t.Collection[TableName]) -> None:
    """The same by name, on a master that may have other tables than the one that decides."""
    if names and exists(session):
        session.execute(
            "DELETE FROM multimaster.seed WHERE (schema_name, table_name) IN"
            " (SELECT s, t FROM pg_catalog.json_to_recordset(%s) AS n (s text, t text))",
            (json.dumps([{"s": name.schema, "t": name.name} for name in names]),),
        )


def vouches(found: t.Mapping[TableName, Entry], names: t.Collection[TableName]) -> bool:
    """Whether each of the tables, and at least one, is seeded to the end (pure)."""
    return bool(names) and all(name in found and found[name].state == SEEDED for name in names)


def record(entries_: t.Sequence[Entry]) -> t.Any:
    """A statement that enters these tables.

    Run it in the transaction that loads them; for C(COPYING), before the first one that does.
    """
    sql = _pg.sql
    values = sql.SQL(", ").join(
        sql.SQL("({})").format(
            sql.SQL(", ").join(
                sql.Literal(value)
                for value in (
                    entry.name.schema,
                    entry.name.name,
                    entry.table_oid,
                    entry.state,
                    entry.rows,
                    entry.bytes,
                    entry.hash,
                    entry.proof,
                    entry.format,
                    entry.index_mode,
                    entry.snapshot,
                    entry.source,
                    entry.seconds,
                )
            )
        )
        for entry in entries_
    )
    columns = (
        "schema_name, table_name, table_oid, state, rows, bytes, hash, proof, format, index_mode,"
        " snapshot, source, seconds"
    )
    update = ", ".join(f"{column} = excluded.{column}" for column in columns.split(", ")[2:])
    # Hash and proof are null in all rows or in none, and VALUES needs to know their type.
    return sql.SQL(
        f"INSERT INTO multimaster.seed ({columns})"
        " SELECT v.schema_name, v.table_name, v.table_oid::oid, v.state, v.rows, v.bytes,"
        " v.hash::text, v.proof::text, v.format, v.index_mode, v.snapshot, v.source, v.seconds"
        f" FROM (VALUES {{}}) AS v ({columns})"
        f" ON CONFLICT (schema_name, table_name) DO UPDATE SET {update},"
        " finished_at = pg_catalog.clock_timestamp()"
    ).format(values)


def mark_seeded(name: TableName) -> t.Any:
    """A statement that says that the table's indexes are complete as well."""
    return _pg.sql.SQL(
        "UPDATE multimaster.seed SET state = 'seeded', finished_at = pg_catalog.clock_timestamp()"
        " WHERE schema_name = {} AND table_name = {}"
    ).format(_pg.sql.Literal(name.schema), _pg.sql.Literal(name.name))


def last_run(session: _pg.Session) -> t.Optional[Run]:
    """The last run of a seed into this master, None when there was none."""
    if not exists(session):
        return None
    row = session.row(
        "SELECT phase, source, started_at, updated_at, finished_at, snapshot_at,"
        "       tables_total, tables_done, bytes_total, bytes_done, current_tables,"
        "       EXISTS (SELECT 1 FROM pg_catalog.pg_locks l"
        "                WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        "                  AND l.database = (SELECT oid FROM pg_catalog.pg_database"
        "                                     WHERE datname = pg_catalog.current_database())"
        "                  AND (l.classid::bigint << 32 | l.objid::bigint) = %s) AS active"
        "  FROM multimaster.seed_run ORDER BY id DESC LIMIT 1",
        (_LOCK,),
    )
    return Run(**row) if row else None


def is_complete(session: _pg.Session) -> bool:
    """Whether a seed into this master has come to its end and none was begun after it."""
    run = last_run(session)
    return run is not None and run.finished_at is not None


def was_complete(session: _pg.Session) -> bool:
    """Whether a seed into this master has ever come to its end, so that it may be in use."""
    return exists(session) and bool(
        session.value(
            "SELECT EXISTS (SELECT 1 FROM multimaster.seed_run WHERE finished_at IS NOT NULL)"
        )
    )


def is_unfinished(session: _pg.Session) -> bool:
    """Whether a seed into this master is under way or was killed.

    Indexes may be invalid then, and pg_dump leaves invalid indexes out.
    """
    run = last_run(session)
    return run is not None and run.finished_at is None


def lock(session: _pg.Session) -> bool:
    """Try to be the only seed of this master, as long as the session lives."""
    return bool(session.value("SELECT pg_catalog.pg_try_advisory_lock(%s)", (_LOCK,)))


def begin_run(session: _pg.Session, source: str, tables: int, bytes_: int) -> int:
    """Start a run, or go on with the one that was killed; returns its id."""
    found = session.value(
        "UPDATE multimaster.seed_run"
        "   SET phase = 'start', source = %(source)s, tables_total = %(tables)s, tables_done = 0,"
        "       bytes_total = %(bytes)s, bytes_done = 0, updated_at = pg_catalog.clock_timestamp()"
        " WHERE id = (SELECT max(id) FROM multimaster.seed_run) AND finished_at IS NULL"
        " RETURNING id",
        {"source": source, "tables": tables, "bytes": bytes_},
    )
    if found is None:
        found = session.value(
            "INSERT INTO multimaster.seed_run (source, phase, tables_total, bytes_total)"
            " VALUES (%s, 'start', %s, %s) RETURNING id",
            (source, tables, bytes_),
        )
    return int(found)


def update_run(session: _pg.Session, run: int, **values: t.Any) -> None:
    """Note how far the run is. Keywords are columns of multimaster.seed_run."""
    sql = _pg.sql
    session.execute(
        sql.SQL(
            "UPDATE multimaster.seed_run SET {}, updated_at = pg_catalog.clock_timestamp()"
            " WHERE id = {}"
        ).format(
            sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column))
                for column in values
            ),
            sql.Placeholder("run"),
        ),
        {**values, "run": run},
    )


def finish_run(session: _pg.Session, run: int) -> None:
    """Close the run. This commit waits for the disk, and with it all earlier ones are safe."""
    session.execute(
        "SET synchronous_commit = on;"
        " UPDATE multimaster.seed_run SET phase = 'finished', current_tables = '{}',"
        " finished_at = pg_catalog.clock_timestamp(), updated_at = pg_catalog.clock_timestamp()"
        " WHERE id = %s",
        (run,),
    )

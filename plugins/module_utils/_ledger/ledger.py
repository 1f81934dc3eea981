# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seeded into a master, in tables of that master.

A table's row commits with the table's data, so there is never a moment at which one is true and
the other is not. A table that is copied in parts gets its row before the first of them, in a state
that vouches for nothing. `multimaster.seed_run` tells of whole runs: which is under way and how
far it is, and whether the last one came to its end.
"""

from __future__ import annotations

import json
import typing as t

from .._common.names import TableName
from .._postgres import pg, sql
from . import own_objects
from .states import (
    COPYING,
    Entry,
    Run,
)

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
    source_oid oid,
    target text,
    epoch text,
    how text NOT NULL DEFAULT 'copied',
    seen text,
    seen_here text,
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
# For a ledger of 1.0.0: it knew neither whose copy exactly an entry speaks of nor of membership.
_ADD_COLUMNS = """
ALTER TABLE multimaster.seed ADD COLUMN IF NOT EXISTS source_oid oid,
    ADD COLUMN IF NOT EXISTS target text,
    ADD COLUMN IF NOT EXISTS epoch text,
    ADD COLUMN IF NOT EXISTS how text NOT NULL DEFAULT 'copied'
"""
# For one that was made by version 1.0.0, whose sums did not tell in which row a value was.
_ADD_PROOF = """
ALTER TABLE multimaster.seed ADD COLUMN IF NOT EXISTS proof text;
UPDATE multimaster.seed SET hash = NULL WHERE proof IS NULL AND hash IS NOT NULL
"""
_ADD_SEEN = """
ALTER TABLE multimaster.seed ADD COLUMN IF NOT EXISTS seen text,
    ADD COLUMN IF NOT EXISTS seen_here text
"""


def exists(session: pg.Session) -> bool:
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
        own_objects.require_ours(session)
    return found


def create(session: pg.Session) -> None:
    """Make the ledger's tables where they are missing, and let them say all that they must.

    :raises Refused: when somebody else made them.
    """
    if not exists(session):
        own_objects.require_ours(session)
        session.execute(_CREATE)
        # Somebody may have been quicker just now.
        own_objects.require_ours(session)
        return
    for column, statement in (("proof", _ADD_PROOF), ("how", _ADD_COLUMNS), ("seen", _ADD_SEEN)):
        if not session.value(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute"
            " WHERE attrelid = 'multimaster.seed'::regclass AND attname = %s)",
            (column,),
        ):
            session.execute(statement)


def identity(session: pg.Session) -> str:
    """Which database of which cluster this is: `system identifier/OID/name of the database`.

    A database that was dropped and restored keeps its name, but not its OID.
    """
    return str(
        session.value(
            "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text"
            " || '/' || oid || '/' || datname"
            "  FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
        )
    )


def place(session: pg.Session) -> str:
    """The same with the timeline: a server that was restored to an earlier time, or promoted
    while it lagged, holds what it held then, its ledger included."""
    timeline = "0"
    if not session.value("SELECT pg_catalog.pg_is_in_recovery()"):
        # pg_control_checkpoint() still tells the old one for a while after a promotion.
        timeline = session.value(
            "SELECT pg_catalog.substr("
            "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)"
        )
    return f"{timeline}/{identity(session)}"


def entries(session: pg.Session) -> dict[TableName, Entry]:
    """The tables that the ledger knows; it vouches for those that are not `COPYING`.

    Entries of tables that were dropped since, or dropped and made anew, are left out.
    """
    if not exists(session):
        return {}
    found: dict[TableName, Entry] = {}
    for row in session.rows(
        "SELECT s.schema_name, s.table_name, s.table_oid::bigint AS table_oid, s.state, s.rows,"
        "       s.bytes, s.hash, s.format, s.index_mode, s.snapshot, s.source, s.seconds,"
        "       s.finished_at,"
        # A ledger of 1.0.0 lacks these, and who only reads does not add them.
        "       j.seed ->> 'proof' AS proof,"
        "       (j.seed ->> 'source_oid')::bigint AS source_oid, j.seed ->> 'target' AS target,"
        "       j.seed ->> 'epoch' AS epoch, COALESCE(j.seed ->> 'how', 'copied') AS how,"
        "       j.seed ->> 'seen' AS seen, j.seed ->> 'seen_here' AS seen_here"
        "  FROM multimaster.seed s"
        " CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(s) AS seed) j"
        "  JOIN pg_catalog.pg_class c ON c.oid = s.table_oid AND c.relname = s.table_name"
        "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s.schema_name"
    ):
        name = TableName(row.pop("schema_name"), row.pop("table_name"))
        found[name] = Entry(name=name, **row)
    return found


def is_copying(session: pg.Session, oid: int) -> bool:
    """Whether this table is being copied in parts; locks its entry until the transaction ends.

    With the lock, an answer is not overtaken by a proof that is just being committed.
    """
    return bool(
        session.value(
            "SELECT true FROM multimaster.seed WHERE table_oid = %s::oid AND state = %s FOR UPDATE",
            (oid, COPYING),
        )
    )


def forget(session: pg.Session, oids: t.Sequence[int]) -> None:
    """No longer vouch for these tables: their changes are not recorded any more."""
    if oids and exists(session):
        session.execute(
            "DELETE FROM multimaster.seed WHERE table_oid = ANY(%s::oid[])", (list(oids),)
        )


def forget_names(session: pg.Session, names: t.Collection[TableName]) -> None:
    """The same by name, on a master that may have other tables than the one that decides."""
    if names and exists(session):
        session.execute(
            "DELETE FROM multimaster.seed WHERE (schema_name, table_name) IN"
            " (SELECT s, t FROM pg_catalog.json_to_recordset(%s) AS n (s text, t text))",
            (json.dumps([{"s": name.schema, "t": name.name} for name in names]),),
        )


def vouched(session: pg.Session) -> set[TableName]:
    """Today's names of the tables of which the ledger speaks, whatever they were called then, and
    of those that were made anew under a name that it knows."""
    if not exists(session):
        return set()
    rows = session.rows(
        "SELECT n.nspname AS schema, c.relname AS name FROM multimaster.seed s"
        "  JOIN pg_catalog.pg_class c"
        "    ON c.oid = s.table_oid OR c.relname = s.table_name AND c.relkind = 'r'"
        "  JOIN pg_catalog.pg_namespace n"
        "    ON n.oid = c.relnamespace AND (c.oid = s.table_oid OR n.nspname = s.schema_name)"
        " WHERE s.state <> %s",
        (COPYING,),
    )
    return {TableName(**row) for row in rows}


def distrust(session: pg.Session, names: t.Collection[TableName]) -> None:
    """No longer vouch for these tables: a change of some master may have been missed.

    They stay known as tables whose rows were the source's once, so that they are compared and not
    taken for a stranger's. What is half copied stays known as that.
    """
    if not names or not exists(session):
        return
    create(session)
    given = json.dumps([{"s": name.schema, "t": name.name} for name in names])
    tables = (
        " FROM pg_catalog.json_to_recordset(%s) AS g (s text, t text)"
        " JOIN pg_catalog.pg_namespace n ON n.nspname = g.s"
        " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = g.t"
    )
    with session.transaction():
        # The name is now that of a table which the ledger knows under another one.
        session.execute(
            f"DELETE FROM multimaster.seed e USING (SELECT g.s, g.t, c.oid{tables}) w"
            " WHERE e.schema_name = w.s AND e.table_name = w.t AND e.table_oid <> w.oid"
            "   AND EXISTS (SELECT FROM multimaster.seed o WHERE o.table_oid = w.oid)",
            (given,),
        )
        session.execute(
            "UPDATE multimaster.seed e SET schema_name = w.s, table_name = w.t,"
            f"  table_oid = w.oid, source_oid = 0 FROM (SELECT g.s, g.t, c.oid{tables}) w"
            " WHERE e.state <> %s AND (e.table_oid = w.oid"
            "        OR e.schema_name = w.s AND e.table_name = w.t)",
            (given, COPYING),
        )


# What an entry is in the table, with the type of values that may be null in all rows.
_RECORDED = {
    "table_oid": "oid",
    "state": "text",
    "rows": "bigint",
    "bytes": "bigint",
    "hash": "text",
    "proof": "text",
    "format": "text",
    "index_mode": "text",
    "snapshot": "text",
    "source": "text",
    "seconds": "double precision",
    "source_oid": "oid",
    "target": "text",
    "epoch": "text",
    "how": "text",
    "seen": "text",
    "seen_here": "text",
}


def record(entries_: t.Sequence[Entry]) -> t.Any:
    """A statement that enters these tables.

    Run it in the transaction that loads them; for `COPYING`, before the first one that does.
    """
    values = sql.SQL(", ").join(
        sql.SQL("({})").format(
            sql.SQL(", ").join(
                map(
                    sql.Literal,
                    (
                        entry.name.schema,
                        entry.name.name,
                        *(getattr(entry, column) for column in _RECORDED),
                    ),
                )
            )
        )
        for entry in entries_
    )
    columns = ", ".join(("schema_name", "table_name", *_RECORDED))
    typed = ", ".join(f"v.{column}::{kind}" for column, kind in _RECORDED.items())
    update = ", ".join(f"{column} = excluded.{column}" for column in _RECORDED)
    return sql.SQL(
        f"INSERT INTO multimaster.seed ({columns})"
        f" SELECT v.schema_name, v.table_name, {typed} FROM (VALUES {{}}) AS v ({columns})"
        f" ON CONFLICT (schema_name, table_name) DO UPDATE SET {update},"
        " finished_at = pg_catalog.clock_timestamp()"
    ).format(values)


def readdress(session: pg.Session, entries_: t.Sequence[Entry]) -> None:
    """Let entries speak of these sides; what they tell of the copy stays as it is."""
    columns = {name: _RECORDED[name] for name in ("source", "source_oid", "target", "epoch")}
    changes = ", ".join(f"{name} = v.{name}::{kind}" for name, kind in columns.items())
    arrays = ", ".join("%s::text[]" for _name in ("schema", "table", *columns))
    rows = [
        (entry.name.schema, entry.name.name, *(getattr(entry, name) for name in columns))
        for entry in entries_
    ]
    session.execute(
        f"UPDATE multimaster.seed s SET {changes} FROM unnest({arrays})"
        f" AS v (schema_name, table_name, {', '.join(columns)})"
        " WHERE s.schema_name = v.schema_name AND s.table_name = v.table_name",
        [[None if value is None else str(value) for value in column] for column in zip(*rows)],
    )


def seeded_in(session: pg.Session, run: int) -> list[TableName]:
    """Tables that were finished since a run began, by whichever of its processes or restarts."""
    rows = session.rows(
        "SELECT schema_name, table_name FROM multimaster.seed s JOIN multimaster.seed_run r"
        " ON r.id = %s AND s.finished_at >= r.started_at",
        (run,),
    )
    return [TableName(row["schema_name"], row["table_name"]) for row in rows]


def mark_seeded(name: TableName) -> t.Any:
    """A statement that says that the table's indexes are complete as well."""
    return sql.SQL(
        "UPDATE multimaster.seed SET state = 'seeded', finished_at = pg_catalog.clock_timestamp()"
        " WHERE schema_name = {} AND table_name = {}"
    ).format(sql.Literal(name.schema), sql.Literal(name.name))


def last_run(session: pg.Session) -> t.Optional[Run]:
    """The last run of a seed into this master, None when there was none."""
    if not exists(session):
        return None
    row = session.row(
        "SELECT phase, source, started_at, updated_at, finished_at,"
        "       tables_total, tables_done, bytes_total, bytes_done, current_tables,"
        "       (SELECT min(finished_at) FROM multimaster.seed_run) AS first_finished_at,"
        "       EXISTS (SELECT 1 FROM pg_catalog.pg_locks l"
        "                WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        "                  AND l.database = (SELECT oid FROM pg_catalog.pg_database"
        "                                     WHERE datname = pg_catalog.current_database())"
        "                  AND (l.classid::bigint << 32 | l.objid::bigint) = %s) AS active"
        "  FROM multimaster.seed_run ORDER BY id DESC LIMIT 1",
        (_LOCK,),
    )
    return Run(**row) if row else None


def is_complete(session: pg.Session) -> bool:
    """Whether a seed into this master has come to its end and none was begun after it."""
    run = last_run(session)
    return run is not None and run.finished_at is not None


def was_complete(session: pg.Session) -> bool:
    """Whether a seed into this master has ever come to its end, so that it may be in use."""
    return exists(session) and bool(
        session.value(
            "SELECT EXISTS (SELECT 1 FROM multimaster.seed_run WHERE finished_at IS NOT NULL)"
        )
    )


def lock(session: pg.Session) -> bool:
    """Try to be the only seed of this master, as long as the session lives."""
    return bool(session.value("SELECT pg_catalog.pg_try_advisory_lock(%s)", (_LOCK,)))


def begin_run(session: pg.Session, source: str, tables: int, bytes_: int) -> int:
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


def update_run(session: pg.Session, run: int, **values: t.Any) -> None:
    """Note how far the run is. Keywords are columns of multimaster.seed_run."""
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


def note_snapshot(session: pg.Session, run: int) -> None:
    """Note that the source holds a snapshot from now on, and the copy begins."""
    session.execute(
        "UPDATE multimaster.seed_run SET phase = 'copy', updated_at = pg_catalog.clock_timestamp(),"
        " snapshot_at = pg_catalog.clock_timestamp() WHERE id = %s",
        (run,),
    )


def finish_run(session: pg.Session, run: int) -> None:
    """Close the run. This commit waits for the disk, and with it all earlier ones are safe."""
    session.execute(
        "SET synchronous_commit = on;"
        " UPDATE multimaster.seed_run SET phase = 'finished', current_tables = '{}',"
        " finished_at = pg_catalog.clock_timestamp(), updated_at = pg_catalog.clock_timestamp()"
        " WHERE id = %s",
        (run,),
    )

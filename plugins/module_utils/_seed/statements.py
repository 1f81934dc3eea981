# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements by which a seed copies, proves and finishes tables (pure)."""

from __future__ import annotations

import typing as t

from .._common.names import TableName
from .._postgres import sql
from . import constraints
from .plan import BINARY, Job, Part

# Tables whose sums one statement takes: the time to plan it grows faster than their number.
_UNION = 50

# Keep writers out, and let readers read.
NO_WRITERS = "SHARE ROW EXCLUSIVE"
# Keep everybody out.
NOBODY = "ACCESS EXCLUSIVE"


def _only(names: t.Iterable[TableName]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.relation(name)) for name in names)


# --- the source ---------------------------------------------------------------------------------


def enter_snapshot(snapshot: str, jobs: t.Sequence[Job]) -> sql.Composable:
    """Begin a transaction that sees what an exported snapshot sees, and lock its tables.

    Returns the file of each table (0 for one that is gone): an old snapshot sees nothing of the
    rows of a table that was truncated or rewritten later.
    """
    return sql.SQL(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {};"
        " LOCK TABLE {} IN ACCESS SHARE MODE;"
        " SELECT o.oid::bigint AS oid,"
        "        COALESCE(pg_catalog.pg_relation_filenode(o.oid), 0)::bigint AS filenode"
        "   FROM unnest({}::bigint[]::oid[]) AS o (oid)"
    ).format(
        sql.Literal(snapshot),
        _only(job.name for job in jobs),
        sql.Literal([job.source.oid for job in jobs]),
    )


def copy_out(job: Job, part: Part | None) -> sql.Composable:
    """Read a table, or a part of it."""
    if part is None:
        return _copy(job, _with_columns(job), "TO STDOUT")
    query = sql.SQL("(SELECT {} FROM {}{})").format(
        sql.columns(job.columns), _only([job.name]), within(part)
    )
    return _copy(job, query, "TO STDOUT")


def copy_in(job: Job) -> sql.Composable:
    """Write a table, or a part of it."""
    return _copy(job, _with_columns(job), "FROM STDIN")


def _copy(job: Job, what: sql.Composable, direction: str) -> sql.Composable:
    options = " (FORMAT binary)" if job.format == BINARY else ""
    return sql.SQL("COPY {} {}").format(what, sql.SQL(direction + options))


def _with_columns(job: Job) -> sql.Composable:
    # COPY t () is an error, COPY t of a table without columns is not.
    if not job.columns:
        return sql.relation(job.name)
    return sql.SQL("{} ({})").format(sql.relation(job.name), sql.columns(job.columns))


def within(part: Part) -> sql.Composable:
    """The rows of a part: a row version that a snapshot sees never leaves its block."""
    first, end = part
    condition = sql.SQL(" WHERE ctid >= {}::pg_catalog.tid").format(sql.Literal(f"({first},0)"))
    if end is None:
        return condition
    return condition + sql.SQL(" AND ctid < {}::pg_catalog.tid").format(sql.Literal(f"({end},0)"))


def sums(
    aggregates: t.Sequence[tuple[int, sql.Composable]], part: Part | None = None
) -> list[sql.Composable]:
    """Statements for count and sum of row hashes of several tables, or of a part of one.

    :param aggregates: the job's number, and what `rowhash.aggregate` made for its table.
    """
    lines = [
        sql.SQL("SELECT {} AS job, s.rows, s.hash FROM ({}{}) AS s").format(
            sql.Literal(number),
            aggregate,
            # The aggregate ends with its FROM.
            sql.SQL("") if part is None else within(part),
        )
        for number, aggregate in aggregates
    ]
    # Text of reg* types depends on search_path, and the load before it needed the database's.
    path = sql.SQL("SET search_path TO pg_catalog; ")
    return [
        path + sql.SQL(" UNION ALL ").join(lines[start : start + _UNION])
        for start in range(0, len(lines), _UNION)
    ]


# --- the target, before and after rows come in --------------------------------------------------


def lock(names: t.Iterable[TableName], mode: str) -> sql.Composable:
    """Lock tables without their children."""
    return sql.SQL(f"LOCK TABLE {{}} IN {mode} MODE").format(_only(names))


def empty(name: TableName, referenced: bool) -> sql.Composable:
    """Remove a table's rows.

    :param referenced: foreign keys of other tables point here, for which TRUNCATE is refused.
    """
    how = "DELETE FROM {}" if referenced else "TRUNCATE {}"
    return sql.SQL(how).format(_only([name]))


def with_rows(tables: t.Iterable[tuple[int, TableName]]) -> sql.Composable:
    """Ask for the OIDs of those tables that hold rows."""
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} AS oid WHERE EXISTS (SELECT 1 FROM {})").format(
            sql.Literal(oid), _only([name])
        )
        for oid, name in tables
    )


def clear_queue(queue: str) -> sql.Composable:
    """Remove what a table of Bucardo's holds."""
    return sql.SQL("DELETE FROM {}").format(sql.Identifier("bucardo", queue))


def vacuum(name: TableName) -> sql.Composable:
    """Remove dead rows of a table."""
    return sql.SQL("VACUUM {}").format(sql.relation(name))


def before(job: Job) -> list[sql.Composable]:
    """Get a table out of the load's way; undone by `after` before the commit."""
    drops = [sql.SQL("DROP INDEX {}").format(sql.relation(index.name)) for index in job.recreate]
    return [*without_triggers(job), *drops]


def without_triggers(job: Job) -> list[sql.Composable]:
    """Those that fire for a seed too must not."""
    return [
        sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(
            sql.relation(job.name), sql.Identifier(name)
        )
        for name, _kind in job.state.always_triggers
    ]


def with_triggers(job: Job) -> list[sql.Composable]:
    """They fire again."""
    words = {"A": "ALWAYS", "R": "REPLICA"}
    return [
        sql.SQL("ALTER TABLE {} ENABLE " + words[kind] + " TRIGGER {}").format(
            sql.relation(job.name), sql.Identifier(name)
        )
        for name, kind in job.state.always_triggers
    ]


def after(job: Job) -> list[sql.Composable]:
    """Put back what `before` took away."""
    lines = with_triggers(job)
    # As pg_get_indexdef wrote them, every name quoted where needed.
    lines += [sql.SQL(index.definition) for index in job.recreate]
    if job.let_pass:
        lines += constraints.check_again(job.target.oid, job.let_pass)
    return lines


def when_locked(job: Job) -> list[sql.Composable]:
    """Like `before`, once nobody else can write into the table."""
    # Not before the table is emptied: TRUNCATE makes indexes ready as well.
    lines = [defer_indexes(job)] if job.defer else []
    if job.let_pass:
        lines += constraints.let_pass(job.target.oid, job.let_pass)
    return lines


def defer_indexes(job: Job) -> sql.Composable:
    """Let no row be entered into indexes from here on; REINDEX makes them ready again.

    Writing to pg_index tells other sessions of the index only, whose cached plans for the table
    would go on using it; writing the table's own row as it is makes them plan anew. A transaction
    that has used the table already is not told before its end, hence the lock that the caller has,
    as DROP INDEX has.
    """
    return sql.SQL(
        "UPDATE pg_catalog.pg_index SET indisvalid = false, indisready = false"
        " WHERE indexrelid = ANY ({}::bigint[]::oid[]);"
        " UPDATE pg_catalog.pg_class SET relname = relname WHERE oid = {}::oid"
    ).format(
        sql.Literal([index.oid for index in job.defer]),
        sql.Literal(job.target.oid),
    )


# --- the target, when all rows are there --------------------------------------------------------


def with_database_path(*statements: sql.Composable) -> sql.Composable:
    """Statements that may run functions which rely on the database's own path."""
    return sql.together([sql.SQL(sql.DATABASE_PATH), *statements])


def reindex(index: TableName, parallel: bool) -> sql.Composable:
    """Build an index that is not ready.

    :param parallel: the server may use helpers.
    """
    helpers = "RESET {}" if parallel else "SET {} TO 0"
    return with_database_path(
        sql.SQL(helpers).format(sql.Identifier("max_parallel_maintenance_workers")),
        sql.SQL("REINDEX INDEX {}").format(sql.relation(index)),
    )


def analyze(names: t.Iterable[TableName]) -> sql.Composable:
    """Gather statistics."""
    return with_database_path(
        sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(map(sql.relation, names)))
    )


def refresh(view: TableName) -> sql.Composable:
    """Fill a materialized view."""
    return with_database_path(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.relation(view)))

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries what the bootstrap is going to do, as far as it leaves nothing behind.

A statement is explained, which checks and plans it but runs nothing, or is rolled back.
"""

from __future__ import annotations

import typing as t

from ..._common.errors import StatementFailed
from ..._common.names import TableName
from ..._postgres import pg
from ..facts import BadExpression

# Milliseconds for one statement over rows; a table that takes longer is not looked through.
_PATIENCE = 5000
_QUERY_CANCELED = "57014"
_SCRATCH = "multimaster_preflight_trial"
# Of each kind that the bootstrap makes.
_DDL = f"""
CREATE SCHEMA {_SCRATCH};
CREATE TABLE {_SCRATCH}.t (id integer PRIMARY KEY, v text);
CREATE INDEX ON {_SCRATCH}.t (v);
CREATE FUNCTION {_SCRATCH}.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER f AFTER INSERT ON {_SCRATCH}.t FOR EACH ROW EXECUTE FUNCTION {_SCRATCH}.f();
ALTER TABLE {_SCRATCH}.t ENABLE ALWAYS TRIGGER f;
DROP SCHEMA {_SCRATCH} CASCADE
"""
# Nothing that indexes evaluate is written here, but functions that users wrote may be called.
_EXPRESSIONS = """
SELECT n.nspname::text AS schema, c.relname::text AS "table", x.relname::text AS name,
       pg_catalog.pg_get_expr(i.indexprs, i.indrelid) AS expressions,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind IN ('r', 'p', 'm')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND n.nspname !~ '^pg_'
   AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                 JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid AND f.proconfig IS NULL
                 JOIN pg_catalog.pg_language l ON l.oid = f.prolang
                      AND l.lanname NOT IN ('internal', 'c')
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                  AND d.refclassid = 'pg_catalog.pg_proc'::regclass)
 ORDER BY 1, 2, 3
"""


def _said(error: StatementFailed) -> str:
    """What PostgreSQL said, without where."""
    text = error.message.partition(": ")[2] or error.message
    detail = str(error.details.get("detail") or "")
    return f"{text} ({detail.rstrip('.')})" if detail else text


def refused_ddl(session: pg.Session) -> str:
    """Why objects as the bootstrap makes them cannot be made here, "" when they can."""
    return _rolled_back(session, *_DDL.strip().split(";\n"))


def refused_extensions(session: pg.Session, names: t.Iterable[str]) -> dict[str, str]:
    """Extensions that cannot be created here, and what PostgreSQL says."""
    refused = {}
    for name in names:
        wanted = pg.sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(
            pg.sql.Identifier(name)
        )
        # One that names no schema of its own goes into the first of the search_path.
        path = f"CREATE SCHEMA {_SCRATCH}; SET LOCAL search_path = {_SCRATCH}"
        said = _rolled_back(session, path, wanted)
        if said:
            refused[name] = said
    return refused


def known_locales(session: pg.Session, names: t.Iterable[str]) -> set[str]:
    """Locales of the C library that the server can use."""
    statement = pg.sql.SQL("CREATE COLLATION pg_temp.trial (provider = libc, locale = {})")
    return {
        name for name in names if not _rolled_back(session, statement.format(pg.sql.Literal(name)))
    }


def _rolled_back(session: pg.Session, *statements: t.Any) -> str:
    """What PostgreSQL says against some statements, of which nothing stays."""
    try:
        session.execute("BEGIN READ WRITE")
        for statement in statements:
            session.execute(statement)
    except StatementFailed as error:
        return _said(error)
    finally:
        session.execute("ROLLBACK")
    return ""


def refused_changes(session: pg.Session, names: t.Iterable[TableName]) -> dict[TableName, str]:
    """Tables whose rows cannot be deleted, and what PostgreSQL says.

    As where a publication wants old rows, and the replica identity does not give them.
    """
    refused = {}
    for name in names:
        table = pg.sql.Identifier(name.schema, name.name)
        try:
            session.execute(pg.sql.SQL("EXPLAIN DELETE FROM ONLY {}").format(table))
        except StatementFailed as error:
            refused[name] = _said(error)
    return refused


def bad_expressions(session: pg.Session) -> tuple[BadExpression, ...]:
    """Indexes that cannot be built with an empty search_path, as a restored dump has.

    Planning does what building over an empty table does: it looks into functions in SQL. One row
    tells what functions in other languages do.
    """
    found = []
    session.execute(f"SET statement_timeout = {_PATIENCE}")
    for row in session.rows(_EXPRESSIONS):
        name = TableName(row["schema"], row["table"])
        # Both are written by the server, with every name that the empty path does not find.
        wanted = ", ".join(filter(None, (row["expressions"], row["predicate"])))
        query = pg.sql.SQL("SELECT {} FROM ONLY {} LIMIT 1").format(
            pg.sql.SQL(wanted.replace("%", "%%")), pg.sql.Identifier(name.schema, name.name)
        )
        for over_rows, verb in ((False, "EXPLAIN "), (True, "")):
            try:
                session.rows(pg.sql.SQL(verb) + query, ())
            except StatementFailed as error:
                if error.sqlstate != _QUERY_CANCELED:
                    said = _said(error)
                    found.append(BadExpression(name, row["name"], said, over_rows))
                break
    session.execute("SET statement_timeout = 0")
    return tuple(found)


def backslashes(
    session: pg.Session, columns: t.Mapping[TableName, t.Sequence[str]]
) -> dict[TableName, bool | None]:
    """Of each table whether one of these columns holds a backslash, None if it takes too long."""
    sql = pg.sql
    queries = {}
    for name, some in columns.items():
        held = sql.SQL(" OR ").join(
            sql.SQL("pg_catalog.strpos({}::text, pg_catalog.chr(92)) > 0").format(
                sql.Identifier(column)
            )
            for column in some
        )
        queries[name] = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {} WHERE {})").format(
            sql.Identifier(name.schema, name.name), held
        )
    return _in_time(session, queries)


_Asked = t.TypeVar("_Asked")


def _in_time(session: pg.Session, queries: t.Mapping[_Asked, t.Any]) -> dict[_Asked, bool | None]:
    found: dict[_Asked, bool | None] = {}
    if not queries:
        return found
    session.execute(f"SET statement_timeout = {_PATIENCE}")
    for asked, query in queries.items():
        try:
            found[asked] = bool(session.value(query))
        except StatementFailed as error:
            if error.sqlstate not in (_QUERY_CANCELED, pg.LOCK_NOT_AVAILABLE):
                raise
            found[asked] = None
    session.execute("SET statement_timeout = 0")
    return found

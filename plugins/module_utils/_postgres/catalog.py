# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a master's catalogs into the model."""

from __future__ import annotations

from .._common.names import TableName
from .pg import Session
from .tables import BUCARDO_SCHEMA, OWN_SCHEMA, Column, Index, Table

# Bucardo keeps three tables for each one that it replicates; nobody here asks for them.
_LEFT_OUT = ["information_schema", BUCARDO_SCHEMA, OWN_SCHEMA]
# Whole catalogs in three round trips, whatever the number of tables.
_RELATIONS = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
       c.relpersistence AS persistence, c.reltuples::bigint AS rows, c.relispartition,
       c.relrowsecurity OR c.relforcerowsecurity AS row_security,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS quoted,
       CASE WHEN %(sizes)s AND c.relkind IN ('r', 'm')
            THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END AS bytes,
       COALESCE((SELECT e.extname FROM pg_catalog.pg_depend d
                   JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                    AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
                  LIMIT 1), '') AS extension
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm', 'f')
   AND n.nspname !~ '^pg_' AND n.nspname <> ALL (%(left_out)s)
"""
_COLUMNS = """
SELECT a.attrelid::bigint AS oid, a.attname AS name,
       -- A constraint that is NOT VALID (PostgreSQL 18) leaves nulls where they are.
       a.attnotnull AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_constraint v
          WHERE v.conrelid = a.attrelid AND v.contype = 'n' AND NOT v.convalidated
            AND v.conkey[1] = a.attnum) AS not_null,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.atttypid::bigint AS type_oid,
       a.attidentity AS identity, a.attgenerated AS generated,
       COALESCE((SELECT l.collname FROM pg_catalog.pg_collation l
                  WHERE l.oid = a.attcollation), '') AS collation
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm', 'f')
   AND n.nspname !~ '^pg_' AND n.nspname <> ALL (%(left_out)s)
 ORDER BY a.attrelid, a.attnum
"""
_INDEXES = """
SELECT i.indrelid::bigint AS oid, x.relname AS name, i.indisunique AS is_unique,
       i.indisprimary AS is_primary, i.indisvalid AND i.indisready AS is_valid,
       i.indpred IS NOT NULL AS partial, m.amname AS method,
       CASE WHEN i.indexprs IS NULL
            THEN ARRAY(SELECT a.attname::text
                         FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, position)
                         JOIN pg_catalog.pg_attribute a
                           ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                        WHERE k.position <= i.indnkeyatts
                        ORDER BY k.position)
            ELSE '{}' END AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm')
   AND n.nspname !~ '^pg_' AND n.nspname <> ALL (%(left_out)s)
 ORDER BY i.indrelid, x.relname
"""


def is_superuser(session: Session) -> bool:
    """Whether the login may do everything."""
    return bool(
        session.value("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
    )


def read_tables(session: Session, sizes: bool = True) -> list[Table]:
    """All relations of the database that hold users' rows, sorted by name.

    Temporary tables of other sessions are left out, as are the schemas of the system, Bucardo and
    this collection.

    :param sizes: also read sizes in bytes, which costs some file-system calls per table.
    """
    columns: dict[int, list[Column]] = {}
    for row in session.rows(_COLUMNS, {"left_out": _LEFT_OUT}):
        oid = row.pop("oid")
        columns.setdefault(oid, []).append(Column(**row))
    indexes: dict[int, list[Index]] = {}
    for row in session.rows(_INDEXES, {"left_out": _LEFT_OUT}):
        indexes.setdefault(row["oid"], []).append(
            Index(
                name=row["name"],
                columns=tuple(row["columns"]),
                unique=row["is_unique"],
                primary=row["is_primary"],
                valid=row["is_valid"],
                partial=row["partial"],
                method=row["method"],
            )
        )
    tables = [
        Table(
            name=TableName(row["schema"], row["name"]),
            oid=row["oid"],
            kind=row["kind"],
            persistence=row["persistence"],
            columns=tuple(columns.get(row["oid"], ())),
            indexes=tuple(indexes.get(row["oid"], ())),
            bytes=row["bytes"],
            rows=row["rows"],
            extension=row["extension"],
            is_partition=row["relispartition"],
            has_row_security=row["row_security"],
            quoted=row["quoted"],
        )
        for row in session.rows(_RELATIONS, {"left_out": _LEFT_OUT, "sizes": sizes})
    ]
    return sorted(tables, key=lambda table: table.name)

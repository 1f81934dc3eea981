# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what of a schema a copy of its tables' rows does not bring along, or may stumble over."""

from __future__ import annotations

from ..._common.names import TableName
from ..._postgres import pg, sql
from ..facts import CheckCall, ExtensionRows

# As pg_dump reads it: the tables that an extension marked, each with its condition.
_CONFIGURATION = """
SELECT e.extname::text AS extension, n.nspname::text AS schema, c.relname::text AS name,
       COALESCE(e.extcondition[m.position], '') AS condition
  FROM pg_catalog.pg_extension e
 CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) WITH ORDINALITY AS m (oid, position)
  JOIN pg_catalog.pg_class c ON c.oid = m.oid AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1, 2, 3
"""
# Functions of extensions, and those of PostgreSQL that are immutable, look at nothing else. What
# a constraint uses of the latter is only in its tree.
_CHECK_CALLS = """
WITH calls (oid, function) AS (
    SELECT d.objid, f.oid::regprocedure::text
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid
      JOIN pg_catalog.pg_language l ON l.oid = f.prolang AND l.lanname NOT IN ('internal', 'c')
     WHERE d.classid = 'pg_catalog.pg_constraint'::regclass
       AND d.refclassid = 'pg_catalog.pg_proc'::regclass AND NOT EXISTS (
           SELECT 1 FROM pg_catalog.pg_depend x
            WHERE x.classid = 'pg_catalog.pg_proc'::regclass AND x.objid = f.oid
              AND x.deptype = 'e')
    UNION
    SELECT k.oid, f.oid::regprocedure::text
      FROM pg_catalog.pg_constraint k
     CROSS JOIN LATERAL pg_catalog.regexp_matches(
           k.conbin::text, ':(?:func|opfunc)id (\\d+)', 'g') AS m (id)
      JOIN pg_catalog.pg_proc f ON f.oid = m.id[1]::oid
     WHERE k.contype = 'c' AND f.oid < 16384 AND f.provolatile <> 'i'
    UNION
    SELECT k.oid, 'the clock or the role (CURRENT_...)'
      FROM pg_catalog.pg_constraint k
     WHERE k.contype = 'c' AND k.conbin::text ~ '{SQLVALUEFUNCTION'
), tables (oid, relation) AS (
    SELECT k.oid, k.conrelid FROM pg_catalog.pg_constraint k WHERE k.conrelid <> 0
    UNION
    SELECT k.oid, a.attrelid
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_type t ON k.contypid IN (t.oid, t.typelem)
      JOIN pg_catalog.pg_attribute a ON a.atttypid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE k.contypid <> 0
)
SELECT n.nspname::text AS schema, c.relname::text AS name, k.conname::text AS constraint, function
  FROM calls
  JOIN tables USING (oid)
  JOIN pg_catalog.pg_constraint k ON k.oid = calls.oid AND k.contype = 'c'
  JOIN pg_catalog.pg_class c ON c.oid = tables.relation AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1, 2, 3, 4
"""


def extension_rows(session: pg.Session) -> tuple[ExtensionRows, ...]:
    """Rows in tables of extensions that pg_dump would dump, since users put them there."""
    found = []
    for row in session.rows(_CONFIGURATION):
        # The condition is SQL of the extension's own script, e.g. "WHERE srid > 900000".
        query = sql.SQL("SELECT pg_catalog.count(*) FROM {} ").format(
            sql.Identifier(row["schema"], row["name"])
        ) + sql.SQL(row["condition"].replace("%", "%%"))
        count = int(session.value(query, ()) or 0)
        if count:
            name = TableName(row["schema"], row["name"])
            found.append(ExtensionRows(row["extension"], name, count))
    return tuple(found)


def check_calls(session: pg.Session) -> tuple[CheckCall, ...]:
    """CHECK constraints, of domains too, that may look at more than the row that they check."""
    return tuple(
        CheckCall(TableName(row["schema"], row["name"]), row["constraint"], row["function"])
        for row in session.rows(_CHECK_CALLS)
    )

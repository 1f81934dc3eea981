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
# Functions of extensions and of PostgreSQL itself look at nothing else.
_CHECK_CALLS = """
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name, k.conname::text AS constraint,
       f.oid::regprocedure::text AS function
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_constraint'::regclass
       AND d.objid = k.oid AND d.refclassid = 'pg_catalog.pg_proc'::regclass
  JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid
  JOIN pg_catalog.pg_language l ON l.oid = f.prolang AND l.lanname NOT IN ('internal', 'c')
 WHERE k.contype = 'c' AND NOT EXISTS (
       SELECT 1 FROM pg_catalog.pg_depend x
        WHERE x.classid = 'pg_catalog.pg_proc'::regclass AND x.objid = f.oid AND x.deptype = 'e')
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
    """CHECK constraints that call functions which users wrote."""
    return tuple(
        CheckCall(TableName(row["schema"], row["name"]), row["constraint"], row["function"])
        for row in session.rows(_CHECK_CALLS)
    )

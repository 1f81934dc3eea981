# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a database as an object of its server, and creates one."""

from __future__ import annotations

from .._common.errors import Refused, StatementFailed
from . import sql
from .database import DatabaseSpec, Grant, create_statement
from .pg import Session
from .roles import parse_settings

# SQLSTATE that CREATE DATABASE gives for a locale that the system does not have
_WRONG_OBJECT_TYPE = "42809"
_INVALID_PARAMETER = "22023"

# to_jsonb because columns of pg_database differ: the provider came with 15, its rules with 16,
# and 17 renamed daticulocale to datlocale.
_READ = """
SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate, d.datctype AS ctype,
       COALESCE(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       COALESCE(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '') AS locale,
       COALESCE(to_jsonb(d) ->> 'daticurules', '') AS icu_rules,
       s.spcname AS tablespace, d.datconnlimit AS connection_limit,
       COALESCE(pg_catalog.shobj_description(d.oid, 'pg_database'), '') AS comment,
       d.datacl IS NULL AS default_grants,
       COALESCE((SELECT r.setconfig FROM pg_catalog.pg_db_role_setting r
                  WHERE r.setdatabase = d.oid AND r.setrole = 0), '{}') AS settings
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace
 WHERE d.datname = %s
"""
_GRANTS = """
SELECT COALESCE(r.rolname, '') AS grantee, a.privilege_type AS privilege,
       bool_or(a.is_grantable) AS grantable
  FROM pg_catalog.pg_database d
 CROSS JOIN LATERAL
       pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE d.datname = %s
 GROUP BY 1, 2
"""
_ROLE_SETTINGS = """
SELECT r.rolname AS role, s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s
  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 WHERE d.datname = %s
 ORDER BY r.rolname
"""


def read_database(session: Session, name: str) -> DatabaseSpec | None:
    """The server's database of this name, or None."""
    row = session.row(_READ, (name,))
    if row is None:
        return None
    settings = tuple(sorted(parse_settings(row.pop("settings"))))
    return DatabaseSpec(
        settings=settings,
        grants=frozenset(Grant(**grant) for grant in session.rows(_GRANTS, (name,))),
        role_settings=tuple(
            (found["role"], tuple(sorted(parse_settings(found["settings"]))))
            for found in session.rows(_ROLE_SETTINGS, (name,))
        ),
        **row,
    )


def create(session: Session, database: DatabaseSpec, name: str) -> sql.Composable:
    """Create a database like the given one, without its properties; returns the statement."""
    statement = create_statement(database, name, session.server_version)
    try:
        session.execute(statement)
    except StatementFailed as error:
        if error.sqlstate in (_WRONG_OBJECT_TYPE, _INVALID_PARAMETER) and "locale" in str(error):
            raise Refused(
                f"The system of {session.conninfo.name} lacks the locale of database"
                f" {database.name} ({database.collate}, {database.ctype}): {error.message}",
                "Install it there (locale-gen) and restart PostgreSQL.",
            ) from error
        raise
    return statement

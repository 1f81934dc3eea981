# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the roles of a server, and changes them."""

from __future__ import annotations

from . import sql
from .catalog import is_superuser
from .pg import Session
from .roles import Role, RoleMembership, RolePlan, Roles, parse_settings, statements

_READ = """
SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit,
       r.rolcreaterole AS create_role, r.rolcreatedb AS create_db, r.rolcanlogin AS login,
       r.rolreplication AS replication, r.rolbypassrls AS bypass_rls,
       r.rolconnlimit AS connection_limit,
       CASE WHEN r.rolvaliduntil IS NULL THEN ''
            WHEN isfinite(r.rolvaliduntil)
            THEN to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'
            ELSE r.rolvaliduntil::text END AS valid_until,
       COALESCE(pg_catalog.shobj_description(r.oid, 'pg_authid'), '') AS comment,
       COALESCE((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s
                  WHERE s.setrole = r.oid AND s.setdatabase = 0), '{{}}') AS settings,
       {password} AS password, r.oid = 10 AS bootstrap
  FROM pg_catalog.{catalog} r
 ORDER BY r.rolname
"""
# Several grantors may have granted the same since PostgreSQL 16; the target gets the sum.
_MEMBERSHIPS = """
SELECT g.rolname AS "group", m.rolname AS member, bool_or(a.admin_option) AS admin,
       bool_or((to_jsonb(a) ->> 'inherit_option')::boolean) AS inherit,
       bool_or((to_jsonb(a) ->> 'set_option')::boolean) AS set_role
  FROM pg_catalog.pg_auth_members a
  JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
  JOIN pg_catalog.pg_roles m ON m.oid = a.member
 GROUP BY g.rolname, m.rolname
"""
# The bootstrap superuser is pinned, so pg_shdepend does not mention it.
_NEEDED = """
SELECT r.rolname FROM pg_catalog.pg_roles r
 WHERE r.oid = (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = %(db)s)
    OR r.oid IN (SELECT s.refobjid
                   FROM pg_catalog.pg_shdepend s
                   JOIN pg_catalog.pg_database d ON d.datname = %(db)s
                  WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass
                    AND (s.dbid = d.oid
                         OR (s.classid = 'pg_catalog.pg_database'::regclass AND s.objid = d.oid)))
    OR r.oid IN (SELECT s.setrole
                   FROM pg_catalog.pg_db_role_setting s
                   JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = %(db)s)
"""


def read_roles(session: Session, dbname: str = "") -> Roles:
    """Read all roles of a server.

    :param dbname: the database whose owners and grantees are `needed`.
    """
    readable = session.value("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')")
    composed = sql.SQL(_READ).format(
        password=sql.SQL("r.rolpassword" if readable else "NULL"),
        catalog=sql.Identifier("pg_authid" if readable else "pg_roles"),
    )
    roles = {}
    for row in session.rows(composed):
        settings = tuple(sorted(parse_settings(row.pop("settings"))))
        roles[row["name"]] = Role(settings=settings, **row)
    memberships = tuple(sorted(RoleMembership(**row) for row in session.rows(_MEMBERSHIPS)))
    needed = session.column(_NEEDED, {"db": dbname}) if dbname else []
    return Roles(roles, memberships, frozenset(needed), bool(readable))


def apply(session: Session, steps: RolePlan) -> None:
    """Carry the plan out in one transaction."""
    if not steps.changes:
        return
    with session.transaction():
        if is_superuser(session):
            session.hide_from_log()
        for statement in statements(steps, session.server_version):
            session.execute(statement)

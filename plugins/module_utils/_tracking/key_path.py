# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The search_path with which Bucardo finds the operators of keys.

It compares keys without naming an operator's schema (DELETE ... WHERE (key) IN (...)), with the
search_path that its role has in the database. For a key whose type belongs to an extension outside
of it that would fail at the first change, and with it the sync.
"""

from __future__ import annotations

import re
import typing as t

from .._postgres import pg, sql

DEFAULT = ("$user", "public")

# What is set for a role in a database goes before what is set for the role, then the database.
_PATH = """
SELECT pg_catalog.substr(c, 13) AS path
  FROM pg_catalog.pg_db_role_setting s
 CROSS JOIN pg_catalog.unnest(s.setconfig) c
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 WHERE c ~ '^search_path='
   AND (s.setrole = 0 OR r.rolname = %(role)s)
   AND (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_catalog.pg_database
                                               WHERE datname = pg_catalog.current_database()))
 ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC
 LIMIT 1
"""


def read(session: pg.Session, role: str) -> tuple[str, ...]:
    """The schemas of the role's search_path in this database."""
    path = session.value(_PATH, {"role": role})
    return DEFAULT if path is None else parse(str(path))


def parse(text: str) -> tuple[str, ...]:
    """The names in a search_path as PostgreSQL keeps it (pure)."""
    found = re.findall(r'"((?:[^"]|"")*)"|([^",\s]+)', text)
    return tuple(quoted.replace('""', '"') or plain for quoted, plain in found)


def lacking(path: t.Sequence[str], schemas: t.Iterable[str]) -> tuple[str, ...]:
    """The schemas that are not in the path (pure); pg_catalog always is."""
    return tuple(sorted({*schemas} - {*path, "pg_catalog"}))


def extend(session: pg.Session, role: str, schemas: t.Sequence[str]) -> None:
    """Append schemas to the role's search_path in this database; sessions to come have it."""
    database = session.value("SELECT pg_catalog.current_database()")
    session.execute(
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(
            sql.Identifier(role),
            sql.Identifier(database),
            sql.SQL(", ").join(map(sql.Identifier, (*read(session, role), *schemas))),
        )
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Constraints that a table's rows have passed on the origin, and need not pass again (pure).

Old rows may break a constraint that is NOT VALID, and one that reads other tables, the clock or a
setting says something else today. So they are not checked while the origin's rows come in, within
the one transaction that loads them, and stay as they were cloned. Dropping them and adding them
again would change their marks and comments, and is refused for what a partition inherits.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._postgres import sql

# Constraints that are not enforced exist since then; before, COPY looks at the number of CHECKs
# that pg_class says a table has.
_ENFORCED_SINCE = 180000

# Constraints of the domains that are anywhere in a column, and those of tables.
# A doubtful one need not say today what it said when a row was written: it is NOT VALID, or uses
# functions of users, or some that depend on more than their arguments. Dependencies on the system's
# own functions are not recorded, hence the look into the tree.
_READ = """
WITH RECURSIVE walk (root, type) AS (
    SELECT a.attrelid, a.atttypid FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = ANY (%(oids)s::bigint[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT w.root, p.part
      FROM walk w
      JOIN pg_catalog.pg_type t ON t.oid = w.type AND t.oid >= 16384
     CROSS JOIN LATERAL (
           SELECT t.typbasetype
            UNION ALL SELECT t.typelem
            UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
                       WHERE t.typtype = 'c' AND a.attrelid = t.typrelid
                         AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r
                       WHERE t.oid IN (r.rngtypid{multirange})
           ) p (part)
     WHERE p.part <> 0
), mine (root, oid) AS (
    SELECT k.conrelid, k.oid FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = ANY (%(oids)s::bigint[]::oid[]) AND k.contype IN ('c', 'n')
    UNION
    SELECT w.root, k.oid FROM walk w JOIN pg_catalog.pg_constraint k ON k.contypid = w.type
     WHERE w.type >= 16384 AND k.contype = 'c'
)
SELECT m.root::bigint AS table_oid, k.oid::bigint AS oid, k.contypid::bigint AS domain,
       COALESCE(k.conkey[1], 0)::integer AS column, k.contype = 'n' AS not_null,
       NOT k.convalidated AS not_valid,
       NOT k.convalidated
       OR k.conbin::text ~ 'SQLVALUEFUNCTION|COERCEVIAIO|CURRENTOFEXPR'
       OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                   WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = k.oid
                     AND d.refclassid IN ('pg_catalog.pg_proc'::regclass,
                                          'pg_catalog.pg_operator'::regclass))
       OR EXISTS (SELECT 1
                    FROM pg_catalog.regexp_matches(k.conbin::text,
                                                   ':(?:func|opfunc)id (\\d+)', 'g') AS f (id)
                    JOIN pg_catalog.pg_proc p ON p.oid = f.id[1]::oid
                   WHERE p.provolatile <> 'i') AS doubtful
  FROM mine m
  JOIN pg_catalog.pg_constraint k ON k.oid = m.oid
 WHERE {enforced}
 ORDER BY 1, 2
"""


@dataclasses.dataclass(frozen=True)
class Constraints:
    """Those of a table of the target, and of the domains in it.

    :param checks: OIDs of its CHECK constraints.
    :param domains: doubtful constraints of domains: their OIDs and their domains'.
    :param not_null: numbers of columns that are NOT NULL, but NOT VALID.
    :param doubtful: some of them need not say today what they said when a row was written.
    :param marked: the server knows constraints that are not enforced.
    """

    checks: tuple[int, ...] = ()
    domains: tuple[tuple[int, int], ...] = ()
    not_null: tuple[int, ...] = ()
    doubtful: bool = False
    marked: bool = False


NONE = Constraints()
Found = t.Dict[int, Constraints]


def query(server_version: int) -> str:
    """`_READ` for a server of this version."""
    return _READ.format(
        multirange=", r.rngmultitypid" if server_version >= 140000 else "",
        enforced="k.conenforced" if server_version >= _ENFORCED_SINCE else "true",
    )


def of_rows(rows: t.Iterable[t.Mapping[str, t.Any]], server_version: int) -> Found:
    """What the query returned."""
    found: Found = {}
    for row in rows:
        old = found.get(row["table_oid"], Constraints(marked=server_version >= _ENFORCED_SINCE))
        found[row["table_oid"]] = _with(old, row)
    return found


def _with(old: Constraints, row: t.Mapping[str, t.Any]) -> Constraints:
    if row["domain"]:
        # Others are checked: tables that share a domain would wait for each other.
        if not row["doubtful"]:
            return old
        return dataclasses.replace(
            old, domains=(*old.domains, (row["oid"], row["domain"])), doubtful=True
        )
    if row["not_null"]:
        if not row["not_valid"]:
            return old
        return dataclasses.replace(old, not_null=(*old.not_null, row["column"]), doubtful=True)
    return dataclasses.replace(
        old, checks=(*old.checks, row["oid"]), doubtful=old.doubtful or row["doubtful"]
    )


def let_pass(table: int, found: Constraints) -> list[sql.Composable]:
    """Check nothing of these within this transaction; undone by `check_again` before its end."""
    lines = _switch_checks(table, found, on=False)
    if found.domains:
        # Of no type meanwhile; it is unique together with the constraint's name.
        lines.append(
            sql.SQL(
                "UPDATE pg_catalog.pg_constraint SET contypid = oid"
                " WHERE oid = ANY ({}::bigint[]::oid[])"
            ).format(sql.Literal([constraint for constraint, _domain in found.domains]))
        )
    return lines


def check_again(table: int, found: Constraints) -> list[sql.Composable]:
    """Put back what `let_pass` took away."""
    lines = _switch_checks(table, found, on=True)
    if found.domains:
        lines.append(
            sql.SQL(
                "UPDATE pg_catalog.pg_constraint SET contypid = d.domain::oid"
                "  FROM ROWS FROM (pg_catalog.unnest({}::bigint[]),"
                "                  pg_catalog.unnest({}::bigint[]))"
                "       AS d (oid, domain)"
                " WHERE pg_constraint.oid = d.oid::oid"
            ).format(*(sql.Literal(list(oids)) for oids in zip(*found.domains)))
        )
    return lines


def _switch_checks(table: int, found: Constraints, on: bool) -> list[sql.Composable]:
    lines: list[sql.Composable] = []
    if found.checks and found.marked:
        lines.append(
            sql.SQL(
                "UPDATE pg_catalog.pg_constraint SET conenforced = {}"
                " WHERE oid = ANY ({}::bigint[]::oid[])"
            ).format(sql.Literal(on), sql.Literal(list(found.checks)))
        )
    if found.checks:
        # Written as it is where marks do: then it only tells sessions to look anew.
        number = sql.Literal(len(found.checks) if on else 0)
        value = sql.SQL("relchecks") if found.marked else number
        lines.append(
            sql.SQL("UPDATE pg_catalog.pg_class SET relchecks = {} WHERE oid = {}::oid").format(
                value, sql.Literal(table)
            )
        )
    if found.not_null:
        lines.append(
            sql.SQL(
                "UPDATE pg_catalog.pg_attribute SET attnotnull = {}"
                " WHERE attrelid = {}::oid AND attnum = ANY ({}::integer[])"
            ).format(sql.Literal(on), sql.Literal(table), sql.Literal(list(found.not_null)))
        )
    return lines

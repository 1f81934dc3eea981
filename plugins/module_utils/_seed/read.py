# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads from the servers what a seed's plan is made of."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import StatementFailed
from .._common.names import TableName
from .._postgres import pg
from .._postgres.tables import Table
from . import constraints as seed_constraints
from . import target as seed_target
from .plan import IndexFacts, PairState, TypeFacts

# So many tables are looked into by one statement.
_CHUNK = 500

_TYPES = """
WITH RECURSIVE walk (root, type) AS (
    SELECT DISTINCT a.atttypid, a.atttypid
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE a.attnum > 0 AND NOT a.attisdropped
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION
    SELECT w.root, p.part
      FROM walk w
      JOIN pg_catalog.pg_type t ON t.oid = w.type
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
)
SELECT w.root::bigint AS oid,
       bool_or(t.oid < 16384 AND t.typname ~ '^reg') AS by_oid,
       bool_or(t.typsend::oid = 0 OR t.typreceive::oid = 0) AS no_binary,
       bool_or(t.oid >= 16384) AS user_defined,
       COALESCE(array_agg(DISTINCT e.extname || ' ' || e.extversion)
                FILTER (WHERE e.oid IS NOT NULL), '{{}}') AS extensions
  FROM walk w
  JOIN pg_catalog.pg_type t ON t.oid = w.type
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 GROUP BY w.root
"""
_STATES = """
SELECT c.oid::bigint AS oid,
       COALESCE(pg_catalog.pg_relation_filenode(c.oid), 0)::bigint AS filenode,
       CASE WHEN %(sizes)s THEN COALESCE(pg_catalog.pg_relation_size(c.oid), 0) ELSE 0 END AS bytes,
       EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t
                WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_delta'
                  AND t.tgenabled IN ('O', 'A')) AS queues,
       ARRAY(SELECT ARRAY[t.tgname::text, t.tgenabled::text] FROM pg_catalog.pg_trigger t
              WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
              ORDER BY t.tgname) AS always_triggers
  FROM pg_catalog.pg_class c
 WHERE c.oid = ANY (%(oids)s::bigint[]::oid[])
"""
_INDEXES = """
SELECT i.indrelid::bigint AS table_oid, i.indexrelid::bigint AS oid, n.nspname AS schema,
       x.relname AS name, m.amname AS method, i.indisvalid AND i.indisready AS valid,
       CASE WHEN %(definitions)s THEN pg_catalog.pg_get_indexdef(i.indexrelid) ELSE '' END
           AS definition,
       NOT i.indisprimary AND NOT i.indisclustered AND NOT i.indisreplident
       AND x.reltablespace = 0
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid)
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_description e
                        WHERE e.classoid = 'pg_catalog.pg_class'::regclass
                          AND e.objoid = i.indexrelid)
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_class'::regclass
                          AND d.objid = i.indexrelid AND d.deptype IN ('e', 'x'))
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = i.indexrelid AND COALESCE(a.attstattarget, -1) >= 0)
           AS plain,
       EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                  AND d.refclassid IN ('pg_catalog.pg_proc'::regclass,
                                       'pg_catalog.pg_operator'::regclass)
                  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                                   WHERE e.classid = d.refclassid AND e.objid = d.refobjid
                                     AND e.deptype = 'e')) AS late
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
  JOIN pg_catalog.pg_am m ON m.oid = x.relam
 WHERE i.indrelid = ANY (%(oids)s::bigint[]::oid[])
 ORDER BY pg_catalog.pg_relation_size(i.indexrelid) DESC, x.relname
"""
_MATERIALIZED = """
WITH RECURSIVE views AS (
    SELECT c.oid, c.relkind FROM pg_catalog.pg_class c WHERE c.relkind IN ('v', 'm')
), uses (view, used) AS (
    SELECT DISTINCT r.ev_class, d.refobjid
      FROM pg_catalog.pg_rewrite r
      JOIN pg_catalog.pg_depend d
        ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
     WHERE r.ev_class IN (SELECT oid FROM views)
), reach (view, used) AS (
    SELECT view, used FROM uses
    UNION
    SELECT r.view, u.used FROM reach r JOIN uses u ON u.view = r.used
)
SELECT n.nspname AS schema, c.relname AS name, c.relispopulated AS populated,
       ARRAY(SELECT ARRAY[un.nspname::text, u.relname::text]
               FROM reach r
               JOIN pg_catalog.pg_class u ON u.oid = r.used AND u.relkind = 'm'
               JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace
              WHERE r.view = c.oid) AS depends,
       ARRAY(WITH RECURSIVE below (oid) AS (
                 SELECT r.used FROM reach r WHERE r.view = c.oid
                 UNION
                 SELECT h.inhrelid FROM below b JOIN pg_catalog.pg_inherits h ON h.inhparent = b.oid
             )
             SELECT ARRAY[un.nspname::text, u.relname::text]
               FROM below b
               JOIN pg_catalog.pg_class u ON u.oid = b.oid AND u.relkind = 'r'
               JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace) AS reads
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


def read_type_facts(session: pg.Session) -> dict[int, TypeFacts]:
    """What binary COPY must know of every column type in use, by OID."""
    multirange = ", r.rngmultitypid" if session.server_version >= 140000 else ""
    facts = {}
    for row in session.rows(_TYPES.format(multirange=multirange)):
        row["extensions"] = frozenset(row["extensions"])
        oid = row.pop("oid")
        facts[oid] = TypeFacts(**row)
    return facts


def read_states(
    source: pg.Session,
    target: pg.Session | None,
    pairs: t.Sequence[tuple[Table, Table | None]],
    half: t.Collection[TableName],
    doubts: t.Mapping[TableName, str],
) -> dict[TableName, PairState]:
    """What else the two servers say about these pairs of tables, before any change.

    :param half: those that the target's ledger calls half copied.
    :param doubts: why the ledger does not vouch for them.
    """
    here = _states(source, [table.oid for table, _ignored in pairs], False)
    targets = [table for _ignored, table in pairs if table is not None]
    there = _states(target, [table.oid for table in targets], True) if target else {}
    filled = [table for table in targets if there.get(table.oid, {}).get("bytes")]
    filled_oids = with_rows(target, filled) if target else set()
    states = {}
    for table, other in pairs:
        row = here.get(table.oid, {"filenode": 0, "queues": False})
        state = PairState(filenode=row["filenode"], queues=row["queues"], target_queues=False)
        if other is not None and other.oid in there:
            found = there[other.oid]
            state = PairState(
                filenode=row["filenode"],
                queues=row["queues"],
                target_queues=found["queues"],
                has_rows=other.oid in filled_oids,
                target_bytes=found["bytes"],
                half=table.name in half,
                doubt=doubts.get(table.name, ""),
                always_triggers=tuple((name, kind) for name, kind in found["always_triggers"]),
            )
        states[table.name] = state
    return states


def with_constraints(
    target: pg.Session, states: t.Mapping[TableName, PairState], tables: t.Sequence[Table]
) -> dict[TableName, PairState]:
    """The same, and which constraints of the target are not checked while rows come in.

    :param tables: of the target.
    """
    query = seed_constraints.query(target.server_version)
    rows = target.rows(query, {"oids": [table.oid for table in tables]})
    found = seed_constraints.of_rows(rows, target.server_version)
    oids = {table.name: table.oid for table in tables}
    return {
        name: dataclasses.replace(state, constraints=found[oids[name]])
        if oids.get(name) in found
        else state
        for name, state in states.items()
    }


def _states(session: pg.Session, oids: t.Sequence[int], sizes: bool) -> dict[int, t.Any]:
    rows = session.rows(_STATES, {"oids": list(oids), "sizes": sizes})
    return {row["oid"]: row for row in rows}


def with_rows(session: pg.Session, tables: t.Sequence[Table]) -> set[int]:
    """OIDs of those tables that hold visible rows."""
    found: set[int] = set()
    for start in range(0, len(tables), _CHUNK):
        found |= seed_target.with_rows(session, tables[start : start + _CHUNK])
    return found


def read_sizes(
    session: pg.Session, tables: t.Sequence[Table], lock_timeout: int
) -> dict[int, tuple[int, int]]:
    """Bytes of tables with TOAST, without indexes, and blocks of their main files, by OID.

    The size functions wait for whoever has locked a table exclusively. Where that takes longer than
    so many milliseconds, the planner's figures have to do, which know less of TOAST.
    """
    oids = [table.oid for table in tables]
    try:
        with session.transaction("READ ONLY"):
            session.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, true)", (str(lock_timeout),)
            )
            rows = session.rows(
                "SELECT o.oid, COALESCE(pg_catalog.pg_table_size(o.oid::oid), 0) AS bytes,"
                "       COALESCE(pg_catalog.pg_relation_size(o.oid::oid), 0)"
                "       / pg_catalog.current_setting('block_size')::bigint AS pages"
                "  FROM unnest(%s::bigint[]) AS o (oid)",
                (oids,),
            )
    except StatementFailed as error:
        if error.sqlstate != pg.LOCK_NOT_AVAILABLE:
            raise
        rows = session.rows(
            "SELECT c.oid::bigint AS oid, (c.relpages + COALESCE(x.relpages, 0))::bigint"
            "       * pg_catalog.current_setting('block_size')::bigint AS bytes,"
            "       c.relpages::bigint AS pages"
            "  FROM pg_catalog.pg_class c"
            "  LEFT JOIN pg_catalog.pg_class x ON x.oid = c.reltoastrelid"
            " WHERE c.oid = ANY (%s::bigint[]::oid[])",
            (oids,),
        )
    return {row["oid"]: (row["bytes"], row["pages"]) for row in rows}


def read_indexes(
    session: pg.Session, tables: t.Sequence[Table], definitions: bool
) -> dict[int, list[IndexFacts]]:
    """The indexes of these tables by the table's OID, largest first.

    :param definitions: also read the statements that make them.
    """
    found: dict[int, list[IndexFacts]] = {}
    params = {"oids": [table.oid for table in tables], "definitions": definitions}
    for row in session.rows(_INDEXES, params):
        found.setdefault(row["table_oid"], []).append(
            IndexFacts(
                oid=row["oid"],
                name=TableName(row["schema"], row["name"]),
                method=row["method"],
                valid=row["valid"],
                plain=row["plain"],
                definition=row["definition"],
                late=row["late"],
            )
        )
    return found


@dataclasses.dataclass(frozen=True)
class MaterializedView:
    """A materialized view.

    :param depends: those that it reads from, directly or through views.
    :param reads: tables that it reads from, directly, through views or as partitions.
    """

    populated: bool
    depends: frozenset[TableName]
    reads: frozenset[TableName]


def read_materialized_views(session: pg.Session) -> dict[TableName, MaterializedView]:
    """All of them, by name."""
    return {
        TableName(row["schema"], row["name"]): MaterializedView(
            row["populated"],
            frozenset(TableName(schema, view) for schema, view in row["depends"]),
            frozenset(TableName(schema, table) for schema, table in row["reads"]),
        )
        for row in session.rows(_MATERIALIZED)
    }


def queued_rows(session: pg.Session) -> int:
    """How many rows Bucardo's triggers have ever queued on this server.

    From the statistics views, so that a thousand queues cost one query; up to a second old, and
    only good for differences.
    """
    return int(
        session.value(
            "SELECT COALESCE(sum(n_tup_ins), 0)::bigint FROM pg_catalog.pg_stat_all_tables"
            " WHERE schemaname = 'bucardo' AND relname LIKE 'delta!_%' ESCAPE '!'"
        )
    )


def knows_lz4(session: pg.Session) -> bool:
    """Whether long values can be compressed by lz4."""
    return bool(
        session.value(
            "SELECT 'lz4' = ANY (enumvals) FROM pg_catalog.pg_settings"
            " WHERE name = 'default_toast_compression'"
        )
    )


def others_connected(session: pg.Session) -> bool:
    """Whether somebody works with this database, besides this collection and Bucardo."""
    return bool(
        session.value(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity"
            " WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend'"
            "   AND pid <> pg_catalog.pg_backend_pid()"
            "   AND application_name NOT LIKE %s AND application_name !~ '^bucardo ')",
            (f"{pg.APPLICATION_NAME}%",),
        )
    )

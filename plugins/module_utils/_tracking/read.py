# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what tables have of Bucardo's on a master: one round trip for all of them."""

from __future__ import annotations

import json
import typing as t

from .._common.names import TableName, delta_suffix
from .._postgres.pg import Session
from .enrolled import Found, Function, Trigger

# Columns of a delta table in their order, as Found.delta has them.
_DELTA_COLUMNS = """
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
         a.attname, a.atttypid::bigint, a.atttypmod, a.attcollation::bigint) ORDER BY a.attnum)
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = {delta} AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'txntime'
"""
# An index over a key has the operators by which the key is unique; btree's equality is its third.
_READ = f"""
WITH equality AS MATERIALIZED (
    SELECT oc.oid AS opclass, sn.nspname, o.oprname
      FROM pg_catalog.pg_opclass oc
      JOIN pg_catalog.pg_am ON pg_am.oid = oc.opcmethod AND pg_am.amname = 'btree'
      JOIN pg_catalog.pg_amop am
        ON am.amopfamily = oc.opcfamily AND am.amoplefttype = oc.opcintype
       AND am.amoprighttype = oc.opcintype AND am.amopstrategy = 3
      JOIN pg_catalog.pg_operator o ON o.oid = am.amopopr
      JOIN pg_catalog.pg_namespace sn ON sn.oid = o.oprnamespace
)
SELECT m.s AS schema, m.t AS name,
       (SELECT pg_catalog.json_object_agg(a.attname, pg_catalog.json_build_array(
                 a.atttypid::bigint, a.atttypmod, a.attcollation::bigint))
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND EXISTS (SELECT FROM pg_catalog.pg_index i
                        WHERE i.indrelid = c.oid AND i.indisunique
                          AND a.attnum = ANY (i.indkey::int2[]))) AS columns,
       (SELECT pg_catalog.json_agg(k.columns
                                   ORDER BY k.is_primary DESC, k.number, k.relname)
          FROM (SELECT i.indisprimary AS is_primary, i.indnkeyatts AS number, x.relname,
                       pg_catalog.json_agg(a.attname ORDER BY p.position) AS columns
                  FROM pg_catalog.pg_index i
                  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                 CROSS JOIN pg_catalog.unnest(i.indkey::int2[])
                       WITH ORDINALITY p (attnum, position)
                  JOIN pg_catalog.pg_attribute a
                    ON a.attrelid = i.indrelid AND a.attnum = p.attnum
                 -- Valid or not: a seed that was killed leaves indexes that are to be rebuilt.
                 WHERE i.indrelid = c.oid AND i.indisunique
                   AND i.indpred IS NULL AND i.indexprs IS NULL
                   AND p.position <= i.indnkeyatts
                 GROUP BY i.indexrelid, i.indisprimary, i.indnkeyatts, x.relname
                -- A NOT NULL that is NOT VALID leaves nulls where they are.
                HAVING i.indisprimary OR pg_catalog.bool_and(a.attnotnull AND NOT EXISTS (
                         SELECT FROM pg_catalog.pg_constraint v
                          WHERE v.conrelid = a.attrelid AND v.contype = 'n'
                            AND NOT v.convalidated AND v.conkey[1] = a.attnum))) k) AS keys,
       (SELECT pg_catalog.json_object_agg(e.attname,
                                          pg_catalog.json_build_array(e.nspname, e.oprname))
          FROM (SELECT DISTINCT ON (a.attname) a.attname, q.nspname, q.oprname
                  FROM pg_catalog.pg_index i
                 CROSS JOIN pg_catalog.generate_series(0, i.indnkeyatts - 1) AS p (n)
                  JOIN pg_catalog.pg_attribute a
                    ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.n]
                  JOIN equality q ON q.opclass = i.indclass[p.n]
                 WHERE i.indrelid = c.oid AND i.indisunique
                 ORDER BY a.attname, i.indisprimary DESC, i.indexrelid) e
         WHERE (e.nspname, e.oprname) <> ('pg_catalog', '=')) AS equals,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
                 g.tgname, fn.nspname || '.' || f.proname, g.tgenabled, g.tgtype,
                 pg_catalog.encode(g.tgargs, 'escape'),
                 g.tgqual IS NULL AND pg_catalog.cardinality(g.tgattr::int2[]) = 0))
          FROM pg_catalog.pg_trigger g
          JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid
          JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
         WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
           AND (g.tgname ~ '^bucardo' OR fn.nspname = 'bucardo')) AS triggers,
       ({_DELTA_COLUMNS.format(delta="d.oid")}) AS delta,
       (SELECT pg_catalog.json_agg(a.attname)
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_attribute b
            ON b.attrelid = c.oid AND b.attname = a.attname AND NOT b.attisdropped
         WHERE a.attrelid = d.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND (a.atttypid = b.atttypid
                OR EXISTS (SELECT FROM pg_catalog.pg_cast t
                            WHERE t.castsource = a.atttypid AND t.casttarget = b.atttypid
                              AND t.castcontext = 'i'))) AS grows,
       (SELECT pg_catalog.json_build_array(p.prosrc, p.prosecdef,
                                           COALESCE(p.proconfig, '{{}}'), l.lanname)
          FROM pg_catalog.pg_proc p
          JOIN pg_catalog.pg_language l ON l.oid = p.prolang
         WHERE p.pronamespace = n.oid AND p.proname = 'delta_' || m.d AND p.pronargs = 0)
         AS function,
       (SELECT pg_catalog.json_object_agg(o.relname, (
                 {_DELTA_COLUMNS.format(delta="o.oid")}))
          FROM pg_catalog.pg_trigger g
          JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = n.oid
          JOIN pg_catalog.pg_class o
            ON o.relnamespace = n.oid AND o.relname = f.proname AND o.relkind = 'r'
         WHERE g.tgrelid = c.oid AND g.tgname = 'bucardo_delta'
           AND f.proname <> 'delta_' || m.d) AS older,
       EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid) AS is_child,
       {{known}} AS is_known
  FROM pg_catalog.json_to_recordset(%(tables)s) AS m (s text, t text, d text)
  JOIN pg_catalog.pg_namespace cn ON cn.nspname = m.s
  JOIN pg_catalog.pg_class c ON c.relnamespace = cn.oid AND c.relname = m.t
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'bucardo'
  LEFT JOIN pg_catalog.pg_class d
    ON d.relnamespace = n.oid AND d.relname = 'delta_' || m.d AND d.relkind = 'r'
"""
_KNOWN = "EXISTS (SELECT FROM bucardo.bucardo_delta_targets k WHERE k.tablename = c.oid)"


def read(session: Session, names: t.Iterable[TableName]) -> dict[TableName, Found]:
    """What is there, of those of the tables that exist."""
    given = [{"s": name.schema, "t": name.name, "d": delta_suffix(name)} for name in names]
    if not given:
        return {}
    registry = session.value(
        "SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_targets') IS NOT NULL"
    )
    query = _READ.replace("{known}", _KNOWN if registry else "false")
    rows = session.rows(query, {"tables": json.dumps(given)})
    return {TableName(row["schema"], row["name"]): _found(row) for row in rows}


def _found(row: t.Mapping[str, t.Any]) -> Found:
    function = row["function"]
    return Found(
        keys=tuple(tuple(columns) for columns in row["keys"] or ()),
        columns={name: tuple(shape) for name, shape in (row["columns"] or {}).items()},
        equals={name: tuple(operator) for name, operator in (row["equals"] or {}).items()},
        triggers={
            name: Trigger(name, called, enabled, type_, _arguments(arguments), plain)
            for name, called, enabled, type_, arguments, plain in row["triggers"] or ()
        },
        delta=_columns(row["delta"]),
        grows=frozenset(row["grows"] or ()),
        function=Function(function[0], function[1], tuple(function[2]), function[3])
        if function
        else None,
        older={name: _columns(columns) or () for name, columns in (row["older"] or {}).items()},
        is_known=row["is_known"],
        is_child=row["is_child"],
    )


def _columns(found: t.Any) -> t.Any:
    """Of a delta table, as Found.delta has them."""
    return tuple((name, tuple(shape)) for name, *shape in found) if found else None


def _arguments(text: str) -> tuple[str, ...]:
    """pg_trigger.tgargs, where each argument ends with a zero byte."""
    return tuple(text.split("\\000")[:-1])

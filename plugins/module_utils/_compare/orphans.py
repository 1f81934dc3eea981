# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows whose foreign key refers to nothing.

Foreign keys are checked where a row is written, not where it is replicated. A parent that is
deleted on one master while another inserts its child leaves that child alone on all of them, where
the rows are equal and so no comparison finds anything.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._common.batches import chunks
from .._common.errors import MultimasterError
from .._common.names import TableName
from .._postgres import pg
from .._postgres.catalog import read_tables
from .._postgres.topology import Topology
from . import foreign_keys, statements
from .foreign_keys import ForeignKey, Orphans
from .sessions import SessionPerMaster

# Per round trip.
_KEYS_AT_ONCE = 50
# Those that claim to hold for all rows, of chosen tables and of the partitioned ones above them,
# whose leaves are what was chosen. PostgreSQL 18 has some that are not enforced, or of periods.
_FOREIGN_KEYS = """
WITH chosen AS (
  SELECT u.oid FROM pg_catalog.unnest(%(oids)s::oid[]) u (oid)
  UNION
  SELECT a.relid FROM pg_catalog.unnest(%(oids)s::oid[]) u (oid)
   CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(u.oid) a
)
SELECT n.nspname::text AS schema, r.relname::text AS name, r.relkind::text AS kind,
       fn.nspname::text AS parent_schema, f.relname::text AS parent, f.relkind::text AS parent_kind,
       c.conname::text AS constraint, cols.here AS columns, cols.there AS parent_columns,
       cols.operators
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
  JOIN pg_catalog.pg_class f ON f.oid = c.confrelid
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
 CROSS JOIN LATERAL (
       SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.i) AS here,
              pg_catalog.array_agg(fa.attname::text ORDER BY k.i) AS there,
              pg_catalog.array_agg(pg_catalog.format('OPERATOR(%%I.%%s)', opn.nspname, o.oprname)
                                   ORDER BY k.i) AS operators
         FROM ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey),
                         pg_catalog.unnest(c.conpfeqop)) WITH ORDINALITY AS k (here, there, op, i)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.here
         JOIN pg_catalog.pg_attribute fa ON fa.attrelid = c.confrelid AND fa.attnum = k.there
         JOIN pg_catalog.pg_operator o ON o.oid = k.op
         JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace) cols
 WHERE c.contype = 'f' AND c.convalidated AND c.conparentid = 0
   AND c.conrelid IN (SELECT oid FROM chosen) AND c.confrelid IN (SELECT oid FROM chosen)
   AND pg_catalog.to_jsonb(c) ->> 'conenforced' IS DISTINCT FROM 'false'
   AND pg_catalog.to_jsonb(c) ->> 'conperiod' IS DISTINCT FROM 'true'
 ORDER BY 1, 2, c.conname
"""


def find(topology: Topology, names: t.Collection[str], max_keys: int) -> list[Orphans]:
    """All of them, by table.

    :param names: the tables between which foreign keys count, in SQL notation.
    """
    with contextlib.closing(SessionPerMaster(topology.logins)) as crew:
        sides = crew.each(lambda _i, session: _read(session, names, max_keys))
    rows: dict[ForeignKey, dict[str, int]] = {}
    keys: dict[ForeignKey, dict[tuple[str, ...], None]] = {}
    for name, found in zip(topology.names, sides):
        for key, (count, missing) in found.items():
            rows.setdefault(key, {})[name] = count
            keys.setdefault(key, {}).update(dict.fromkeys(missing))
    return [
        Orphans(
            key, rows[key], tuple(dict(zip(key.columns, one)) for one in list(keys[key])[:max_keys])
        )
        for key in sorted(rows, key=lambda key: (key.table, key.name))
    ]


def refuse(orphans: t.Sequence[Orphans], details: t.Mapping[str, t.Any]) -> None:
    """:raises MultimasterError: where there are any, with all that is known."""
    if orphans:
        raise MultimasterError(
            "; ".join(one.text for one in orphans),
            "Write the missing rows again on one master, or change those that refer to them:"
            " either is replicated. To leave them, set foreign_keys (verify_foreign_keys) to"
            " false.",
            **details,
        )


_Missing = t.Tuple[int, t.List[t.Tuple[str, ...]]]


def _read(
    session: pg.Session, names: t.Collection[str], max_keys: int
) -> dict[ForeignKey, _Missing]:
    """Number of orphans of each foreign key that has some, and the first missing parents."""
    found: dict[ForeignKey, _Missing] = {}
    for some in chunks(_between(session, names), _KEYS_AT_ONCE):
        queries = statements.together([foreign_keys.orphans(one) for one in some])
        for row in session.rows(queries):
            if row["n"]:
                key = some[row["i"]]
                missing = session.column(foreign_keys.missing_parents(key), (max(max_keys, 1),))
                found[key] = (row["n"], [tuple(values) for values in missing])
    return found


def _between(session: pg.Session, names: t.Collection[str]) -> list[ForeignKey]:
    oids = [one.oid for one in read_tables(session, sizes=False) if str(one.name) in names]
    return [
        ForeignKey(
            TableName(row["schema"], row["name"]),
            row["kind"] == "p",
            TableName(row["parent_schema"], row["parent"]),
            row["parent_kind"] == "p",
            row["constraint"],
            tuple(row["columns"]),
            tuple(row["parent_columns"]),
            tuple(row["operators"]),
        )
        for row in session.rows(_FOREIGN_KEYS, {"oids": oids})
    ]

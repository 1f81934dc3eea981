# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the control database notes of the runs of a sync."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .._postgres.pg import Session

# Ends of runs that somebody asked for.
_FAILURES = """
SELECT pg_catalog.count(*)::int AS count, pg_catalog.min(r.started)::text AS since,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.min(r.started))::float8 AS age,
       (pg_catalog.array_agg(r.status || ' ' || COALESCE(r.details, '')
                             ORDER BY r.started DESC))[1] AS text
  FROM bucardo.syncrun r
 WHERE r.sync = %(sync)s AND r.status LIKE 'Failed%%'
   AND r.status !~ '^Failed : (CTL|MCP|KID) request'
   AND r.started > COALESCE((SELECT pg_catalog.max(g.started) FROM bucardo.syncrun g
                              WHERE g.sync = r.sync AND (g.lastgood OR g.lastempty)),
                            '-infinity')
"""
_UNDER_WAY = """
SELECT COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp()
                        - pg_catalog.max(started)), 0)::float8
  FROM bucardo.syncrun WHERE sync = %(sync)s AND ended IS NULL
"""


def failures(session: Session, sync: str) -> dict[str, t.Any] | None:
    """Runs that failed since the last one that did not: count, since, age, and the last's text."""
    row = session.row(_FAILURES, {"sync": sync})
    return row if row and row["count"] else None


def under_way(session: Session, sync: str) -> float:
    """Seconds since the run began that has not ended, 0 when there is none."""
    return float(session.value(_UNDER_WAY, {"sync": sync}) or 0.0)

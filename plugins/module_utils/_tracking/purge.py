# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The purge: Bucardo's process that removes from the queue's tables what has been replicated.

The daemon decides once, when it starts, whether it needs one, and for which masters: those of a
sync that is active then (Bucardo.pm 5.6.0, start_mcp: needsvac). After a start without an active
sync nothing is ever purged, however often it is reloaded; neither after the process was killed,
since only its file is looked for. A restart of the daemon mends both.

A process that ends by itself is replaced: it does so at the first error, be it of a database that
another sync has just been removed from, and the daemon looks for it every mcp_vactime seconds.

It leaves alone what is younger than 45 s, a number in its source, and every run of the daemon joins
all that is left several times. `statement()` is a purge that need not wait, for where much is
written; `_wake/purger.py` says when.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._common.names import TableName
from .._postgres import pg, sql
from .plan import JOINING, own_object, target_name

# Tables per statement: each takes five entries of the server's lock table.
_CHUNK = 200
# Bucardo's own values, in seconds: the pause between two purges, the steps in which it waits for
# that, and the pause between two looks whether the process is there.
_PAUSES = {"vac_run": 30.0, "vac_sleep": 120.0, "mcp_vactime": 60.0}
# Seconds between two looks of ours.
_POLL = 1.0


@dataclasses.dataclass(frozen=True)
class Purge:
    """How it is on one master.

    :param alive: the process is connected to this master.
    :param rows: of the delta tables, replicated and not yet removed; without those that are kept
        for a master that is being taken in.
    :param oldest: age of the oldest of them in seconds. While the purge lives this is less than
        45 s, which the process leaves them alone, and its own pause.
    """

    alive: bool
    rows: int = 0
    oldest: float = 0.0


def is_alive(session: pg.Session) -> bool:
    """Whether the purging process is connected to this database."""
    return bool(
        session.value(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity"
            " WHERE datname = pg_catalog.current_database()"
            "   AND application_name LIKE 'bucardo VAC (PID %%')",
            (),
        )
    )


def replaced_within(settings: t.Mapping[str, str]) -> float:
    """Seconds in which the daemon replaces a process that lost a connection: it has to notice.

    :param settings: of bucardo_config.
    """
    return 5.0 + sum(float(settings.get(name, pause)) for name, pause in _PAUSES.items())


def lives(sessions: t.Sequence[pg.Session], patience: float) -> bool:
    """Whether the process is connected to all of these, or comes to be within some seconds."""
    deadline = time.monotonic() + patience
    while not all(map(is_alive, sessions)):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def read(session: pg.Session, dbgroup: str, tables: t.Sequence[TableName]) -> Purge:
    """What waits for it on a master.

    :param tables: those whose delta tables are not empty.
    """
    rows, oldest = 0, 0.0
    for start in range(0, len(tables), _CHUNK):
        for found in session.rows(_replicated(session, tables[start : start + _CHUNK], dbgroup)):
            rows += found["changes"]
            oldest = max(oldest, found["oldest"] or 0.0)
    return Purge(is_alive(session), rows, oldest)


def statement(oid: int, name: TableName) -> sql.Composable:
    """Purge one table of what each of its targets has, however young.

    A time alone stands for all transactions that began in that microsecond. Of one that commits
    later nothing is seen here, and with the mark gone its changes wait, as they should. Where two
    have committed, the later one may have been taken for replicated: that is left to Bucardo's
    process, since it is the evidence (`_monitor/equal_times.py`). So is a transaction with
    subtransactions.

    One statement, hence one moment: else a transaction that commits between the two deletions would
    lose its changes, and a master that is being taken in what it must get. What is marked twice
    stays, as it does with Bucardo's.

    :param oid: of the user's table.
    """
    return sql.SQL(
        "WITH wanted AS (SELECT DISTINCT target FROM bucardo.bucardo_delta_targets"
        "                 WHERE tablename = {oid}::oid),"
        " brought AS MATERIALIZED (SELECT k.txntime FROM {track} k JOIN wanted USING (target)"
        "  GROUP BY k.txntime HAVING ROW(pg_catalog.count(DISTINCT k.target), pg_catalog.count(*))"
        "   = (SELECT pg_catalog.count(*), pg_catalog.count(*) FROM wanted)),"
        " done AS MATERIALIZED (SELECT d.txntime FROM {delta} d JOIN brought USING (txntime)"
        "  GROUP BY d.txntime HAVING pg_catalog.min(d.xmin::text) = pg_catalog.max(d.xmin::text)),"
        " emptied AS (DELETE FROM {delta} d USING done WHERE d.txntime = done.txntime)"
        " DELETE FROM {track} k USING done WHERE k.txntime = done.txntime"
    ).format(
        oid=sql.Literal(oid),
        delta=own_object("delta_", name),
        track=own_object("track_", name),
    )


def _replicated(session: pg.Session, names: t.Sequence[TableName], dbgroup: str) -> sql.Composable:
    return sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT pg_catalog.count(*) AS changes,"
            " EXTRACT(epoch FROM pg_catalog.clock_timestamp()"
            " - pg_catalog.min(d.txntime))::float8 AS oldest"
            " FROM {delta} d WHERE EXISTS (SELECT FROM {track} k"
            " WHERE k.txntime = d.txntime AND k.target = {target})"
            " AND NOT EXISTS (SELECT FROM bucardo.bucardo_delta_targets t"
            " WHERE t.tablename = pg_catalog.to_regclass({name})::oid"
            " AND pg_catalog.starts_with(t.target, {joining}))"
        ).format(
            name=sql.Literal(session.as_text(sql.relation(name))),
            joining=sql.Literal(JOINING),
            delta=own_object("delta_", name),
            track=own_object("track_", name),
            target=sql.Literal(target_name(dbgroup)),
        )
        for name in names
    )

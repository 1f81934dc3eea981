# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions that only read, and what the catalogs of a master say about tables to compare."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._common.names import TableName
from .._postgres import pg, rowhash
from .._postgres.catalog import read_tables
from .._postgres.conninfo import ConnInfo
from .._postgres.parallel import close_each, each, open_each
from .._postgres.tables import BUCARDO_SCHEMA, Table

Answer = t.TypeVar("Answer")

# Enough for the groups of one bucketed pass, so that it does not spill.
_WORK_MEM = "32MB"


class SessionPerMaster:
    """One session per master, which all do the same at the same time."""

    def __init__(self, logins: t.Mapping[str, ConnInfo]) -> None:
        self.sessions = list(open_each(logins, _open).values())

    def each(self, ask: t.Callable[[int, pg.Session], Answer]) -> list[Answer]:
        """Ask every master, in parallel: ask(index of the master, its session)."""
        return list(each(dict(enumerate(self.sessions)), ask, stop=self.cancel).values())

    def cancel(self) -> None:
        """Stop the statements that are running."""
        for session in self.sessions:
            with contextlib.suppress(Exception):
                session.connection.cancel()

    def close(self) -> None:
        """Stop and close all."""
        self.cancel()
        close_each(self.sessions)


def _open(login: ConnInfo) -> pg.Session:
    session = pg.Session(login)
    # In a SQL_ASCII database psycopg2 would refuse to read anything else than ASCII.
    session.connection.set_client_encoding("UTF8")
    rowhash.pin_session(session)
    session.execute("SELECT set_config('work_mem', %s, false)", (_WORK_MEM,))
    session.execute("SET default_transaction_read_only = on")
    return session


@dataclasses.dataclass(frozen=True)
class ComparedMaster:
    """What the catalogs of one master say.

    :param queue_tables: the tables in Bucardo's schema.
    :param queue_targets: table's OID to the targets whose queues count.
    """

    name: str
    types: rowhash.Types
    tables: t.Mapping[TableName, Table]
    queue_tables: frozenset[str]
    queue_targets: t.Mapping[int, tuple[str, ...]]


def read(session: pg.Session, dbgroup: str) -> ComparedMaster:
    """All tables of a master, and its queue.

    :param dbgroup: whose queue counts; "" for all.
    """
    queue_tables = frozenset(
        session.column(
            "SELECT c.relname FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relkind = 'r'",
            (BUCARDO_SCHEMA,),
        )
    )
    targets: dict[int, tuple[str, ...]] = {}
    if "bucardo_delta_targets" in queue_tables:
        for row in session.rows(
            "SELECT tablename::bigint AS oid, array_agg(DISTINCT target) AS targets"
            " FROM bucardo.bucardo_delta_targets WHERE %s IN ('', target) GROUP BY 1",
            (f"dbgroup {dbgroup}" if dbgroup else "",),
        ):
            targets[row["oid"]] = tuple(row["targets"])
    return ComparedMaster(
        name=session.conninfo.name,
        types=rowhash.read_types(session),
        tables={table.name: table for table in read_tables(session)},
        queue_tables=queue_tables,
        queue_targets=targets,
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which masters still lack rows of tables, as far as ledgers and triggers vouch for them."""

from __future__ import annotations

import typing as t

from .._common.names import SyncKey
from .._ledger import doubts as ledger_doubts
from .._ledger import ledger, membership
from .._postgres import pg
from .._postgres.tables import Table
from .._postgres.topology import Master
from . import vouching


def unseeded(
    source: pg.Session, targets: t.Iterable[Master], tables: t.Sequence[Table], key: SyncKey
) -> list[str]:
    """Names of the targets that do not hold every table, seeded and enrolled.

    :param source: a session with the origin.
    :param key: "" for any sync, and for any dbgroup.
    """
    listed = list(targets)
    if not listed:
        return []
    missed = bool(vouching.missed(source, {table.name for table in tables}, key.sync))
    return [
        target.name for target in listed if missed or not _is_seeded(source, target, tables, key)
    ]


def _is_seeded(source: pg.Session, target: Master, tables: t.Sequence[Table], key: SyncKey) -> bool:
    session = pg.connect_if_exists(target.login, target.maintenance_db)
    if session is None:
        return False
    with session:
        oids = {table.name: table.oid for table in tables}
        today = membership.today(source, session, oids, membership.epoch_of(session, key.dbgroup))
        doubts = ledger_doubts.doubts(ledger.entries(session), oids, today)
        return bool(oids) and not doubts and not vouching.missed(session, oids, key.sync)

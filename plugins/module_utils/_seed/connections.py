# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every worker of a seed knows, and its sessions."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import typing as t

from .._common.names import TableName
from .._ledger import doubts
from .._postgres import pg, rowhash
from .._postgres.conninfo import ConnInfo
from .counters import Counters
from .options import Options
from .plan import Job


@dataclasses.dataclass(frozen=True)
class Settings:
    """What every worker of a seed knows.

    :param target_name: for messages.
    :param snapshot: the source's exported snapshot.
    :param seen: by table, which changes of the source's queue it holds, see `copied.Seen`.
    :param source_types: and `target_types`, see `rowhash`.
    :param options: the user's; `lz4` only where the target can.
    """

    source: ConnInfo
    target: ConnInfo
    target_name: str
    today: doubts.Today
    snapshot: str
    jobs: t.Sequence[Job]
    source_types: rowhash.Types
    target_types: rowhash.Types
    method: rowhash.Method
    application_name: str
    options: Options
    counters: Counters
    seen: t.Mapping[TableName, str] = dataclasses.field(default_factory=dict)

    def source_hash(self, job: Job) -> t.Any:
        """A query for the sums of the source's rows."""
        return rowhash.aggregate(job.source, self.source_types, self.method, self._as_text(job))

    def target_hash(self, job: Job) -> t.Any:
        """A query for the sums of the target's rows."""
        return rowhash.aggregate(job.target, self.target_types, self.method, self._as_text(job))

    def _as_text(self, job: Job) -> frozenset[str]:
        """Columns to hash through their text, since the servers would hash them differently."""
        return rowhash.columns_as_text(
            [(job.source, self.source_types), (job.target, self.target_types)]
        )


def set_for_session(session: pg.Session, settings: t.Mapping[str, str]) -> None:
    """Set parameters that the server knows, in one round trip; unknown ones are left out."""
    session.execute(
        "SELECT pg_catalog.set_config(s.name, v.value, false)"
        "  FROM unnest(%s::text[], %s::text[]) AS v (name, value)"
        "  JOIN pg_catalog.pg_settings s ON s.name = v.name",
        (list(settings), list(settings.values())),
    )


# Make the server notice within half a minute that we are gone, even while it computes.
_WATCHFUL = {
    "client_connection_check_interval": "1s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",
}
_KEEPALIVES = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def connect(conninfo: ConnInfo, application_name: str) -> pg.Session:
    """A session fit for hashing rows, whose ends notice within half a minute when the other is
    gone."""
    params = {k: v for k, v in _KEEPALIVES.items() if k not in conninfo.params}
    # Not the user's own: by this name the next seed finds what a killed one left.
    params["application_name"] = application_name
    session = pg.Session(conninfo.with_params(**params), application_name)
    set_for_session(session, _WATCHFUL)
    rowhash.pin_session(session)
    return session


# Opens a session; the second parameter is its application_name.
Connect = t.Callable[[ConnInfo, str], pg.Session]


class Connections:
    """A worker's two sessions, opened at their first use.

    Not before the fork, which TLS would not survive.
    """

    def __init__(self, settings: Settings, open_: Connect = connect) -> None:
        self._settings = settings
        self._open = open_
        self._source: pg.Session | None = None
        self._target: pg.Session | None = None

    def source(self) -> pg.Session:
        """The session on the source."""
        if self._source is None:
            settings = self._settings
            session = self._open(settings.source, settings.application_name)
            wanted = {
                "lock_timeout": str(settings.options.lock_timeout),
                # The origin has other work to do.
                "max_parallel_workers_per_gather": "0",
            }
            set_for_session(session, wanted)
            self._source = session
        return self._source

    def target(self) -> pg.Session:
        """The session on the target."""
        if self._target is None:
            settings = self._settings
            session = self._open(settings.target, settings.application_name)
            wanted = {
                "session_replication_role": "replica",
                "default_transaction_read_only": "off",
                # The run's last commit waits for the disk, and so for all before it.
                "synchronous_commit": "off",
                "maintenance_work_mem": settings.options.maintenance_work_mem,
            }
            if settings.options.lz4:
                wanted["default_toast_compression"] = "lz4"
            set_for_session(session, wanted)
            self._target = session
        return self._target

    def abort_source(self) -> None:
        """Make whoever waits for the source fail at once, and the server when it next sends."""
        if self._source is not None:
            with contextlib.suppress(Exception):
                descriptor = os.dup(self._source.connection.fileno())
                with socket.socket(fileno=descriptor) as sock:
                    sock.shutdown(socket.SHUT_RDWR)

    def drop_source(self) -> None:
        """Close the session on the source."""
        session, self._source = self._source, None
        if session is not None:
            session.close()

    def drop_target(self) -> None:
        """Close the session on the target."""
        session, self._target = self._target, None
        if session is not None:
            session.close()

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of replication at one moment, to be judged by the detectors (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .._bucardo.objects import SyncRun
    from .._common.names import TableName
    from .._tracking.purge import Purge
    from .._tracking.queue import Pending
    from .._tracking.shed import Shed
    from .._tracking.truncate_lost import Lost

MAIN, CONTROLLER, WORKER, PURGER = "MCP", "CTL", "KID", "VAC"


@dataclasses.dataclass(frozen=True)
class Limits:
    """From when on what waits is an alarm.

    :param age: seconds of the oldest change.
    :param rows: changes of one sync on one master.
    :param bytes: of everything that Bucardo keeps on one master.
    :param shed: bytes of waiting changes on one master from which on a table is shed; 0 for never.
    """

    age: float = 300.0
    rows: int = 1_000_000
    bytes: int = 1_000_000_000
    shed: int = 0


@dataclasses.dataclass(frozen=True)
class Process:
    """A session of one of the daemon's processes.

    :param kind: `MAIN`, `CONTROLLER`, `WORKER` or `PURGER`.
    :param pid: of the process on Bucardo's host.
    :param sync: a worker's.
    :param state: as in pg_stat_activity.
    :param still: seconds since the state changed.
    :param age: seconds since it connected.
    :param client: from where, as the server sees it.
    :param blockers: who holds the lock that it waits for.
    """

    kind: str
    pid: int
    sync: str = ""
    state: str = "idle"
    still: float = 0.0
    age: float = 0.0
    client: str = ""
    blockers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class EqualTimes:
    """Rows of a table that differ, changed by transactions with the same time.

    :param keys: as text, of at most a few rows.
    """

    table: TableName
    keys: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class MasterFacts:
    """One member of a sync's group.

    :param role: Bucardo's; only a "source" has a queue.
    :param error: why it could not be read; nothing else is known then.
    :param bytes: of the tables in which Bucardo keeps changes, all syncs together.
    :param processes: the daemon's sessions in this database.
    :param faults: what is wrong with the enrolment of tables.
    :param rights: what Bucardo's role may not do with tables.
    :param strangers: tables that match the patterns and are not in the sync.
    :param doubled: tables with track rows that are there twice, and how many.
    :param went_back: what happened to it since the last run of a playbook, "" for nothing.
    :param stale: the daemon has not read the columns of today.
    :param shed: tables whose changes are not queued here any more.
    :param sizes: bytes of the waiting changes of each table, where somebody asks for them.
    :param left_out: tables that were set aside or shed: nobody waits for their changes now.
    :param polled: writes wake the sync by a sequence, at which somebody has to look.
    """

    name: str
    role: str = "source"
    error: str = ""
    pending: tuple[Pending, ...] = ()
    bytes: int = 0
    purge: Purge | None = None
    lost: tuple[Lost, ...] = ()
    processes: tuple[Process, ...] = ()
    faults: t.Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    rights: t.Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    strangers: tuple[TableName, ...] = ()
    doubled: t.Mapping[TableName, int] = dataclasses.field(default_factory=dict)
    stale: bool = False
    went_back: str = ""
    shed: tuple[Shed, ...] = ()
    sizes: t.Mapping[TableName, int] = dataclasses.field(default_factory=dict)
    left_out: frozenset[TableName] = frozenset()
    polled: bool = False

    @property
    def waiting(self) -> list[Pending]:
        """What waits and is meant to be brought over."""
        return [one for one in self.pending if one.table not in self.left_out]

    @property
    def changes(self) -> int:
        """How many wait."""
        return sum(one.changes for one in self.waiting)

    @property
    def oldest(self) -> float:
        """Age of the oldest of them in seconds."""
        return max((one.oldest for one in self.waiting), default=0.0)


@dataclasses.dataclass(frozen=True)
class Failure:
    """Runs of a sync that failed since the last one that did not.

    :param since: when the first of them began, and `age` how many seconds ago.
    :param text: what the last one said.
    :param rows: of a unique violation, by master, the rows that cannot be together.
    """

    count: int
    since: str
    age: float
    text: str
    table: TableName | None = None
    rows: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class SyncFacts:
    """One sync.

    :param status: Bucardo's; "held" for its "inactive".
    :param under_way: seconds since the run began that has not ended, 0 when there is none.
    :param seeding: a master of it is being seeded.
    :param unequal: rows that equal transaction times may have cost.
    :param limits: from when on what waits is an alarm.
    :param tables: how many it replicates.
    :param corrected: what the daemon does to its runs is corrected, see `_bucardo/corrections.py`.
    """

    name: str
    status: str
    members: t.Mapping[str, str]
    masters: tuple[MasterFacts, ...] = ()
    failure: Failure | None = None
    under_way: float = 0.0
    seeding: bool = False
    runs: tuple[SyncRun, ...] = ()
    unequal: tuple[EqualTimes, ...] = ()
    limits: Limits = Limits()
    tables: int = 0
    corrected: bool = True

    @property
    def active(self) -> bool:
        """Whether it is meant to replicate; "stalled" is what the daemon makes of an active one."""
        return self.status in ("active", "stalled")

    @property
    def oldest(self) -> float:
        """Age of the oldest change that waits on any master."""
        return max((master.oldest for master in self.masters), default=0.0)

    @property
    def read(self) -> list[MasterFacts]:
        """The masters of which anything is known."""
        return [one for one in self.masters if not one.error]


@dataclasses.dataclass(frozen=True)
class Sample:
    """What an earlier look saw of one sync on one master.

    :param age: seconds ago.
    """

    age: float
    changes: int
    oldest: float


@dataclasses.dataclass(frozen=True)
class Facts:
    """All of it.

    :param polling: whether a program looks for syncs that are to be woken.
    :param purges: whether the daemon purges at all (setting bucardo_vac).
    :param stalled: databases that the daemon has given up.
    :param processes: the daemon's sessions in the control database.
    :param before: processes of it that were connected there before the masters were read.
    :param sequences: problems of sequences, by sync.
    :param history: earlier looks, oldest first, by sync and master; empty where nobody looks
        regularly.
    """

    running: bool
    answers: bool
    polling: bool = True
    purges: bool = True
    stalled: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    before: frozenset[int] = frozenset()
    syncs: tuple[SyncFacts, ...] = ()
    sequences: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    history: t.Mapping[tuple[str, str], tuple[Sample, ...]] = dataclasses.field(
        default_factory=dict
    )


def pairs(facts: Facts) -> t.Iterator[tuple[SyncFacts, MasterFacts]]:
    """Every master that could be read, with each of its syncs."""
    for sync in facts.syncs:
        for master in sync.read:
            yield sync, master

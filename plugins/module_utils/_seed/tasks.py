# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workers of a seed are told to do and what they answer, and both as JSON (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName
from .plan import Part

Message = t.Dict[str, t.Any]

# How a task can fail.
LOCKED = "locked"  # a lock on the source, or the target, timed out; try later
MOVED = "moved"  # truncated or rewritten since the snapshot; needs a new one
LOST = "lost"  # a connection or a server went away; try again
FAILED = "failed"  # trying again would not help


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read of a table, or of parts of it.

    :param rows: as COPY counted them.
    :param bytes: as they came from the source.
    :param sums: count and sum of row hashes, None without proof.
    """

    rows: int
    bytes: int
    sums: t.Optional[t.Tuple[int, str]]

    def __add__(self, other: Read) -> Read:
        sums = None
        if self.sums is not None and other.sums is not None:
            # An exact number that PostgreSQL wrote as text.
            sums = (
                self.sums[0] + other.sums[0],
                str(int(self.sums[1]) + int(other.sums[1])),
            )
        return Read(self.rows + other.rows, self.bytes + other.bytes, sums)


# --- tasks --------------------------------------------------------------------------------------
# A job is known by its number in the plan.


@dataclasses.dataclass(frozen=True)
class CopyTables:
    """Copy and prove whole tables, in one transaction."""

    jobs: t.Tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class BeginParts:
    """Make a table ready to be copied in parts."""

    job: int


@dataclasses.dataclass(frozen=True)
class CopyPart:
    """Copy a part of a table."""

    job: int
    part: Part


@dataclasses.dataclass(frozen=True)
class ProveParts:
    """Compare a table whose parts were all copied with what was read of them.

    :param read: the sum of the parts.
    :param started: when the parts were begun, by the host's monotonic clock.
    """

    job: int
    read: Read
    started: float


@dataclasses.dataclass(frozen=True)
class EmptyTable:
    """Take away what parts have put into a table of which another part failed."""

    job: int


@dataclasses.dataclass(frozen=True)
class BuildIndex:
    """Build an index that was not ready while its table was loaded.

    :param parallel: the server may use helpers for it.
    """

    index: TableName
    table: TableName
    parallel: bool = False


@dataclasses.dataclass(frozen=True)
class FinishTable:
    """Let the ledger say that a table's indexes are complete as well."""

    table: TableName


@dataclasses.dataclass(frozen=True)
class Analyze:
    """Gather the statistics of a table."""

    table: TableName


@dataclasses.dataclass(frozen=True)
class Refresh:
    """Refresh a materialized view."""

    view: TableName


Task = t.Union[
    CopyTables,
    BeginParts,
    CopyPart,
    ProveParts,
    EmptyTable,
    BuildIndex,
    FinishTable,
    Analyze,
    Refresh,
]


def jobs_of(task: Task) -> tuple[int, ...]:
    """The jobs that a task copies; none for what is done to the target alone."""
    if isinstance(task, CopyTables):
        return task.jobs
    if isinstance(task, (BeginParts, CopyPart, ProveParts, EmptyTable)):
        return (task.job,)
    return ()


# --- events -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class SourceRead:
    """A task has read all that it reads of the source; it is still at work.

    :param bytes: of all its jobs.
    """

    jobs: t.Tuple[int, ...]
    bytes: int


@dataclasses.dataclass(frozen=True)
class Done:
    """An answer to tasks of which there is nothing to tell."""


@dataclasses.dataclass(frozen=True)
class PartsBegun:
    """A table is ready for its parts.

    :param started: see `ProveParts`.
    :param discarded: changes that the target had queued of it.
    """

    started: float
    discarded: int


@dataclasses.dataclass(frozen=True)
class PartCopied:
    """A part is in the table."""

    read: Read


@dataclasses.dataclass(frozen=True)
class ProvenTable:
    """One table that was copied.

    :param complete: no index is left to be built.
    """

    job: int
    rows: int
    bytes: int
    seconds: float
    complete: bool


@dataclasses.dataclass(frozen=True)
class Proven:
    """Tables are copied, proven equal unless that was not asked for, and in the ledger.

    :param discarded: changes that the target had queued of them.
    :param kept: keys of such changes whose rows were put back.
    """

    tables: t.Tuple[ProvenTable, ...]
    discarded: int
    kept: int = 0


@dataclasses.dataclass(frozen=True)
class Failed:
    """A task failed, and left nothing behind.

    :param why: `LOCKED`, `MOVED`, `LOST` or `FAILED`.
    :param text: for the user, in one line.
    :param details: what else is known: the server's detail, hint and context, or a traceback.
    """

    why: str
    text: str = ""
    details: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


Event = t.Union[SourceRead, Done, PartsBegun, PartCopied, Proven, Failed]

# --- JSON ---------------------------------------------------------------------------------------

_KINDS: dict[str, t.Any] = {
    kind.__name__: kind
    for kind in (
        *(CopyTables, BeginParts, CopyPart, ProveParts, EmptyTable),
        *(BuildIndex, FinishTable, Analyze, Refresh),
        *(SourceRead, Done, PartsBegun, PartCopied, Proven, Failed),
    )
}


def _read(value: Message) -> Read:
    sums = value["sums"]
    return Read(value["rows"], value["bytes"], (sums[0], sums[1]) if sums else None)


def _name(value: Message) -> TableName:
    return TableName(**value)


# What JSON turns into something else, by the field's name.
_FIELDS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "jobs": tuple,
    "part": tuple,
    "read": _read,
    "index": _name,
    "table": _name,
    "view": _name,
    "tables": lambda values: tuple(ProvenTable(**value) for value in values),
}


def to_message(what: Task | Event) -> Message:
    """A task or an event as a dictionary that is fit for JSON."""
    return {"kind": type(what).__name__, **dataclasses.asdict(what)}


def _from_message(message: Message) -> t.Any:
    fields = {
        name: _FIELDS[name](value) if name in _FIELDS else value
        for name, value in message.items()
        if name != "kind"
    }
    return _KINDS[message["kind"]](**fields)


def task_of(message: Message) -> Task:
    """The task that `to_message` was given."""
    return t.cast(Task, _from_message(message))


def event_of(message: Message) -> Event:
    """The event that `to_message` was given."""
    return t.cast(Event, _from_message(message))

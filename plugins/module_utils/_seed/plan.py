# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a seed has to do, and in which order (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.batches import fill
from .._common.names import TableName
from .._ledger.doubts import Today
from .._ledger.states import ONCE, Entry
from .._postgres.tables import Selection, Table
from .configuration import Configuration
from .constraints import NONE, Constraints

BINARY = "binary"
TEXT = "text"

# How the indexes of a table are treated while it loads.
KEEP = "keep"
CATALOG = "catalog"
RECREATE = "recreate"

# Measured: below about this size maintaining the indexes row by row is quicker than building
# them afterwards, and one commit per table costs more than its rows.
SMALL = 1 << 20
# Small tables share transactions of at most so many bytes and so many tables.
BATCH_BYTES = 16 << 20
BATCH_TABLES = 200
# So many batches for each worker: they do not take equally long, and the last one is waited for.
_ROUNDS = 4
# A part of a table has at least so many bytes: some seconds of work, beside which its transaction
# costs nothing; and a smaller table keeps one worker busy for seconds only.
PART_BYTES = 256 << 20
# More parts than workers, so that no worker is left alone with a long one.
PARTS_PER_WORKER = 4
# Measured: two workers on two processors gain nothing.
_WORKERS_TO_SPLIT = 3
# Before 14 a range of ctid reads the whole table.
_RANGES_OF_CTID = 140000
# array_recv and record_recv accept other OIDs of user-defined element types since 14.
_USER_TYPES_IN_BINARY = 140000


@dataclasses.dataclass(frozen=True)
class TypeFacts:
    """What matters of a type, and of everything that it is built of, for binary COPY.

    :param by_oid: holds a reg* type, whose binary form is an OID of this very cluster.
    :param no_binary: lacks a send or receive function.
    :param user_defined: is, or holds, a type that was created by a user or an extension.
    :param extensions: "name version" of the extensions that define it.
    """

    by_oid: bool = False
    no_binary: bool = False
    user_defined: bool = False
    extensions: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class IndexFacts:
    """An index of the target.

    :param plain: can be dropped and made again from its definition without losing anything
        (no constraint, comment, tablespace, parent index, ... hangs on it).
    :param late: its entries depend on a function of users, which may read other tables: it is
        built when all rows are there.
    """

    oid: int
    name: TableName
    method: str
    valid: bool
    plain: bool
    definition: str
    late: bool = False


@dataclasses.dataclass(frozen=True)
class PairState:
    """What the servers say about a pair of tables beyond their columns.

    :param filenode: of the source's table; another one later means truncated or rewritten.
    :param queues: the source's trigger that queues changes for Bucardo is there and enabled.
    :param target_queues: the same on the target.
    :param has_rows: the target's table holds visible rows.
    :param target_bytes: size of the target's table; without rows, what a killed load left.
    :param half: what it holds was put there by a seed that copied it in parts and was killed.
    :param doubt: why the ledger does not vouch for the target's rows.
    :param always_triggers: the target's triggers that fire even in replica role, with the letter
        of pg_trigger.tgenabled.
    :param constraints: those of the target's table that are not checked while it loads.
    :param waits: changes of it wait on the target, which no other master has.
    """

    filenode: int = 0
    queues: bool = True
    target_queues: bool = True
    has_rows: bool = False
    target_bytes: int = 0
    half: bool = False
    doubt: str = ""
    always_triggers: tuple[tuple[str, str], ...] = ()
    constraints: Constraints = NONE
    waits: bool = False


Part = t.Tuple[int, t.Optional[int]]


@dataclasses.dataclass(frozen=True)
class Job:
    """One table to copy.

    :param defer: indexes to mark as not ready before and to rebuild after the load.
    :param rebuild: indexes that a killed run left not ready; rebuilt after the load as well.
    :param recreate: indexes to drop before and create after the load, in its transaction.
    :param parts: ranges of the source's blocks, each a transaction of its own: the first block and
        the one after the last, None for an open end. Empty: all in one.
    :param replace: rows that the target holds go, by the user's choice.
    :param keep: but not those that the target has changed and no other master has.
    :param once: it is not replicated.
    """

    source: Table
    target: Table
    format: str
    reason: str
    index_mode: str
    state: PairState
    defer: tuple[IndexFacts, ...] = ()
    rebuild: tuple[IndexFacts, ...] = ()
    recreate: tuple[IndexFacts, ...] = ()
    parts: tuple[Part, ...] = ()
    replace: bool = False
    keep: bool = False
    once: bool = False

    @property
    def name(self) -> TableName:
        """The table's name, the same on both sides."""
        return self.source.name

    @property
    def small(self) -> bool:
        """Whether it may share a transaction with other tables."""
        return (
            self.source.bytes < SMALL
            and not self.recreate
            and not self.parts
            and not self.replace
            and not self.once
            and not self.state.always_triggers
            and self.state.target_bytes < SMALL
        )

    @property
    def alone(self) -> bool:
        """Whether its load takes locks that keep other workers out: ALTER TABLE for triggers,
        DROP INDEX, the rows of catalogs by which constraints are not checked."""
        return bool(
            self.once
            or self.recreate
            or self.state.always_triggers
            or self.state.constraints.doubtful
        )

    @property
    def let_pass(self) -> Constraints | None:
        """The constraints that are not checked while it loads."""
        return None if self.parts else self.state.constraints

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns to copy, by name: their order may differ between the servers."""
        return tuple(column.name for column in self.source.columns if not column.generated)


@dataclasses.dataclass
class Plan:
    """What is to be done, from the state of both servers.

    :param selected: tables of the source that take part.
    :param entries: what the ledger said.
    :param jobs: those to copy.
    :param left_empty: tables that hold rows on the source only, and will.
    :param unfinished: copied by a killed run, with the indexes that are still to be built.
    :param complete: the last run came to its end.
    :param today: what entries must speak of.
    :param passed_over: the target is the origin still, and a step to come was only planned.
    :param configurations: tables of extensions whose rows of users are to be copied once.
    """

    selected: list[Table]
    entries: dict[TableName, Entry]
    jobs: list[Job]
    unfinished: list[tuple[TableName, list[IndexFacts]]]
    complete: bool
    left_empty: list[str]
    today: Today
    passed_over: bool = False
    configurations: t.Sequence[Configuration] = ()

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything selected is seeded."""
        todo = self.jobs or self.unfinished or self.configurations
        return self.passed_over or (self.complete and not todo)

    @property
    def copied_once(self) -> list[str]:
        """Tables that are not replicated and were, or are going to be, copied as they are."""
        before = {name for name, entry in self.entries.items() if entry.how == ONCE}
        before -= {table.name for table in self.selected}
        before |= {job.name for job in self.jobs if job.once}
        return [
            str(name) for name in sorted(before | {table.name for table in self.configurations})
        ]

    @property
    def unproven(self) -> list[str]:
        """Tables that were copied earlier without a proof that is believed today.

        They are not copied again: changes have been recorded since, and the live rows can be
        compared.
        """
        copied = {job.name for job in self.jobs}
        return [
            str(table.name)
            for table in self.selected
            if table.name not in copied
            and table.name in self.entries
            and not self.entries[table.name].proven
        ]


def pick_format(
    source: Table,
    target: Table,
    source_facts: t.Mapping[int, TypeFacts],
    target_facts: t.Mapping[int, TypeFacts],
    versions: tuple[int, int],
) -> tuple[str, str]:
    """The COPY format for a table and, for text, the reason.

    :param versions: server_version_num of source and target.
    """
    target_columns = {column.name: column for column in target.columns}
    for column in source.columns:
        if column.generated or column.name not in target_columns:
            continue
        here = source_facts.get(column.type_oid, TypeFacts())
        there = target_facts.get(target_columns[column.name].type_oid, TypeFacts())
        for facts in (here, there):
            if facts.by_oid:
                return TEXT, f"column {column.name} holds OIDs of this server"
            if facts.no_binary:
                return TEXT, f"the type of column {column.name} has no binary form"
            if facts.user_defined and min(versions) < _USER_TYPES_IN_BINARY:
                return TEXT, f"column {column.name} has a user-defined type, and a server is < 14"
        if here.extensions != there.extensions:
            return TEXT, f"the extension behind column {column.name} has another version there"
    return BINARY, ""


def to_copy_once(
    everything: t.Sequence[Table],
    selected: t.Iterable[Table],
    patterns: t.Iterable[str],
    entries: t.Mapping[TableName, Entry],
    target: str,
) -> list[Table]:
    """Tables that do not take part and were not copied before.

    :param patterns: of those to copy.
    :param entries: the target's ledger.
    :param target: what entries of this very target speak of.
    """
    apart = {table.name for table in selected}
    apart |= {
        name for name, entry in entries.items() if entry.how == ONCE and entry.target == target
    }
    wanted = Selection(tuple(patterns)).of(everything, "copy_once")
    return [table for table in wanted if table.name not in apart]


def left_alone(everything: t.Iterable[Table], apart: t.Collection[TableName]) -> list[Table]:
    """Ordinary tables that a seed has nothing to do with.

    :param apart: those that take part, or are copied once.
    """
    return [table for table in Selection().of(everything) if table.name not in apart]


def auto_mode(superuser: bool, in_use: bool) -> str:
    """How indexes are treated when the user leaves that open.

    :param superuser: on the target.
    :param in_use: applications work with the target. They must not find a unique index that
        checks nothing, nor wait for the end of a load.
    """
    if in_use:
        return KEEP
    return CATALOG if superuser else RECREATE


def make_job(
    source: Table,
    target: Table,
    copy_format: tuple[str, str],
    state: PairState,
    indexes: t.Sequence[IndexFacts],
    index_mode: str,
    replace: bool = False,
    keep: bool = False,
) -> Job:
    """Decide how one table is loaded.

    :param index_mode: KEEP, CATALOG or RECREATE, as far as the table's size makes it worth while.
    :param keep: see `Job`; what comes back must fit into the unique indexes.
    """
    if keep:
        index_mode = KEEP
    # An index that is invalid already was marked by a run that was killed.
    rebuild = tuple(index for index in indexes if not index.valid)
    valid = [index for index in indexes if index.valid]
    mode, defer, recreate = KEEP, (), ()  # type: t.Any, t.Any, t.Any
    # TRUNCATE, which empties what is half copied, makes indexes valid again.
    usable = indexes if state.half or replace else valid
    if index_mode == CATALOG and source.bytes < SMALL:
        usable = [index for index in usable if index.late]
    if index_mode == CATALOG:
        # Building a GIN index is not quicker than filling it (it has a pending list).
        defer = tuple(index for index in usable if index.method != "gin" or index.late)
        rebuild = tuple(index for index in rebuild if index not in defer)
        mode = CATALOG if defer else KEEP
    elif source.bytes >= SMALL and index_mode == RECREATE:
        recreate = tuple(index for index in valid if index.plain and index.method != "gin")
        mode = RECREATE if recreate else KEEP
    if rebuild:
        mode = CATALOG
    return Job(
        source=source,
        target=target,
        format=copy_format[0],
        reason=copy_format[1],
        index_mode=mode,
        state=state,
        defer=defer,
        rebuild=rebuild,
        recreate=recreate,
        replace=replace,
        keep=keep,
    )


def split(
    jobs: t.Sequence[Job],
    pages: t.Mapping[int, int],
    workers: int,
    above: int,
    source_version: int,
) -> list[Job]:
    """The jobs, with parts for the tables that several workers shall copy.

    Not for tables whose load takes locks that keep other workers out.

    :param pages: blocks of the tables' main files, by OID on the source.
    :param above: split tables of more bytes than this. 0: only a table that is larger than a
        worker's share and worth the trouble; negative: none.
    :param source_version: server_version_num of the source.
    """
    if above < 0 or source_version < _RANGES_OF_CTID:
        return list(jobs)
    if workers < (2 if above else _WORKERS_TO_SPLIT):
        return list(jobs)
    share = sum(job.source.bytes for job in jobs) // workers
    least = above or max(share, 2 * PART_BYTES - 1)
    size = min(least, PART_BYTES)
    result = []
    for job in jobs:
        bytes_ = job.source.bytes
        # What is kept belongs to one transaction.
        if bytes_ > least and not job.alone and not job.keep:
            count = max(2, min(bytes_ // size, PARTS_PER_WORKER * workers))
            job = dataclasses.replace(job, parts=ranges(pages.get(job.source.oid, 0), count))
        result.append(job)
    return result


def ranges(pages: int, count: int) -> tuple[Part, ...]:
    """About so many equal ranges that together cover all blocks, also those that come later.

    Empty when there are not blocks enough for two.
    """
    step = max(1, -(-pages // count))
    starts = list(range(0, pages, step))
    if len(starts) < 2:
        return ()
    return tuple(zip(starts, [*starts[1:], None]))


def batches(jobs: t.Sequence[Job], workers: int) -> list[list[Job]]:
    """Which tables share a transaction, in the order of their start.

    Largest first, so that no big table is left for one worker at the end. Small tables are
    batched, but into enough batches that every worker has its share.
    """
    big = sorted((job for job in jobs if not job.small), key=lambda j: (-j.source.bytes, j.name))
    small = sorted((job for job in jobs if job.small), key=lambda j: (-j.source.bytes, j.name))
    limit = max(1, min(BATCH_TABLES, -(-len(small) // (_ROUNDS * max(1, workers)))))
    together = fill(small, lambda job: job.source.bytes, limit, BATCH_BYTES)
    return [[job] for job in big] + together


def default_workers(cores: int) -> int:
    """Processes that copy at once when the user does not say: the target's CPU is the limit."""
    return min(4, max(2, cores))


def order_by_dependency(
    names: t.Iterable[TableName], depends: t.Mapping[TableName, t.Collection[TableName]]
) -> list[TableName]:
    """Names sorted so that each comes after those it depends on, else alphabetically."""
    todo = sorted(names)
    done: list[TableName] = []
    while todo:
        wanted = set(todo)
        ready = [n for n in todo if not (set(depends.get(n, ())) - {n}) & wanted]
        # A cycle is impossible between views; if the catalog shows one, do not loop for ever.
        step = ready or todo[:1]
        done += step
        todo = [name for name in todo if name not in step]
    return done


def difference_of_indexes(source: Table, target: Table) -> str:
    """How the target's indexes differ from the source's, or ""."""
    here = {i.name: dataclasses.replace(i, valid=True) for i in source.indexes if i.valid}
    there = {index.name: index for index in target.indexes}
    for name in sorted(here):
        if name not in there:
            return f"index {name} is missing"
        if not there[name].valid:
            return f"index {name} is not valid"
        if there[name] != here[name]:
            return f"index {name} has another definition"
    for name in sorted(set(there) - set(here)):
        if not there[name].valid:
            return f"index {name} is not valid"
    return ""

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads both servers and decides what a seed has to do."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.change import Lacks, refuse
from .._common.errors import MultimasterError, Refused
from .._common.names import SyncKey, TableName
from .._ledger import doubts as ledger_doubts
from .._ledger import ledger, membership, states
from .._ledger.states import Entry
from .._postgres import pg
from .._postgres.catalog import is_superuser, read_tables
from .._postgres.identity import RUNNING_SERVER
from .._postgres.tables import Selection, Table
from .._tracking.queue import Queue
from . import configure, refusals
from . import plan as seed_plan
from . import read as seed_read
from . import target as seed_target
from .options import Options
from .plan import IndexFacts, Job, PairState, Plan


@dataclasses.dataclass(frozen=True)
class Planner:
    """Makes plans, and changes nothing.

    :param target: None while there is no such database.
    :param target_name: for messages.
    :param forgotten: what is to be replaced although the ledger vouched for it is not vouched for
        any more.
    :param lacks: told of what earlier steps of a play (schema, triggers) would have made.
    """

    source: pg.Session
    target: pg.Session | None
    target_name: str
    options: Options
    workers: int
    forgotten: bool
    lacks: Lacks = refuse

    def plan(self) -> Plan:
        """Read both servers and decide.

        :raises Refused: naming everything that stands in the way.
        """
        target, options = self.target, self.options
        everything = read_tables(self.source, sizes=False)
        selected = options.selection.of(everything)
        if target is not None:
            check_different(self.source, target)
        entries = ledger.entries(target) if target else {}
        there = {table.name: table for table in read_tables(target, sizes=False)} if target else {}
        replace = set()
        if options.replace:
            replace = {table.name for table in Selection(tuple(options.replace)).of(selected)}
        today = self._today(selected)
        doubts = {
            table.name: ledger_doubts.doubt(entries.get(table.name), today) for table in selected
        }
        if not self.forgotten:
            doubts.update(dict.fromkeys(replace, "is to be replaced"))
        known = {name: entries[name] for name, why in doubts.items() if not why}
        # What this very database was given in parts may go; not what a dump brought along.
        half = {
            name
            for name, entry in entries.items()
            if entry.state == states.COPYING and entry.target in (None, today.target)
        }
        todo = [table for table in selected if table.name not in known]
        complete = target is not None and ledger.is_complete(target)
        if todo and self._is_origin():
            return Plan(selected, entries, [], [], complete, [], today, passed_over=True)
        once = self._copies_once(everything, selected, there, entries, today)
        jobs = self._copies(todo, there, replace, half, doubts) if todo else []
        return Plan(
            selected=selected,
            entries=entries,
            jobs=[*jobs, *once],
            left_empty=self._left_empty(everything, selected, once, there, entries),
            unfinished=self._unfinished(selected, known, there),
            complete=complete,
            today=today,
            configurations=configure.to_copy(
                self.source, target, everything, options, entries, today
            ),
        )

    def _copies(
        self,
        todo: t.Sequence[Table],
        there: dict[TableName, Table],
        replace: t.Collection[TableName],
        half: t.Collection[TableName],
        doubts: t.Mapping[TableName, str],
    ) -> list[Job]:
        """How each of these tables is copied; refuses all that cannot be."""
        tables = [there[table.name] for table in todo if table.name in there]
        if self.target is not None:
            alone = bool(replace) and not self.options.replace_while_active
            seed_target.check(self.target, self.target_name, tables, alone)
        states = self._with_waiting(self._states(todo, there, half, doubts), replace)
        refusals.check(
            todo,
            there,
            states,
            self.target_name,
            self.source.conninfo.name,
            self.options.require_triggers,
            replace,
            self.lacks,
        )
        return self._jobs(todo, _as_cloned(todo, there), states, replace)

    def _with_waiting(
        self, states: dict[TableName, PairState], replace: t.Collection[TableName]
    ) -> dict[TableName, PairState]:
        """The same, and whether what is in the way waits to reach the other masters."""
        suspects = [
            name
            for name, state in states.items()
            if refusals.in_the_way(state) and state.target_queues and name not in replace
        ]
        if self.target is None or not suspects:
            return states
        group = self.options.dbgroup or next(iter(membership.memberships(self.target)), "")
        queue = Queue(self.target_name, self.target, SyncKey("", group))
        waiting = {one.table for one in queue.pending(tables=suspects)}
        return {
            name: dataclasses.replace(state, waits=name in waiting)
            for name, state in states.items()
        }

    def _is_origin(self) -> bool:
        if self.target is None:
            return False
        # Who wants rows of the origin replaced is told that it is one.
        lacks = refuse if self.options.replace else self.lacks
        return seed_target.refuse_origin(self.target, self.target_name, lacks)

    def _states(
        self,
        todo: t.Sequence[Table],
        there: t.Mapping[TableName, Table],
        half: t.Collection[TableName],
        doubts: t.Mapping[TableName, str],
    ) -> dict[TableName, PairState]:
        pairs = [(table, there.get(table.name)) for table in todo]
        found = seed_read.read_states(self.source, self.target, pairs, half, doubts)
        # It takes writing to the catalogs.
        if self.target is None or not is_superuser(self.target):
            return found
        targets = [table for _ignored, table in pairs if table is not None]
        return seed_read.with_constraints(self.target, found, targets)

    def _copies_once(
        self,
        everything: t.Sequence[Table],
        selected: t.Sequence[Table],
        there: t.Mapping[TableName, Table],
        entries: t.Mapping[TableName, Entry],
        today: ledger_doubts.Today,
    ) -> list[Job]:
        """How tables are copied that are not replicated; one that holds rows is left alone."""
        todo = seed_plan.to_copy_once(
            everything, selected, self.options.copy_once, entries, today.target
        )
        if not todo:
            return []
        states = self._states(todo, there, (), {})
        todo = [table for table in todo if not states[table.name].has_rows]
        source, name = self.source.conninfo.name, self.target_name
        refusals.check(todo, there, states, name, source, require_triggers=False, lacks=self.lacks)
        there = _as_cloned(todo, there)
        # In one transaction, since the ledger knows no half of it: no index can be left for later.
        jobs = self._jobs(todo, there, states, (), seed_plan.RECREATE) if todo else []
        return [dataclasses.replace(job, once=True) for job in jobs]

    def _left_empty(
        self,
        everything: t.Sequence[Table],
        selected: t.Sequence[Table],
        once: t.Sequence[Job],
        there: t.Mapping[TableName, Table],
        entries: t.Mapping[TableName, Entry],
    ) -> list[str]:
        """Tables that hold rows on the source, and none on the target when the seed is over."""
        apart = {table.name for table in selected} | {job.name for job in once}
        apart |= {name for name, entry in entries.items() if entry.how == states.ONCE}
        rest = seed_plan.left_alone(everything, apart)
        filled = seed_read.with_rows(self.source, rest)
        rest = [table for table in rest if table.oid in filled]
        if self.target is not None:
            tables = [there[table.name] for table in rest if table.name in there]
            filled = seed_read.with_rows(self.target, tables)
            held = {table.name for table in tables if table.oid in filled}
            rest = [table for table in rest if table.name not in held]
        return [str(table.name) for table in rest]

    def _today(self, selected: t.Sequence[Table]) -> ledger_doubts.Today:
        oids = {table.name: table.oid for table in selected}
        if self.target is None:
            return ledger_doubts.Today(ledger.identity(self.source), oids, "", None)
        epoch = membership.epoch_of(self.target, self.options.dbgroup)
        return membership.today(self.source, self.target, oids, epoch)

    def _jobs(
        self,
        todo: t.Sequence[Table],
        there: t.Mapping[TableName, Table],
        states: t.Mapping[TableName, PairState],
        replace: t.Collection[TableName],
        index_mode: str = "",
    ) -> list[Job]:
        source, server = self.source, self.target or self.source
        sizes = seed_read.read_sizes(source, todo, self.options.lock_timeout)
        mode = index_mode or self._index_mode()
        here_facts = seed_read.read_type_facts(source)
        there_facts = seed_read.read_type_facts(server) if self.target else here_facts
        indexes = seed_read.read_indexes(
            server, [there[table.name] for table in todo], mode == seed_plan.RECREATE
        )
        jobs = []
        for table in todo:
            other = there[table.name]
            copy_format = seed_plan.pick_format(
                table,
                other,
                here_facts,
                there_facts,
                (source.server_version, server.server_version),
            )
            jobs.append(
                seed_plan.make_job(
                    dataclasses.replace(table, bytes=sizes[table.oid][0]),
                    other,
                    copy_format,
                    states[table.name],
                    indexes.get(other.oid, ()),
                    mode,
                    table.name in replace,
                    table.name in replace and self.options.keep_queued,
                )
            )
        return seed_plan.split(
            jobs,
            {oid: pages for oid, (_bytes, pages) in sizes.items()},
            self.workers,
            self.options.split_above,
            source.server_version,
        )

    def _index_mode(self) -> str:
        mode = self.options.index_mode
        if self.target is None:
            return seed_plan.CATALOG if mode == "auto" else mode
        if mode not in ("auto", seed_plan.CATALOG):
            return mode
        superuser = is_superuser(self.target)
        if mode == seed_plan.CATALOG and not superuser:
            raise Refused(
                f"index_mode catalog needs a superuser on {self.target_name}",
                "Log in as one, or choose auto, recreate or keep.",
            )
        if mode == seed_plan.CATALOG:
            return mode
        in_use = ledger.was_complete(self.target) and seed_read.others_connected(self.target)
        return seed_plan.auto_mode(superuser, in_use)

    def _unfinished(
        self,
        selected: t.Sequence[Table],
        known: t.Mapping[TableName, states.Entry],
        there: t.Mapping[TableName, Table],
    ) -> list[tuple[TableName, list[IndexFacts]]]:
        copied = [
            there[table.name]
            for table in selected
            if table.name in known and known[table.name].state == states.COPIED
        ]
        if not copied or self.target is None:
            return []
        indexes = seed_read.read_indexes(self.target, copied, False)
        return [
            (table.name, [index for index in indexes.get(table.oid, ()) if not index.valid])
            for table in copied
        ]


def _as_cloned(
    todo: t.Sequence[Table], there: t.Mapping[TableName, Table]
) -> dict[TableName, Table]:
    """The target's tables; one whose absence was passed over would be cloned from the source."""
    return {**{table.name: table for table in todo}, **there}


def check_different(source: pg.Session, target: pg.Session) -> None:
    """Refuse to copy a database into itself."""
    query = f"SELECT pg_catalog.concat_ws('/', {RUNNING_SERVER}, pg_catalog.current_database())"
    if source.value(query) == target.value(query):
        raise Refused(
            f"{source.conninfo} and {target.conninfo} are the same database",
            "Give source and target login options of different databases.",
        )


def check_indexes(source: pg.Session, targets: t.Sequence[Table], plan: Plan, target: str) -> None:
    """The target's tables must have exactly the source's indexes, all of them valid.

    :param targets: its tables as they are now.
    :param target: its name, for messages.
    """
    there = {table.name: table for table in targets}
    here = {table.name: table for table in read_tables(source, sizes=False)}
    for table in plan.selected:
        if table.name not in here or table.name not in there:
            continue
        difference = seed_plan.difference_of_indexes(here[table.name], there[table.name])
        if difference:
            raise MultimasterError(
                f"{table.name} on {target}: {difference}",
                f"Make the indexes like those on {source.conninfo.name} and run again.",
            )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One table of all masters: how far the decision about it has come, and the next look at it."""

from __future__ import annotations

import functools
import time
import typing as t

from .._bucardo.keys import registered_key
from .._common.names import delta_suffix
from .._postgres import pg, rowhash, sql
from .._postgres.tables import Table
from . import plan, statements
from .sessions import ComparedMaster, SessionPerMaster

# Seconds per table and round of quick looks at rows that are updated all the time, and for how
# many keys at most: the version that arrives on one master must have been seen on the other.
_GLANCE_SECONDS = 0.5
_GLANCE_KEYS = 1000
# Looks that the other keys of a table still get once the first is sure to differ.
_LAST_LOOKS = 5


class TableComparison:
    """What is known of one table, and how to learn more.

    :param settled: a key that waits in a queue is as good as equal.
    """

    def __init__(
        self,
        masters: t.Sequence[ComparedMaster],
        method: rowhash.Method,
        table: Table,
        settled: bool,
    ) -> None:
        self.table = table
        self.decided = False
        self._masters = masters
        self._settled = settled
        self._names = [master.name for master in masters]
        self._sides = [(master.tables[table.name], master.types) for master in masters]
        self._as_text = rowhash.columns_as_text(self._sides)
        self._method = method
        # By the order in which the hash takes them, so that all servers agree.
        self._key = tuple(sorted(registered_key(table)))
        self._rows: dict[str, int] = {}
        self._proof = ""
        self._watch = plan.KeyWatch(self._names, self._key)
        self._complete = True
        self._drilled = False
        self._sums: list[tuple[int, str]] = []
        self._unchanged = 0
        self._last_looks = _LAST_LOOKS

    @functools.cached_property
    def _hashed(self) -> list[statements.Hashed]:
        """Composed for the tables that differ only."""
        found = []
        for table, types in self._sides:
            row = functools.partial(
                rowhash.row_expression, table, types, self._method, self._as_text
            )
            found.append(
                statements.Hashed(rowhash.from_item(table), self._key, row(self._key), row(None))
            )
        return found

    @property
    def has_key(self) -> bool:
        """Whether its rows can be looked for one by one."""
        return bool(self._key)

    def aggregate(self, index: int) -> sql.Composable:
        """The query for the number of rows and the sum of their hashes on one master."""
        table, types = self._sides[index]
        return rowhash.aggregate(table, types, self._method, self._as_text)

    def sums(self, answers: t.Sequence[tuple[int, str]]) -> None:
        """Take in rows and hash of every master.

        Without a key there is nothing to watch but the whole table, and Bucardo cannot change it.
        """
        self._unchanged = self._unchanged + 1 if list(answers) == self._sums else 0
        self._sums = list(answers)
        self._rows = {name: answer[0] for name, answer in zip(self._names, answers)}
        if len(set(answers)) == 1:
            self._proof, self.decided = plan.PROOF_SUMS, True
        elif not self._key and self._unchanged >= plan.RECHECKS:
            self.decided = True

    def in_use(self, crew: SessionPerMaster) -> bool:
        """Whether changes wait on a master, so that the sums would hardly be equal now."""
        return any(crew.each(self._waits))

    def look(self, crew: SessionPerMaster) -> None:
        """One more look at the keys that differ, or the first one that finds them."""
        if not self._drilled or (not self._watch.keys and not self._complete):
            self._drill(crew)
            self._drilled = True
        else:
            self._recheck(crew)
        if not self._watch.keys and self._complete:
            self._proof, self.decided = plan.PROOF_KEYS, True
        elif self._watch.proven:
            self._last_looks -= 1
            self.decided = not self._watch.undecided or self._last_looks <= 0

    def finish(self, result: plan.TableResult, max_keys: int) -> None:
        """Write down what is known at the end."""
        result.rows, result.proof = self._rows, self._proof
        if self._proof:
            return
        result.undecided = not self.decided
        if not self._drilled:
            result.problem = plan.row_problem(self._rows)
            return
        differences = self._watch.differences(max_keys)
        result.differences = differences or self._watch.differences(max_keys, undecided=True)
        result.problem = plan.key_problem(
            self._watch.proven, self._watch.undecided, self._complete, result.differences
        ) or plan.row_problem(self._rows)

    def _drill(self, crew: SessionPerMaster) -> None:
        bits = plan.first_bits(max(self._rows.values()))
        groups = self._buckets(crew, bits)
        totals = [sum(group[0] for group in side.values()) for side in groups]
        self._rows = dict(zip(self._names, totals))
        self._complete = True
        while True:
            differing = plan.unequal(groups)
            if not differing:
                return
            step = plan.next_step(differing, bits)
            self._complete = self._complete and step.complete
            if not step.split_bits:
                break
            bits = step.split_bits
            groups = self._buckets(crew, bits, step)
        found = step
        self._watch.start(
            crew.each(
                lambda i, session: _as_rows(
                    session.rows(statements.rows_of_buckets(self._hashed[i], found))
                )
            )
        )

    def _buckets(
        self, crew: SessionPerMaster, bits: int, within: plan.Step | None = None
    ) -> list[dict[int, plan.Group]]:
        """Count and sum per bucket of the key's hash, on every master."""
        return crew.each(
            lambda i, session: {
                row["bucket"]: (row["n"], int(row["s"]))
                for row in session.rows(statements.buckets(self._hashed[i], bits, within))
            }
        )

    def _recheck(self, crew: SessionPerMaster) -> None:
        keys = self._watch.keys
        queued: set[int] = set()
        queued.update(*crew.each(lambda i, session: self._queued(i, session, keys)))
        self._watch.look(self._read(crew, keys), queued)
        if self._settled:
            self._watch.let_go(queued)
        if not self._by_value:
            return
        until = time.monotonic() + _GLANCE_SECONDS
        while time.monotonic() < until:
            keys = self._watch.undecided_keys
            if not keys or len(keys) > _GLANCE_KEYS:
                return
            self._watch.glance(self._read(crew, keys))

    def _read(
        self, crew: SessionPerMaster, keys: t.Mapping[int, tuple[str, ...]]
    ) -> list[plan.Rows]:
        return crew.each(lambda i, session: self._rows_of_keys(i, session, keys))

    @property
    def _by_value(self) -> bool:
        """Whether rows can be found through the index of the key.

        Operators of types that PostgreSQL does not bring are not in the pinned search_path.
        """
        return all(
            types.builtin_name(column.type_oid)
            for table, types in self._sides
            for column in table.columns
            if column.name in self._key
        )

    def _rows_of_keys(
        self, index: int, session: pg.Session, keys: t.Mapping[int, tuple[str, ...]]
    ) -> plan.Rows:
        if not keys:
            return {}
        hashed = self._hashed[index]
        if self._by_value:
            kinds = {column.name: column.type for column in self._sides[index][0].columns}
            condition = statements.key_is_among(
                {name: kinds[name] for name in self._key}, keys.values()
            )
        else:
            condition = statements.hash_is_among(hashed, keys)
        return _as_rows(session.rows(statements.rows_of_keys(hashed, condition)))

    def _queued(self, index: int, session: pg.Session, keys: t.Iterable[int]) -> set[int]:
        """Which of these keys wait in Bucardo's queue on this master."""
        targets = self._targets(index)
        if not targets:
            return set()
        query = statements.queued(self.table.name, self._hashed[index].key, targets, keys)
        return set(session.column(query))

    def _waits(self, index: int, session: pg.Session) -> bool:
        """Whether anything of the table waits there."""
        targets = self._targets(index)
        return bool(targets) and bool(session.value(statements.waits(self.table.name, targets)))

    def _targets(self, index: int) -> tuple[str, ...]:
        """Whose queue counts on a master; empty where the table has none."""
        master = self._masters[index]
        suffix = delta_suffix(self.table.name)
        if not {f"delta_{suffix}", f"track_{suffix}"} <= master.queue_tables:
            return ()
        return master.queue_targets.get(self._sides[index][0].oid, ())


def _as_rows(rows: t.Iterable[dict[str, t.Any]]) -> plan.Rows:
    return {row["k"]: (tuple(row["key"]), row["r"]) for row in rows}

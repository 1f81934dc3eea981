# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written: tables, and the changes of them that queue, the same ones each time (pure)."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import typing as t

_SEED = 20261126
# Changes of one transaction.
_TOGETHER = 5000


@dataclasses.dataclass(frozen=True)
class Key:
    """A primary key, made from the number `i` of a row.

    :param columns: as CREATE TABLE wants them.
    :param values: an expression for each.
    :param moved: what gives a row another key that no number has.
    """

    columns: dict[str, str]
    values: tuple[str, ...]
    moved: str


INTEGER = Key({"id": "integer"}, ("i",), "id = -id")
PAIR = Key({"region": "integer", "id": "integer"}, ("i % 8", "i"), "region = region + 100")
TEXT = Key({"code": "text"}, ("'code, ' || i",), "code = 'moved, ' || code")

_NARROW = "md5(i::text) || md5((-i)::text)"
# About 2 kB, and of each 20th row 10 kB, which is more than a page and goes into the TOAST table.
_WIDE = (
    "(SELECT string_agg(md5(concat_ws(' ', i, j)), '') FROM"
    " generate_series(1, CASE WHEN i % 20 = 0 THEN 320 ELSE 60 END) j)"
)


@dataclasses.dataclass(frozen=True)
class Table:
    """One of a set.

    :param weight: its share of all rows, and of all changes.
    :param wide: then an update writes the body of every other row anew.
    """

    name: str
    key: Key = INTEGER
    weight: int = 1
    wide: bool = False

    @property
    def schema(self) -> str:
        """Without rows."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.key.columns.items())
        return (
            f"CREATE TABLE {self.name} ({columns}, n integer NOT NULL DEFAULT 0,"
            f" body text NOT NULL, PRIMARY KEY ({', '.join(self.key.columns)}));"
        )

    def insert(self, numbers: str) -> str:
        """New rows of the numbers that a query returns."""
        body = _WIDE if self.wide else _NARROW
        return (
            f"INSERT INTO {self.name} SELECT {', '.join(self.key.values)}, 0, {body}"
            f" FROM ({numbers}) s;"
        )

    def update(self, numbers: str) -> str:
        """A change of rows, their keys staying."""
        body = ", body = CASE WHEN i % 2 = 0 THEN reverse(body) ELSE body END" if self.wide else ""
        return f"UPDATE {self.name} t SET n = n + 1{body} FROM ({numbers}) s WHERE {self._same};"

    def move(self, numbers: str) -> str:
        """A change of their keys."""
        return f"UPDATE {self.name} t SET {self.key.moved} FROM ({numbers}) s WHERE {self._same};"

    def delete(self, numbers: str) -> str:
        """Rows taken away."""
        return f"DELETE FROM {self.name} t USING ({numbers}) s WHERE {self._same};"

    @property
    def _same(self) -> str:
        pairs = zip(self.key.columns, self.key.values)
        return " AND ".join(f"t.{column} = {value}" for column, value in pairs)


@dataclasses.dataclass(frozen=True)
class Step:
    """One statement: `count` rows of a table from the place `first` on.

    :param kind: `update`, `insert`, `delete`, `move` (a change of the key) or `again`, which
        updates rows that were updated before.
    """

    table: Table
    kind: str
    first: int
    count: int


@dataclasses.dataclass(frozen=True)
class Set:
    """Tables that are measured together.

    :param mix: share of each kind of change.
    :param abreast: to how many tables a transaction writes.
    :param scattered: whether changes go all over a table, or from its first row to its last.
    """

    name: str
    words: str
    tables: tuple[Table, ...]
    mix: dict[str, float]
    abreast: int = 1
    scattered: bool = False

    @property
    def names(self) -> list[str]:
        """Of the tables."""
        return [table.name for table in self.tables]

    @property
    def schema(self) -> str:
        """Without rows."""
        return "\n".join(table.schema for table in self.tables)

    def fill(self, rows: int) -> str:
        """The rows at the beginning, of all tables together."""
        sizes = self._shares(rows)
        return "\n".join(
            [f"TRUNCATE {', '.join(self.names)};"]
            + [
                table.insert(f"SELECT i FROM generate_series(1, {size}) i")
                for table, size in zip(self.tables, sizes)
            ]
        )

    def transactions(self, changes: int) -> list[list[Step]]:
        """So many changes of rows; no two change the same one, but for `again`."""
        slices: list[list[list[Step]]] = []
        for table, share in zip(self.tables, self._shares(changes)):
            most = _TOGETHER // self.abreast
            sizes = parts(share, [1] * math.ceil(share / most))
            slices.append(list(self._slices(table, sizes)))
        # A number for each slice of a table, in the order in which they are written.
        order = [number for number, found in enumerate(slices) for _slice in found]
        random.Random(_SEED).shuffle(order)
        steps = [iter(found) for found in slices]
        return [
            list(
                itertools.chain(*(next(steps[number]) for number in order[begin:][: self.abreast]))
            )
            for begin in range(0, len(order), self.abreast)
        ]

    def write(self, changes: int, rows: int) -> str:
        """The same as SQL, for tables that were filled with so many rows."""
        sizes = dict(zip(self.names, self._shares(rows)))
        return "\n".join(
            "\n".join(["BEGIN;", *(self._statement(step, sizes) for step in steps), "COMMIT;"])
            for steps in self.transactions(changes)
        )

    def _shares(self, total: int) -> list[int]:
        return parts(total, [table.weight for table in self.tables])

    def _slices(self, table: Table, sizes: t.Iterable[int]) -> t.Iterator[list[Step]]:
        """Places of existing rows and of new ones are counted apart."""
        old = new = 0
        for size in sizes:
            steps = []
            for kind, count in zip(self.mix, parts(size, list(self.mix.values()))):
                # The first slice of a table has updated these already.
                first = {"insert": new, "again": 0}.get(kind, old)
                steps.append(Step(table, kind, first, count))
                new += count if kind == "insert" else 0
                old += count if kind not in ("insert", "again") else 0
            yield [step for step in steps if step.count]

    def _statement(self, step: Step, sizes: t.Mapping[str, int]) -> str:
        size = sizes[step.table.name]
        number = f"{size} + p + 1" if step.kind == "insert" else self._number(size)
        end = step.first + step.count - 1
        numbers = f"SELECT ({number})::integer AS i FROM generate_series({step.first}, {end}) p"
        write = {"insert": step.table.insert, "delete": step.table.delete, "move": step.table.move}
        return write.get(step.kind, step.table.update)(numbers)

    def _number(self, size: int) -> str:
        """Of the row at place `p`: each place has one of its own."""
        stride = 1
        if self.scattered:
            stride = next(
                n for n in itertools.count(int(size * 0.618) + 1) if math.gcd(n, size) == 1
            )
        return f"p::bigint * {stride} % {size} + 1"


def parts(total: int, weights: t.Sequence[float]) -> list[int]:
    """A number divided by weights, with nothing lost by rounding."""
    sums = list(itertools.accumulate(weights))
    ends = [round(total * one / sums[-1]) for one in sums]
    return [end - begin for begin, end in zip([0, *ends], ends)]


def _mixed() -> t.Iterator[Table]:
    """40 narrow ones and 10 wide ones, which would otherwise have nearly all bytes."""
    for wide, counts in ((False, (20, 13, 7)), (True, (4, 3, 3))):
        for (kind, key), count in zip(
            {"integer": INTEGER, "pair": PAIR, "text": TEXT}.items(), counts
        ):
            for number in range(1, count + 1):
                name = f"{'wide' if wide else 'narrow'}_{kind}_{number}"
                yield Table(name, key, weight=1 if wide else 4, wide=wide)


SETS = {
    one.name: one
    for one in (
        Set("single", "updates of distinct rows of one table", (Table("item"),), {"update": 1.0}),
        Set(
            "mixed",
            "all kinds of changes of 50 tables",
            tuple(_mixed()),
            {"update": 0.50, "insert": 0.25, "delete": 0.15, "move": 0.05, "again": 0.05},
            abreast=5,
            scattered=True,
        ),
    )
}

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that write, and remember what they were told."""

from __future__ import annotations

import collections
import contextlib
import random
import threading
import time
import typing as t

import psycopg2
import psycopg2.extensions
import tables
from history import ACKNOWLEDGED, REFUSED, UNKNOWN, Change, History, Row, Transaction
from psycopg2 import sql
from tables import Table

# A client that waits for a lock longer than this gives up.
SESSION = "-c lock_timeout=4000 -c statement_timeout=20000 -c application_name=chaos"
# Of all rows that a client picks, those of clients of any master; the others are of its own one.
FOREIGN = 0.15
Key = t.Tuple[t.Any, ...]
Cursor = psycopg2.extensions.cursor


class Keys:
    """Keys of rows that are probably there, by the master that inserted them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, str], list[Key]] = collections.defaultdict(list)

    def add(self, table: Table, master: str, key: Key) -> None:
        with self._lock:
            self._keys[table.name, master].append(key)

    def pick(self, rng: random.Random, table: Table, master: str) -> Key | None:
        """One of this master's, mostly."""
        with self._lock:
            owners = sorted(owner for name, owner in self._keys if name == table.name)
            owner = rng.choice(owners) if owners and rng.random() < FOREIGN else master
            keys = self._keys[table.name, owner]
            return rng.choice(keys) if keys else None

    def drop(self, table: Table, key: Key) -> None:
        """It is not there any more, or not yet."""
        with self._lock:
            for (name, _owner), keys in self._keys.items():
                if name == table.name and key in keys:
                    keys.remove(key)


class Client(threading.Thread):
    """Writes on one master until it is stopped; a server that is away is tried again."""

    def __init__(
        self, name: str, master: str, dsn: str, history: History, keys: Keys, pause: float
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.master, self._dsn, self._history, self._keys = master, dsn, history, keys
        self._rng = random.Random(name)
        self._pause = pause
        self._stop_it = threading.Event()
        self.errors: collections.Counter[str] = collections.Counter()

    def stop(self) -> None:
        """Let it end with the transaction that is under way, whose outcome is remembered."""
        self._stop_it.set()

    def run(self) -> None:
        while not self._stop_it.is_set():
            try:
                connection = psycopg2.connect(self._dsn, options=SESSION, connect_timeout=3)
            except psycopg2.Error:
                self._stop_it.wait(0.3)
                continue
            with contextlib.closing(connection):
                while not self._stop_it.is_set() and not connection.closed:
                    self._transaction(connection, self._rng.choices(*zip(*WORK))[0])
                    self._stop_it.wait(self._rng.expovariate(1 / self._pause))

    def _transaction(self, connection: t.Any, work: Work) -> None:
        changes: list[Change] = []
        begun, outcome, code = time.monotonic(), REFUSED, ""
        try:
            with connection.cursor() as cursor:
                work(self, cursor, changes)
            outcome = UNKNOWN
            connection.commit()
            outcome = ACKNOWLEDGED
        except psycopg2.Error as error:
            # What the server says of a COMMIT counts, unless it was just going down.
            if outcome == UNKNOWN and error.pgcode and not error.pgcode.startswith("57"):
                outcome = REFUSED
            code = error.pgcode or "connection"
            self.errors[code] += 1
            with contextlib.suppress(psycopg2.Error):
                connection.rollback()
        if changes:
            done = Transaction(
                self.master, self.name, begun, time.monotonic(), outcome, tuple(changes), code
            )
            self._history.add(done)

    def insert(self, cursor: Cursor, changes: list[Change]) -> None:
        """A new row."""
        self._insert(cursor, changes, self._table())

    def update(self, cursor: Cursor, changes: list[Change]) -> None:
        """One row."""
        self._update(cursor, changes, self._table())

    def several(self, cursor: Cursor, changes: list[Change]) -> None:
        """Rows of several tables, new ones and old ones, in one transaction."""
        seen: set[Row] = set()
        for _number in range(self._rng.randint(3, 7)):
            table = self._table()
            if self._rng.random() < 0.4:
                self._insert(cursor, changes, table)
            else:
                self._update(cursor, changes, table, but=seen)
            seen.update(change.row for change in changes)

    def delete(self, cursor: Cursor, changes: list[Change]) -> None:
        """One row."""
        table = self._table()
        if (key := self._keys.pick(self._rng, table, self.master)) is not None:
            self._remove(cursor, changes, table, key)

    def change_key(self, cursor: Cursor, changes: list[Change]) -> None:
        """A row gets another key: to the history, one that goes and one that comes."""
        table = self._rng.choice((tables.ITEM, tables.PAIR))
        key = self._keys.pick(self._rng, table, self.master)
        if key is None or (saw := self._lock(cursor, table, key)) is None:
            return
        new = (self._number(cursor, table), *key[1:])
        version = self._history.version()
        changes.append(Change(_row(table, key), saw, None))
        changes.append(Change(_row(table, new), None, version, True))
        self._set(cursor, table, key, {table.key[0]: new[0], **table.values(version)})
        self._keys.drop(table, key)
        self._keys.add(table, self.master, new)

    def hot(self, cursor: Cursor, changes: list[Change]) -> None:
        """A row that all want: it is made, changed, or deleted."""
        key = (self._rng.randrange(tables.HOT),)
        saw = self._lock(cursor, tables.HOTS, key)
        if saw is None:
            self._put(cursor, changes, tables.HOTS, key, number=False)
        elif self._rng.random() < 0.2:
            self._remove(cursor, changes, tables.HOTS, key)
        else:
            self._write(cursor, changes, tables.HOTS, key, saw)

    def _table(self) -> Table:
        made = [table for table in tables.TABLES if table.sequence]
        return self._rng.choices(made, [table.weight for table in made])[0]

    def _number(self, cursor: Cursor, table: Table) -> int:
        cursor.execute("SELECT nextval(%s::regclass)", (f"public.{table.sequence}",))
        return int(cursor.fetchone()[0])

    def _insert(self, cursor: Cursor, changes: list[Change], table: Table) -> None:
        key: Key = (self._number(cursor, table),)
        if len(table.key) > 1:
            key = (*key, self._rng.choice(("x", "Ä", "'y\"", "")))
        self._put(cursor, changes, table, key, number=True)
        self._keys.add(table, self.master, key)

    def _put(
        self, cursor: Cursor, changes: list[Change], table: Table, key: Key, number: bool
    ) -> None:
        version = self._history.version()
        values = {**dict(zip(table.key, key)), **table.values(version)}
        changes.append(Change(_row(table, key), None, version, number))
        statement = sql.SQL("INSERT INTO public.{} ({}) VALUES ({})").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Literal, values.values())),
        )
        cursor.execute(statement)

    def _update(
        self,
        cursor: Cursor,
        changes: list[Change],
        table: Table,
        but: t.Collection[Row] = (),
    ) -> None:
        key = self._keys.pick(self._rng, table, self.master)
        if key is None or _row(table, key) in but:
            return
        if (saw := self._lock(cursor, table, key)) is None:
            return
        self._write(cursor, changes, table, key, saw)

    def _write(
        self, cursor: Cursor, changes: list[Change], table: Table, key: Key, saw: int
    ) -> None:
        version = self._history.version()
        self._set(cursor, table, key, table.values(version))
        changes.append(Change(_row(table, key), saw, version))

    def _remove(self, cursor: Cursor, changes: list[Change], table: Table, key: Key) -> None:
        if (saw := self._lock(cursor, table, key)) is not None:
            cursor.execute(
                sql.SQL("DELETE FROM public.{} WHERE {}").format(
                    sql.Identifier(table.name), _where(table, key)
                )
            )
            changes.append(Change(_row(table, key), saw, None))
            self._keys.drop(table, key)

    def _lock(self, cursor: Cursor, table: Table, key: Key) -> int | None:
        """The version that is there and stays there until the transaction ends."""
        cursor.execute(
            sql.SQL("SELECT version FROM public.{} WHERE {} FOR UPDATE").format(
                sql.Identifier(table.name), _where(table, key)
            )
        )
        found = cursor.fetchone()
        return None if found is None else int(found[0])

    def _set(self, cursor: Cursor, table: Table, key: Key, values: dict[str, t.Any]) -> None:
        assignments = [
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
            for name, value in values.items()
        ]
        cursor.execute(
            sql.SQL("UPDATE public.{} SET {} WHERE {}").format(
                sql.Identifier(table.name), sql.SQL(", ").join(assignments), _where(table, key)
            )
        )


Work = t.Callable[[Client, Cursor, t.List[Change]], None]
WORK: tuple[tuple[Work, int], ...] = (
    (Client.insert, 20),
    (Client.update, 30),
    (Client.several, 10),
    (Client.delete, 10),
    (Client.change_key, 8),
    (Client.hot, 12),
)


def _row(table: Table, key: Key) -> Row:
    return Row(table.name, "|".join(map(str, key)))


def _where(table: Table, key: Key) -> sql.Composable:
    pairs = [
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in zip(table.key, key)
    ]
    return sql.SQL(" AND ").join(pairs)

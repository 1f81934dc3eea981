# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""At the end of a good run: damage done on purpose, on the real masters, that the checker must see.

So that no run can be good because of a checker, a query or a history that sees nothing.
"""

from __future__ import annotations

import collections
import contextlib
import typing as t

import psycopg2
from checker import Baseline
from history import ACKNOWLEDGED, Change, Row, Transaction
from tables import ITEM
from world import World

# The versions that were there before and are there now, by a row whose history is simple.
Story = t.Tuple[Row, Change]
NOBODYS = 10**12


def damage(
    world: World, transactions: t.Sequence[Transaction], found: Baseline
) -> dict[str, set[Row]]:
    """Do each kind once; returns which violations have to be found at which row."""
    updated, deleted = _simple(transactions, found)
    if len(updated) < 4 or not deleted:
        return {}
    old, change = updated[1]
    lost, torn, other = (updated[number][0] for number in (0, 2, 3))
    (back, gone) = deleted[0]
    for name in world.present:
        _execute(world, name, "DELETE FROM public.item WHERE id = %s", lost.key)
        values = ITEM.values(change.saw or 0)
        _execute(
            world,
            name,
            "UPDATE public.item SET version = %s, body = %s WHERE id = %s",
            *(values["version"], values["body"], old.key),
        )
        values = ITEM.values(gone.saw or 0)
        _execute(
            world,
            name,
            "INSERT INTO public.item (id, version, body) VALUES (%s, %s, %s)",
            *(back.key, values["version"], values["body"]),
        )
        _execute(world, name, "UPDATE public.item SET body = 'x' WHERE id = %s", torn.key)
    last = world.present[-1]
    _execute(world, last, "UPDATE public.item SET version = %s WHERE id = %s", NOBODYS, other.key)
    twice = Row("hot", "-1")
    for name in world.present:
        _execute(world, name, "ALTER TABLE public.hot DROP CONSTRAINT hot_pkey")
        for _time in range(2):
            _execute(world, name, "INSERT INTO public.hot VALUES (-1, 0, '')")
    return {
        "lost row": {lost},
        "lost write": {old},
        "came back": {back},
        "torn row": {torn, other, twice},
        "masters differ": {other},
        "doubled id": {twice},
        "phantom": {other, twice},
    }


def _simple(
    transactions: t.Sequence[Transaction], found: Baseline
) -> tuple[list[Story], list[Story]]:
    """Rows with one write, an update that is there or a delete."""
    changes: dict[Row, list[tuple[str, Change]]] = collections.defaultdict(list)
    for done in transactions:
        for change in done.changes:
            changes[change.row].append((done.outcome, change))
    updated, deleted = [], []
    for row, all_of_it in changes.items():
        outcome, change = all_of_it[0]
        alone = len(all_of_it) == 1 and outcome == ACKNOWLEDGED and row.table == ITEM.name
        if alone and change.saw is not None:
            if change.wrote is None and row not in found:
                deleted.append((row, change))
            elif change.wrote is not None and found.get(row) == change.wrote:
                updated.append((row, change))
    return updated, deleted


def _execute(world: World, name: str, statement: str, *values: t.Any) -> None:
    """As nothing that replicates would do it."""
    options = "-c session_replication_role=replica"
    opened = contextlib.closing(psycopg2.connect(world.dsn(name), options=options))
    with opened as connection:
        connection.cursor().execute(statement, values)
        connection.commit()

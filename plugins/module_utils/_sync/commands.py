# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is run on masters, as lines for results: the first few tables stand for all (pure)."""

from __future__ import annotations

import itertools
import typing as t

from .._common.names import TableName
from .._postgres import sql
from .._tracking import plan
from . import statements

# Tables of a master, and characters of a statement.
TABLES, CHARACTERS = 3, 200

AsText = t.Callable[["sql.Composable"], str]
Tables = t.Mapping[TableName, t.Sequence["sql.Composable"]]


def enrolled(
    master: str,
    need: plan.Needs,
    wanted: statements.Wanted,
    replace: bool,
    role: str,
    as_text: AsText,
) -> list[str]:
    """What makes a master's tables tracked; see `statements.under_lock`."""
    made: list[sql.Composable] = []
    if need.functions:
        made += statements.functions(need.functions, role)
    tables = {
        one.table.name: [*statements.objects(one), *statements.under_lock(one, wanted, replace)]
        for one in need.tables[:TABLES]
    }
    return _lines(master, as_text, made, tables, len(need.tables) - len(tables))


def untracked(
    master: str, triggers: t.Mapping[TableName, t.Sequence[str]], as_text: AsText
) -> list[str]:
    """What takes triggers off a master's tables."""
    tables = {
        name: [statements.dropped_trigger(trigger, name) for trigger in names]
        for name, names in itertools.islice(triggers.items(), TABLES)
    }
    return _lines(master, as_text, [], tables, len(triggers) - len(tables))


def _lines(
    master: str, as_text: AsText, first: t.Iterable[sql.Composable], tables: Tables, more: int
) -> list[str]:
    each = itertools.chain(first, *tables.values())
    found = [f"{master}: {_cut(' '.join(as_text(one).split()))}" for one in each]
    return found + ([f"{master}: ... and likewise for {more} more tables"] if more > 0 else [])


def _cut(line: str) -> str:
    return line if len(line) <= CHARACTERS else f"{line[:CHARACTERS]} ..."

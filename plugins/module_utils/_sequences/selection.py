# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sequences take part (pure); docs/decisions/sequences.md says why."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

from .._common.errors import Refused
from .._common.names import TableName
from .._common.text import nearest
from .._postgres.tables import Selection, Table
from .facts import Survey


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Sequences of a database, each list sorted.

    :param shared: those whose numbers are shared out.
    :param excluded: those that were excluded by name.
    """

    shared: tuple[TableName, ...]
    excluded: tuple[TableName, ...] = ()


def choose(
    survey: Survey,
    tables: t.Sequence[Table],
    selection: Selection,
    exclude_sequences: t.Sequence[str] = (),
    owned_only: bool = False,
) -> Chosen:
    """The sequences that take part, by the origin's catalog.

    All permanent ones, whoever calls nextval(): a trigger, a function, an application. Left out
    are those of columns of tables that do not take part; unlogged ones and those of extensions
    count only where a table that takes part uses them.

    :param tables: all tables of the origin.
    :param owned_only: only those that a column of a selected table is filled by.
    :raises Refused: when a pattern matches nothing.
    """
    selected = {table.name for table in selection.of(tables)}
    # By name alone: a partitioned parent is no table to Bucardo, its sequence counts all the same.
    plain = [dataclasses.replace(x, kind="r", persistence="p", extension="") for x in tables]
    meant = {table.name for table in selection.of(plain)}
    shared = set()
    for name, sequence in survey.sequences.items():
        users = survey.users.get(name, frozenset())
        if users & selected:
            shared.add(name)
        elif owned_only or sequence.extension or sequence.persistence != "p":
            continue
        elif name not in survey.owned or users & meant:
            shared.add(name)
    excluded: set[TableName] = set()
    for pattern in exclude_sequences:
        excluded.update(matching(pattern, survey.sequences))
    return Chosen(tuple(sorted(shared - excluded)), tuple(sorted(excluded)))


def matching(pattern: str, names: t.Iterable[TableName]) -> list[TableName]:
    """The sequences that an exact name in SQL notation or a shell-like pattern means.

    :raises Refused: when there is none, naming the nearest.
    """
    by_text = {f"{name.schema}.{name.name}": name for name in names}
    try:
        wanted = TableName.parse(pattern)
        plain = f"{wanted.schema}.{wanted.name}"
    except ValueError:
        plain = pattern
    if plain in by_text:
        return [by_text[plain]]
    found = [name for text, name in by_text.items() if fnmatch.fnmatchcase(text, plain)]
    if found or plain == "*.*":
        return found
    hint = nearest(plain, by_text, "Check schema, capitals and spelling.")
    raise Refused(f"exclude_sequences: {pattern!r} matches no sequence of the origin", hint)

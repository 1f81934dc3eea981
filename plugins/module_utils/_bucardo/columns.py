# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that are columns of Bucardo's catalog: one row of a table each (pure).

The module's specification, what is selected, what is compared and how it is stored all follow from
the row. A new option is a row here and its documentation in the module.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .objects import decode_dbname, encode_dbname, format_dsn

# Text of an interval as the server writes it.
ToInterval = t.Callable[[str, str], str]


def _same(value: t.Any) -> t.Any:
    return value


@dataclasses.dataclass(frozen=True)
class CatalogColumn:
    """One option.

    :param type: of the option.
    :param choices: of the option; () where any value will do.
    :param default: what a new row has.
    :param column: its name in the catalog, where that is not the option's.
    :param nullable: "" stands for NULL in the catalog.
    :param interval: text that the server brings into its own form.
    :param canonical: a given value as it is compared.
    :param stored: a compared value as the catalog has it.
    :param loaded: the opposite.
    """

    type: str
    default: t.Any = ""
    choices: tuple[t.Any, ...] = ()
    column: str = ""
    nullable: bool = False
    interval: bool = False
    canonical: t.Callable[[t.Any], t.Any] = _same
    stored: t.Callable[[t.Any], t.Any] = _same
    loaded: t.Callable[[t.Any], t.Any] = _same


Columns = t.Mapping[str, CatalogColumn]


def _strategy(text: str) -> str:
    """A list with blanks, as Bucardo wants it."""
    return " ".join(text.replace(",", " ").split())


def _dsn(params: t.Mapping[t.Any, t.Any]) -> str:
    return format_dsn({str(key): str(value) for key, value in params.items()})


def _interval(default: str | None) -> CatalogColumn:
    return CatalogColumn("str", default, nullable=default is None, interval=True)


SYNC: Columns = {
    "conflict_strategy": CatalogColumn("str", "bucardo_latest", canonical=_strategy),
    "autokick": CatalogColumn("bool", True),
    "checktime": _interval(None),
    "stayalive": CatalogColumn("bool", True),
    "kidsalive": CatalogColumn("bool", True),
    "deletemethod": CatalogColumn("str", "delete", ("delete", "truncate", "truncate_cascade")),
    "rebuild_index": CatalogColumn("int", 0),
    "priority": CatalogColumn("int", 0),
    "analyze_after_copy": CatalogColumn("bool", True),
    "vacuum_after_copy": CatalogColumn("bool", False),
    "strict_checking": CatalogColumn("bool", True),
    "overdue": _interval("00:00:00"),
    "expired": _interval("00:00:00"),
    "track_rates": CatalogColumn("bool", False),
    "onetimecopy": CatalogColumn("int", 0, (0, 1, 2)),
    "lifetime": _interval(None),
    "maxkicks": CatalogColumn("int", 0),
    "isolation_level": CatalogColumn("str", None, ("repeatable read", "serializable")),
}

DATABASE: Columns = {
    "host": CatalogColumn("str", column="dbhost"),
    "port": CatalogColumn("int", column="dbport", canonical=str),
    "dbname": CatalogColumn(
        "str", column="dbname", nullable=True, stored=encode_dbname, loaded=decode_dbname
    ),
    "user": CatalogColumn("str", "bucardo", column="dbuser", nullable=True),
    "conn": CatalogColumn("dict", column="dbconn", canonical=_dsn),
    "service": CatalogColumn("str", column="dbservice"),
    "status": CatalogColumn("str", "active", ("active", "inactive")),
    "server_side_prepares": CatalogColumn("bool", True),
}


def spec(columns: Columns) -> dict[str, dict[str, t.Any]]:
    """The options' part of a module's specification. All may be left out."""
    found: dict[str, dict[str, t.Any]] = {}
    for option, one in columns.items():
        found[option] = {"type": one.type}
        if one.choices:
            found[option]["choices"] = list(one.choices)
    return found


def selected(columns: Columns) -> str:
    """A SELECT list with a column of each option's name."""
    return ", ".join(_selected(option, one) for option, one in columns.items())


def _selected(option: str, one: CatalogColumn) -> str:
    column = one.column or option
    if one.interval:
        return f'{column}::text AS "{option}"'
    if one.column and one.type in ("str", "int"):
        return f"COALESCE({column}, '') AS \"{option}\""
    return f'{column} AS "{option}"'


def loaded(columns: Columns, row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options' values out of a row that was selected like that."""
    return {option: one.loaded(row[option]) for option, one in columns.items()}


def defaults(columns: Columns) -> dict[str, t.Any]:
    """What a new row has."""
    return {option: one.default for option, one in columns.items()}


def given(
    columns: Columns, options: t.Mapping[str, t.Any], to_interval: ToInterval | None = None
) -> dict[str, t.Any]:
    """What a task gives, as it is compared. What it leaves null is not there.

    :param options: the task's, by name.
    :param to_interval: brings an option's text into the server's form.
    """
    found = {}
    for option, one in columns.items():
        value = options.get(option)
        if value is None:
            continue
        if one.interval and value == "":
            # It takes the setting away.
            found[option] = one.default
        elif one.interval and to_interval is not None:
            found[option] = to_interval(option, value)
        else:
            found[option] = one.canonical(value)
    return found


def differing(have: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The part of what is wanted that is otherwise now."""
    return {option: value for option, value in wanted.items() if have[option] != value}


def stored(columns: Columns, values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Values by the catalog's names, as it has them."""
    found = {}
    for option, value in values.items():
        one = columns.get(option, CatalogColumn("str"))
        value = one.stored(value)
        found[one.column or option] = None if one.nullable and value == "" else value
    return found

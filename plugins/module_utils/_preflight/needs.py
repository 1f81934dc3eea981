# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a database needs of a server, and what a server offers (pure).

Whatever a dump names without bringing it along: libraries, files, collations, settings, rights.
"""

from __future__ import annotations

import dataclasses
import typing as t


class Needed(t.NamedTuple):
    """A thing that must be there already, and what needs it.

    :param by: the object that needs it, as people call it.
    """

    name: str
    by: str


@dataclasses.dataclass(frozen=True)
class Needs:
    """What the origin's database needs of every server.

    :param collations: of schema pg_catalog, by name.
    :param locales: of the C library, by name, for collations that users made.
    :param dictionary_files: in PostgreSQL's tsearch_data.
    :param libraries: files of C functions that no extension brings, without $libdir.
    :param settings: set for a database, role or function; none of an extension.
    :param array_calls: aggregates and operators over functions whose arguments changed with 14.
    """

    collations: tuple[Needed, ...] = ()
    locales: tuple[Needed, ...] = ()
    dictionary_files: tuple[Needed, ...] = ()
    libraries: tuple[Needed, ...] = ()
    settings: tuple[Needed, ...] = ()
    array_calls: tuple[Needed, ...] = ()


@dataclasses.dataclass(frozen=True)
class Offers:
    """What a server has of that. `None`: it may not be read there.

    :param preloaded: shared_preload_libraries.
    :param settings: names of all parameters of PostgreSQL itself.
    :param grants: rights to parameters, such as "SET on work_mem to app".
    :param collations: of schema pg_catalog.
    :param dictionary_files: names in tsearch_data.
    :param libraries: names in $libdir.
    :param refused_extensions: such as the origin preloads and has, and what is said against them.
    :param cron_database: the one database that may have pg_cron, "" when it is not preloaded.
    :param prepared_transactions: max_prepared_transactions.
    """

    preloaded: tuple[str, ...] = ()
    settings: frozenset[str] | None = None
    grants: frozenset[str] = frozenset()
    collations: frozenset[str] | None = None
    dictionary_files: frozenset[str] | None = None
    libraries: frozenset[str] | None = None
    refused_extensions: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    cron_database: str = ""
    prepared_transactions: int = 0

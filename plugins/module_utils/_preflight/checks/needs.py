# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: what a dump names without bringing it along (pure)."""

from __future__ import annotations

import typing as t

from ..._common.text import listed
from ..._postgres.locale import normal_locale
from ..context import Context
from ..facts import Server, SurveyedMaster
from ..needs import Needed, Needs
from ..registry import BLOCKER, WARNING, Hit, check

_POLYMORPHIC_SINCE = 14


def _targets(ctx: Context) -> t.Iterator[tuple[SurveyedMaster, Server, Needs]]:
    """Targets that could be read, each with what the origin's database needs."""
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        if origin and master.server:
            yield master, master.server, origin.needs


def _absent(needed: t.Iterable[Needed], offered: t.Collection[str] | None) -> list[Needed]:
    """What is not offered; nothing where nobody may read what is."""
    return [] if offered is None else [one for one in needed if one.name not in offered]


@check(
    "preload-missing",
    BLOCKER,
    "An extension of the origin cannot be created on the target, whose server does not preload its"
    " library as the origin's does. It was tried, and rolled back.",
    "Add the library to shared_preload_libraries on the target, and restart the server.",
)
def _preload_missing(ctx: Context) -> t.Iterator[Hit]:
    for master, server, _needs in _targets(ctx):
        for name, said in sorted(server.offers.refused_extensions.items()):
            yield Hit(name, master.name, f"is preloaded on the origin and not here: {said}")


@check(
    "preload-differs",
    WARNING,
    "A library is preloaded on the origin and not on the target: what it does happens on one"
    " master only.",
    "Add it to shared_preload_libraries on the target and restart the server, if it matters there.",
)
def _preload_differs(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.server if ctx.origin else None
    for master, server, _needs in _targets(ctx):
        here = {*server.offers.preloaded, *server.offers.refused_extensions}
        for name in origin.offers.preloaded if origin else ():
            if name not in here:
                yield Hit(name, master.name, "is preloaded on the origin and not here")


def _of_origin(ctx: Context) -> t.Collection[str]:
    """Its extensions."""
    return ctx.origin.database.extensions if ctx.origin and ctx.origin.database else ()


@check(
    "cron-database",
    BLOCKER,
    "pg_cron can be created in one database of a server only, and that is another one here.",
    "Set cron.database_name on the target to the name of the master's database, and restart it.",
)
def _cron_database(ctx: Context) -> t.Iterator[Hit]:
    if "pg_cron" not in _of_origin(ctx):
        return
    for master, server, _needs in _targets(ctx):
        there = server.offers.cron_database
        if there and there != master.dbname:
            yield Hit("pg_cron", master.name, f"cron.database_name is {there}")


@check(
    "collation-missing",
    BLOCKER,
    "The origin uses a collation of the operating system that the target's server does not know.",
    "Generate the locale on the target's host (dpkg-reconfigure locales), restart PostgreSQL,"
    " create the master's database there, without tables and with the origin's encoding and locale,"
    " and run SELECT pg_import_system_collations('pg_catalog') in it.",
)
def _collation_missing(ctx: Context) -> t.Iterator[Hit]:
    for master, server, needs in _targets(ctx):
        offered = server.offers.collations
        known = None if offered is None else {*offered, *map(normal_locale, offered)}
        for one in _absent(needs.collations, known):
            yield Hit(one.name, master.name, f"the collation is not known here; {one.by} uses it")
        for one in needs.locales:
            name = normal_locale(one.name)
            if server.locales and name not in ("c", "posix") and name not in server.locales:
                yield Hit(one.name, master.name, f"the locale of {one.by} is not known here")


@check(
    "dictionary-file",
    BLOCKER,
    "A text search dictionary reads a file that the target's server does not have.",
    "Copy the file from the origin's tsearch_data into that of the target (pg_config --sharedir).",
)
def _dictionary_file(ctx: Context) -> t.Iterator[Hit]:
    for master, server, needs in _targets(ctx):
        for one in _absent(needs.dictionary_files, server.offers.dictionary_files):
            yield Hit(one.name, master.name, f"{one.by} needs this file")


@check(
    "library-missing",
    BLOCKER,
    "A function in C is in a library that the target's server does not have.",
    "Install the package or the file of the library on the target (pg_config --pkglibdir).",
)
def _library_missing(ctx: Context) -> t.Iterator[Hit]:
    for master, server, needs in _targets(ctx):
        for one in _absent(needs.libraries, server.offers.libraries):
            yield Hit(one.name, master.name, f"the function {one.by} is in this library")


@check(
    "setting-unknown",
    BLOCKER,
    "A setting is stored for a database, role or function of the origin, and the target's"
    " PostgreSQL does not know it.",
    "RESET it on the origin for what the finding names; newer servers do without it.",
)
def _setting_unknown(ctx: Context) -> t.Iterator[Hit]:
    for master, server, needs in _targets(ctx):
        for one in _absent(needs.settings, server.offers.settings):
            yield Hit(one.name, master.name, f"is set for {one.by}; unknown here")


@check(
    "parameter-grants",
    WARNING,
    "Roles of the origin have rights to parameters that they do not get on the target: such rights"
    " are of the server, and not cloned.",
    "GRANT ... ON PARAMETER on the target as well (PostgreSQL 15 or newer).",
)
def _parameter_grants(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.server if ctx.origin else None
    for master, server, _needs in _targets(ctx):
        missing = sorted(origin.offers.grants - server.offers.grants) if origin else []
        if missing:
            yield Hit(master.name, master.name, f"not granted here: {listed(missing)}")


@check(
    "array-function",
    BLOCKER,
    "An aggregate or operator is made with one of PostgreSQL's array functions, which take other"
    " polymorphic types since PostgreSQL 14: it cannot be made on the target.",
    "Make it anew on the origin over a function of your own that calls the same array function.",
)
def _array_function(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.server if ctx.origin else None
    for master, server, needs in _targets(ctx):
        if origin and origin.major < _POLYMORPHIC_SINCE <= server.major:
            for one in needs.array_calls:
                yield Hit(one.by, master.name, f"uses {one.name}(), which takes other types here")

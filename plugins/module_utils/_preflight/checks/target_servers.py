# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: whether the targets' servers have what the origin's database needs (pure)."""

from __future__ import annotations

import re
import typing as t

from ..._common.text import size
from ..._postgres.locale import normal_locale
from ..context import Context
from ..facts import Database, SurveyedMaster
from ..registry import BLOCKER, INFO, WARNING, Hit, check

# A seed that fills a disk to the last byte is no success.
DISK_RESERVE = 1.1
# pg_database.datlocprovider -> its name and the first major version that has it for databases.
_PROVIDERS = {"i": ("icu", 15), "b": ("builtin", 17)}


@check(
    "extension-missing",
    BLOCKER,
    "The origin uses an extension that the target server does not offer.",
    "Install its package on the target server.",
)
def _extension_missing(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        for name, version in sorted(origin.extensions.items()) if origin else ():
            if master.server and name not in master.server.available:
                yield Hit(name, master.name, f"extension {name} {version} is not available")


@check(
    "extension-version",
    WARNING,
    "An extension is older on the target than on the origin, or, where both run the same version"
    " of PostgreSQL, newer.",
    "Install the newer version's package on the older side, and ALTER EXTENSION ... UPDATE there.",
)
def _extension_version(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        for name, version in sorted(origin.extensions.items()) if origin else ():
            if not master.server or name not in master.server.available:
                continue
            installed = master.database.extensions.get(name) if master.database else None
            theirs = installed or master.server.available[name]
            # A newer PostgreSQL comes with newer versions, and its dump takes those.
            same_major = (
                ctx.origin
                and ctx.origin.server
                and (ctx.origin.server.major == master.server.major)
            )
            if theirs and theirs != version and (same_major or _is_older(theirs, version)):
                yield Hit(name, master.name, f"version {theirs}, on the origin {version}")


def _is_older(one: str, other: str) -> bool:
    numbers = [[int(part) for part in re.findall(r"\d+", text)] for text in (one, other)]
    return numbers[0] < numbers[1]


@check(
    "encoding",
    BLOCKER,
    "A target's database has another encoding than the origin's.",
    "Name another database for this master, which is then made with the origin's encoding.",
)
def _encoding(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        there = master.database
        if origin and there and there.encoding != origin.encoding:
            yield Hit(
                there.name,
                master.name,
                f"encoding {there.encoding}, the origin's {origin.encoding}",
            )


@check(
    "locale",
    WARNING,
    "A target's database has another locale or provider than the origin's: order, case and"
    " equality of text may differ.",
    "Name another database for this master, which is then made with the origin's locale.",
)
def _locale(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        there = master.database
        if origin and there and _locales(there) != _locales(origin):
            yield Hit(
                there.name,
                master.name,
                f"locale {' '.join(there.locale)}, the origin's {' '.join(origin.locale)}",
            )


def _locales(database: Database) -> list[str]:
    return [normal_locale(part) for part in database.locale]


@check(
    "locale-missing",
    BLOCKER,
    "The target server does not know the locale of the origin's database, which is to be created.",
    "Generate the locale on the target server (dpkg-reconfigure locales), restart PostgreSQL, and"
    " run SELECT pg_import_system_collations('pg_catalog') in its database postgres.",
)
def _locale_missing(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        if not origin or not master.server or master.database:
            continue
        for name in sorted({normal_locale(part) for part in origin.locale[:2]}):
            if name not in ("c", "posix") and name not in master.server.locales:
                yield Hit(name, master.name, f"the locale {name} is not known here")


@check(
    "locale-provider",
    BLOCKER,
    "The target's PostgreSQL is too old for the locale provider of the origin's database.",
    "Use PostgreSQL 15 or newer for icu, 17 or newer for builtin.",
)
def _locale_provider(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        if not origin or not master.server or master.database:
            continue
        name, since = _PROVIDERS.get(origin.locale[2], ("", 0))
        if master.server.major < since:
            yield Hit(
                name,
                master.name,
                f"PostgreSQL {master.server.major} has no databases of this provider",
            )


@check(
    "tablespace-missing",
    BLOCKER,
    "The origin keeps tables in a tablespace that the target does not have.",
    "Create the tablespace on the target, or set schema_clone_tablespaces: false to put all tables"
    " into the database's own.",
)
def _tablespace_missing(ctx: Context) -> t.Iterator[Hit]:
    if not ctx.wanted.tablespaces:
        return
    origin = ctx.origin.database if ctx.origin else None
    for master in ctx.targets:
        for name, relations in sorted(origin.tablespaces.items()) if origin else ():
            if master.server and name not in master.server.tablespaces:
                yield Hit(name, master.name, f"{relations} relation(s) of the origin are in it")


def _needed(ctx: Context, master: SurveyedMaster) -> int:
    """Bytes that a target still has to take in: the origin's database less what is there."""
    origin = ctx.origin.database if ctx.origin else None
    there = master.database.bytes if master.database else 0
    return max(0, origin.bytes - there) if origin else 0


@check(
    "disk-space",
    BLOCKER,
    "A target's disk is too small for the origin's data.",
    "Free or add space on the target.",
)
def _disk_space(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.targets:
        needed = int(_needed(ctx, master) * DISK_RESERVE)
        free = master.server.free_bytes if master.server else None
        if free is not None and free < needed:
            yield Hit(master.name, master.name, f"{size(free)} are free, {size(needed)} are needed")


@check(
    "disk-space-unknown",
    INFO,
    "A target's free disk space cannot be read from here.",
    "Make sure that there is enough.",
)
def _disk_space_unknown(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.targets:
        needed = int(_needed(ctx, master) * DISK_RESERVE)
        if needed and master.server and master.server.free_bytes is None:
            yield Hit(master.name, master.name, f"about {size(needed)} are needed")

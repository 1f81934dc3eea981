# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: what a target's server did not take of the origin's schema when it was tried (pure)."""

from __future__ import annotations

import typing as t

from ..context import Context
from ..registry import BLOCKER, WARNING, Hit, check, checks_in
from . import needs, rows, target_servers

_ANYTHING = ""
_OF_FUNCTIONS = ("FUNCTION", "PROCEDURE", "AGGREGATE")
# The scratch database of the trial, and of the clone, has another name than the master's own.
_EXTENSION_CURE = (
    "If it works in one database only, create the master's own there beforehand, without tables and"
    " with the origin's encoding and locale. Else install what it needs, in the origin's version."
)
# A check that says more of the cause, to what is refused for it.
_EXPLAINED: t.Mapping[str, tuple[str, ...]] = {
    "extension-missing": (_ANYTHING,),
    "preload-missing": (_ANYTHING,),
    "cron-database": (_ANYTHING,),
    "tablespace-missing": (_ANYTHING,),
    "collation-missing": (_ANYTHING,),
    "dictionary-file": ("TEXT SEARCH DICTIONARY", "TEXT SEARCH CONFIGURATION"),
    "library-missing": _OF_FUNCTIONS,
    "setting-unknown": _OF_FUNCTIONS,
    "array-function": ("AGGREGATE", "OPERATOR"),
    "index-expression": ("INDEX", "CONSTRAINT", "MATERIALIZED VIEW DATA"),
}
_CAUSES = [
    found
    for file in (needs, rows, target_servers)
    for found in checks_in(file)
    if found.id in _EXPLAINED
]


@check(
    "schema-refused",
    BLOCKER,
    "The target's server does not take an object of the origin's schema, as where it is of an older"
    " version that does not know it. It was tried, and nothing of it was left there.",
    "Give this master a version of PostgreSQL that takes it, the origin's or a newer one; or make"
    " the object on the origin in a way that both know.",
)
def _schema_refused(ctx: Context) -> t.Iterator[Hit]:
    origin = ctx.origin.server if ctx.origin else None
    explained = _explained(ctx)
    for master in ctx.targets:
        types = explained.get(master.name, set()) | explained.get(ctx.origin_name, set())
        for one in master.refused_objects:
            if types & {_ANYTHING, one.type}:
                continue
            versions = f"PostgreSQL {master.server.major}" if master.server else ""
            if origin and master.server and origin.major != master.server.major:
                versions += f", the origin's is {origin.major}"
            cure = _EXTENSION_CURE if one.type == "EXTENSION" else ""
            yield Hit(f"{one.type} {one.name}", master.name, f"{one.message} ({versions})", cure)


@check(
    "schema-untried",
    WARNING,
    "It could not be tried whether the target's server takes the origin's schema. In a check"
    " (--check) that needs a maintenance database (master_maintenance_db) without objects of users,"
    " and room in the server's lock table.",
    "Nothing, as a run without --check tries it in a scratch database; otherwise see to the cause."
    " The clone leaves nothing of a schema that is refused.",
)
def _schema_untried(ctx: Context) -> t.Iterator[Hit]:
    for master in ctx.targets:
        if master.restore_untried:
            yield Hit(master.name, master.name, master.restore_untried)


def _explained(ctx: Context) -> dict[str, set[str]]:
    """Types of objects that another check speaks of, by master."""
    found: dict[str, set[str]] = {}
    for cause in _CAUSES:
        for hit in cause.run(ctx):
            found.setdefault(hit.master, set()).update(_EXPLAINED[cause.id])
    return found

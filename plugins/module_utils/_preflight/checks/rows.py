# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of preflight for rows that a seed does not bring along, or may not get in (pure)."""

from __future__ import annotations

import typing as t

from ..context import Context
from ..registry import BLOCKER, WARNING, Hit, check

# Indexes are built with an empty search_path, whatever the session's, since PostgreSQL 17.
_RESTRICTED_SINCE = 17
_JOBS = ("pg_cron", "job")
_JOBS_CURE = (
    "If one master is to run them, name the table in multimaster_exclude. Else change them on every"
    " master from then on."
)


@check(
    "extension-rows",
    WARNING,
    "A table of an extension holds rows that users put there. The seed copies them once, to a"
    " target that has nothing of the kind; later changes are not replicated, and what the extension"
    " does with such rows (jobs, for example) every master does.",
    "Change them on every master from then on. Who does not want them copied names the table in"
    " multimaster_exclude.",
)
def _extension_rows(ctx: Context) -> t.Iterator[Hit]:
    if ctx.origin and ctx.origin.database:
        for found in ctx.origin.database.extension_rows:
            if found.table in ctx.names or ctx.excluded(found.table):
                continue
            words = (
                f"holds {found.rows} row(s) of users' own beside those of extension"
                f" {found.extension}: copied once, not replicated"
            )
            cure = ""
            if (found.extension, found.table.name) == _JOBS:
                words, cure = f"{words}, and every master will run these jobs", _JOBS_CURE
            yield Hit(str(found.table), ctx.origin.name, words, cure)


@check(
    "check-calls",
    WARNING,
    "A CHECK constraint, perhaps of a domain, calls a function that somebody wrote here, or one"
    " that depends on the clock or on settings. It is not checked when rows are copied; but a row"
    " that one master takes may be refused by another, and stops the sync.",
    "Look what the function reads. If it is more than its arguments, put its work into a trigger on"
    " every master.",
)
def _check_calls(ctx: Context) -> t.Iterator[Hit]:
    if ctx.origin and ctx.origin.database:
        for found in ctx.origin.database.check_calls:
            if found.table in ctx.names:
                yield Hit(
                    str(found.table),
                    ctx.origin.name,
                    f"constraint {found.constraint} calls {found.function}",
                )


@check(
    "index-expression",
    BLOCKER,
    "An index calls a function that finds something only by search_path. A dump is restored with an"
    " empty one, and PostgreSQL 17 and newer build every index so: it cannot be built on the"
    " target.",
    "ALTER FUNCTION ... SET search_path on the origin, or write the schema into the function.",
)
def _index_expression(ctx: Context) -> t.Iterator[Hit]:
    if ctx.origin and ctx.origin.database:
        newest = max((m.server.major for m in ctx.targets if m.server), default=0)
        for found in ctx.origin.database.bad_expressions:
            if found.over_rows and newest < _RESTRICTED_SINCE:
                continue
            yield Hit(
                str(found.table),
                ctx.origin.name,
                f"index {found.index} with an empty search_path: {found.message}",
            )

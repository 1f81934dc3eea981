# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: what goes on right now (pure)."""

from __future__ import annotations

import typing as t

from ..._common.text import listed
from ..context import Context
from ..registry import BLOCKER, WARNING, Hit, check


@check(
    "long-transaction",
    WARNING,
    "A transaction has been open for long: enrolment waits for it on the tables that it wrote.",
    "Wait for its end; pg_terminate_backend() would roll back what it did.",
)
def _long_transaction(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for open_ in database.transactions:
            if not open_.gid and open_.age > ctx.wanted.max_transaction_age:
                tables = listed([str(name) for name in open_.locked if name in ctx.names])
                yield Hit(
                    f"pid {open_.pid}",
                    master.name,
                    f"open for {open_.age:.0f} s ({open_.user}, {open_.application or 'no name'},"
                    f" {open_.state})" + (f", holds {tables}" if tables else ""),
                )


@check(
    "prepared-transaction",
    WARNING,
    "A prepared transaction waits for its end; the seed's snapshot cannot be cleaned up.",
    "Let the application that prepared it end it: COMMIT PREPARED keeps what it wrote, ROLLBACK"
    " PREPARED throws it away.",
)
def _prepared_transaction(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for prepared in database.transactions:
            if prepared.gid and not ctx.names.intersection(prepared.locked):
                yield Hit(prepared.gid, master.name, f"prepared {prepared.age:.0f} s ago")


@check(
    "prepared-lock",
    BLOCKER,
    "A prepared transaction holds locks on a table that takes part: no trigger can be created"
    " there before it ends.",
    "Let the application that prepared it end it: COMMIT PREPARED keeps what it wrote, ROLLBACK"
    " PREPARED throws it away.",
)
def _prepared_lock(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for prepared in database.transactions:
            held = [str(name) for name in prepared.locked if name in ctx.names]
            if prepared.gid and held:
                yield Hit(
                    prepared.gid,
                    master.name,
                    f"prepared {prepared.age:.0f} s ago, holds {listed(held)}",
                )

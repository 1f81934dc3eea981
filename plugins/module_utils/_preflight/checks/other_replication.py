# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: whatever else replicates, or forbids what Bucardo does (pure)."""

from __future__ import annotations

import typing as t

from ..context import Context
from ..facts import SurveyedMaster
from ..registry import BLOCKER, INFO, WARNING, Hit, check

# Transactions per second that write: a disk of a server flushes hardly less often one by one.
_BUSY = 100.0


@check(
    "publication-for-all",
    BLOCKER,
    "A publication FOR ALL TABLES also covers Bucardo's tables; they have no replica identity, so"
    " that PostgreSQL would refuse the daemon's deletes.",
    "Publish named tables or schemas instead.",
)
def _publication_for_all(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for name in database.publications_of_all:
            yield Hit(name, master.name, "this publication is FOR ALL TABLES")


@check(
    "published",
    WARNING,
    "A table is published by logical replication, replicated rows included.",
    "Make sure that the subscriber is no master, or it gets each row twice.",
)
def _published(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for table, publications in sorted(database.published.items()):
            if table in ctx.names:
                yield Hit(str(table), master.name, f"is published by {', '.join(publications)}")


@check(
    "published-without-identity",
    BLOCKER,
    "PostgreSQL refuses to delete rows of a table, as where a publication wants what the replica"
    " identity does not give: the daemon deletes each row that it writes, and would stop for all"
    " tables.",
    "ALTER TABLE ... REPLICA IDENTITY USING INDEX (or FULL) on this master, take DELETE out of what"
    " the publication publishes, or exclude the table (multimaster_exclude).",
)
def _published_without_identity(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for name, said in sorted(database.refused_changes.items()):
            if name in ctx.names:
                yield Hit(str(name), master.name, said)


@check(
    "subscribed",
    BLOCKER,
    "A subscription writes into a table; Bucardo's trigger does not fire for such rows.",
    "Exclude the table.",
)
def _subscribed(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for table in sorted(database.subscribed & ctx.names):
            yield Hit(str(table), master.name, "is written by a subscription")


@check(
    "control-is-master",
    BLOCKER,
    "A master's database holds Bucardo's control tables.",
    "Use a database of its own for the control database.",
)
def _control_is_master(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        if database.is_control:
            yield Hit(database.name, master.name, "this is a control database of Bucardo")


@check(
    "foreign-schema",
    BLOCKER,
    "There is a schema called bucardo with contents that are not Bucardo's.",
    "Let its owner move it to another name, together with what uses it.",
)
def _foreign_schema(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        if database.bucardo_relations and not database.has_bucardo and not database.is_control:
            yield Hit(
                "bucardo",
                master.name,
                f"{database.bucardo_relations} relations, none of them Bucardo's",
            )


def _other_syncs(ctx: Context) -> t.Iterator[tuple[SurveyedMaster, str, int, bool]]:
    """Syncs of each master beside ours, with the number of tables and whether control has them."""
    control = ctx.facts.control
    known = set(control.syncs) if control else set()
    for master, database in ctx.databases():
        if database.is_control:
            continue
        for sync, tables in sorted(database.enrolled.items()):
            if sync != ctx.wanted.sync:
                yield master, sync, tables, sync in known


@check(
    "foreign-bucardo",
    BLOCKER,
    "A master has triggers of a sync that this control database does not know: another"
    " installation of Bucardo, or the remains of one.",
    "If that replication is in use, name its control database; the playbook teardown, with that"
    " sync's name, removes what is left of one that is gone.",
)
def _foreign_bucardo(ctx: Context) -> t.Iterator[Hit]:
    for master, sync, tables, known in _other_syncs(ctx):
        if not known:
            yield Hit(sync, master.name, f"{tables} table(s) belong to this unknown sync")


@check(
    "other-sync",
    INFO,
    "A master also takes part in another sync of the same installation.",
    "Nothing to do.",
)
def _other_sync(ctx: Context) -> t.Iterator[Hit]:
    for master, sync, tables, known in _other_syncs(ctx):
        if known:
            yield Hit(sync, master.name, f"{tables} table(s) belong to this sync")


@check(
    "event-trigger",
    WARNING,
    "An event trigger runs when tables, functions and triggers are created, and may refuse them.",
    "Let it pass what is made in schema bucardo.",
)
def _event_trigger(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for name in database.event_triggers:
            yield Hit(name, master.name, "this event trigger is enabled")


@check(
    "ddl-refused",
    BLOCKER,
    "An event trigger or a library refuses what the bootstrap makes: a schema, tables, functions,"
    " indexes and triggers. It was tried, and rolled back.",
    "Let it make an exception for login_user and Bucardo's role, which make them.",
)
def _ddl_refused(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        if database.refused_ddl:
            name = next(iter(database.event_triggers), database.name)
            yield Hit(name, master.name, database.refused_ddl)


@check(
    "prepared-kick",
    WARNING,
    "The server takes prepared transactions (two-phase commit, XA). PostgreSQL refuses to prepare"
    " one that has sent a notification, as every change of a replicated table does.",
    "Leave replication_kick at poll if applications use PREPARE TRANSACTION.",
)
def _prepared_kick(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        number = server.offers.prepared_transactions
        if number and ctx.wanted.notifies:
            yield Hit(master.name, master.name, f"max_prepared_transactions is {number}")


@check(
    "busy-kick",
    WARNING,
    "Many transactions write on the server. With replication_kick: notify each of a replicated"
    " table sends a notification, and PostgreSQL lets these commit only one after the other:"
    " clients wait for each other where many write at once.",
    "Leave replication_kick at poll, for which nobody waits.",
)
def _busy_kick(ctx: Context) -> t.Iterator[Hit]:
    for master, server in ctx.servers():
        if server.writes >= _BUSY and ctx.wanted.notifies:
            yield Hit(master.name, master.name, f"{server.writes:.0f} write per second now")

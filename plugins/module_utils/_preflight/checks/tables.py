# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: which tables can be replicated, and what is special about them (pure)."""

from __future__ import annotations

import typing as t

from ..._bucardo.keys import registered_key
from ..._postgres.tables import BUCARDO_SCHEMA
from ..._tracking import truncate
from .. import enrolled_findings
from ..context import Context, base_type
from ..registry import BLOCKER, INFO, WARNING, Hit, check

_KINDS = {
    "p": "a partitioned table",
    "f": "a foreign table",
    "m": "a materialized view",
}


@check(
    "not-a-table",
    BLOCKER,
    "Something was named that Bucardo cannot replicate: a partitioned table, a foreign table or a"
    " materialized view.",
    "Name the partitions instead; remove the others from tables.",
)
def _not_a_table(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.kind in _KINDS:
            yield Hit(str(table.name), ctx.origin_name, f"is {_KINDS[table.kind]}")


@check(
    "unlogged",
    BLOCKER,
    "An unlogged table was named: a crash empties it on one master only.",
    "ALTER TABLE ... SET LOGGED, or remove it from tables.",
)
def _unlogged(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.persistence == "u":
            yield Hit(str(table.name), ctx.origin_name, "is unlogged")


@check(
    "temporary",
    BLOCKER,
    "A temporary table was named.",
    "Remove it from tables.",
)
def _temporary(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.persistence == "t":
            yield Hit(str(table.name), ctx.origin_name, "is temporary")


@check(
    "generated-column",
    INFO,
    "A generated column is not replicated: each master computes it from the row's other columns.",
    "Nothing, where the expression gives the same on every master, as PostgreSQL demands of it.",
)
def _generated_column(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        columns = [column.name for column in table.columns if column.generated]
        if columns:
            yield Hit(str(table.name), ctx.origin_name, f"computed here: {', '.join(columns)}")


@check(
    "partitioned",
    INFO,
    "A partitioned table takes part through its partitions; new ones must be added by hand.",
    "Run the play again after adding a partition on every master.",
)
def _partitioned(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.left_out:
        if table.kind == "p":
            yield Hit(str(table.name), ctx.origin_name, "is replicated through its partitions")


@check(
    "left-out",
    WARNING,
    "Bucardo cannot replicate an unlogged or foreign table; it was left out.",
    "Put it into exclude to say that you know.",
)
def _left_out(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.left_out:
        if table.extension:
            continue
        if table.kind == "f":
            yield Hit(str(table.name), ctx.origin_name, "is a foreign table and does not take part")
        elif table.kind == "r" and table.persistence != "p":
            yield Hit(str(table.name), ctx.origin_name, "is unlogged and does not take part")


@check(
    "materialized-view",
    INFO,
    "Bucardo does not replicate what a materialized view holds; the seed refreshes it once.",
    "Refresh it on every master when you need it fresh.",
)
def _materialized_view(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.left_out:
        if table.kind == "m":
            yield Hit(str(table.name), ctx.origin_name, "is refreshed by each master itself")


@check(
    "inheritance",
    WARNING,
    "A table has children by inheritance: every one of them must take part by itself.",
    "Select parent and children alike.",
)
def _inheritance(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    for child, parent in sorted(database.children.items()) if database else ():
        if (child in ctx.names) != (parent in ctx.names):
            odd = child if parent in ctx.names else parent
            yield Hit(
                str(odd), ctx.origin_name, f"does not take part: {child} inherits from {parent}"
            )


@check(
    "inheritance-truncate",
    WARNING,
    "TRUNCATE is left to Bucardo, which truncates a table with those that inherit from it: their"
    " rows would be gone on the other masters, even after a TRUNCATE ONLY.",
    "Keep the default of replication_truncate, by which it is replicated.",
)
def _inheritance_truncate(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    if not database or ctx.wanted.truncate != truncate.BUCARDO:
        return
    for child, parent in sorted(database.children.items()):
        if parent in ctx.names:
            yield Hit(str(parent), ctx.origin_name, f"{child} inherits from it")


@check(
    "row-security",
    WARNING,
    "Row-level security is on: a role that is bound by it sees and copies only its own rows.",
    "Keep Bucardo's role and login_user superusers, or grant them BYPASSRLS.",
)
def _row_security(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        if table.has_row_security:
            yield Hit(str(table.name), ctx.origin_name, "has row-level security")


@check(
    "user-trigger",
    INFO,
    "A trigger or rule of a table runs only on the master where a row is written, not where the row"
    " is replicated: what it writes elsewhere must be replicated, too.",
    "Make sure that the tables it writes take part, or that each master may have its own.",
)
def _user_trigger(ctx: Context) -> t.Iterator[Hit]:
    for trigger in ctx.origin.database.triggers if ctx.origin and ctx.origin.database else ():
        ours = trigger.schema == BUCARDO_SCHEMA
        if trigger.table in ctx.names and trigger.enabled == "O" and not ours:
            yield Hit(str(trigger.table), ctx.origin_name, f"has the {trigger.kind} {trigger.name}")


@check(
    "always-trigger",
    WARNING,
    "A trigger or rule fires for replicated rows and seeded rows, too.",
    "ALTER TABLE ... ENABLE TRIGGER (without ALWAYS or REPLICA), unless you mean it.",
)
def _always_trigger(ctx: Context) -> t.Iterator[Hit]:
    for master, database in ctx.databases():
        for trigger in database.triggers:
            ours = trigger.schema == BUCARDO_SCHEMA
            if trigger.table in ctx.names and trigger.enabled in ("A", "R") and not ours:
                how = "ALWAYS" if trigger.enabled == "A" else "REPLICA"
                yield Hit(
                    str(trigger.table),
                    master.name,
                    f"the {trigger.kind} {trigger.name} is ENABLE {how}",
                )


@check(
    "enrolment",
    WARNING,
    "A table is not enrolled as it must be: it has another name or key now, or a trigger or its"
    " function is not what was made. Its changes may have been missed.",
    "The bootstrap holds the sync, rebuilds what is wrong and compares the rows before it goes on.",
)
def _enrolment(ctx: Context) -> t.Iterator[Hit]:
    for master, _database, table in ctx.copies():
        found = enrolled_findings.faults(ctx.facts, master, table.name)
        if found:
            yield Hit(str(table.name), master.name, "; ".join(fault.text for fault in found))


@check(
    "relgroup-stale",
    WARNING,
    "A table of the relgroup does not exist on the origin any more; nothing can be replicated until"
    " it is taken out.",
    "The bootstrap takes it out. A table that has another name now comes in under that.",
)
def _relgroup_stale(ctx: Context) -> t.Iterator[Hit]:
    if ctx.origin and ctx.origin.database:
        for name in enrolled_findings.stale(ctx.facts, ctx.origin.database):
            yield Hit(str(name), "", f"is in relgroup {ctx.wanted.relgroup}, but was dropped")


@check(
    "secondary-unique",
    WARNING,
    "Besides its key a table has unique indexes: two masters that use the same value at the same"
    " time end in an error that stops the sync.",
    "Make sure that only one master assigns such values, or add an exception handler (customcode).",
)
def _secondary_unique(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        key = registered_key(table)
        own = next((i.name for i in table.indexes if i.unique and i.columns == key), "")
        others = [i.name for i in table.indexes if i.unique and i.name != own]
        if key and others:
            yield Hit(str(table.name), ctx.origin_name, f"also unique: {', '.join(others)}")


@check(
    "exclusion-constraint",
    WARNING,
    "An exclusion constraint can refuse a replicated row, which stops the sync.",
    "Make sure that only one master writes rows that can exclude each other.",
)
def _exclusion_constraint(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    for table, name in database.exclusions if database else ():
        if table in ctx.names:
            yield Hit(str(table), ctx.origin_name, f"has the exclusion constraint {name}")


@check(
    "foreign-key-outside",
    WARNING,
    "A foreign key connects a table that takes part with one that does not; nothing checks it"
    " for replicated rows.",
    "Let both take part, or keep the other table equal by other means.",
)
def _foreign_key_outside(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    parents = set(database.partitions.values()) if database else set()
    known = ctx.names | {table.name for table in ctx.left_out if table.name in parents}
    for key in database.foreign_keys if database else ():
        if key.table in ctx.names and key.referenced not in known:
            yield Hit(
                str(key.table),
                ctx.origin_name,
                f"{key.name} refers to {key.referenced}, which does not take part",
            )
        elif key.referenced in ctx.names and key.table not in known:
            yield Hit(
                str(key.referenced),
                ctx.origin_name,
                f"{key.name} of {key.table}, which does not take part, refers to it",
            )


@check(
    "foreign-key",
    INFO,
    "Foreign keys are checked where a row is written, not where it is replicated: a row that one"
    " master inserts while another deletes what it refers to stays alone on all of them.",
    "Nothing, if one master at a time writes the rows of a parent and its children. The playbook"
    " verify names rows that are alone.",
)
def _foreign_key(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    for key in database.foreign_keys if database else ():
        if {key.table, key.referenced} <= ctx.names:
            yield Hit(str(key.table), ctx.origin_name, f"{key.name} refers to {key.referenced}")


@check(
    "truncate-foreign-key",
    WARNING,
    "TRUNCATE is left to Bucardo, which cannot truncate a table that a foreign key of another"
    " refers to, and takes it for done: the masters would differ.",
    "Keep the default of replication_truncate, by which it is replicated.",
)
def _truncate_foreign_key(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    if database is None or ctx.wanted.truncate != truncate.BUCARDO:
        return
    for table in sorted(ctx.names):
        # What refers to a partitioned table refers to each of its leaves.
        meant, above = {table}, database.partitions.get(table)
        while above is not None:
            meant.add(above)
            above = database.partitions.get(above)
        for key in database.foreign_keys:
            if key.referenced in meant and key.table != table:
                yield Hit(str(table), ctx.origin_name, f"{key.name} of {key.table} refers to it")


@check(
    "large-objects",
    WARNING,
    "The database has large objects; Bucardo does not replicate them.",
    "Move them into bytea columns, or copy them by other means.",
)
def _large_objects(ctx: Context) -> t.Iterator[Hit]:
    database = ctx.origin.database if ctx.origin else None
    if database and database.large_objects:
        yield Hit(database.name, ctx.origin_name, f"{database.large_objects} large object(s)")


@check(
    "large-object-column",
    WARNING,
    "A column of type oid or lo may point to large objects, which are not replicated.",
    "Move them into bytea columns; nothing to do if the column means something else.",
)
def _large_object_column(ctx: Context) -> t.Iterator[Hit]:
    for table in ctx.selected:
        columns = [c.name for c in table.columns if base_type(c.type) in ("oid", "lo")]
        if columns:
            yield Hit(str(table.name), ctx.origin_name, f"of type oid or lo: {', '.join(columns)}")

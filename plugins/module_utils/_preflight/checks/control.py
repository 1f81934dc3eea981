# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks: bucardo's control database (pure)."""

from __future__ import annotations

import typing as t

from ..._bucardo.objects import Dbgroup
from ..._bucardo.registration import other_users
from ..._common.text import listed
from ..._tracking.plan import SUPPORTED_VERSION
from ..context import Context
from ..facts import SurveyedControl, SurveyedMaster
from ..registry import BLOCKER, WARNING, Hit, check


@check(
    "control-unreachable",
    WARNING,
    "The control database could not be read, so that its contents were not checked.",
    "Check the connection options; nothing to do if it is still to be installed.",
)
def _control_unreachable(ctx: Context) -> t.Iterator[Hit]:
    if ctx.facts.control and ctx.facts.control.error:
        yield Hit("control database", "", ctx.facts.control.error)


@check(
    "plperlu-missing",
    BLOCKER,
    "The control server lacks PL/PerlU, in which Bucardo's functions are written.",
    "Install postgresql-plperl, libdbi-perl and libdbd-pg-perl on the control server.",
)
def _plperlu_missing(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    # On this host a later step installs the package.
    if control and not control.error and not control.plperlu and not control.local:
        yield Hit("plperlu", "", "the control server cannot create the extension plperlu")


@check(
    "bucardo-version",
    BLOCKER,
    f"The control database belongs to another version of Bucardo than {SUPPORTED_VERSION}.",
    f"Upgrade the control database to {SUPPORTED_VERSION}.",
)
def _bucardo_version(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    if control and control.installed and control.bucardo_version != SUPPORTED_VERSION:
        yield Hit("bucardo", "", f"the control database is of version {control.bucardo_version}")


@check(
    "sync-taken",
    BLOCKER,
    "A sync of this name exists with other groups, or between other databases.",
    "Choose another name for the sync, or the groups and masters that it has.",
)
def sync_taken(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    sync = control.syncs.get(ctx.wanted.sync) if control else None
    if not control or not sync:
        return
    group = control.dbgroups.get(sync.dbgroup)
    if group and not any(_takes_part(ctx, control, group, master) for master in ctx.facts.masters):
        members = listed(sorted(group.members))
        yield Hit(sync.name, "", f"this sync exists between other databases: {members}")
    elif (sync.relgroup, sync.dbgroup) != (ctx.wanted.relgroup, ctx.wanted.dbgroup):
        yield Hit(
            sync.name,
            "",
            f"this sync exists with relgroup {sync.relgroup} and dbgroup {sync.dbgroup}",
        )


def _takes_part(
    ctx: Context, control: SurveyedControl, group: Dbgroup, master: SurveyedMaster
) -> bool:
    """Whether a master is, or may be, in the sync: its address may have changed since."""
    known = control.databases.get(master.name)
    return (
        bool(master.error)
        or bool(master.database and ctx.wanted.sync in master.database.enrolled)
        or bool(
            known
            and master.name in group.members
            and (
                known.service
                or known.dsn
                or (known.dbname, known.host) == (master.dbname, master.host)
            )
        )
    )


@check(
    "database-differs",
    WARNING,
    "Bucardo knows a master's name already, but as another database.",
    "Choose another name for the master, unless its address has really changed.",
)
def _database_differs(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    for master in ctx.facts.masters:
        known = control.databases.get(master.name) if control else None
        if not known or known.service or known.dsn:
            continue
        ours = (master.dbname, master.host, master.port or "5432")
        theirs = (known.dbname, known.host, known.port or "5432")
        if ours != theirs and not _is_of_others(ctx, master):
            yield Hit(
                master.name,
                master.name,
                f"Bucardo has it as {known.host}:{known.port}/{known.dbname}",
            )


def _is_of_others(ctx: Context, master: SurveyedMaster) -> bool:
    """Whether another sync uses the name, which is another check's."""
    control = ctx.facts.control
    return bool(
        control and other_users(master.name, control.dbgroups, control.syncs, ctx.wanted.sync)
    )


@check(
    "dbgroup-members",
    WARNING,
    "The dbgroup has members that are no masters here; they would be taken out of it.",
    "Add them to the masters, or choose another dbgroup.",
)
def _dbgroup_members(ctx: Context) -> t.Iterator[Hit]:
    group = ctx.facts.control.dbgroups.get(ctx.wanted.dbgroup) if ctx.facts.control else None
    if group:
        for name in sorted(set(group.members) - {master.name for master in ctx.facts.masters}):
            yield Hit(name, "", f"is in dbgroup {group.name} but not among the masters")


@check(
    "sequence-enrolled",
    BLOCKER,
    "The relgroup holds a sequence: Bucardo would set the highest value on every master.",
    "Remove the sequence from the relgroup.",
)
def _sequence_enrolled(ctx: Context) -> t.Iterator[Hit]:
    for goat in ctx.facts.control.goats if ctx.facts.control else ():
        if goat.reltype == "sequence" and ctx.wanted.relgroup in goat.relgroups:
            yield Hit(str(goat.name), "", f"this sequence is in relgroup {ctx.wanted.relgroup}")


@check(
    "shared-dbgroup",
    BLOCKER,
    "Another sync replicates the same table within the same dbgroup: the two would take each"
    " other's queue for done.",
    "Remove the table from one of them, or use another dbgroup.",
)
def _shared_dbgroup(ctx: Context) -> t.Iterator[Hit]:
    control = ctx.facts.control
    if not control:
        return
    for sync in control.syncs.values():
        if sync.dbgroup != ctx.wanted.dbgroup or sync.name == ctx.wanted.sync:
            continue
        for goat in control.goats:
            if sync.relgroup in goat.relgroups and goat.name in ctx.names:
                yield Hit(str(goat.name), "", f"sync {sync.name} has it in the same dbgroup")

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masters and their tables: whether changes are noted at all (pure)."""

from __future__ import annotations

import typing as t

from .._common.text import age, listed, size
from .facts import Facts, pairs
from .problem import BOOTSTRAP, WARNING, Alarm, one_line


def master_unreachable(facts: Facts) -> t.Iterator[Alarm]:
    """A master cannot be read. With one of three away, the other two do not replicate either."""
    seen = set()
    for sync in facts.syncs:
        for master in sync.masters:
            if not master.error or master.name in seen:
                continue
            seen.add(master.name)
            others = [one.name for one in sync.masters if one.name != master.name]
            also = f" Until then {' and '.join(others)} do not replicate either." if others else ""
            yield Alarm(
                "master_unreachable",
                f"{master.name} cannot be read: {one_line(master.error).rstrip('.')}",
                f"Bring it back.{also if sync.active and len(others) > 1 else ''}",
                sync=sync.name,
                master=master.name,
            )


def master_went_back(facts: Facts) -> t.Iterator[Alarm]:
    """A backup or a lagging standby answers under a master's name: it lacks what nobody brings."""
    for sync, master in pairs(facts):
        if master.went_back:
            yield Alarm(
                "master_went_back",
                f"{master.name} {master.went_back}: it may lack rows that are marked as brought to"
                " it, and Bucardo goes on with what it holds",
                f"{BOOTSTRAP}: it holds the sync, compares all rows, and names those that differ."
                " See docs/runbooks/restored-master.md.",
                sync=sync.name,
                master=master.name,
            )


def enrolment_broken(facts: Facts) -> t.Iterator[Alarm]:
    """A trigger is missing or disabled, a key was changed: changes are not noted."""
    for sync, master in pairs(facts):
        for table, faults in sorted(master.faults.items()):
            yield Alarm(
                "enrolment_broken",
                f"{master.name}: changes of {table} are not replicated as they must be:"
                f" {'; '.join(faults)}",
                f"{BOOTSTRAP}: it mends the enrolment, compares the table, and names the rows that"
                " differ.",
                sync=sync.name,
                master=master.name,
                table=str(table),
            )


def columns_changed(facts: Facts) -> t.Iterator[Alarm]:
    """A column came or went behind Bucardo's back: the next run may fail, and fails for ever."""
    for sync in facts.syncs:
        stale = [master.name for master in sync.read if master.stale]
        if stale and sync.active:
            yield Alarm(
                "columns_changed",
                f"Tables of {sync.name} have other columns on {', '.join(stale)} than when the"
                " daemon read them",
                f"{BOOTSTRAP} once the columns are the same on all masters: it compares them and"
                " reloads the daemon.",
                sync=sync.name,
            )


def not_enrolled(facts: Facts) -> t.Iterator[Alarm]:
    """A table or partition that matches the patterns takes no part."""
    for sync, master in pairs(facts):
        if master.strangers:
            yield Alarm(
                "not_enrolled",
                f"{master.name}: {listed(master.strangers)} matches the selection and is not"
                f" replicated by {sync.name}",
                f"{BOOTSTRAP}, or name it in multimaster_exclude.",
                severity=WARNING,
                sync=sync.name,
                master=master.name,
            )


def rights_missing(facts: Facts) -> t.Iterator[Alarm]:
    """Bucardo's role is no superuser and lacks a right, or sees only some of the rows."""
    for sync, master in pairs(facts):
        for table, lacks in sorted(master.rights.items()):
            yield Alarm(
                "rights_missing",
                f"{master.name}: the role that Bucardo logs in with {' and '.join(lacks)} of"
                f" {table}",
                f"{BOOTSTRAP}: it makes the role what Bucardo needs.",
                sync=sync.name,
                master=master.name,
                table=str(table),
            )


def shed(facts: Facts) -> t.Iterator[Alarm]:
    """A table was shed for the sake of the disk: its changes are not noted, and not replicated."""
    for sync, master in pairs(facts):
        for one in master.shed:
            yield Alarm(
                "shed",
                f"{one.table} was shed on {master.name} {age(one.age)} ago ({one.since}), when"
                f" {one.changes} changes of it took {size(one.bytes)}: since then {sync.name} does"
                f" not replicate it, and what is written to it on {master.name} is noted nowhere",
                "Once all masters are there, choose the one whose rows are right and run the"
                " playbook reseed with -e multimaster_reseed_from=NAME and"
                f" multimaster_reseed_tables: ['{one.table}'], see docs/runbooks/full-disk.md.",
                sync=sync.name,
                master=master.name,
                table=str(one.table),
                age=one.age,
            )


def equal_times(facts: Facts) -> t.Iterator[Alarm]:
    """Two transactions began in the same microsecond, and the later end was not seen."""
    for sync in facts.syncs:
        for one in sync.unequal:
            yield Alarm(
                "equal_times",
                f"{one.table}: {', '.join(one.keys)} differ and nothing waits: changed by"
                " transactions with the same time, of which Bucardo took the second for replicated",
                "Write the right row once more (UPDATE ... SET column = column) on the master that"
                " has it.",
                sync=sync.name,
                table=str(one.table),
            )


def sequence_strayed(facts: Facts) -> t.Iterator[Alarm]:
    """A sequence hands out numbers of another master."""
    for sync, lines in facts.sequences.items():
        for line in lines:
            what, _dot, cure = line.partition(". ")
            yield Alarm("sequence_strayed", what, cure, sync=sync, table=what.split(" on ")[0])

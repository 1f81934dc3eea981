# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables and jobs for the tests of the seed."""

from __future__ import annotations

import dataclasses

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import plan, tasks

MB = 1 << 20
INTEGER = Column("id", "integer", True, type_oid=23)


def name(text):
    return TableName("public", text)


def table(text="t", size=0, oid=1, columns=(INTEGER,), kind="r"):
    return Table(name(text), oid, kind, "p", tuple(columns), bytes=size)


def index(text="i", oid=7, **changes):
    made = plan.IndexFacts(oid, name(text), "btree", True, True, f"CREATE INDEX {text} ON t (id)")
    return dataclasses.replace(made, **changes)


def job(text="t", size=0, state=None, **changes):
    """A table to copy: OID 1 on the source, 2 on the target."""
    made = plan.Job(
        source=table(text, size, 1),
        target=table(text, size, 2),
        format=plan.BINARY,
        reason="",
        index_mode=plan.KEEP,
        state=plan.PairState(**(state or {})),
    )
    return dataclasses.replace(made, **changes)


def success(jobs, task):
    """What a worker answers when all goes well."""
    if isinstance(task, (tasks.CopyTables, tasks.ProveParts)):
        return tasks.Proven(
            tuple(
                tasks.ProvenTable(
                    number, 5, 50, 0.1, not (jobs[number].defer or jobs[number].rebuild)
                )
                for number in tasks.jobs_of(task)
            ),
            1,
        )
    if isinstance(task, tasks.BeginParts):
        return tasks.PartsBegun(12.5, 1)
    if isinstance(task, tasks.CopyPart):
        return tasks.PartCopied(tasks.Read(5, 50, (5, "7")))
    return tasks.Done()

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes tables of a target ready for their rows: nobody writes, nothing is in them or in the queue.

A new master is enrolled before it is seeded, so whatever is done to it meanwhile is queued, and a
release would bring it to the origin: a TRUNCATE of a stray row empties the table there. What a
master had queued of a table before that table was loaded is worthless by definition and goes
with the load.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._bucardo import received
from .._common.change import Lacks
from .._common.errors import MultimasterError, Refused
from .._common.names import TableName
from .._common.text import listed
from .._ledger import ledger, membership
from .._postgres import pg
from .._postgres.tables import Table
from .._tracking.plan import object_name
from . import kept, statements
from .plan import Job

# Delta first: what it holds is what is lost with the load, and is counted.
_QUEUE = ("delta_", "track_", "stage_")

_REFERENCED = """
SELECT DISTINCT confrelid::bigint AS oid FROM pg_catalog.pg_constraint
 WHERE contype = 'f' AND confrelid = ANY (%(oids)s::bigint[]::oid[]) AND conrelid <> confrelid
"""
_IN_OTHER_SYNCS = """
SELECT n.nspname AS schema, c.relname AS name,
       pg_catalog.string_agg(DISTINCT d.sync, ', ' ORDER BY d.sync) AS syncs
  FROM bucardo.bucardo_delta_names d
  JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(d.tablename)
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY (%(oids)s::bigint[]::oid[])
 GROUP BY n.nspname, c.relname HAVING pg_catalog.count(DISTINCT d.sync) > 1
"""


def refuse_origin(target: pg.Session, name: str, lacks: Lacks) -> bool:
    """Whether the others were seeded from this target, and a step to come makes another master
    their origin.

    :param name: of the target, for messages.
    :param lacks: told so; where it returns, that step was only planned.
    """
    if not membership.is_only_origin(target):
        return False
    lacks(
        Refused(
            f"{name} is the origin of its group: the others were seeded from it, not it from them",
            "Look which master is the source and which one the target.",
        )
    )
    return True


def check(target: pg.Session, name: str, tables: t.Sequence[Table], alone: bool) -> None:
    """Refuse a target whose rows must not be written.

    :param name: of the target, for messages.
    :param alone: rows of its tables would go, so Bucardo must not be at work there.
    :raises Refused: before anything was changed.
    """
    if not target.value("SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_names') IS NOT NULL"):
        return
    shared = target.rows(_IN_OTHER_SYNCS, {"oids": [table.oid for table in tables]})
    if shared:
        names = listed(TableName(row["schema"], row["name"]) for row in shared)
        raise Refused(
            f"{names}: in several syncs on {name} ({shared[0]['syncs']}); rows that a seed puts"
            " there are not queued, so the masters of the other sync would never get them",
            "Seed a table before it takes part in a second sync, or take it out of one of them.",
        )
    if alone and target.value(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity"
        " WHERE datname = pg_catalog.current_database()"
        "   AND application_name LIKE 'bucardo KID %%')",
        (),
    ):
        raise Refused(
            f"Bucardo is replicating to and from {name}, so its rows cannot be replaced",
            "Hold the sync first (bucardo_sync with status held), as the playbook"
            " multimaster.bucardo.reseed does.",
        )


def take(
    target: pg.Session, jobs: t.Sequence[Job], name: str, lock_timeout: int
) -> tuple[int, list[kept.Kept]]:
    """Within the transaction that loads them: keep writers of these tables out, make sure that
    they are empty, and discard what the target had queued of them, unless that is kept.

    :param name: of the target, for messages.
    :param lock_timeout: milliseconds; whoever is not let in keeps others waiting.
    :returns: how many queued changes went, and what was put aside.
    """
    replaced = [job for job in jobs if job.replace]
    oids = [job.target.oid for job in replaced]
    with _patience(target, lock_timeout):
        referenced = set(target.column(_REFERENCED, {"oids": oids})) if replaced else set()
        modes: dict[str, list[TableName]] = {}
        for job in jobs:
            # At once what is needed in the end: two who both want more would wait for each other.
            truncated = job.replace and job.target.oid not in referenced
            mode = statements.NOBODY if truncated or job.defer else statements.NO_WRITERS
            modes.setdefault(mode, []).append(job.name)
        for mode, names in modes.items():
            target.execute(statements.lock(names, mode))
    aside = kept.save(target, [job for job in jobs if job.keep], name)
    filled = with_rows(target, [job.target for job in jobs])
    for job in jobs:
        if job.target.oid not in filled:
            continue
        if not job.replace:
            raise Filled(job, name)
        target.execute(statements.empty(job.name, job.target.oid in referenced))
    return discard(target, [job.name for job in jobs if not job.keep]), aside


def take_loaded(target: pg.Session, jobs: t.Sequence[Job], lock_timeout: int) -> int:
    """The same for tables that were loaded in earlier transactions, before they are proven."""
    names = [job.name for job in jobs]
    with _patience(target, lock_timeout):
        target.execute(statements.lock(names, statements.NO_WRITERS))
    return discard(target, names)


@contextlib.contextmanager
def _patience(target: pg.Session, lock_timeout: int) -> t.Iterator[None]:
    """Wait for locks no longer than so many milliseconds; an error ends the transaction anyway."""
    set_timeout = "SELECT pg_catalog.set_config('lock_timeout', %s, true)"
    target.execute(set_timeout, (str(lock_timeout),))
    yield
    target.execute(set_timeout, ("0",))


def discard(target: pg.Session, names: t.Sequence[TableName]) -> int:
    """Throw away what a master has queued of these tables; nobody may be writing them.

    :returns: how many changes that were, a TRUNCATE being one.
    """
    queues = [(prefix, object_name(prefix, name)) for prefix in _QUEUE for name in names]
    # Every table that is touched takes room in the server's lock table, and most are empty.
    filled = set(
        target.column(
            "SELECT c.relname::text FROM pg_catalog.pg_class c"
            " WHERE c.relnamespace = pg_catalog.to_regnamespace('bucardo') AND c.relkind = 'r'"
            "   AND c.relname = ANY (%s) AND pg_catalog.pg_relation_size(c.oid) > 0",
            ([received.TABLE, *(queue for _prefix, queue in queues)],),
        )
    )
    count = 0
    if received.TABLE in filled:
        # It is gone with the rows.
        target.execute(received.FORGET)
    for prefix, queue in queues:
        if queue in filled:
            gone = target.execute(statements.clear_queue(queue))
            count += gone if prefix == "delta_" else 0
    if target.value(
        "SELECT pg_catalog.to_regclass('bucardo.bucardo_truncate_trigger') IS NOT NULL"
    ):
        # By name, as Bucardo reads them: the table may have been made anew since.
        count += target.execute(
            "DELETE FROM bucardo.bucardo_truncate_trigger"
            " WHERE replicated IS NULL AND (sname, tname) IN"
            "   (SELECT * FROM unnest(%s::text[], %s::text[]))",
            ([name.schema for name in names], [name.name for name in names]),
        )
    return count


def empty_half(target: pg.Session, job: Job) -> None:
    """Take away what parts have put into a table, if the ledger says that it is but half copied."""
    with target.transaction():
        if not ledger.is_copying(target, job.target.oid):
            return
        referenced = bool(target.column(_REFERENCED, {"oids": [job.target.oid]}))
        if referenced:
            # The lock waits for parts of workers that were killed; TRUNCATE does so itself.
            target.execute(statements.lock([job.name], statements.NO_WRITERS))
        target.execute(statements.empty(job.name, referenced))
        ledger.forget(target, [job.target.oid])


def with_rows(session: pg.Session, tables: t.Sequence[Table]) -> set[int]:
    """OIDs of those tables that hold rows."""
    return set(session.column(statements.with_rows((one.oid, one.name) for one in tables)))


class Filled(MultimasterError):
    """Somebody wrote into a table after the plan was made."""

    def __init__(self, job: Job, target: str) -> None:
        super().__init__(
            f"{job.name} got rows on {target} before it was seeded",
            "Run the task again: it names what can be done about them.",
        )

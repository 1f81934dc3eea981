# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes further masters into a sync that goes on replicating while their tables are copied.

First the masters of the sync are told to keep their queues for the newcomer (see joining_rows), and
the newcomer is given the epoch of the membership that it will have, which its ledger notes. When
all tables are there, some passes bring what changed meanwhile; for the last one the sync is held.
Then the newcomer becomes a member, and is enrolled and released like any other.

Everything is found again by a run after one that was killed: `multimaster.joining` of the control
database says who is being taken in, and the keeping targets carry the epoch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import typing as t

from .._bucardo import statements
from .._bucardo.objects import Goat, Sync
from .._bucardo.statements import Statement
from .._bucardo.stillness import Stillness
from .._bucardo.writes import Control
from .._common.errors import Refused
from .._common.text import listed
from .._ledger import ledger, membership, newcomers, own_objects, states
from .._postgres import sql
from .._postgres.pg import Session
from .._tracking.plan import JOINING
from . import enrol, joining_rows
from .master import OpenMaster

# Passes while the sync runs: until one is this small, or this often.
_SMALL = 500
_PASSES = 8

_LACKING = """
SELECT pg_catalog.to_regclass(n)::oid::bigint FROM pg_catalog.unnest(%s::text[]) n
 WHERE NOT EXISTS (SELECT FROM bucardo.bucardo_delta_targets d
                    WHERE d.tablename = pg_catalog.to_regclass(n)::oid AND d.target = %s)
"""
_KEEP = """
INSERT INTO bucardo.bucardo_delta_targets (tablename, target)
SELECT pg_catalog.unnest(%s::oid[]), %s
"""
_KEEPING = """
SELECT DISTINCT target FROM bucardo.bucardo_delta_targets WHERE target ~ '^joining '
"""
# A database that was made anew under its name has nothing of Bucardo's.
_HAS_QUEUE = "SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_targets') IS NOT NULL"
# Types whose equality no search_path is needed for.
_FOREIGN_KEYS = """
SELECT pg_catalog.count(*) FROM pg_catalog.json_to_recordset(%s) AS w (n text, k text)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = pg_catalog.to_regclass(w.n) AND a.attname = w.k
  JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
 WHERE y.typnamespace <> 'pg_catalog'::regnamespace
"""
_TRUNCATES = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
 WHERE g.tgname = %s AND p.proname = 'bucardo_note_truncation'
"""


@dataclasses.dataclass
class Group:
    """The sync, its members and its tables.

    :param members: sessions to them.
    """

    sync: Sync
    origin: str
    goats: t.Sequence[Goat]
    members: t.Mapping[str, Session]

    @property
    def tables(self) -> list[joining_rows.Table]:
        """With their keys."""
        return [joining_rows.Table(goat.name, tuple(goat.key)) for goat in self.goats]

    def names(self, session: Session) -> list[str]:
        """The tables' names, quoted."""
        return [session.as_text(sql.relation(goat.name)) for goat in self.goats]


def obstacle(group: Group, begun: bool) -> str:
    """Why the others must stand still while somebody is taken in, "" when they need not.

    :param begun: an earlier run has begun this.
    """
    if group.sync.status == "inactive" and not begun:
        return "the sync is held"
    if anew := [name for name, one in group.members.items() if not one.value(_HAS_QUEUE)]:
        return f"{listed(anew)} has to be seeded again"
    truncate = f"bucardo_note_trunc_{group.sync.name}"
    if any(session.value(_TRUNCATES, (truncate,)) for session in group.members.values()):
        return "TRUNCATE is replicated as such, which no key in a queue tells of"
    origin = group.members[group.origin]
    keys = [
        {"n": name, "k": column}
        for name, goat in zip(group.names(origin), group.goats)
        for column in goat.key
    ]
    if origin.value(_FOREIGN_KEYS, (json.dumps(keys),)):
        return "a key has a type that is not PostgreSQL's own"
    return ""


def prepare(control: Control, group: Group, coming: t.Mapping[str, Session]) -> dict[str, str]:
    """Let the members keep their queues for the newcomers; returns their epochs.

    Begun anew where a member did not keep all of it: what was copied since is worth nothing then.
    """
    session = control.session
    own_objects.require_ours(session)
    for name, newcomer in coming.items():
        epoch = newcomers.known(session, group.sync.dbgroup).get(name)
        if epoch and any(
            one.column(_LACKING, (group.names(one), JOINING + epoch))
            for one in group.members.values()
        ):
            for one in group.members.values():
                forget(one, group, JOINING + epoch)
            newcomers.end(session, group.sync.dbgroup, name)
            epoch = None
        if epoch is None:
            epoch = newcomers.begin(session, group.sync.dbgroup, name)
            for one in group.members.values():
                oids = one.column(_LACKING, (group.names(one), JOINING + epoch))
                one.execute(_KEEP, (oids, JOINING + epoch))
        # Last: from here on its ledger counts.
        membership.note(newcomer, group.sync.dbgroup, membership.Membership(epoch, False))
    return newcomers.known(session, group.sync.dbgroup)


def enrol_newcomers(
    control: Control, group: Group, coming: t.Mapping[str, tuple[Session, str]]
) -> dict[str, int]:
    """Let their changes queue, too, before they hold a row; returns how many tables were enrolled.

    :param coming: sessions, and as whom Bucardo connects.
    """
    sync = group.sync
    present = {name: OpenMaster(name, one, "") for name, one in group.members.items()}
    names = (sync.key, sync.relgroup, sync.options.get("autokick", True))
    standing = enrol.Enrolment(control, present, *names)
    standing.needs(group.goats)
    masters = {name: OpenMaster(name, *given) for name, given in coming.items()}
    enrolment = enrol.Enrolment(
        control, masters, *names, truncate=standing.truncate, kick=standing.kick
    )
    needed = enrolment.needs(group.goats)
    if any(needed.values()):
        with contextlib.ExitStack() as stack:
            for master in masters.values():
                stack.enter_context(master.alone())
            enrolment.enrol(needed)
    return {name: len(need.tables) for name, need in needed.items()}


def sweep(control: Control, group: Group, wanted: t.Collection[str]) -> list[str]:
    """Let nothing be kept any more for those who are not taken in; returns who that was."""
    session, dbgroup = control.session, group.sync.dbgroup
    known = newcomers.everywhere(session)
    gone = [
        name
        for of, name in known
        if of == dbgroup and (name not in wanted or name in group.members)
    ]
    kept = {
        JOINING + epoch for (of, name), epoch in known.items() if of != dbgroup or name not in gone
    }
    for one in group.members.values():
        keeping = set(one.column(_KEEPING)) if one.value(_HAS_QUEUE) else set()
        for target in keeping - kept:
            forget(one, group, target)
    for name in gone:
        newcomers.end(session, dbgroup, name)
    return gone


def forget(session: Session, group: Group, target: str) -> None:
    """Purge what was kept. The marks go first: what has more marks than targets is never purged."""
    for table in group.tables:
        session.execute(
            sql.SQL("DELETE FROM {} WHERE target = {}").format(
                table.own("track_"), sql.Literal(target)
            )
        )
    session.execute("DELETE FROM bucardo.bucardo_delta_targets WHERE target = %s", (target,))


def join(
    control: Control,
    group: Group,
    coming: t.Mapping[str, Session],
    reload: t.Callable[[], bool],
) -> dict[str, t.Any]:
    """Bring them up to date and make them members; the sync is held afterwards.

    :raises Refused: when tables were not copied yet.
    """
    epochs = newcomers.known(control.session, group.sync.dbgroup)
    passes = [
        joining_rows.Passes(
            group.members,
            group.origin,
            group.sync.dbgroup,
            group.tables,
            joining_rows.Newcomer(name, session, JOINING + epochs[name]),
        )
        for name, session in coming.items()
    ]
    for name, session in coming.items():
        _check_seeded(group, name, session, epochs[name])
    counts: list[int] = []
    while len(counts) < _PASSES and (not counts or counts[-1] > _SMALL):
        counts.append(sum(one.once() for one in passes))
    begun = time.monotonic()
    control.execute(statements.held(group.sync.name))
    still = Stillness(control.session, group.members, group.sync.name)
    still.ensure(reload, group.sync.status != "inactive")
    counts.append(sum(one.once(final=True) for one in passes))
    control.execute([one for name in coming for one in _member(group, name, epochs[name])])
    for session in group.members.values():
        for one in passes:
            forget(session, group, one.newcomer.marker)
    for name in coming:
        newcomers.end(control.session, group.sync.dbgroup, name)
    return {"passes": counts, "held_for": round(time.monotonic() - begun, 2)}


def _member(group: Group, name: str, epoch: str) -> statements.Writes:
    given = {"dbgroup": group.sync.dbgroup, "db": name, "epoch": epoch}
    return [
        Statement(query, given)
        for query in (
            "INSERT INTO bucardo.dbmap (db, dbgroup, role) VALUES (%(db)s, %(dbgroup)s, 'source')",
            "INSERT INTO multimaster.member (dbgroup, db, epoch)"
            " VALUES (%(dbgroup)s, %(db)s, %(epoch)s)",
        )
    ]


def _check_seeded(group: Group, name: str, session: Session, epoch: str) -> None:
    entries = ledger.entries(session)
    lacking = [
        goat.name
        for goat in group.goats
        if goat.name not in entries
        or entries[goat.name].state != states.SEEDED
        or entries[goat.name].epoch != epoch
    ]
    if lacking:
        raise Refused(
            f"{name} lacks the rows of {listed(lacking)}, so it cannot become a member yet",
            "Run the playbook multimaster.bucardo.bootstrap again: it copies what is missing.",
        )

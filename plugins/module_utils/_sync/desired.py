# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sync as the user wants it, beside what its row holds (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo import columns
from .._bucardo.objects import (
    STRATEGIES,
    Dbgroup,
    Goat,
    Sync,
    problem_with_strategy,
    shown_status,
    strategy_among,
)
from .._common.errors import Refused
from .._common.names import SyncKey, problem_with_sync_name


@dataclasses.dataclass(frozen=True)
class Desired:
    """A sync as the user wants it.

    :param held: status inactive: changes queue, nothing is brought over.
    :param options: those of `columns.SYNC` that were given, as they are compared.
    :param seeded_elsewhere: the user vouches for rows that no ledger knows of.
    :param truncate: what becomes of a TRUNCATE, one of `_tracking/truncate.POLICIES`; "" for what
        does already.
    :param kick: how writes wake it, one of `_tracking/kick.KICKS`; "" for as they do already.
    """

    name: str
    relgroup: str
    dbgroup: str
    held: bool | None
    options: t.Mapping[str, t.Any]
    seeded_elsewhere: bool = False
    truncate: str = ""
    kick: str = ""

    @property
    def key(self) -> SyncKey:
        """As which it will note what it has done."""
        return SyncKey(self.name, self.dbgroup)


def changes(current: Sync | None, desired: Desired) -> dict[str, t.Any]:
    """Columns of bucardo.sync to be set: everything given when there is no row yet."""
    wanted = dict(desired.options)
    if desired.held is not None:
        wanted["status"] = "inactive" if desired.held else "active"
    if current is None:
        # A new sync is held unless asked otherwise: nothing is seeded yet.
        return {"status": "inactive", **wanted}
    # The daemon marks a sync that lost a database as stalled and takes it up again by itself.
    status = "active" if current.status == "stalled" else current.status
    have = {**columns.defaults(columns.SYNC), **current.options, "status": status}
    return columns.differing(have, wanted)


def row(desired: Desired, changed: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The row of a new sync."""
    return {"herd": desired.relgroup, "dbs": desired.dbgroup, **changed}


def result(current: Sync | None) -> dict[str, t.Any]:
    """A sync for results and diffs, {} where there is none."""
    return current.to_result() if current else {}


def result_after(
    current: Sync | None, desired: Desired, changed: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """The same as it would be."""
    after = {**result(current), "name": desired.name, **changed}
    after.update(relgroup=desired.relgroup, dbgroup=desired.dbgroup)
    return {**after, "status": shown_status(after["status"])}


def refuse_renaming(current: Sync | None, desired: Desired) -> None:
    """:raises Refused: for a name that cannot be, or a sync of other groups."""
    problem = problem_with_sync_name(desired.name)
    if problem:
        raise Refused(f"The sync's name {desired.name!r} {problem}")
    if current is None:
        return
    for word, has, wants in (
        ("relgroup", current.relgroup, desired.relgroup),
        ("dbgroup", current.dbgroup, desired.dbgroup),
    ):
        if has != wants:
            raise Refused(
                f"Sync {desired.name} exists with the {word} {has!r}, not {wants!r}",
                "Choose another name, or remove that sync first (state=absent).",
            )


def for_members(desired: Desired, group: Dbgroup) -> Desired:
    """The same with an order of precedence in which nobody is who is to come."""
    strategy = desired.options.get("conflict_strategy")
    if not strategy:
        return desired
    fitting = strategy_among(strategy, group.members)
    return dataclasses.replace(desired, options={**desired.options, "conflict_strategy": fitting})


def refuse_impossible(desired: Desired, group: Dbgroup, coming: t.Collection[str] = ()) -> None:
    """:param coming: databases that become members of the group.
    :raises Refused: for options that Bucardo takes and then stops at, or ignores.
    """
    if not group.sources:
        raise Refused(
            f"dbgroup {group.name} has no database with the role source",
            "Give every master that role with bucardo_dbgroup.",
        )
    strategy = desired.options.get("conflict_strategy")
    if strategy:
        problem = problem_with_strategy(strategy, {**group.members, **dict.fromkeys(coming, "")})
        if problem:
            raise Refused(
                f"conflict_strategy: {problem}",
                f"Use one of {', '.join(STRATEGIES)}, or databases of the group in order"
                " of precedence.",
            )
    if desired.options.get("onetimecopy") and len(group.sources) > 1:
        raise Refused(
            "onetimecopy copies from one source to targets only, never between masters",
            "Seed masters with data_seed.",
        )


def refuse_overlap(desired: Desired, syncs: t.Mapping[str, Sync], goats: t.Iterable[Goat]) -> None:
    """Two syncs with one group of databases and a common table would mark each other's changes as
    replicated (track.target is the group).

    :param goats: the relations of the sync.
    :raises Refused: naming the table and the other sync.
    """
    rivals = {
        sync.relgroup: name
        for name, sync in syncs.items()
        if name != desired.name and sync.dbgroup == desired.dbgroup
    }
    for goat in goats if rivals else ():
        for relgroup in goat.relgroups:
            if relgroup in rivals:
                raise Refused(
                    f"{goat.name} is replicated by sync {rivals[relgroup]} with the same"
                    f" dbgroup {desired.dbgroup}",
                    "Two such syncs lose each other's changes; use one of them.",
                )

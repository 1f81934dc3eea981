# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a sync's change tracking on the masters without holding up their writers.

Bucardo creates the triggers of all tables in one transaction per database. Its validate_sync
skips whatever exists by name, so here everything is made beforehand: what locks no table of the
user in bulk, the triggers in short transactions (see `locks`), and only then the sync's row,
whose validation finds nothing left to do. docs/decisions/enrolment.md has the measurements.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo.catalog import Catalog
from .._bucardo.objects import Goat
from .._bucardo.writes import Control
from .._common.errors import Refused
from .._common.names import SyncKey, TableName
from .._ledger import ledger
from .._postgres import locks
from .._postgres.parallel import each
from .._tracking import kick as tracking_kick
from .._tracking import plan
from .._tracking import truncate as tracking_truncate
from . import commands, statements
from .master import OpenMaster


@dataclasses.dataclass
class Enrolment:
    """The work of one sync on all of its masters.

    :param masters: every database of the group whose role is source, by name.
    :param truncate: what is to become of a TRUNCATE; "" for what does already.
    :param truncate_before: what became of it at the first look.
    :param kick: how writes are to wake the sync; "" for as they do already.
    :param kick_before: how they did at the first look.
    """

    control: Control
    masters: t.Mapping[str, OpenMaster]
    key: SyncKey
    relgroup: str
    autokick: bool
    truncate: str = ""
    policy: locks.LockPolicy = dataclasses.field(default_factory=locks.LockPolicy)
    truncate_before: str = ""
    kick: str = ""
    kick_before: str = ""

    def look(self, goats: t.Sequence[Goat]) -> dict[str, plan.MasterState]:
        """Read all masters.

        :param goats: the tables of the relgroup.
        :raises Refused: when a member of the relgroup cannot be replicated, naming all such.
        """
        states = each(self.masters, lambda _name, master: master.read(goats, self.key))
        problems = [line for state in states.values() for line in plan.problems(state)]
        if problems:
            more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
            raise Refused(
                f"relgroup {self.relgroup}: {'; '.join(problems[:3])}{more}",
                "Correct the tables or take them out of the relgroup.",
                problems=problems,
            )
        return states

    def tables(self) -> list[Goat]:
        """The tables of the relgroup."""
        return [goat for goat in self.control.goats(self.relgroup) if goat.reltype == "table"]

    def needs(self, goats: t.Sequence[Goat]) -> dict[str, plan.Needs]:
        """What these tables of the relgroup lack, by master.

        :raises Refused: when another sync of these tables forbids the wanted policy for TRUNCATE.
        """
        states = self.look(goats)
        if not self.truncate_before:
            self.truncate_before = plan.truncate_policy(states.values(), self.key.sync)
        if not self.kick_before:
            self.kick_before = plan.kick_in_use(states.values())
        # For what is made later, too.
        self.kick = self.kick or self.kick_before or tracking_kick.DEFAULT
        self.truncate = self.truncate or self.truncate_before or tracking_truncate.DEFAULT
        clashes = [
            line
            for state in states.values()
            for line in plan.truncate_problems(state, self.key.sync, self.truncate)
        ]
        if clashes:
            raise Refused(
                f"sync {self.key.sync} cannot have the policy {self.truncate} for TRUNCATE:"
                f" {'; '.join(clashes[:3])}",
                f"Give one of the syncs the policy {tracking_truncate.REFUSE} first.",
                problems=clashes,
            )
        return {
            name: plan.needs(state, self.key.sync, self.autokick, self.truncate, self.kick)
            for name, state in states.items()
        }

    def commands(self, name: str, need: plan.Needs) -> list[str]:
        """What makes that on one master, as lines for results."""
        master = self.masters[name]
        return commands.enrolled(
            name,
            need,
            self._wanted(),
            master.replaces_triggers,
            master.role,
            master.session.as_text,
        )

    def _wanted(self) -> statements.Wanted:
        return statements.Wanted(self.key, self.autokick, self.truncate)

    def enrol(self, needed: t.Mapping[str, plan.Needs]) -> dict[str, locks.LockReport]:
        """Make what is missing; afterwards a validation has nothing to lock.

        The masters are worked on side by side. When one fails the others still finish.

        :raises DeadlineExceeded: naming the tables that could not be locked in time.
        """
        check_version(self.control)
        without_globals = [name for name, need in needed.items() if need.globals]
        if without_globals:
            self.install_globals(without_globals)
        self._distrust(needed)
        return each(needed, lambda name, need: self._enrol_one(self.masters[name], need))

    def _distrust(self, needed: t.Mapping[str, plan.Needs]) -> None:
        """Before any trigger is made: with it a table would look as if no change had been missed.

        Not where a master holds nothing yet that was proven.
        """
        origins = {goat.db for goat in self.tables()}
        suspects: set[TableName] = set()
        for name, need in needed.items():
            lost = {lack.table.name for lack in need.tables if lack.lost}
            if lost and name not in origins:
                lost &= ledger.vouched(self.masters[name].session)
            suspects |= lost
        for master in self.masters.values():
            ledger.distrust(master.session, suspects)

    def _enrol_one(self, master: OpenMaster, need: plan.Needs) -> locks.LockReport:
        # A run that was killed may have left it behind.
        if master.has_probe():
            master.drop_probe()
        master.make_functions(need.functions)
        master.make_objects(need.tables)
        # Before the triggers: from the first change on, the purge must know whose it is.
        master.register(need.tables, self.key.dbgroup)
        report = master.make_triggers(need.tables, self._wanted(), self.policy)
        master.configure_functions()
        master.extend_path(need.unsearched)
        return report

    def install_globals(self, names: t.Sequence[str]) -> None:
        """Have Bucardo install its schema on masters that lack it, without a user's table.

        Inside one transaction of the control database the sync consists of a probe table only.
        """
        check_version(self.control)
        made: list[OpenMaster] = []
        try:
            for name in names:
                made.append(self.masters[name])
                self.masters[name].make_probe()
            self.control.validate_probe(self.key.sync, names, statements.PROBE)
        finally:
            for master in made:
                master.drop_probe()

    def check_complete(self) -> None:
        """Guard of every validation: nothing may be left for which it would lock a table.

        :raises Refused: naming what is missing.
        """
        for name, need in self.needs(self.tables()).items():
            if need.globals or need.tables:
                what = ", ".join(str(lack.table.name) for lack in need.tables[:3])
                raise Refused(
                    f"{name}: {what or ', '.join(need.globals[:3])} changed while it was being"
                    " enrolled",
                    "Run again when nobody changes the schema or Bucardo's objects.",
                )


def check_version(control: Catalog) -> None:
    """Refuse a Bucardo whose objects were not compared with those made here."""
    if control.version != plan.SUPPORTED_VERSION:
        raise Refused(
            f"the control database is of Bucardo {control.version or '(unknown version)'}",
            f"Enrolment knows the objects of Bucardo {plan.SUPPORTED_VERSION} only.",
        )

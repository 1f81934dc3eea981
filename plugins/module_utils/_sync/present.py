# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sync as it should be: its row in the control database and its triggers on the masters."""

from __future__ import annotations

import typing as t

from .._bucardo import corrections, statements
from .._bucardo.objects import Dbgroup, Sync
from .._common.change import Change
from .._common.errors import Refused
from .._common.text import listed
from .._ledger import release
from .._postgres.pg import Session
from .._tracking import plan as tracking_plan
from . import commands, departure, joining, teardown
from . import desired as sync_desired
from .desired import Desired
from .enrol import Enrolment, check_version
from .keeper import Keeper, Masters
from .parting import Parting, figures, leaving

# What of a sync only the masters know, in a change's two sides.
KEPT = ("truncate", "kick")


def plan(keeper: Keeper, desired: Desired) -> Change:
    """What it takes until a sync is as desired."""
    control, scope = keeper.control, keeper.scope
    sync_desired.refuse_renaming(None, desired)
    scope.lock(control.alone(desired.name))
    current = control.sync(desired.name)
    group = control.dbgroups().get(desired.dbgroup)
    sync_desired.refuse_renaming(current, desired)
    _refuse(keeper, desired, group)
    if group:
        desired = sync_desired.for_members(desired, group)
    if control.installed:
        check_version(control)
    warnings: list[str] = []
    masters = keeper.masters(group, warnings)
    return _Present(keeper, desired, current, masters).plan(warnings)


def hold(keeper: Keeper, name: str) -> Change:
    """What it takes until a sync is held, without a look at its tables, which may be gone or have
    another name.

    :raises Refused: when there is no such sync.
    """
    control = keeper.control
    current = control.sync(name)
    if current is None:
        missing = Refused(f"There is no sync {name}", "Create it, with all that belongs to it.")
        if control.installed:
            raise missing
        return _change(True, {}, {"name": name, "status": "held"})
    writes = statements.held(name) if current.status != "inactive" else []
    before = current.to_result()
    sessions = keeper.reachable(current.dbgroup)
    moving = bool(keeper.moving(name, sessions))
    change = _change(bool(writes) or moving, before, {**before, "status": "held"}, sync=before)
    change.commands = control.shown(writes)
    change.disturbs = keeper.disturbs(change.changed)
    # Of a daemon that does not react nobody knows what it will do.
    change.always = True

    def work(change: Change) -> None:
        with control.alone(name):
            control.execute(writes)
            change.values["reloaded"] = keeper.keep_still(name, sessions, bool(writes))
        change.after = sync_desired.result(control.sync(name))
        change.values["sync"] = change.after

    change.work = work
    return change


def _change(
    changed: bool,
    before: dict[str, t.Any],
    after: dict[str, t.Any],
    sync: dict[str, t.Any] | None = None,
    enrolment: dict[str, t.Any] | None = None,
) -> Change:
    values = {
        "sync": sync or {},
        "enrolment": {} if enrolment is None else enrolment,
        "reloaded": False,
        "purging": True,
        "lost": [],
    }
    return Change(changed=changed, before=before, after=after, values=values)


def _refuse(keeper: Keeper, desired: Desired, group: Dbgroup | None) -> None:
    """What is refused before a master is asked."""
    control = keeper.control
    if group is None or desired.relgroup not in control.relgroups():
        missing = f"dbgroup {desired.dbgroup}" if group is None else f"relgroup {desired.relgroup}"
        keeper.scope.lacks(Refused(f"There is no {missing}", "Create it first."))
        return
    sync_desired.refuse_impossible(desired, group, keeper.logins)
    goats = control.goats(desired.relgroup)
    sync_desired.refuse_overlap(desired, control.syncs(), goats)


class _Present:
    """Looks at what is there, then makes what is missing."""

    def __init__(
        self, keeper: Keeper, desired: Desired, current: Sync | None, masters: Masters
    ) -> None:
        self.keeper, self.control = keeper, keeper.control
        self.desired, self.current, self.masters = desired, current, masters
        self.wanted = sync_desired.changes(current, desired)
        autokick = current.options.get("autokick", True) if current else True
        self.enrolment = Enrolment(
            self.control,
            masters,
            desired.key,
            desired.relgroup,
            self.wanted.get("autokick", autokick),
            desired.truncate,
            keeper.terms.policy,
            kick=desired.kick,
        )
        self.members = self.enrolment.tables()
        self.guard = self._guard()
        self.needed: dict[str, tracking_plan.Needs] = {}
        self.surplus: dict[str, teardown.Traces] = {}
        self.row: statements.Writes = []
        self.code: statements.Writes = []
        self.validation: statements.Writes = []
        self.incomplete = False

    def plan(self, warnings: list[str]) -> Change:
        desired, current = self.desired, self.current
        if not self.members:
            self.keeper.scope.lacks(
                Refused(
                    f"relgroup {desired.relgroup} of sync {desired.name} has no tables",
                    "Add tables with bucardo_relgroup first.",
                )
            )
        self.guard.look(self.keeper.scope.lacks)
        self.needed = self.enrolment.needs(self.members) if self.members else {}
        keep = {goat.name for goat in self.members}
        self.surplus = leaving(self.masters, desired.name, keep)
        self.row, self.validation = self._row(), self._validation()
        self.code = corrections.writes(self.control, desired.name)
        written = self.row or self.code or self.validation
        self.incomplete = bool(written or self._outdated())
        change = self._change()
        change.warnings += [*warnings, *self.guard.warnings]
        parting = Parting(self.keeper, self.masters, desired.key, self.surplus, keep)
        waiting = parting.look(change.values["enrolment"])
        change.values["lost"] = departure.rows(waiting)
        waits = [departure.waits(waiting)] if waiting else []
        change.warnings += waits
        change.values["purging"] = self.keeper.purging(current, self.masters)

        def work(change: Change) -> None:
            change.warnings = [line for line in change.warnings if line not in waits]
            self._work(change, parting)

        change.work = work
        # The row says what ought to be; a daemon may have left the sync out, and is woken to tell.
        change.always = self.guard.will_be_active or self._is_held()
        return change

    def _guard(self) -> release.Guard:
        desired, current = self.desired, self.current
        status = current.status if current else "inactive"
        active = (status != "inactive", self.wanted.get("status", status) != "inactive")
        members = None
        if self.members and self.masters:
            members = release.Members(
                self.control.session,
                {name: master.session for name, master in self.masters.items()},
                desired.key,
                self.members[0].db,
                [goat.name for goat in self.members],
            )
        return release.Guard(members, active, desired.seeded_elsewhere)

    def _row(self) -> statements.Writes:
        if self.current is None:
            row = sync_desired.row(self.desired, self.wanted)
            return statements.sync(self.desired.name, row, new=True)
        return statements.sync(self.desired.name, self.wanted, new=False)

    def _validation(self) -> statements.Writes:
        """Not of a new row, which is validated when it is written."""
        if self.current is None or not (self.surplus or any(self.needed.values())):
            return []
        return statements.validated(self.desired.name)

    def _outdated(self) -> bool:
        """A held sync has no controller."""
        if self.current is None or "inactive" in (self.current.status, self.wanted.get("status")):
            return False
        return self.keeper.outdated(self.masters, self.members, self.desired.name)

    def _change(self) -> Change:
        enrolled = {name: len(self.members) - len(x.to_lock) for name, x in self.needed.items()}
        before = {**sync_desired.result(self.current), "enrolled": enrolled}
        after = sync_desired.result_after(self.current, self.desired, self.wanted)
        after["enrolled"] = {name: len(self.members) for name in self.needed}
        if self.needed:
            after.update(self._kept(self.enrolment.truncate, self.enrolment.kick))
            if self.current:
                before.update(
                    self._kept(self.enrolment.truncate_before, self.enrolment.kick_before)
                )
        change = _change(
            self.incomplete or self.guard.changed,
            before,
            after,
            sync_desired.result(self.current),
            self._planned(),
        )
        change.commands = [
            *self._commands(),
            *self.control.shown([*self.row, *self.code, *self.validation]),
        ]
        change.disturbs = self._disturbs(change.values["enrolment"])
        return change

    def _kept(self, truncate: str, kick: str) -> dict[str, str]:
        """What only the masters know of the sync; `KEPT`."""
        return {"truncate": truncate, **({"kick": kick} if self.enrolment.autokick else {})}

    def _commands(self) -> list[str]:
        """What is run on the masters."""
        found = []
        keep = {goat.name for goat in self.members}
        for name, need in self.needed.items():
            found += self.enrolment.commands(name, need)
        for name, traces in self.surplus.items():
            dropped = teardown.to_drop(traces, self.desired.name, keep)
            triggers = {table.name: names for table, names in dropped.items()}
            found += commands.untracked(name, triggers, self.masters[name].session.as_text)
        return found

    def _planned(self) -> dict[str, t.Any]:
        """The tables that this concerns, by master."""
        planned: dict[str, t.Any] = {
            name: {
                "to_enrol": [str(lack.table.name) for lack in need.to_lock],
                "to_rebuild": [str(lack.table.name) for lack in need.tables if lack.rebuilds],
                "to_register": len(need.unregistered),
                "to_remove": [],
            }
            for name, need in self.needed.items()
        }
        for name, traces in self.surplus.items():
            planned[name]["to_remove"] = [str(table.name) for table in traces.tables]
        return planned

    def _disturbs(self, enrolment: t.Mapping[str, t.Any]) -> list[str]:
        locked = {name: [*one["to_enrol"], *one["to_remove"]] for name, one in enrolment.items()}
        return [
            f"{name}: writers of {listed(tables, 3, more='more tables')} wait for moments"
            for name, tables in locked.items()
            if tables
        ] + self.keeper.disturbs(self.incomplete)

    def _work(self, change: Change, parting: Parting) -> None:
        """Enrol what is missing, then write the row, then tell the daemon."""
        self.guard.settle()
        if not self.incomplete:
            self._only_look(change)
            return
        enrolment = change.values["enrolment"]
        parting.prepare()
        for name, report in self.enrolment.enrol(self.needed).items():
            enrolment[name].update(figures(report))
        if self.current is None:
            self._keep_nothing()
        self.guard.vouch()
        parting.drop_triggers(enrolment)
        self._write()
        change.values["reloaded"] = self.keeper.reload_tables(
            self.masters, self.members, self.desired.name
        )
        if self._is_held():
            self.keeper.keep_still(self.desired.name, self._sessions(), False)
        # The daemon no longer looks at these tables.
        parting.finish(change)
        for name in self.surplus:
            self.masters[name].sweep()
        written = self.control.sync(self.desired.name)
        # A purge that was not needed before has not been started.
        current = self.current
        known = current is not None and current.status == "active" and "status" not in self.wanted
        change.values["purging"] = self.keeper.purging(written, self.masters, patient=known)
        change.values["sync"] = sync_desired.result(written)
        kept = {key: change.after[key] for key in ("enrolled", *KEPT) if key in change.after}
        change.after = {**change.values["sync"], **kept}

    def _keep_nothing(self) -> None:
        """Of a sync of before, whose control database is lost: nobody else would ever purge it."""
        sync = Sync(self.desired.name, self.desired.relgroup, self.desired.dbgroup)
        members = {name: master.session for name, master in self.masters.items()}
        joining.sweep(self.control, joining.Group(sync, "", self.members, members), ())

    def _only_look(self, change: Change) -> None:
        self.guard.vouch()
        reloaded = False
        if self.guard.will_be_active and self.keeper.terms.reload:
            reloaded = not self.control.daemon.runs(self.desired.name) and self.keeper.reload()
        if self._is_held():
            reloaded = self.keeper.keep_still(self.desired.name, self._sessions(), False)
        change.values["reloaded"] = reloaded
        change.changed = change.changed or reloaded
        change.values["purging"] = self.keeper.purging(
            self.current, self.masters, patient=not reloaded
        )

    def _is_held(self) -> bool:
        return bool(self.desired.held)

    def _sessions(self) -> dict[str, Session]:
        return {name: master.session for name, master in self.masters.items()}

    def _write(self) -> None:
        """Write the row; every way of doing so that validates is guarded."""
        self.enrolment.check_complete()
        if self.current is not None and self.wanted.get("autokick") is False:
            # Bucardo would drop these triggers in one transaction.
            for name, master in self.masters.items():
                traces = teardown.look(name, master.session)
                dropped = teardown.to_drop(traces, self.desired.name, kick_only=True)
                teardown.drop_triggers(master.session, dropped, self.keeper.terms.policy)
        self.control.execute(self.row)
        self.control.execute(self.code)
        self.control.execute(self.validation)

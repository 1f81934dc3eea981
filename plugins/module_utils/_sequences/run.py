# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the numbers of masters apart: from what is wanted to a change of all masters."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.change import Change, Scope
from .._common.errors import Refused
from .._common.names import TableName
from .._postgres import pg
from .._postgres.catalog import read_tables
from .._postgres.parallel import close_each, each
from .._postgres.tables import Selection
from .._postgres.topology import Master, Topology
from . import move, plan, read, statements
from .facts import Survey
from .selection import Chosen, choose
from .strategies import DEFAULT, STRATEGIES, Situation


@dataclasses.dataclass(frozen=True)
class DesiredSequences:
    """What the user wants; the module's documentation says what each means.

    :param slots: None for the number of masters.
    """

    strategy: str = DEFAULT
    selection: Selection = dataclasses.field(default_factory=Selection)
    exclude_sequences: tuple[str, ...] = ()
    owned_only: bool = False
    sync: str = "multimaster"
    slots: int | None = None
    policy: move.MovePolicy = dataclasses.field(default_factory=move.MovePolicy)

    def slots_for(self, topology: Topology) -> int:
        """Among how many masters numbers are shared out.

        :raises Refused: when that leaves none for one of them.
        """
        slots = self.slots or len(topology)
        if slots < len(topology):
            raise Refused(f"slots: {slots} is less than the {len(topology)} masters", "Raise it.")
        return slots


def plan_change(topology: Topology, desired: DesiredSequences, scope: Scope) -> Change:
    """What is to be done so that the masters' sequences are as wanted.

    :raises Refused: naming every sequence that stands in the way.
    """
    if desired.policy.lock_timeout < 1:
        raise Refused(
            f"lock_timeout: {desired.policy.lock_timeout} is too little", "Use 1 or more."
        )
    slots = desired.slots_for(topology)
    sessions = _open(topology, scope)
    return _Sharing(topology, desired, slots, sessions, read.read_all(sessions)).change()


def _open(topology: Topology, scope: Scope) -> dict[str, pg.Session]:
    """Sessions with all masters; a check passes over databases that are still to be cloned."""
    opened: list[pg.Session] = []
    scope.callback(close_each, opened)

    def open_one(_name: str, master: Master) -> pg.Session | None:
        if master is topology.origin:
            session: pg.Session | None = pg.Session(master.login)
        else:
            session = pg.connect_if_exists(master.login, master.maintenance_db)
        opened.extend([session] if session else [])
        return session

    found = each({one.name: one for one in topology.masters}, open_one)
    for name, session in found.items():
        if session is None:
            scope.lacks(
                Refused(
                    f"There is no database {topology.logins[name].dbname} on {name}",
                    "Clone it first, with schema_clone.",
                )
            )
    return {name: session for name, session in found.items() if session}


@dataclasses.dataclass(frozen=True)
class _Decision:
    """What a strategy makes of what the masters hold."""

    plans: list[plan.SequencePlan]
    warnings: list[str]
    problems: list[str]
    clearing: list[str]

    @property
    def work(self) -> list[plan.SequencePlan]:
        return [one for one in self.plans if not one.empty]


class _Sharing:
    """Decides, and carries out what was decided."""

    def __init__(
        self,
        topology: Topology,
        desired: DesiredSequences,
        slots: int,
        sessions: dict[str, pg.Session],
        surveys: dict[str, Survey],
    ) -> None:
        self._topology = topology
        self._desired = desired
        self._slots = slots
        self._sessions = sessions
        self._surveys = surveys
        self._strategy = STRATEGIES[desired.strategy]

    def change(self) -> Change:
        """What there is to do once every master has a clone of what the origin has."""
        cloned = self._as_cloned()
        decision = self._decide(cloned)

        def carry_out(change: Change) -> None:
            # Nothing is taken for cloned any more.
            self._carry_out(
                change, decision if cloned == self._surveys else self._decide(self._surveys)
            )

        found = Change(work=carry_out)
        self._fill(found, decision, {})
        return found

    def _carry_out(self, change: Change, decision: _Decision) -> None:
        started = move.carry_out(self._sessions, decision.work, self._desired.policy)
        for master in decision.clearing:
            move.drop_empty_ledger(self._sessions[master])
        self._fill(change, decision, started)

    def _as_cloned(self) -> dict[str, Survey]:
        if not self._strategy.changes:
            return self._surveys
        return plan.as_cloned(self._surveys, self._topology.names, self._topology.origin.name)

    def _decide(self, surveys: dict[str, Survey]) -> _Decision:
        found = Situation(surveys, self._topology.origin.name, self._desired.sync, self._slots)
        chosen = self._chosen(found) if self._strategy.selects(found) else Chosen(())
        plans, warnings = self._strategy.plans(found, chosen)
        moving = [one.name for one in plans if one.moves]
        if moving:
            surveys = read.all_with_stored(self._sessions, surveys, moving)
            found = dataclasses.replace(found, surveys=surveys)
            plans, warnings = self._strategy.plans(found, chosen)
        clearing = plan.cleared(surveys, plans) if self._strategy.clears_ledger else []
        return _Decision(plans, warnings, self._strategy.problems(found, chosen), clearing)

    def _chosen(self, found: Situation) -> Chosen:
        return choose(
            found.surveys[found.origin],
            read_tables(self._sessions[found.origin], sizes=False),
            self._desired.selection,
            self._desired.exclude_sequences,
            owned_only=self._desired.owned_only,
        )

    def _fill(
        self, change: Change, decision: _Decision, started: t.Mapping[tuple[TableName, str], int]
    ) -> None:
        """Say what there is to do, or what was done."""
        work = decision.work
        change.changed = bool(work or decision.clearing)
        if self._strategy.changes:
            change.before = {str(one.name): plan.state(one, after=False) for one in work}
            change.after = {str(one.name): plan.state(one, after=True) for one in work}
        change.values = {
            "sequences": [_to_result(one, started) for one in work],
            "unchanged": len(decision.plans) - len(work),
            "problems": decision.problems,
        }
        change.warnings = decision.warnings
        origin = self._sessions[self._topology.origin.name]
        change.commands = [
            f"{master}: {origin.as_text(statement)}"
            for one in work
            for master, statement in statements.of(one, started)
        ]


def _to_result(
    one: plan.SequencePlan, started: t.Mapping[tuple[TableName, str], int]
) -> dict[str, t.Any]:
    return {
        "name": str(one.name),
        "masters": {
            master: {**state, "start": started.get((one.name, master))}
            for master, state in plan.state(one, after=True).items()
        },
    }

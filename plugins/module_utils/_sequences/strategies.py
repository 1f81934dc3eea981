# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the masters' numbers are kept apart: one class for each strategy of the module (pure).

A new strategy is a class here, in `STRATEGIES`, and a word in the documentation of the module and
the role. It says which numbers a sequence shall hand out (`Progression`), and what the ledger
keeps of it; moving sequences, safely and on all masters at once, is the same for all.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.names import TableName
from . import plan, watch
from .facts import Sequence, Survey
from .selection import Chosen

Planned = t.Tuple[t.List[plan.SequencePlan], t.List[str]]


@dataclasses.dataclass(frozen=True)
class Situation:
    """What a strategy decides by.

    :param surveys: the sequences of every master, in the masters' order.
    :param origin: the master that decides where no ledger knows.
    :param sync: the sync that is meant.
    :param slots: among how many masters numbers are shared out.
    """

    surveys: t.Mapping[str, Survey]
    origin: str
    sync: str
    slots: int

    def sides(self, name: TableName) -> dict[str, Sequence | None]:
        """One sequence on every master."""
        return {master: survey.sequences.get(name) for master, survey in self.surveys.items()}

    @property
    def names(self) -> list[TableName]:
        """Every sequence that any master has."""
        return sorted({name for one in self.surveys.values() for name in one.sequences})


class Strategy:
    """What becomes of the sequences."""

    # Whether anything is ever changed.
    changes = True
    # Whether a ledger that holds nothing any more goes.
    clears_ledger = False
    # Whether masters can be kept so, as those who bootstrap them ask for it.
    lasts = False
    # How the masters get numbers of their own of one sequence, see `plan.interleave`; None where
    # they do not.
    share: t.ClassVar[t.Optional[t.Callable[..., plan.SequencePlan]]] = None

    def selects(self, _found: Situation) -> bool:
        """Whether the selection of tables says which sequences are meant."""
        return True

    def plans(self, found: Situation, chosen: Chosen) -> Planned:
        """What to do with each sequence, those that stay as they are included, and warnings.

        :param chosen: by the selection; nothing where the strategy does not select.
        :raises Refused: naming every sequence that stands in the way.
        """
        raise NotImplementedError

    def problems(self, found: Situation, _chosen: Chosen) -> list[str]:
        """What is not as it must be, as far as the plans do not mend it; one line each."""
        return watch.problems(found.surveys, found.sync)


class LeaveAlone(Strategy):
    """Share nothing out: a new master's sequences go on where those of the origin are."""

    lasts = True

    def followed(self, chosen: Chosen) -> t.Sequence[TableName]:
        """The sequences that are only brought to where the origin's are."""
        return [*chosen.excluded, *chosen.shared]

    def plans(self, found: Situation, chosen: Chosen) -> Planned:
        """See `Strategy`."""
        return plan.collect(
            sorted(self.followed(chosen)),
            lambda name: plan.follow(name, found.sides(name), found.origin),
        )


class Interleave(LeaveAlone):
    """Give every master its own of every so many numbers."""

    share = staticmethod(plan.interleave)

    def followed(self, chosen: Chosen) -> t.Sequence[TableName]:
        """Those that were excluded by name."""
        return chosen.excluded

    def plans(self, found: Situation, chosen: Chosen) -> Planned:
        """See `Strategy`."""
        plans, _none = super().plans(found, chosen)
        shared, warnings = plan.collect(
            chosen.shared,
            lambda name: plan.interleave(
                name, found.sides(name), found.slots, found.origin, found.sync
            ),
        )
        left = [name for name in found.names if name not in set(chosen.shared)]
        released, _none = plan.collect(
            left, lambda name: plan.release(name, found.sides(name), found.sync)
        )
        plans += shared + [one for one in released if not one.empty]
        return sorted(plans, key=lambda one: one.name), warnings


class Restore(Strategy):
    """Give every sequence that no other sync needs back what it was."""

    clears_ledger = True

    def selects(self, _found: Situation) -> bool:
        """The ledger says it."""
        return False

    def plans(self, found: Situation, _chosen: Chosen) -> Planned:
        """See `Strategy`."""
        return plan.collect(
            found.names, lambda name: plan.restore(name, found.sides(name), found.sync)
        )


class Watch(Strategy):
    """Change nothing; tell what interleaving would mend."""

    changes = False

    def selects(self, found: Situation) -> bool:
        """Without a ledger nobody has asked for it."""
        return any(survey.ledger for survey in found.surveys.values())

    def plans(self, _found: Situation, _chosen: Chosen) -> Planned:
        """See `Strategy`."""
        return [], []

    def problems(self, found: Situation, chosen: Chosen) -> list[str]:
        """Sequences that have left their shares, and those that have none."""
        return super().problems(found, chosen) + watch.not_shared(
            found.surveys, chosen.shared, found.origin, found.sync
        )


STRATEGIES: t.Mapping[str, Strategy] = {
    "interleave": Interleave(),
    "none": LeaveAlone(),
    "restore": Restore(),
    "watch": Watch(),
}
# Those that a bootstrap can be asked for.
LASTING = tuple(name for name, one in STRATEGIES.items() if one.lasts)
DEFAULT = "interleave"

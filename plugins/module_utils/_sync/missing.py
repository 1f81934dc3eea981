# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What masters that are lost took with them, as far as the others and the control database know.

A run of a sync begins only when every master answers, and brings what had been committed anywhere
by then. So the beginning of the last good one divides a lost master's writes: those before have
arrived, those after have not. What they were, nobody knows but the lost master's own queue.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.text import age, listed
from .._postgres.pg import Session
from .._tracking.queue import Pending, as_rows

# Bucardo keeps the last good, the last empty and the last bad run of a sync.
_RUNS = """
SELECT (SELECT pg_catalog.max(r.started) FROM bucardo.syncrun r
         WHERE r.sync = s.name AND r.ended IS NOT NULL AND (r.lastgood OR r.lastempty)) AS good,
       (SELECT pg_catalog.max(r.started) FROM bucardo.syncrun r
         WHERE r.sync = s.name AND NOT (r.lastgood OR r.lastempty)) AS other
  FROM bucardo.sync s WHERE s.name = %s
"""
_SHOWN = f"""
SELECT (good AT TIME ZONE 'UTC')::text || ' UTC' AS until,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - good)::float8 AS seconds,
       COALESCE(other > good, other IS NOT NULL) AS interrupted
  FROM ({_RUNS}) AS runs
"""


@dataclasses.dataclass(frozen=True)
class Missing:
    """What the others lack of lost masters.

    :param until: what it committed before this moment has reached them, "" when nothing ever did.
    :param seconds: since then.
    :param interrupted: a run began later and did not end well: it may have reached some of the
        others and not all of them, as Bucardo commits on one master after the other.
    :param waiting: by other master, changes that the lost ones never got; the others get them.
    """

    masters: t.Sequence[str]
    until: str
    seconds: float
    interrupted: bool
    waiting: t.Mapping[str, t.Sequence[Pending]]

    def shown(self) -> dict[str, t.Any]:
        """For results (pure)."""
        return {
            "masters": list(self.masters),
            "until": self.until,
            "seconds": round(self.seconds, 1),
            "interrupted": self.interrupted,
            "waiting": [
                row for name, found in self.waiting.items() for row in as_rows(name, found)
            ],
        }

    def text(self, others: t.Sequence[str]) -> str:
        """For people, in one line (pure)."""
        names, lost = listed(others), listed(self.masters)
        if self.until:
            said = (
                f"What {lost} committed before {self.until} has reached {names}; what was committed"
                f" there in the {age(self.seconds)} since then is missing, and only {lost}"
                " can tell what that is."
            )
        else:
            said = f"Nothing that {lost} wrote since the seed has reached {names}."
        if self.interrupted and len(others) > 1:
            said += (
                " A run was under way when it was lost, which may have reached some of them and"
                " not all: the comparison says which rows these are."
            )
        changes = {name: sum(one.changes for one in found) for name, found in self.waiting.items()}
        waiting = listed(f"{count} on {name}" for name, count in changes.items() if count)
        if waiting:
            said += f" Changes that waited for it and are not lost: {waiting}."
        return said


def read(
    control: Session,
    sync: str,
    masters: t.Sequence[str],
    waiting: t.Mapping[str, t.Sequence[Pending]],
) -> Missing:
    """What is known, before anything is changed.

    :param waiting: the queues of the others.
    """
    row = control.row(_SHOWN, (sync,)) or {}
    return Missing(
        masters,
        row.get("until") or "",
        float(row.get("seconds") or 0.0),
        bool(row.get("interrupted")),
        waiting,
    )

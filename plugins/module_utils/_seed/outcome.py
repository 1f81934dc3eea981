# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a seed did, or would do, and why it failed, for whoever started it (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.change import Change
from .._common.errors import MultimasterError
from .._common.text import listed
from .plan import Job, Plan
from .schedule import Failures
from .tasks import LOCKED, LOST, MOVED, ProvenTable


@dataclasses.dataclass
class Outcome:
    """What a seed did, or would do."""

    changed: bool = False
    tables: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    selected: int = 0
    workers: int = 0
    seconds: float = 0.0
    rounds: int = 0
    snapshot_seconds: float = 0.0
    queued_rows: int = 0
    discarded: int = 0
    kept: int = 0
    indexes_built: int = 0
    copied_once: list[str] = dataclasses.field(default_factory=list)
    left_empty: list[str] = dataclasses.field(default_factory=list)
    unproven: list[str] = dataclasses.field(default_factory=list)
    materialized_views: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def tell(self, change: Change) -> None:
        """Make a change say this."""
        change.changed = self.changed
        change.before = {"seeded": []}
        change.after = {"seeded": [table["table"] for table in self.tables]}
        change.warnings = self.warnings
        change.values = {
            "tables": self.tables,
            "totals": self._totals(),
            "copied_once": self.copied_once,
            "left_empty": self.left_empty,
            "unproven": self.unproven,
            "materialized_views": self.materialized_views,
        }

    def _totals(self) -> dict[str, t.Any]:
        return {
            "selected": self.selected,
            "tables": len(self.tables),
            "rows": sum(table["rows"] for table in self.tables),
            "bytes": sum(table.get("bytes", 0) for table in self.tables),
            "seconds": self.seconds,
            "workers": self.workers,
            "rounds": self.rounds,
            "snapshot_seconds": self.snapshot_seconds,
            "queued_rows": self.queued_rows,
            "discarded": self.discarded,
            "kept": self.kept,
            "indexes_built": self.indexes_built,
        }


def planned(plan: Plan, target: str, workers: int) -> Outcome:
    """What a seed would do.

    :param target: its name, for messages.
    """
    passed_over = f"{target} is the origin of its group, and not seeded"
    return Outcome(
        changed=not plan.nothing_to_do,
        tables=[_to_copy(job) for job in plan.jobs]
        + [table.planned() for table in plan.configurations],
        selected=len(plan.selected),
        workers=workers,
        indexes_built=sum(len(indexes) for _name, indexes in plan.unfinished),
        copied_once=plan.copied_once,
        left_empty=plan.left_empty,
        unproven=plan.unproven,
        warnings=[passed_over] if plan.passed_over else [],
    )


def _to_copy(job: Job) -> dict[str, t.Any]:
    """A table that would be copied."""
    return {
        "table": str(job.name),
        "rows": max(0, job.source.rows),
        "size": job.source.bytes,
        "format": job.format,
        "reason": job.reason,
        "index_mode": job.index_mode,
        "parts": max(1, len(job.parts)),
    }


def copied(job: Job, table: ProvenTable) -> dict[str, t.Any]:
    """A table that was copied."""
    return {
        **_to_copy(job),
        "rows": table.rows,
        "bytes": table.bytes,
        "seconds": table.seconds,
    }


def failed(failures: Failures, changed: bool) -> MultimasterError:
    """Something failed for which another round would not help."""
    return MultimasterError(
        "; ".join(one.text for one in failures.for_good[:5]),
        "The other tables are kept. Remove the cause and run the task again.",
        failures=[one.text for one in failures.for_good],
        changed=changed,
        **_causes((one.text, one.details) for one in failures.for_good),
    )


def gave_up(failures: Failures, rounds: int) -> MultimasterError:
    """What can be tried again was tried often enough."""
    words = {
        LOCKED: "locked by others",
        MOVED: "truncated or rewritten again and again",
        LOST: "connections were lost",
    }
    parts = []
    for why, names in failures.later.items():
        named = listed(names)
        parts.append(f"{named}: {words[why]}" if named else words[why])
    return MultimasterError(
        f"Not everything could be seeded in {rounds} rounds: {'; '.join(parts)}."
        f" Last error: {failures.text or 'none'}",
        "Finished tables are kept; run the task again.",
        changed=True,
        **_causes([(failures.text, failures.details)]),
    )


def _causes(failures: t.Iterable[tuple[str, t.Mapping[str, str]]]) -> dict[str, t.Any]:
    """What is known of failures beyond their text: details of the server, tracebacks."""
    causes = [{"failure": text, **details} for text, details in failures if details]
    return {"causes": causes} if causes else {}

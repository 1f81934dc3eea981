# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what was found to the report of preflight (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused
from .._ledger.states import SEEDED
from .checklist import CHECKS
from .context import Context
from .enrolled_findings import lost
from .facts import Facts, SurveyedMaster
from .registry import BLOCKER, INFO, WARNING

# In a failure's message; the result holds all findings.
LINES_PER_CHECK = 25
# Objects with the same finding that one line names.
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    :param severity: "blocker", "warning" or "info".
    :param object: name of the table, role, database ... in question.
    :param master: name of the master, "" when it concerns none or all.
    """

    check: str
    severity: str
    object: str
    master: str
    message: str
    cure: str

    @property
    def line(self) -> str:
        """The finding as one line of text."""
        return self.line_for(self.object)

    def line_for(self, objects: str) -> str:
        """The same for several objects."""
        place = f" on {self.master}" if self.master and self.master != objects else ""
        text = f"[{self.check}] {objects}{place}: {self.message}. {self.cure}"
        # A name may hold a line break.
        return text.replace("\r", "\\r").replace("\n", "\\n")


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that preflight has to say.

    :param seeded: targets that hold every selected table, seeded to the end.
    :param empty: targets whose database is missing or holds no rows.
    """

    findings: tuple[Finding, ...]
    tables: tuple[str, ...]
    seeded: tuple[str, ...]
    empty: tuple[str, ...]
    all_seeded: bool
    target_exists: dict[str, bool]
    versions: dict[str, str]
    sizes: dict[str, int]

    def of(self, severity: str) -> list[Finding]:
        """The findings of one severity, in the order of the checks."""
        return [finding for finding in self.findings if finding.severity == severity]

    def values(self) -> dict[str, t.Any]:
        """The report as a module returns it."""
        return {
            "blockers": [dataclasses.asdict(finding) for finding in self.of(BLOCKER)],
            "cautions": [dataclasses.asdict(finding) for finding in self.of(WARNING)],
            "notes": [dataclasses.asdict(finding) for finding in self.of(INFO)],
            "blockers_text": [line for _finding, line in merged(self.of(BLOCKER))],
            "warnings_text": [line for _finding, line in merged(self.of(WARNING))],
            "tables": list(self.tables),
            "seeded": list(self.seeded),
            "all_seeded": self.all_seeded,
            "empty_targets": list(self.empty),
            "target_exists": self.target_exists,
            "versions": self.versions,
            "sizes": self.sizes,
        }


class Blocked(Refused):
    """There are blockers: a message of several lines, one for each."""

    def __init__(self, report: Report) -> None:
        blockers = report.of(BLOCKER)
        lines = [f"{number}. {line}" for number, line in enumerate(_lines(blockers), start=1)]
        count = f"{len(blockers)} blocker{'s' if len(blockers) > 1 else ''}"
        self.text = "\n".join([f"Preflight found {count}; nothing was changed.", *lines])
        # Not every value: people read this, and have the same lines in the message.
        findings = {key: report.values()[key] for key in ("blockers", "cautions")}
        super().__init__(self.text, **findings)

    @property
    def one_line(self) -> str:
        """All lines: a list is easier to work off than a paragraph."""
        return self.text


def merged(findings: t.Sequence[Finding]) -> list[tuple[Finding, str]]:
    """One line each, but one for all objects of which exactly the same is said."""
    groups: dict[Finding, list[str]] = {}
    for finding in findings:
        groups.setdefault(dataclasses.replace(finding, object=""), []).append(finding.object)
    result: list[tuple[Finding, str]] = []
    for finding, objects in groups.items():
        shown = [", ".join(objects[:_NAMED]) + f" and {len(objects) - _NAMED} more"]
        if len(objects) <= _NAMED:
            shown = objects
        result.extend((finding, finding.line_for(text)) for text in shown)
    return result


def _lines(findings: t.Sequence[Finding]) -> t.Iterator[str]:
    """Lines of text; of the same check on the same master only so many, then their number."""
    groups: dict[tuple[str, str], list[str]] = {}
    for finding, line in merged(findings):
        groups.setdefault((finding.check, finding.master), []).append(line)
    for (check, master), group in groups.items():
        yield from group[:LINES_PER_CHECK]
        more = len(group) - LINES_PER_CHECK
        if more > 0:
            place = f" on {master}" if master else ""
            yield f"[{check}] and {more} more lines{place}, see blockers in the result"


def examine(facts: Facts) -> Report:
    """Run every check."""
    context = Context(facts)
    findings = tuple(
        Finding(
            check=check.id,
            severity=check.severity,
            object=hit.object,
            master=hit.master,
            message=" ".join(hit.message.split()).rstrip("."),
            cure=hit.cure or check.cure,
        )
        for check in CHECKS
        for hit in check.run(context)
    )
    seeded = tuple(master.name for master in context.targets if _is_seeded(context, master))
    return Report(
        findings=findings,
        tables=tuple(str(table.name) for table in context.selected),
        seeded=seeded,
        empty=tuple(master.name for master in context.targets if _is_empty(context, master)),
        all_seeded=bool(context.targets) and len(seeded) == len(context.targets),
        target_exists={
            master.name: master.database is not None
            for master in context.targets
            if not master.error
        },
        versions={master.name: _version(server.version) for master, server in context.servers()},
        sizes={
            "tables": len(context.selected),
            "bytes": sum(table.bytes for table in context.selected),
            "rows": sum(max(table.rows, 0) for table in context.selected),
        },
    )


def _is_seeded(context: Context, master: SurveyedMaster) -> bool:
    ledger = master.database.ledger if master.database else None
    return (
        bool(ledger and context.names)
        and all((ledger or {}).get(name) == SEEDED for name in context.names)
        and not any(lost(context.facts, (context.origin, master), name) for name in context.names)
    )


def _is_empty(context: Context, master: SurveyedMaster) -> bool:
    if master.error:
        return False
    database = master.database
    return database is None or not (context.names & database.filled or database.ledger)


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"

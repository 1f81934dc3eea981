# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts and problems for machines: Prometheus' text format, and a Nagios plugin's line (pure).

Both come from the same look as the lines for people. docs/monitoring.md has the names.
"""

from __future__ import annotations

import typing as t

from . import detectors
from .facts import Facts, pairs
from .problem import CRITICAL, WARNING, Alarm

# Of a Nagios plugin: exit code and word.
OK, WARN, CRIT, UNKNOWN = 0, 1, 2, 3
_WORDS = {OK: "OK", WARN: "WARNING", CRIT: "CRITICAL", UNKNOWN: "UNKNOWN"}
STATES = {"held": 0, "active": 1, "stalled": 2}
_OTHER_STATE = 3

Samples = t.Iterator[t.Tuple[t.Dict[str, str], float]]
# Name to what it means, and its samples.
Family = t.Tuple[str, t.Callable[[Facts], Samples]]


def _daemon(facts: Facts) -> Samples:
    yield {}, float(facts.running)


def _answers(facts: Facts) -> Samples:
    yield {}, float(facts.answers)


def _states(facts: Facts) -> Samples:
    for sync in facts.syncs:
        yield {"sync": sync.name}, float(STATES.get(sync.status, _OTHER_STATE))


def _failures(facts: Facts) -> Samples:
    for sync in facts.syncs:
        yield {"sync": sync.name}, float(sync.failure.count if sync.failure else 0)


def _under_way(facts: Facts) -> Samples:
    for sync in facts.syncs:
        yield {"sync": sync.name}, sync.under_way


def _last_runs(facts: Facts) -> Samples:
    for sync in facts.syncs:
        good = next((run for run in sync.runs if run.outcome == "good"), None)
        for what in ("deletes", "inserts", "conflicts", "truncates"):
            value = float(getattr(good, what) or 0) if good else 0.0
            yield {"sync": sync.name, "what": what}, value


def _reachable(facts: Facts) -> Samples:
    for sync in facts.syncs:
        for master in sync.masters:
            yield {"sync": sync.name, "master": master.name}, float(not master.error)


def _of_masters(value: t.Callable[[t.Any], float]) -> t.Callable[[Facts], Samples]:
    def samples(facts: Facts) -> Samples:
        for sync, master in pairs(facts):
            if master.role == "source":
                yield {"sync": sync.name, "master": master.name}, float(value(master))

    return samples


FAMILIES: dict[str, Family] = {
    "daemon_running": ("1 when Bucardo's main process is connected.", _daemon),
    "daemon_answers": ("1 when it answers.", _answers),
    "sync_state": ("0 held, 1 active, 2 stalled, 3 another.", _states),
    "sync_failed_runs": ("Runs that failed since the last one that did not.", _failures),
    "sync_run_seconds": ("Since when the run is under way, 0 without one.", _under_way),
    "sync_last_run_rows": ("What the last run with changes did.", _last_runs),
    "master_reachable": ("1 when the master can be read.", _reachable),
    "pending_changes": (
        "Changes that wait.",
        _of_masters(lambda master: master.changes),
    ),
    "pending_oldest_seconds": (
        "Age of the oldest change that waits, 0 without one.",
        _of_masters(lambda master: master.oldest),
    ),
    "tracking_bytes": (
        "Size of all that Bucardo keeps on the master.",
        _of_masters(lambda master: master.bytes),
    ),
    "purge_alive": (
        "1 when the purging process is connected.",
        _of_masters(lambda master: bool(master.purge and master.purge.alive)),
    ),
    "purge_waiting_changes": (
        "Replicated changes that are still there.",
        _of_masters(lambda master: master.purge.rows if master.purge else 0),
    ),
    "purge_oldest_seconds": (
        "Age of the oldest of them.",
        _of_masters(lambda master: master.purge.oldest if master.purge else 0.0),
    ),
    "truncates_lost": (
        "TRUNCATEs that Bucardo took for done.",
        _of_masters(lambda master: sum(one.count for one in master.lost)),
    ),
    "tables_not_enrolled": (
        "Tables that match the selection and take no part.",
        _of_masters(lambda master: len(master.strangers)),
    ),
    "tables_broken": (
        "Tables whose changes are not noted as they must be.",
        _of_masters(lambda master: len(master.faults)),
    ),
    "tables_shed": (
        "Tables whose changes are not noted any more for the sake of the disk.",
        _of_masters(lambda master: len(master.shed)),
    ),
}


def prometheus(facts: Facts, problems: t.Sequence[Alarm], now: float, took: float) -> str:
    """All metrics of a look that succeeded.

    :param now: seconds since the epoch.
    :param took: seconds that the look took.
    """
    lines: list[str] = []
    for name, (about, samples) in FAMILIES.items():
        lines += _family(name, about, samples(facts))
    counts = dict.fromkeys(detectors.NAMES, 0)
    for problem in problems:
        counts[problem.name] += 1
    lines += _family(
        "detector_problems",
        "Problems that a detector sees now.",
        (({"detector": name}, float(count)) for name, count in counts.items()),
    )
    severities = {CRITICAL: 0, WARNING: 0}
    for problem in problems:
        severities[problem.severity] += 1
    lines += _family(
        "problems",
        "Problems by severity.",
        (({"severity": name}, float(count)) for name, count in severities.items()),
    )
    lines += _look(True, now, took)
    return "\n".join(lines) + "\n"


def prometheus_failed(now: float, took: float) -> str:
    """What is left of the metrics when nothing could be read: that, and when it was."""
    return "\n".join(_look(False, now, took)) + "\n"


def _look(success: bool, now: float, took: float) -> list[str]:
    return [
        *_family(
            "check_success",
            "1 when the control database could be read.",
            iter([({}, float(success))]),
        ),
        *_family("check_timestamp_seconds", "When this was read.", iter([({}, now)])),
        *_family("check_duration_seconds", "How long it took to read.", iter([({}, took)])),
    ]


def _family(name: str, about: str, samples: Samples) -> list[str]:
    full = f"bucardo_{name}"
    found = [f"# HELP {full} {about}", f"# TYPE {full} gauge"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        found.append(f"{full}{{{inside}}} {value:.10g}" if inside else f"{full} {value:.10g}")
    return found


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def nagios(facts: Facts, problems: t.Sequence[Alarm]) -> tuple[int, str]:
    """Exit code and text of a Nagios plugin: one line, performance data, one line per problem."""
    code = OK
    if problems:
        code = CRIT if any(one.severity == CRITICAL for one in problems) else WARN
    values = [
        value
        for sync, master in pairs(facts)
        if master.role == "source"
        for value in (
            f"'{sync.name}/{master.name} changes'={master.changes}",
            f"'{sync.name}/{master.name} oldest'={master.oldest:.0f}s",
        )
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        first = next((one for one in problems if one.severity == CRITICAL), problems[0])
        text = f"{first.what}{more}"
    else:
        text = f"{len(facts.syncs)} syncs replicate" if len(facts.syncs) != 1 else "1 sync"
    head = f"MULTIMASTER {_WORDS[code]} - {_plain(text)}"
    perf = f" | {' '.join(values)}" if values else ""
    rest = [f"{one.severity.upper()} {one.name}: {_plain(one.line)}" for one in problems]
    return code, "\n".join([head + perf, *rest])


def unknown(why: str) -> tuple[int, str]:
    """The same when nothing could be read."""
    return UNKNOWN, f"MULTIMASTER UNKNOWN - {_plain(why)}"


def _plain(text: str) -> str:
    """A bar would begin the performance data."""
    return " ".join(text.replace("|", "/").split())

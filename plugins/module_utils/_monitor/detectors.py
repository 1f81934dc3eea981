# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The detectors: how it is seen that Bucardo loses, withholds or delays changes (pure).

Bucardo's own status says "Good" in nearly all of these states. Each detector is true by itself,
knows since when where the servers do, and says what to do; docs/silent-failures.md has a row for
each. A sync that is held on purpose is no failure as long as a seed runs.
"""

from __future__ import annotations

import typing as t

from . import detect_masters, detect_processes, detect_queues
from .problem import Alarm

if t.TYPE_CHECKING:
    from .facts import Facts

    Detector = t.Callable[[Facts], t.Iterator[Alarm]]

DETECTORS: tuple[Detector, ...] = (
    detect_processes.daemon_down,
    detect_processes.daemon_stuck,
    detect_processes.poll_missing,
    detect_processes.daemon_doubled,
    detect_processes.other_daemon,
    detect_processes.sync_stalled,
    detect_processes.controller_missing,
    detect_processes.worker_missing,
    detect_processes.held,
    detect_processes.not_corrected,
    detect_processes.worker_fails,
    detect_processes.worker_blocked,
    detect_processes.worker_stuck,
    detect_queues.backlog_old,
    detect_queues.backlog_large,
    detect_queues.backlog_grows,
    detect_queues.disk_fills,
    detect_queues.purge_dead,
    detect_queues.track_doubled,
    detect_queues.truncate_lost,
    detect_masters.master_unreachable,
    detect_masters.master_went_back,
    detect_masters.enrolment_broken,
    detect_masters.columns_changed,
    detect_masters.not_enrolled,
    detect_masters.rights_missing,
    detect_masters.shed,
    detect_masters.equal_times,
    detect_masters.sequence_strayed,
)
NAMES = tuple(detector.__name__ for detector in DETECTORS)


def problems(facts: Facts) -> list[Alarm]:
    """All that is wrong, in the order of the detectors; the same thing once."""
    found = {one.line: one for detector in DETECTORS for one in detector(facts)}
    return list(found.values())

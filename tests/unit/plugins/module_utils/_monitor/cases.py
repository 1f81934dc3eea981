# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A healthy pair as facts, and each state that a detector is for."""

from __future__ import annotations

import dataclasses

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import sightings
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.facts import (
    CONTROLLER,
    MAIN,
    PURGER,
    WORKER,
    EqualTimes,
    Facts,
    Failure,
    MasterFacts,
    Process,
    Sample,
    SyncFacts,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.purge import Purge
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.shed import Shed
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.truncate_lost import (
    Lost,
)

NOTE = TableName("public", "note")
DAEMON = (
    Process(MAIN, 10, still=1.0, age=5400.0),
    Process(CONTROLLER, 11, still=1.0),
    Process(WORKER, 12, sync="shop", still=1.0),
    Process(PURGER, 13, still=1.0),
)
# A new row, replicated and not purged yet.
HEALTHY = Facts(
    running=True,
    answers=True,
    processes=DAEMON,
    syncs=(
        SyncFacts(
            name="shop",
            status="active",
            members={"here": "source", "there": "source"},
            masters=(
                MasterFacts(
                    "here",
                    pending=(Pending(NOTE, 3, 2.0),),
                    bytes=8192,
                    purge=Purge(True, 20, 40.0),
                    processes=DAEMON,
                ),
                MasterFacts("there", purge=Purge(True), processes=DAEMON),
            ),
        ),
    ),
    sequences={"shop": ()},
)


def waiting(changes: int, oldest: float) -> dict[str, object]:
    return {"pending": (Pending(NOTE, changes, oldest),)}


def facts(master: dict[str, object] | None = None, sync: dict[str, object] | None = None, **more):
    """The healthy ones, but for the first master, the sync, or the whole."""
    (shop,) = HEALTHY.syncs
    here = dataclasses.replace(shop.masters[0], **(master or {}))
    shop = dataclasses.replace(shop, **{"masters": (here, shop.masters[1]), **(sync or {})})
    return dataclasses.replace(HEALTHY, **{"syncs": (shop,), **more})


def foreign(still: float, sync: str = "shop") -> tuple[Process, ...]:
    """With a worker of somebody else's daemon."""
    return (*DAEMON, Process(WORKER, 99, sync=sync, still=still, client="192.0.2.9"))


def without(*kinds: str) -> tuple[Process, ...]:
    return tuple(one for one in DAEMON if one.kind not in kinds)


def still(seconds: float, state: str = "idle", **more) -> tuple[Process, ...]:
    return tuple(dataclasses.replace(one, still=seconds, state=state, **more) for one in DAEMON)


def everywhere(processes: tuple[Process, ...], **more) -> Facts:
    (shop,) = HEALTHY.syncs
    masters = tuple(dataclasses.replace(one, processes=processes, **more) for one in shop.masters)
    return dataclasses.replace(
        HEALTHY, processes=processes, syncs=(dataclasses.replace(shop, masters=masters),)
    )


def sync_of(one: Facts, **more) -> Facts:
    return dataclasses.replace(one, syncs=(dataclasses.replace(one.syncs[0], **more),))


FAILED = Failure(4, "2026-01-02 03:04:05+00", 70.0, "Failed : ERROR:  no such column at /usr/share")
RISING = {
    ("shop", "here"): tuple(
        Sample(age=300.0 - 60 * i, changes=10 * i, oldest=10.0 * i) for i in range(5)
    )
}

CASES = {
    "not_corrected": (
        sync_of(HEALTHY, corrected=False),
        "a run that ends between the commits of two masters loses changes",
    ),
    "poll_missing": (
        facts({"polled": True}, polling=False),
        "Nobody looks whether rows of shop were written",
    ),
    "daemon_down": (facts(running=False, answers=False), "daemon does not run, so shop"),
    "daemon_stuck": (
        dataclasses.replace(everywhere(still(200.0)), answers=False),
        "has done nothing for 3 min",
    ),
    "daemon_doubled": (
        facts(processes=(*DAEMON, Process(MAIN, 98, age=500.0), Process(MAIN, 99, age=130.0))),
        "daemons serve this control database",
    ),
    "other_daemon": (
        facts({"processes": foreign(3.0)}),
        "A second daemon, at 192.0.2.9, replicates shop on here",
    ),
    "sync_stalled": (facts(stalled=("there",)), "has stalled shop, since it lost there"),
    "controller_missing": (everywhere(without(CONTROLLER, WORKER)), "no controller of shop"),
    "held": (
        facts(waiting(3, 301.0), {"status": "held"}),
        "shop is held and no seed runs; changes wait, the oldest for 5 min",
    ),
    "worker_missing": (
        everywhere(without(WORKER), **waiting(3, 130.0)),
        "controller of shop has no worker, and the oldest change waits for 2 min",
    ),
    "worker_fails": (facts(sync={"failure": FAILED}), "(4 times), and no table of it"),
    "worker_blocked": (
        facts({"processes": still(130.0, "active", blockers=("PID 7 (app)",))}),
        "held up on here for 2 min by a lock of PID 7 (app)",
    ),
    "worker_stuck": (
        sync_of(everywhere(still(130.0, "idle in transaction")), under_way=500.0),
        "A run of shop began 8 min ago, and its worker has done nothing for 2 min",
    ),
    "backlog_old": (facts(waiting(3, 301.0)), "3 changes of shop wait, the oldest for 5 min"),
    "backlog_large": (facts(waiting(1_000_000, 2.0)), "1000000 changes of shop wait"),
    "backlog_grows": (facts(waiting(99, 99.0), history=RISING), "0.3 more wait each second"),
    "disk_fills": (facts({"bytes": 2_000_000_000}), "take 2.0 GB, more than 1.0 GB"),
    "purge_dead": (facts({"purge": Purge(False, 3, 130.0)}), "3 replicated changes of shop are"),
    "track_doubled": (facts({"doubled": {NOTE: 2}}), "2 transaction times of public.note"),
    "truncate_lost": (
        facts({"lost": (Lost(NOTE, 2, "2026-01-02 03:04:05.6+00"),)}),
        "TRUNCATE of public.note (2 times, last 2026-01-02 03:04:05) was not replicated",
    ),
    "master_unreachable": (facts({"error": "no route"}), "here cannot be read: no route"),
    "master_went_back": (
        facts({"went_back": sightings.WENT_BACK}),
        "here was restored to an earlier moment: it may lack rows",
    ),
    "enrolment_broken": (
        facts({"faults": {NOTE: ("the trigger bucardo_delta is disabled",)}}),
        "public.note are not replicated as they must be: the trigger bucardo_delta is disabled",
    ),
    "columns_changed": (facts({"stale": True}), "other columns on here"),
    "not_enrolled": (facts({"strangers": (NOTE,)}), "public.note matches the selection"),
    "rights_missing": (
        facts({"rights": {NOTE: ("may not TRUNCATE",)}}),
        "logs in with may not TRUNCATE of public.note",
    ),
    "shed": (
        facts({"shed": (Shed(NOTE, 900, 2_000_000_000, "2026-01-02 03:04:05+00", 7200.0, True),)}),
        "shed on here 2 h 00 min ago (2026-01-02 03:04:05+00), when 900 changes of it took 2.0 GB",
    ),
    "equal_times": (
        facts(sync={"unequal": (EqualTimes(NOTE, ('{"id": 7}',)),)}),
        'public.note: {"id": 7} differ and nothing waits',
    ),
    "sequence_strayed": (
        facts(sequences={"shop": ("public.note_id_seq on there: went astray. Run it.",)}),
        "public.note_id_seq on there: went astray",
    ),
}

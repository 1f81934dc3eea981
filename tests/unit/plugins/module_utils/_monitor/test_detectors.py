# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each detector fires at its state, at the right moment, and at no other."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor import (
    detect_queues,
    detectors,
    render,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.facts import (
    CONTROLLER,
    MAIN,
    WORKER,
    Facts,
    Limits,
    MasterFacts,
    Process,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.problem import (
    WARNING,
    said,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.purge import Purge
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._monitor.cases import (
    CASES,
    DAEMON,
    FAILED,
    HEALTHY,
    NOTE,
    RISING,
    everywhere,
    facts,
    foreign,
    still,
    sync_of,
    waiting,
    without,
)


def names(one: Facts) -> list[str]:
    return [problem.name for problem in detectors.problems(one)]


def test_every_detector_has_a_case():
    assert set(CASES) == set(detectors.NAMES)


def test_nothing_is_found_on_a_healthy_pair():
    assert detectors.problems(HEALTHY) == []


@pytest.mark.parametrize("name", CASES)
def test_a_detector_fires_and_no_other_does(name):
    found, says = CASES[name]
    (problem,) = detectors.problems(found)
    assert problem.name == name
    assert says in problem.what
    assert "\n" not in problem.line
    assert problem.cure.endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        *("daemon_down", "daemon_stuck", "controller_missing", "worker_missing", "worker_stuck"),
        "purge_dead",
    ],
)
def test_a_sync_that_is_held_needs_no_process(name):
    found, _says = CASES[name]
    assert names(sync_of(found, status="held")) == []


@pytest.mark.parametrize(
    "one",
    [
        # A worker that died with its host before our daemon was started, and one of another sync.
        facts({"processes": foreign(5395.0)}),
        facts({"processes": foreign(3.0, sync="other")}),
        # Just below the limits.
        facts(waiting(999_999, 299.0)),
        facts({"bytes": 999_999_999}),
        facts({"purge": Purge(False, 3, 119.0)}),
        facts({"purge": Purge(True, 3, 899.0)}),
        everywhere(still(119.0, "active", blockers=("PID 7 (app)",))),
        everywhere(without(WORKER), **waiting(3, 119.0)),
        # An old idle worker has nothing to do; an old run may be a large one.
        everywhere(still(5000.0)),
        sync_of(everywhere(still(500.0, "active")), under_way=500.0),
        # A main process that reads a thousand tables anew.
        dataclasses.replace(everywhere(still(200.0, "active")), answers=False),
        dataclasses.replace(everywhere(still(3.0)), answers=False),
        # Held while a seed runs, or for a moment.
        facts(waiting(3, 9000.0), {"status": "held", "seeding": True}),
        facts(waiting(3, 20.0), {"status": "held"}),
        # Purging is switched off.
        facts({"purge": Purge(False, 3, 9000.0)}, purges=False),
        # Between two runs a worker may be gone.
        everywhere(without(WORKER)),
        # It has just been started.
        everywhere((Process(MAIN, 10, age=3.0),)),
        # Failures that concern nothing that waits.
        facts({"pending": ()}, {"failure": FAILED}),
    ],
)
def test_what_is_no_failure_is_none(one):
    assert names(one) == []


def test_a_controller_of_another_sync_does_not_count():
    (shop,) = HEALTHY.syncs
    both = dataclasses.replace(HEALTHY, syncs=(shop, dataclasses.replace(shop, name="stock")))
    assert names(both) == ["controller_missing"]
    assert detectors.problems(both)[0].sync == "stock"
    second = (*DAEMON, Process(CONTROLLER, 21))
    masters = tuple(dataclasses.replace(one, processes=second) for one in shop.masters)
    syncs = tuple(dataclasses.replace(one, masters=masters) for one in both.syncs)
    assert names(dataclasses.replace(both, processes=second, syncs=syncs)) == []


def test_one_master_away_of_three_stops_the_others_and_that_is_said():
    (shop,) = HEALTHY.syncs
    third = MasterFacts("third", error="Connection refused.")
    found = sync_of(
        HEALTHY, masters=(*shop.masters, third), members={**shop.members, "third": "source"}
    )
    (problem,) = detectors.problems(found)
    assert problem.line == (
        "third cannot be read: Connection refused. Bring it back. Until then here and there do not"
        " replicate either."
    )


def test_rows_that_cannot_be_together_are_named_on_both_masters():
    failure = dataclasses.replace(
        FAILED, table=NOTE, rows={"there": ("(id)=(2)",), "here": ("(id)=(1)",)}
    )
    (problem,) = detectors.problems(facts(sync={"failure": failure}))
    assert (
        "public.note that cannot be together: (id)=(1) on here; (id)=(2) on there" in problem.what
    )
    assert "bucardo_aside" in problem.cure


@pytest.mark.parametrize("series", ["changes", "oldest"])
def test_a_backlog_that_is_being_worked_off_does_not_grow(series):
    seen = list(RISING["shop", "here"])
    seen[3] = dataclasses.replace(seen[3], **{series: 0})
    assert names(facts(waiting(99, 99.0), history={("shop", "here"): tuple(seen)})) == []


def test_limits_are_the_syncs_own():
    narrow = Limits(age=1.0, rows=1, bytes=1)
    found = names(facts(sync={"limits": narrow}))
    assert found == ["backlog_old", "backlog_large", "disk_fills"]


def test_what_holds_up_the_worker_is_told():
    old = waiting(3, 301.0)
    failing = detectors.problems(facts(old, {"failure": FAILED}))
    assert "its last run failed: no such column" in failing[1].cure
    busy = detectors.problems(facts(old, {"under_way": 120.0}))
    assert "its run began 2 min ago" in busy[0].cure
    assert "was not woken" in detectors.problems(facts(old))[0].cure


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            'Failed : DBD::Pg::db pg_putcopyend failed: ERROR:  duplicate key value violates "x"\\n'
            "DETAIL:  Key (code)=(same) already exists. at /usr/share/perl5/Bucardo.pm line 1.",
            'duplicate key value violates "x" DETAIL: Key (code)=(same) already exists.',
        ),
        ("Failed : no such database Line: 5037", "Failed : no such database Line: 5037"),
    ],
)
def test_of_a_failed_run_only_what_the_server_said_is_shown(status, text):
    assert said(status) == text


def test_the_limits_of_a_purge_are_those_that_status_shows():
    assert detect_queues.PURGE_MISSING < detect_queues.PURGE_LATE


PAGES = pathlib.Path(__file__).resolve().parents[5] / "docs"
TRIED = "## Where they are tried"


def test_each_detector_has_its_row_in_the_manual():
    text = (PAGES / "silent-failures.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text.partition(TRIED)[0], re.M)
    assert sorted(rows) == sorted(detectors.NAMES)


def test_each_detector_is_tried_where_the_manual_says():
    text = (PAGES / "silent-failures.md").read_text(encoding="utf-8").partition(TRIED)[2]
    elsewhere = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M))
    assert set(elsewhere) <= set(detectors.NAMES)
    live = PAGES.parent / "tests" / "live"
    here = (live / "test_silent_failures.py").read_text(encoding="utf-8")
    tried = {name for name in detectors.NAMES if f'"{name}"' in here}
    assert tried | set(elsewhere) == set(detectors.NAMES)
    for file in re.findall(r"`(tests/live/\w+\.py)`", text):
        assert (PAGES.parent / file).is_file(), file


def test_each_metric_is_in_the_manual():
    text = (PAGES / "monitoring.md").read_text(encoding="utf-8")
    made = set(re.findall(r"bucardo_\w+", render.prometheus(HEALTHY, [], 0.0, 0.0)))
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `bucardo_"))
    assert set(re.findall(r"`(bucardo_\w+)`", table)) == made


def test_what_is_only_a_warning_is_in_the_manual():
    warnings = {
        problem.name
        for found, _says in CASES.values()
        for problem in detectors.problems(found)
        if problem.severity == WARNING
    }
    text = (PAGES / "monitoring.md").read_text(encoding="utf-8")
    (line,) = [one for one in text.splitlines() if one.startswith("| 1 | WARNING")]
    assert set(re.findall(r"`(\w+)`", line)) == warnings

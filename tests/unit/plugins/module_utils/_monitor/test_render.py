# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other machines are told is true, complete, and in the formats that they read."""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor import detectors, render
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.facts import Facts
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._monitor.cases import (
    CASES,
    HEALTHY,
    facts,
    waiting,
)

# https://prometheus.io/docs/instrumenting/exposition_formats/
LINE = re.compile(
    r"# (HELP|TYPE) [a-z_]+ .+"
    r'|[a-z_]+(\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\})? -?[0-9.e+-]+'
)


def samples(text: str) -> dict[str, float]:
    found = {}
    for line in text.splitlines():
        assert LINE.fullmatch(line), line
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found
            found[name] = float(value)
    return found


def metrics(one: Facts) -> dict[str, float]:
    return samples(render.prometheus(one, detectors.problems(one), 1000.0, 0.25))


def test_a_healthy_pair():
    found = metrics(HEALTHY)
    assert found["bucardo_daemon_running"] == 1
    assert found['bucardo_sync_state{sync="shop"}'] == 1
    assert found['bucardo_pending_changes{sync="shop",master="here"}'] == 3
    assert found['bucardo_pending_oldest_seconds{sync="shop",master="here"}'] == 2
    assert found['bucardo_problems{severity="critical"}'] == 0
    assert found["bucardo_check_timestamp_seconds"] == 1000


def test_every_detector_is_a_series_at_all_times():
    for name, (one, _says) in CASES.items():
        found = metrics(one)
        counts = {
            detector: found[f'bucardo_detector_problems{{detector="{detector}"}}']
            for detector in detectors.NAMES
        }
        assert counts == {**dict.fromkeys(detectors.NAMES, 0), name: 1}


def test_names_of_users_cannot_break_the_format():
    (shop,) = HEALTHY.syncs
    here = dataclasses.replace(shop.masters[0], name='he"r\\e\n')
    metrics(dataclasses.replace(HEALTHY, syncs=(dataclasses.replace(shop, masters=(here,)),)))


def test_what_could_not_be_read_is_not_there():
    away = metrics(facts({"error": "no route"}))
    assert away['bucardo_master_reachable{sync="shop",master="here"}'] == 0
    assert 'bucardo_pending_changes{sync="shop",master="here"}' not in away
    assert samples(render.prometheus_failed(5.0, 1.0)) == {
        "bucardo_check_success": 0,
        "bucardo_check_timestamp_seconds": 5,
        "bucardo_check_duration_seconds": 1,
    }


def test_a_plugin_says_ok_with_figures():
    assert render.nagios(HEALTHY, []) == (
        0,
        "MULTIMASTER OK - 1 sync | 'shop/here changes'=3 'shop/here oldest'=2s"
        " 'shop/there changes'=0 'shop/there oldest'=0s",
    )


def test_a_plugin_begins_with_what_is_worst():
    one = facts({**waiting(1_000_000, 2.0), "faults": {HEALTHY.syncs[0].name: ("x",)}})
    code, text = render.nagios(one, detectors.problems(one))
    lines = text.splitlines()
    assert code == 2
    assert lines[0].startswith("MULTIMASTER CRITICAL - here: changes of shop are not")
    assert "(and 1 more) | " in lines[0]
    assert [line.split(":")[0] for line in lines[1:]] == [
        "WARNING backlog_large",
        "CRITICAL enrolment_broken",
    ]


def test_a_plugin_warns():
    one = facts(waiting(1_000_000, 2.0))
    assert render.nagios(one, detectors.problems(one))[0] == 1


def test_a_plugin_that_knows_nothing():
    assert render.unknown("a | b") == (3, "MULTIMASTER UNKNOWN - a / b")

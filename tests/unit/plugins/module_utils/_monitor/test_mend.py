# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watchdog mends in order, gives each step time, and stops when nothing helps."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor import detectors, mend
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.problem import Alarm


def problem(name: str, sync: str = "shop", **more) -> Alarm:
    return Alarm(name, "what", "cure.", sync=sync, **more)


def run(looks):
    """The steps of a row of looks: seconds to what was seen."""
    state, found = mend.fresh(), []
    for now, problems in looks:
        state = mend.remember(state, problems, now)
        for step, about in mend.next_steps(state, problems, now):
            state = mend.taken(state, step, problems, now)
            found.append((now, step, about.name))
    return found


def every_minute(name: str, minutes: int, **more):
    return [(60.0 * minute, [problem(name, **more)]) for minute in range(minutes)]


def test_each_ladder_is_of_a_detector():
    assert set(mend.LADDERS) <= set(detectors.NAMES)
    assert set(mend.PER_HOUR) == {step for ladder in mend.LADDERS.values() for step in ladder}


def test_nothing_is_done_where_all_is_well():
    assert run([(0.0, []), (60.0, [])]) == []


@pytest.mark.parametrize("name", [name for name in detectors.NAMES if name not in mend.LADDERS])
def test_what_nobody_can_mend_blindly_is_left(name):
    assert run(every_minute(name, 3)) == []


def test_a_sync_without_controller_is_reloaded_and_only_then_the_daemon_restarted():
    found = run(every_minute("controller_missing", 180))
    assert found == [
        (0.0, "reload", "controller_missing"),
        (120.0, "restart", "controller_missing"),
    ]


def test_a_dead_purge_is_restarted_once():
    assert run(every_minute("purge_dead", 180)) == [(0.0, "restart", "purge_dead")]


def test_a_problem_that_comes_back_does_not_make_a_loop():
    # Each restart helps for quarter of an hour.
    looks = [
        (60.0 * minute, [problem("purge_dead")] if minute % 15 == 0 else []) for minute in range(60)
    ]
    assert [step for _now, step, _name in run(looks)] == ["restart", "restart"]
    later = [(3700.0 + now, problems) for now, problems in looks]
    assert len(run([*looks, *later])) == 4


def test_a_daemon_that_ends_again_soon_after_it_was_mended_is_started_again():
    """Its first end took both steps; a look at a daemon that runs, and it is a new one."""
    down = [problem("daemon_down", sync="")]
    looks = [(5.0 * number, down if number < 26 or number > 30 else []) for number in range(40)]
    assert run(looks) == [
        (0.0, "start", "daemon_down"),
        (120.0, "restart", "daemon_down"),
        (155.0, "start", "daemon_down"),
    ]


def test_a_daemon_that_no_step_has_started_is_tried_again_and_again():
    """What kept it from starting, such as a control server that was away, may have ended."""
    down = [(60.0 * minute, [problem("daemon_down", sync="")]) for minute in range(58)]
    steps = [(now, step) for now, step, _name in run(down)]
    assert steps[:4] == [(0.0, "start"), (120.0, "restart"), (240.0, "start"), (360.0, "start")]
    # As often as an hour has starts.
    assert [step for _now, step in steps].count("start") == 12


def test_a_problem_that_lasts_is_no_new_one_however_seldom_somebody_looks():
    looks = [(300.0 * number, [problem("purge_dead")]) for number in range(6)]
    assert run(looks) == [(0.0, "restart", "purge_dead")]


def test_nothing_is_tried_while_a_master_is_away():
    away = [problem("sync_stalled"), problem("master_unreachable", master="there")]
    back = [problem("sync_stalled")]
    assert run([(0.0, away), (60.0, away), (120.0, back), (180.0, [])]) == [
        (120.0, "reload", "sync_stalled")
    ]


def test_the_stronger_step_is_taken_alone():
    both = [problem("backlog_old"), problem("daemon_stuck", sync="")]
    assert run([(0.0, both)]) == [(0.0, "restart", "daemon_stuck")]


def test_one_step_serves_all_who_need_it():
    both = [problem("purge_dead", master="here"), problem("purge_dead", master="there")]
    assert run([(60.0 * minute, both) for minute in range(30)]) == [(0.0, "restart", "purge_dead")]


def test_a_worker_that_fails_is_not_kicked():
    assert run([(0.0, [problem("backlog_old"), problem("worker_fails")])]) == []
    assert run([(0.0, [problem("backlog_old")])]) == [(0.0, "kick", "backlog_old")]


def test_since_when_something_is_wrong_is_kept():
    state = mend.remember(mend.fresh(), [problem("held", age=40.0)], 1000.0)
    state = mend.remember(state, [problem("held")], 1060.0)
    assert state["problems"]["held/shop//"]["since"] == 960.0
    assert mend.remember(state, [], 1060.0 + 601)["problems"] == {}


def test_what_may_be_a_moment_of_a_restart_counts_when_a_second_look_sees_it():
    missing, down = problem("controller_missing"), problem("daemon_down")
    state = mend.fresh()
    assert mend.sure(state, [missing, down], stopped=True) == []
    assert mend.sure(state, [missing, down], stopped=False) == [down]
    state = mend.remember(state, [missing, down], 0.0)
    assert mend.sure(state, [missing, down], stopped=True) == [missing, down]
    # It was over in between.
    state = mend.remember(mend.remember(state, [], 5.0), [], 10.0)
    assert mend.sure(state, [missing, down], stopped=True) == []

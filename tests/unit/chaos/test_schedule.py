# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens when is decided by the seed, and everything happens at some time."""

from __future__ import annotations

import schedule
from faults import FAULTS, OPERATION

NAMES = ("oslo", "paris", "rome")


def test_a_seed_repeats_its_schedule_however_long_a_run_is():
    for number in (1, 2, 7):
        one, two = (schedule.round_of("5", number, NAMES) for _time in range(2))
        assert one == two
        assert one != schedule.round_of("6", number, NAMES)
    assert schedule.round_of("5", 1, NAMES) != schedule.round_of("5", 2, NAMES)
    assert schedule.masters("5") == schedule.masters("5")
    assert schedule.rule("5", NAMES) == schedule.rule("5", NAMES)


def test_every_fault_happens():
    rounds = [schedule.round_of("5", number, NAMES) for number in range(60)]
    events = [event for one in rounds for event in (*one.weather[:5], one.operation) if event]
    assert {event.fault.name for event in events} == {fault.name for fault in FAULTS}
    assert {one.bootstrap for one in rounds} == {True, False}
    assert len({str(event) for event in events}) > len(FAULTS) * 5


def test_only_the_faults_that_are_asked_for_happen():
    operation = next(fault.name for fault in FAULTS if fault.kind == OPERATION)
    one = schedule.round_of("5", 1, NAMES, [operation])
    assert (one.weather, one.operation.fault.name) == ((), operation)
    one = schedule.round_of("5", 1, NAMES, ["partition"])
    assert {event.fault.name for event in one.weather} == {"partition"}
    assert one.operation is None


def test_there_are_runs_with_two_and_three_masters_and_with_each_kind_of_rule():
    seeds = [str(seed) for seed in range(40)]
    assert {len(schedule.masters(seed)) for seed in seeds} == {2, 3}
    assert schedule.masters("5", 3) == NAMES
    rules = {schedule.rule(seed, NAMES) for seed in seeds}
    assert () in rules
    assert len(rules) > 4
    assert all(sorted(rule) == list(NAMES) for rule in rules if rule)

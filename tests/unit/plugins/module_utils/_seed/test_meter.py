# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a seed is, by made-up clocks and counts."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.meter import Meter
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import job

SIZE = 1000


@pytest.fixture
def meter():
    """At 100 s, with two tables."""
    made = Meter(100.0)
    made.begin_round([job("a", SIZE), job("b", SIZE)], [])
    return made


def measure(meter, now, streamed=0, reading=None, under_way=(0, 1), finished=()):
    meter.measure(now, streamed, reading or {}, under_way, finished)
    return meter.progress


def test_at_the_beginning_nothing_is_known(meter):
    progress = measure(meter, 101.0)
    assert (progress.tables_total, progress.bytes_total, progress.phase) == (2, 2 * SIZE, "copy")
    assert (progress.tables_done, progress.bytes_done, progress.elapsed) == (0, 0, 1.0)
    assert (progress.rate, progress.remaining, progress.snapshot_age) == (0.0, None, None)


def test_without_tables_there_are_only_indexes():
    made = Meter(100.0)
    made.begin_round([], [])
    assert made.progress.phase == "indexes"


def test_what_is_being_read_counts_but_never_as_all_of_the_table(meter):
    assert measure(meter, 101.0, 500, {0: 500}).bytes_done == 500
    # The stream is longer than the table.
    assert measure(meter, 102.0, 1500, {0: 1500}).bytes_done == 980


def test_between_reading_and_proof_it_still_counts(meter):
    measure(meter, 101.0, 900, {0: 900})
    assert measure(meter, 102.0, 900, {}).bytes_done == 900
    progress = measure(meter, 103.0, 900, {}, under_way=(), finished=(0,))
    assert (progress.bytes_done, progress.tables_done) == (SIZE, 1)


def test_what_was_given_up_does_not(meter):
    measure(meter, 101.0, 900, {0: 900})
    assert measure(meter, 102.0, 900, {}, under_way=(1,)).bytes_done == 0


def test_parts_add_up(meter):
    measure(meter, 101.0, 300, {0: 300})
    meter.part_read(0, 300)
    # The next part of the same table.
    assert measure(meter, 102.0, 400, {0: 100}).bytes_done == 400


def test_it_never_goes_back_while_a_table_is_read(meter):
    measure(meter, 101.0, 300, {0: 300})
    # The worker has begun with the next part before the first one was counted.
    assert measure(meter, 101.1, 310, {0: 10}).bytes_done == 300


def test_the_rate_is_that_of_the_last_seconds(meter):
    for second in range(20):
        progress = measure(meter, 100.0 + second, 100 * second)
    assert progress.rate == 100.0
    for second in range(20, 40):
        progress = measure(meter, 100.0 + second, 1900)
    assert progress.rate == 0.0


def test_two_looks_at_the_same_moment(meter):
    measure(meter, 101.0, 10)
    assert measure(meter, 101.0, 20).rate == 0.0


def test_time_left_by_the_pace_since_the_snapshot(meter):
    meter.snapshot_taken(110.0)
    # Less than a hundredth says nothing.
    assert measure(meter, 115.0, 10, {0: 10}).remaining is None
    progress = measure(meter, 120.0, 500, {0: 500})
    assert (progress.remaining, progress.snapshot_age) == (30.0, 10.0)


def test_the_longest_snapshot_counts(meter):
    meter.snapshot_taken(110.0)
    meter.snapshot_released(115.0)
    assert measure(meter, 116.0).snapshot_age is None
    meter.snapshot_taken(120.0)
    meter.snapshot_released(121.0)
    # Nobody holds one any more.
    meter.snapshot_released(200.0)
    assert meter.snapshot_seconds == 5.0


def test_another_round_goes_on_where_the_last_one_ended(meter):
    measure(meter, 101.0, 900, {1: 900}, finished=(0,))
    meter.count_indexes(2, 3)
    meter.begin_round([job("b", SIZE)], [SIZE])
    progress = measure(meter, 110.0, 0, under_way=(0,))
    assert (progress.tables_total, progress.tables_done) == (2, 1)
    assert (progress.bytes_total, progress.bytes_done) == (2 * SIZE, SIZE)
    meter.count_indexes(1, 1)
    assert (progress.indexes_done, progress.indexes_total) == (3, 3)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deciding whether tables are equal, from what the masters answered."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Table,
)


def table(name, size=0, columns=("id",)):
    return Table(
        name=TableName("public", name),
        oid=1,
        kind="r",
        persistence="p",
        columns=tuple(Column(column, "integer", True) for column in columns),
        bytes=size,
    )


def rows(**hashes):
    """k5=7: the row of key 5 has hash 7."""
    return {int(key[1:]): ((key[1:],), value) for key, value in hashes.items()}


def watch(*sides):
    started = plan.KeyWatch(["here", "there", "far"][: len(sides)], ["id"])
    started.start(sides)
    return started


def test_batches_hold_many_small_tables_and_large_ones_alone_and_first():
    small = [table(f"s{i:02}", 1000) for i in range(60)]
    big = table("big", plan.BATCH_BYTES * 2)
    found = plan.batches([*small, big])
    assert found[0] == [big]
    assert [len(batch) for batch in found] == [1, plan.BATCH_TABLES, 10]


def test_batches_keep_every_table():
    tables = [table(f"t{i}", i * 1_000_000) for i in range(40)]
    found = plan.batches(tables)
    assert sorted(t.name for batch in found for t in batch) == sorted(t.name for t in tables)
    assert all(
        len(batch) == 1 or sum(t.bytes for t in batch) <= plan.BATCH_BYTES for batch in found
    )


@pytest.mark.parametrize(
    ("count", "bits"), [(0, 10), (1_000_000, 10), (1_100_000, 11), (10**9, plan.MAX_BITS)]
)
def test_bits_follow_the_size_within_bounds(count, bits):
    assert plan.first_bits(count) == bits


def test_unequal_buckets_by_count_sum_and_presence():
    here = {1: (10, 100), 2: (10, 100), 3: (10, 100), 4: (1, 0)}
    there = {1: (10, 100), 2: (11, 100), 3: (10, 101)}
    assert plan.unequal([here, there]) == {2: 11, 3: 10, 4: 1}


def test_a_third_master_that_differs_is_seen():
    same = {1: (1, 5)}
    assert plan.unequal([same, same, {1: (1, 6)}]) == {1: 1}


def test_few_rows_are_read_at_once():
    step = plan.next_step({5: 100, 3: 200}, 10)
    assert step == plan.Step((3, 5), 10, 0, True)


def test_many_rows_in_few_buckets_are_split_first():
    step = plan.next_step(dict.fromkeys(range(100), 10000), 16)
    assert step.split_bits == 26
    assert len(step.buckets) << (step.split_bits - step.bits) <= plan.MAX_GROUPS
    assert step.complete


def test_what_cannot_be_read_at_once_is_read_in_part_within_memory():
    differing = dict.fromkeys(range(60000), 3)
    step = plan.next_step(differing, 16)
    assert not step.complete
    assert step.split_bits == 0
    assert sum(differing[bucket] for bucket in step.buckets) <= plan.MAX_ROWS
    assert step.buckets


def test_only_keys_that_differ_are_watched():
    started = watch(rows(k1=10, k2=20, k3=30), rows(k1=10, k2=21, k4=40))
    assert sorted(started.keys) == [2, 3, 4]


def test_a_key_that_becomes_equal_is_let_go():
    started = watch(rows(k1=10), rows(k1=11))
    started.look([rows(k1=12), rows(k1=12)], ())
    assert not started.keys


def test_a_key_that_vanishes_everywhere_is_let_go():
    started = watch(rows(k1=10), {})
    started.look([{}, {}], ())
    assert not started.keys


def test_an_unchanged_difference_is_sure_after_three_looks_and_not_before():
    here, there = rows(k1=10), rows(k1=11)
    started = watch(here, there)
    for _look in range(plan.RECHECKS - 1):
        started.look([here, there], ())
        assert (started.proven, started.undecided) == (0, 1)
    started.look([here, there], ())
    assert (started.proven, started.undecided) == (1, 0)


def test_a_queued_key_is_never_sure():
    here, there = rows(k1=10), rows(k1=11)
    started = watch(here, there)
    for _look in range(20):
        started.look([here, there], {1})
    assert (started.proven, started.undecided) == (0, 1)


def test_a_change_starts_the_count_again():
    started = watch(rows(k1=10), rows(k1=1))
    for value in range(10):
        started.look([rows(k1=100 + value), rows(k1=1)], ())
        started.look([rows(k1=100 + value), rows(k1=1)], ())
    assert started.proven == 0


def test_a_row_that_changes_all_the_time_is_equal_once_its_version_arrives():
    started = watch(rows(k1=10), rows(k1=1))
    started.look([rows(k1=11), rows(k1=1)], ())
    started.glance([rows(k1=12), rows(k1=1)])
    assert started.keys
    started.glance([rows(k1=13), rows(k1=12)])
    assert not started.keys


def test_two_of_three_masters_with_the_same_version_are_not_enough():
    started = watch(rows(k1=1), rows(k1=1), rows(k1=2))
    for _look in range(plan.RECHECKS):
        started.look([rows(k1=1), rows(k1=1), rows(k1=2)], ())
    (difference,) = started.differences(10)
    assert difference.versions == (("here", "there"), ("far",))
    assert difference.problem == "different"


def test_a_glance_never_makes_a_difference_sure():
    here, there = rows(k1=10), rows(k1=11)
    started = watch(here, there)
    for _look in range(20):
        started.glance([here, there])
    assert started.proven == 0


def test_differences_say_where_a_row_is_missing_sorted_by_number_and_capped():
    here = {n: ((str(n),), 5) for n in (10, 9, 100)}
    started = watch(here, {})
    for _look in range(plan.RECHECKS):
        started.look([here, {}], ())
    found = started.differences(2)
    assert [d.key for d in found] == [{"id": "9"}, {"id": "10"}]
    assert found[0].missing_on == ("there",)
    assert found[0].problem == "missing"
    assert started.proven == 3


def test_missing_on_one_and_different_on_two_others():
    sides = [rows(k1=1), rows(k1=2), {}]
    started = watch(*sides)
    for _look in range(plan.RECHECKS):
        started.look(sides, ())
    assert started.differences(1)[0].problem == "missing and different"


def test_structure_problems_name_table_column_and_master():
    full = table("t", columns=("id", "My Col"))
    assert plan.structure_problem({"here": full, "there": full}) == ""
    assert plan.structure_problem({"here": full, "there": None}) == "no such table on there"
    assert (
        plan.structure_problem({"here": full, "there": table("t")}) == 'no column "My Col" on there'
    )


def test_the_order_of_columns_is_no_problem():
    sides = {"here": table("t", columns=("a", "b")), "there": table("t", columns=("b", "a"))}
    assert plan.structure_problem(sides) == ""


def test_key_problem_in_words():
    example = plan.Difference({"id": "7"}, ("there",), (("here",),))
    assert (
        plan.key_problem(1, 0, True, [example])
        == "1 key differs, for example id=7 (missing on there)"
    )
    assert plan.key_problem(3, 2, False, []) == (
        "at least 3 keys differ and 2 keys still change or wait in a queue"
    )


def test_summary_names_unequal_tables_and_counts_the_rest():
    good = plan.TableResult("public.good", proof=plan.PROOF_SUMS)
    bad = [plan.TableResult(f"public.t{i}", problem="rows") for i in range(7)]
    assert plan.summary([good]) == "1 table, all equal"
    text = plan.summary([good, *bad])
    assert text.startswith("7 of 8 tables not equal: public.t0: rows; ")
    assert text.endswith("; and 2 more")


def test_keys_that_wait_in_a_queue_can_be_let_go():
    watch = plan.KeyWatch(["here", "there"], ("id",))
    watch.start([{1: (("1",), 10), 2: (("2",), 20)}, {1: (("1",), 11)}])
    for _look in range(plan.RECHECKS):
        watch.look([{1: (("1",), 10), 2: (("2",), 20)}, {1: (("1",), 11)}], ())
    watch.let_go({2, 3})
    assert set(watch.keys) == {1}
    assert watch.proven == 1

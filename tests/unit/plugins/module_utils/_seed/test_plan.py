# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Column,
    Index,
    Table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import plan

PLAIN = plan.TypeFacts()
MB = 1 << 20


def table(name="t", size=0, columns=None, indexes=(), kind="r", oid=1):
    columns = columns or (Column("id", "integer", True, type_oid=23),)
    return Table(
        TableName("public", name), oid, kind, "p", tuple(columns), tuple(indexes), bytes=size
    )


def index(name="i", method="btree", valid=True, plain=True, oid=7):
    return plan.IndexFacts(oid, TableName("public", name), method, valid, plain, "CREATE ...")


def job(name="t", size=0, **state):
    return plan.make_job(
        table(name, size), table(name), ("binary", ""), plan.PairState(**state), (), plan.CATALOG
    )


class TestFormat:
    def pick(self, here, there=None, versions=(150000, 150000), **column):
        column = Column("c", "x", False, type_oid=99, **column)
        other = dataclasses.replace(column, type_oid=55)
        return plan.pick_format(
            table(columns=[column]),
            table(columns=[other]),
            {99: here},
            {55: here if there is None else there},
            versions,
        )

    def test_binary_where_nothing_speaks_against_it(self):
        assert self.pick(PLAIN) == ("binary", "")

    @pytest.mark.parametrize("facts", [plan.TypeFacts(by_oid=True), plan.TypeFacts(no_binary=True)])
    def test_text_for_oids_and_missing_functions(self, facts):
        copy_format, reason = self.pick(facts)
        assert copy_format == "text"
        assert "column c" in reason

    def test_the_target_has_a_say(self):
        assert self.pick(PLAIN, plan.TypeFacts(no_binary=True))[0] == "text"

    def test_user_types_need_14_on_both_sides(self):
        facts = plan.TypeFacts(user_defined=True)
        assert self.pick(facts)[0] == "binary"
        assert self.pick(facts, versions=(150000, 130009))[0] == "text"
        assert self.pick(facts, versions=(130009, 150000))[0] == "text"

    def test_extension_versions_must_agree(self):
        here, there = (plan.TypeFacts(extensions=frozenset({f"hstore {v}"})) for v in "12")
        assert self.pick(here, here)[0] == "binary"
        assert self.pick(here, there)[0] == "text"

    def test_generated_columns_are_not_copied(self):
        assert self.pick(plan.TypeFacts(by_oid=True), generated="s")[0] == "binary"


class TestJob:
    def make(self, size, mode, *indexes):
        return plan.make_job(
            table(size=size), table(), ("binary", ""), plan.PairState(), indexes, mode
        )

    def test_big_tables_defer_all_but_gin(self):
        made = self.make(MB, plan.CATALOG, index("a"), index("g", "gin"), index("h", "hash"))
        assert [i.name.name for i in made.defer] == ["a", "h"]
        assert made.index_mode == "catalog"

    def test_small_tables_keep_their_indexes(self):
        made = self.make(MB - 1, plan.CATALOG, index())
        assert (made.defer, made.index_mode, made.small) == ((), "keep", True)

    def test_only_plain_indexes_are_recreated(self):
        made = self.make(MB, plan.RECREATE, index("pk", plain=False), index("b"))
        assert [i.name.name for i in made.recreate] == ["b"]

    @pytest.mark.parametrize("mode", [plan.KEEP, plan.RECREATE, plan.CATALOG])
    def test_what_a_killed_run_left_invalid_is_rebuilt_in_every_mode(self, mode):
        made = self.make(0, mode, index("left", valid=False), index("b"))
        assert [i.name.name for i in made.rebuild] == ["left"]
        assert not made.defer

    def test_what_is_half_copied_gets_its_indexes_back_only_after_the_load(self):
        left, kept = index("left", valid=False), index("kept", "gin")
        made = plan.make_job(
            table(size=MB),
            table(),
            ("binary", ""),
            plan.PairState(half=True),
            (left, kept),
            plan.CATALOG,
        )
        assert (made.defer, made.rebuild) == ((left,), ())

    def test_generated_columns_are_left_out(self):
        columns = [Column("a", "text", True), Column("g", "text", False, generated="s")]
        made = plan.make_job(
            table(columns=columns), table(), ("text", ""), plan.PairState(), (), plan.KEEP
        )
        assert made.columns == ("a",)

    def test_a_table_with_dead_rows_is_loaded_alone(self):
        assert job(target_bytes=8192).small
        assert not job(target_bytes=MB).small


class TestSplit:
    PAGES = 400_000

    def split(self, *jobs, workers=4, above=0, version=150000, pages=PAGES):
        made = plan.split(jobs, {1: pages}, workers, above, version)
        assert [(j.name, j.source) for j in made] == [(j.name, j.source) for j in jobs]
        return [len(j.parts) for j in made]

    def test_a_table_that_dominates(self):
        assert self.split(job("a", 3000 * MB), job("b", 900 * MB)) == [11, 0]

    def test_at_most_four_parts_per_worker(self):
        assert self.split(job("a", 90_000 * MB), workers=3) == [12]

    @pytest.mark.parametrize(
        ("size", "rest", "expected"),
        [(512, 0, 2), (511, 0, 0), (1000, 2900, 3), (1000, 3001, 0)],
        ids=["large enough", "too small", "more than a share", "less than a share"],
    )
    def test_what_is_worth_it(self, size, rest, expected):
        others = [job(f"t{i}", rest * MB // 20) for i in range(20)]
        assert self.split(job("a", size * MB), *others)[0] == expected

    @pytest.mark.parametrize("options", [{"workers": 2}, {"version": 130020}, {"above": -1}])
    def test_not_by_default(self, options):
        assert self.split(job("a", 9000 * MB), **options) == [0]

    @pytest.mark.parametrize(
        ("size", "above", "expected"),
        [(40, MB, 12), (40, 40 * MB - 1, 2), (40, 40 * MB, 0), (4000, 3000 * MB, 12)],
    )
    def test_a_threshold_of_the_user(self, size, above, expected):
        assert self.split(job("a", size * MB), workers=3, above=above) == [expected]

    def test_a_threshold_needs_two_workers_and_ranges(self):
        assert self.split(job("a", 9 * MB), workers=2, above=1) == [8]
        assert self.split(job("a", 9 * MB), workers=1, above=1) == [0]
        assert self.split(job("a", 9 * MB), version=130020, above=1) == [0]
        assert self.split(job("a", 9 * MB), pages=1, above=1) == [0]

    def test_not_with_locks_that_keep_others_out(self):
        watched = job("a", 900 * MB, always_triggers=(("t", "A"),))
        recreated = dataclasses.replace(job("a", 900 * MB), recreate=(index(),))
        assert self.split(watched, recreated, above=MB) == [0, 0]

    def test_a_small_table_in_parts_is_in_no_batch(self):
        (made,) = plan.split([job("a", 9000)], {1: 2}, 2, 1, 150000)
        assert made.parts == ((0, 1), (1, None))
        assert not made.small

    @pytest.mark.parametrize(("pages", "count"), [(2, 2), (7, 3), (10, 4), (1000, 7), (3, 12)])
    def test_ranges_cover_everything_once(self, pages, count):
        parts = plan.ranges(pages, count)
        assert 2 <= len(parts) <= count
        assert parts[0][0] == 0
        assert [end for _first, end in parts] == [*(first for first, _end in parts[1:]), None]
        assert all(first < end for first, end in parts[:-1])
        assert parts[-1][0] < pages


class TestBatches:
    def names(self, batches):
        return [[j.name.name for j in batch] for batch in batches]

    def test_largest_first_then_small_ones_together(self):
        small = [job(f"s{number}", 100 - number) for number in range(10)]
        jobs = [*reversed(small), job("b1", 2 * MB), job("b2", 9 * MB)]
        pairs = [[f"s{number}", f"s{number + 1}"] for number in range(0, 10, 2)]
        assert self.names(plan.batches(jobs, 2)) == [["b2"], ["b1"], *pairs]

    def test_limits_of_a_batch(self):
        jobs = [job(f"t{i:04}", 100) for i in range(2000)]
        sizes = [len(batch) for batch in plan.batches(jobs, 2)]
        assert sizes == [plan.BATCH_TABLES] * 10
        # Enough of them that no worker waits long for the last.
        assert len(plan.batches(jobs[:80], 2)) == 8
        jobs = [job(f"t{i:04}", MB - 1) for i in range(80)]
        assert [len(batch) for batch in plan.batches(jobs, 1)] == [16] * 5

    def test_every_table_once(self):
        jobs = [job(f"t{i:04}", i * 9000) for i in range(333)]
        batches = plan.batches(jobs, 3)
        assert sorted(j.name for b in batches for j in b) == sorted(j.name for j in jobs)
        assert plan.batches([], 4) == []


class TestIndexes:
    def both(self, here, there):
        return plan.difference_of_indexes(table(indexes=here), table(indexes=there))

    def make(self, name="i", **values):
        return Index(
            **{
                "name": name,
                "columns": ("id",),
                "unique": False,
                "primary": False,
                "valid": True,
                "partial": False,
                **values,
            }
        )

    def test_equal(self):
        assert self.both([self.make()], [self.make()]) == ""

    @pytest.mark.parametrize(
        ("there", "text"),
        [
            ([], "missing"),
            ([{"valid": False}], "not valid"),
            ([{"unique": True}], "another definition"),
        ],
    )
    def test_different(self, there, text):
        assert text in self.both([self.make()], [self.make(**values) for values in there])

    def test_what_is_invalid_on_the_source_too_is_not_asked_for(self):
        assert self.both([self.make(valid=False)], []) == ""

    def test_an_invalid_index_of_the_target_alone(self):
        assert "not valid" in self.both([], [self.make(valid=False)])


def test_views_come_after_those_they_read():
    a, b, c = (TableName("public", name) for name in "abc")
    assert plan.order_by_dependency([a, b, c], {a: {c}, c: {b}}) == [b, c, a]
    assert plan.order_by_dependency([a, b], {a: {b}, b: {a}}) == [a, b]


@pytest.mark.parametrize(("cores", "workers"), [(1, 2), (2, 2), (3, 3), (64, 4)])
def test_default_workers(cores, workers):
    assert plan.default_workers(cores) == workers


@pytest.mark.parametrize(
    ("superuser", "in_use", "mode"),
    [
        (True, False, plan.CATALOG),
        (False, False, plan.RECREATE),
        (True, True, plan.KEEP),
        (False, True, plan.KEEP),
    ],
)
def test_indexes_of_a_master_in_use_stay(superuser, in_use, mode):
    assert plan.auto_mode(superuser, in_use) == mode

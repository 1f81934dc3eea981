# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not checked while rows come in; that servers understand it, the corpus shows."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import doubts, states
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import (
    constraints,
    plan,
    statements,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.schedule import Schedule
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    MB,
    index,
    job,
    name,
    success,
    table,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    text_of,
)


def row(oid, **changes):
    known = {"domain": 0, "column": 0, "not_null": False, "not_valid": False, "doubtful": False}
    return {"table_oid": 2, "oid": oid, **known, **changes}


def found(*rows, version=170000):
    return constraints.of_rows(rows, version).get(2, constraints.NONE)


class TestWhatIsRead:
    def test_all_checks_of_a_table_and_whether_one_is_doubtful(self):
        assert found(row(5), row(6)) == constraints.Constraints(checks=(5, 6))
        assert found(row(5, doubtful=True), row(6)).doubtful

    def test_of_domains_only_those_in_doubt(self):
        assert found(row(5, domain=77)) == constraints.NONE
        assert found(row(5, domain=77, doubtful=True)).domains == ((5, 77),)

    def test_not_null_only_where_it_is_not_valid(self):
        assert found(row(5, not_null=True, column=3), version=180000).not_null == ()
        said = found(row(5, not_null=True, not_valid=True, column=3), version=180000)
        assert (said.not_null, said.doubtful, said.marked) == ((3,), True, True)


@pytest.mark.parametrize("version", [130000, 170000, 180000])
def test_what_is_switched_off_is_switched_on_again(version):
    every = found(
        row(5),
        row(6, domain=77, doubtful=True),
        row(7, not_null=True, not_valid=True, column=3),
        version=version,
    )
    off = [text_of(line) for line in constraints.let_pass(2, every)]
    on = [text_of(line) for line in constraints.check_again(2, every)]
    assert [line.split(" SET ")[0] for line in off] == [line.split(" SET ")[0] for line in on]
    assert ("relchecks = 0" in "".join(off)) == (version < 180000)
    assert ("relchecks = 1" in "".join(on)) == (version < 180000)
    assert ("conenforced = false" in "".join(off)) == (version >= 180000)


def test_nothing_is_done_to_a_table_without_any():
    assert statements.when_locked(job()) == []


def test_a_table_in_parts_keeps_its_checks_and_one_in_doubt_is_not_split():
    plain = job(size=999 * MB, state={"constraints": constraints.Constraints(checks=(5,))})
    doubtful = job(
        size=999 * MB, state={"constraints": constraints.Constraints(checks=(5,), doubtful=True)}
    )
    in_parts, whole = plan.split([plain, doubtful], {1: 9999}, 4, 1, 170000)
    assert in_parts.parts
    assert statements.when_locked(in_parts) == []
    assert not whole.parts
    assert len(statements.when_locked(whole)) == 1


def test_an_index_over_functions_of_users_waits_even_for_a_small_table():
    late, other = index("late", 8, late=True, method="gin"), index("other", 9)
    state, form = plan.PairState(), ("binary", "")
    made = plan.make_job(table(), table(), form, state, (late, other), plan.CATALOG)
    assert made.defer == (late,)
    in_use = plan.make_job(table(), table(), form, state, (late, other), plan.KEEP)
    assert in_use.defer == ()


class TestCopyOnce:
    def entry(self, text, target):
        return states.Entry(
            *(name(text), 2, states.SEEDED, 0, 0, None, "binary", "keep", "", "s", 0.0),
            target=target,
            how=states.ONCE,
        )

    def test_only_what_does_not_take_part_and_was_not_copied(self):
        tables = [table(text) for text in ("a", "b", "c", "d")]
        # What a dump brought along is nobody's copy.
        before = {name("c"): self.entry("c", "here"), name("d"): self.entry("d", "elsewhere")}
        chosen = plan.to_copy_once(tables, tables[:1], ["public.*"], before, "here")
        assert [str(one.name) for one in chosen] == ["public.b", "public.d"]

    def test_a_pattern_that_matches_nothing_is_named(self):
        with pytest.raises(Refused, match=r"copy_once: 'public\.x' matches no table"):
            plan.to_copy_once([table("a")], [], ["public.x"], {}, "here")

    def test_tables_without_a_key_need_no_list_and_may_be_none(self):
        chosen = plan.to_copy_once([table("a")], [], ["@without-key"], {}, "here")
        assert [str(one.name) for one in chosen] == ["public.a"]
        assert plan.to_copy_once([], [], ["@without-key"], {}, "here") == []

    def test_such_a_table_is_neither_split_nor_batched(self):
        once = job(size=999 * MB, once=True)
        assert plan.split([once], {1: 9999}, 4, 1, 170000) == [once]
        assert not job(once=True).small

    def test_nobody_vouches_for_it(self):
        today = doubts.Today("s", {name("a"): 1}, "here", None)
        assert "copied once" in doubts.doubt(self.entry("a", "here"), today)


def test_late_indexes_are_built_when_all_tables_are_there():
    jobs = [job("a", 9 * MB, defer=(index("late", 8, late=True),)), job("b", 8 * MB), job("c")]
    round_ = Schedule(jobs, (), 1, False, True)
    done = []
    while not round_.over:
        task = round_.next(0)
        done.append(type(task).__name__)
        round_.took(0, success(jobs, task))
    assert done == ["CopyTables"] * 3 + ["BuildIndex", "FinishTable"]

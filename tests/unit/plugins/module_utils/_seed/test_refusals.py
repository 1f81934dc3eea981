# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import refuse
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Column
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import refusals
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.plan import PairState
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import table


class TestCheck:
    def check(self, sources, targets, states=None, **options):
        states = states or {}
        refusals.check(
            sources,
            {found.name: found for found in targets},
            states,
            "there",
            "here",
            options.get("require_triggers", True),
            options.get("replace", ()),
            options.get("lacks", refuse),
        )

    def test_good(self):
        self.check([table("a")], [table("a")])

    def test_everything_is_named_at_once(self):
        tables = [
            table("missing"),
            table("full"),
            table("bare"),
            table("wide"),
            table("p", kind="p"),
        ]
        wide = table("wide", columns=[Column("id", "bigint", True)])
        states = {
            TableName("public", "full"): PairState(has_rows=True),
            TableName("public", "bare"): PairState(queues=False),
        }
        with pytest.raises(Refused) as caught:
            self.check(tables, [table("full"), table("bare"), wide], states)
        message = caught.value.one_line
        for part in (
            "public.missing: missing on there",
            "public.full: replicated, and holds rows on there, but was never seeded",
            "data_seed_replace",
            "public.bare: without an enabled trigger bucardo_delta on here",
            "public.wide: column id is integer here and bigint there",
            "public.p: not a plain table",
        ):
            assert part in message
        assert "\n" not in message
        # On a master that is enrolled, whoever does that empties the table on the origin as well.
        assert "empty" not in message.lower()

    def test_rows_of_a_table_that_is_not_replicated_yet_may_also_stay(self):
        states = {
            TableName("public", "a"): PairState(
                has_rows=True, target_queues=False, doubt="was seeded before this membership began"
            )
        }
        with pytest.raises(Refused) as caught:
            self.check([table("a")], [table("a")], states, require_triggers=False)
        assert "holds rows on there, but was seeded before" in caught.value.one_line
        assert "leave it out with exclude" in caught.value.one_line

    def test_rows_that_may_go_are_in_nobody_s_way(self):
        states = {TableName("public", "a"): PairState(has_rows=True)}
        self.check([table("a")], [table("a")], states, replace={TableName("public", "a")})

    def test_rows_of_a_copy_in_parts_are_no_rows_of_others(self):
        states = {TableName("public", "a"): PairState(has_rows=True, half=True)}
        self.check([table("a")], [table("a")], states)

    def test_triggers_are_needed_on_both_sides_unless_waived(self):
        states = {TableName("public", "a"): PairState(target_queues=False)}
        with pytest.raises(Refused, match="bucardo_delta on there"):
            self.check([table("a")], [table("a")], states)
        self.check([table("a")], [table("a")], states, require_triggers=False)

    def test_long_lists_are_cut(self):
        with pytest.raises(Refused, match="and 15 more"):
            self.check([table(f"t{i}") for i in range(20)], [])

    def test_what_would_be_lost_with_them_is_said(self):
        states = {TableName("public", "full"): PairState(has_rows=True, waits=True)}
        with pytest.raises(Refused, match="with changes that no other master has yet, but was"):
            self.check([table("full")], [table("full")], states)

    def test_what_earlier_steps_make_is_passed_over_and_the_rest_is_not(self):
        states = {
            TableName("public", "bare"): PairState(queues=False),
            TableName("public", "full"): PairState(has_rows=True, queues=False),
        }
        passed_over = []
        tables = [table("missing"), table("bare")]
        self.check(tables, [table("bare")], states, lacks=passed_over.append)
        [error] = passed_over
        assert "public.missing: missing on there; public.bare: without an" in error.message
        with pytest.raises(Refused) as caught:
            self.check(
                [*tables, table("full")],
                [table("bare"), table("full")],
                states,
                lacks=passed_over.append,
            )
        assert set(caught.value.details["problems"]) == {
            "replicated, and holds rows on there, but was never seeded"
        }
        # A run names all of it at once.
        assert "public.full" in passed_over[-1].message
        with pytest.raises(Refused, match=r"public\.missing: .*public\.full: "):
            self.check([*tables, table("full")], [table("bare"), table("full")], states)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is restored where, and what stands in the way."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._clone import plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.facts import (
    CloneOptions,
    SchemaDump,
    Surroundings,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.schema import Block
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.dump import TocEntry

EXTENSION = Block("EXTENSION", "-", "citext", "CREATE EXTENSION citext;")
TABLE = Block("TABLE", "public", "t", "CREATE TABLE public.t (a integer);", "app")
OTHER = Block("TABLE", "public", "t", "CREATE TABLE public.t (b integer);", "app")
INDEX = Block("INDEX", "public", "t_a_idx", "CREATE INDEX t_a_idx ON public.t (a);", "app")
TRIGGER = Block("TRIGGER", "public", "t x", "CREATE TRIGGER x;", "app")


def dumped(before, after=()):
    blocks = [*before, *after]
    entries = tuple(TocEntry(number, 0, 0, block.label) for number, block in enumerate(blocks))
    return SchemaDump("archive", "pg_dump", entries, list(before), list(after))


def labels(decision):
    return [entry.label for entry in decision.todo]


def test_a_database_that_is_not_there_gets_everything():
    found = plan.decide(dumped([TABLE], [INDEX]), None, "whole")
    assert (found.state, labels(found)) == (plan.CLONED, [TABLE.label, INDEX.label])


def test_an_empty_database_keeps_what_it_may_have():
    found = plan.decide(dumped([EXTENSION, TABLE]), dumped([EXTENSION]), "whole")
    # Extensions are created with IF NOT EXISTS.
    assert (found.state, labels(found)) == (plan.CLONED, [EXTENSION.label, TABLE.label])


def test_an_equal_schema_is_left_alone():
    found = plan.decide(dumped([TABLE], [INDEX]), dumped([TABLE], [INDEX]), "whole")
    assert (found.state, found.todo, found.sure) == (plan.IDENTICAL, (), True)


@pytest.mark.parametrize("sections", ["whole", "pre_data"])
def test_another_text_may_mean_the_same(sections):
    found = plan.decide(dumped([TABLE]), dumped([OTHER]), sections)
    assert (found.state, found.todo, found.sure) == (plan.DIFFERENT, (), False)
    assert found.found.changed == ((TABLE, OTHER),)


def test_post_data_adds_only_what_is_missing():
    source, target = dumped([TABLE], [INDEX, TRIGGER]), dumped([TABLE], [INDEX])
    found = plan.decide(source, target, "post_data")
    assert (found.state, labels(found)) == (plan.CLONED, [TRIGGER.label])


def test_post_data_never_goes_upon_another_table():
    found = plan.decide(dumped([TABLE], [INDEX]), dumped([OTHER]), "post_data")
    assert (found.state, found.todo, found.sure) == (plan.DIFFERENT, (), True)


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"roles": frozenset({"b", "a"})}, "speaks of roles that there does not have: a, b"),
        ({"extensions": frozenset({"postgis"})}, "not available on there: postgis"),
        ({"tablespaces": frozenset({"fast"})}, "Tablespaces that there does not have: fast"),
    ],
)
def test_what_the_target_lacks_is_named_before_anything_is_changed(lacking, words):
    with pytest.raises(Refused) as caught:
        plan.refuse_lacking(Surroundings(**lacking), Surroundings(), "shop", "there")
    assert words in caught.value.message
    plan.refuse_lacking(Surroundings(**lacking), Surroundings(**lacking), "shop", "there")


def test_roles_that_differ_are_a_warning_or_the_end():
    lines = ["Role app exists on there with another password"]
    assert plan.refuse_conflicts(lines, CloneOptions()) == [
        "Role app exists on there with another password; left as it is (role_conflict=keep)"
    ]
    with pytest.raises(Refused) as caught:
        plan.refuse_conflicts(lines, CloneOptions(role_conflict="fail"))
    assert caught.value.details == {"role_conflicts": lines}

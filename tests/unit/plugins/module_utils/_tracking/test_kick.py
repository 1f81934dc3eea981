# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a write wakes its sync."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import kick, plan


def state(**values):
    names = {*plan.GLOBAL_FUNCTIONS, kick.name("a sync")}
    relations = dict.fromkeys(plan.GLOBAL_TABLES, "r")
    relations.update((name, "i") for name in plan.GLOBAL_INDEXES)
    return plan.MasterState(
        "here",
        (),
        relations,
        frozenset(names),
        frozenset({"multimaster_truncate_delete"}),
        **values,
    )


def functions(found, wanted, autokick=True):
    return [one.name for one in plan.needs(found, "a sync", autokick, kick=wanted).functions]


def test_bucardos_own_function_is_left_to_bucardo():
    assert functions(state(), kick.NOTIFY) == []
    assert functions(state(kick=kick.NOTIFY), kick.NOTIFY) == []


@pytest.mark.parametrize("found", ["", kick.NOTIFY, kick.POLL])
def test_ours_is_made_where_it_is_not_as_it_must_be(found):
    assert functions(state(kick=found), kick.POLL) == [kick.name("a sync")]
    assert functions(state(kick=found), kick.POLL, autokick=False) == []


def test_with_its_sequence_nothing_is_missing():
    there = state(kick=kick.POLL)
    there = dataclasses.replace(there, current=there.current | {kick.name("a sync")})
    assert functions(there, kick.POLL) == [kick.name("a sync")]
    relations = {**there.relations, kick.name("a sync"): "S"}
    assert functions(dataclasses.replace(there, relations=relations), kick.POLL) == []


def test_back_to_bucardos_way():
    assert functions(state(kick=kick.POLL), kick.NOTIFY) == [kick.name("a sync")]


def test_a_name_is_a_literal():
    body = kick.function('it\'s "so"', kick.POLL).body
    assert body.count("'") == 4
    assert 'kick_it\'\'s ""so""' in body
    assert "'kick_sync_it''s'" in kick.function("it's", kick.NOTIFY).body


@pytest.mark.parametrize("wanted", kick.KICKS)
def test_which_one_it_is_is_told_by_its_text(wanted):
    assert kick.kick_of(kick.function("s", wanted).body) == wanted


def test_what_most_masters_have_is_in_use():
    assert kick.in_use([]) == kick.in_use(["", ""]) == ""
    assert kick.in_use([kick.NOTIFY, "", kick.NOTIFY, kick.POLL]) == kick.NOTIFY
    assert kick.in_use([kick.NOTIFY, kick.POLL]) == kick.POLL

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which triggers go, which stay, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import teardown

ALL = ("bucardo_delta", "bucardo_kick_one", "bucardo_note_trunc_one")


def tracked(name, *triggers):
    return teardown.Tracked(TableName("public", name), 1, f"public.{name}", triggers)


def traces(*tables, **registered):
    return teardown.Traces(
        "here",
        tuple(tables),
        ("bucardo",),
        {sync: frozenset(names) for sync, names in registered.items()},
    )


@pytest.mark.parametrize(
    ("trigger", "sync"),
    [
        ("bucardo_delta", ""),
        ("bucardo_kick_one", "one"),
        ("bucardo_note_trunc_one", "one"),
        ("btrunc_one", "one"),
        ("bkick_one", "one"),
    ],
)
def test_sync_of(trigger, sync):
    assert teardown.sync_of(trigger) == sync


def test_the_last_sync_takes_all_triggers_along():
    table = tracked("a", *ALL)
    assert teardown.to_drop(traces(table, one=["public.a"]), "one") == {table: ALL}


def test_the_shared_trigger_stays_for_another_sync():
    table = tracked("a", *ALL, "bucardo_note_trunc_two")
    dropped = teardown.to_drop(traces(table), "one")
    assert dropped == {table: ("bucardo_kick_one", "bucardo_note_trunc_one")}


def test_registration_alone_keeps_the_shared_trigger():
    table = tracked("a", *ALL)
    dropped = teardown.to_drop(traces(table, two=["public.a"]), "one")
    assert dropped == {table: ("bucardo_kick_one", "bucardo_note_trunc_one")}


def test_tables_of_other_syncs_are_left_alone():
    table = tracked("a", "bucardo_delta", "bucardo_note_trunc_two")
    assert teardown.to_drop(traces(table, two=["public.a"]), "one") == {}


def test_kept_tables_are_left_alone():
    one, two = tracked("a", *ALL), tracked("b", *ALL)
    dropped = teardown.to_drop(traces(one, two), "one", keep={one.name})
    assert dropped == {two: ALL}


def test_only_the_triggers_that_wake():
    table = tracked("a", *ALL)
    dropped = teardown.to_drop(traces(table), "one", kick_only=True)
    assert dropped == {table: ("bucardo_kick_one",)}


def test_syncs_are_found_by_registration_and_by_trigger():
    found = traces(tracked("a", "bucardo_kick_one"), two=["public.b"], three=[])
    assert found.syncs == ["one", "two"]


def test_another_sync_is_refused_by_name():
    with pytest.raises(Refused, match="two"):
        teardown.check(traces(two=["public.b"]), ["one"])
    teardown.check(traces(one=["public.b"]), ["one"])


def test_a_control_database_is_refused():
    control = teardown.Traces("here", schemas=("bucardo",), is_control=True)
    with pytest.raises(Refused, match="control database"):
        teardown.check(control, ["one"])


def test_others_may_stay():
    teardown.check(traces(two=["public.b"]), ["one"], keep_others=True)


def test_a_table_that_lost_its_triggers_to_a_killed_run_still_leaves():
    found = traces(tracked("a", *ALL), one=["public.a", "public.b"])
    names = {TableName("public", name) for name in "ab"}
    assert teardown.leaving(found, "one") == names
    assert teardown.leaving(found, "one", keep=names) == set()

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which triggers go, which stay, and what is refused."""

from __future__ import annotations

import dataclasses
import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import (
    SyncKey,
    TableName,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import locks
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import statements, teardown
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending

from ..fake_session import FakeSession, text_of

A = TableName("public", "a")
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


class TestLook:
    def answers(self, **more):
        return {
            "SELECT nspname::text": [{"n": "bucardo"}],
            "to_regclass('bucardo.bucardo_delta_names')": [{"is": True}],
            "SELECT sync, tablename": [
                {"sync": "one", "tablename": "public.a"},
                {"sync": "one", "tablename": "public.b"},
                {"sync": "two", "tablename": "public.a"},
            ],
            "array_agg(g.tgname": [
                {
                    "schema": "public",
                    "name": "a",
                    "oid": 1,
                    "quoted": "public.a",
                    "triggers": list(ALL),
                }
            ],
            "to_regclass('bucardo.bucardo_config')": [{"is": False}],
            **more,
        }

    def test_what_is_there(self):
        found = teardown.look("here", FakeSession(self.answers()))
        assert found == dataclasses.replace(
            traces(tracked("a", *ALL), one=["public.a", "public.b"], two=["public.a"]),
            is_control=False,
        )
        assert found

    def test_a_master_without_anything(self):
        nothing = {
            "SELECT nspname::text": [],
            "to_regclass('bucardo.bucardo_delta_names')": [{"is": False}],
            "array_agg(g.tgname": [],
        }
        found = teardown.look("here", FakeSession(self.answers(**nothing)))
        assert not found
        assert found.syncs == []


EXISTING = "FROM pg_catalog.unnest(%s::text[]) n WHERE"
ONE = SyncKey("one", "group")


def session(name="here", **answers):
    return FakeSession({"multimaster.seed') IS NOT NULL": [{"is": False}], **answers}, name)


def deleted(here):
    return [
        (ran.text.split(" WHERE")[0].removeprefix("DELETE FROM "), ran.params)
        for ran in here.ran
        if ran.text.startswith("DELETE")
    ]


class TestLeaveSync:
    def test_the_last_sync_of_a_table_takes_its_queue_along(self):
        here = session()
        teardown.leave_sync(here, traces(tracked("a", *ALL), one=["public.a"]), ONE)
        assert deleted(here) == [
            ("bucardo.bucardo_delta_targets", ("dbgroup group", ["public.a"])),
            ("bucardo.bucardo_truncate_trigger", ("one", ["public.a"])),
            ("bucardo.bucardo_delta_targets", (["public.a"],)),
            # Last: by these rows a run that was killed finds what is still to be dropped.
            ("bucardo.bucardo_delta_names", ("one", ["public.a"])),
        ]
        [dropped] = [text for text in here.texts if text.startswith("DROP TABLE")]
        assert dropped == "; ".join(map(text_of, statements.dropped_objects(A)))
        assert here.texts.index(dropped) == len(here.texts) - 3
        assert here.texts[-1] == (
            'DROP FUNCTION IF EXISTS "bucardo"."bucardo_kick_one"();'
            ' DROP SEQUENCE IF EXISTS "bucardo"."bucardo_kick_one"'
        )

    def test_a_table_of_another_sync_keeps_its_queue(self):
        here = session()
        table = tracked("a", *ALL, "bucardo_note_trunc_two")
        teardown.leave_sync(here, traces(table, one=["public.a"], two=["public.a"]), ONE)
        assert deleted(here)[2] == ("bucardo.bucardo_delta_targets", ([],))
        assert not any(text.startswith("DROP TABLE") for text in here.texts)

    def test_a_table_whose_triggers_are_gone_already_goes_too(self):
        here = session()
        teardown.leave_sync(here, traces(one=["public.a"]), ONE)
        assert deleted(here)[-1] == ("bucardo.bucardo_delta_names", ("one", ["public.a"]))
        assert any(text.startswith("DROP TABLE") for text in here.texts)

    def test_what_stays_keeps_what_wakes_the_sync(self):
        here = session()
        found = traces(tracked("a", *ALL), tracked("b", *ALL), one=["public.a", "public.b"])
        teardown.leave_sync(here, found, ONE, keep={A})
        assert deleted(here)[-1] == ("bucardo.bucardo_delta_names", ("one", ["public.b"]))
        assert not any("bucardo_kick_one" in text for text in here.texts)

    def test_without_bucardo_s_schema_there_is_nothing_to_leave(self):
        here = session()
        teardown.leave_sync(here, teardown.Traces("here"), ONE)
        assert here.ran == []


def test_many_tables_are_dropped_in_few_messages(monkeypatch):
    monkeypatch.setattr(teardown, "_CHUNK", 2)
    here = session()
    teardown.drop_objects(here, [TableName("public", name) for name in "abc"])
    assert [text.count("DROP TABLE") for text in here.texts] == [6, 3]


def test_no_ledger_vouches_any_more_before_a_trigger_goes():
    told = []

    class Ledger:
        @staticmethod
        def forget_names(one, names):
            told.append((one.conninfo.name, names))

    both = [session("here"), session("there")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teardown, "ledger", Ledger)
        teardown.stop_vouching(both, {A})
    assert told == [("here", {A}), ("there", {A})]


class TestWaiting:
    def waiting(self, targets, pending):
        """What waits, when the queue of each dbgroup holds so much."""
        asked = []

        class Queue:
            def __init__(self, master, one, key, only):
                asked.append((master, key, only))
                self.key = key

            def pending(self):
                return pending.get(self.key.dbgroup, [])

        here = session(
            **{
                EXISTING: [{"n": "public.a"}],
                "SELECT DISTINCT target": [{"target": one} for one in targets],
            }
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(teardown, "Queue", Queue)
            return teardown.waiting(here, traces(one=["public.a", "public.gone"]), ["one"]), asked

    def test_each_group_is_asked_and_the_most_of_a_table_counts(self):
        b = TableName("public", "b")
        pending = {"g": [Pending(A, 5, 1.0)], "h": [Pending(A, 7, 1.0), Pending(b, 6, 1.0)]}
        found, asked = self.waiting(["dbgroup g", "dbgroup h"], pending)
        assert found == [Pending(A, 7, 1.0), Pending(b, 6, 1.0)]
        # Of a table that is gone nobody has any use for what is queued.
        assert asked == [("here", SyncKey("one", group), {A}) for group in ("g", "h")]

    def test_where_no_group_is_registered_all_of_the_queue_waits(self):
        _found, asked = self.waiting([], {})
        assert asked == [("here", SyncKey("one", ""), {A})]


def test_a_seed_that_is_at_work_is_waited_for():
    idle = session()
    teardown.check_seed("here", idle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            teardown.ledger, "last_run", lambda _session: types.SimpleNamespace(active=True)
        )
        with pytest.raises(Refused, match="A seed of here is under way"):
            teardown.check_seed("here", idle)
        patch.setattr(
            teardown.ledger, "last_run", lambda _session: types.SimpleNamespace(active=False)
        )
        teardown.check_seed("here", idle)


@pytest.fixture(name="locked")
def _locked(monkeypatch):
    """Notes which tables are locked for what, instead of waiting for locks."""
    ran = []

    def run_locked(one, jobs, mode, policy):
        ran.extend((mode, str(job.table), [text_of(x) for x in job.statements]) for job in jobs)
        return locks.LockReport(longest_hold=len(ran), longest_wait=len(ran))

    monkeypatch.setattr(teardown.locks, "run_locked", run_locked)
    return ran


class TestRemove:
    def test_syncs_that_go_where_others_stay(self, locked, monkeypatch):
        first = traces(tracked("a", *ALL, "bucardo_kick_two"), one=["public.a"], two=["public.a"])
        monkeypatch.setattr(teardown, "look", lambda name, one: traces(two=["public.a"]))
        here = session()
        report = teardown.remove_syncs(here, first, ["one", "three"], locks.LockPolicy())
        assert (report.longest_hold, report.longest_wait) == (1, 1)
        assert locked == [
            (
                locks.ACCESS_EXCLUSIVE,
                "public.a",
                [
                    'DROP TRIGGER IF EXISTS "bucardo_kick_one" ON "public"."a"',
                    'DROP TRIGGER IF EXISTS "bucardo_note_trunc_one" ON "public"."a"',
                ],
            )
        ]
        assert deleted(here)[-1] == ("bucardo.bucardo_delta_names", ("one", ["public.a"]))

    def test_everything_goes_and_nothing_of_the_user_s_by_cascade(self, locked):
        here = session(
            **{
                "relkind = 'r'": [{"n": "bucardo.delta_a"}, {"n": 'bucardo."track_B"'}],
                "oid::regprocedure::text": [{"n": "bucardo.delta_a()"}],
                "relkind = 'S'": [{"n": "bucardo.bucardo_kick_one"}],
            }
        )
        found = dataclasses.replace(traces(tracked("a", *ALL)), schemas=("bucardo", "multimaster"))
        teardown.remove(here, found, locks.LockPolicy())
        assert [(table, len(ran)) for _mode, table, ran in locked] == [("public.a", 3)]
        assert [text for text in here.texts if text.startswith("DROP")] == [
            'DROP TABLE bucardo.delta_a, bucardo."track_B"',
            "DROP FUNCTION bucardo.delta_a()",
            "DROP SEQUENCE bucardo.bucardo_kick_one",
            "DROP SCHEMA bucardo",
            'DROP SCHEMA IF EXISTS "multimaster" CASCADE',
        ]

    def test_of_a_master_that_has_nothing_nothing_goes(self, locked):
        here = session()
        teardown.remove(here, teardown.Traces("here"), locks.LockPolicy())
        assert (here.ran, locked) == ([], [])

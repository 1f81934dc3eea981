# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets that must not be written to, and how tables are made ready for rows."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import refuse
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    MultimasterError,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import target as seed_target
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    index,
    job,
    name,
    table,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.sides import (
    target,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


class TestRefused:
    def session(self, origin=False, enrolled=True, shared=(), replicating=False):
        membership = {"dbgroup": "g", "epoch": "e", "is_origin": origin}
        return FakeSession(
            {
                "to_regclass('multimaster.membership')": [{"there": True}],
                "FROM multimaster.membership": [membership],
                "to_regclass('bucardo.bucardo_delta_names')": [{"there": enrolled}],
                "FROM bucardo.bucardo_delta_names": list(shared),
                "bucardo KID": [{"is": replicating}],
            }
        )

    def check(self, alone=False, **facts):
        seed_target.check(self.session(**facts), "there", [table("t")], alone)

    def test_nothing_speaks_against_it(self):
        self.check()
        self.check(alone=True)
        # Then nobody replicates.
        self.check(alone=True, enrolled=False, replicating=True)
        # Nothing is replaced.
        self.check(replicating=True)

    def test_the_origin(self):
        with pytest.raises(Refused, match="there is the origin of its group"):
            seed_target.refuse_origin(self.session(origin=True), "there", refuse)
        passed_over = []
        assert seed_target.refuse_origin(self.session(origin=True), "there", passed_over.append)
        assert len(passed_over) == 1
        assert not seed_target.refuse_origin(self.session(), "there", refuse)

    def test_tables_of_two_syncs(self):
        shared = [{"schema": "public", "name": "t", "syncs": "one, two"}]
        with pytest.raises(Refused, match=r"public\.t: in several syncs on there \(one, two\)"):
            self.check(shared=shared)

    def test_rows_would_go_while_bucardo_replicates(self):
        with pytest.raises(Refused, match="replicating to and from there"):
            self.check(alone=True, replicating=True)


class TestTake:
    def take(self, session, *jobs):
        discarded, aside = seed_target.take(session, jobs, "there", 5000)
        assert aside == []
        return discarded, [text for text in session.texts if text.startswith("LOCK")]

    def test_writers_are_kept_out_and_readers_are_not(self):
        session = target()
        assert self.take(session, job("a"), job("b")) == (
            0,
            ['LOCK TABLE ONLY "public"."a", ONLY "public"."b" IN SHARE ROW EXCLUSIVE MODE'],
        )
        # Nobody waits for a lock for ever, and the load itself is not hurried.
        timeouts = [ran.params for ran in session.ran if "lock_timeout" in ran.text]
        assert timeouts == [("5000",), ("0",)]

    def test_everybody_where_indexes_are_deferred_or_rows_go(self):
        jobs = [job("a"), job("b", defer=(index(),)), job("c", replace=True)]
        assert self.take(target(), *jobs)[1] == [
            'LOCK TABLE ONLY "public"."a" IN SHARE ROW EXCLUSIVE MODE',
            'LOCK TABLE ONLY "public"."b", ONLY "public"."c" IN ACCESS EXCLUSIVE MODE',
        ]

    def test_rows_that_foreign_keys_point_to_are_deleted(self):
        session = target(referenced=[2], filled=[2])
        locks = self.take(session, job("c", replace=True))[1]
        assert locks == ['LOCK TABLE ONLY "public"."c" IN SHARE ROW EXCLUSIVE MODE']
        assert 'DELETE FROM ONLY "public"."c"' in session.texts

    def test_an_empty_table_is_not_emptied(self):
        session = target()
        self.take(session, job("c", replace=True))
        assert not any(text.startswith(("TRUNCATE", "DELETE")) for text in session.texts)

    def test_rows_that_nobody_gave_away(self):
        with pytest.raises(MultimasterError, match=r"public\.a got rows on there before"):
            self.take(target(filled=[2]), job("a"))

    def test_what_was_queued_goes_and_is_counted(self):
        session = target(
            queues=["delta_public_a", "track_public_a"],
            answers={"bucardo_truncate_trigger') IS NOT NULL": [{"there": True}]},
        )
        # A change and a TRUNCATE.
        assert self.take(session, job("a"))[0] == 2
        assert 'DELETE FROM "bucardo"."track_public_a"' in session.texts
        [truncates] = [
            ran for ran in session.ran if "DELETE FROM bucardo.bucardo_trunc" in ran.text
        ]
        assert truncates.params == (["public"], ["a"])

    def test_what_it_had_received_goes_with_its_rows(self):
        session = target(queues=["multimaster_received"])
        self.take(session, job("a"))
        assert "DELETE FROM bucardo.multimaster_received" in session.texts

    def test_before_the_proof_of_parts(self):
        session = target(queues=["delta_public_a"])
        assert seed_target.take_loaded(session, [job("a")], 5000) == 1
        assert session.texts[1] == 'LOCK TABLE ONLY "public"."a" IN SHARE ROW EXCLUSIVE MODE'


def test_what_the_ledger_does_not_call_half_copied_stays():
    session = target(answers={"FOR UPDATE": [{"copying": None}]})
    seed_target.empty_half(session, job("a"))
    assert not any(text.startswith(("TRUNCATE", "DELETE")) for text in session.texts)


def test_which_tables_hold_rows():
    session = target(filled=[7])
    found = seed_target.with_rows(session, [table("a", oid=7), table("b", oid=8)])
    assert found == {7}
    assert str(name("b")) in session.texts[0].replace('"', "")

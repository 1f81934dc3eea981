# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight believes of the targets' ledgers, and of an origin that is to be another one."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    Dbgroup,
    Goat,
    Sync,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import states
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Table
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight import ledgers
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    Database,
    Facts,
    Host,
    Seed,
    SurveyedControl,
    SurveyedMaster,
    Wanted,
)

from ..ledger_entries import entry

ORDERS, ITEMS = TableName("public", "orders"), TableName("public", "items")
OIDS = {ORDERS: 5, ITEMS: 6}
TABLES = tuple(Table(name, oid, "r", "p", ()) for name, oid in OIDS.items())


def copied(name, target, source="here", **changes):
    about = {"source": f"id-{source}", "source_oid": OIDS[name], "target": f"at-{target}"}
    about |= {"table_oid": OIDS[name], "epoch": f"e-{target}"}
    return entry(name, **{**about, **changes})


def master(name, *entries, origin=False, seed=True, filled=()):
    found = Seed(f"id-{name}", f"at-{name}", f"e-{name}", {one.name: one for one in entries})
    database = Database(
        "shop", tables=TABLES, seed=found if seed else None, filled=frozenset(filled)
    )
    return SurveyedMaster(name, origin, database=database)


def both(target, source="here", **changes):
    return [copied(ORDERS, target, source, **changes), copied(ITEMS, target, source)]


def facts(*masters, registered="", status="active", members=("here", "there", "third")):
    """What is known.

    :param registered: whose tables the sync's are, "" for no sync.
    """
    control = SurveyedControl(installed=True)
    if registered:
        sync = Sync("multimaster", "tables", "group", status, columns.defaults(columns.SYNC))
        goats = [
            Goat(number, registered, name, relgroups=("tables",))
            for number, name in enumerate(OIDS)
        ]
        control = dataclasses.replace(
            control,
            syncs={"multimaster": sync},
            goats=tuple(goats),
            dbgroups={"group": Dbgroup("group", dict.fromkeys(members, "source"))},
        )
    return Facts(Wanted(), tuple(masters), control, Host())


def judged(known, name="there"):
    return next(one.database for one in known.masters if one.name == name)


class TestOneOrigin:
    def judge(self, *entries, **more):
        return judged(
            ledgers.judge(facts(master("here", origin=True), master("there", *entries), **more))
        )

    def test_what_was_seeded_from_it_counts(self):
        found = self.judge(*both("there"))
        assert found.ledger == {ORDERS: states.SEEDED, ITEMS: states.SEEDED}
        assert (found.doubts, found.filled) == ({}, frozenset())

    def test_without_an_entry_there_is_no_ledger(self):
        assert self.judge().ledger is None

    def test_of_what_is_doubted_the_rows_are_in_the_way(self):
        found = self.judge(*both("there", epoch="e-former"))
        assert list(found.ledger) == [ITEMS]
        assert found.doubts == {ORDERS: "was seeded before this membership began"}
        assert found.filled == {ORDERS}

    def test_unless_there_were_none(self):
        assert self.judge(*both("there", epoch="e-former", rows=0)).filled == frozenset()

    def test_what_is_half_copied_is_ours_to_remove(self):
        found = self.judge(*both("there", state=states.COPYING))
        assert found.ledger[ORDERS] == states.COPYING
        assert found.filled == frozenset()

    @pytest.mark.parametrize(
        "masters",
        [
            [master("here"), master("there", *both("there"))],
            [master("here", origin=True), master("there", *both("there"), origin=True)],
            [master("here", origin=True, seed=False), master("there", *both("there"))],
            [SurveyedMaster("here", origin=True), master("there", *both("there"))],
        ],
        ids=["no origin", "two", "its ledger cannot be read", "it cannot be read"],
    )
    def test_without_an_origin_that_was_read_nothing_is_judged(self, masters):
        known = facts(*masters)
        assert ledgers.judge(known) is known

    def test_a_target_that_could_not_be_read_stays_as_it_is(self):
        lost = SurveyedMaster("there", error="refused")
        assert ledgers.judge(facts(master("here", origin=True), lost)).masters[1] is lost


class TestAnotherOrigin:
    """The inventory names there, while the sync's tables are registered as here's."""

    def known(self, there=None, third=None, **more):
        return ledgers.judge(
            facts(
                master("here", filled=[ORDERS]),
                master("there", *(both("there") if there is None else there), origin=True),
                master("third", *(both("third") if third is None else third)),
                **{"registered": "here", **more},
            )
        )

    def test_it_moves_where_the_new_one_holds_all_rows(self):
        found = self.known()
        assert (found.former_origin, found.origin_stays) == ("here", "")
        # The former one's rows are the others'.
        assert judged(found, "here").ledger == dict.fromkeys(OIDS, states.SEEDED)
        assert judged(found, "here").filled == frozenset()
        # What was seeded from the former one is as good.
        assert judged(found, "third").doubts == {}

    def test_a_copy_of_the_new_one_counts_already(self):
        assert judged(self.known(third=both("third", "there")), "third").doubts == {}

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"status": "inactive"}, "the sync is held"),
            ({"members": ("here", "third")}, "there is no master of the sync"),
            (
                {"there": [copied(ORDERS, "there")]},
                "1 tables of there, as public.items, are not known to be whole",
            ),
            (
                {"there": []},
                "2 tables of there, as public.items, are not known to be whole",
            ),
        ],
    )
    def test_it_stays_where_it_is(self, more, why):
        found = self.known(**more)
        assert (found.former_origin, found.origin_stays) == ("here", why)
        # Then all are judged by the one of the inventory.
        assert set(judged(found, "third").doubts) == set(OIDS)

    def test_where_the_former_one_cannot_be_read(self):
        found = ledgers.judge(
            facts(
                SurveyedMaster("here", error="refused"),
                master("there", *both("there"), origin=True),
                registered="here",
            )
        )
        assert found.origin_stays == "here cannot be read"

    def test_where_the_sync_is_of_the_origin_s_tables_nothing_moves(self):
        assert self.known(registered="there").former_origin == ""
        assert self.known(registered="").former_origin == ""

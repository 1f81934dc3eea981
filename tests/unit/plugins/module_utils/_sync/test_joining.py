# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a master is taken in: what is kept for it, what stands in the way, and how it becomes one."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Goat, Sync
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import states
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import joining

from ..fake_session import FakeSession
from ..ledger_entries import entry

ORDERS = TableName("public", "orders")
GOATS = [Goat(1, "here", ORDERS, key=("id",))]
TRUNCATES, FOREIGN = "p.proname = 'bucardo_note_truncation'", "AS w (n text, k text)"
EPOCH = "e-new"


def member(name, *, truncates=0, foreign=0, lacking=(), keeping=(), anew=False):
    """One that replicates.

    :param lacking: OIDs of tables of which it does not keep the queue.
    :param keeping: targets for which it keeps one.
    :param anew: its database was dropped and made again.
    """
    nothing = StatementFailed('relation "bucardo.bucardo_delta_targets" does not exist')
    return FakeSession(
        {
            "to_regclass('bucardo.bucardo_delta_targets')": [{"is": not anew}],
            TRUNCATES: [{"count": truncates}],
            FOREIGN: [{"count": foreign}],
            "to_regclass(n)::oid::bigint": [{"oid": oid} for oid in lacking],
            "target ~ '^joining '": nothing if anew else [{"target": one} for one in keeping],
        },
        name,
    )


def newcomer(entries=(), name="new"):
    return FakeSession(
        {
            "to_regclass('multimaster.membership')": [{"is": True}],
            "multimaster.seed') IS NOT NULL": [{"is": True}],
            "WITH ours AS": [],
            "FROM multimaster.seed s": [
                {
                    "schema_name": one.name.schema,
                    "table_name": one.name.name,
                    **{
                        field.name: getattr(one, field.name)
                        for field in dataclasses.fields(one)
                        if field.name != "name"
                    },
                }
                for one in entries
            ],
        },
        name,
    )


def seeded(**changes):
    return entry(ORDERS, **{"table_oid": 5, "epoch": EPOCH, **changes})


class Catalog:
    """The control database, which remembers who is being taken in."""

    def __init__(self, joining=None):
        self.rows = dict(joining or {})
        self.session = FakeSession(
            {
                "to_regclass('multimaster.joining')": [{"is": True}],
                "WITH ours AS": [],
                "SELECT dbgroup, db, epoch FROM multimaster.joining": lambda _params: [
                    {"dbgroup": "shop", "db": db, "epoch": epoch} for db, epoch in self.rows.items()
                ],
                "INSERT INTO multimaster.joining": lambda _params: [],
            },
            "control",
        )
        execute = self.session.execute

        def noting(query, params=None):
            if isinstance(query, str) and query.startswith("INSERT INTO multimaster.joining"):
                self.rows[params[1]] = EPOCH
            if isinstance(query, str) and query.startswith("DELETE FROM multimaster.joining WHERE"):
                self.rows.pop(params[1], None)
            return execute(query, params)

        self.session.execute = noting

    @property
    def control(self):
        return Control(self.session)


def group(status="active", **members):
    sessions = {"here": member("here"), "there": member("there"), **members}
    return joining.Group(Sync("shop", "tables", "shop", status), "here", GOATS, sessions)


class TestObstacle:
    def test_none(self):
        assert joining.obstacle(group(), begun=False) == ""

    def test_a_held_sync_unless_this_run_goes_on_with_one_that_held_it(self):
        assert joining.obstacle(group("inactive"), begun=False) == "the sync is held"
        assert joining.obstacle(group("inactive"), begun=True) == ""

    def test_a_member_whose_database_was_made_anew(self):
        found = group(there=member("there", anew=True))
        assert joining.obstacle(found, begun=True) == "there has to be seeded again"

    def test_truncates_that_are_replicated_as_such(self):
        found = group(there=member("there", truncates=1))
        assert "TRUNCATE is replicated as such" in joining.obstacle(found, begun=False)
        [ran] = [ran for ran in found.members["there"].ran if TRUNCATES in ran.text]
        assert ran.params == ("bucardo_note_trunc_shop",)

    def test_keys_of_types_of_extensions(self):
        found = group(here=member("here", foreign=1))
        assert "not PostgreSQL's own" in joining.obstacle(found, begun=False)
        [ran] = [ran for ran in found.members["here"].ran if FOREIGN in ran.text]
        assert ran.params == ('[{"n": "\\"public\\".\\"orders\\"", "k": "id"}]',)


class TestPrepare:
    def kept(self, session):
        return [
            ran.params
            for ran in session.ran
            if ran.text.startswith("INSERT INTO bucardo.bucardo_d")
        ]

    def test_all_members_keep_their_queues_before_its_ledger_counts(self):
        catalog, new = Catalog(), newcomer()
        found = group(here=member("here", lacking=[7]), there=member("there", lacking=[8]))
        assert joining.prepare(catalog.control, found, {"new": new}) == {"new": EPOCH}
        assert self.kept(found.members["here"]) == [([7], "joining e-new")]
        assert self.kept(found.members["there"]) == [([8], "joining e-new")]
        [noted] = [ran for ran in new.ran if ran.text.startswith("INSERT")]
        assert noted.params == ("shop", EPOCH, False)

    def test_a_run_after_one_that_was_killed_goes_on(self):
        catalog = Catalog({"new": "e-first"})
        found = group()
        assert joining.prepare(catalog.control, found, {"new": newcomer()}) == {"new": "e-first"}
        assert self.kept(found.members["here"]) == []

    def test_but_begins_anew_where_a_queue_was_not_kept(self):
        catalog, new = Catalog({"new": "e-first"}), newcomer()
        found = group(there=member("there", lacking=[8]))
        assert joining.prepare(catalog.control, found, {"new": new}) == {"new": EPOCH}
        # Nobody would purge what was kept for it, once nobody comes any more.
        assert "WHERE target = 'joining e-first'" in " ".join(found.members["here"].texts)
        # Whatever was copied in the first one's membership is worth nothing now.
        assert [ran.params for ran in new.ran if ran.text.startswith("INSERT")] == [
            ("shop", EPOCH, False)
        ]


class TestSweep:
    def test_who_is_not_wanted_any_more_and_who_is_a_member_by_now(self):
        catalog = Catalog({"gone": "e-gone", "there": "e-there", "new": "e-new"})
        found = group()
        assert joining.sweep(catalog.control, found, ["new", "there"]) == ["gone", "there"]
        assert catalog.rows == {"new": "e-new"}

    def test_a_database_that_was_made_anew_keeps_nothing(self):
        catalog = Catalog()
        assert joining.sweep(catalog.control, group(here=member("here", anew=True)), []) == []

    def test_what_is_kept_for_nobody_is_purged_marks_first(self):
        catalog = Catalog({"new": "e-new"})
        here = member("here", keeping=["joining e-new", "joining e-gone"])
        joining.sweep(catalog.control, group(here=here), ["new"])
        assert here.texts[2:] == [
            """DELETE FROM "bucardo"."track_public_orders" WHERE target = 'joining e-gone'""",
            "DELETE FROM bucardo.bucardo_delta_targets WHERE target = %s",
        ]


@pytest.fixture(name="calm")
def _calm(monkeypatch):
    """Passes whose counts are given, and a sync that is still at once."""
    told = []

    class Passes:
        counts: t.ClassVar[list[int]] = [3]

        def __init__(self, members, origin, dbgroup, tables, newcomer):
            self.newcomer = newcomer
            self.left = list(self.counts)

        def once(self, final=False):
            told.append("final" if final else "pass")
            return 0 if final else self.left.pop(0)

    class Stillness:
        def __init__(self, control, masters, sync):
            pass

        def ensure(self, reload, written):
            told.append(("still", written))

    monkeypatch.setattr(joining.joining_rows, "Passes", Passes)
    monkeypatch.setattr(joining, "Stillness", Stillness)
    return told, Passes


class TestJoin:
    def join(self, catalog, new=None, **facts):
        masters = {"new": new or newcomer([seeded()])}
        return joining.join(catalog.control, group(**facts), masters, lambda: True)

    def test_the_last_pass_is_made_while_the_sync_is_held(self, calm):
        told, _passes = calm
        catalog = Catalog({"new": EPOCH})
        assert self.join(catalog)["passes"] == [3, 0]
        assert told == ["pass", ("still", True), "final"]
        written = [
            (ran.text.split(" (")[0].split(" WHERE")[0], ran.params)
            for ran in catalog.session.ran
            if ran.text.startswith(("UPDATE", "INSERT", "DELETE"))
        ]
        given = {"dbgroup": "shop", "db": "new", "epoch": EPOCH}
        assert written == [
            ("UPDATE bucardo.sync SET status = 'inactive'", {"name": "shop"}),
            ("INSERT INTO bucardo.dbmap", given),
            ("INSERT INTO multimaster.member", given),
            # When nothing is kept for it any more; until then the next run looks.
            ("DELETE FROM multimaster.joining", ("shop", "new")),
        ]

    def test_a_sync_that_is_held_already_is_not_said_to_have_been_written(self, calm):
        self.join(Catalog({"new": EPOCH}), status="inactive")
        assert ("still", False) in calm[0]

    def test_passes_go_on_until_one_is_small_or_there_were_enough(self, calm):
        _told, passes = calm
        passes.counts = [90000, 800, 20]
        assert self.join(Catalog({"new": EPOCH}))["passes"] == [90000, 800, 20, 0]
        passes.counts = [9000] * 20
        assert self.join(Catalog({"new": EPOCH}))["passes"] == [9000] * 8 + [0]

    @pytest.mark.parametrize(
        "entries",
        [[], [seeded(state=states.COPIED)], [seeded(epoch="e-first")]],
        ids=["never", "half", "in another membership"],
    )
    def test_nobody_becomes_a_member_without_all_rows(self, calm, entries):
        with pytest.raises(Refused, match=r"new lacks the rows of public\.orders"):
            self.join(Catalog({"new": EPOCH}), newcomer(entries))
        assert calm[0] == []


class Enrolment:
    """As `enrol.Enrolment`, of masters that lack one table each."""

    log: t.ClassVar[list[str]] = []

    def __init__(self, control, masters, key, relgroup, autokick, truncate="", kick=""):
        self.masters, self.given = masters, (key.sync, relgroup, autokick, truncate, kick)
        self.truncate = truncate or "refuse"
        self.kick = kick or "poll"

    def needs(self, goats):
        self.log.append(f"look at {', '.join(self.masters)} {self.given}")
        return {name: Needs() for name in self.masters}

    def enrol(self, needed):
        self.log.append(f"enrol {', '.join(needed)}")


@dataclasses.dataclass
class Needs:
    tables: tuple[str, ...] = ("orders",)


def test_newcomers_are_enrolled_as_the_members_are(monkeypatch):
    monkeypatch.setattr(joining.enrol, "Enrolment", Enrolment)
    Enrolment.log.clear()
    new = newcomer()
    new.answers["pg_advisory_lock"] = [{"got": ""}]
    counts = joining.enrol_newcomers(Catalog().control, group(), {"new": (new, "bucardo")})
    assert counts == {"new": 1}
    assert Enrolment.log == [
        "look at here, there ('shop', 'tables', True, '', '')",
        # With the policy for TRUNCATE that the members have.
        "look at new ('shop', 'tables', True, 'refuse', 'poll')",
        "enrol new",
    ]
    assert any("pg_advisory_lock" in text for text in new.texts)

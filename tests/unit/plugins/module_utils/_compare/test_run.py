# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A comparison of all tables: which are read together, how often, and when it is over."""

from __future__ import annotations

import re

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    MultimasterError,
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import plan, run
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Selection
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import (
    Master,
    Topology,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

RELATION = {"kind": "r", "persistence": "p", "rows": 1, "relispartition": False}
RELATION |= {"row_security": False, "quoted": "public.t"}
RELATION |= {"bytes": 8192, "extension": "", "schema": "public"}
COLUMN = {"name": "id", "not_null": True, "type": "integer", "type_oid": 23}
COLUMN |= {"identity": "", "generated": "", "collation": ""}
INDEX = {"name": "pkey", "is_unique": True, "is_primary": True, "is_valid": True, "partial": False}
INDEX |= {"method": "btree", "columns": ["id"]}


class Server:
    """One master: its tables with their sums, which a test may change between two looks."""

    def __init__(self, **sums):
        self.sums = sums
        self.looks = 0
        self.closed = 0

    def session(self, login):
        oids = dict(enumerate(self.sums, 1))
        fake = FakeSession(
            {
                "AS samples": [{"encoding": "UTF8", "samples": "same"}],
                "AS pg_catalog.text": [{"x": "same"}],
                "SELECT c.relname": [],
                "pg_catalog.pg_type t": [{"oid": 23, "typname": "int4", "base": 0}],
                "SELECT a.attrelid": [{**COLUMN, "oid": oid} for oid in oids],
                "SELECT i.indrelid": [{**INDEX, "oid": oid} for oid in oids],
                "SELECT c.oid": [{**RELATION, "oid": o, "name": n} for o, n in oids.items()],
            },
            name=login.name,
        )
        answers = fake.rows

        def rows(query, params=None):
            text = fake.as_text(query) if not isinstance(query, str) else query
            named = re.findall(r'FROM ONLY "public"\."(\w+)"', text)
            if not named:
                return answers(query, params)
            self.looks += 1
            found = [self.sums[name] for name in named]
            for one in found:
                if isinstance(one, BaseException):
                    raise one
            return [{"i": i, "rows": n, "hash": str(n)} for i, n in enumerate(found)]

        fake.rows = rows
        return fake


class Crew:
    """One session per server, asked one after the other."""

    def __init__(self, servers, logins):
        self.sessions = [
            server.session(login) for server, login in zip(servers, logins.values(), strict=True)
        ]
        self.servers = servers

    def each(self, ask):
        return [ask(i, session) for i, session in enumerate(self.sessions)]

    def cancel(self):
        pass

    def close(self):
        for server in self.servers:
            server.closed += 1


TOPOLOGY = Topology(tuple(Master(name, ConnInfo(name, {})) for name in ("here", "there")))


@pytest.fixture
def compare(monkeypatch):
    def _compare(here, there, selection=None, **options):
        monkeypatch.setattr(run, "SessionPerMaster", lambda logins: Crew([here, there], logins))
        chosen = selection or Selection()
        options = {"timeout": 5, "interval": 0.1, "workers": 1, **options}
        return run.compare(TOPOLOGY, chosen, run.CompareOptions(**options))

    return _compare


def test_equal_tables_are_read_once_and_together(compare):
    here, there = Server(a=1, b=2), Server(a=1, b=2)
    results = compare(here, there)
    assert [(one.name, one.proof) for one in results] == [
        ("public.a", plan.PROOF_SUMS),
        ("public.b", plan.PROOF_SUMS),
    ]
    assert (here.looks, there.looks) == (1, 1)
    assert plan.to_result(results)["summary"] == "2 tables, all equal"


def test_what_was_on_its_way_is_seen_by_the_second_cheap_look(compare):
    here, there = Server(a=1, b=2), Server(a=1, b=1)
    looking = there.session

    def session(login):
        fake = looking(login)
        first = fake.rows

        def rows(query, params=None):
            found = first(query, params)
            if there.looks:
                there.sums["b"] = 2
            return found

        fake.rows = rows
        return fake

    there.session = session
    results = compare(here, there)
    assert all(one.equal for one in results)
    assert here.looks == 2


def test_what_is_in_use_is_looked_at_key_by_key_at_once(compare, monkeypatch):
    looked = []

    def look(one, _crew):
        looked.append(one.table.name.name)
        one.decided = True

    monkeypatch.setattr(
        run.TableComparison, "in_use", lambda one, _crew: one.table.name.name == "b"
    )
    monkeypatch.setattr(run.TableComparison, "look", look)
    here, there = Server(a=1, b=2), Server(a=1, b=1)
    compare(here, there)
    assert (looked, here.looks) == (["b"], 1)


def test_without_time_there_is_one_pass(compare):
    (result,) = compare(Server(a=1), Server(a=2), timeout=0)
    assert result.undecided
    assert result.problem == "rows: 1 on here, 2 on there"
    assert result.rows == {"here": 1, "there": 2}


def test_a_table_that_one_master_lacks_is_told_and_not_read(compare):
    here, there = Server(a=1, b=2), Server(a=1)
    results = {one.name: one for one in compare(here, there)}
    assert results["public.b"].problem == "no such table on there"
    assert results["public.a"].equal


def test_only_what_is_selected_is_compared(compare):
    results = compare(Server(a=1, b=2), Server(a=1, b=2), Selection(("public.a",)))
    assert [one.name for one in results] == ["public.a"]


def test_the_first_failure_ends_it_all_and_everything_is_closed(compare):
    here, there = Server(a=1), Server(a=StatementFailed("there: permission denied"))
    with pytest.raises(StatementFailed, match="permission denied"):
        compare(here, there)
    assert (here.closed, there.closed) == (1, 1)


def test_more_workers_than_batches_are_not_opened(compare):
    here, there = Server(a=1, b=2), Server(a=1, b=2)
    compare(here, there, workers=8)
    assert here.closed == 1


@pytest.mark.parametrize(
    "wrong", [{"timeout": -1}, {"interval": 0}, {"max_keys": -1}, {"workers": 0}]
)
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(Refused, match="is too little"):
        run.CompareOptions(**wrong)


def test_differences_are_refused_with_all_that_is_known():
    equal = plan.TableResult("public.a", {"here": 1}, plan.PROOF_SUMS)
    run.refuse_differences([equal])
    bad = plan.TableResult("public.b", {"here": 1, "there": 2}, problem="rows: 1 on here")
    with pytest.raises(MultimasterError, match=r"1 of 2 tables not equal: public\.b") as caught:
        run.refuse_differences([equal, bad])
    assert [table["name"] for table in caught.value.details["tables"]] == ["public.a", "public.b"]

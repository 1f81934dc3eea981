# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver of tests/chaos against servers that crash, without Bucardo: what clients remember is
what a server holds, and damage is seen. No run of it can be better than that.
"""

from __future__ import annotations

import pathlib
import sys

import pytest
from site_of_tests import PASSWORD, eventually

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

import checker
import damage
from faults import fill_disk, restart_server
from history import ACKNOWLEDGED, History
from world import World

COPY = (
    "createdb -T template0 shop && pg_dump -h oslo -U postgres -d shop"
    " | psql -q -X -v ON_ERROR_STOP=1 -d shop"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    results = tmp_path_factory.mktemp("chaos")
    history = History(results / "history.jsonl")
    with World(("oslo", "paris"), history, results, "bucardo_latest") as made:
        made.present = ["oslo"]
        made.make_rows()
        yield made
    history.close()


def written(world, more):
    """When so many more transactions were acknowledged."""
    before = world.history.counts[ACKNOWLEDGED]
    assert eventually(lambda: world.history.counts[ACKNOWLEDGED] >= before + more)


@pytest.fixture(scope="module")
def judged(world):
    """What happened since the first rows, what there was before, and the verdict."""
    first = checker.check(world.history.take(), {}, world.read())
    assert first.violations == []
    assert first.rows == 400
    # Several pairs of clients.
    world.start_clients(*["oslo"] * 4)
    written(world, 100)
    for way in ("immediate", "kill -9"):
        restart_server(world, "oslo", way, 0)
        written(world, 50)
    fill_disk(world, "oslo", 0, 1)
    written(world, 100)
    world.stop_clients()
    transactions = world.history.take()
    world.run("paris", COPY, "postgres", PGPASSWORD=PASSWORD)
    world.present = ["oslo", "paris"]
    verdict = checker.check(transactions, first.baseline, world.read())
    return transactions, first.baseline, verdict


def test_a_server_that_crashed_holds_what_clients_were_told(world, judged):
    verdict = judged[2]
    assert list(map(str, verdict.violations)) == []
    assert verdict.rows > 400
    # Of one master's writes each follows the one before.
    assert verdict.conflicts == 0
    assert world.errors["connection"] >= 4


def test_a_history_without_one_of_its_transactions_does_not_fit(world, judged):
    transactions, before, _verdict = judged
    found = world.read()
    last = next(one for one in reversed(transactions) if one.outcome == ACKNOWLEDGED)
    rest = [one for one in transactions if one is not last]
    assert {one.kind for one in checker.check(rest, before, found).violations} & {
        "phantom",
        "lost row",
        "lost write",
    }


def test_damage_is_seen_and_nothing_else(world, judged):
    transactions, before, verdict = judged
    wanted = damage.damage(world, transactions, verdict.baseline)
    assert len(wanted) == 7
    seen = {}
    for violation in checker.check(transactions, before, world.read()).violations:
        seen.setdefault(violation.kind, set()).add(violation.where)
    assert seen == wanted

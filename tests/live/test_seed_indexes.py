# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexes that a seed keeps out of its way mislead nobody, and do not stay broken."""

from __future__ import annotations

import contextlib
import threading

import pytest
from site_of_tests import eventually

TABLES = ("first", "second", "third", "fourth")
# Autovacuum would make sessions plan anew, too.
SCHEMA = "".join(
    f"CREATE TABLE {name} (id integer PRIMARY KEY, body text NOT NULL)"
    " WITH (autovacuum_enabled = false);"
    for name in TABLES
)
# More than the megabyte from which on indexes are deferred.
FILL = "".join(
    f"INSERT INTO {name} SELECT i, 'row ' || i FROM generate_series(1, 40000) i;" for name in TABLES
)
VALID = "SELECT indisvalid AND indisready FROM pg_index WHERE indrelid = 'first'::regclass"
COPIED = "SELECT count(*) FROM multimaster.seed WHERE state = 'copied'"
WAITING = """
SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
 WHERE NOT l.granted AND d.datname = pg_catalog.current_database()
"""


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("source", schema=SCHEMA + FILL), site.master("target", schema=SCHEMA)]


@pytest.fixture(scope="module")
def options(site, masters):
    source, target = site.masters_option(site.inventory(masters))
    options = {"source": source, "target": target, "require_triggers": False, "workers": 1}
    # The seed must not give up a lock before the test has seen it wait.
    return {**options, "lock_timeout": 60_000}


@pytest.fixture(scope="module")
def seed(site, masters, options):
    def run(table):
        done = site.module(
            "data_seed", site.inventory(masters), "postgres", **options, tables=[f"public.{table}"]
        )
        return [one["index_mode"] for one in done["tables"]]

    return run


@pytest.fixture(scope="module")
def killed(site, masters, options):
    """A reader of a table whose seed was killed before it rebuilt the index that the reader uses.

    And what the index says to a transaction under way, beside what it says without an index.
    """
    target = masters[1]
    task = site.task("data_seed", "postgres", **options, tables=["public.first"])
    with contextlib.ExitStack() as stack:
        reader, earlier, later = (stack.enter_context(target.connected()) for _number in range(3))
        for session in (reader, earlier):
            session.sql("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
            session.sql("PREPARE look AS SELECT count(*) FROM first WHERE id = 7")
            assert session.sql("EXECUTE look") == [["0"]]
        earlier.sql("BEGIN; EXECUTE look")
        with site.started(task, site.inventory(masters)):
            assert eventually(lambda: target.value(WAITING) == "1")
            under_way = (earlier.sql("EXECUTE look"), [[target.value(COPIED)]])
            if target.value(COPIED) == "0":
                # Waits for transactions that have used the table. Who comes next keeps it from
                # rebuilding the index.
                # By the lock that it queues for, which comes before any that is asked for later.
                behind = threading.Thread(
                    target=later.sql, args=("BEGIN; LOCK TABLE first IN ROW EXCLUSIVE MODE",)
                )
                behind.start()
                assert eventually(lambda: target.value(WAITING) == "2")
                earlier.sql("COMMIT")
                behind.join()
            assert eventually(lambda: target.value(COPIED) == "1")
            site.kill("data_seed")
            ended = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name ~ ' seed '"
            assert eventually(lambda: target.value(ended) == "t")
        for session in (earlier, later):
            session.close()
        yield reader, under_way


def test_a_plan_made_before_the_load_does_not_miss_its_rows(masters, killed):
    reader, (seen, there) = killed
    assert seen == there
    assert masters[1].value(VALID) == "f"
    assert reader.sql("EXECUTE look") == [["1"]]


def test_an_index_that_a_killed_seed_left_is_rebuilt_or_named(site, masters, options, killed):
    target = masters[1]
    target.sql("INSERT INTO first VALUES (7, 'a second one')")

    def teardown(check=True):
        return site.module(
            "bucardo_teardown",
            site.inventory(masters),
            user="postgres",
            check=check,
            masters=[options["target"]],
        )

    refused = teardown(check=False)
    assert "first_pkey of public.first" in refused.get("msg", "")
    assert "Key (id)=(7) is duplicated" in refused["msg"]
    assert target.value(COPIED) == "1"
    target.sql("DELETE FROM first WHERE body = 'a second one'")
    done = teardown()
    assert done["removed"]["target"]["rebuilt"] == ["first_pkey of public.first"]
    assert target.value(VALID) == "t"
    assert "first_pkey" in target.refused("INSERT INTO first VALUES (7, 'a second one')")


def test_a_master_in_use_keeps_its_indexes(seed, killed):
    """Once a seed came to its end, applications may write to tables that are empty as yet."""
    assert seed("second") == ["catalog"]
    assert seed("third") == ["keep"]
    killed[0].close()
    assert seed("fourth") == ["catalog"]

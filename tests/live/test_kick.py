# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a write wakes its sync: rows come over long before checktime, whatever happens to the program
that looks for them.
"""

from __future__ import annotations

import time

import pytest
from site_of_tests import POLLER, eventually

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

# See CONTRIBUTING.md.
LONG = True
# Seconds; checktime is a minute.
SOON = 15
PROGRAM = "/usr/local/sbin/bucardo-watchdog"
# A partition wakes the sync by its rows.
SCHEMA = """
CREATE TABLE note (id bigint PRIMARY KEY, body text);
CREATE TABLE event (id bigint, day int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (100);
"""
TRIGGERS = "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_trigger WHERE tgname ~ 'bucardo'"
CONFIRMED = ("--extra-vars", "multimaster_confirm_teardown=multimaster")
KICK = "SELECT prosrc ~ 'nextval' FROM pg_proc WHERE proname = 'bucardo_kick_multimaster'"


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


@pytest.fixture(scope="module")
def inventory(site, masters):
    inventory = site.inventory(masters)
    site.play("bootstrap", inventory)
    return inventory


def arrives(master, id_, table="note", seconds=SOON):
    return eventually(lambda: master.value(f"SELECT 1 FROM {table} WHERE id = {id_}"), seconds)


def polls(site):
    return site.run("db", f"pgrep -f '{POLLER}' || true").split()


def test_rows_come_over_both_ways(site, masters, inventory):
    left, right = masters
    assert left.value(KICK) == right.value(KICK) == "t"
    assert len(polls(site)) == 1
    # The first one of all is not to wait for a second one.
    left.sql("INSERT INTO note VALUES (1)")
    assert arrives(right, 1)
    right.sql("INSERT INTO note VALUES (2)")
    assert arrives(left, 2)
    left.sql("INSERT INTO event_1 VALUES (1, 1)")
    assert arrives(right, 1, "event")


def test_what_is_committed_long_after_it_was_written(site, masters, inventory):
    left, right = masters
    with Session(site.conninfo(left)) as session:
        with session.transaction():
            session.execute("INSERT INTO public.note VALUES (10)")
            # The write is seen, and wakes the sync, which finds nothing.
            time.sleep(5)
        assert arrives(right, 10)
        with session.transaction():
            session.execute("SAVEPOINT one")
            session.execute("INSERT INTO public.note VALUES (11)")
            session.execute("RELEASE one")
            time.sleep(5)
            left.sql("INSERT INTO note VALUES (12)")
            assert arrives(right, 12)
    assert arrives(right, 11)


def test_the_program_is_killed_and_started_again(site, masters, inventory):
    left, right = masters
    site.run("db", f"pkill -KILL -f '{POLLER}'")
    left.sql("INSERT INTO note VALUES (30)")
    play = site.play("bootstrap", inventory)
    assert "Install the program" in " ".join(play.changes)
    assert len(polls(site)) == 1
    assert arrives(right, 30)
    # A second one ends at once.
    site.run("db", f"{PROGRAM} start-poll")
    site.run("db", f"timeout 20 {PROGRAM} poll", user="bucardo")
    assert len(polls(site)) == 1
    assert site.play("bootstrap", inventory).changes == []


def test_its_connections_are_cut(site, masters, inventory):
    left, right = masters
    left.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'multimaster.bucardo poll'"
    )
    left.sql("INSERT INTO note VALUES (40)")
    assert arrives(right, 40)
    right.sql("INSERT INTO note VALUES (41)")
    assert arrives(left, 41)


def test_bucardos_own_way_and_back_without_a_lock(site, masters, inventory):
    left, right = masters
    before = left.value(TRIGGERS)
    for kick, number in (("notify", 50), ("poll", 60)):
        changed = site.inventory(masters, replication_kick=kick)
        with Session(site.conninfo(left)) as session, session.transaction():
            # Whoever would lock the table waits for this.
            session.execute("LOCK TABLE public.note IN ROW EXCLUSIVE MODE")
            play = site.play("bootstrap", changed)
        assert any("Enrol the tables" in change for change in play.changes)
        assert left.value(KICK) == right.value(KICK) == ("t" if kick == "poll" else "f")
        assert left.value(TRIGGERS) == before
        assert site.play("bootstrap", changed).changes == []
        left.sql(f"INSERT INTO note VALUES ({number})")
        right.sql(f"INSERT INTO note VALUES ({number + 1})")
        assert arrives(right, number)
        assert arrives(left, number + 1)


def test_nothing_of_it_is_left(site, masters, inventory):
    left, _right = masters
    site.play("teardown", inventory, *CONFIRMED)
    assert left.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'bucardo'") == "0"
    # Writers go on, also those that have the function's plan.
    left.sql("INSERT INTO note VALUES (70)")

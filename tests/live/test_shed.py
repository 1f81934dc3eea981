# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A master is away for so long that its changes would fill the disk of the other: a table is shed.

Applications write all the time, each master has a host of its own, and the watchdog decides.
"""

from __future__ import annotations

import contextlib
import copy

import pytest
from disturbances import writing
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("there", "here")
SCHEMA = """
CREATE TABLE public."Big One" (id int PRIMARY KEY, body text NOT NULL);
INSERT INTO public."Big One" SELECT i, 'row ' || i FROM generate_series(1, 20000) i;
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 50) i;
"""
BIG = 'public."Big One"'
LIVE = "INSERT INTO note (body) VALUES ('live')"
BULK = f"UPDATE {BIG} SET body = body || '.' WHERE id > 100;"
LIMIT = 2_500_000
CLUSTER = "pg_ctlcluster $(pg_lsclusters --no-header | awk '{print $1, $2}')"
TRIGGERS = f"SELECT count(*) FROM pg_trigger WHERE tgrelid = '{BIG}'::regclass AND NOT tgisinternal"
MARKS = "SELECT count(*) FROM multimaster.shed WHERE done_at IS NOT NULL"
QUEUED = """
SELECT pg_total_relation_size('bucardo."delta_public_Big One"')
     + pg_total_relation_size('bucardo."track_public_Big One"')
"""


@pytest.fixture(scope="module")
def masters(site):
    here = site.master("here", "shop", "here", SCHEMA)
    return [here, site.master("there", "shop", "there")]


def bootstrap(site, masters):
    """With a watchdog that sheds soon; returns the inventory."""
    made = site.inventory(
        masters,
        bucardo_watchdog=True,
        bucardo_watchdog_interval=2,
        bucardo_alarm_age=4,
        bucardo_shed_bytes=LIMIT,
    )
    site.play("bootstrap", made)
    return made


@pytest.fixture(scope="module")
def inventory(site, masters):
    return bootstrap(site, masters)


@contextlib.contextmanager
def away(site):
    """The other master's server is down."""
    site.run("there", f"{CLUSTER} stop -m immediate")
    try:
        yield
    finally:
        site.run("there", f"{CLUSTER} start")


def log(site):
    return site.run("here", "cat /var/log/bucardo/watchdog.log || true")


def with_origin(inventory, name):
    changed = copy.deepcopy(inventory)
    for master, variables in changed["all"]["children"]["masters"]["hosts"].items():
        variables.pop("master_origin", None)
        if master == name:
            variables["master_origin"] = True
    return changed


def reseed(site, inventory, *more, check=True):
    tables = '{"multimaster_reseed_tables": ["public.Big One"]}'
    return site.play("reseed", inventory, "-e", tables, *more, check=check)


def is_shed(here):
    there = here.value("SELECT to_regclass('multimaster.shed') IS NOT NULL")
    return there == "t" and here.value(MARKS) == "1"


def test_while_all_masters_are_there_a_large_queue_is_only_an_alarm(site, masters, inventory):
    here, _there = masters
    with writing(here, LIVE):
        here.sql(BULK * 3)
        assert int(here.value(QUEUED)) > LIMIT
        assert same_rows(masters, BIG, seconds=180)
    assert not is_shed(here)
    assert "shed" not in log(site)


def test_a_table_is_shed_before_the_disk_is_full_and_nobody_is_held_up(site, masters, inventory):
    here, there = masters
    with writing(here, LIVE):
        there.sql(f"INSERT INTO {BIG} VALUES (-1, 'only there, before')")
        assert same_rows(masters, BIG)
        with away(site):
            before = int(here.value("SELECT count(*) FROM note"))
            here.sql(f"UPDATE {BIG} SET body = 'lost in no queue' WHERE id = 7;" + BULK * 3)
            assert eventually(lambda: is_shed(here), 120), log(site)
            assert here.value(TRIGGERS) == "0"
            assert int(here.value(QUEUED)) < 100_000
            here.sql(f"INSERT INTO {BIG} VALUES (-2, 'noted nowhere')")
            # The other table goes on queueing.
            assert eventually(lambda: int(here.value("SELECT count(*) FROM note")) > before + 10)
            assert int(here.value("SELECT count(*) FROM bucardo.delta_public_note")) > 10
        there.sql(f"INSERT INTO {BIG} VALUES (-3, 'written there')")
    # The others drain, and nothing of the table goes either way.
    assert same_rows(masters, "note", seconds=180), log(site)
    assert here.value(f"SELECT count(*) FROM {BIG} WHERE id = -3") == "0"
    assert there.value(f"SELECT count(*) FROM {BIG} WHERE id = -2") == "0"
    assert log(site).count("shed public.") == 1, log(site)


def test_it_is_said_until_somebody_has_chosen_whose_rows_stay(site, masters, inventory):
    said = site.play("status", inventory, check=False)
    assert said.code != 0
    assert 'public."Big One" was shed on here' in said.text
    assert "multimaster_reseed_from=NAME" in said.text
    assert "matches the selection" not in said.text
    assert "other columns" not in said.text
    refused = site.play("bootstrap", inventory, check=False)
    assert refused.code != 0
    assert "was shed at" in refused.text
    said = reseed(site, inventory, "-e", "multimaster_reseed_master=there", check=False)
    assert said.code != 0
    assert "name it with -e multimaster_reseed_from=NAME" in said.error


def test_the_rows_of_the_master_that_lived_replace_the_others(site, masters, inventory):
    here, there = masters
    said = reseed(site, inventory, "-e", "multimaster_reseed_from=here", check=False)
    assert said.code != 0
    assert "there holds changes of these tables that no other master has" in said.error
    with writing(here, LIVE), writing(there, f"UPDATE {BIG} SET body = 'new' WHERE id = 9"):
        reseed(site, inventory, "-e", "multimaster_reseed_from=here multimaster_discard_queue=true")
    assert same_rows(masters, BIG, "note")
    assert there.value(f"SELECT body FROM {BIG} WHERE id = -2") == "noted nowhere"
    assert there.value(f"SELECT count(*) FROM {BIG} WHERE id = -3") == "0"
    assert here.value("SELECT to_regclass('multimaster.shed')") == ""
    # Both ways again.
    here.sql(f"UPDATE {BIG} SET body = 'from here' WHERE id = 11")
    there.sql(f"UPDATE {BIG} SET body = 'from there' WHERE id = 12")
    assert same_rows(masters, BIG)
    assert site.play("bootstrap", inventory).changes == []
    assert eventually(lambda: site.play("status", inventory, check=False).code == 0)


def test_a_shedding_that_did_not_come_to_its_end_is_taken_back(site, masters, inventory):
    here, there = masters
    with here.connected() as session:
        with away(site):
            session.sql(f"BEGIN; UPDATE {BIG} SET body = 'held' WHERE id = 21")
            here.sql(BULK * 3)
            assert eventually(lambda: "cannot shed" in log(site), 120), log(site)
            assert here.value("SELECT count(*) FROM multimaster.shed") == "1"
        session.sql("COMMIT")
    back = "is not shed: all masters are back"
    assert eventually(lambda: back in log(site), 120), log(site)
    assert same_rows(masters, BIG, "note", seconds=180), log(site)
    assert there.value(f"SELECT body FROM {BIG} WHERE id = 21") == "held"


def test_somebody_sheds_by_hand_and_takes_the_rows_of_the_other_master(site, masters, inventory):
    here, there = masters
    words = {"name": "multimaster", "tables": [BIG], "master": "here"}
    refused = site.module("bucardo_shed", inventory, check=False, **words)
    assert "All masters of sync multimaster answer" in refused["msg"]
    with away(site):
        here.sql(f"UPDATE {BIG} SET body = 'to be replaced' WHERE id = 31")
        done = site.module("bucardo_shed", inventory, **words)
        assert done["changed"]
        assert here.value(TRIGGERS) == "0"
        assert not site.module("bucardo_shed", inventory, **words)["changed"]
    there.sql(f"UPDATE {BIG} SET body = 'the right one' WHERE id = 31")
    said = reseed(site, inventory, "-e", "multimaster_reseed_from=there", check=False)
    assert "Let there be the origin" in said.error
    moved = with_origin(inventory, "there")
    # The others drain, so the sync runs.
    there.sql("INSERT INTO note (body) VALUES ('after it was back')")
    assert same_rows(masters, "note", seconds=180), log(site)
    with writing(here, LIVE), writing(there, LIVE):
        reseed(site, moved, "-e", "multimaster_reseed_from=there")
    assert same_rows(masters, BIG, "note")
    assert here.value(f"SELECT body FROM {BIG} WHERE id = 31") == "the right one"
    here.sql(f"UPDATE {BIG} SET body = 'and back' WHERE id = 31")
    assert same_rows(masters, BIG)
    # Files of Bucardo's host name the origin first.
    site.play("bootstrap", moved)
    assert site.play("bootstrap", moved).changes == []

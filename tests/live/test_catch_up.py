# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What queued while a sync was held is brought over in chunks, and nothing of it is lost.

Three masters: a change is done when both others have it. The tests follow each other on one site.
"""

from __future__ import annotations

import threading

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE note (id integer PRIMARY KEY, body text NOT NULL, n integer NOT NULL DEFAULT 0);
INSERT INTO note SELECT i, 'note ' || i FROM generate_series(1, 60000) i;
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Its own table" (
    "A" integer, "the Key %" text, "Body %s" text, d numeric DEFAULT 1.50,
    PRIMARY KEY ("A", "the Key %")
);
INSERT INTO "Odd Schema"."Its own table" SELECT i % 40, 'k,' || i, E'tab\\t\\\\N\\n' || i
  FROM generate_series(1, 400) i;
CREATE TABLE wide (id uuid PRIMARY KEY, pad text NOT NULL);
INSERT INTO wide SELECT md5(i::text)::uuid, repeat(md5(i::text), 4000)
  FROM generate_series(1, 30) i;
CREATE TABLE unlike (id integer PRIMARY KEY, code text UNIQUE);
INSERT INTO unlike SELECT i, 'code ' || i FROM generate_series(1, 40) i;
CREATE TABLE child (id integer PRIMARY KEY, note integer NOT NULL REFERENCES note);
INSERT INTO child SELECT i, 3 * i + 2 FROM generate_series(1, 100) i;
CREATE TABLE emptied (id integer PRIMARY KEY);
INSERT INTO emptied SELECT generate_series(1, 10);
CREATE TABLE written (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO written SELECT generate_series(1, 300);
"""
ODD = '"Odd Schema"."Its own table"'
TABLES = ("note", ODD, "wide", "unlike", "child", "emptied", "written")
WAITING = """
SELECT count(*) FROM bucardo.delta_public_{table} d WHERE NOT EXISTS (
  SELECT FROM bucardo.track_public_{table} k WHERE k.txntime = d.txntime)
"""


# Whether no other run is at work on the sync.
FREE = "SELECT pg_try_advisory_lock(hashtext('multimaster.bucardo_sync'), hashtext('multimaster'))"


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right"), site.master("third")]


@pytest.fixture(scope="module")
def inventory(site, masters):
    """Three masters that were just made; their sync is held."""
    inventory = site.inventory(masters, replication_catch_up_above=10000)
    site.play("bootstrap", inventory)
    hold(site, inventory)
    return inventory


def hold(site, inventory):
    site.module("bucardo_sync", inventory, **SYNC, status="held", enrol=False)


SYNC = {"name": "multimaster", "relgroup": "multimaster", "dbgroup": "multimaster"}


def catch_up(site, inventory, **options):
    return site.module("bucardo_catch_up", inventory, **arguments(site, inventory), **options)


def arguments(site, inventory):
    return {"name": SYNC["name"], "masters": site.masters_option(inventory)}


def waiting(master, table="note"):
    return int(master.value(WAITING.format(table=table)))


def test_an_active_sync_is_left_to_bucardo(site, masters, inventory):
    site.module("bucardo_sync", inventory, **SYNC, status="active", enrol=True)
    refused = catch_up(site, inventory, check=False)
    assert "is not held" in refused["msg"]
    hold(site, inventory)


def test_every_kind_of_change_reaches_both_others(site, masters, inventory):
    left, right, third = masters
    left.sql(
        f"""
        UPDATE note SET body = body || '!' WHERE id % 3 = 0;
        DELETE FROM note WHERE id BETWEEN 5000 AND 5999 AND id % 3 = 0;
        INSERT INTO note SELECT i, 'new' FROM generate_series(100000, 100900, 3) i;
        UPDATE note SET id = -id WHERE id % 3 = 0 AND id BETWEEN 7000 AND 7100;
        UPDATE {ODD} SET "Body %s" = E'\\\\.\\n"' || "Body %s" WHERE "A" % 3 = 0;
        UPDATE {ODD} SET "A" = "A" + 1000 WHERE "A" % 3 = 0 AND "A" < 12;
        UPDATE wide SET pad = pad || 'longer';
        UPDATE unlike SET code = 'c' || code WHERE id <= 2;
        UPDATE unlike SET code = CASE id WHEN 1 THEN 'ccode 2' ELSE 'other' END WHERE id = 2;
        UPDATE unlike SET code = 'ccode 2' WHERE id = 1;
        """
    )
    right.sql(
        """
        UPDATE note SET body = body || '?' WHERE id % 3 = 1;
        DELETE FROM note WHERE id BETWEEN 8000 AND 8050 AND id % 3 = 1;
        INSERT INTO child VALUES (1000, 100);
        DELETE FROM wide WHERE false;
        """
    )
    third.sql("UPDATE note SET n = 5 WHERE id % 3 = 2 AND id < 6000")
    planned = site.play(
        site.task("bucardo_catch_up", **arguments(site, inventory)), inventory, "--check"
    )
    assert any("bucardo_catch_up" in change for change in planned.changes)
    assert waiting(left) > 20000
    done = catch_up(site, inventory, enough=0)
    assert done["totals"]["conflicts"] == done["totals"]["violations"] == 0, done
    assert done["left_alone"] == {}
    assert done["after"] == [], done
    for table in TABLES:
        rows = left.rows(table)
        assert right.rows(table) == rows, table
        assert third.rows(table) == rows, table
    assert [master.value("SELECT count(*) FROM bucardo.track_public_note") for master in masters]
    again = catch_up(site, inventory)
    assert not again["changed"]


def test_changes_under_way_wait_even_at_a_time_that_is_done(site, masters, inventory):
    """Bucardo marks times as done: a change that commits later with the same time is lost."""
    left, right, _third = masters
    left.sql("UPDATE note SET n = n + 1 WHERE id BETWEEN 1 AND 10")
    with left.connected() as session:
        session.sql("BEGIN; UPDATE note SET body = 'under way' WHERE id IN (3, 30)")
        session.sql(
            "UPDATE bucardo.delta_public_note SET txntime ="
            " (SELECT min(txntime) FROM bucardo.delta_public_note WHERE id = 1)"
            " WHERE id IN (3, 30) AND txntime = now()"
        )
        done = catch_up(site, inventory, enough=0)
        assert done["totals"]["changes"] == 10
        assert right.value("SELECT n FROM note WHERE id = 3") == "1"
        session.sql("COMMIT")
    assert waiting(left) == 2
    assert catch_up(site, inventory, enough=0)["totals"]["changes"] == 2
    assert right.value("SELECT body FROM note WHERE id = 30") == "under way"


def test_what_could_be_a_conflict_is_left_to_bucardo(site, masters, inventory):
    left, right, third = masters
    left.sql("UPDATE note SET body = 'of the left' WHERE id BETWEEN 50 AND 60")
    right.sql("UPDATE note SET body = 'of the right' WHERE id = 55")
    third.sql("DELETE FROM note WHERE id = 57")
    left.sql("INSERT INTO unlike VALUES (100, 'taken'), (101, 'free')")
    right.sql("INSERT INTO unlike VALUES (102, 'taken')")
    left.sql("INSERT INTO emptied VALUES (77)")
    third.sql(
        "INSERT INTO bucardo.bucardo_truncate_trigger (tablename, sname, tname, sync)"
        f" VALUES ('emptied'::regclass, 'public', 'emptied', '{SYNC['name']}')"
    )
    done = catch_up(site, inventory, enough=0)
    assert done["totals"]["violations"] > 0
    assert "TRUNCATE" in done["left_alone"]["public.emptied"]
    assert waiting(left) == 2
    assert waiting(right) == waiting(third) == 1
    assert waiting(left, "emptied") == 1
    brought = "SELECT array_agg(id ORDER BY id) FROM note WHERE body = 'of the left'"
    # What waits on the third master only may have reached the second one before; it waits still.
    assert right.value(brought) == "{50,51,52,53,54,56,57,58,59,60}"
    assert third.value(brought) == "{50,51,52,53,54,56,58,59,60}"
    assert right.value("SELECT body FROM note WHERE id = 55") == "of the right"
    third.sql("DELETE FROM bucardo.bucardo_truncate_trigger WHERE tname = 'emptied'")
    right.sql("UPDATE unlike SET code = 'not taken' WHERE id = 102")
    catch_up(site, inventory, enough=0)
    assert right.rows("unlike") == left.rows("unlike") == third.rows("unlike")


def test_where_a_release_is_refused_so_is_a_catch_up(site, masters, inventory):
    third = masters[2]
    third.sql("UPDATE multimaster.seed SET epoch = 'another' WHERE table_name = 'wide'")
    refused = catch_up(site, inventory, check=False)
    assert "third" in refused["msg"]
    third.sql(
        "UPDATE multimaster.seed SET epoch = (SELECT epoch FROM multimaster.membership)"
        " WHERE table_name = 'wide'"
    )


def test_killed_amid_writers_and_run_again_nothing_is_lost(site, masters, inventory):
    left, right, third = masters
    left.sql("UPDATE note SET n = n + 100")
    stop = threading.Event()
    counts = dict.fromkeys(range(3), 0)

    def write(number):
        with masters[number].connected() as session:
            while not stop.is_set():
                answer = session.sql(
                    f"UPDATE written SET n = n + 1 WHERE id % 3 = {number} AND random() < 0.3"
                    f" RETURNING id; DELETE FROM note WHERE id = {number - 10};"
                    f" INSERT INTO note VALUES ({number - 10}, 'comes and goes')"
                )
                counts[number] += sum(1 for row in answer if row[0].isdigit())

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _kill in range(2):
            before = waiting(left)
            slow = site.task(
                "bucardo_catch_up", **arguments(site, inventory), rate_limit=200_000, workers=2
            )
            with site.started(slow, inventory):
                assert eventually(lambda before=before: waiting(left) < before - 4000)
                assert site.psql(site.bucardo_host, "bucardo", FREE).strip() == "f"
                site.kill("bucardo_catch_up")
            assert waiting(left) > 0
        # As an installation of an older release has it.
        site.bucardo("set", "statement_chunk_size=6000")
        said = site.play("bootstrap", inventory).text
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert "rows brought in" in said
    setting = "SELECT setting FROM bucardo.bucardo_config WHERE name = 'statement_chunk_size'"
    assert site.psql(site.bucardo_host, "bucardo", setting).strip() == "300"
    assert same_rows(masters, *TABLES)
    assert left.value("SELECT sum(n) FROM written") == str(sum(counts.values()))
    assert third.value("SELECT count(*) FROM note WHERE n >= 100") == right.value(
        "SELECT count(*) FROM note WHERE n >= 100"
    )
    for master in masters:
        assert eventually(lambda master=master: waiting(master) == 0)


def test_the_playbook_holds_catches_up_and_releases(site, masters, inventory):
    left, _right, third = masters
    third.sql("UPDATE note SET n = n + 1000 WHERE id % 2 = 0")
    said = site.play("catch_up", inventory)
    assert said.changes
    assert same_rows(masters, "note")
    assert left.value("SELECT count(*) FROM note WHERE n >= 1000") != "0"
    assert not site.module("bucardo_catch_up", inventory, name="multimaster", if_active="skip")[
        "changed"
    ]

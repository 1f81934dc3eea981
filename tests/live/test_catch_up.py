# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What queued while a sync was held is brought over in chunks, and nothing of it is lost.

Three masters, the last of which joined the others: a change is done when both others have it. The
tests follow each other on one site.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading

import pytest
from disturbances import writing
from site_of_tests import PIPELINED, eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

# The server of one of them can crash.
HOSTS = ("here", "there")

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


# A row of every other number, of some thousands.
WRITE = "UPDATE note SET n = n + 1 WHERE id = 10000 + {} + 2 * (SELECT (random() * 20000)::int)"
# Whether no other run is at work on the sync.
FREE = """
SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'
 AND classid::bigint = hashtext('multimaster.bucardo_sync')::bigint & 4294967295
 AND objid::bigint = hashtext('multimaster')::bigint & 4294967295
"""
JOB = "AnsiballZ_bucardo_catch_up"
CRASH = (
    "set -- $(pg_lsclusters --no-header | head -n 1);"
    " pg_ctlcluster $1 $2 stop -m immediate; pg_ctlcluster $1 $2 start"
)
SYNC = {"name": "multimaster", "relgroup": "multimaster", "dbgroup": "multimaster"}


@pytest.fixture(scope="module")
def masters(site):
    return [
        site.master("left", host="there", schema=SCHEMA),
        site.master("right", host="here"),
        site.master("third", host="there"),
    ]


@pytest.fixture(scope="module")
def first(site, masters):
    """The bootstrap of two of them while rows of the origin change."""
    with writing(masters[0], WRITE.format(0)):
        return bootstrap(site, site.inventory(masters[:2]))


@pytest.fixture(scope="module")
def inventory(site, masters, first):
    """Three masters; the first two are there, and their sync replicates."""
    return site.inventory(masters)


def bootstrap(site, inventory):
    return site.play("bootstrap", inventory, "-v", "-e", "replication_catch_up_above=0")


def hold(site, inventory):
    site.module("bucardo_sync", inventory, **SYNC, status="held", enrol=False)


def catch_up(site, inventory, **options):
    return site.module("bucardo_catch_up", inventory, **arguments(site, inventory), **options)


def arguments(site, inventory):
    return {"name": SYNC["name"], "masters": site.masters_option(inventory)}


def waiting(master, table="note"):
    return int(master.value(WAITING.format(table=table)))


def result(play):
    """What the catch-up of a play with -v returned."""
    said = play.text.split("TASK [multimaster.bucardo.replication : Release | Bring over what")[1]
    found = re.search(r"^changed: \[control\] => (\{.*\})$", said, re.M)
    assert found, said
    return json.loads(found.group(1))


def test_a_first_bootstrap_brings_what_queued_while_rows_were_copied(masters, first):
    assert result(first)["totals"]["changes"] > 0
    assert same_rows(masters[:2], *TABLES)
    assert int(masters[1].value("SELECT sum(n) FROM note")) > 0


def test_a_master_that_joins_gets_what_queued_since_it_was_copied(site, masters, inventory):
    """The others' queues were kept for it until then, and are its own from then on."""
    left, right, third = masters
    with writing(left, WRITE.format(0)), writing(right, WRITE.format(1)):
        play = bootstrap(site, inventory)
    assert "is held while further masters" not in play.text
    done = result(play)
    assert done["totals"]["changes"] > 0
    assert done["left_alone"] == {}
    assert same_rows(masters, *TABLES)
    assert int(third.value("SELECT sum(n) FROM note")) > 0


def test_an_active_sync_is_left_to_bucardo(site, masters, inventory):
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


@contextlib.contextmanager
def explained(masters):
    """Plans are logged as they were executed, and nothing is analyzed meanwhile."""
    settings = {
        "autovacuum": "off",
        "session_preload_libraries": "auto_explain",
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_analyze": "on",
        "auto_explain.log_timing": "off",
    }

    def change(what):
        for master in masters:
            master.sql("".join(what) + "SELECT pg_reload_conf();")

    # Its own settings are known only where it is loaded.
    load = "LOAD 'auto_explain';"
    change([load, *(f"ALTER SYSTEM SET {name} = {value};" for name, value in settings.items())])
    try:
        yield
    finally:
        change([load, *(f"ALTER SYSTEM RESET {name};" for name in settings)])


@pytest.mark.parametrize("table", ["note", "delta_public_note"])
def test_a_table_that_was_analyzed_when_it_was_empty(site, masters, inventory, table):
    """The server takes it for a single row, however wide, until it is analyzed again."""
    left = masters[0]
    with explained(masters):
        left.sql("UPDATE note SET n = n + 1 WHERE id BETWEEN 10000 AND 24999")
        for master in masters:
            master.sql(
                "ANALYZE note, bucardo.delta_public_note;"
                " UPDATE pg_class SET reltuples = 1,"
                " relpages = pg_relation_size(oid) / current_setting('block_size')::integer"
                f" WHERE relname = '{table}'"
            )
        done = catch_up(site, inventory, enough=0)
    assert done["totals"]["changes"] == 15000
    logs = "".join(site.run(host, "cat /var/log/postgresql/*.log") for host in HOSTS)
    scans = re.findall(r"Seq Scan on multimaster_chunk .* rows=(\d+) loops=(\d+)\)", logs)
    assert scans
    # Not all keys for each change.
    assert max(int(rows) * int(loops) for rows, loops in scans) < 15000 * 15000 / 10
    # A chunk is read four times in all, and page by page there are 140 of them.
    assert len(scans) < 80


def test_changes_under_way_wait_even_at_a_time_that_is_done(site, masters, inventory):
    """Bucardo marks times as done: a change that commits later with the same time is lost."""
    left, right, _third = masters
    left.sql("UPDATE note SET n = n + 1 WHERE id BETWEEN 1 AND 10")
    with left.connected() as session:
        session.sql("BEGIN; UPDATE note SET body = 'under way' WHERE id IN (3, 30)")
        session.sql(
            "UPDATE bucardo.delta_public_note SET txntime ="
            " (SELECT min(txntime) FROM bucardo.delta_public_note WHERE id = 1)"
            " WHERE id IN (3, 30) AND xmin::text = (txid_current() % 4294967296)::text"
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


@contextlib.contextmanager
def counted(master, number, counts):
    """A writer of its own rows who counts what was committed."""
    stop = threading.Event()

    def write():
        with master.connected() as session:
            while not stop.is_set():
                answer = session.sql(
                    f"UPDATE written SET n = n + 1 WHERE id % 3 = {number} AND random() < 0.3"
                    f" RETURNING id; DELETE FROM note WHERE id = {number - 10};"
                    f" INSERT INTO note VALUES ({number - 10}, 'comes and goes')"
                )
                counts[number] += sum(1 for row in answer if row[0].isdigit())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


@contextlib.contextmanager
def under_way(site, masters, inventory):
    """A catch-up that has brought a part, and no other may come near."""
    before = waiting(masters[0])
    slow = site.task("bucardo_catch_up", **arguments(site, inventory), rate_limit=100_000)
    with site.started(slow, inventory) as process:
        brought = eventually(
            lambda: process.poll() is not None or waiting(masters[0]) < before - 4000, 90
        )
        assert brought
        assert process.poll() is None, process.communicate(timeout=120)
        # Between its first step and the job in the background nobody is at work.
        assert eventually(lambda: JOB in site.run(site.bucardo_host, "ps -eo args"), 20)
        assert eventually(lambda: site.psql(site.bucardo_host, "bucardo", FREE).strip() == "f", 20)
        yield process
    assert waiting(masters[0]) > 4000


def test_one_that_takes_longer_than_its_first_step(site, masters, inventory):
    """It is begun in one step, and goes on in the background: one result tells of both."""
    left, _right, _third = masters
    left.sql("UPDATE note SET n = n + 1")
    done = catch_up(site, inventory, rate_limit=400_000)
    assert done["totals"]["seconds"] > 8, "this was too quick to be a test"
    assert done["totals"]["keys"] > 59_000
    before, after = (sum(one["changes"] for one in done[when]) for when in ("before", "after"))
    assert before - after == done["totals"]["changes"]
    assert (done["changed"], done["unfinished"]) == (True, False)


def test_killed_between_the_commits_of_a_chunk(site, masters, inventory):
    """The others have its rows and the source's changes still wait: it is brought once more."""
    left, right, third = masters
    left.sql("UPDATE note SET body = 'brought twice' WHERE id BETWEEN 1 AND 500")
    brought = "SELECT count(*) FROM note WHERE body = 'brought twice'"
    with left.connected() as session:
        # What takes changes from the queue waits for this.
        session.sql("BEGIN; LOCK TABLE bucardo.delta_public_note IN SHARE MODE")
        task = site.task("bucardo_catch_up", **arguments(site, inventory), enough=0)
        with site.started(task, inventory) as process:
            assert eventually(lambda: right.value(brought) == third.value(brought) == "500", 90)
            process.kill()
            site.kill(PIPELINED)
        right.sql("UPDATE note SET body = 'and written there' WHERE id = 500")
        session.sql("ROLLBACK")
    assert waiting(left) == 500
    done = catch_up(site, inventory, enough=0)
    # The other waits on two.
    assert (done["totals"]["changes"], done["totals"]["conflicts"]) == (499, 2)
    assert right.value("SELECT body FROM note WHERE id = 500") == "and written there"
    assert third.value(brought) == "500"


def test_killed_twice_amid_writers_and_run_again_nothing_is_lost(site, masters, inventory):
    left, right, third = masters
    left.sql("UPDATE note SET n = n + 100")
    counts = dict.fromkeys(range(3), 0)
    with counted(left, 0, counts), counted(third, 2, counts):
        with counted(right, 1, counts), under_way(site, masters, inventory):
            site.kill("bucardo_catch_up")
        with under_way(site, masters, inventory) as process:
            site.run("here", CRASH)
            said, _errors = process.communicate(timeout=120)
            assert "Lost the connection to right" in " ".join(said.split())
        # As an installation of an older release has it.
        site.bucardo("set", "statement_chunk_size=6000")
        play = site.play("bootstrap", inventory)
    assert "rows brought in" in play.text
    setting = "SELECT setting FROM bucardo.bucardo_config WHERE name = 'statement_chunk_size'"
    assert site.psql(site.bucardo_host, "bucardo", setting).strip() == "300"
    assert same_rows(masters, *TABLES)
    assert min(counts.values()) > 0
    assert left.value("SELECT sum(n) FROM written") == str(sum(counts.values()))
    assert third.value("SELECT count(*) FROM note WHERE n >= 100") == right.value(
        "SELECT count(*) FROM note WHERE n >= 100"
    )
    for master in masters:
        assert eventually(lambda master=master: waiting(master) == 0)


def test_a_partner_that_was_away_while_all_were_written(site, masters, inventory):
    """The playbook holds, catches up and releases; what two have written is Bucardo's to decide."""
    left, right, third = masters
    site.configure("here", ["listen_addresses = ''"])
    left.sql("UPDATE note SET body = 'of the left' WHERE id % 2 = 0")
    third.sql("UPDATE wide SET pad = 'of the third'; DELETE FROM child WHERE id <= 50")
    right.sql(
        "UPDATE note SET body = 'of the right' WHERE id % 2 = 1;"
        " INSERT INTO note SELECT i, 'new there' FROM generate_series(200001, 200500) i"
    )
    right.sql("UPDATE note SET body = 'of the right, too' WHERE id BETWEEN 1000 AND 1010")
    assert waiting(right) > 10000
    site.configure("here")
    play = site.play("catch_up", inventory, "-v")
    done = result(play)
    assert done["left_alone"] == {}
    assert done["totals"]["conflicts"] > 0
    assert done["totals"]["changes"] > 40000
    assert same_rows(masters, *TABLES)
    counts = "SELECT count(*) FROM note WHERE body = '{}'"
    assert third.value(counts.format("new there")) == "500"
    assert int(right.value(counts.format("of the left"))) > 20000
    assert int(left.value(counts.format("of the right"))) > 20000
    assert not site.module("bucardo_catch_up", inventory, name="multimaster", if_active="skip")[
        "changed"
    ]

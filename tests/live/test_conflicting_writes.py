# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two masters that write what the other one does not see yet.

Children without a parent are named; a row that both change all the time holds nothing up, nor does
a worker that is killed; rows that both have of a new partition are named before any is replaced.
"""

from __future__ import annotations

import pytest
from disturbances import unseen, writing
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE parent (id integer PRIMARY KEY, v text);
CREATE TABLE child (id serial PRIMARY KEY, parent integer REFERENCES parent);
CREATE TABLE old_child (id integer PRIMARY KEY, parent integer);
INSERT INTO parent VALUES (1), (2), (3);
INSERT INTO child (parent) VALUES (3), (NULL);
INSERT INTO old_child VALUES (1, 99);
ALTER TABLE old_child ADD FOREIGN KEY (parent) REFERENCES parent NOT VALID;
CREATE TABLE region (area text, part integer, PRIMARY KEY (area, part)) PARTITION BY LIST (area);
CREATE TABLE region_n PARTITION OF region FOR VALUES IN ('n', 'm');
CREATE TABLE "the place" (id serial PRIMARY KEY, "its area" text, part smallint,
    FOREIGN KEY ("its area", part) REFERENCES region);
INSERT INTO region VALUES ('n', 1), ('m', 1);
CREATE TABLE hot (id integer PRIMARY KEY, n bigint);
INSERT INTO hot VALUES (1, 0);
"""
LATE = "CREATE TABLE late (id integer PRIMARY KEY, v text);"
# About a hundred transactions a second.
COUNT = (
    "DO $$ BEGIN FOR i IN 1 .. 5 LOOP"
    " UPDATE hot SET n = n + 1 WHERE id = 1; COMMIT; END LOOP; END $$"
)


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


def compare(site, inventory, **options):
    options = {"masters": site.masters_option(inventory), "foreign_keys": True, **options}
    return site.module("data_compare", inventory, check=False, **options)


def test_what_is_as_it_should_be_is_not_named(site, inventory):
    assert compare(site, inventory)["orphans"] == []


def test_a_child_whose_parent_another_master_deleted_is_named(site, masters, inventory):
    left, right = masters
    with unseen(site):
        left.sql("DELETE FROM parent WHERE id = 1; DELETE FROM region WHERE area = 'n'")
        right.sql("INSERT INTO child (parent) VALUES (1), (1), (2)")
        right.sql("""INSERT INTO "the place" ("its area", part) VALUES ('n', 1), ('m', 1)""")
    assert eventually(lambda: right.value("SELECT count(*) FROM parent") == "2")
    assert same_rows(masters, "child", "parent", "region", '"the place"')
    play = site.play("verify", inventory, check=False)
    assert play.code
    assert "public.child: 2 rows refer by child_parent_fkey" in play.error
    assert "(parent 1; on left, right)" in play.error
    found = compare(site, inventory, fail_on_difference=False)["orphans"]
    assert [(one["table"], one["rows"], one["keys"]) for one in found] == [
        ("public.child", {"left": 2, "right": 2}, [{"parent": "1"}]),
        ('public."the place"', {"left": 1, "right": 1}, [{"its area": "n", "part": "1"}]),
    ]


def test_either_cure_is_replicated(site, masters, inventory):
    left, right = masters
    left.sql("INSERT INTO parent VALUES (1)")
    right.sql("""DELETE FROM "the place" WHERE "its area" = 'n'""")
    assert same_rows(masters, "parent", '"the place"')
    site.play("verify", inventory)


def test_a_row_that_both_change_all_the_time_holds_nothing_up(site, masters, inventory):
    """Each run of the daemon fails when another transaction was quicker, and is tried again."""
    left, right = masters
    with writing(left, COUNT), writing(right, COUNT):
        for number, master in enumerate(masters):
            master.sql(f"INSERT INTO parent VALUES (10 + {number})")
        assert eventually(lambda: left.value("SELECT 1 FROM parent WHERE id = 11") == "1")
        assert eventually(lambda: right.value("SELECT 1 FROM parent WHERE id = 10") == "1")
        for master in masters:
            master.sql(LATE)
        left.sql("INSERT INTO late SELECT i, 'v' FROM generate_series(1, 100) i")
        site.play("bootstrap", inventory)
        right.sql("INSERT INTO late VALUES (101, 'from the right')")
        assert same_rows(masters, "late")
    assert same_rows(masters, "hot", "late", "parent")
    site.play("verify", inventory)
    assert site.play("bootstrap", inventory).changes == []


def test_a_worker_that_is_killed_leaves_no_open_transaction(site, masters, inventory):
    left, right = masters
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE usename = 'bucardo' AND xact_start IS NOT NULL"
        " AND datname IN ('left', 'right')"
    )
    blocked = "SELECT 1 FROM pg_locks WHERE NOT granted"
    with right.connected() as application:
        application.sql("BEGIN; UPDATE parent SET v = 'of the right' WHERE id = 2")
        left.sql("UPDATE parent SET v = 'of the left' WHERE id = 2")
        assert eventually(lambda: right.sql(blocked))
        orphans = {row[0] for row in left.sql(waiting)}
        assert len(orphans) > 1
        site.run("db", "pkill -KILL -f '^Bucardo Kid'")
        application.sql("COMMIT")
    assert eventually(lambda: not orphans & {row[0] for row in left.sql(waiting)}, 20)
    assert same_rows(masters, "parent")


def test_rows_that_both_wrote_into_a_new_partition_can_be_brought_together(
    site, masters, inventory
):
    left, right = masters
    for number, master in enumerate(masters):
        master.sql("CREATE TABLE region_s PARTITION OF region FOR VALUES IN ('s')")
        master.sql(f"INSERT INTO region VALUES ('s', {number})")
    assert "public.region_s" in site.play("status", inventory, check=False).text
    play = site.play("bootstrap", inventory, check=False)
    assert "[target-not-empty] public.region_s on right" in play.error
    # As the README says.
    left.sql("INSERT INTO region VALUES ('s', 1)")
    site.play("bootstrap", inventory, "-e", '{"data_seed_replace": ["public.region_s"]}')
    right.sql("INSERT INTO region VALUES ('s', 2)")
    assert same_rows(masters, "region")
    assert left.value("SELECT count(*) FROM region_s") == "3"

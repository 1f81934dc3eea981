# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Bucardo does wrong with generated columns, inheritance and partitions is corrected.

A generated column is computed on each master. A row of a table that inherits stays when its parent
has one with the same key that changes or goes. What is written through a parent wakes the daemon.
"""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE doc (id integer PRIMARY KEY, body text,
    ts tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED);
INSERT INTO doc SELECT i, 'text of ' || i FROM generate_series(1, 20) i;
CREATE FUNCTION area(a numeric, b numeric) RETURNS numeric LANGUAGE sql IMMUTABLE
    AS 'SELECT a * b';
CREATE TABLE "Größen" (
    a integer, "its area" numeric GENERATED ALWAYS AS (public.area(a, "W""ert")) STORED,
    "W""ert" numeric, gone text, b text, PRIMARY KEY (b, a));
ALTER TABLE "Größen" DROP COLUMN gone;
INSERT INTO "Größen" (a, "W""ert", b) SELECT i, i / 3.0, 'k' || i FROM generate_series(1, 700) i;
CREATE TABLE keyed (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY, v text);
INSERT INTO keyed VALUES (1, DEFAULT, 'x'), (2, DEFAULT, 'y');
CREATE TABLE mixed (id integer PRIMARY KEY, region text,
    up text GENERATED ALWAYS AS (upper(region)) STORED, UNIQUE (up, id));
INSERT INTO mixed VALUES (1, 'n'), (2, 's');
CREATE TABLE base (id integer PRIMARY KEY, v text);
CREATE TABLE special (extra text, PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE narrow (PRIMARY KEY (id)) INHERITS (special);
INSERT INTO base SELECT i, 'in base' FROM generate_series(1, 400) i;
INSERT INTO special SELECT i, 'in special', 'x' FROM generate_series(1, 400) i;
INSERT INTO narrow SELECT i, 'in narrow', 'y' FROM generate_series(1, 400) i;
CREATE TABLE event (id integer, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE event_n PARTITION OF event FOR VALUES IN ('n');
CREATE TABLE event_rest PARTITION OF event DEFAULT PARTITION BY LIST (region);
CREATE TABLE event_s PARTITION OF event_rest FOR VALUES IN ('s');
CREATE TABLE plain (id integer PRIMARY KEY, v integer);
INSERT INTO plain VALUES (1, 1), (2, 2);
"""
WRONG = """
SELECT (SELECT count(*) FROM doc WHERE ts IS DISTINCT FROM to_tsvector('simple', body))
     + (SELECT count(*) FROM "Größen" WHERE "its area" IS DISTINCT FROM a * "W""ert")
"""
TABLES = ("doc", '"Größen"', "keyed", "mixed", "ONLY base", "ONLY special", "narrow", "plain")


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


FAMILY = ("base", "special", "narrow")


def change_all(master, word):
    master.sql(
        f"""
        INSERT INTO doc (id, body) SELECT 1000 + length('{word}'), '{word}';
        UPDATE doc SET body = body || ' {word}' WHERE id < 8;
        UPDATE "Größen" SET "W""ert" = a + length('{word}') WHERE a <= 650;
        DELETE FROM "Größen" WHERE a = 650 + length('{word}');
        UPDATE keyed SET v = '{word}', a = a + 2 * length('{word}') WHERE a < 3;
        UPDATE mixed SET region = '{word}' WHERE id = 1;
        UPDATE plain SET v = v + 1;
        UPDATE ONLY base SET v = v || ' {word}' WHERE id <= 350;
        DELETE FROM ONLY base WHERE id = 350 + length('{word}');
        UPDATE ONLY special SET v = v || ' {word}' WHERE id <= length('{word}');
        DELETE FROM ONLY special WHERE id = 300 + length('{word}');
        """
    )


def test_changes_arrive_both_ways(masters, inventory):
    for master, word in zip((*masters, *masters), ("a", "bb", "ccc", "dddd")):
        change_all(master, word)
        assert same_rows(masters, *TABLES)
        assert all(master.value(WRONG) == "0" for master in masters)
    assert masters[0].value("SELECT up FROM mixed WHERE id = 1") == "DDDD"
    assert masters[0].value('SELECT count(*) FROM "Größen"') == "696"
    for master in masters:
        rows = [master.value(f"SELECT count(*) FROM ONLY {name}") for name in FAMILY]
        assert rows == ["396", "396", "400"]


def test_so_do_those_of_one_moment(masters, inventory):
    for master in masters:
        master.sql("UPDATE doc SET body = current_database() WHERE id = 20")
    masters[0].sql("UPDATE doc SET body = 'left' WHERE id = 19")
    masters[1].sql("UPDATE doc SET body = 'right' WHERE id = 18; DELETE FROM doc WHERE id = 17")
    assert same_rows(masters, *TABLES)


def test_a_second_run_has_nothing_to_do_and_all_is_equal(site, masters, inventory):
    assert site.play("bootstrap", inventory).changes == []
    site.play("verify", inventory)


def test_the_daemon_does_so_after_a_restart_as_well(site, masters, inventory):
    site.bucardo("restart")
    change_all(masters[1], "eeeee")
    assert same_rows(masters, *TABLES)


def test_what_is_written_through_a_parent_arrives_at_once(masters, inventory):
    """And not after a minute, when the sync looks by itself."""
    masters[0].sql("INSERT INTO event VALUES (1, 'n'), (2, 's'), (3, 's')")
    assert same_rows(masters, "event", seconds=30)
    masters[1].sql("UPDATE event SET region = 's' WHERE id = 1; DELETE FROM event WHERE id = 2")
    assert same_rows(masters, "event", seconds=30)
    masters[1].sql("UPDATE base SET v = 'through base' WHERE id = 399")
    assert same_rows(masters, "narrow", seconds=30)
    assert masters[0].value("SELECT v FROM narrow WHERE id = 399") == "through base"
    masters[0].sql("DELETE FROM base WHERE id = 398")
    assert same_rows(masters, "base", seconds=30)
    assert masters[1].value("SELECT count(*) FROM base WHERE id IN (397, 398)") == "3"


def test_a_column_that_comes_later_is_left_out_as_well(site, masters, inventory):
    for master in masters:
        master.sql(
            "ALTER TABLE plain ADD COLUMN note text,"
            " ADD COLUMN twice integer GENERATED ALWAYS AS (v * 2) STORED"
        )
    site.play("bootstrap", inventory)
    for number, master in enumerate(masters):
        master.sql(f"UPDATE plain SET v = {40 + number}, note = 'x' WHERE id = {1 + number}")
        assert same_rows(masters, "plain")
    assert masters[0].sql("SELECT twice FROM plain ORDER BY id") == [["80"], ["82"]]

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TRUNCATE on one master loses nothing that is written on the others, by any policy but Bucardo's.

Every table is one case. All are truncated on the left while the sync is held, so that what the
other masters write comes after the TRUNCATE and before the run that brings it over.
"""

from __future__ import annotations

import concurrent.futures

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True
WEIGHT = 95

SCHEMA = """
CREATE TABLE plain (id int PRIMARY KEY, body text);
CREATE TABLE customer (id int PRIMARY KEY, body text);
CREATE TABLE purchase (id int PRIMARY KEY, body text,
                       customer int REFERENCES customer ON DELETE RESTRICT);
CREATE TABLE node (id int PRIMARY KEY, body text, parent int REFERENCES node);
CREATE TABLE first (id int PRIMARY KEY, body text);
CREATE TABLE second (id int PRIMARY KEY, body text);
CREATE TABLE part (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (1000) TO (10000);
CREATE SCHEMA "Of 'ten";
CREATE TABLE "Of 'ten"."Ta ble" ("Ke y" int PRIMARY KEY, body text);
CREATE TABLE pair (a text, id int, body text, PRIMARY KEY (id, a));
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE kinds (id positive PRIMARY KEY, body text);
CREATE TABLE serial (id serial PRIMARY KEY, body text);
CREATE TABLE guarded (id int PRIMARY KEY, body text);
CREATE TABLE mother (id int PRIMARY KEY, body text);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (mother);
CREATE TABLE only_mother (id int PRIMARY KEY, body text);
CREATE TABLE only_child (PRIMARY KEY (id)) INHERITS (only_mother);
CREATE TABLE watched (id int PRIMARY KEY, body text);
CREATE TABLE deleted (id int PRIMARY KEY);
CREATE TABLE empty (id int PRIMARY KEY, body text);
CREATE TABLE undone (id int PRIMARY KEY, body text);
CREATE TABLE before (id int PRIMARY KEY, body text);

INSERT INTO plain SELECT i, 'old' FROM generate_series(1, 50) i;
INSERT INTO customer SELECT * FROM plain;
INSERT INTO purchase SELECT id, body, id FROM plain;
INSERT INTO node SELECT id, body, NULLIF(id - 1, 0) FROM plain;
INSERT INTO first SELECT * FROM plain;
INSERT INTO second SELECT * FROM plain;
INSERT INTO part SELECT * FROM plain UNION ALL SELECT id + 1000, body FROM plain;
INSERT INTO "Of 'ten"."Ta ble" SELECT * FROM plain;
INSERT INTO pair SELECT 'a''"b' || id, id, body FROM plain;
INSERT INTO kinds SELECT * FROM plain;
INSERT INTO serial (body) SELECT body FROM plain;
INSERT INTO guarded SELECT * FROM plain;
INSERT INTO mother SELECT * FROM plain;
INSERT INTO child SELECT id + 100, body FROM plain;
INSERT INTO only_mother SELECT * FROM plain;
INSERT INTO only_child SELECT id + 100, body FROM plain;
INSERT INTO watched SELECT * FROM plain;
INSERT INTO undone SELECT * FROM plain;
INSERT INTO before SELECT * FROM plain;

CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO public.deleted VALUES (OLD.id); RETURN OLD; END';
CREATE TRIGGER note_deletion BEFORE DELETE ON watched
  FOR EACH ROW EXECUTE FUNCTION note_deletion();
CREATE ROLE app;
GRANT SELECT, INSERT, TRUNCATE ON guarded TO app;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nothing ON guarded TO app USING (false) WITH CHECK (true);
"""
# What an application of somebody without good intentions finds first.
TRAP = """
CREATE SCHEMA trap;
CREATE FUNCTION trap.quote_ident(name) RETURNS text LANGUAGE sql AS 'SELECT 1 / 0 || ''''';
CREATE FUNCTION trap.eq(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0 = 1';
CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = name, FUNCTION = trap.eq);
GRANT USAGE ON SCHEMA trap TO app;
"""
TRUNCATES = """
TRUNCATE plain;
TRUNCATE purchase, customer;
TRUNCATE node;
TRUNCATE first, second;
TRUNCATE part;
TRUNCATE "Of 'ten"."Ta ble";
TRUNCATE pair;
TRUNCATE kinds;
TRUNCATE serial RESTART IDENTITY;
TRUNCATE mother;
TRUNCATE ONLY only_mother;
TRUNCATE watched;
TRUNCATE empty;
BEGIN; TRUNCATE undone; ROLLBACK;
BEGIN; INSERT INTO before VALUES (60, 'old'); TRUNCATE before; COMMIT;
SET search_path = trap, pg_catalog, public; SET ROLE app; TRUNCATE public.guarded;
"""
KEPT = ("only_child", "undone")
TABLES = [
    *("plain", "customer", "purchase", "node", "first", "second", "part_low", "part_high", "pair"),
    *("kinds", "serial", "guarded", "mother", "child", "only_mother", "only_child", "watched"),
    *("empty", "undone", "before", '"Of \'ten"."Ta ble"'),
]
EVERYTHING = [*TABLES, "deleted"]


def came_later(master, number):
    """One row for each table, as an application would write it on this master."""
    for table in TABLES:
        # Leaves take only some keys, and Bucardo wants other ones for children than for mothers.
        row = number + {"part_high": 5000, "child": 600, "only_child": 600}.get(table, 500)
        values = {
            "pair": f"('new', {row}, '{master.name}')",
            "purchase": f"({row}, '{master.name}', NULL)",
            "node": f"({row}, '{master.name}', NULL)",
        }.get(table, f"({row}, '{master.name}')")
        master.sql(f"INSERT INTO {table} VALUES {values}")


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA + TRAP), site.master("right"), site.master("third")]


@pytest.fixture(scope="module")
def sync(site, inventory):
    """Changes the sync as a task does."""
    masters = site.masters_option(inventory)

    def change(**options):
        fixed = {"relgroup": "multimaster", "dbgroup": "multimaster", "masters": masters}
        return site.module("bucardo_sync", inventory, name="multimaster", **fixed, **options)

    return change


@pytest.fixture
def held(site, inventory, masters, sync):
    """Holds the sync; what it returns releases it and waits until the queue is drained."""
    sync(status="held")

    def release():
        sync(status="active")
        option = site.masters_option(inventory)
        site.module("bucardo_kick", inventory, name="multimaster", timeout=60, masters=option)

    yield release
    release()


def test_what_other_masters_write_after_a_truncate_stays_and_what_was_there_goes(masters, held):
    left, right, third = masters
    left.sql(TRUNCATES)
    for number, master in ((1, left), (2, right), (3, third)):
        came_later(master, number)
    held()
    same_rows(masters, *EVERYTHING)
    differ = [table for table in EVERYTHING if not same_rows(masters, table, seconds=0)]
    wrong = {}
    for table in TABLES:
        writers = [row[0] for row in left.sql(f"SELECT body FROM ONLY {table}")]
        wanted = {"left": 1, "right": 1, "third": 1, **({"old": 50} if table in KEPT else {})}
        found = {writer: writers.count(writer) for writer in {*writers, *wanted}}
        if found != wanted:
            wrong[table] = found
    assert (differ, wrong) == ([], {})
    # TRUNCATE fires no trigger for rows, here as little as anywhere.
    assert left.rows("deleted") == []


def test_a_truncate_that_cascades_empties_the_referenced_table_everywhere(masters, held):
    left, right, _third = masters
    right.sql("INSERT INTO purchase VALUES (9001, 'right', NULL)")
    left.sql("TRUNCATE customer CASCADE")
    right.sql("INSERT INTO customer VALUES (9002, 'right')")
    held()
    assert same_rows(masters, "customer", "purchase")
    assert left.sql("SELECT id FROM customer") == [["9002"]]
    assert left.sql("SELECT id FROM purchase") == [["9001"]]


def test_a_truncate_that_would_remove_rows_unseen_is_refused(masters):
    left = masters[0]
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        said = left.refused(f"BEGIN ISOLATION LEVEL {level}; TRUNCATE undone; COMMIT")
        assert "isolation level read committed" in said
        assert "DELETE" in said
    assert left.value("SELECT count(*) FROM undone") == "53"


def test_a_row_that_a_truncate_waited_for_is_queued(masters, held):
    left, right = masters[:2]
    until = (
        "SET statement_timeout = '60s'; DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks"
        " WHERE relation = 'plain'::regclass AND mode = '{}' AND {} granted)"
        " LOOP PERFORM pg_sleep(0.05); END LOOP; END $$;"
    )
    writer = (
        "BEGIN; INSERT INTO plain VALUES (5000, 'late');"
        + until.format("AccessExclusiveLock", "NOT")
        + "COMMIT"
    )
    truncate = until.format("RowExclusiveLock", "") + "TRUNCATE plain"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(left.sql, (writer, truncate)))
    assert left.rows("plain") == []
    # Once for the INSERT, once for the TRUNCATE.
    assert left.value("SELECT count(*) FROM bucardo.delta_public_plain WHERE id = 5000") == "2"
    held()
    assert same_rows(masters, "plain")
    assert right.rows("plain") == []


def test_a_second_run_and_a_validation_leave_the_triggers_alone(site, masters, inventory):
    triggers = (
        "SELECT tgrelid::regclass, tgname, tgfoid::regproc, oid FROM pg_trigger"
        " WHERE tgname ~ '^bucardo' ORDER BY 1, 2"
    )
    before = [master.sql(triggers) for master in masters]
    # But the sequence that RESTART IDENTITY took out of its share goes back.
    (change,) = site.play("bootstrap", inventory).changes
    assert "Sequences | Keep the masters from handing out the same value" in change
    site.bucardo("validate", "multimaster")
    site.bucardo("reload", "multimaster")
    assert [master.sql(triggers) for master in masters] == before


def test_nobody_else_can_use_the_function(masters):
    left = masters[0]
    left.sql(
        "CREATE TABLE own (id int); ALTER TABLE own OWNER TO app;"
        " GRANT USAGE ON SCHEMA bucardo TO app"
    )
    said = left.refused(
        "SET ROLE app; CREATE TRIGGER bucardo_note_trunc_x BEFORE TRUNCATE ON own"
        " FOR EACH STATEMENT EXECUTE FUNCTION bucardo.multimaster_truncate_delete('x')"
    )
    assert "permission denied for function" in said
    left.sql("REVOKE USAGE ON SCHEMA bucardo FROM app; DROP TABLE own")


def test_a_truncate_can_be_refused(masters, sync):
    change = sync(truncate="refuse")
    assert change["changed"]
    assert change["diff"]["before"]["truncate"] == "delete"
    assert change["diff"]["after"]["truncate"] == "refuse"
    assert "public.plain" in change["enrolment"]["left"]["to_enrol"]
    for master in masters:
        said = master.refused("TRUNCATE undone")
        assert "public.undone" in said
        assert "Use DELETE" in said
        assert master.value("SELECT count(*) FROM undone") == "53"
    assert not sync(truncate="refuse")["changed"]
    assert not sync()["changed"]


def test_what_bucardos_own_way_loses_is_told(site, masters, inventory, sync):
    left, right = masters[:2]
    assert sync(truncate="bucardo")["changed"]
    assert not sync(truncate="bucardo")["changed"]
    option = site.masters_option(inventory)
    found = site.module("preflight", inventory, "root", masters=option, truncate="bucardo")
    cautions = [one for one in found["cautions"] if one["check"] == "truncate-foreign-key"]
    assert [one["object"] for one in cautions] == ["public.customer"]

    left.sql("TRUNCATE purchase, customer, first")
    assert eventually(lambda: right.value("SELECT count(*) FROM first") == "0")
    assert right.value("SELECT count(*) FROM customer") != "0"
    told = site.module("bucardo_info", inventory, masters=option)
    lost = [(one["master"], one["table"], one["count"]) for one in told["truncates_lost"]]
    assert lost == [("left", "public.customer", 1)]
    assert any("TRUNCATE of public.customer" in line for line in told["problems"])
    right.sql("DELETE FROM customer")
    assert same_rows(masters, "customer")


def test_the_next_bootstrap_brings_the_default_to_an_older_installation(
    site, masters, inventory, request
):
    left, right = masters[:2]
    assert site.play("bootstrap", inventory).changes != []
    release = request.getfixturevalue("held")
    left.sql("TRUNCATE second")
    right.sql("INSERT INTO second VALUES (7000, 'right')")
    release()
    assert same_rows(masters, "second")
    assert left.sql("SELECT id FROM second") == [["7000"]]
    # The risk is gone, and the bootstrap has compared the rows.
    told = site.module("bucardo_info", inventory, masters=site.masters_option(inventory))
    assert told["truncates_lost"] == []


def test_teardown_leaves_nothing_of_it(site, masters, inventory):
    site.play("teardown", inventory, "-e", "multimaster_confirm_teardown=multimaster")
    for master in masters:
        master.sql("TRUNCATE purchase, customer")
        assert master.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^bucardo'") == "0"
        assert master.value("SELECT count(*) FROM pg_proc WHERE proname ~ '^multimaster'") == "0"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucardo commits a run on one master after the other: one that ends between them loses nothing,
and what was received in it is not brought again over what was made of it since.

By itself Bucardo 5.6.0 looks only at the last table of a run to see whether the marks of what was
brought must wait until all have. Those that were written to commit in the order of their names.
"""

from __future__ import annotations

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE first (id integer PRIMARY KEY, body text);
CREATE TABLE last (id integer PRIMARY KEY, body text);
CREATE TABLE emptied (id integer PRIMARY KEY);
CREATE TABLE made (id integer, "Part" text, body text, PRIMARY KEY (id, "Part"));
"""
TABLES = ("first", "last", "emptied", "made")
# For sessions of replication, too; at the commit.
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'refused when it commits'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {0} DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE {0} ENABLE ALWAYS TRIGGER refuse;
"""
ALLOW = "DROP TRIGGER refuse ON {0}; DROP FUNCTION refuse()"
FAILED = "cat /var/log/postgresql/*.log | grep -c 'ERROR:  refused when it commits' || true"
SYNC = {"name": "multimaster", "relgroup": "multimaster", "dbgroup": "multimaster"}
WAITING = """SELECT count(*) FROM bucardo.delta_public_{0} d WHERE NOT EXISTS (
  SELECT FROM bucardo.track_public_{0} k WHERE k.txntime = d.txntime)"""


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


@pytest.fixture(scope="module")
def inventory(site, masters):
    # Of which the note that it was brought has no stage.
    inventory = site.inventory(masters, replication_truncate="bucardo")
    site.play("bootstrap", inventory)
    return inventory


def drained(site, masters):
    site.bucardo("kick", "multimaster")
    return eventually(
        lambda: all(
            master.value(WAITING.format(table)) == "0" for master in masters for table in TABLES
        ),
        90,
    )


def test_no_run_fails_where_one_master_writes_and_then_the_other(site, masters, inventory):
    for number, (there, other) in enumerate([masters, masters[::-1]]):
        there.sql(f"INSERT INTO first VALUES ({100 + number}, 'written')")
        assert eventually(
            lambda other=other, number=number: (
                other.value(f"SELECT 1 FROM first WHERE id = {100 + number}") == "1"
            )
        )
    assert "Kid has died" not in site.run("db", "cat /var/log/bucardo/log.bucardo")


@pytest.mark.parametrize("refusing", [1, 0], ids=["right refuses", "left refuses"])
def test_what_only_one_of_them_has_committed_is_brought_again(site, masters, inventory, refusing):
    there, other = masters[refusing], masters[1 - refusing]
    options = {**SYNC, "masters": site.masters_option(inventory)}
    # A worker that has just begun.
    site.module("bucardo_daemon", inventory, state="restarted")
    failures = int(site.run(there.host, FAILED))
    other.sql("INSERT INTO emptied VALUES (1)")
    assert eventually(lambda: there.value("SELECT 1 FROM emptied") == "1", 90)
    site.module("bucardo_sync", inventory, **options, status="held")
    other.sql(f"TRUNCATE emptied; INSERT INTO first VALUES ({refusing}, 'brought')")
    there.sql(f"INSERT INTO last VALUES ({refusing}, 'brought')")
    there.sql(REFUSE.format("first"))
    site.module("bucardo_sync", inventory, **options, status="active")
    site.bucardo("kick", "multimaster")
    assert eventually(lambda: int(site.run(there.host, FAILED)) > failures, 60)
    there.sql(ALLOW.format("first"))
    assert drained(site, masters)
    assert same_rows(masters, *TABLES)
    assert there.value("SELECT count(*) FROM emptied") == "0"
    assert there.value(f"SELECT body FROM first WHERE id = {refusing}") == "brought"


# A value of the key that needs care in an array.
PART = """E'it''s "a", {b}'"""


@pytest.mark.parametrize(
    ("writer", "both", "refusing"),
    [
        pytest.param(0, False, "bucardo.track_public_made", id="the marks are refused"),
        pytest.param(0, True, "bucardo.track_public_made", id="marks that waited are refused"),
        pytest.param(1, True, "last", id="the second commit is refused"),
    ],
)
def test_what_was_received_is_no_conflict_with_what_was_made_of_it(
    site, masters, inventory, writer, both, refusing
):
    there, other = masters[writer], masters[1 - writer]
    options = {**SYNC, "masters": site.masters_option(inventory)}
    failures = int(site.run(there.host, FAILED))
    first = 100 * (1 + writer + 2 * both)
    site.module("bucardo_sync", inventory, **options, status="held")
    there.sql(
        f"INSERT INTO made SELECT i, {PART}, 'begun' FROM generate_series({first}, {first + 9}) i"
    )
    if both:
        other.sql(f"INSERT INTO last VALUES ({first}, 'brought')")
    there.sql(REFUSE.format(refusing))
    site.module("bucardo_sync", inventory, **options, status="active")
    site.bucardo("kick", "multimaster")
    assert eventually(lambda: int(site.run(there.host, FAILED)) > failures, 60)
    assert other.value(f"SELECT count(*) FROM made WHERE id >= {first}") == "10"
    other.sql(f"UPDATE made SET body = 'made of it' WHERE id BETWEEN {first} AND {first + 3}")
    other.sql(f"DELETE FROM made WHERE id = {first + 9}")
    # This one's table has the later change now, which decides what is a conflict.
    there.sql(f"UPDATE made SET body = 'by itself' WHERE id BETWEEN {first + 2} AND {first + 3}")
    there.sql(ALLOW.format(refusing))
    assert drained(site, masters)
    assert same_rows(masters, *TABLES)
    bodies = there.sql(f"SELECT body FROM made WHERE id >= {first} ORDER BY id")
    assert [body for (body,) in bodies] == [
        *["made of it"] * 2,
        *["by itself"] * 2,
        *["begun"] * 5,
    ]

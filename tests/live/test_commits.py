# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucardo commits a run on one master after the other: one that ends between them loses nothing.

By itself Bucardo 5.6.0 looks only at the last table of a run to see whether the marks of what was
brought must wait until all have committed.
"""

from __future__ import annotations

import pytest
from site_of_tests import eventually, same_rows

SCHEMA = """
CREATE TABLE a_both (id integer PRIMARY KEY, body text);
CREATE TABLE m_one (id integer PRIMARY KEY, body text);
CREATE TABLE z_both (id integer PRIMARY KEY, body text);
"""
TABLES = ("a_both", "m_one", "z_both")
# For sessions of replication, too; at the commit.
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'refused when it commits'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON a_both DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE a_both ENABLE ALWAYS TRIGGER refuse;
"""
ALLOW = "DROP TRIGGER refuse ON a_both; DROP FUNCTION refuse()"
FAILED = "cat /var/log/postgresql/*.log | grep -c 'ERROR:  refused when it commits' || true"
SYNC = {"name": "multimaster", "relgroup": "multimaster", "dbgroup": "multimaster"}
WAITING = """SELECT count(*) FROM bucardo.delta_public_{0} d WHERE NOT EXISTS (
  SELECT FROM bucardo.track_public_{0} k WHERE k.txntime = d.txntime)"""


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


@pytest.fixture(scope="module")
def inventory(site, masters):
    inventory = site.inventory(masters)
    site.play("bootstrap", inventory)
    return inventory


@pytest.mark.parametrize("refusing", [1, 0], ids=["right refuses", "left refuses"])
def test_what_only_one_of_them_has_committed_is_brought_again(site, masters, inventory, refusing):
    options = {**SYNC, "masters": site.masters_option(inventory)}
    # It may be busy starting workers that fail again.
    site.module("bucardo_daemon", inventory, state="restarted")
    site.module("bucardo_sync", inventory, **options, status="held")
    before = int(site.run(masters[0].host, FAILED))
    for number, master in enumerate(masters):
        id_ = 10 * refusing + number
        for table in ("a_both", "z_both"):
            master.sql(f"INSERT INTO {table} VALUES ({id_}, 'of both')")
    # Their marks must wait for the one that refuses.
    other = masters[1 - refusing]
    other.sql(f"INSERT INTO m_one VALUES ({refusing}, 'of one')")
    masters[refusing].sql(REFUSE)
    site.module("bucardo_sync", inventory, **options, status="active")
    site.bucardo("kick", "multimaster")
    assert eventually(lambda: int(site.run(masters[0].host, FAILED)) > before, 60)
    masters[refusing].sql(ALLOW)
    site.bucardo("kick", "multimaster")
    assert eventually(
        lambda: all(
            master.value(WAITING.format(table)) == "0" for master in masters for table in TABLES
        ),
        90,
    )
    assert same_rows(masters, *TABLES)
    assert masters[refusing].value(f"SELECT body FROM m_one WHERE id = {refusing}") == "of one"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two syncs between the same masters: one goes, and a master goes, and the rest replicates on."""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE SCHEMA one;
CREATE SCHEMA two;
CREATE TABLE one.note (id serial PRIMARY KEY, body text NOT NULL);
CREATE TABLE two.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO one.note (body) SELECT 'row ' || i FROM generate_series(1, 50) i;
INSERT INTO two.note (body) SELECT 'row ' || i FROM generate_series(1, 50) i;
"""
TRIGGERS = """
SELECT DISTINCT t.tgrelid::regclass::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE t.tgname ~ '^bucardo' AND c.relnamespace::regnamespace::text <> 'bucardo' ORDER BY 1
"""
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname IN ('bucardo', 'multimaster') ORDER BY 1"


@pytest.fixture(scope="module")
def masters(site):
    first = site.master("first", schema=SCHEMA)
    return [first, site.master("second"), site.master("third")]


@pytest.fixture(scope="module")
def one(site, masters):
    """The sync of three masters."""
    made = site.inventory(masters, multimaster_sync="one", multimaster_tables=["one.*"])
    site.play("bootstrap", made)
    return made


@pytest.fixture(scope="module")
def two(site, masters, one):
    """The sync of the first two of them."""
    made = site.inventory(masters[:2], multimaster_sync="two", multimaster_tables=["two.*"])
    site.play("bootstrap", made)
    return made


def test_one_master_leaves_and_the_others_go_on(site, masters, one, two):
    first, second, third = masters
    words = ("--extra-vars", "multimaster_teardown_only=third")
    asked = site.play("teardown", one, *words, check=False)
    assert "multimaster_confirm_teardown=third" in asked.text
    third.sql("INSERT INTO one.note (body) VALUES ('the last one')")
    site.play("teardown", one, *words, "--extra-vars", "multimaster_confirm_teardown=third")
    assert (third.sql(TRIGGERS), third.sql(SCHEMAS)) == ([], [])
    known = site.module("bucardo_info", one, pending=False)
    assert sorted(known["databases"]) == ["first", "second"]
    for master in (first, second):
        assert master.value("SELECT count(*) FROM one.note WHERE body = 'the last one'") == "1"
        master.sql("INSERT INTO one.note (body) VALUES ('after that')")
        assert master.sql(SCHEMAS) == [["bucardo"], ["multimaster"]]
    assert same_rows([first, second], "one.note")
    assert third.value("SELECT count(*) FROM one.note WHERE body = 'after that'") == "0"


def test_one_sync_goes_and_the_other_goes_on(site, masters, one, two):
    first, second = masters[:2]
    del one["all"]["children"]["masters"]["hosts"]["third"]
    confirmed = ("--extra-vars", "multimaster_confirm_teardown=one")
    site.play("teardown", one, *confirmed)
    for number, master in enumerate((first, second)):
        assert master.sql(TRIGGERS) == [["two.note"]]
        master.sql(f"INSERT INTO two.note VALUES ({1000 + number}, '{master.name}')")
    assert same_rows([first, second], "two.note")
    assert first.value("SELECT count(*) FROM two.note") == "52"
    assert site.play("teardown", one, *confirmed).changes == []
    site.play("teardown", two, "--extra-vars", "multimaster_confirm_teardown=two")
    assert [master.sql(SCHEMAS) for master in (first, second)] == [[], []]

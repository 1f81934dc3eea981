# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masters leave that are there, the origin among them, down to the last one.

All are databases of one server; one that is lost lets nobody in any more.
"""

from __future__ import annotations

import contextlib

import pytest
from disturbances import unseen, writing
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 200) i;
"""
TRACES = """
SELECT (SELECT count(*) FROM pg_trigger WHERE tgname ~ '^bucardo')
     + (SELECT count(*) FROM pg_namespace WHERE nspname IN ('bucardo', 'multimaster'))
"""
INCREMENT = "SELECT increment_by FROM pg_sequences WHERE sequencename = 'note_id_seq'"
CONFIRMED = ("-e", "multimaster_confirm_teardown=multimaster")


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("first", schema=SCHEMA), site.master("second"), site.master("third")]


@contextlib.contextmanager
def locked_out(site, master):
    """Nobody gets in, as with a server that is gone."""
    allow = f"ALTER DATABASE {master.database} ALLOW_CONNECTIONS"
    site.psql("db", "postgres", f"{allow} false")
    sessions = f"FROM pg_stat_activity WHERE datname = '{master.database}'"
    site.psql("db", "postgres", f"SELECT pg_terminate_backend(pid) {sessions}")
    try:
        yield
    finally:
        site.psql("db", "postgres", f"{allow} true")


def wins(site, here, there):
    """Of two masters that changed the same row, unseen."""
    with unseen(site):
        for master in (here, there):
            master.sql(f"UPDATE note SET body = '{master.name} wins' WHERE id = 7")
    assert same_rows([here, there], "public.note")
    return here.value("SELECT body FROM note WHERE id = 7")


def test_who_wins_a_conflict_is_a_master_that_is_there(site, masters, inventory):
    """A strategy that names anybody else pauses the sync at the first conflict."""
    first, second, third = masters
    precedence = ("-e", "replication_conflict_strategy='third first second'")
    site.play("bootstrap", inventory, *precedence)
    assert wins(site, second, third) == "third wins"
    site.play("remove_master", inventory, "-e", "multimaster_remove_master=third")
    assert wins(site, second, first) == "first wins"
    # It comes back while the others go on, among whom it must not be named yet.
    site.play("bootstrap", inventory, *precedence, "-e", '{"data_seed_replace": ["*.*"]}')
    assert wins(site, first, third) == "third wins"
    assert site.play("bootstrap", inventory, *precedence).changes == []
    # As the other tests have it.
    site.play("bootstrap", inventory)


def test_the_origin_leaves_and_the_others_go_on(site, masters, inventory):
    first, second, third = masters
    live = "INSERT INTO note (body) VALUES ('live')"
    leaves = ("-e", "multimaster_remove_master=first")
    checked = site.play("remove_master", inventory, *leaves, "--check")
    assert "nothing was changed" in checked.text
    assert first.value(TRACES) != "0"
    with writing(second, live), writing(third, live):
        play = site.play("remove_master", inventory, *leaves)
    assert "The origin is second now" in play.text
    assert same_rows([second, third], "public.note")
    assert first.value(TRACES) == "0"
    assert first.value(INCREMENT) == "1"
    assert second.value(INCREMENT) != "1"
    left = site.inventory([second, third])
    changes = site.play("bootstrap", left).changes
    # Only its lines in the password files are left, and its share of the numbers.
    assert all("Passwords" in one or "Sequences" in one for one in changes), changes
    assert second.value(INCREMENT) != "1"
    assert site.play("bootstrap", left).changes == []


def test_it_is_taken_in_again_and_its_rows_are_replaced(site, masters, inventory):
    first, second, third = masters
    turned = site.inventory([second, third, first])
    refused = site.play("bootstrap", turned, check=False)
    assert "public.note" in refused.error
    first.sql("UPDATE note SET body = 'while it was away' WHERE id = 3")
    site.play("bootstrap", turned, "-e", '{"data_seed_replace": ["*.*"]}')
    assert same_rows(masters, "public.note")
    assert second.value("SELECT body FROM note WHERE id = 3") == "note 3"


def test_replication_ends_although_one_master_is_lost(site, masters, inventory):
    first, second, third = masters
    turned = site.inventory([second, third, first])
    rows = second.rows("public.note")
    lost = ("-e", "multimaster_lost_master=third")
    with locked_out(site, third):
        refused = site.play("teardown", turned, *CONFIRMED, check=False)
        assert refused.code
        play = site.play("teardown", turned, *CONFIRMED, *lost)
    assert "On third is left" in play.text
    assert [master.value(TRACES) for master in (first, second)] == ["0", "0"]
    assert [master.value(INCREMENT) for master in (first, second)] == ["1", "1"]
    assert second.rows("public.note") == rows
    # Back, it is cleaned alone.
    assert third.value(TRACES) != "0"
    site.play("teardown", site.inventory([third]), *CONFIRMED)
    assert third.value(TRACES) == "0"
    assert third.value(INCREMENT) == "1"


def test_the_last_but_one_leaves_and_one_master_remains(site, masters, inventory):
    first, second = masters[:2]
    pair = site.inventory([second, first])
    site.play("bootstrap", pair, "-e", '{"data_seed_replace": ["*.*"]}')
    first.sql("INSERT INTO note (body) VALUES ('the last')")
    play = site.play("remove_master", pair, "-e", "multimaster_remove_master=second")
    assert "Replication has ended; first holds all rows" in play.text
    assert [master.value(TRACES) for master in (first, second)] == ["0", "0"]
    assert [master.value(INCREMENT) for master in (first, second)] == ["1", "1"]
    assert same_rows([first, second], "public.note", seconds=1)

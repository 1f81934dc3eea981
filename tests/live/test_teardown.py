# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of replication: nothing that waits is lost unnamed, and nothing half-done stays."""

from __future__ import annotations

import threading

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
CREATE TABLE public.item (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
INSERT INTO public.item (body) SELECT 'item ' || i FROM generate_series(1, 500) i;
"""
TRACES = """
SELECT (SELECT count(*) FROM pg_trigger WHERE tgname ~ '^bucardo')
     + (SELECT count(*) FROM pg_namespace WHERE nspname IN ('bucardo', 'multimaster'))
"""
CONFIRMED = ("--extra-vars", "multimaster_confirm_teardown=multimaster")


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


def test_what_waits_is_named_and_kept(site, inventory, masters):
    left, right = masters
    site.module("bucardo_daemon", inventory, state="stopped")
    left.sql("UPDATE note SET body = 'changed' WHERE id <= 150; DELETE FROM item WHERE id <= 3")
    right.sql("INSERT INTO item (body) VALUES ('of the right')")
    before = left.value(TRACES)
    for options in (CONFIRMED, (*CONFIRMED, "--check")):
        refused = site.play("teardown", inventory, *options, check=False)
        said = " ".join(refused.error.split())
        assert refused.code
        assert "153 on left (public.note 150, public.item 3)" in said
        assert "1 on right (public.item 1)" in said
        assert "daemon is not running" in said
        assert "multimaster_discard_queue" in said
    assert left.value(TRACES) == before
    assert left.value("SELECT body FROM note WHERE id = 7") == "changed"


def test_the_masters_part_with_the_same_rows(site, inventory, masters):
    """What was written up to the moment at which a table loses its trigger is on both."""
    left, right = masters
    site.module("bucardo_daemon", inventory, state="started")
    # Matches nothing, as after the last table of a schema was dropped.
    inventory["all"]["vars"]["multimaster_tables"] = ["*.*", "dropped.*"]
    stop = threading.Event()

    def write(master):
        with master.connected() as application:
            while not stop.is_set():
                application.sql(f"INSERT INTO note (body) VALUES ('{master.name}, early')")

    writers = [threading.Thread(target=write, args=(master,)) for master in masters]
    for writer in writers:
        writer.start()
    try:
        assert eventually(lambda: left.value("SELECT max(id) > 600 FROM note") == "t")
        done = site.play("teardown", inventory, *CONFIRMED)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert done.changes
    assert "lost" not in done.text
    assert [master.value(TRACES) for master in masters] == ["0", "0"]
    # One writer each: what is missing of one's rows on the other is a tail written after the end.
    for mine, other in ((left, right), (right, left)):
        rows = f"SELECT id FROM note WHERE body = '{mine.name}, early' ORDER BY id"
        here, there = (len(master.sql(rows)) for master in (mine, other))
        assert mine.sql(rows)[:there] == other.sql(rows)
        assert 0 < there <= here
    assert same_rows(masters, "public.item")


def test_a_second_teardown_changes_nothing(site, inventory, masters):
    assert site.play("teardown", inventory, *CONFIRMED).changes == []
    told = site.module(
        "bucardo_teardown", inventory, masters=site.masters_option(inventory), user="postgres"
    )
    assert (told["changed"], told["removed"]) == (False, {})

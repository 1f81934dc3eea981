# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another master becomes the origin: the one from which further masters are seeded."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
CREATE TABLE public.line (id int PRIMARY KEY, note int NOT NULL REFERENCES public.note);
INSERT INTO public.line SELECT i, i FROM generate_series(1, 500) i;
"""
TABLES = ("public.note", "public.line")


@contextlib.contextmanager
def written(masters):
    """Each of the masters is written all the time, with no statement that fails."""
    stop = threading.Event()
    failures, counts = [], [0] * len(masters)

    def write(number):
        while not stop.is_set():
            try:
                masters[number].sql(
                    f"INSERT INTO note (body) VALUES ('by {number}');"
                    f" UPDATE note SET body = body || '.' WHERE id = {number + 1}"
                )
                counts[number] += 1
            except RuntimeError as error:
                failures.append(str(error))
            time.sleep(0.2)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(len(masters))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert all(counts)


@pytest.fixture(scope="module")
def masters(site):
    made = [site.master("left", schema=SCHEMA), site.master("right")]
    site.play("bootstrap", site.inventory(made))
    return made


def test_a_held_sync_keeps_its_origin_and_the_report_says_so_once(site, masters):
    inventory = site.inventory(masters)
    sync = {"name": "multimaster", "relgroup": "multimaster", "dbgroup": "multimaster"}
    options = {**sync, "masters": site.masters_option(inventory)}
    site.module("bucardo_sync", inventory, status="held", **options)
    play = site.play("bootstrap", site.inventory(masters, "right"), check=False)
    assert "Preflight found 1 blocker;" in play.error
    assert "the origin is left, and the sync is held" in play.error
    assert "Empty" not in play.error
    site.module("bucardo_sync", inventory, status="active", **options)


def test_the_origin_moves_under_writers_without_a_copy(site, masters):
    left = masters[0]
    inventory = site.inventory(masters, "right")
    with written(masters):
        checked = site.play("bootstrap", inventory, "--check")
        assert "moved" not in checked.error
        play = site.play("bootstrap", inventory)
    assert play.changes
    assert same_rows(masters, *TABLES)
    assert left.value("SELECT DISTINCT how FROM multimaster.seed") == "origin"
    assert site.play("bootstrap", inventory).changes == []
    assert left.value("SELECT count(*) > 500 FROM note WHERE body LIKE '%'") == "t"


def test_a_third_master_is_then_seeded_from_the_new_origin(site, masters):
    third = site.master("third")
    everybody = [*masters, third]
    inventory = site.inventory(everybody, "right")
    with written(masters):
        site.play("bootstrap", inventory)
    assert same_rows(everybody, *TABLES)
    identity = masters[1].value(
        "SELECT '%/' || oid || '/right' FROM pg_database WHERE datname = 'right'"
    )
    ledger = f"SELECT count(*) FROM multimaster.seed WHERE source LIKE '{identity}'"
    assert third.value(ledger) == "2"
    assert site.play("bootstrap", inventory).changes == []


def test_it_moves_back_with_three(site, masters):
    everybody = [*masters, site.master("third")]
    inventory = site.inventory(everybody)
    site.play("bootstrap", inventory)
    everybody[2].sql("UPDATE note SET body = 'from the third' WHERE id = 5")
    assert same_rows(everybody, *TABLES)
    assert site.play("bootstrap", inventory).changes == []

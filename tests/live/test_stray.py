# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows that are in the way of a seed, and what changed between two runs."""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
CREATE TABLE public.swept (id int PRIMARY KEY, body text);
INSERT INTO public.swept SELECT i, 'kept' FROM generate_series(1, 300) i;
CREATE TABLE public.parent (id int PRIMARY KEY, body text);
INSERT INTO public.parent SELECT i, 'parent' FROM generate_series(1, 50) i;
CREATE TABLE public.child (id int PRIMARY KEY, parent int NOT NULL REFERENCES public.parent);
INSERT INTO public.child SELECT i, i FROM generate_series(1, 50) i;
"""
TABLES = ("public.note", "public.swept", "public.parent", "public.child")
# The first four steps: the new master is enrolled, and holds nothing yet.
TO_THE_SEED = """
- hosts: bucardo
  gather_subset: [min]
  any_errors_fatal: true
  vars: {ansible_pipelining: true}
  tasks:
    - include_role: {name: multimaster.bucardo.preflight, public: true}
    - include_role: {name: multimaster.bucardo.bucardo}
    - include_role: {name: multimaster.bucardo.schema_clone}
    - include_role: {name: multimaster.bucardo.replication}
      vars: {replication_state: held}
"""


def pair(site, name):
    """Two masters of their own, and their inventory."""
    masters = [site.master(f"{name}_a", schema=SCHEMA), site.master(f"{name}_b")]
    return masters, site.inventory(masters, multimaster_sync=name)


def release(site, inventory, sync, **options):
    """What bucardo_sync says to status active."""
    return site.module(
        "bucardo_sync",
        inventory,
        check=False,
        name=sync,
        relgroup=sync,
        dbgroup=sync,
        masters=site.masters_option(inventory),
        **{"status": "active", **options},
    )


@pytest.fixture(scope="module")
def to_the_seed(tmp_path_factory):
    path = tmp_path_factory.mktemp("plays") / "to_the_seed.yml"
    path.write_text(TO_THE_SEED, "utf-8")
    return str(path)


def test_stray_rows_are_named_and_go_only_by_choice(site, to_the_seed):
    (origin, other), inventory = pair(site, "second")
    site.play(to_the_seed, inventory)
    other.sql("INSERT INTO note (body) VALUES ('stray'); INSERT INTO parent VALUES (51, 'stray')")
    play = site.play("bootstrap", inventory, check=False)
    assert play.code != 0
    assert "public.note" in play.error
    assert "replicated and not empty" in play.error
    assert "Empty" not in play.error
    choice = ("-e", '{"data_seed_replace": ["public.note", "public.parent"]}')
    site.play("bootstrap", inventory, *choice)
    assert origin.value("SELECT count(*) FROM note") == "500"
    assert origin.value("SELECT count(*) FROM parent") == "50"
    assert same_rows([origin, other], *TABLES)
    assert site.play("bootstrap", inventory, *choice).changes == []


def test_a_column_that_only_the_origin_got_is_named_and_then_works(site):
    masters = [site.master("second_a"), site.master("second_b")]
    inventory = site.inventory(masters, multimaster_sync="second")
    release(site, inventory, "second", status="held")
    masters[0].sql("ALTER TABLE note ADD COLUMN extra int DEFAULT 7")
    play = site.play("bootstrap", inventory, check=False)
    assert "only on the origin: extra integer" in play.error
    assert "ADD COLUMN" in play.error
    masters[1].sql("ALTER TABLE note ADD COLUMN extra int DEFAULT 7")
    site.play("bootstrap", inventory)
    masters[0].sql("UPDATE note SET extra = 8 WHERE id = 1")
    assert same_rows(masters, "public.note")


def test_a_database_restored_from_a_dump_is_not_believed(site):
    masters = [site.master("second_a"), site.master("second_b")]
    inventory = site.inventory(masters, multimaster_sync="second")
    release(site, inventory, "second", status="held")
    site.run(
        masters[1].host,
        "runuser -u postgres -- sh -ec 'pg_dump -Fc -f /tmp/second_b second_b;"
        ' psql -qc "DROP DATABASE second_b WITH (FORCE)"; createdb -T template0 second_b;'
        " pg_restore -d second_b /tmp/second_b'",
    )
    said = release(site, inventory, "second")
    assert said["failed"]
    assert "second_b: " in said["msg"]
    play = site.play("bootstrap", inventory, check=False)
    assert "replicated and not empty" in play.error

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between a held sync and its release: what a master had queued before it was seeded,
rows that nobody vouches for, and masters that were away."""

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
CREATE TABLE public.big (id int PRIMARY KEY, body text);
INSERT INTO public.big SELECT i, repeat('x', 1000) FROM generate_series(1, 3000) i;
CREATE TABLE public.half (id int PRIMARY KEY, body text);
INSERT INTO public.half SELECT i, repeat('y', 1000) FROM generate_series(1, 3000) i;
CREATE MATERIALIZED VIEW public.bodies AS SELECT count(*) FROM public.note;
"""
TABLES = ("public.note", "public.swept", "public.parent", "public.child", "public.big")
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
    # A TRUNCATE noted in Bucardo's own way is what is most dangerous to release.
    options = {"multimaster_sync": name, "replication_truncate": "bucardo"}
    return masters, site.inventory(masters, **options)


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


@pytest.fixture(scope="module")
def first(site, to_the_seed):
    """A pair that was bootstrapped although scripts had been at the new master in between."""
    masters, inventory = pair(site, "first")
    site.play(to_the_seed, inventory)
    masters[1].sql("TRUNCATE swept")
    masters[1].sql("INSERT INTO note (body) VALUES ('stray')")
    masters[1].sql("DELETE FROM note")
    masters[1].sql("TRUNCATE big")
    # One is copied in parts, two share a transaction.
    site.play("bootstrap", inventory, "-e", '{"data_seed_split_above": 1000000}')
    return masters, inventory


def test_what_a_new_master_had_queued_before_its_seed_reaches_nobody(first):
    (origin, other), _inventory = first
    assert origin.value("SELECT count(*) FROM swept") == "300"
    assert origin.value("SELECT count(*) FROM note") == "500"
    assert origin.value("SELECT count(*) FROM big") == "3000"
    assert same_rows([origin, other], *TABLES)
    other.sql("UPDATE swept SET body = 'from the other' WHERE id = 1")
    assert same_rows([origin, other], *TABLES)
    assert origin.value("SELECT body FROM swept WHERE id = 1") == "from the other"


def test_a_second_run_changes_nothing(site, first):
    _masters, inventory = first
    assert site.play("bootstrap", inventory).changes == []


@pytest.mark.parametrize(
    ("doubt", "words"),
    [
        ("DELETE FROM multimaster.seed WHERE table_name = 'note'", "was never seeded"),
        (
            "UPDATE multimaster.seed SET state = 'copying' WHERE table_name = 'note'",
            "not finished",
        ),
        (
            "UPDATE multimaster.seed SET state = 'copied' WHERE table_name = 'note'",
            "indexes are not finished",
        ),
        ("ALTER TABLE note RENAME TO n; CREATE TABLE note AS TABLE n", "was never seeded"),
    ],
    ids=["missing", "half copied", "without indexes", "another table"],
)
def test_nothing_is_released_over_a_table_for_which_no_ledger_vouches(site, first, doubt, words):
    (_origin, other), inventory = first
    assert release(site, inventory, "first", status="held")["changed"]
    kept = other.sql("SELECT * FROM multimaster.seed WHERE table_name = 'note'")
    assert kept
    other.sql("CREATE TABLE multimaster.kept AS TABLE multimaster.seed")
    other.sql(doubt)
    try:
        said = release(site, inventory, "first")
        assert said["failed"]
        assert "first_b: 1 of 6 tables" in said["msg"]
        assert "public.note" in said["msg"]
        assert words in said["msg"]
        assert "empty" not in said["msg"].lower()
        assert site.bucardo("list", "sync", "first").count("[Inactive]")
    finally:
        if "RENAME" in doubt:
            other.sql("DROP TABLE note; ALTER TABLE n RENAME TO note")
        other.sql(
            "DELETE FROM multimaster.seed; INSERT INTO multimaster.seed TABLE multimaster.kept;"
            " DROP TABLE multimaster.kept"
        )
    assert release(site, inventory, "first")["changed"]


def test_who_vouches_for_a_copy_of_his_own_is_believed_from_then_on(site, first):
    (_origin, other), inventory = first
    release(site, inventory, "first", status="held")
    other.sql("DELETE FROM multimaster.seed WHERE table_name = 'note'")
    assert release(site, inventory, "first")["failed"]
    assert release(site, inventory, "first", seeded_elsewhere=True)["changed"]
    assert not release(site, inventory, "first")["changed"]
    assert other.value("SELECT how FROM multimaster.seed WHERE table_name = 'note'") == "elsewhere"


def test_a_truncate_from_before_the_seed_is_not_released(site, first):
    (origin, other), inventory = first
    release(site, inventory, "first", status="held")
    other.sql("TRUNCATE swept")
    # As if the table had been loaded after it without a look at the queue.
    other.sql(
        "UPDATE multimaster.seed SET finished_at = clock_timestamp() WHERE table_name = 'swept'"
    )
    said = release(site, inventory, "first")
    assert said["failed"]
    assert "TRUNCATE of public.swept waits in the queue of first_b" in said["msg"]
    # The cure, done.
    source, target = site.masters_option(inventory)
    seed = {"source": source, "target": target, "tables": TABLES, "replace": ["public.swept"]}
    assert not site.module("data_seed", inventory, **seed)["changed"]
    done = site.module("data_seed", inventory, replace_vouched=True, **seed)
    assert done["totals"]["tables"] == 1
    assert done["totals"]["discarded"] == 1
    assert release(site, inventory, "first")["changed"]
    assert same_rows([origin, other], *TABLES)
    assert origin.value("SELECT count(*) FROM swept") == "300"


def test_rows_are_replaced_only_where_nobody_replicates_them_meanwhile(site, first):
    (_origin, other), inventory = first
    source, target = site.masters_option(inventory)
    options = {"tables": TABLES, "replace": ["public.parent"], "replace_vouched": True}
    said = site.module("data_seed", inventory, check=False, source=source, target=target, **options)
    assert "Hold the sync first" in said["msg"]
    # Nor in the wrong direction, held or not.
    release(site, inventory, "first", status="held")
    said = site.module("data_seed", inventory, check=False, source=target, target=source, **options)
    assert "first_a is the origin of its group" in said["msg"]
    # A referenced table is emptied by DELETE, and what refers to it stays.
    other.sql("UPDATE parent SET body = 'wrong'")
    done = site.module("data_seed", inventory, source=source, target=target, **options)
    assert done["totals"]["discarded"] == 50
    assert other.value("SELECT count(*) FROM parent WHERE body = 'wrong'") == "0"
    assert release(site, inventory, "first")["changed"]


def test_a_view_that_reads_none_of_the_new_tables_is_left_alone(site, first):
    (origin, other), inventory = first
    file = "SELECT pg_relation_filenode('public.bodies')"
    before = other.value(file)
    for master in (origin, other):
        master.sql("CREATE TABLE late (id int PRIMARY KEY)")
        master.sql("CREATE MATERIALIZED VIEW lates AS SELECT count(*) AS n FROM late")
    origin.sql("INSERT INTO late SELECT generate_series(1, 10)")
    origin.sql("REFRESH MATERIALIZED VIEW lates")
    site.play("bootstrap", inventory)
    assert other.value(file) == before
    assert other.value("SELECT n FROM lates") == "10"


def test_a_daemon_that_left_the_sync_out_takes_it_up_again(site, first):
    (origin, other), inventory = first
    release(site, inventory, "first", status="held")
    activate = "UPDATE bucardo.sync SET status = 'active' WHERE name = 'first'"
    site.psql(site.bucardo_host, "bucardo", activate)
    origin.sql("INSERT INTO late VALUES (11)")
    site.play("bootstrap", inventory)
    assert same_rows([origin, other], "public.late")


def test_a_master_that_left_and_came_back_is_not_believed(site, first):
    (origin, other), inventory = first
    group = {"name": "first"}
    release(site, inventory, "first", status="held")
    site.module("bucardo_dbgroup", inventory, members={"first_a": "source"}, **group)
    both = {"first_a": "source", "first_b": "source"}
    site.module("bucardo_dbgroup", inventory, members=both, **group)
    said = release(site, inventory, "first")
    assert "was seeded before this membership began" in said["msg"]
    play = site.play("bootstrap", inventory, check=False)
    assert "first_b: " in play.text or "on first_b" in play.text
    assert "before this membership began" in play.text
    assert "Empty" not in play.error
    site.play("bootstrap", inventory, "-e", '{"data_seed_replace": ["*.*"]}')
    assert same_rows([origin, other], *TABLES)


def test_a_ledger_of_the_first_release_is_taken_over_without_a_copy(site, first):
    masters, inventory = first
    for master in masters:
        master.sql("DROP TABLE multimaster.membership")
    masters[1].sql(
        "ALTER TABLE multimaster.seed DROP source_oid, DROP target, DROP epoch, DROP how;"
        " UPDATE multimaster.seed SET source = regexp_replace(source, '/[0-9]+/', '/')"
    )
    site.psql(site.bucardo_host, "bucardo", "DROP TABLE multimaster.member")
    before = masters[1].value("SELECT pg_relation_filenode('public.note')")
    site.play("bootstrap", inventory)
    assert masters[1].value("SELECT pg_relation_filenode('public.note')") == before
    assert masters[1].value("SELECT count(*) FROM multimaster.seed WHERE how <> 'copied'") == "0"
    assert masters[1].value("SELECT count(DISTINCT epoch) FROM multimaster.seed") == "1"
    assert site.play("bootstrap", inventory).changes == []

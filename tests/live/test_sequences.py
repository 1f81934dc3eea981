# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No two masters ever hand out the same number, whoever asks for it."""

from __future__ import annotations

import collections
import concurrent.futures

import pytest
from servers import docker

# See CONTRIBUTING.md.
LONG = True
WEIGHT = 95

# One sequence of each kind. All have handed out far more than a clone at START would know of.
SCHEMA = """
CREATE TABLE owned (id serial PRIMARY KEY, v text);
INSERT INTO owned (v) SELECT 'x' FROM generate_series(1, 100);
CREATE TABLE identity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
INSERT INTO identity (v) SELECT 'x' FROM generate_series(1, 100);
CREATE SEQUENCE hibernate_sequence;
SELECT setval('hibernate_sequence', 1000);
CREATE SEQUENCE in_function;
SELECT setval('in_function', 2000);
CREATE TABLE by_function (id bigint PRIMARY KEY, v text);
CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.id := nextval('public.in_function'); RETURN NEW; END $$;
CREATE TRIGGER number BEFORE INSERT ON by_function FOR EACH ROW EXECUTE FUNCTION number();
CREATE SEQUENCE as_text;
SELECT setval('as_text', 3000);
CREATE TABLE by_text (id bigint PRIMARY KEY DEFAULT nextval('public.as_text'::text), v text);
CREATE SCHEMA "Odd ""O";
CREATE SEQUENCE "Odd ""O"."Näme.1 %s";
SELECT setval('"Odd ""O"."Näme.1 %s"', 4000);
CREATE SEQUENCE blocks INCREMENT BY 50;
SELECT setval('blocks', 5001);
CREATE SEQUENCE cached CACHE 20;
SELECT nextval('cached');
CREATE TABLE part (id serial, v text, PRIMARY KEY (id, v)) PARTITION BY LIST (v);
CREATE TABLE part_x PARTITION OF part FOR VALUES IN ('x');
INSERT INTO part (v) SELECT 'x' FROM generate_series(1, 10);
CREATE TABLE explicit_ids (id serial PRIMARY KEY, v text);
INSERT INTO explicit_ids VALUES (7000, 'above the sequence');
CREATE TABLE marker (id serial PRIMARY KEY, v text);
INSERT INTO marker VALUES (2147483647, 'a marker, not a number that was handed out');
CREATE SEQUENCE own_ranges_a;
SELECT setval('own_ranges_a', 6000);
CREATE TABLE audit_log (id serial PRIMARY KEY, v text);
SELECT setval('audit_log_id_seq', 400);
CREATE UNLOGGED TABLE scratch (id serial PRIMARY KEY);
"""
SEQUENCES = {
    "owned_id_seq": 100,
    "identity_id_seq": 100,
    "hibernate_sequence": 1000,
    "in_function": 2000,
    "as_text": 3000,
    '"Odd ""O"."Näme.1 %s"': 4000,
    "blocks": 5001,
    "cached": 20,
    "part_id_seq": 10,
    "explicit_ids_id_seq": 7000,
    "marker_id_seq": 0,
}
EXCLUDED = ["public.own_ranges_*"]
SETTINGS = {"multimaster_exclude": ["public.audit_*"], "multimaster_exclude_sequences": EXCLUDED}
LEFT_ALONE = ("own_ranges_a", "audit_log_id_seq", "scratch_id_seq")


@pytest.fixture(scope="module")
def pair(site):
    """Two masters after their bootstrap, and the inventory."""
    masters = [site.master("left", schema=SCHEMA), site.master("right")]
    inventory = site.inventory(masters, **SETTINGS)
    left = masters[0]
    before = dump(left)
    definitions = {name: definition(left, name) for name in LEFT_ALONE}
    play = site.play("bootstrap", inventory)
    return masters, inventory, before, definitions, play


def dump(master):
    """The schema as pg_dump prints it, without what is new in each run."""
    container = master.site.container(master.host)
    text = docker(
        *("exec", "--user", "postgres", container, "pg_dump", "--schema-only"),
        f"--dbname=dbname='{master.database}'",
    )
    return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestr"))]


def definition(master, name):
    return master.sql(
        "SELECT seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle FROM pg_sequence"
        f" WHERE seqrelid = '{name}'::regclass"
    ) + master.sql(f"SELECT last_value, is_called FROM {name}")


def numbers(master, name, count=30):
    """What a new session gets from a sequence."""
    quoted = name.replace("'", "''")
    rows = master.sql(f"SELECT nextval('{quoted}') FROM generate_series(1, {count})")
    return [int(row[0]) for row in rows]


def numbers_of_all(masters, name):
    """All masters asked at once, twice each."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(numbers, master, name) for master in masters * 2]
    return [number for one in asked for number in one.result()]


def twice(masters, names):
    """Sequences from which the same number came twice, with those numbers."""
    found = {}
    for name in names:
        counted = collections.Counter(numbers_of_all(masters, name))
        again = sorted(number for number, times in counted.items() if times > 1)
        if again:
            found[name] = again
    return found


def positions(masters, names):
    return {
        (m.name, name): m.sql(f"SELECT last_value, is_called FROM {name}")
        for m in masters
        for name in names
    }


def test_no_number_comes_twice_and_none_below_the_origins(pair):
    masters = pair[0]
    left, right = masters
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for name, used in SEQUENCES.items():
            mine = pool.submit(numbers, left, name)
            theirs = pool.submit(numbers, right, name)
            both = mine.result() + theirs.result()
            assert len(set(both)) == len(both), name
            assert min(both) > used, name
    assert twice(masters, SEQUENCES) == {}
    # Blocks of 50 stay blocks of 50.
    assert {(number - 1) % 50 for number in numbers_of_all(masters, "blocks")} == {0}
    for table in ("owned", "identity", "by_function", "by_text"):
        ids = [
            int(master.value(f"INSERT INTO {table} (v) VALUES ('{master.name}') RETURNING id"))
            for master in masters * 3
        ]
        assert len(set(ids)) == len(ids)


def test_those_left_out_stay_as_they_were_and_a_new_master_is_not_below(pair):
    masters, _inventory, _before, definitions, _play = pair
    left, right = masters
    for name in LEFT_ALONE:
        assert definition(left, name) == definitions[name]
    # Excluded by name: as it was cloned, but not at START.
    assert definition(right, "own_ranges_a") == definitions["own_ranges_a"]
    assert (
        right.value(
            "SELECT seqincrement FROM pg_sequence WHERE seqrelid = 'audit_log_id_seq'::regclass"
        )
        == "1"
    )


def test_steps_that_applications_may_check_are_told(pair):
    text = pair[4].text
    assert "[sequence-step] public.blocks" in text
    assert "allocationSize" in text or "increment_size_mismatch_strategy" in text
    assert "multimaster_exclude_sequences" in text


STRAYING = {
    "hibernate_sequence": "SELECT setval('hibernate_sequence',"
    " (SELECT last_value + 1 FROM hibernate_sequence), true)",
    "in_function": "ALTER SEQUENCE in_function INCREMENT BY 1",
    "as_text": "ALTER SEQUENCE as_text RESTART WITH 9001",
    "explicit_ids_id_seq": "TRUNCATE explicit_ids RESTART IDENTITY",
    "blocks": "SELECT setval('blocks', 1)",
}


def test_what_leaves_its_share_is_noticed_and_mended_once(site, pair):
    masters, inventory, *_rest = pair
    right = masters[1]
    for command in ("status", "verify"):
        assert site.play(command, inventory).code == 0
    for statement in STRAYING.values():
        right.sql(statement)
    for master in masters:
        master.sql("CREATE SEQUENCE later")
    # What RESTART IDENTITY leads to belongs to nobody else even now.
    again = numbers(right, "explicit_ids_id_seq", 3)
    assert again[0] < 10
    assert not set(again) & set(range(1, 10, 2))
    for command in ("status", "verify"):
        play = site.play(command, inventory, check=False)
        assert play.code != 0
        said = " ".join(play.text.split())
        for name in STRAYING:
            assert f"public.{name} on right: " in said, (command, name)
        assert "on left:" not in said
        assert "Run the bootstrap again" in said
    assert "public.later on left, right: has no share of its own yet" in said
    # As the application does meanwhile: numbers that are the other master's.
    strays = {n: numbers(right, n, 3) for n in ("hibernate_sequence", "in_function")}
    site.play("bootstrap", inventory)
    for name, stray in strays.items():
        assert not set(numbers_of_all(masters, name)) & set(stray)
    assert twice(masters, [*SEQUENCES, "later"]) == {}
    before = positions(masters, SEQUENCES)
    assert site.play("bootstrap", inventory).changes == []
    assert positions(masters, SEQUENCES) == before
    assert site.play("status", inventory).code == 0


def test_a_sequence_of_two_syncs_stays_shared_out_while_one_is_left(site, pair):
    masters, inventory, *_rest = pair
    options = {"masters": site.masters_option(inventory), "exclude": ["public.audit_*"]}
    name = "hibernate_sequence"
    joined = site.module("sequence_interleave", inventory, sync="second", **options)
    assert joined["changed"]
    before = positions(masters, SEQUENCES)
    back = site.module(
        "sequence_interleave", inventory, sync="second", strategy="restore", **options
    )
    assert back["changed"]
    assert positions(masters, SEQUENCES) == before
    assert twice(masters, [name]) == {}
    assert not site.module(
        "sequence_interleave", inventory, sync="second", strategy="restore", **options
    )["changed"]


def test_a_third_master_comes_and_goes(site, pair):
    masters, inventory, *_rest = pair
    third = site.master("third")
    three = [*masters, third]
    site.play("bootstrap", site.inventory(three, **SETTINGS))
    assert twice(three, SEQUENCES) == {}
    assert min(numbers(third, "hibernate_sequence")) > 1000
    # The module alone: what a bootstrap of the two does once the third is gone.
    options = {"exclude": ["public.audit_*"], "exclude_sequences": EXCLUDED}
    two = site.module(
        "sequence_interleave", inventory, masters=site.masters_option(inventory), **options
    )
    assert two["changed"]
    assert twice(masters, SEQUENCES) == {}
    assert (
        masters[0].value(
            "SELECT increment_by FROM pg_sequences WHERE sequencename = 'hibernate_sequence'"
        )
        == "2"
    )


def test_teardown_leaves_the_schema_as_it_was_and_goes_on_above_all_numbers(site, pair):
    masters, _inventory, before, *_rest = pair
    three = [*masters, site.master("third")]
    used = {name: max(numbers_of_all(three, name)) for name in SEQUENCES}
    site.play(
        "teardown", site.inventory(three, **SETTINGS, multimaster_confirm_teardown="multimaster")
    )
    for master in masters:
        master.sql("DROP SEQUENCE later")
    assert dump(masters[0]) == before
    for name, highest in used.items():
        assert min(numbers(masters[0], name, 1)) > highest


# --- refused in step 1, before anything is copied ----------------------------------------------

REFUSED_SCHEMA = """
CREATE TABLE item (id serial PRIMARY KEY);
INSERT INTO item DEFAULT VALUES;
CREATE SEQUENCE round MAXVALUE 99 CYCLE;
CREATE SEQUENCE down INCREMENT BY -1;
CREATE SEQUENCE spent MAXVALUE 5;
SELECT setval('spent', 5);
CREATE SEQUENCE tight AS smallint;
SELECT setval('tight', 32766);
CREATE TABLE narrow (id integer PRIMARY KEY);
CREATE SEQUENCE narrow_id OWNED BY narrow.id;
SELECT setval('narrow_id', 2147483647);
CREATE SEQUENCE huge INCREMENT BY 5000000000000000000;
"""
REFUSED = ["round", "down", "spent", "tight", "narrow_id", "huge"]


def test_what_cannot_be_shared_out_is_refused_before_anything_is_copied(site):
    masters = [site.master("strict", schema=REFUSED_SCHEMA), site.master("lax")]
    inventory = site.inventory(masters, multimaster_sync="strict")
    play = site.play("bootstrap", inventory, check=False)
    assert play.code != 0
    for name in REFUSED:
        assert f"[sequence-unshareable] public.{name}" in play.text, name
    assert "public.item_id_seq" not in play.error
    assert masters[0].value("SELECT count(*) FROM pg_namespace WHERE nspname = 'bucardo'") == "0"
    assert "lax" not in [row[0] for row in masters[0].sql("SELECT datname FROM pg_database")]
    # The cure that the message names, followed: and with nothing shared out at all.
    inventory["all"]["vars"]["multimaster_exclude_sequences"] = [f"public.{n}" for n in REFUSED]
    inventory["all"]["vars"]["data_seed_sequences"] = "none"
    site.play("bootstrap", inventory)
    strict, lax = masters
    for name in [*REFUSED, "item_id_seq"]:
        assert definition(lax, name) == definition(strict, name), name
    assert lax.value("SELECT nextval('item_id_seq')") == "2"
    assert site.play("bootstrap", inventory).changes == []

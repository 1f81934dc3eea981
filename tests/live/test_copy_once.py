# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables that cannot, or shall not, be replicated are copied once, and then left alone."""

from __future__ import annotations

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.item (id integer PRIMARY KEY, v text);
INSERT INTO public.item VALUES (1, 'a');
CREATE TABLE public.log (line text);
INSERT INTO public.log VALUES ('same'), ('same'), (NULL);
CREATE TABLE public.nullable (id integer UNIQUE);
INSERT INTO public.nullable VALUES (NULL), (NULL), (1);
CREATE SCHEMA audit;
CREATE TABLE audit.entry (
    id serial PRIMARY KEY, what text, twice text GENERATED ALWAYS AS (what || what) STORED
);
INSERT INTO audit.entry (what) VALUES ('x'), ('y');
CREATE TABLE public.cache (id integer PRIMARY KEY);
INSERT INTO public.cache VALUES (1);
"""
APART = ("public.log", "public.nullable", "audit.entry")


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


@pytest.fixture(scope="module")
def inventory(site, masters):
    inventory = site.inventory(
        masters,
        multimaster_exclude=["public.cache"],
        multimaster_copy_once=["@without-key", "audit.*"],
    )
    site.play("bootstrap", inventory)
    return inventory


def seed(site, inventory, **options):
    source, target = site.masters_option(inventory)
    for one in (source, target):
        del one["origin"]
    return site.module("data_seed", inventory, source=source, target=target, **options)


def test_their_rows_are_copied_and_the_others_are_replicated(masters, inventory):
    for table in APART:
        assert masters[1].rows(table) == masters[0].rows(table) != []
    masters[1].sql("UPDATE public.item SET v = 'b'")
    assert same_rows(masters, "public.item")
    for master in masters:
        assert (
            master.value(
                "SELECT string_agg(tgrelid::regclass::text, ' ') FROM pg_trigger"
                " WHERE tgname = 'bucardo_delta'"
            )
            == "item"
        )


def test_later_changes_are_theirs_alone(site, masters, inventory):
    masters[0].sql("INSERT INTO public.log VALUES ('later')")
    masters[1].sql("DELETE FROM audit.entry; TRUNCATE public.nullable")
    assert site.play("bootstrap", inventory).changes == []
    assert len(masters[1].rows("public.log")) == 3
    assert masters[1].rows("audit.entry") == masters[1].rows("public.nullable") == []


def test_they_are_no_strangers_to_status(site, inventory):
    assert eventually(lambda: site.play("status", inventory, check=False).code == 0)
    play = site.play("status", inventory)
    assert "is not replicated" not in play.text


def test_the_report_says_which_are_which(site, inventory):
    found = seed(
        site,
        inventory,
        exclude=["public.cache", "@without-key", "audit.*"],
        copy_once=["@without-key", "audit.*"],
    )
    assert not found["changed"]
    assert found["totals"]["selected"] == 1
    assert found["copied_once"] == ["audit.entry", "public.log", "public.nullable"]
    assert found["left_empty"] == ["public.cache"]


def test_nobody_vouches_for_their_rows_when_they_are_to_be_replicated(site, masters, inventory):
    masters[1].sql("INSERT INTO audit.entry (id, what) VALUES (7, 'mine')")
    masters[0].sql("ALTER TABLE audit.entry DROP COLUMN twice")
    masters[1].sql("ALTER TABLE audit.entry DROP COLUMN twice")
    variables = inventory["all"]["vars"]
    variables["multimaster_copy_once"] = ["@without-key"]
    play = site.play("bootstrap", inventory, check=False)
    variables["multimaster_copy_once"] = ["@without-key", "audit.*"]
    assert play.code != 0
    assert "audit.entry" in play.text
    assert "target-not-empty" in play.text
    assert masters[1].value("SELECT what FROM audit.entry") == "mine"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight names rows that a seed does not bring along, or that may not get in."""

from __future__ import annotations

import pytest

EXTENSION = """
dir=$(ls -d /usr/share/postgresql/*/extension | head -n 1)
cat > "$dir/places.control" <<'END'
default_version = '1'
relocatable = false
schema = public
END
cat > "$dir/places--1.sql" <<'END'
CREATE TABLE place (id integer PRIMARY KEY, name text);
INSERT INTO place VALUES (1, 'packaged 100 %');
CREATE TABLE plain (id integer PRIMARY KEY);
SELECT pg_catalog.pg_extension_config_dump('place', 'WHERE id >= 1000 AND name NOT LIKE ''%no%''');
END
"""
SCHEMA = """
CREATE EXTENSION places;
INSERT INTO public.place VALUES (1000, 'of a user'), (1001, 'of a friend'), (1002, 'no use');
INSERT INTO public.plain VALUES (1);
CREATE TABLE public.kind (id integer PRIMARY KEY, open boolean NOT NULL);
CREATE FUNCTION public.kind_open(k integer) RETURNS boolean LANGUAGE sql STABLE
  AS $$ SELECT coalesce((SELECT open FROM public.kind WHERE id = k), false) $$;
CREATE TABLE public.thing (
  id integer PRIMARY KEY,
  kind integer CHECK (public.kind_open(kind)),
  size integer CHECK (abs(size) < 10)
);
"""


@pytest.fixture(scope="module")
def said(site):
    site.run("db", EXTENSION)
    masters = [site.master("left", schema=SCHEMA), site.master("right")]
    inventory = site.inventory(masters)
    found = site.module("preflight", inventory, user="root", masters=site.masters_option(inventory))
    return {(one["check"], one["object"]): one["message"] for one in found["cautions"]}


def test_rows_of_users_in_a_table_of_an_extension_are_named_and_counted(said):
    assert said["extension-rows", "public.place"].startswith("holds 2 row(s) of users' own")
    assert ("extension-rows", "public.plain") not in said


def test_a_check_that_calls_a_function_of_a_user_is_named(said):
    calls = [message for (check, _object), message in said.items() if check == "check-calls"]
    assert len(calls) == 1
    assert "thing_kind_check calls public.kind_open(integer)" in calls[0]

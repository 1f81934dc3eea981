# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows in tables of extensions, which are no ordinary tables, and rows that may not get in."""

from __future__ import annotations

import pytest

EXTENSION = r"""
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
-- Here packaged rows are dumped as well; the table that refers to the other comes first.
CREATE TABLE job (id serial PRIMARY KEY, what text UNIQUE);
INSERT INTO job (what) VALUES ('vacuum'), ('analyze');
CREATE TABLE job_run (job integer REFERENCES job, at date);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON job_run FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT pg_catalog.pg_extension_config_dump('job_run', '');
SELECT pg_catalog.pg_extension_config_dump('job', '');
SELECT pg_catalog.pg_extension_config_dump('job_id_seq', '');
END
sed 's/, name text/, title text/; s/ AND name.*%..//' "$dir/places--1.sql" > "$dir/places--2.sql"
"""
TABLES = """
CREATE TABLE public.kind (id integer PRIMARY KEY, open boolean NOT NULL);
CREATE FUNCTION public.kind_open(k integer) RETURNS boolean LANGUAGE sql STABLE
  AS $$ SELECT coalesce((SELECT open FROM public.kind WHERE id = k), false) $$;
CREATE TABLE public.thing (
  id integer PRIMARY KEY,
  kind integer CHECK (public.kind_open(kind)),
  size integer CHECK (abs(size) < 10)
);
"""
SCHEMA = rf"""
CREATE EXTENSION places;
INSERT INTO public.place VALUES (1000, 'of a user'), (1001, 'of a friend'), (1002, 'no use');
INSERT INTO public.plain VALUES (1);
DELETE FROM public.job WHERE what = 'vacuum';
UPDATE public.job SET what = E'report "\n\\' WHERE what = 'analyze';
INSERT INTO public.job (what) VALUES ('sales');
ALTER TABLE public.job_run DISABLE TRIGGER refuse;
INSERT INTO public.job_run VALUES (2, '2024-04-03'), (2, '2024-04-03');
ALTER TABLE public.job_run ENABLE TRIGGER refuse;
{TABLES}"""


@pytest.fixture(scope="module")
def masters(site):
    site.run("db", EXTENSION)
    return [site.master("left", schema=SCHEMA), site.master("right")]


@pytest.fixture(scope="module")
def said(site, masters):
    inventory = site.inventory(masters)
    found = site.module("preflight", inventory, user="root", masters=site.masters_option(inventory))
    return {(one["check"], one["object"]): one["message"] for one in found["cautions"]}


def seed(site, masters, check=True, **options):
    """Seed the second from the first, as a bootstrap does."""
    inventory = site.inventory(masters)
    source, target = site.masters_option(inventory)
    for one in (source, target):
        del one["origin"]
    options.update(source=source, target=target)
    options.update(user="root", check=check, require_triggers=False)
    return site.module("data_seed", inventory, **options)


def test_rows_of_users_in_a_table_of_an_extension_are_named_and_counted(said):
    assert said["extension-rows", "public.place"].startswith("holds 2 row(s) of users' own")
    assert ("extension-rows", "public.plain") not in said


def test_they_are_copied_once(site, masters):
    inventory = site.inventory(masters)
    source, target = site.masters_option(inventory)
    del source["origin"], target["origin"]
    site.module("schema_clone", inventory, user="root", source=source, target=target)
    found = seed(site, masters)
    assert found["copied_once"] == ["public.job", "public.job_run", "public.place"]
    for table in ("public.job", "public.job_run"):
        assert masters[1].rows(table) == masters[0].rows(table) != []
    assert masters[1].sql("SELECT id FROM public.place ORDER BY id") == [["1"], ["1000"], ["1001"]]
    assert masters[1].rows("public.plain") == []
    # No application gets a number that is taken.
    masters[1].sql("INSERT INTO public.job (what) VALUES ('mine')")
    masters[0].sql("INSERT INTO public.job (what) VALUES ('later')")
    assert not seed(site, masters)["changed"]
    assert masters[1].sql("SELECT id, what FROM public.job WHERE id > 2 ORDER BY id") == [
        ["3", "sales"],
        ["4", "mine"],
    ]


def test_what_a_target_has_of_its_own_stays_and_so_does_what_is_excluded(site, masters):
    other = site.master(
        "other", schema=f"CREATE EXTENSION places; INSERT INTO job VALUES (7, 'a'); {TABLES}"
    )
    found = seed(site, [masters[0], other], exclude=["public.pl*"])
    assert found["copied_once"] == ["public.job_run"]
    assert other.value("SELECT count(*) FROM public.job") == "3"
    assert other.rows("public.job_run") == masters[0].rows("public.job_run")
    assert other.sql("SELECT id FROM public.place") == [["1"]]


def test_an_extension_of_another_version_is_refused_by_its_name(site, masters):
    newer = site.master("newer", schema=f"CREATE EXTENSION places VERSION '2'; {TABLES}")
    found = seed(site, [masters[0], newer], check=False)
    assert found["failed"]
    assert "public.place, a table of extension places" in found["msg"]
    assert "multimaster_exclude" in found["msg"]
    assert newer.value("SELECT count(*) FROM public.job") == "2"


def test_a_check_that_calls_a_function_of_a_user_is_named(said):
    calls = [message for (check, _object), message in said.items() if check == "check-calls"]
    assert len(calls) == 1
    assert "thing_kind_check calls public.kind_open(integer)" in calls[0]

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight reads and tries on two plain servers of different versions, without a daemon."""

from __future__ import annotations

import pytest
from disturbances import writing
from site_of_tests import DEBIAN, OTHER_IMAGE, eventually

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.identity import (
    RUNNING_SERVER,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import Wanted
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.report import examine
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.run import (
    survey,
)

HOSTS = ("here", "there")
IMAGES = {"there": OTHER_IMAGE}
# A parameter that PostgreSQL 15 has and 17 has not, or the other way round.
IS_OLDER = DEBIAN == "bookworm"
ONLY_HERE = "force_parallel_mode" if IS_OLDER else "transaction_timeout"

# What only one of the hosts has. The library refuses as pg_cron, Citus and others do.
FILES = r"""
share=$(pg_config --sharedir); lib=$(pg_config --pkglibdir)
echo foo > "$share/tsearch_data/own.stop"
cp "$lib/tcn.so" "$lib/own.so"
install -d -o postgres /srv/fast
localedef -i de_DE -f UTF-8 de_DE.UTF-8 || true
"""
SCHEMA = r"""
CREATE EXTENSION unaccent;
CREATE EXTENSION ltree;
CREATE TABLE public.sound (id integer PRIMARY KEY, v text);

CREATE FUNCTION public.plain(text) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT unaccent('unaccent', $1) $$;
CREATE FUNCTION public.pinned(text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = public
  AS $$ SELECT unaccent('unaccent', $1) $$;
CREATE TABLE public.person (id integer PRIMARY KEY, name text);
CREATE INDEX person_pinned ON public.person (public.pinned(name));

CREATE TEXT SEARCH DICTIONARY public.own (TEMPLATE = pg_catalog.simple, STOPWORDS = own);
CREATE TEXT SEARCH DICTIONARY public.packaged
  (TEMPLATE = pg_catalog.simple, STOPWORDS = english);
CREATE FUNCTION public.in_c() RETURNS trigger LANGUAGE c
  AS '$libdir/own', 'triggered_change_notification';
CREATE FUNCTION public.set_old() RETURNS integer LANGUAGE sql SET {only_here} = 0
  AS $$ SELECT 1 $$;
ALTER DATABASE shop SET {only_here} = 0;
ALTER DATABASE shop SET work_mem = '5MB';
ALTER DATABASE shop SET own.thing = 'x';
CREATE ROLE app; GRANT SET ON PARAMETER log_statement TO app;
CREATE AGGREGATE public.collect(anycompatible)
  (SFUNC = array_append, STYPE = anycompatiblearray, INITCOND = '{}');
CREATE TABLESPACE fast LOCATION '/srv/fast';
CREATE TABLE public.hot (id integer PRIMARY KEY) TABLESPACE fast;

CREATE COLLATION public.nocase
  (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN public.digest AS bytea;
CREATE DOMAIN public.ratio AS double precision;
CREATE DOMAIN public.amount AS numeric(10,2);
CREATE DOMAIN public.code AS varchar(8);
CREATE DOMAIN public.short_code AS public.code;
CREATE TYPE public.mood AS ENUM ('sad', 'glad');
CREATE TABLE public.key_nocase (k text COLLATE public.nocase PRIMARY KEY);
CREATE TABLE public.key_digest (k public.digest PRIMARY KEY);
CREATE TABLE public.key_ratio (k public.ratio PRIMARY KEY);
CREATE TABLE public.key_numeric (k numeric PRIMARY KEY);
CREATE TABLE public.key_array (k integer[] PRIMARY KEY);
CREATE TABLE public.good_amount (k public.amount PRIMARY KEY);
CREATE TABLE public.good_mood (k public.mood PRIMARY KEY);
CREATE TABLE public.good_path (k public.ltree PRIMARY KEY);
CREATE TABLE public.good_bytes (k bytea PRIMARY KEY);
CREATE TABLE public.good_beside (id integer PRIMARY KEY, x double precision UNIQUE NOT NULL);
CREATE TABLE public.pair_clean (a date, b public.short_code, PRIMARY KEY (a, b));
CREATE TABLE public.pair_held (a date, b text, PRIMARY KEY (a, b));
CREATE TABLE public.pair_numbers (a integer, b integer, PRIMARY KEY (a, b));
INSERT INTO public.pair_clean VALUES ('2024-01-01', 'a/b');
INSERT INTO public.pair_held VALUES ('2024-01-01', E'a\\b');

CREATE TABLE public.base (id integer PRIMARY KEY, v text);
CREATE TABLE public.special (extra text, PRIMARY KEY (id)) INHERITS (public.base);
CREATE TABLE public.apart (PRIMARY KEY (id)) INHERITS (public.base);
INSERT INTO public.base VALUES (1, 'a');
INSERT INTO public.special VALUES (1, 'b', 'x');
INSERT INTO public.apart VALUES (2, 'c');

CREATE TABLE public.pub_none (id integer PRIMARY KEY);
ALTER TABLE public.pub_none REPLICA IDENTITY NOTHING;
CREATE TABLE public.pub_filter (id integer PRIMARY KEY, v text);
CREATE TABLE public.pub_good (id integer PRIMARY KEY, v text);
CREATE TABLE public.pub_inserts (id integer PRIMARY KEY);
ALTER TABLE public.pub_inserts REPLICA IDENTITY NOTHING;
CREATE PUBLICATION cdc FOR TABLE public.pub_none, public.pub_filter WHERE (v = 'x'),
  public.pub_good;
CREATE PUBLICATION arrivals FOR TABLE public.pub_inserts WITH (publish = 'insert');

CREATE FUNCTION public.count_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER count_it AFTER INSERT ON public.sound
  FOR EACH ROW EXECUTE FUNCTION public.count_it();
"""
# A server of PostgreSQL 17 or newer does not let anybody make these.
INDEXES = r"""
CREATE FUNCTION public.in_plpgsql(text) RETURNS text LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RETURN unaccent('unaccent', $1); END $$;
INSERT INTO public.person VALUES (1, 'a');
CREATE INDEX person_plain ON public.person (public.plain(name));
CREATE INDEX person_where ON public.person (id) WHERE public.plain(name) = '100 %';
CREATE INDEX person_over_rows ON public.person (public.in_plpgsql(name));
"""
TARGET = r"""
CREATE FUNCTION public.never() RETURNS event_trigger LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'no DDL on Mondays'; END $$;
CREATE ROLE bucardo SUPERUSER LOGIN;
ALTER ROLE bucardo IN DATABASE shop SET datestyle = 'SQL, DMY';
CREATE EVENT TRIGGER never ON ddl_command_start EXECUTE FUNCTION public.never();
"""


@pytest.fixture(scope="module")
def pair(site):
    site.run("here", FILES)
    site.configure(
        "here",
        ["shared_preload_libraries = 'auto_explain, pg_stat_statements'"]
        + ["max_prepared_transactions = 5", "wal_level = logical"],
    )
    schema = SCHEMA.replace("{only_here}", ONLY_HERE) + (INDEXES if IS_OLDER else "")
    here = site.master("here", "shop", "here", schema)
    there = site.master("there", "shop", "there", TARGET)
    return here, there


def options(site, master, origin=False):
    params = site.conninfo(master).params
    return {
        "name": master.name,
        "origin": origin,
        "maintenance_db": "postgres",
        "login_host": params["host"],
        "login_user": params["user"],
        "login_password": params["password"],
        "login_db": master.database,
    }


def look(site, pair, **wanted):
    here, there = pair
    masters = [options(site, here, origin=True), options(site, there)]
    return examine(survey(masters, Wanted(check_os_users="never", **wanted)))


@pytest.fixture(scope="module")
def report(site, pair):
    return look(site, pair, notifies=True)


@pytest.fixture(scope="module")
def said(report):
    """Check and object to what is said."""
    return {(one.check, one.object): one.message for one in report.findings}


def objects(said, check):
    return sorted(name for found, name in said if found == check)


def test_everything_can_be_read(said):
    assert objects(said, "unread") == []


@pytest.mark.skipif(not IS_OLDER, reason="the origin itself refuses such indexes")
def test_an_index_that_cannot_be_built_with_an_empty_path(report):
    found = [one.message for one in report.findings if one.check == "index-expression"]
    assert len(found) == 3
    assert all("with an empty search_path: function unaccent" in message for message in found)
    assert [message.split()[1] for message in found] == [
        "person_over_rows",
        "person_plain",
        "person_where",
    ]


def test_files_of_dictionaries_and_functions(said):
    assert objects(said, "dictionary-file") == ["own.stop"]
    assert said["dictionary-file", "own.stop"] == "dictionary public.own needs this file"
    assert objects(said, "library-missing") == ["own.so"]
    assert "in_c()" in said["library-missing", "own.so"]


def test_settings_that_a_newer_server_does_not_know(said):
    assert objects(said, "setting-unknown") == [ONLY_HERE]
    assert said["setting-unknown", ONLY_HERE] == "is set for database shop; unknown here"


def test_rights_to_parameters(said):
    assert said["parameter-grants", "there"] == "not granted here: SET on log_statement to app"


def test_preloaded_libraries(said):
    assert objects(said, "preload-differs") == ["auto_explain", "pg_stat_statements"]
    assert objects(said, "preload-missing") == []


def test_types_of_keys(said):
    assert objects(said, "key-type") == [
        "public.key_array",
        "public.key_digest",
        "public.key_nocase",
        "public.key_numeric",
        "public.key_ratio",
    ]
    assert "its collation nocase" in said["key-type", "public.key_nocase"]
    assert "Perl rounds it" in said["key-type", "public.key_ratio"]
    assert objects(said, "key-bytea") == ["public.good_bytes"]


def test_backslashes_in_keys(said):
    assert objects(said, "key-backslash") == ["public.pair_held"]
    assert objects(said, "key-backslash-refused") == ["public.pair_clean"]
    assert said["key-backslash-refused", "public.pair_clean"] == "text in its key: b"


def test_parents_and_children_may_have_the_same_key(said):
    assert not [key for key in said if key[0].startswith("inheritance")]


def test_publications_that_forbid_to_delete(said):
    assert objects(said, "published-without-identity") == ["public.pub_filter", "public.pub_none"]
    for table in ("public.pub_none", "public.pub_filter"):
        assert "replica identity" in said["published-without-identity", table]


def test_what_forbids_the_bootstrap_to_make_things(said):
    assert said["ddl-refused", "never"] == "no DDL on Mondays"


def test_settings_that_change_values_on_the_way(report):
    found = next(one for one in report.findings if one.check == "role-output")
    assert found.cure == "ALTER ROLE bucardo IN DATABASE shop RESET DateStyle."


def test_prepared_transactions(said, site, pair):
    assert objects(said, "prepared-kick") == ["here"]
    without = look(site, pair).findings
    assert "prepared-kick" not in {one.check for one in without}


def test_a_busy_origin(said, site, pair):
    """As commits that notify wait for each other."""
    assert objects(said, "busy-kick") == []
    here, _there = pair
    # Many in a row: a busy machine must not let the pauses between them decide.
    writes = "DO $$ BEGIN FOR i IN 1 .. 999 LOOP UPDATE sound SET v = i; COMMIT; END LOOP; END $$"
    here.sql("INSERT INTO sound VALUES (1, 'v')")
    with writing(here, writes):
        # It takes its time to begin.
        assert eventually(lambda: here.value("SELECT v FROM sound WHERE id = 1") != "v")
        found = {one.check: one for one in look(site, pair, notifies=True).findings}
        without = {one.check for one in look(site, pair).findings}
    assert found["busy-kick"].object == "here"
    assert "write per second now" in found["busy-kick"].message
    assert "busy-kick" not in without


def test_triggers_of_users(said):
    assert said["user-trigger", "public.sound"] == "has the trigger count_it"


def test_tablespaces_where_they_matter(said, site, pair):
    assert objects(said, "tablespace-missing") == ["fast"]
    without = look(site, pair, tablespaces=False).findings
    assert "tablespace-missing" not in {one.check for one in without}


def test_nothing_is_left_of_what_was_tried(report, pair):
    here, there = pair
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname ~ 'multimaster'"
    assert here.sql(schemas) == there.sql(schemas) == []


def test_copies_of_one_server_that_started_in_the_same_millisecond_are_two(site):
    """As containers of one image do, seen at 23.79914 and 23.798861."""
    start = "pg_catalog.pg_postmaster_start_time()"
    assert start in RUNNING_SERVER
    copies = [
        RUNNING_SERVER.replace(start, f"'2026-11-27 15:50:{second}+00'::timestamptz")
        for second in ("23.79914", "23.798861", "23.798861")
    ]
    found = site.psql("here", "postgres", f"SELECT {', '.join(copies)}").strip().split("\x1f")
    assert len(found) == 3
    assert found[0] != found[1] == found[2]

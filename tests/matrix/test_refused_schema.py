# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an older server does not take of a schema is named by preflight, object by object."""

from __future__ import annotations

import pytest
from site_of_tests import PASSWORD, Master, Site
from test_versions import CONTROL, IMAGE, port_of

ORIGIN, OLD = 18, 13
# By the first version that has it: the object, and how it is made.
NEWER = {
    14: {
        "FUNCTION public.half(integer)": "CREATE FUNCTION half(n integer) RETURNS integer"
        " LANGUAGE sql BEGIN ATOMIC SELECT n / 2; END",
        "TABLE public.span": "CREATE TABLE span (id integer PRIMARY KEY, m int4multirange)",
        "VIEW public.tree": "CREATE VIEW tree AS WITH RECURSIVE w (i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM w WHERE i < 3) SEARCH DEPTH FIRST BY i SET o SELECT i FROM w",
    },
    15: {
        "CONSTRAINT public.tag tag_name_key": "CREATE TABLE tag (id integer PRIMARY KEY, name text,"
        " UNIQUE NULLS NOT DISTINCT (name))",
        "VIEW public.tags": "CREATE VIEW tags WITH (security_invoker) AS SELECT name FROM tag",
    },
    16: {
        "TABLE public.doc": "CREATE TABLE doc (id integer PRIMARY KEY, b text CHECK (b IS JSON))",
        "COLLATION public.ruled": "CREATE COLLATION ruled (provider = icu, locale = 'und',"
        " rules = '&a < g')",
    },
    17: {
        "COLLATION public.by_code": "CREATE COLLATION by_code (provider = builtin, locale = 'C')",
        "VIEW public.tabled": "CREATE VIEW tabled AS SELECT i FROM"
        " JSON_TABLE('[1]'::jsonb, '$[*]' COLUMNS (i integer PATH '$'))",
        "ACL public.TABLE granted": "CREATE TABLE granted (id integer PRIMARY KEY);"
        " CREATE ROLE keeper; GRANT MAINTAIN ON granted TO keeper",
    },
    18: {
        "CHECK CONSTRAINT public.loose positive": "CREATE TABLE loose (id integer PRIMARY KEY,"
        " n integer CONSTRAINT positive CHECK (n > 0) NOT ENFORCED)",
        "FK CONSTRAINT public.owned owned_loose_fkey": "CREATE TABLE owned (id integer PRIMARY KEY,"
        " loose integer REFERENCES loose NOT ENFORCED)",
        "CONSTRAINT public.member email_there": "CREATE TABLE member (id integer PRIMARY KEY,"
        " email text); ALTER TABLE member ADD CONSTRAINT email_there NOT NULL email NOT VALID",
        "CONSTRAINT public.stay stay_pkey": "CREATE EXTENSION btree_gist; CREATE TABLE stay"
        " (id integer, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS))",
        "FK CONSTRAINT public.visit visit_stay_during_fkey": "CREATE TABLE visit (id integer"
        " PRIMARY KEY, stay integer, during daterange, FOREIGN KEY (stay, PERIOD during)"
        " REFERENCES stay (id, PERIOD during))",
        "TABLE public.doubled": "CREATE TABLE doubled (id integer PRIMARY KEY,"
        " twice integer GENERATED ALWAYS AS (id * 2))",
        # What follows from others is not told.
        "": "CREATE VIEW follows AS SELECT twice FROM doubled; CREATE VIEW too AS TABLE follows",
    },
}
# PostgreSQL 18 keeps the names of NOT NULL constraints, which say what things were called before.
RENAMED = """
CREATE TABLE person (id integer PRIMARY KEY, nick text NOT NULL);
ALTER TABLE person RENAME TO people; ALTER TABLE people RENAME COLUMN nick TO nickname
"""
# array_append() takes other polymorphic types since PostgreSQL 14.
AGGREGATE = """
CREATE AGGREGATE public.collect(anyelement)
  (SFUNC = array_append, STYPE = anyarray, INITCOND = '{}')
"""
SCHEMA = "; ".join(sql for objects in NEWER.values() for sql in objects.values()) + (
    "; CREATE ROLE owner_of_t; CREATE TABLE t (id integer PRIMARY KEY);"
    " ALTER TABLE t OWNER TO owner_of_t; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
    " CREATE POLICY p ON t TO keeper USING (true); GRANT SELECT ON t TO keeper"
)
TRIALS = "SELECT count(*) FROM pg_database WHERE datname LIKE 'multimaster%'"


def newer_than(version):
    return {
        name for since, objects in NEWER.items() for name in objects if since > version and name
    }


@pytest.fixture(scope="module")
def site():
    with Site("refused", image=IMAGE) as made:
        host = made.hosts[0]
        for version in (OLD, ORIGIN):
            made.run(
                host,
                f"set -e; pg_createcluster --port {port_of(version)} {version} main >/dev/null;"
                f" from=/etc/postgresql/{CONTROL}/main; to=/etc/postgresql/{version}/main;"
                " cp $from/pg_hba.conf $from/pg_ident.conf $to/;"
                " cp -r $from/conf.d $to/; chown -R postgres: $to;"
                f" pg_ctlcluster {version} main start",
            )
            made.psql(
                host, "postgres", f"ALTER ROLE postgres PASSWORD $${PASSWORD}$$", port_of(version)
            )
        made.psql(host, "postgres", "CREATE DATABASE shop TEMPLATE template0", port_of(ORIGIN))
        master(made, ORIGIN).sql(SCHEMA)
        yield made


def master(site, version, database="shop"):
    return Master(site, f"on {version}", site.hosts[0], database, port_of(version))


def options_of(site, masters):
    found = site.masters_option(site.inventory(masters))
    for options, one in zip(found, masters):
        options["login_port"] = one.port
    return found


def refused(site, *targets, **options):
    """By master the objects of findings of the trial."""
    masters = [master(site, ORIGIN), *targets]
    report = site.module(
        *("preflight", site.inventory(masters)),
        user="root",
        masters=options_of(site, masters),
        fail_on_blockers=False,
        exclude=["public.doubled", "public.stay"],
        **options,
    )
    found = {one.name: set() for one in targets}
    for one in report["blockers"]:
        if one["check"] == "schema-refused":
            found[one["master"]].add(one["object"])
    assert "schema-untried" not in {one["check"] for one in report["cautions"]}
    return found


def test_each_object_that_an_older_server_does_not_know_is_named_and_nothing_is_left(site):
    old, new = master(site, OLD), master(site, CONTROL)
    roles = {one.name: server(one, "SELECT count(*) FROM pg_roles") for one in (old, new)}
    # As a killed run leaves it.
    name = server(new, "SELECT 'multimaster_trial_' || left(encode(sha256('shop'), 'hex'), 12)")
    server(new, f"CREATE DATABASE {name}")
    assert refused(site, old, new) == {
        old.name: newer_than(OLD),
        new.name: newer_than(CONTROL),
    }
    for one in (old, new):
        assert server(one, TRIALS) == "0"
        assert server(one, "SELECT count(*) FROM pg_roles") == roles[one.name]


def server(one, text):
    return one.site.psql(one.host, "postgres", text, one.port).strip()


def test_a_server_of_the_same_version_takes_all(site):
    other = master(site, ORIGIN, "other")
    assert refused(site, other) == {other.name: set()}
    assert server(other, TRIALS) == "0"


def test_in_a_database_that_is_there_already_it_is_rolled_back(site):
    there = master(site, CONTROL, "empty")
    server(there, "CREATE DATABASE empty TEMPLATE template0")
    assert refused(site, there) == {there.name: newer_than(CONTROL)}
    assert there.value("SELECT count(*) FROM pg_class WHERE relnamespace = 2200") == "0"
    assert server(there, TRIALS) == "0"


def test_a_check_makes_no_database_and_names_the_same(site):
    there = master(site, CONTROL)
    server(there, "CREATE DATABASE multimaster_trial_seen")
    objects = "SELECT count(*), max(oid) FROM pg_class"
    before = server(there, objects)
    assert refused(site, there, dry=True) == {there.name: newer_than(CONTROL)}
    assert (server(there, TRIALS), server(there, objects)) == ("1", before)
    server(there, "DROP DATABASE multimaster_trial_seen")


def test_nor_does_that_of_a_clone(site):
    source, target = options_of(site, [master(site, ORIGIN), master(site, CONTROL)])
    said = site.module(
        *("schema_clone", site.inventory([master(site, ORIGIN), master(site, CONTROL)])),
        user="root",
        check=False,
        dry=True,
        source=source,
        target=target,
    )
    assert {one.partition(": ")[0] for one in said["refused"]} == newer_than(CONTROL)


def test_a_check_says_when_it_cannot_try(site):
    there = master(site, OLD)
    server(there, "CREATE TABLE public.in_the_way ()")
    masters = [master(site, ORIGIN), there]
    report = site.module(
        *("preflight", site.inventory(masters)),
        user="root",
        masters=options_of(site, masters),
        fail_on_blockers=False,
        dry=True,
    )
    untried = [one["message"] for one in report["cautions"] if one["check"] == "schema-untried"]
    assert untried == ["database postgres is not empty: table public.in_the_way"]
    assert "schema-refused" not in {one["check"] for one in report["blockers"]}


def test_names_of_not_null_constraints_are_no_obstacle(site):
    source = master(site, ORIGIN, "renamed")
    server(source, "CREATE DATABASE renamed TEMPLATE template0")
    source.sql(RENAMED)
    for target in (master(site, CONTROL, "renamed"), master(site, OLD, "renamed")):
        here, there = options_of(site, [source, target])
        clone = {"user": "root", "source": here, "target": there}
        inventory = site.inventory([source, target])
        assert site.module("schema_clone", inventory, **clone)["state"] == "cloned"
        again = site.module("schema_clone", inventory, **clone)
        assert (again["state"], again["changed"]) == ("identical", False)


def test_an_aggregate_over_a_function_whose_types_changed_is_named(site):
    source, target = master(site, OLD, "collecting"), master(site, CONTROL, "collecting")
    server(source, "CREATE DATABASE collecting TEMPLATE template0")
    source.sql(AGGREGATE)
    for dry in (True, False):
        report = site.module(
            *("preflight", site.inventory([source, target])),
            user="root",
            masters=options_of(site, [source, target]),
            fail_on_blockers=False,
            dry=dry,
        )
        found = {one["check"]: one for one in report["blockers"]}
        assert "schema-refused" not in found
        assert found["array-function"]["object"] == "aggregate public.collect(anyelement)"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database's owner gets nothing out of it that superusers connect to the database.

Nor does anybody who reads logs and results: secrets are in none of them.
"""

from __future__ import annotations

import copy
import json

import pytest
from site_of_tests import BUCARDO_PASSWORD, PASSWORD, same_rows

# See CONTRIBUTING.md.
LONG = True

SECRET = "dec'oy \"of\\ a secret"
PARTS = ('oy "of\\', 'oy \\"of', "of\\\\ a secret", "oy of", "of\\ a secret")

# Signatures that PostgreSQL has only for any array or any element: an exact one is preferred,
# wherever in the path it is. Each would make its owner a superuser.
TRAPS = """
CREATE ROLE mallory LOGIN;
ALTER DATABASE "left" OWNER TO mallory;
ALTER SCHEMA public OWNER TO mallory;
SET ROLE mallory;
CREATE FUNCTION public.spring() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    PERFORM pg_catalog.set_config('transaction_read_only', 'off', true);
    ALTER ROLE mallory SUPERUSER;
  END IF;
EXCEPTION WHEN OTHERS THEN
  EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch /tmp/mallory-was-here''';
END $$;
CREATE FUNCTION public.unnest(smallint[]) RETURNS SETOF smallint LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.spring(); RETURN QUERY SELECT e FROM pg_catalog.unnest($1) e; END $$;
CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.spring(); RETURN QUERY SELECT e FROM pg_catalog.unnest($1) e; END $$;
CREATE FUNCTION public.count(name) RETURNS bigint LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.spring(); RETURN 0; END $$;
CREATE FUNCTION public.to_jsonb(pg_catalog.pg_database) RETURNS jsonb LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.spring(); RETURN pg_catalog.to_jsonb($1); END $$;
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.spring(); RETURN pg_catalog.quote_ident($1); END $$;
RESET ROLE;
"""
# What relies on the database's own path where it is loaded: in a constraint, an index, a default.
SCHEMA = """
CREATE FUNCTION public.is_short(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS
  'SELECT length($1) < 100';
CREATE FUNCTION public.check_text(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
  'BEGIN RETURN is_short($1); END';
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL CHECK (check_text(body)));
CREATE INDEX note_short ON public.note (check_text(body));
CREATE MATERIALIZED VIEW public.short AS SELECT id, check_text(body) FROM public.note WITH NO DATA;
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
"""


@pytest.fixture(scope="module")
def masters(site):
    left, right = site.master("left", schema=SCHEMA), site.master("right")
    left.sql(TRAPS)
    return [left, right]


@pytest.fixture
def harmless(site, masters):
    """Afterwards, the owner of the database is what it was."""
    yield
    assert masters[0].value("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'") == "f"
    assert site.run(site.hosts[0], "ls /tmp").find("mallory") == -1


def test_whoever_owns_the_database_gains_nothing_by_a_look(site, masters, harmless):
    inventory = site.inventory(masters)
    options = site.masters_option(inventory)
    found = site.module(
        "preflight", inventory, user="root", masters=options, fail_on_blockers=False
    )
    assert found["blockers_text"] == []
    site.module("table_info", inventory, user="root", source=options[0])


def test_whoever_owns_the_database_gains_nothing_by_a_bootstrap(site, masters, harmless):
    left, right = masters
    # Bucardo's own daemon calls it without a schema, see docs/decisions/addresses.md.
    left.sql("DROP FUNCTION public.quote_ident(name)")
    inventory = site.inventory(masters)
    site.play("bootstrap", inventory)
    assert right.value("SELECT count(*) FROM note WHERE check_text(body)") == "500"
    right.sql("INSERT INTO note (body) VALUES ('from the right')")
    assert same_rows(masters, "public.note")
    assert site.play("bootstrap", inventory).changes == []
    site.play("status", inventory)


def test_no_hash_that_is_as_good_as_the_password_is_sent(site, masters):
    """A server whose password_encryption is md5, and which logs every statement."""
    host = site.hosts[0]
    right = masters[1]
    right.sql(
        "ALTER SYSTEM SET password_encryption = 'md5'; ALTER SYSTEM SET log_statement = 'ddl';"
    )
    right.sql("SELECT pg_reload_conf()")
    inventory = site.inventory(masters)
    try:
        site.module(
            "bucardo_role",
            inventory,
            user="root",
            masters=site.masters_option(inventory)[:1],
            name="by_hash",
            password="by hash",
        )
        stored = right.value("SELECT left(rolpassword, 5) FROM pg_authid WHERE rolname = 'by_hash'")
        assert stored == "SCRAM"
        log = site.run(host, "cat /var/log/postgresql/*.log")
        assert 'ALTER ROLE "by_hash" PASSWORD' in log, "this log has no statements"
        assert "PASSWORD 'md5" not in log
    finally:
        right.sql("ALTER SYSTEM RESET ALL")
        right.sql("SELECT pg_reload_conf()")


def test_a_password_that_others_may_use_is_not_changed_without_being_told(site, masters):
    left = masters[0]
    before = left.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'bucardo'")
    other = site.inventory(masters, multimaster_bucardo_password="another")
    said = site.play("bootstrap", other, check=False)
    assert said.code != 0
    assert "[bucardo-password]" in said.text
    assert "multimaster_change_password" in said.text
    assert left.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'bucardo'") == before
    told = site.inventory(
        masters, multimaster_bucardo_password="another", multimaster_change_password=True
    )
    site.play("bootstrap", told)
    assert left.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'bucardo'") != before
    back = site.inventory(masters, multimaster_change_password=True)
    site.play("bootstrap", back)


@pytest.mark.parametrize("keyword", ["password", "sslpassword", "oauth_client_secret"])
def test_a_secret_among_free_parameters_is_refused_and_shown_nowhere(site, masters, keyword):
    inventory = copy.deepcopy(site.inventory(masters))
    host = inventory["all"]["children"]["masters"]["hosts"]["left"]
    host["master_connect_params"] = {keyword: SECRET}
    said = site.play("bootstrap", inventory, "-vvv", check=False)
    assert said.code != 0
    assert f"master_connect_params holds the secret {keyword}" in said.text
    assert not any(part in said.text for part in PARTS)


def test_a_secret_given_to_a_module_is_in_no_result_and_no_log(site, masters):
    host = site.hosts[0]
    # What the module says to the system's log.
    site.run(
        host,
        "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);"
        ' s.bind("/dev/log"); f = open("/tmp/syslog", "wb", 0)\n'
        "while True: f.write(s.recv(65536) + bytes([10]))' >/dev/null 2>&1 & "
        "until test -S /dev/log; do sleep 0.1; done; chmod 666 /dev/log",
    )
    inventory = site.inventory(masters)
    options = site.masters_option(inventory)
    options[0]["connect_params"] = {"password": SECRET}
    found = site.module("table_info", inventory, user="root", check=False, source=options[0])
    assert found["failed"]
    assert "password is a secret" in found["msg"]
    assert "login_password" in found["msg"]
    site.module("table_info", inventory, user="root", source=options[1])
    log = site.run(host, "cat /tmp/syslog")
    assert "Invoked with" in log
    for text in (json.dumps(found, ensure_ascii=False), log):
        assert not any(part in text for part in PARTS)
        # The ends of both passwords, however their middle is quoted.
        assert "g%r=e" not in text
        assert "r%d=o" not in text
    assert "g%r=e" in PASSWORD
    assert "r%d=o" in BUCARDO_PASSWORD


# At the end: it leaves the left master in need of a cure.
FORGED = """
SET ROLE mallory;
CREATE SCHEMA multimaster;
CREATE TABLE multimaster.seed (schema_name text, table_name text, table_oid oid, state text,
  rows bigint, bytes bigint, hash text, format text, index_mode text, snapshot text, source text,
  seconds double precision, finished_at timestamptz, PRIMARY KEY (schema_name, table_name));
CREATE TABLE multimaster.seed_run (id bigint, source text, phase text, started_at timestamptz,
  updated_at timestamptz, finished_at timestamptz, snapshot_at timestamptz, tables_total bigint,
  tables_done bigint, bytes_total bigint, bytes_done bigint, current_tables text[]);
CREATE TABLE multimaster.sequence (sequence regclass PRIMARY KEY, original int8, slots int4,
  slot int4);
CREATE FUNCTION public.on_ledger() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.spring(); RETURN NEW; END $$;
CREATE TRIGGER on_ledger BEFORE INSERT ON multimaster.sequence FOR EACH ROW
  EXECUTE FUNCTION public.on_ledger();
ALTER TABLE multimaster.sequence ENABLE ALWAYS TRIGGER on_ledger;
RESET ROLE;
"""


def test_objects_of_ours_that_somebody_else_made_are_refused(site, masters, harmless):
    fresh = site.master("fresh", schema=SCHEMA)
    fresh.sql(TRAPS.replace('"left"', '"fresh"').replace("CREATE ROLE mallory LOGIN;", ""))
    fresh.sql(FORGED)
    pair = [fresh, site.master("empty")]
    inventory = site.inventory(pair, multimaster_sync="forged")
    said = site.play("bootstrap", inventory, check=False)
    assert said.code != 0
    assert "[foreign-owner]" in said.text
    assert "the schema multimaster belongs to mallory, who is no superuser" in said.text
    options = site.masters_option(inventory)
    found = site.module(
        "sequence_interleave",
        inventory,
        user="root",
        check=False,
        masters=[options[0], site.masters_option(site.inventory(masters))[1]],
    )
    assert "belongs to mallory" in found["msg"]
    found = site.module(
        "data_seed",
        inventory,
        user="root",
        check=False,
        source=site.masters_option(site.inventory(masters))[0],
        target=options[0],
    )
    assert "belongs to mallory" in found["msg"]

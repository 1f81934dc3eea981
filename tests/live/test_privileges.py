# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs with the rights of Bucardo's role when somebody writes: nothing of that somebody's."""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

SCHEMA = """
CREATE ROLE mallory LOGIN;
CREATE SCHEMA ext;
CREATE EXTENSION ltree SCHEMA ext;
CREATE SCHEMA app;
CREATE DOMAIN app.label AS ext.ltree;
CREATE TABLE app.item (id text PRIMARY KEY, v integer);
CREATE TABLE app.node (path ext.ltree, name app.label, v integer, PRIMARY KEY (path, name));
INSERT INTO app.item SELECT 'item ' || i, i FROM generate_series(1, 10) i;
INSERT INTO app.node VALUES ('a.b', 'a', 1), ('a.c', 'a', 1);
GRANT USAGE ON SCHEMA app TO mallory;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA app TO mallory;
CREATE SCHEMA mallory AUTHORIZATION mallory;
"""
# Operators of the names that Bucardo's functions use, which do more than to compare.
OPERATORS = """
SET ROLE mallory;
CREATE FUNCTION mallory.rise() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_user = 'bucardo' THEN
    EXECUTE 'ALTER ROLE mallory SUPERUSER';
  END IF;
END $$;
CREATE FUNCTION mallory.differs(text, text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN PERFORM mallory.rise(); RETURN $1 OPERATOR(pg_catalog.<>) $2; END $$;
CREATE FUNCTION mallory.equals(text, text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN PERFORM mallory.rise(); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE FUNCTION mallory.joined(text, text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM mallory.rise(); RETURN $1 OPERATOR(pg_catalog.||) $2; END $$;
CREATE FUNCTION mallory.joined(name, text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM mallory.rise(); RETURN $1::text OPERATOR(pg_catalog.||) $2; END $$;
CREATE OPERATOR mallory.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = mallory.differs);
CREATE OPERATOR mallory.= (LEFTARG = text, RIGHTARG = text, FUNCTION = mallory.equals);
CREATE OPERATOR mallory.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = mallory.joined);
CREATE OPERATOR mallory.|| (LEFTARG = name, RIGHTARG = text, FUNCTION = mallory.joined);
"""
AS_MALLORY = "SET ROLE mallory; SET search_path = mallory, pg_catalog, app;"
IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'"


@pytest.fixture(scope="module")
def masters(site):
    masters = [site.master("left", schema=SCHEMA), site.master("right")]
    site.play("bootstrap", site.inventory(masters))
    masters[0].sql(OPERATORS)
    return masters


@pytest.fixture(autouse=True)
def modest(masters):
    masters[0].sql("ALTER ROLE mallory NOSUPERUSER")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO item VALUES ('new', 1)",
        "UPDATE item SET v = v + 1",
        "UPDATE item SET id = id OPERATOR(pg_catalog.||) '!' WHERE v < 3",
        "DELETE FROM item WHERE v > 8",
    ],
)
def test_who_writes_cannot_rise_by_an_operator(masters, statement):
    masters[0].sql(f"{AS_MALLORY} {statement}")
    assert masters[0].value(IS_SUPERUSER) == "f"
    assert same_rows(masters, "app.item")


def test_an_application_without_the_extension_in_its_path_can_write(masters):
    for master, path in zip(masters, ("a.b", "a.c")):
        master.sql(
            "SET ROLE mallory; SET search_path = app;"
            f" UPDATE node SET v = 2 WHERE path::text = '{path}'"
        )
    masters[0].sql("SET search_path = app; UPDATE node SET path = 'x.y' WHERE path::text = 'a.b'")
    assert same_rows(masters, "app.node")
    assert masters[1].sql("SELECT path, v FROM app.node ORDER BY 1") == [["a.c", "2"], ["x.y", "2"]]


def test_who_truncates_cannot_rise_by_an_operator(masters):
    masters[0].sql(f"{AS_MALLORY} TRUNCATE item")
    assert masters[0].value(IS_SUPERUSER) == "f"


def test_every_function_with_the_rights_of_bucardo_is_safe(masters):
    """Its own search_path, or every name in it with its schema."""
    for master in masters:
        without = master.sql(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'bucardo'::regnamespace"
            " AND prosecdef"
            " AND NOT COALESCE(proconfig::text LIKE '%search_path=pg_catalog%', false)"
            " ORDER BY 1"
        )
        assert without == [["delta_app_item"], ["delta_app_node"]]
        texts = master.value(
            "SELECT string_agg(prosrc, '') FROM pg_proc"
            " WHERE pronamespace = 'bucardo'::regnamespace AND proname ~ '^delta_'"
        )
        assert " <> " not in texts
        assert " = " not in texts


def test_a_validation_of_bucardo_leaves_the_functions_as_they_are(site, masters):
    query = (
        "SELECT string_agg(p.oid::text || xmin::text, ' ' ORDER BY p.oid) FROM pg_proc p"
        " WHERE pronamespace = 'bucardo'::regnamespace"
    )
    before = [master.value(query) for master in masters]
    site.bucardo("validate", "multimaster")
    assert [master.value(query) for master in masters] == before

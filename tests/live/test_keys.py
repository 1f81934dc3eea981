# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of every type that preflight lets pass carry changes both ways, and values stay the same."""

from __future__ import annotations

import typing as t

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("here", "there")
PRELUDE = r"""
CREATE EXTENSION ltree;
CREATE TYPE public.mood AS ENUM ('sad', 'not ok', 'it''s fine');
CREATE DOMAIN public.code AS varchar(20) CHECK (VALUE <> '');
CREATE DOMAIN public.number AS integer CHECK (VALUE > 0);
"""


class Key(t.NamedTuple):
    """A type and some values of it as SQL: to change, to delete, to change elsewhere, to insert."""

    type: str
    values: tuple[str, ...]


SOUND = {
    "small": Key("smallint", ("-1", "2", "3", "32767")),
    "whole": Key("integer", ("-1", "2", "3", "4")),
    "big": Key("bigint", ("-9223372036854775808", "2", "3", "9223372036854775807")),
    "decimal": Key("numeric(12,2)", ("1.50", "'NaN'", "3", "1234567890.12")),
    # Alone a key may hold backslashes; beside others it may not, see the last test.
    "words": Key("text", (r"E'it''s \\ a \\\\ b'", "''", r"E'tab\tline\n'", "'Grüße 😀 {a,b}'")),
    "limited": Key("varchar(30)", (r"E'C:\\dir\\x'", "'NULL'", "' x '", "'a,b'")),
    "padded": Key("char(6)", ("'a'", "'ab '", "'b'", "'abcdef'")),
    "identifier": Key("name", ("'a'", "'b'", "'c'", "'d d'")),
    "id": Key("uuid", tuple(f"'{x * 8}-0000-0000-0000-000000000000'" for x in "abcd")),
    "day": Key("date", ("'2024-03-04'", "'infinity'", "'0044-03-15 BC'", "'2024-02-29'")),
    "moment": Key(
        "timestamp",
        ("'2024-03-04 05:06:07.123456'", "'-infinity'", "'2024-03-04'", "'1999-12-31 23:59:59'"),
    ),
    "instant": Key(
        "timestamptz",
        ("'2024-03-04 05:06:07.123456+02'", "'infinity'", "'2024-03-04 00:00Z'", "'1850-01-01Z'"),
    ),
    "clock": Key("time", ("'00:00'", "'24:00'", "'12:34:56.789'", "'01:02'")),
    "flag": Key("boolean", ("true", "false")),
    "network": Key("cidr", ("'10.0.0.0/8'", "'::/0'", "'192.168.0.0/24'", "'fe80::/10'")),
    "address": Key("inet", ("'10.0.0.1'", "'10.0.0.1/24'", "'::1'", "'fe80::1/64'")),
    "card": Key("macaddr", tuple(f"'08:00:2b:01:02:0{x}'" for x in "1234")),
    "bits": Key("bit(4)", ("B'0000'", "B'0001'", "B'1000'", "B'1111'")),
    "manybits": Key("varbit", ("B''", "B'0001'", "B'1'", "B'1111'")),
    "choice": Key("public.mood", ("'sad'", "'not ok'", "'it''s fine'")),
    "coded": Key("public.code", ("'a'", "'b c'", "'it''s'", "'e'")),
    "numbered": Key("public.number", ("1", "2", "3", "4")),
    "binary": Key("bytea", (r"'\x00ff5c00'", r"'\x'", r"'\x27'", r"'\xdeadbeef'")),
    "path": Key("public.ltree", ("'a.b'", "'a'", "'b.c.d'", "'x'")),
    "object": Key("oid", ("1", "2", "3", "4294967295")),
}
# Beside another column: Bucardo writes such values into its statements.
IN_PAIRS = [name for name in SOUND if name not in ("words", "limited")]
TABLES = [*SOUND, *(f"{name}_2" for name in IN_PAIRS)]
OTHERS = """
CREATE TABLE public.printed (id integer PRIMARY KEY, d date, m timestamp, i interval,
                             f double precision, r real, a text[], b bytea, c money);
CREATE TABLE public.covering (id integer, w text, v text, PRIMARY KEY (id) INCLUDE (w));
INSERT INTO public.covering VALUES (1, 'a', 'seeded'), (2, 'b', 'seeded');
CREATE TABLE public.nullable (n text UNIQUE, id integer NOT NULL UNIQUE, v text);
INSERT INTO public.nullable VALUES (NULL, 1, 'seeded'), (NULL, 2, 'seeded');
CREATE TABLE public.guarded (d date, k text, v text, PRIMARY KEY (d, k));
INSERT INTO public.guarded VALUES ('2024-01-01', 'a/b', 'seeded');
"""
# What a server's configuration must not change.
ISO = "SET datestyle = 'ISO, MDY'; SET extra_float_digits = 1; SET intervalstyle = 'postgres';"
PRINTED = r"""
INSERT INTO public.printed VALUES (1, '2024-03-04', '2024-03-04 05:06:07.123456',
  '-1 day +02:03:04', 0.1::float8 + 0.2, 1.0 / 3, ARRAY['NULL', NULL, 'a,b'], '\x00ff', 2.5);
"""


def created(table: str) -> str:
    key = SOUND[table.removesuffix("_2")]
    columns = "d, k" if table.endswith("_2") else "k"
    rows = ", ".join(f"({value}, 'seeded')" for value in key.values[:3])
    return (
        f"CREATE TABLE public.t_{table} (d date NOT NULL DEFAULT '2024-01-01',"
        f" k {key.type}, v text, PRIMARY KEY ({columns}));"
        f"INSERT INTO public.t_{table} (k, v) VALUES {rows};"
    )


def changes(table: str, on_the_new_master: bool) -> str:
    values, name = SOUND[table.removesuffix("_2")].values, f"public.t_{table}"
    if not on_the_new_master:
        return "".join(f"UPDATE {name} SET v = 'here' WHERE k = {x};" for x in values[2:3])
    return (
        f"UPDATE {name} SET v = 'changed' WHERE k = {values[0]};"
        f"DELETE FROM {name} WHERE k = {values[1]};"
    ) + "".join(f"INSERT INTO {name} (k, v) VALUES ({x}, 'new');" for x in values[3:])


@pytest.fixture(scope="module")
def pair(site):
    """Two masters, of which the first one's server prints values in its own way."""
    site.configure(
        "here",
        ["datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "extra_float_digits = -3"],
    )
    schema = ISO + PRELUDE + OTHERS + "".join(map(created, TABLES))
    here = site.master("here", "shop", "here", schema)
    there = site.master("there", "shop", "there")
    site.play("bootstrap", site.inventory([here, there]))
    for master, new in ((here, False), (there, True)):
        master.sql(ISO + "".join(changes(table, new) for table in TABLES))
    here.sql(ISO + PRINTED)
    here.sql("UPDATE public.covering SET w = 'y' WHERE id = 2")
    there.sql("UPDATE public.covering SET v = 'changed', w = 'x' WHERE id = 1")
    there.sql("UPDATE public.nullable SET v = 'changed' WHERE id = 1")
    here.sql("DELETE FROM public.nullable WHERE id = 2")
    return here, there


def rows(master, table):
    return master.sql(f'{ISO} SELECT t::text FROM {table} t ORDER BY t::text COLLATE "C"')


@pytest.mark.parametrize("table", TABLES)
def test_changes_of_rows_with_such_a_key_arrive(pair, table):
    name = f"public.t_{table}"
    expected = ["changed", "here", "new"][: max(1, len(SOUND[table.removesuffix("_2")].values) - 1)]
    for master in pair:
        assert eventually_is(master, name, expected)
    assert rows(pair[0], name) == rows(pair[1], name)


def eventually_is(master, table, expected):
    return eventually(
        lambda: [row[0] for row in master.sql(f"SELECT v FROM {table} ORDER BY v")] == expected
    )


def test_values_arrive_as_they_are_whatever_the_servers_print(pair):
    here, there = pair
    assert eventually(lambda: rows(there, "public.printed"))
    assert rows(here, "public.printed") == rows(there, "public.printed")
    assert there.value(
        "SELECT d = '2024-03-04'::date AND f = 0.1::float8 + 0.2 AND a[2] IS NULL"
        " FROM public.printed"
    )


def test_the_key_that_is_registered_is_what_identifies_a_row(pair):
    for master in pair:
        assert eventually_is(master, "public.covering", ["changed", "seeded"])
        assert eventually_is(master, "public.nullable", ["changed"])
    assert same_rows(pair, "public.covering", "public.nullable")
    assert pair[1].value("SELECT w FROM public.covering WHERE id = 2") == "y"


@pytest.mark.parametrize(
    "statement",
    [
        r"INSERT INTO public.guarded VALUES ('2024-01-01', E'a\\b', 'lost')",
        r"UPDATE public.guarded SET k = E'a\\b'",
    ],
)
def test_a_backslash_that_would_lose_the_row_is_refused(pair, statement):
    for master in pair:
        assert "a backslash in the key of public.guarded" in master.refused(statement)
        # Whatever else is written there is not.
        master.sql("UPDATE public.guarded SET v = 'changed'")

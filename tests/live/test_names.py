# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that nobody should give, and people do: such tables replicate, or are refused by name."""

from __future__ import annotations

import pytest
from site_of_tests import eventually

# See CONTRIBUTING.md.
LONG = True

DATABASES = {"left": "The Shops 1.0 %d", "right": "naïve-copy; $x"}
TABLES = (
    *("Item", "item", "ITEM", "with space", " padded ", "dot.ted", "per%cent", "%s", "%(x)s"),
    *("quo'te", "semi;colon", "select", "user", "table", "order", "dollar$1", "$$", "{brace}"),
    *("a,b", "(paren)", "[x]", "-- no comment", "/*c*/", "back\\slash", "\\", "`tick`", "a=b"),
    *("tab\there", "täble ☃", "表", "🜚", "1", "0", "-", "_", "*", "?", "bucardo", "~x"),
    *(
        "delta_item",
        "track_item",
        "@at",
        "#hash",
        "a/b",
        "a:b",
        "a&b",
        "<x>",
        "!bang",
        "multimaster",
    ),
    # 63 bytes, most of them of one beginning.
    *("n" * 63, "n" * 62 + "o", "n" * 50, "ä" * 20),
)
COLUMNS = (
    *("Id", "id no", " id", "i.d", "i%d", "%s", "i'd", "select", "user", "ïd", "id;", "$1", "i\\d"),
    *(
        "rowid",
        "{id}",
        "(id)",
        "id,x",
        "db",
        "dbname",
        "target",
        "ctid2",
        "i" * 63,
        "tab\tid",
        "a:b",
    ),
)
VALUES = ("Value", "the value", "v.v", "v%", "v'v", 'v"v', "v|v", "from", "v\nv", "v\\v", "v" * 63)
# Of every three of them: a table called like the next, in the same or another case.
SCHEMAS = (
    "Sales Data",
    "sales.data",
    "user",
    "s%d",
    "Größe",
    "s'q",
    "s;q",
    "b" * 63,
    "multi_master",
)
# What is refused, and by which check.
REFUSED = {
    'public."pipe|d"': "table-name",
    'public."dou""ble"': "table-name",
    'public."line\nbreak"': "table-name",
    '"q""s".t': "table-name",
    'public."key""col"': "key-column-name",
    "public.keypipe": "key-column-name",
    "public.keytime": "key-column-name",
    f"public.{'ö' * 31}": "delta-name-long",
    f"{'b' * 63}.Item": "delta-name-quoted",
    f"{'b' * 63}.order": "delta-name-quoted",
}


def q(name):
    return '"' + name.replace('"', '""') + '"'


def table(name, key="id", value="v", schema="public"):
    place = f"{q(schema)}.{q(name)}"
    return (
        f"CREATE TABLE {place} ({q(key)} integer PRIMARY KEY, {q(value)} text);"
        f"INSERT INTO {place} VALUES (1, 'a'), (2, 'b'), (3, 'c');"
    )


REPLICATED = [
    *(("public", name, "id", "v") for name in TABLES),
    *(("public", f"key {number}", name, "v") for number, name in enumerate(COLUMNS)),
    *(("public", f"value {number}", "id", name) for number, name in enumerate(VALUES)),
    *((schema, name, "id", "v") for schema in SCHEMAS for name in ("t", "Item", "order")),
]
LONG_ONES = [one for one in REPLICATED if len(one[0]) == 63 and one[1] != "t"]
SCHEMA = "".join(f"CREATE SCHEMA {q(schema)};" for schema in (*SCHEMAS, 'q"s')) + "".join(
    table(name, key, value, schema) for schema, name, key, value in REPLICATED
)
SCHEMA += "".join(
    (
        table('dou"ble'),
        table("line\nbreak"),
        table("pipe|d"),
        table("t", schema='q"s'),
        table('key"col', 'i"d'),
        table("keypipe", "i|d"),
        table("keytime", "txntime"),
        table("ö" * 31),
        'CREATE SEQUENCE "the %s no."; CREATE ROLE "Röle ""x"" \'%s"; GRANT SELECT ON "Item"'
        " TO \"Röle \"\"x\"\" '%s\"; CREATE TYPE \"Enum %\" AS ENUM ('%', 'it''s', '\"', '\\x');"
        'CREATE TABLE "enum %" ("k %" "Enum %" PRIMARY KEY, d "Enum %" DEFAULT \'it\'\'s\');'
        "INSERT INTO \"enum %\" VALUES ('%'), ('\"');",
        "CREATE TABLE wide (id integer PRIMARY KEY,",
        ", ".join(f"c{number} text" for number in range(1599)),
        "); INSERT INTO wide (id, c0, c1598) VALUES (1, 'first', 'last');",
    )
)
REPLICATED = [one for one in REPLICATED if one not in LONG_ONES]
TOUCHED = [f"{q(schema)}.{q(name)}" for schema, name, _key, _value in REPLICATED]


def everything(master):
    """Rows of all tables at once: each look at one costs a process."""
    rows = "SELECT $n${0}$n$, string_agg(r::text, '|' ORDER BY r::text COLLATE \"C\") FROM {0} r"
    tables = ("wide", '"enum %"', *TOUCHED)
    return sorted(master.sql(" UNION ALL ".join(rows.format(place) for place in tables)))


@pytest.fixture(scope="module")
def masters(site):
    return [
        site.master("left", DATABASES["left"], schema=SCHEMA),
        site.master("right", DATABASES["right"]),
    ]


@pytest.fixture(scope="module")
def inventory(site, masters):
    inventory = site.inventory(masters, multimaster_exclude=list(REFUSED))
    site.play("bootstrap", inventory)
    return inventory


def test_what_bucardo_cannot_write_is_named(site, masters):
    inventory = site.inventory(masters)
    report = site.module(
        *("preflight", inventory),
        user="root",
        masters=site.masters_option(inventory),
        fail_on_blockers=False,
    )
    assert {one["object"]: one["check"] for one in report["blockers"]} == REFUSED


def test_all_others_replicate_both_ways(masters, inventory):
    for number, master in enumerate(masters, 1):
        master.sql(
            "".join(
                f"UPDATE {place} SET {q(value)} = 'it''s \\ %s {number}' WHERE {q(key)} = {number};"
                f"INSERT INTO {place} VALUES (10 + {number}, '\"');"
                for place, (_schema, _name, key, value) in zip(TOUCHED, REPLICATED)
            )
        )
    left, right = masters
    right.sql(
        "".join(
            f"DELETE FROM {place} WHERE {q(key)} = 3;"
            for place, (_schema, _name, key, _value) in zip(TOUCHED, REPLICATED)
        )
        + 'UPDATE "enum %" SET d = \'\\x\' WHERE "k %" = \'"\';'
        "UPDATE wide SET c1598 = 'of the right'; INSERT INTO wide (id, c800) VALUES (2, 'x')"
    )
    assert eventually(lambda: everything(left) == everything(right))
    assert {left.value(f"SELECT count(*) FROM {place}") for place in TOUCHED} == {"4"}
    assert left.value("SELECT c1598 FROM wide WHERE id = 1") == "of the right"


def test_a_second_run_has_nothing_to_do_and_nothing_of_it_stays(site, masters, inventory):
    site.play("verify", inventory)
    site.play("status", inventory)
    assert site.play("bootstrap", inventory).changes == []
    site.play("teardown", inventory, "-e", "multimaster_confirm_teardown=multimaster")
    left, right = masters
    left_over = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
    assert [one.value(left_over) for one in (left, right)] == ["0", "0"]
    assert everything(left) == everything(right)

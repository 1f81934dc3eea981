# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both masters, seen from outside: what is written on one is read on the other."""

from __future__ import annotations

import concurrent.futures

import pytest
from masters import eventually


def test_the_application_never_noticed(writer):
    assert writer["writes"] > 500
    assert writer["failed"] == {}


def test_all_rows_are_equal(writer, here, there):
    tables = here.tables()
    assert len(tables) == 10

    def differing():
        return [t for t in tables if here.fingerprint(t) != there.fingerprint(t)]

    assert eventually(lambda: not differing()), differing()


@pytest.mark.parametrize("direction", ["here to there", "there to here"])
@pytest.mark.parametrize(
    ("write", "read", "expected"),
    [
        (
            "INSERT INTO customers (email, name) VALUES ('{d}@example.com', '{d}')",
            "SELECT name FROM customers WHERE email = '{d}@example.com'",
            "{d}",
        ),
        (
            'UPDATE customers SET attributes = \'{{"d": "{d}"}}\' WHERE id = 7',
            "SELECT attributes->>'d' FROM customers WHERE id = 7",
            "{d}",
        ),
        (
            "INSERT INTO measurements (region, value) VALUES ('{d}', 1.5)",
            "SELECT value FROM measurements WHERE region = '{d}'",
            "1.5",
        ),
        (
            'UPDATE "Sales Data"."Größen" SET "Schlüssel" = \'{d}\''
            ' WHERE "Schlüssel" = (SELECT min("Schlüssel") FROM "Sales Data"."Größen"'
            " WHERE \"Schlüssel\" LIKE 'größe%')",
            'SELECT "Schlüssel" FROM "Sales Data"."Größen" WHERE "Schlüssel" = \'{d}\'',
            "{d}",
        ),
        ("DELETE FROM counters", "SELECT count(*) FROM counters", "0"),
        (
            "INSERT INTO counters VALUES ('{d}', 1)",
            "SELECT count(*) FROM counters WHERE name = '{d}'",
            "1",
        ),
        ("TRUNCATE counters", "SELECT count(*) FROM counters", "0"),
    ],
    ids=["insert", "update", "partition", "key-change", "delete", "insert-again", "truncate"],
)
def test_writes_arrive(writer, here, there, direction, write, read, expected):
    source, target = (here, there) if direction == "here to there" else (there, here)
    source.sql(write.format(d=direction))
    wanted = expected.format(d=direction)
    assert eventually(lambda: target.value(read.format(d=direction)) == wanted)


def test_concurrent_inserts_do_not_collide(writer, here, there):
    # serial, bigserial and identity columns, both masters at once
    insert = (
        "INSERT INTO orders (customer_id) SELECT 5 FROM generate_series(1, 500);"
        "INSERT INTO measurements (region) SELECT 'both' FROM generate_series(1, 500);"
        "INSERT INTO scratch (note) SELECT 'both' FROM generate_series(1, 500)"
    )
    count = (
        "SELECT (SELECT count(*) FROM orders WHERE customer_id = 5),"
        " (SELECT count(*) FROM measurements WHERE region = 'both'),"
        " (SELECT count(*) FROM scratch WHERE note = 'both')"
    )
    before = [int(n) for n in here.sql(count)[0]]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda master: master.sql(insert), (here, there)))
    expected = [[str(n + 1000) for n in before]]
    assert eventually(lambda: here.sql(count) == expected == there.sql(count)), (
        here.sql(count),
        there.sql(count),
        expected,
    )


def test_what_is_excluded_is_left_alone(here, there):
    assert here.value("SELECT count(*) FROM import_staging") == "100"
    assert there.value("SELECT count(*) FROM import_staging") == "0"
    for master in (here, there):
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'import_staging'::regclass"
        assert master.sql(query) == []


def test_the_clone_is_complete(here, there):
    for statement in (
        "SELECT count(*), bool_and(indisvalid AND indisready) FROM pg_index i JOIN pg_class c"
        " ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('public', 'Sales Data')",
        "SELECT count(*), bool_and(convalidated) FROM pg_constraint c JOIN pg_namespace n"
        " ON n.oid = c.connamespace WHERE n.nspname IN ('public', 'Sales Data')",
    ):
        assert here.sql(statement) == there.sql(statement)
    assert int(there.value("SELECT count(*) FROM sales_by_status")) > 0, "not refreshed"
    assert there.value("SELECT reltuples > 0 FROM pg_class WHERE relname = 'orders'") == "t"

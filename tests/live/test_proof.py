# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof sees every change of a row, and nothing but changes; see proof_cases.py.

`PROOF_SEED` in the environment repeats the random choices of another run.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import random
import string

import proof_cases as cases
import pytest
from proof_cases import MUTATIONS, PAIR_MUTATIONS, PAIRS, ROWS, TYPES, plain
from site_of_tests import OTHER_IMAGE

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import (
    pg,
    proof,
    rowhash,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.catalog import (
    read_tables,
)

HOSTS = ("db", "other")
IMAGES = {"other": OTHER_IMAGE}

SEED = int(os.environ.get("PROOF_SEED", random.randrange(10**9)))
# How often a class is tried on each table that it suits.
DRAWS = 5
LEAST = 5000

# How hashes are made: an option of Method, and whether all columns go through text.
WAYS = {
    "native": ({}, False),
    "as text": ({}, True),
    "utf8": ({"utf8": True}, False),
    "sha-256": ({"native": False}, False),
}
# Independent of the code under test: the rows as text, in order.
ORACLE = """SELECT md5(string_agg(r, E'\\n' ORDER BY r COLLATE "C")) FROM
 (SELECT x::text AS r FROM ONLY {} x) q"""


@dataclasses.dataclass
class Look:
    """What was seen of a table: the rows themselves, and count and sum by every way."""

    rows: str
    sums: dict[str, str]

    def blind(self, other: Look) -> list[str]:
        """Ways by which two looks are wrongly equal, or wrongly different."""
        return [
            way for way in WAYS if (self.sums[way] == other.sums[way]) != (self.rows == other.rows)
        ]


class Tables:
    """The tables of a database, looked at through the collection's own functions."""

    def __init__(self, session: pg.Session) -> None:
        self.session = session
        rowhash.pin_session(session)
        types = rowhash.read_types(session)
        sql = pg.sql
        for table in read_tables(session, sizes=False):
            queries = [sql.SQL(ORACLE).format(sql.Identifier("public", table.name.name))]
            for options, by_text in WAYS.values():
                as_text = [column.name for column in table.columns] if by_text else ()
                queries.append(
                    sql.SQL("SELECT rows || ' ' || hash FROM ({}) s").format(
                        rowhash.aggregate(table, types, rowhash.Method(**options), as_text)
                    )
                )
            session.execute(
                sql.SQL("PREPARE {} AS SELECT ARRAY[({})]").format(
                    sql.Identifier(f"look {table.name.name}"), sql.SQL("), (").join(queries)
                )
            )
        # The mutations use functions and operators of extensions.
        session.execute("SET search_path = pg_catalog, public; SET client_min_messages = error")

    def look(self, name: str) -> Look:
        rows, *sums = self.session.value(f'EXECUTE "look {name}"')
        return Look(rows, dict(zip(WAYS, sums)))


class Tried:
    """What came of all mutations."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seen: collections.Counter[str] = collections.Counter()
        self.types: set[str] = set()
        self.blind: list[str] = []

    def mutate(self, tables: Tables, name: str, mutation: cases.Mutation, first: str = "") -> None:
        """Do it in a transaction that is rolled back.

        :param first: statement that prepares the rows.
        """
        r, s, q = self.random.sample(range(1, ROWS + 1), 3)
        values = {"t": f"t_{name}", "r": r, "s": s, "q": q, "k": self.random.randrange(31)}
        prepare, statement = (
            string.Template(text).substitute(values) for text in (first, mutation.statement)
        )
        session = tables.session
        session.execute("BEGIN;" + prepare)
        before = tables.look(f"t_{name}")
        session.execute(statement)
        after = tables.look(f"t_{name}")
        session.execute("ROLLBACK")
        self.blind += [
            f"{way}: {name}, {mutation.name}: {prepare}; {statement}" for way in before.blind(after)
        ]
        if before.rows != after.rows:
            self.seen[mutation.name] += 1
            self.types.add(name)


def literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


@pytest.fixture(scope="module")
def here(site):
    return site.master("here", schema=cases.plain_tables())


@pytest.fixture(scope="module")
def tables(site, here):
    with pg.Session(site.conninfo(here)) as session:
        yield Tables(session)


def test_no_mutation_goes_unseen(tables):
    tried = Tried(SEED)
    for mutation in MUTATIONS:
        for name in mutation.tables:
            for _draw in range(DRAWS):
                tried.mutate(tables, name, mutation)
    for name, *pair in PAIRS:
        x, y = (f"CAST({literal(v)} AS {plain(TYPES[name][0])})" for v in pair)
        first = f"UPDATE ONLY $t SET a = CASE id WHEN $r THEN {x} ELSE {y} END WHERE id IN ($r, $s)"
        for mutation in PAIR_MUTATIONS:
            tried.mutate(tables, name, mutation, first)
    total = sum(tried.seen.values())
    print(f"seed {SEED}: {total} mutations of {len(tried.seen)} classes, {len(tried.types)} types")
    blind = "\n".join(tried.blind[:20])
    assert not tried.blind, f"PROOF_SEED={SEED}: blind {len(tried.blind)} times, first:\n{blind}"
    assert total >= LEAST
    # Each class has changed something, and each type was changed.
    assert not {mutation.name for mutation in MUTATIONS + PAIR_MUTATIONS} - tried.seen.keys()
    assert tried.types == TYPES.keys()


def test_a_million_rows_have_a_million_hashes(here, tables):
    here.sql(
        "CREATE UNLOGGED TABLE million AS SELECT i % 1000 AS a, i << 32 AS b, i % 7 = 0 AS c"
        " FROM generate_series(1::bigint, 1000000) i; ALTER TABLE million ADD d numeric"
    )
    found = tables.session.value(
        pg.sql.SQL("SELECT count(DISTINCT {}) FROM public.million").format(
            hash_of(tables.session, "million")
        )
    )
    assert found == 1_000_000


def test_no_pattern_over_the_columns_of_a_row_cancels_out(here, tables):
    """The sequence of Thue and Morse, and its inverse, for which 31 * h + x has one value."""
    names = [f"c{i:03}" for i in range(256)]
    pattern = [bin(i).count("1") % 2 == 0 for i in range(256)]
    here.sql(f"CREATE TABLE pattern ({', '.join(f'{name} boolean' for name in names)})")
    for invert in (False, True):
        here.sql(f"INSERT INTO pattern VALUES ({', '.join(str(x != invert) for x in pattern)})")
    hashes = tables.session.column(
        pg.sql.SQL("SELECT {} FROM public.pattern").format(hash_of(tables.session, "pattern"))
    )
    assert len(set(hashes)) == 2


def hash_of(session, name):
    """The expression for the hash of a row."""
    found = {table.name.name: table for table in read_tables(session, sizes=False)}
    return rowhash.row_expression(found[name], rowhash.read_types(session), rowhash.Method())


@pytest.fixture(scope="module")
def pair(site):
    """The same rows twice, in tables that are otherwise very different, on another release too."""
    left = site.master("left", schema=cases.keyed_tables())
    right = site.master("right", host="other", schema=cases.rebuilt_tables())
    assert left.value("SHOW server_version_num")[:2] != right.value("SHOW server_version_num")[:2]
    return [left, right]


def compare(site, masters, **options):
    inventory = site.inventory(masters)
    return site.module(
        "data_compare",
        inventory,
        user="postgres",
        masters=site.masters_option(inventory),
        fail_on_difference=False,
        interval=0.1,
        **options,
    )


def test_tables_that_differ_only_physically_are_equal(site, pair):
    site.psql(
        "db",
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    latin = site.master("latin")
    latin.sql(cases.rebuilt_tables())
    for masters in (pair, [pair[0], latin]):
        found = compare(site, masters, timeout=0)
        assert found["equal"], found["summary"]
        assert {table["name"] for table in found["tables"]} == {
            "public.folded",
            *(f"public.t_{name}" for name in TYPES),
        }
        assert {table["proof"] for table in found["tables"]} == {"sums"}


def test_exchanged_values_are_found_and_their_keys_named(site, pair):
    """By the module, in every second table; the others stay equal."""
    changed = ["folded", *(f"t_{name}" for name in list(TYPES)[::2])]
    statements = [
        string.Template(cases.exchange("a", "$r,$s", "$s,$r")).substitute(
            {"t": name, "r": key(name, 4), "s": key(name, 8)}
            if name == "folded"
            else {"t": name, "r": 1, "s": 2}
        )
        for name in changed
    ]
    pair[1].sql(";".join(statements))
    try:
        found = compare(site, pair, timeout=20)
    finally:
        pair[1].sql(";".join(statements))
    differing = {
        table["name"]: sorted(int(d["key"]["id"]) for d in table["differences"])
        for table in found["tables"]
        if not table["equal"]
    }
    assert differing == {
        f"public.{name}": [key(name, 4), key(name, 8)] if name == "folded" else [1, 2]
        for name in changed
    }


def key(name: str, row: int) -> int:
    """The key of a row of the table `folded`."""
    return row << 32 | row ^ 77


def test_a_copy_with_a_proof_of_version_1_0_is_compared_and_not_copied_again(site):
    schema = "CREATE TABLE {0} (id integer PRIMARY KEY, flag boolean);"
    rows = "INSERT INTO {0} SELECT i, i % 2 = 0 FROM generate_series(1, 100) i;"
    both = [site.master(name, schema=schema.format("old")) for name in ("source", "target")]
    source, target = both
    source.sql(rows.format("old"))

    def seed():
        inventory = site.inventory(both)
        options = site.masters_option(inventory)
        for option in options:
            del option["origin"]
        return site.module(
            "data_seed",
            inventory,
            user="postgres",
            source=options[0],
            target=options[1],
            require_triggers=False,
        )

    first = seed()
    assert [table["table"] for table in first["tables"]] == ["public.old"]
    assert first["unproven"] == []
    # As that version left it, with a difference that its proof did not see.
    target.sql(
        "ALTER TABLE multimaster.seed DROP COLUMN proof; UPDATE multimaster.seed SET hash = '42';"
        " UPDATE old SET flag = NOT flag WHERE id IN (1, 2)"
    )
    again = seed()
    assert not again["changed"]
    assert (again["tables"], again["unproven"]) == ([], ["public.old"])
    found = compare(site, both, timeout=20)
    assert [d["key"] for d in found["tables"][0]["differences"]] == [{"id": "1"}, {"id": "2"}]
    # The next table that is copied brings the ledger up to date.
    for master in both:
        master.sql(schema.format("new"))
    source.sql(rows.format("new"))
    later = seed()
    assert [table["table"] for table in later["tables"]] == ["public.new"]
    assert later["unproven"] == ["public.old"]
    ledger = target.sql(
        "SELECT table_name, hash IS NULL, proof FROM multimaster.seed ORDER BY table_name"
    )
    assert ledger == [["new", "f", proof.PROOF], ["old", "t", ""]]
    assert target.value("SELECT count(*) FROM old WHERE flag = (id % 2 = 0)") == "98"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the proof must see: types with their values, and classes of mutations.

There is a table for each type, with the columns `id`, `a`, `b` and `c`, the last one null in
some rows, and an empty child `<name>_child` that inherits from it. In statements `$t` is the
table, `$r`, `$s` and `$q` are ids of three rows, `$k` is a number from 0 to 30.
"""

from __future__ import annotations

import dataclasses
import string
import typing as t

ROWS = 12

SETUP = """
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE DOMAIN amount AS numeric;
CREATE DOMAIN email AS citext;
CREATE DOMAIN code AS character(6);
CREATE DOMAIN sku AS code;
CREATE TYPE place AS (x integer, y text);
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
"""
MOOD = "CREATE TYPE mood AS ENUM ('sad', 'happy', 'ok');"
# The same with OIDs in another order.
MOOD_LATER = """
CREATE TYPE mood AS ENUM ('ok');
ALTER TYPE mood ADD VALUE 'sad' BEFORE 'ok';
ALTER TYPE mood ADD VALUE 'happy' BEFORE 'ok';
"""

# Name of the table -> type, and its value in row $i, another one in every row where there are so
# many.
TYPES: dict[str, tuple[str, str]] = {
    "boolean": ("boolean", "$i % 2 = 0"),
    "smallint": ("smallint", "$i * 7"),
    "integer": ("integer", "$i * 100003"),
    "bigint": ("bigint", "$i * 1000000000039"),
    "oid": ("oid", "$i + 16384"),
    "numeric": ("numeric", "$i * 1.10"),
    "numeric_scaled": ("numeric(14,2)", "$i * 12.34"),
    "real": ("real", "$i / 7.0"),
    "double": ("double precision", "$i / 7.0"),
    "money": ("money", "($i * 1.25)::numeric::money"),
    "text": ("text", "'row ' || $i"),
    "text_long": ("text", "repeat('some words ' || $i, 300)"),
    "text_noise": (
        "text",
        "(SELECT string_agg(md5(($i * g)::text), '') FROM generate_series(1, 300) g)",
    ),
    "text_nocase": ("text COLLATE nocase", "'Row ' || $i"),
    "varchar": ("varchar(60)", "'row ' || $i"),
    "char": ("character(8)", "'c' || $i"),
    "bpchar": ("bpchar", "'c' || $i || '  '"),
    "char_byte": ('"char"', "chr(64 + $i)"),
    "name": ("name", "'name ' || $i"),
    "citext": ("citext", "'Cite ' || $i"),
    "bytea": ("bytea", "decode(md5($i::text), 'hex')"),
    "date": ("date", "date '2024-02-20' + $i"),
    "time": ("time", "time '00:00' + $i * interval '1:11:11.111'"),
    "timetz": ("timetz", "timetz '00:30:00+02' + $i * interval '1:11:11.111'"),
    "timestamp": ("timestamp", "timestamp '2024-02-29' + $i * interval '1 day 1.5 s'"),
    "timestamptz": ("timestamptz", "timestamptz '2024-02-29+00' + $i * interval '1 day 1.5 s'"),
    "interval": ("interval", "$i * interval '1 day 3:00'"),
    "uuid": ("uuid", "md5($i::text)::uuid"),
    "json": ("json", """('{"a": ' || $i || ', "b": [1, null]}')::json"""),
    "jsonb": ("jsonb", """('{"a": ' || $i || '.0, "b": [1, null]}')::jsonb"""),
    "xml": ("xml", "('<a b=\"' || $i || '\"/>')::xml"),
    "int_array": ("integer[]", "ARRAY[$i, $i + 1, NULL]"),
    "text_array": ("text[]", "ARRAY['x' || $i, NULL, '']"),
    "char_array": ("character(4)[]", "ARRAY['x' || $i, '']"),
    "enum_array": ("mood[]", "ARRAY['ok', (enum_range(NULL::mood))[1 + $i % 3]]::mood[]"),
    "inet": ("inet", "inet '10.0.0.0' + $i"),
    "cidr": ("cidr", "('10.' || $i || '.0.0/16')::cidr"),
    "macaddr": ("macaddr", "('08:00:2b:01:02:' || to_char($i, 'FM00'))::macaddr"),
    "macaddr8": ("macaddr8", "('08:00:2b:01:02:03:04:' || to_char($i, 'FM00'))::macaddr8"),
    "bit": ("bit(12)", "$i::bit(12)"),
    "varbit": ("bit varying", "$i::bit(9)::bit varying"),
    "int4range": ("int4range", "int4range($i, $i * 2 + 1)"),
    "numrange": ("numrange", "numrange($i, $i * 2.5, '[]')"),
    "tstzrange": (
        "tstzrange",
        "tstzrange('2024-02-29+00', timestamptz '2024-03-01+00' + $i * '1 h'::interval)",
    ),
    "multirange": ("int4multirange", "int4multirange(int4range($i, $i + 2), int4range(90, 99))"),
    "point": ("point", "point($i, -$i)"),
    "box": ("box", "box(point($i, 0), point(0, $i))"),
    "tsvector": ("tsvector", "to_tsvector('simple', 'word ' || $i)"),
    "tsquery": ("tsquery", "('word & x' || $i)::tsquery"),
    "hstore": ("hstore", "hstore('k', $i::text)"),
    "ltree": ("ltree", "('top.n' || $i)::ltree"),
    "enum": ("mood", "(enum_range(NULL::mood))[1 + $i % 3]"),
    "domain_numeric": ("amount", "$i * 1.10"),
    "domain_citext": ("email", "'User' || $i || '@example.org'"),
    "domain_char": ("sku", "'s' || $i"),
    "composite": ("place", "ROW($i, 'y' || $i)::place"),
    "composite_array": ("place[]", "ARRAY[ROW($i, '')::place, ROW(NULL, 'y' || $i)::place]"),
    "regclass": (
        "regclass",
        "('pg_catalog.' || (ARRAY['pg_class','pg_type','pg_proc'])[1 + $i % 3])::regclass",
    ),
    "pg_lsn": ("pg_lsn", "('16/' || to_hex($i + 4000))::pg_lsn"),
    "jsonpath": ("jsonpath", "('$.a[' || $i || ']')::jsonpath"),
}


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One class: what it is called, a statement, and the tables that it suits (default: all)."""

    name: str
    statement: str
    tables: t.Collection[str] = tuple(TYPES)


def exchange(columns: str, *pairs: str) -> str:
    """Rows take these columns from others: `"$r,$s"`: row $r from row $s."""
    sets = ", ".join(f"{name} = o.{name}" for name in columns.split())
    return (
        f"UPDATE ONLY $t x SET {sets} FROM ONLY $t o WHERE (x.id, o.id) IN"
        f" ({', '.join(f'({pair})' for pair in pairs)})"
    )


def change(value: str, where: str = "id = $r") -> str:
    return f"UPDATE ONLY $t SET a = {value} WHERE {where}"


BITS = ("smallint", "integer", "bigint")
NUMBERS = (
    *BITS,
    "numeric",
    "numeric_scaled",
    "real",
    "double",
    "money",
    "interval",
    "domain_numeric",
)
TIMES = ("timestamp", "timestamptz")
STRINGS = (
    "text",
    "text_long",
    "text_noise",
    "text_nocase",
    "varchar",
    "bpchar",
    "name",
    "citext",
    "domain_citext",
)
DECIMALS = ("numeric", "domain_numeric")

# One line adds a class.
MUTATIONS = [
    Mutation("values exchanged between two rows", exchange("a", "$r,$s", "$s,$r")),
    Mutation("two values exchanged between two rows", exchange("a b", "$r,$s", "$s,$r")),
    Mutation("values rotated over three rows", exchange("a", "$r,$s", "$s,$q", "$q,$r")),
    Mutation("values of all rows moved on by one row", f"UPDATE ONLY $t x SET a = o.a FROM ONLY $t o WHERE o.id = x.id % {ROWS} + 1"),
    Mutation("values exchanged between two columns of a row", "UPDATE ONLY $t SET a = b, b = a WHERE id = $r"),
    Mutation("values exchanged between distant columns of a row", "UPDATE ONLY $t SET a = c, c = a WHERE id = $r"),
    Mutation("values rotated over the columns of a row", "UPDATE ONLY $t SET a = b, b = c, c = a WHERE id = $r"),
    Mutation(
        "values exchanged crosswise between rows and columns",
        "UPDATE ONLY $t x SET a = CASE x.id WHEN $r THEN o.b ELSE x.a END,"
        " b = CASE x.id WHEN $s THEN o.a ELSE x.b END FROM ONLY $t o"
        " WHERE (x.id, o.id) IN (($r,$s), ($s,$r))",
    ),
    Mutation("keys exchanged between two rows", "UPDATE ONLY $t SET id = $r + $s - id WHERE id IN ($r, $s)"),
    Mutation("NULL in place of a value", change("NULL")),
    Mutation("a value in place of NULL", "UPDATE ONLY $t SET c = a WHERE id = 3 + $r - $r % 3 AND c IS NULL"),
    Mutation("NULL and value exchanged between columns", "UPDATE ONLY $t SET a = NULL, c = a WHERE id = 3 + $r - $r % 3"),
    Mutation("NULL and value exchanged between rows", exchange("c", "$r,$s", "$s,$r")),
    Mutation("a whole row NULL", "UPDATE ONLY $t SET a = NULL, b = NULL, c = NULL WHERE id = $r"),
    Mutation("a value of another row", exchange("a", "$r,$s")),
    Mutation("a row lost", "DELETE FROM ONLY $t WHERE id = $r"),
    Mutation("a row doubled", "INSERT INTO $t SELECT * FROM ONLY $t WHERE id = $r"),
    Mutation("a row doubled and another one lost", "INSERT INTO $t SELECT * FROM ONLY $t WHERE id = $r; DELETE FROM ONLY $t WHERE id = $s"),
    Mutation(
        "two rows lost and a third one trebled",
        "INSERT INTO $t SELECT x.* FROM ONLY $t x, generate_series(1, 2) WHERE id = $r;"
        " DELETE FROM ONLY $t WHERE id IN ($s, $q)",
    ),
    Mutation("a row moved to a child table", "WITH gone AS (DELETE FROM ONLY $t WHERE id = $r RETURNING *) INSERT INTO ${t}_child SELECT * FROM gone"),
    Mutation("one bit of an integer", change("a # (1 << $k % 15)::smallint"), ("smallint",)),
    Mutation("one bit of an integer", change("a # (1 << $k)"), ("integer",)),
    Mutation("one bit of an integer", change("a # (1::bigint << $k * 2)"), ("bigint",)),
    Mutation("a bit in either half of an integer", change("a # (4294967297 << $k)"), ("bigint",)),
    Mutation("both halves of an integer", change("((a & 4294967295) << 32) | (a >> 32)"), ("bigint",)),
    Mutation("a bit in either half of a time", change("a + make_interval(secs => 4294.967297 * ($k + 1))"), TIMES),
    Mutation("one microsecond", change("a + interval '1 us'"), ("time", "timetz", *TIMES, "interval")),
    Mutation("one bit of bytes", change("set_bit(a, $k * 4, 1 - get_bit(a, $k * 4))"), ("bytea",)),
    Mutation("one bit of bytes", change("set_bit(a, $k % 9, 1 - get_bit(a, $k % 9))"), ("bit", "varbit")),
    Mutation("one bit of a uuid", change("encode(set_bit(uuid_send(a), $k * 4, 1 - get_bit(uuid_send(a), $k * 4)), 'hex')::uuid"), ("uuid",)),
    Mutation("the last digit of a float", change("a * (1 + 2.220446049250313e-16::float8)"), ("double",)),
    Mutation("the last digit of a float", change("(a * (1 + 1.2e-7::float8))::real"), ("real",)),
    Mutation("the sign", change("(-a)"), tuple(name for name in NUMBERS if name != "money")),
    Mutation("the sign", change("('-' || a::numeric)::numeric::money"), ("money",)),
    Mutation(
        "one more here, one less there",
        change("a + CASE id WHEN $r THEN 1 ELSE -1 END", "id IN ($r, $s)"),
        (*BITS, *DECIMALS, "numeric_scaled", "double", "date"),
    ),
    Mutation("another scale", change("round(a, scale(a) + 1 + $k)"), DECIMALS),
    Mutation("a trailing blank", change("a::text || ' '"), STRINGS),
    Mutation("another case", change("CASE WHEN a::text = upper(a::text) THEN lower(a::text) ELSE upper(a::text) END"), STRINGS),
    Mutation("a bound of an array", change("('[2:' || 1 + cardinality(a) || ']=' || a::text)::integer[]"), ("int_array",)),
    Mutation("another shape of an array", change("ARRAY[a]"), ("int_array", "text_array", "char_array", "enum_array")),
    Mutation("a NULL more in an array", change("a || ARRAY[NULL]::integer[]"), ("int_array",)),
    Mutation("another spelling of JSON", change("replace(a::text, ':', ' :')::json"), ("json",)),
    Mutation("a number of another spelling in JSON", change("replace(a::text, '.0', '.00')::jsonb"), ("jsonb",)),
    Mutation("another zone for the same time", change("a AT TIME ZONE make_interval(hours => 3 + $k % 9)"), ("timetz",)),
    Mutation(
        "days in place of hours",
        change(
            "make_interval(days => extract(day FROM a)::int - 1, secs => 86400"
            " + extract(epoch FROM a - make_interval(days => extract(day FROM a)::int)))"
        ),
        ("interval",),
    ),
    Mutation("the mask of an address", change("set_masklen(a, 8 + $k % 20)"), ("inet",)),
    Mutation("a bound of a range", change("numrange(lower(a), upper(a), '[)')"), ("numrange",)),
    Mutation("a bound of a range", change("int4range(lower(a), upper(a) + 1)"), ("int4range",)),
]  # fmt: skip

# Values that are easily taken for each other: either they are equal to an operator, or to a hash, or they
# look alike. Each pair is put into two rows and exchanged, or one of them takes the other's place.
PAIRS: list[tuple[str, str | None, str | None]] = [
    ("numeric", "1.0", "1.00"),
    ("numeric", "0", "0.000"),
    ("numeric", "10000", "1"),
    ("numeric", "NaN", None),
    ("numeric", "NaN", "Infinity"),
    ("numeric", "-5.25", "5.25"),
    ("numeric_scaled", "-5.25", "5.25"),
    ("numeric_scaled", "NaN", None),
    ("domain_numeric", "7.1", "7.10"),
    ("domain_numeric", "-7.1", "7.1"),
    ("real", "-0", "0"),
    ("double", "-0", "0"),
    ("double", "0.1", "0.10000000000000002"),
    ("double", "NaN", "Infinity"),
    ("double", "NaN", None),
    ("bigint", "1", "4294967296"),
    ("bigint", "0", "-1"),
    ("bigint", "-1", "-4294967296"),
    ("bigint", "0", None),
    ("integer", "0", None),
    ("boolean", "false", None),
    ("time", "00:00:00", "24:00:00"),
    ("time", "00:00:00.000001", "01:11:34.967296"),
    ("timetz", "12:00+00", "13:00+01"),
    ("timestamp", "2000-01-01 00:00:00.000001", "2000-01-01 01:11:34.967296"),
    ("timestamptz", "2000-01-01 00:00:00.000001+00", "2000-01-01 01:11:34.967296+00"),
    ("timestamptz", "infinity", "-infinity"),
    ("date", "infinity", "-infinity"),
    ("date", "0001-01-01", "0001-01-01 BC"),
    ("interval", "1 day", "24:00"),
    ("interval", "1 mon", "30 days"),
    ("interval", "-1 day +24:00", "0"),
    ("text", "", None),
    ("text", "x", "x "),
    ("text", "\u00e9", "e\u0301"),
    ("text", "NULL", None),
    ("text_nocase", "a", "A"),
    ("varchar", "", None),
    ("char", "", None),
    ("bpchar", "x", "x "),
    ("bpchar", "", " "),
    ("name", "", None),
    ("citext", "a", "A"),
    ("citext", "", None),
    ("domain_citext", "a@b", "A@b"),
    ("domain_char", "", None),
    ("bytea", "", None),
    ("bytea", "\\x00", "\\x0000"),
    ("bytea", "\\x", "\\x00"),
    ("json", '{"a":1}', '{"a": 1}'),
    ("json", '{"a":1,"b":2}', '{"b":2,"a":1}'),
    ("json", "null", None),
    ("jsonb", '{"a":1.0}', '{"a":1.00}'),
    ("jsonb", "null", None),
    ("jsonb", "[]", "{}"),
    ("jsonb", '"1"', "1"),
    ("xml", "<a/>", "<a></a>"),
    ("xml", "", None),
    ("int_array", "{1,2}", "[2:3]={1,2}"),
    ("int_array", "{1,2}", "{{1,2}}"),
    ("int_array", "{{1,2},{3,4}}", "{1,2,3,4}"),
    ("int_array", "{}", None),
    ("int_array", "{NULL}", "{}"),
    ("text_array", "{NULL}", '{"NULL"}'),
    ("text_array", '{""}', "{}"),
    ("text_array", '{"a,b"}', "{a,b}"),
    ("inet", "10.0.0.1", "10.0.0.1/24"),
    ("int4range", "empty", None),
    ("int4range", "(,)", "empty"),
    ("numrange", "[1,2]", "[1.0,2]"),
    ("numrange", "[1,2]", "[1,2)"),
    ("multirange", "{}", None),
    ("bit", "000000000001", "000000000010"),
    ("varbit", "0", "00"),
    ("varbit", "", None),
    ("point", "(0,0)", "(0,-0)"),
    ("tsvector", "a", "a:1"),
    ("tsvector", "", None),
    ("tsquery", "a & b", "a <-> b"),
    ("hstore", "a=>NULL", 'a=>"NULL"'),
    ("hstore", "", None),
    ("composite", "(1,)", '(1,"")'),
    ("composite", "(,)", None),
    ("composite_array", '{"(,)"}', "{NULL}"),
    ("char_byte", "", None),
    ("money", "0", None),
    ("oid", "0", None),
]

# Of a pair that row $r and row $s hold.
PAIR_MUTATIONS = [
    Mutation("one for the other", exchange("a", "$r,$s")),
    Mutation("one for the other, the other way", exchange("a", "$s,$r")),
    Mutation("exchanged between rows", exchange("a", "$r,$s", "$s,$r")),
]


def value(name: str, row: str) -> str:
    """The expression for a value of a table in a row."""
    kind, expression = TYPES[name]
    return f"CAST({string.Template(expression).safe_substitute(i=row)} AS {plain(kind)})"


def plain(kind: str) -> str:
    """A type without its collation."""
    return kind.partition(" COLLATE")[0]


def rows(name: str) -> str:
    """A query for a table's rows: `i`, `a`, `b`, `c`."""
    a, b, c = (value(name, row) for row in ("i", f"(i % {ROWS} + 1)", f"((i + 4) % {ROWS} + 1)"))
    return (
        f"SELECT i, {a} AS a, {b} AS b, CASE WHEN i % 3 > 0 THEN {c} END AS c"
        f" FROM generate_series(1, {ROWS}) i"
    )


def plain_tables() -> str:
    """Statements for all tables with their children and rows, without keys."""
    lines = [MOOD, SETUP]
    for name, (kind, _expression) in TYPES.items():
        lines += [
            f"CREATE TABLE t_{name} (id integer NOT NULL, a {kind}, b {kind}, c {kind});",
            f"CREATE TABLE t_{name}_child () INHERITS (t_{name});",
            f"INSERT INTO t_{name} {rows(name)};",
        ]
    return "\n".join(lines)


def keyed_tables() -> str:
    """The same with keys, and with a table whose keys have one hash as PostgreSQL makes it."""
    lines = [MOOD, SETUP]
    for name, (kind, _expression) in TYPES.items():
        lines += [
            f"CREATE TABLE t_{name} (id integer PRIMARY KEY, a {kind}, b {kind}, c {kind});",
            f"INSERT INTO t_{name} {rows(name)};",
        ]
    lines += [
        "CREATE TABLE folded (id bigint PRIMARY KEY, a text);",
        f"INSERT INTO folded SELECT (i << 32) | (i # 77), i FROM generate_series(1::bigint, {ROWS}) i;",
    ]
    return "\n".join(lines)


def rebuilt_tables() -> str:
    """The same rows as in `keyed_tables`, in tables that have become otherwise what they are.

    Their columns have another order, and dropped ones between them; rows are in another order and
    were changed, some by an ALTER TABLE; what can be stored outside is, and not compressed.
    """
    lines = [SETUP, MOOD_LATER]
    for name, (kind, _expression) in TYPES.items():
        lines += [
            f"CREATE TABLE t_{name} (c {kind}, x text, b {kind}, id integer, y integer, a {kind})"
            " WITH (fillfactor = 30);",
            f"ALTER TABLE t_{name} DROP COLUMN x, DROP COLUMN y, ADD PRIMARY KEY (id);",
            "DO $$ BEGIN EXECUTE (SELECT string_agg(format("
            "'ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTERNAL', attrelid::regclass, attname),"
            " ';') FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attstorage <> 'p'"
            f" AND attrelid = 't_{name}'::regclass AND attname <> 'id'"
            " HAVING count(*) > 0); EXCEPTION WHEN null_value_not_allowed THEN END $$;",
            f"INSERT INTO t_{name} (id, a) SELECT i, b FROM ({rows(name)}) q ORDER BY i % 5, i DESC;",
            f"UPDATE t_{name} t SET a = q.a, b = q.b, c = q.c FROM ({rows(name)}) q WHERE t.id = q.i;",
        ]
    lines += [
        "CREATE TABLE folded (a text, id bigint PRIMARY KEY) WITH (fillfactor = 30);",
        f"INSERT INTO folded SELECT i, (i << 32) | (i # 77) FROM generate_series({ROWS}, 1::bigint, -1) i;",
    ]
    return "\n".join(lines)

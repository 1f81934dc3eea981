# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An exact hash of a row that is the same on every master that holds the same row.

`hash_record_extended` over a row as it is would be wrong both ways. It hashes enums and reg*
types by OID, which differ between clusters, and it takes 1.0 and 1.00, 5.25 and -5.25, 0 and -0,
`'1 day'` and `'24 hours'`, or two spellings of a citext for equal. So only types whose hash is
exact are hashed natively, some by the bytes of their binary form, and every other value through
its text, under pinned session settings. Besides, it is linear in the hashes of the columns, so it
must not be summed as it is. docs/decisions/compare.md has the mathematics.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import typing as t

from .._common.errors import Refused
from . import pg, sql
from .tables import Column, Table

# Everything that changes how a value is written as text, or which rows a query sees.
# search_path: reg* types print names without schema when the schema is in the path.
_PINNED = {
    "bytea_output": "hex",
    "datestyle": "ISO, MDY",
    "extra_float_digits": "3",
    "intervalstyle": "postgres",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "xmlbinary": "base64",
    "xmloption": "content",
}

# Types hashed by the bytes that this function makes of a value: their own hashes lose something.
# Those of 64 bits fold the value to 32 first (1 and 4294967296 are the same), and that of numeric
# leaves out the sign and the zeros after the point, and takes NaN for NULL.
_BINARY = {
    "int8": "int8send",
    "numeric": "numeric_send",
    "time": "time_send",
    "timestamp": "timestamp_send",
    "timestamptz": "timestamptz_send",
}
# Types whose extended hash tells all different values apart (up to collisions) and does not
# depend on OIDs. Arrays are not among them: their hash ignores dimensions and lower bounds.
_NATIVE = frozenset(
    {
        *_BINARY,
        "bool",
        "bytea",
        "date",
        "int2",
        "int4",
        "macaddr",
        "name",
        "oid",
        "text",
        "uuid",
        "varchar",
    }
)
# char(n) belongs to them, bpchar without a length does not: the hash ignores trailing blanks.
_PADDED = re.compile(r"character\(\d+\)")
# Hashed as bytes: a nondeterministic collation would make different strings equal.
_STRINGS = frozenset({"bpchar", "name", "text", "varchar"})
# The first OID that CREATE TYPE can get (FirstNormalObjectId).
_FIRST_USER_OID = 16384
# hash_record_extended came with 14.
_RECORD_HASH_VERSION = 140000
# Columns that enter one hash_record_extended(). It computes 31 * h + (hash of the column), and a
# power of 31 times a difference may vanish in 64 bits when there are many columns.
_COLUMNS_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class Method:
    """How rows are hashed, agreed on by all servers of a comparison.

    :param native: `hash_record_extended` over the exact mix; otherwise 64 bits of a SHA-256 of
        the row's text, three to nine times the CPU time.
    :param utf8: strings are converted to UTF-8 first, since the databases' encodings differ.
    :param key: what all hashes begin with, another one for every comparison: values that collide
        in one do not in the next, and cannot be chosen beforehand.
    """

    native: bool = True
    utf8: bool = False
    key: int = dataclasses.field(default_factory=lambda: secrets.randbits(63))


@dataclasses.dataclass(frozen=True)
class Types:
    """What a server's catalog says about types.

    :param builtin: OID to name of the types that come with PostgreSQL.
    :param domains: OID of a domain to the OID that it stands on (perhaps a domain again).
    """

    builtin: t.Mapping[int, str]
    domains: t.Mapping[int, int]

    def builtin_name(self, oid: int) -> str:
        """Name of the built-in type behind an OID, through domains; "" for other types."""
        while oid in self.domains:
            oid = self.domains[oid]
        return self.builtin.get(oid, "")

    def native_name(self, column: Column) -> str:
        """Name of the type by which a column is hashed natively, "" when it goes through text."""
        name = self.builtin_name(column.type_oid)
        padded = name == "bpchar" and _PADDED.fullmatch(column.type)
        return name if name in _NATIVE or padded else ""


def pin_session(session: pg.Session) -> None:
    """Fix every setting that influences the hash, for this session (one round trip).

    row_security = off makes a query fail that a policy would filter, instead of hashing the rest.
    """
    names = list(_PINNED)
    session.execute(
        "SELECT pg_catalog.set_config(n, v, false) FROM unnest(%s::text[], %s::text[]) AS s (n, v)",
        (names, [_PINNED[name] for name in names]),
    )


def read_types(session: pg.Session) -> Types:
    """The types of a server, in one round trip."""
    builtin: dict[int, str] = {}
    domains: dict[int, int] = {}
    for row in session.rows(
        "SELECT t.oid::bigint AS oid, t.typname, t.typbasetype::bigint AS base"
        "  FROM pg_catalog.pg_type t"
        " WHERE t.typtype = 'd'"
        "    OR (t.typnamespace = 'pg_catalog'::regnamespace AND t.oid < %s AND t.typtype <> 'c')",
        (_FIRST_USER_OID,),
    ):
        if row["base"]:
            domains[row["oid"]] = row["base"]
        else:
            builtin[row["oid"]] = row["typname"]
    return Types(builtin, domains)


def row_expression(
    table: Table,
    types: Types,
    method: Method,
    as_text: t.Collection[str] = (),
    only: t.Collection[str] | None = None,
) -> sql.Composable:
    """The hash of a row of this table, a bigint, never null.

    Columns enter by the order of their names, so their physical order does not matter. Generated
    columns take part: what readers see shall be the same. Valid only in a session that went
    through `pin_session`.

    :param types: of the server that runs the expression.
    :param as_text: columns to hash as text although their type could be hashed natively; see
        `columns_as_text`.
    :param only: hash just these columns, for example the key.
    """
    columns = sorted(
        (column for column in table.columns if only is None or column.name in only),
        key=lambda column: column.name,
    )
    if not method.native:
        row = sql.SQL("ROW({})").format(sql.SQL(", ").join(sql.Identifier(c.name) for c in columns))
        # SHA-256, not MD5: the cost is the same, and MD5 is refused in FIPS mode.
        return sql.SQL(
            "CAST(CAST(pg_catalog.concat('x', pg_catalog.encode(pg_catalog.substr("
            "pg_catalog.sha256(pg_catalog.convert_to("
            "pg_catalog.concat({}, CAST({} AS pg_catalog.text)), 'UTF8')), 1, 8),"
            " 'hex')) AS pg_catalog.bit(64)) AS pg_catalog.int8)"
        ).format(sql.Literal(method.key), row)
    values = []
    for column in columns:
        native = "" if column.name in as_text else types.native_name(column)
        value: sql.Composable = sql.Identifier(column.name)
        if not native:
            value = _text(value, types.builtin_name(column.type_oid))
        elif column.type_oid in types.domains:
            value = sql.SQL("CAST({} AS pg_catalog.{})").format(value, sql.Identifier(native))
        values.append(_exact(value, native or "text", method))
    return _mixed(values, method)


def _exact(value: sql.Composable, name: str, method: Method) -> sql.Composable:
    """A value of a type with this name in a form whose hash tells all values apart."""
    if name in _BINARY:
        return sql.SQL("pg_catalog.{}({})").format(sql.Identifier(_BINARY[name]), value)
    if name not in _STRINGS:
        return value
    if not method.utf8:
        return sql.SQL('({} COLLATE "C")').format(value)
    if name in ("bpchar", "name"):
        value = sql.SQL("CAST({} AS pg_catalog.text)").format(value)
    return sql.SQL("pg_catalog.convert_to({}, 'UTF8')").format(value)


def _mixed(values: t.Sequence[sql.Composable], method: Method) -> sql.Composable:
    """The hash of these values, in which none of them can make up for another.

    Columns go into `hash_record_extended` some at a time, and what came of those before is the
    seed for the next; a constant, since columns that are null take no notice of the seed. At the
    end the hash is itself the seed of one more, which mixes all its 64 bits: handed over as the
    value it would be folded to 32. Without that, a sum over rows would be a sum over columns, in
    which it makes no difference which row holds which value.
    """
    mixed: sql.Composable = sql.Literal(method.key)
    for start in range(0, len(values), _COLUMNS_AT_ONCE):
        some = list(values[start : start + _COLUMNS_AT_ONCE])
        if start:
            some.append(sql.SQL("true"))
        mixed = sql.SQL("pg_catalog.hash_record_extended(ROW({}), {})").format(
            sql.SQL(", ").join(some), mixed
        )
    return sql.SQL("pg_catalog.hashint8extended(0, {})").format(mixed)


def _text(value: sql.Composable, builtin: str) -> sql.Composable:
    if builtin == "bpchar":
        # Its cast to text drops trailing blanks.
        return sql.SQL("pg_catalog.textin(pg_catalog.bpcharout({}))").format(value)
    if builtin:
        return sql.SQL("CAST({} AS pg_catalog.text)").format(value)
    # Through the output function: the cast of a user's type to text may be a lossy function.
    return sql.SQL("CAST(ROW({}) AS pg_catalog.text)").format(value)


def aggregate(
    table: Table, types: Types, method: Method, as_text: t.Collection[str] = ()
) -> sql.Composable:
    """A query of one row: `rows` (bigint) and `hash` (text), independent of the rows' order.

    Two tables with equal results hold the same multiset of rows, but for collisions; a sum,
    unlike an exclusive or, does not lose rows that occur twice. Parameters as for
    `row_expression`.
    """
    return sql.SQL(
        "SELECT pg_catalog.count(*) AS rows,"
        " CAST(COALESCE(pg_catalog.sum({}), 0) AS pg_catalog.text) AS hash FROM {}"
    ).format(row_expression(table, types, method, as_text), from_item(table))


def from_item(table: Table) -> sql.Composable:
    """The table without its children; a partitioned parent with them, since it has no own rows."""
    only = "" if table.kind == "p" else "ONLY "
    return sql.SQL(only + "{}").format(sql.Identifier(table.name.schema, table.name.name))


def columns_as_text(sides: t.Sequence[tuple[Table, Types]]) -> frozenset[str]:
    """Columns that one server would hash natively and another not, or as another type."""
    kinds: dict[str, set[str]] = {}
    for table, types in sides:
        for column in table.columns:
            native = types.native_name(column)
            # The length decides which values are equal.
            kind = column.type if native == "bpchar" else native
            kinds.setdefault(column.name, set()).add(kind)
    return frozenset(name for name, found in kinds.items() if len(found) > 1)


# Values whose text has differed between versions or settings; the hash covers them all.
_TEXT_SAMPLES = (
    "ROW(0.1::float8 + 0.2::float8, 1e-7::float4, '-0'::float8, 1.00::numeric, 'NaN'::numeric,"
    " '1 day 02:03:04.5 -1 mon'::interval, '0044-03-15 12:00:00.5+00 BC'::timestamptz,"
    " '12:00+02'::timetz,"
    """ '{"b": 1.0, "a": [null, "x"]}'::jsonb, '{"b": 1.0}'::json, '\\x00ff'::bytea, 12.5::money,"""
    " B'0101', 'a & b'::tsquery, 'b:1A a'::tsvector, '(1,2),(3,4)'::box, '10.0.0.1/8'::inet,"
    " '[1,5)'::int4range, ARRAY[ARRAY[1, NULL], ARRAY[3, 4]], ARRAY['a\"b', '', 'NULL'],"
    " 'pg_catalog.pg_class'::regclass, 'x  '::char(3), 'c'::\"char\")::text"
)
_NATIVE_SAMPLES = (
    ("bool", "true"),
    ("bytea", "'\\x00ff'::bytea"),
    ("date", "'2024-02-29'::date"),
    ("int2", "(-2)::int2"),
    ("int4", "70000::int4"),
    ("int8", "(-5000000000)::int8"),
    ("macaddr", "'08:00:2b:01:02:03'::macaddr"),
    ("name", "'Name'::name"),
    ("oid", "4000000000::oid"),
    ("text", "'text \"with\" a long tail that fills more than one block'::text"),
    ("time", "'12:34:56.789'::time"),
    ("timestamp", "'2024-02-29 12:34:56.789'::timestamp"),
    ("timestamptz", "'2024-02-29 12:34:56.789+00'::timestamptz"),
    ("uuid", "'123e4567-e89b-12d3-a456-426614174000'::uuid"),
    ("varchar", "'x'::varchar"),
    ("bpchar", "'x y  '::character(7)"),
    ("numeric", "1234567890.1200::numeric"),
    ("numeric", "'NaN'::numeric"),
    ("int4", "NULL::int4"),
)


def agree(sessions: t.Sequence[pg.Session]) -> Method:
    """The fastest method by which all these servers hash the same values alike.

    Asked of the servers themselves, by constants of every type in use: hash functions may differ
    by version or byte order. All sessions must have gone through `pin_session`.

    :raises Refused: when even the text of values differs between two servers.
    """
    encodings = set()
    texts: dict[str, pg.Session] = {}
    for session in sessions:
        row = session.row(
            "SELECT pg_catalog.current_setting('server_encoding') AS encoding, "
            + _TEXT_SAMPLES
            + " AS samples"
        )
        if row is None:
            raise AssertionError
        encodings.add(row["encoding"])
        texts.setdefault(row["samples"], session)
    if len(texts) > 1:
        first, second = list(texts.values())[:2]
        raise Refused(
            f"{first.conninfo} and {second.conninfo} write the same values differently as text,"
            " so rows cannot be compared by hash",
            "Use servers whose settings and extensions leave PostgreSQL's output formats alone.",
        )
    method = Method(utf8=len(encodings) > 1)
    by_text = dataclasses.replace(method, native=False)
    if any(session.server_version < _RECORD_HASH_VERSION for session in sessions):
        return by_text
    query = _hashes_of_samples(method)
    return method if len({session.value(query) for session in sessions}) == 1 else by_text


def _hashes_of_samples(method: Method) -> sql.Composable:
    """A query for the hash of each sample alone, and of all together."""
    values = [_exact(sql.SQL(value), name, method) for name, value in _NATIVE_SAMPLES]
    return sql.SQL("SELECT CAST(ARRAY[{}] AS pg_catalog.text)").format(
        sql.SQL(", ").join(_mixed(some, method) for some in (*([v] for v in values), values))
    )

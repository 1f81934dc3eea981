# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes of Bucardo's catalog, as values (pure).

Most are not made by the program, for the reasons that each one names.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import columns
from .objects import Customcode, DatabaseRecord, Dbgroup, NewGoat, Override

SECRET = "(SELECT value FROM pg_temp.multimaster_secret)"


@dataclasses.dataclass(frozen=True)
class Statement:
    """One statement.

    :param params: what is called "password" is masked in results and kept out of the log.
    :param secret: what `SECRET` in the statement stands for. It is sent as data beforehand: in a
        statement others would see it in pg_stat_activity and in the log.
    """

    query: str
    params: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    secret: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass(frozen=True)
class Program:
    """One call of the bucardo program.

    :param answer: text for its standard input.
    """

    words: tuple[str, ...]
    answer: str = ""


Write = t.Union[Statement, Program]
Writes = t.Sequence[Write]


def removed(kind: str, *names: str) -> Writes:
    """Remove something by its name."""
    return [Program(("remove", kind, *names))]


# --- settings -----------------------------------------------------------------------------------


def settings(values: t.Mapping[str, str]) -> Writes:
    """Change rows of bucardo_config.

    Not by "bucardo set": it takes no empty value, and puts email_auth_pass into its argument
    list and its output.
    """
    return [_setting(name, value) for name, value in sorted(values.items())]


def _setting(name: str, value: str) -> Statement:
    key = "password" if name == "email_auth_pass" else "value"
    return Statement(
        f"UPDATE bucardo.bucardo_config SET setting = %({key})s"
        " WHERE name = %(name)s AND item IS NULL",
        {"name": name, key: value},
    )


# --- databases ----------------------------------------------------------------------------------


def database(row: DatabaseRecord, password: str | None, new: bool) -> Writes:
    """Insert or update a row of bucardo.db.

    Not by "bucardo add db" and "update db": they cut values at a comma, show passwords in the
    argument list and on standard output, and create a superuser of their own when the login
    fails (add_database and update_database in the program's source).

    :param password: None to leave it as it is, "" for none.
    """
    values = {option: getattr(row, option) for option in columns.DATABASE}
    params = columns.stored(columns.DATABASE, values)
    given = {column: f"%({column})s" for column in params}
    if password is not None:
        given["dbpass"] = SECRET if password else "NULL"
    query = _saved("db", given, new)
    return [Statement(query, {**params, "name": row.name}, password or "")]


def _saved(table: str, given: t.Mapping[str, str], new: bool) -> str:
    """INSERT or UPDATE of a row with a name.

    :param given: column to what it is set to.
    """
    if new:
        return (
            f"INSERT INTO bucardo.{table} (name, {', '.join(given)})"
            f" VALUES (%(name)s, {', '.join(given.values())})"
        )
    changes = ", ".join(f"{column} = {value}" for column, value in given.items())
    return f"UPDATE bucardo.{table} SET {changes} WHERE name = %(name)s"


# --- groups of databases ------------------------------------------------------------------------


def members(group: str, current: Dbgroup | None, wanted: t.Mapping[str, str]) -> Writes:
    """Make the members of a dbgroup exactly these; creates the group."""
    words = [f"{db}:{role}" for db, role in sorted(wanted.items())]
    if current is None:
        return [Program(("add", "dbgroup", group, *words))]
    if words:
        return [Program(("update", "dbgroup", group, *words))]
    # "update dbgroup" without members does nothing.
    return [Statement("DELETE FROM bucardo.dbmap WHERE dbgroup = %(name)s", {"name": group})]


# --- groups of relations ------------------------------------------------------------------------

# Triggers and foreign keys are off until the transaction ends.
WITHOUT_TRIGGERS = Statement("SET LOCAL session_replication_role = replica")
WITH_TRIGGERS = Statement("SET LOCAL session_replication_role = origin")

# What validate_goat would store: a sequence has no key.
_NEW_GOATS = """
unnest(%(schemas)s::text[], %(names)s::text[], %(reltypes)s::text[], %(keys)s::text[],
       %(types)s::text[]) AS n (schemaname, tablename, reltype, pkey, pkeytype)
"""
_QUOTED_KEY = """
(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c.name), '|' ORDER BY c.position)
   FROM unnest(pg_catalog.string_to_array(n.pkey, '|')) WITH ORDINALITY c (name, position))
"""
_SAME_GOAT = """
g.db = %(db)s AND g.schemaname = n.schemaname AND g.tablename = n.tablename
AND g.reltype = n.reltype
"""
_ADD_GOATS = f"""
INSERT INTO bucardo.goat (db, schemaname, tablename, reltype, pkey, qpkey, pkeytype)
SELECT %(db)s, n.schemaname, n.tablename, n.reltype, NULLIF(n.pkey, ''), {_QUOTED_KEY},
       NULLIF(n.pkeytype, '')
  FROM {_NEW_GOATS}
 WHERE NOT EXISTS (SELECT 1 FROM bucardo.goat g WHERE {_SAME_GOAT})
"""
_JOIN_NEW = f"""
INSERT INTO bucardo.herdmap (herd, goat)
SELECT %(name)s, min(g.id)
  FROM {_NEW_GOATS} JOIN bucardo.goat g ON {_SAME_GOAT}
 GROUP BY g.schemaname, g.tablename, g.reltype
ON CONFLICT DO NOTHING
"""
_LEARN_KEYS = f"""
UPDATE bucardo.goat g SET pkey = n.pkey, qpkey = {_QUOTED_KEY}, pkeytype = n.pkeytype
  FROM {_NEW_GOATS} WHERE {_SAME_GOAT}
"""


def relgroup(
    name: str,
    db: str,
    new: t.Sequence[NewGoat],
    join: t.Sequence[int],
    leave: t.Sequence[int],
) -> Writes:
    """Create a relgroup if need be, add relations to it and take some out.

    Not by "bucardo add table": that, and any plain INSERT, lets the trigger validate_goat log
    in to the database once for each table (24 s for 1,000 tables next door), and the trigger
    herdcheck reads the whole of herdmap for each. Both check what the caller has checked for
    all of them: `new` comes with its key from the database's own catalog.

    :param new: relations that Bucardo does not know yet, or whose key it must learn.
    :param join: ids of known relations that come in.
    :param leave: ids of relations that go out; they are forgotten when no other relgroup
        holds them.
    """
    writes = [
        # No unique constraint keeps a relation from being there twice.
        Statement("LOCK TABLE bucardo.goat IN SHARE ROW EXCLUSIVE MODE"),
        Statement(
            "INSERT INTO bucardo.herd (name) VALUES (%(name)s) ON CONFLICT DO NOTHING",
            {"name": name},
        ),
    ]
    if leave:
        # Before the triggers go off: foreign keys cascade by triggers.
        writes += _leaving(name, list(leave))
    if new or join:
        # Foreign keys are off as well from here: hold what the rows refer to.
        writes += [
            Statement(
                "SELECT 1 FROM bucardo.db, bucardo.herd"
                " WHERE db.name = %(db)s AND herd.name = %(name)s FOR KEY SHARE",
                {"db": db, "name": name},
            ),
            WITHOUT_TRIGGERS,
        ]
    if new:
        writes += [
            Statement(_ADD_GOATS, _goat_columns(db, new)),
            Statement(_JOIN_NEW, {**_goat_columns(db, new), "name": name}),
        ]
    if join:
        writes.append(
            Statement(
                "INSERT INTO bucardo.herdmap (herd, goat)"
                " SELECT %(name)s, unnest(%(ids)s::int[]) ON CONFLICT DO NOTHING",
                {"name": name, "ids": list(join)},
            )
        )
    return writes


def _leaving(name: str, ids: list[int]) -> list[Statement]:
    return [
        Statement(
            "DELETE FROM bucardo.herdmap WHERE herd = %(name)s AND goat = ANY(%(ids)s)",
            {"name": name, "ids": ids},
        ),
        Statement(
            "DELETE FROM bucardo.goat g WHERE g.id = ANY(%(ids)s) AND NOT EXISTS"
            " (SELECT 1 FROM bucardo.herdmap h WHERE h.goat = g.id)",
            {"ids": ids},
        ),
    ]


def learned_keys(db: str, goats: t.Sequence[NewGoat]) -> Writes:
    """Store the keys of relations that were added before they had one."""
    return [WITHOUT_TRIGGERS, Statement(_LEARN_KEYS, _goat_columns(db, goats))]


def removed_relgroup(name: str) -> Writes:
    """Remove a relgroup, and the relations that no other relgroup holds.

    Not by "bucardo remove relgroup": it would leave them.
    """
    return [
        Statement(
            "CREATE TEMPORARY TABLE orphans ON COMMIT DROP AS SELECT h.goat AS id"
            " FROM bucardo.herdmap h WHERE h.herd = %(name)s AND NOT EXISTS (SELECT 1"
            " FROM bucardo.herdmap o WHERE o.goat = h.goat AND o.herd <> %(name)s)",
            {"name": name},
        ),
        Statement("DELETE FROM bucardo.herd WHERE name = %(name)s", {"name": name}),
        Statement("DELETE FROM bucardo.goat WHERE id IN (SELECT id FROM orphans)"),
    ]


def set_aside(relgroup: str, goats: t.Iterable[int]) -> Writes:
    """Take relations out of a relgroup, with all else that hangs on them left as it is."""
    return [
        Statement(
            "DELETE FROM bucardo.herdmap WHERE herd = %(herd)s AND goat = %(goat)s",
            {"herd": relgroup, "goat": goat},
        )
        for goat in goats
    ]


def put_back(relgroup: str, goats: t.Iterable[int]) -> Writes:
    """The opposite."""
    return [
        Statement(
            "INSERT INTO bucardo.herdmap (herd, goat) VALUES (%(herd)s, %(goat)s)",
            {"herd": relgroup, "goat": goat},
        )
        for goat in goats
    ]


def moved_goats(ids: t.Iterable[int], db: str) -> Writes:
    """Make relations those of another database.

    Not by the program, which cannot; and without the trigger validate_goat, which would log in
    to the database once for each table.
    """
    return [
        WITHOUT_TRIGGERS,
        Statement(
            "UPDATE bucardo.goat SET db = %(origin)s WHERE id = ANY(%(ids)s)",
            {"origin": db, "ids": list(ids)},
        ),
    ]


def _goat_columns(db: str, goats: t.Sequence[NewGoat]) -> dict[str, t.Any]:
    return {
        "db": db,
        "schemas": [goat.name.schema for goat in goats],
        "names": [goat.name.name for goat in goats],
        "reltypes": [goat.reltype for goat in goats],
        "keys": ["|".join(goat.key) for goat in goats],
        "types": ["|".join(goat.key_types) for goat in goats],
    }


# --- custom code, names and columns -------------------------------------------------------------


def customcode(
    code: Customcode,
    new: bool,
    attach: t.Mapping[str, int] | None,
    goats: t.Mapping[int, int] | None,
) -> Writes:
    """Insert or update a custom code; null leaves what it is attached to.

    Not by "bucardo add customcode": it takes a whenrun that the table's CHECK refuses, has no
    way to attach a code later, and reads the code from a file only.

    :param attach: sync to priority: exactly these.
    :param goats: id of a relation to priority: exactly these.
    """
    values: dict[str, t.Any] = {
        "whenrun": code.whenrun,
        "src_code": code.src_code,
        "about": code.about or None,
        "getdbh": code.getdbh,
        "status": code.status,
    }
    query = _saved("customcode", {column: f"%({column})s" for column in values}, new)
    writes = [Statement(query, {"name": code.name, **values})]
    if attach is not None or goats is not None:
        writes += _attached(code.name, "sync", "text", attach or {})
        writes += _attached(code.name, "goat", "int", goats or {})
    return writes


def _attached(name: str, column: str, kind: str, wanted: t.Mapping[t.Any, int]) -> list[Statement]:
    params = {"name": name, "keys": list(wanted), "priorities": list(wanted.values())}
    code = "(SELECT id FROM bucardo.customcode WHERE name = %(name)s)"
    writes = [
        Statement(
            f"DELETE FROM bucardo.customcode_map WHERE code = {code}"
            f" AND {column} IS NOT NULL AND {column} <> ALL(%(keys)s::{kind}[])",
            params,
        )
    ]
    if wanted:
        writes.append(
            Statement(
                f"INSERT INTO bucardo.customcode_map (code, {column}, priority)"
                f" SELECT {code}, * FROM unnest(%(keys)s::{kind}[], %(priorities)s::int2[])"
                f" ON CONFLICT (code, {column}) WHERE {column} IS NOT NULL"
                " DO UPDATE SET priority = excluded.priority, active = true",
                params,
            )
        )
    return writes


def override(kind: str, goat: int, new: Override, remove: t.Sequence[int]) -> Writes:
    """Insert a row of customname or customcols in the place of others.

    Not by the program: it can only add rows, not change them.
    """
    column = {"customname": "newname", "customcols": "clause"}[kind]
    writes = []
    if remove:
        writes.append(
            Statement(f"DELETE FROM bucardo.{kind} WHERE id = ANY(%(ids)s)", {"ids": list(remove)})
        )
    writes.append(
        Statement(
            f"INSERT INTO bucardo.{kind} (goat, {column}, db, sync)"
            " VALUES (%(goat)s, %(value)s, NULLIF(%(db)s, ''), NULLIF(%(sync)s, ''))",
            {"goat": goat, "value": new.value, "db": new.db, "sync": new.sync},
        )
    )
    return writes


# --- syncs --------------------------------------------------------------------------------------


def sync(name: str, values: t.Mapping[str, t.Any], new: bool) -> Writes:
    """Insert or update a row of bucardo.sync. Its triggers validate the sync: see to it first that
    nothing is left to be made on the masters.

    :param values: columns to what they shall hold.
    """
    if not values:
        return []
    query = _saved("sync", {column: f"%({column})s" for column in values}, new)
    return [Statement(query, {**values, "name": name})]


def held(name: str) -> Writes:
    """Hold a sync."""
    return [
        Statement(
            "UPDATE bucardo.sync SET status = 'inactive' WHERE name = %(name)s", {"name": name}
        )
    ]


def validated(name: str) -> Writes:
    """Let Bucardo make and register what a sync lacks; the caller has seen to it that this locks
    no table."""
    return [Statement("SELECT bucardo.validate_sync(%(name)s)", {"name": name})]


def removed_sync(name: str) -> Writes:
    """Remove a sync's row."""
    return [Statement("DELETE FROM bucardo.sync WHERE name = %(name)s", {"name": name})]

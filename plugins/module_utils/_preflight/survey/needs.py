# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the origin's database needs of a server, and what a server offers of it."""

from __future__ import annotations

import re
import typing as t

from ..needs import Needed, Needs, Offers
from .reader import Reader

# Collations of the system that something was made with; those of PostgreSQL itself are everywhere.
_COLLATIONS = """
SELECT l.collname::text AS name, l.collprovider::text AS provider,
       COALESCE(l.collcollate, '')::text AS locale, n.nspname = 'pg_catalog' AS is_system,
       min(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)) AS by
  FROM pg_catalog.pg_collation l
  JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
  LEFT JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_collation'::regclass
       AND d.refobjid = l.oid
 WHERE l.collname NOT IN ('default', 'C', 'POSIX', 'ucs_basic')
   AND (n.nspname <> 'pg_catalog' OR d.objid IS NOT NULL)
   AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')
 GROUP BY 1, 2, 3, 4 ORDER BY 1
"""
# Such as "dictfile = 'de_de', afffile = 'de_de', stopwords = 'german'".
_DICTIONARIES = """
SELECT pg_catalog.format('dictionary %I.%I', n.nspname, d.dictname) AS by,
       t.tmplname::text AS template, d.dictinitoption AS options
  FROM pg_catalog.pg_ts_dict d
  JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate
  JOIN pg_catalog.pg_namespace n ON n.oid = d.dictnamespace
 WHERE n.nspname <> 'pg_catalog' AND d.dictinitoption IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.deptype = 'e'
                    AND x.classid = 'pg_catalog.pg_ts_dict'::regclass AND x.objid = d.oid)
 ORDER BY 1
"""
_LIBRARIES = """
SELECT f.probin AS name, min(f.oid::regprocedure::text) AS by
  FROM pg_catalog.pg_proc f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = f.prolang AND l.lanname = 'c'
 WHERE n.nspname <> 'pg_catalog' AND f.probin IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.deptype = 'e'
                    AND x.classid = 'pg_catalog.pg_proc'::regclass AND x.objid = f.oid)
 GROUP BY 1 ORDER BY 1
"""
# Names with a dot are of extensions; every server takes them. Bucardo's role is made on each
# master, with what its server knows.
_SETTINGS = """
SELECT name, min(by) AS by FROM (
  SELECT pg_catalog.split_part(c, '=', 1) AS name,
         pg_catalog.concat_ws(' in ', 'role ' || r.rolname, 'database ' || d.datname) AS by
    FROM pg_catalog.pg_db_role_setting s
   CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
   WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
     AND r.rolname IS DISTINCT FROM 'bucardo'
  UNION ALL
  SELECT pg_catalog.split_part(c, '=', 1), 'function ' || f.oid::regprocedure::text
    FROM pg_catalog.pg_proc f
    JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace AND n.nspname <> 'pg_catalog'
   CROSS JOIN LATERAL pg_catalog.unnest(f.proconfig) c
) s WHERE name !~ '[.]' GROUP BY 1 ORDER BY 1
"""
# These took anyarray and anyelement before 14 and take anycompatible... since.
_ARRAY_FUNCTIONS = [
    *("array_append", "array_cat", "array_position", "array_positions", "array_prepend"),
    *("array_remove", "array_replace", "width_bucket"),
]
_ARRAY_CALLS = """
SELECT f.proname::text AS name, 'aggregate ' || a.aggfnoid::regprocedure::text AS by
  FROM pg_catalog.pg_aggregate a
  JOIN pg_catalog.pg_proc own ON own.oid = a.aggfnoid
  JOIN pg_catalog.pg_namespace n ON n.oid = own.pronamespace AND n.nspname <> 'pg_catalog'
  JOIN pg_catalog.pg_proc f ON f.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn)
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace AND fn.nspname = 'pg_catalog'
 WHERE f.proname = ANY (%(names)s)
UNION
SELECT f.proname::text, 'operator ' || o.oid::regoperator::text
  FROM pg_catalog.pg_operator o
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace AND n.nspname <> 'pg_catalog'
  JOIN pg_catalog.pg_proc f ON f.oid = o.oprcode
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace AND fn.nspname = 'pg_catalog'
 WHERE f.proname = ANY (%(names)s)
 ORDER BY 2
"""

_PARAMETERS = """
SELECT name, CASE WHEN name IN ('shared_preload_libraries', 'cron.database_name',
                                'max_prepared_transactions') THEN setting END AS setting
  FROM pg_catalog.pg_settings
"""
_GRANTS = """
SELECT pg_catalog.format('%s on %s to %s', a.privilege_type, p.parname,
                         COALESCE(r.rolname, 'PUBLIC')) AS grant
  FROM pg_catalog.pg_parameter_acl p
 CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE r.rolsuper IS NOT TRUE
"""
_OFFERED_COLLATIONS = """
SELECT l.collname::text AS name FROM pg_catalog.pg_collation l
 WHERE l.collnamespace = 'pg_catalog'::regnamespace
"""
# Of a file of the server itself; for superusers, and who may read its files.
_FILES = """
SELECT f AS name FROM pg_catalog.pg_config c
 CROSS JOIN LATERAL pg_catalog.pg_ls_dir(c.setting || %(below)s) f WHERE c.name = %(place)s
"""
_PARAMETER_GRANTS_SINCE = 150000
# Option of a template to the ending of its file.
_ENDINGS = {
    "stopwords": ".stop",
    "dictfile": ".dict",
    "afffile": ".affix",
    "synonyms": ".syn",
    "rules": ".rules",
}
_OPTION = re.compile(r"(\w+)\s*=\s*'((?:[^']|'')*)'")
_DICTIONARY_OF_THESAURUS = ".ths"


def read_needs(reader: Reader) -> Needs:
    """What the database of a session needs."""
    collations = reader.rows("collations", _COLLATIONS)
    return Needs(
        collations=tuple(Needed(row["name"], row["by"]) for row in collations if row["is_system"]),
        locales=tuple(
            Needed(row["locale"], f"collation {row['name']}")
            for row in collations
            if not row["is_system"] and row["provider"] == "c"
        ),
        dictionary_files=tuple(
            found
            for row in reader.rows("text search dictionaries", _DICTIONARIES)
            for found in _files_of(row["by"], row["template"], row["options"])
        ),
        libraries=tuple(
            Needed(_library(row["name"]), row["by"])
            for row in reader.rows("libraries of functions", _LIBRARIES)
            if row["name"].startswith("$libdir/")
        ),
        settings=_pairs(reader.rows("stored settings", _SETTINGS)),
        array_calls=_pairs(
            reader.rows("aggregates and operators", _ARRAY_CALLS, {"names": _ARRAY_FUNCTIONS})
        ),
    )


def _pairs(rows: t.Iterable[dict[str, t.Any]]) -> tuple[Needed, ...]:
    return tuple(Needed(row["name"], row["by"]) for row in rows)


def _files_of(by: str, template: str, options: str) -> t.Iterator[Needed]:
    """The files that a text search dictionary reads when it is made."""
    for option, value in _OPTION.findall(options):
        ending = _ENDINGS.get(option.lower())
        if option.lower() == "dictfile" and template == "thesaurus":
            ending = _DICTIONARY_OF_THESAURUS
        if ending:
            yield Needed(value.replace("''", "'") + ending, by)


def _library(path: str) -> str:
    name = path.partition("/")[2]
    return name if name.endswith(".so") else f"{name}.so"


def read_offers(reader: Reader, version: int) -> Offers:
    """What the server of a session has, whatever its database."""
    parameters = {row["name"]: row["setting"] for row in reader.rows("parameters", _PARAMETERS)}
    grants = frozenset(
        row["grant"]
        for row in (
            reader.rows("rights to parameters", _GRANTS)
            if version >= _PARAMETER_GRANTS_SINCE
            else ()
        )
    )
    libraries = parameters.get("shared_preload_libraries") or ""
    return Offers(
        preloaded=tuple(name.strip(' "') for name in libraries.split(",") if name.strip()),
        settings=frozenset(name for name in parameters if "." not in name) or None,
        grants=grants,
        collations=_names(reader.rows("collations", _OFFERED_COLLATIONS)),
        dictionary_files=_files(reader, "SHAREDIR", "/tsearch_data"),
        libraries=_files(reader, "PKGLIBDIR", ""),
        cron_database=parameters.get("cron.database_name") or "",
        prepared_transactions=int(parameters.get("max_prepared_transactions") or 0),
    )


def _files(reader: Reader, place: str, below: str) -> frozenset[str] | None:
    """Names of the files in a directory of PostgreSQL's installation."""
    params = {"place": place, "below": below}
    return _names(reader.rows(f"the server's files in {place}{below}", _FILES, params))


def _names(rows: t.Iterable[dict[str, t.Any]]) -> frozenset[str] | None:
    """None where nothing could be read."""
    return frozenset(row["name"] for row in rows) or None

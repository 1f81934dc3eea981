# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""A database as an object of its server: read, compared, created."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused, StatementFailed
from . import pg
from .pg import Session
from .roles import Settings, parse_settings, setting_value

if t.TYPE_CHECKING:
    from psycopg2 import sql

PROVIDERS = {"b": "builtin", "c": "libc", "i": "icu", "d": "libc"}
_PRIVILEGES = frozenset({"CREATE", "CONNECT", "TEMPORARY"})
_DEFAULT_TABLESPACE = "pg_default"
# SQLSTATE that CREATE DATABASE gives for a locale that the system does not have
_WRONG_OBJECT_TYPE = "42809"
_INVALID_PARAMETER = "22023"


@dataclasses.dataclass(frozen=True, order=True)
class Grant:
    """One privilege on a database; C(grantee) is "" for PUBLIC."""

    grantee: str
    privilege: str
    grantable: bool = False


@dataclasses.dataclass(frozen=True)
class DatabaseSpec:
    """One database.

    :param provider: pg_database.datlocprovider: "c" libc, "i" ICU, "b" built in.
    :param locale: of the ICU or built-in provider.
    :param grants: including the owner's and PUBLIC's defaults.
    :param settings: ALTER DATABASE ... SET.
    :param role_settings: ALTER ROLE ... IN DATABASE ... SET, per role.
    """

    name: str
    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str = "c"
    locale: str = ""
    icu_rules: str = ""
    tablespace: str = _DEFAULT_TABLESPACE
    connection_limit: int = -1
    comment: str = ""
    grants: frozenset[Grant] = frozenset()
    default_grants: bool = True
    settings: Settings = ()
    role_settings: tuple[tuple[str, Settings], ...] = ()

    def describe(self) -> dict[str, t.Any]:
        """For results and diffs."""
        out: dict[str, t.Any] = {
            "name": self.name,
            "owner": self.owner,
            "encoding": self.encoding,
            "lc_collate": self.collate,
            "lc_ctype": self.ctype,
        }
        if self.provider in ("i", "b"):
            out["locale_provider"] = PROVIDERS[self.provider]
            out["locale"] = self.locale
        if self.tablespace != _DEFAULT_TABLESPACE:
            out["tablespace"] = self.tablespace
        if self.connection_limit != -1:
            out["connection_limit"] = self.connection_limit
        if self.comment:
            out["comment"] = self.comment
        if self.settings:
            out["settings"] = dict(self.settings)
        if self.role_settings:
            out["role_settings"] = {role: dict(values) for role, values in self.role_settings}
        if not self.default_grants:
            out["privileges"] = [
                f"{grant.grantee or 'PUBLIC'}: {grant.privilege}" for grant in sorted(self.grants)
            ]
        return out

    def without_roles(self, roles: t.Collection[str]) -> DatabaseSpec:
        """The same without grants to and settings of these roles."""
        return dataclasses.replace(
            self,
            grants=frozenset(g for g in self.grants if g.grantee not in roles),
            role_settings=tuple((r, s) for r, s in self.role_settings if r not in roles),
        )


def lasting_differences(source: DatabaseSpec, target: DatabaseSpec) -> list[str]:
    """What cannot be changed once a database exists, and would make equal data compare unequal
    or be refused."""
    words = []
    if source.encoding != target.encoding:
        words.append(f"encoding {target.encoding} instead of {source.encoding}")
    for word, mine, its in (
        ("lc_collate", source.collate, target.collate),
        ("lc_ctype", source.ctype, target.ctype),
    ):
        if _locale(mine) != _locale(its):
            words.append(f"{word} {its} instead of {mine}")
    if PROVIDERS.get(source.provider) != PROVIDERS.get(target.provider):
        words.append(
            f"locale provider {PROVIDERS.get(target.provider)}"
            f" instead of {PROVIDERS.get(source.provider)}"
        )
    elif source.locale != target.locale or source.icu_rules != target.icu_rules:
        words.append(f"locale {target.locale} instead of {source.locale}")
    return words


def _locale(name: str) -> str:
    """en_US.UTF-8 and en_US.utf8 are the same."""
    language, dot, codeset = name.partition(".")
    return language + dot + codeset.lower().replace("-", "")


def property_differences(source: DatabaseSpec, target: DatabaseSpec) -> list[str]:
    """What the target's database lacks of the source's properties, in words."""
    words = []
    if source.owner != target.owner:
        words.append(f"owner {target.owner} instead of {source.owner}")
    if source.connection_limit != target.connection_limit:
        words.append(
            f"connection limit {target.connection_limit} instead of {source.connection_limit}"
        )
    if source.comment != target.comment:
        words.append("another comment")
    if source.grants != target.grants:
        words.append("other privileges")
    theirs = dict(target.settings)
    words.extend(
        f"setting {name} = {theirs.get(name)} instead of {value}"
        for name, value in source.settings
        if theirs.get(name) != value
    )
    for role, settings in source.role_settings:
        their_role = dict(dict(target.role_settings).get(role, ()))
        words.extend(
            f"setting {name} of role {role} = {their_role.get(name)} instead of {value}"
            for name, value in settings
            if their_role.get(name) != value
        )
    return words


# --- the client's part ---------------------------------------------------------------------

# to_jsonb because columns of pg_database differ: the provider came with 15, its rules with 16,
# and 17 renamed daticulocale to datlocale.
_READ = """
SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate, d.datctype AS ctype,
       COALESCE(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       COALESCE(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '') AS locale,
       COALESCE(to_jsonb(d) ->> 'daticurules', '') AS icu_rules,
       s.spcname AS tablespace, d.datconnlimit AS connection_limit,
       COALESCE(pg_catalog.shobj_description(d.oid, 'pg_database'), '') AS comment,
       d.datacl IS NULL AS default_grants,
       COALESCE((SELECT r.setconfig FROM pg_catalog.pg_db_role_setting r
                  WHERE r.setdatabase = d.oid AND r.setrole = 0), '{}') AS settings
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace
 WHERE d.datname = %s
"""
_GRANTS = """
SELECT COALESCE(r.rolname, '') AS grantee, a.privilege_type AS privilege,
       bool_or(a.is_grantable) AS grantable
  FROM pg_catalog.pg_database d
 CROSS JOIN LATERAL
       pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE d.datname = %s
 GROUP BY 1, 2
"""
_ROLE_SETTINGS = """
SELECT r.rolname AS role, s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s
  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 WHERE d.datname = %s
 ORDER BY r.rolname
"""


def read_database(session: Session, name: str) -> t.Optional[DatabaseSpec]:
    """The server's database of this name, or None."""
    row = session.row(_READ, (name,))
    if row is None:
        return None
    settings = tuple(sorted(parse_settings(row.pop("settings"))))
    return DatabaseSpec(
        settings=settings,
        grants=frozenset(Grant(**grant) for grant in session.rows(_GRANTS, (name,))),
        role_settings=tuple(
            (found["role"], tuple(sorted(parse_settings(found["settings"]))))
            for found in session.rows(_ROLE_SETTINGS, (name,))
        ),
        **row,
    )


def create_statement(database: DatabaseSpec, name: str, server_version: int) -> sql.Composable:
    """CREATE DATABASE for a server of this version.

    :raises Refused: when that server knows no such locale provider.
    """
    sql = pg.sql
    parts: list[sql.Composable] = [
        sql.SQL("CREATE DATABASE {} WITH TEMPLATE template0 OWNER {} ENCODING {}").format(
            sql.Identifier(name), sql.Identifier(database.owner), sql.Literal(database.encoding)
        ),
        sql.SQL("LC_COLLATE {} LC_CTYPE {}").format(
            sql.Literal(database.collate), sql.Literal(database.ctype)
        ),
    ]
    provider = PROVIDERS.get(database.provider, "libc")
    since = {"libc": 0, "icu": 15, "builtin": 17}[provider]
    major = server_version // 10000
    if major < since:
        raise Refused(
            f"Database {database.name} uses the locale provider {provider},"
            f" which PostgreSQL {major} does not have",
            f"Use PostgreSQL {since} or newer as target.",
        )
    if major >= 15:
        parts.append(sql.SQL("LOCALE_PROVIDER {}").format(sql.Identifier(provider)))
    if provider == "icu":
        parts.append(sql.SQL("ICU_LOCALE {}").format(sql.Literal(database.locale)))
        if database.icu_rules and major >= 16:
            parts.append(sql.SQL("ICU_RULES {}").format(sql.Literal(database.icu_rules)))
    elif provider == "builtin":
        parts.append(sql.SQL("BUILTIN_LOCALE {}").format(sql.Literal(database.locale)))
    if database.tablespace != _DEFAULT_TABLESPACE:
        parts.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(database.tablespace)))
    return sql.SQL(" ").join(parts)


def create(session: Session, database: DatabaseSpec, name: str) -> sql.Composable:
    """Create a database like the given one, without its properties; returns the statement."""
    statement = create_statement(database, name, session.server_version)
    try:
        session.execute(statement)
    except StatementFailed as error:
        if error.sqlstate in (_WRONG_OBJECT_TYPE, _INVALID_PARAMETER) and "locale" in str(error):
            raise Refused(
                f"The system of {session.conninfo.name} lacks the locale of database"
                f" {database.name} ({database.collate}, {database.ctype}): {error.message}",
                "Install it there (locale-gen) and restart PostgreSQL.",
            ) from error
        raise
    return statement


def property_statements(source: DatabaseSpec, target: DatabaseSpec) -> list[sql.Composable]:
    """What gives the target's database the properties of the source's.

    Settings and privileges that only the target has stay.
    """
    sql = pg.sql
    name = sql.Identifier(target.name)
    out: list[sql.Composable] = []
    if source.owner != target.owner:
        out.append(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(source.owner))
        )
    if source.connection_limit != target.connection_limit:
        out.append(
            sql.SQL("ALTER DATABASE {} WITH CONNECTION LIMIT {}").format(
                name, sql.Literal(source.connection_limit)
            )
        )
    if source.comment != target.comment:
        out.append(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                name, sql.Literal(source.comment or None)
            )
        )
    if source.grants != target.grants and not source.default_grants:
        out.append(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        out.append(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(name, sql.Identifier(source.owner))
        )
        for grant in sorted(source.grants):
            if grant.privilege not in _PRIVILEGES:
                continue
            grantee = sql.Identifier(grant.grantee) if grant.grantee else sql.SQL("PUBLIC")
            text = f"GRANT {grant.privilege} ON DATABASE {{}} TO {{}}"
            text += " WITH GRANT OPTION" if grant.grantable else ""
            out.append(sql.SQL(text).format(name, grantee))
    theirs = dict(target.settings)
    for setting, value in source.settings:
        if theirs.get(setting) != value:
            out.append(
                sql.SQL("ALTER DATABASE {} SET {} TO {}").format(
                    name, sql.Identifier(setting), setting_value(setting, value)
                )
            )
    their_roles = dict(target.role_settings)
    for role, settings in source.role_settings:
        theirs = dict(their_roles.get(role, ()))
        for setting, value in settings:
            if theirs.get(setting) != value:
                out.append(
                    sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} TO {}").format(
                        sql.Identifier(role),
                        name,
                        sql.Identifier(setting),
                        setting_value(setting, value),
                    )
                )
    return out

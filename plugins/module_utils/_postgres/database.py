# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database as an object of its server, compared with another, and statements for it (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused
from . import sql
from .locale import PROVIDERS, normal_locale
from .roles import Settings, setting_value

_PRIVILEGES = frozenset({"CREATE", "CONNECT", "TEMPORARY"})
_DEFAULT_TABLESPACE = "pg_default"


@dataclasses.dataclass(frozen=True, order=True)
class Grant:
    """One privilege on a database; `grantee` is "" for PUBLIC."""

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
    for word, of_source, of_target in (
        ("lc_collate", source.collate, target.collate),
        ("lc_ctype", source.ctype, target.ctype),
    ):
        if normal_locale(of_source) != normal_locale(of_target):
            words.append(f"{word} {of_target} instead of {of_source}")
    if PROVIDERS.get(source.provider) != PROVIDERS.get(target.provider):
        words.append(
            f"locale provider {PROVIDERS.get(target.provider)}"
            f" instead of {PROVIDERS.get(source.provider)}"
        )
    elif source.locale != target.locale or source.icu_rules != target.icu_rules:
        words.append(f"locale {target.locale} instead of {source.locale}")
    return words


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
    there = dict(target.settings)
    words.extend(
        f"setting {name} = {there.get(name)} instead of {value}"
        for name, value in source.settings
        if there.get(name) != value
    )
    for role, settings in source.role_settings:
        role_there = dict(dict(target.role_settings).get(role, ()))
        words.extend(
            f"setting {name} of role {role} = {role_there.get(name)} instead of {value}"
            for name, value in settings
            if role_there.get(name) != value
        )
    return words


def create_statement(database: DatabaseSpec, name: str, server_version: int) -> sql.Composable:
    """CREATE DATABASE for a server of this version.

    :raises Refused: when that server knows no such locale provider.
    """
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


def property_statements(source: DatabaseSpec, target: DatabaseSpec) -> list[sql.Composable]:
    """What gives the target's database the properties of the source's.

    Settings and privileges that only the target has stay.
    """
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
    there = dict(target.settings)
    for setting, value in source.settings:
        if there.get(setting) != value:
            out.append(
                sql.SQL("ALTER DATABASE {} SET {} TO {}").format(
                    name, sql.Identifier(setting), setting_value(setting, value)
                )
            )
    roles_there = dict(target.role_settings)
    for role, settings in source.role_settings:
        there = dict(roles_there.get(role, ()))
        for setting, value in settings:
            if there.get(setting) != value:
                out.append(
                    sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} TO {}").format(
                        sql.Identifier(role),
                        name,
                        sql.Identifier(setting),
                        setting_value(setting, value),
                    )
                )
    return out

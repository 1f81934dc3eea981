# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles of a server, compared with another's, and the statements that even them out (pure)."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from . import sql

Settings = t.Tuple[t.Tuple[str, str], ...]

# GUC_LIST_QUOTE: the catalog holds a list of quoted names, and SET wants one literal for each.
# src/bin/pg_dump/dumputils.c, variable_is_guc_list_quote()
_LIST_SETTINGS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
# Grants that carry INHERIT and SET, and more than one grantor.
_GRANT_OPTIONS_SINCE = 160000

# Attribute of Role -> words of CREATE ROLE.
_FLAGS = {
    "superuser": ("SUPERUSER", "NOSUPERUSER"),
    "inherit": ("INHERIT", "NOINHERIT"),
    "create_role": ("CREATEROLE", "NOCREATEROLE"),
    "create_db": ("CREATEDB", "NOCREATEDB"),
    "login": ("LOGIN", "NOLOGIN"),
    "replication": ("REPLICATION", "NOREPLICATION"),
    "bypass_rls": ("BYPASSRLS", "NOBYPASSRLS"),
}


@dataclasses.dataclass(frozen=True)
class Role:
    """One role, without what it may do.

    :param password: the hash as pg_authid holds it, None without one or where it is unreadable.
    :param connection_limit: -1 for no limit.
    :param valid_until: in UTC as text, "infinity", or "" for no limit.
    :param settings: those that hold in every database.
    :param bootstrap: the superuser that initdb made, which no dump of roles recreates.
    """

    name: str
    superuser: bool = False
    inherit: bool = True
    create_role: bool = False
    create_db: bool = False
    login: bool = False
    replication: bool = False
    bypass_rls: bool = False
    connection_limit: int = -1
    valid_until: str = ""
    comment: str = ""
    settings: Settings = ()
    password: t.Optional[str] = dataclasses.field(default=None, repr=False)
    bootstrap: bool = False

    def differences(self, other: Role, passwords: bool = True) -> list[str]:
        """What the other has differently, in words, without values that are secret."""
        words = []
        for attribute, (yes, no) in _FLAGS.items():
            here, there = getattr(self, attribute), getattr(other, attribute)
            if here != there:
                words.append(f"{yes if there else no} instead of {yes if here else no}")
        if self.connection_limit != other.connection_limit:
            words.append(
                f"CONNECTION LIMIT {other.connection_limit} instead of {self.connection_limit}"
            )
        # No limit and infinity are the same, and ALTER ROLE cannot set the former.
        until_here, until_there = (r.valid_until or "infinity" for r in (self, other))
        if until_here != until_there:
            words.append(f"VALID UNTIL {until_there} instead of {until_here}")
        if passwords and self.password != other.password:
            if self.password and other.password:
                words.append("another password hash")
            else:
                words.append("no password" if self.password else "a password")
        set_here, set_there = dict(self.settings), dict(other.settings)
        names = sorted(n for n in {*set_here, *set_there} if set_here.get(n) != set_there.get(n))
        if names:
            words.append(f"other settings ({', '.join(names)})")
        return words

    def describe(self) -> dict[str, t.Any]:
        """For results and diffs."""
        out: dict[str, t.Any] = {flag: True for flag in _FLAGS if getattr(self, flag)}
        if self.connection_limit != -1:
            out["connection_limit"] = self.connection_limit
        if self.valid_until:
            out["valid_until"] = self.valid_until
        if self.settings:
            out["settings"] = dict(self.settings)
        out["password"] = "set" if self.password else "none"
        return out


@dataclasses.dataclass(frozen=True, order=True)
class RoleMembership:
    """`member` has `group`.

    :param inherit: None on servers before 16, which decide by the member's INHERIT.
    :param set_role: None on servers before 16.
    """

    group: str
    member: str
    admin: bool = False
    inherit: t.Optional[bool] = None
    set_role: t.Optional[bool] = None

    @property
    def pair(self) -> tuple[str, str]:
        """Without the options."""
        return (self.group, self.member)


@dataclasses.dataclass(frozen=True)
class Roles:
    """All roles of one server.

    :param needed: those that the database at hand speaks of: owners, grantees, policies.
    :param passwords: whether the hashes could be read.
    """

    roles: t.Mapping[str, Role]
    memberships: tuple[RoleMembership, ...] = ()
    needed: frozenset[str] = frozenset()
    passwords: bool = True


@dataclasses.dataclass(frozen=True)
class RolePlan:
    """What makes the target's roles those of the source.

    :param conflicts: role of the target to how it differs; nothing is done about these.
    """

    create: tuple[Role, ...] = ()
    update: tuple[Role, ...] = ()
    grant: tuple[RoleMembership, ...] = ()
    conflicts: t.Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    with_passwords: bool = True

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.create or self.update or self.grant)

    def conflict_lines(self, target: str) -> list[str]:
        """One line per role that differs."""
        return [
            f"Role {name} exists on {target} with {', '.join(words)}"
            for name, words in sorted(self.conflicts.items())
        ]


def wanted(source: Roles, which: str, exclude: t.Collection[str]) -> set[str]:
    """Names of the roles that are to be on the target.

    :param which: "all", "needed" (with the groups and members that belong to them) or "none".
    """
    if which == "none":
        return set()
    names = {name for name in source.roles if not name.startswith("pg_")}
    if which == "needed":
        reached = set(source.needed)
        while True:
            more = {m.group for m in source.memberships if m.member in reached}
            more |= {
                m.member
                for m in source.memberships
                if m.group in reached and not m.group.startswith("pg_")
            }
            if more <= reached:
                break
            reached |= more
        names &= reached
    return names - set(exclude)


def plan(
    source: Roles,
    target: Roles,
    names: t.Collection[str],
    untouchable: t.Collection[str] = (),
    update: bool = False,
) -> RolePlan:
    """Compare the source's roles of these names with the target's.

    Roles and memberships that only the target has are its own business.

    :param untouchable: roles of the target that are neither changed nor compared, such as the
        one that is logged in.
    :param update: change roles that differ, instead of reporting a conflict.
    """
    passwords = source.passwords and target.passwords
    create, updates, grant = [], [], []
    conflicts: dict[str, list[str]] = {}
    for name in sorted(names):
        role = source.roles[name]
        existing = target.roles.get(name)
        if existing is None:
            create.append(role)
        elif name not in untouchable and not role.bootstrap and not existing.bootstrap:
            words = role.differences(existing, passwords)
            if words and update:
                updates.append(role)
            elif words:
                conflicts[name] = words
    created = {role.name for role in create}
    there = {m.pair: m for m in target.memberships}
    for membership in sorted(source.memberships):
        group, member = membership.pair
        if member not in names or member in untouchable:
            continue
        if group not in target.roles and group not in created:
            continue
        if _same(membership, there.get(membership.pair)):
            continue
        if update or {group, member} & created:
            grant.append(membership)
        else:
            known = membership.pair in there
            conflicts.setdefault(member, []).append(
                f"another membership in {group}" if known else f"no membership in {group}"
            )
    return RolePlan(tuple(create), tuple(updates), tuple(grant), conflicts, source.passwords)


def _same(here: RoleMembership, there: t.Optional[RoleMembership]) -> bool:
    if there is None or here.admin != there.admin:
        return False
    for a, b in ((here.inherit, there.inherit), (here.set_role, there.set_role)):
        if a is not None and b is not None and a != b:
            return False
    return True


def split_list(value: str) -> list[str]:
    """The names in a setting such as search_path, as the catalog quotes them."""
    return [
        quoted.replace('""', '"') if quoted else plain
        for quoted, plain in re.findall(r'\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)', value)
    ]


def parse_settings(config: t.Iterable[str]) -> t.Iterator[tuple[str, str]]:
    """Split the name=value texts of pg_db_role_setting.setconfig."""
    for text in config:
        name, _equals, value = text.partition("=")
        yield name, value


def setting_value(name: str, value: str) -> sql.Composable:
    """The right-hand side of ALTER ... SET name TO."""
    if name.lower() in _LIST_SETTINGS:
        parts = split_list(value)
        if parts:
            return sql.SQL(", ").join([sql.Literal(part) for part in parts])
    return sql.Literal(value)


def statements(steps: RolePlan, server_version: int, masked: bool = False) -> list[sql.Composable]:
    """The plan as SQL for a server of this version.

    :param masked: with stars in place of password hashes, for results.
    """
    out: list[sql.Composable] = []
    for verb, roles in (("CREATE", steps.create), ("ALTER", steps.update)):
        for role in roles:
            name = sql.Identifier(role.name)
            out.append(
                sql.SQL(verb + " ROLE {} WITH {}").format(
                    name, _options(role, steps.with_passwords, verb == "ALTER", masked)
                )
            )
            if role.comment or verb == "ALTER":
                out.append(
                    sql.SQL("COMMENT ON ROLE {} IS {}").format(
                        name, sql.Literal(role.comment or None)
                    )
                )
            if verb == "ALTER":
                out.append(sql.SQL("ALTER ROLE {} RESET ALL").format(name))
            for setting, value in role.settings:
                out.append(
                    sql.SQL("ALTER ROLE {} SET {} TO {}").format(
                        name, sql.Identifier(setting), setting_value(setting, value)
                    )
                )
    out.extend(_grant(membership, server_version) for membership in steps.grant)
    return out


def _options(role: Role, passwords: bool, altering: bool, masked: bool) -> sql.Composable:
    parts: list[sql.Composable] = [
        sql.SQL(yes if getattr(role, flag) else no) for flag, (yes, no) in _FLAGS.items()
    ]
    parts.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(role.connection_limit)))
    if role.valid_until or altering:
        until = role.valid_until or "infinity"
        parts.append(sql.SQL("VALID UNTIL {}").format(sql.Literal(until)))
    if passwords and (role.password or altering):
        shown = "********" if masked and role.password else role.password
        parts.append(sql.SQL("PASSWORD {}").format(sql.Literal(shown)))
    return sql.SQL(" ").join(parts)


def _grant(membership: RoleMembership, server_version: int) -> sql.Composable:
    options = []
    if server_version >= _GRANT_OPTIONS_SINCE:
        for word, value in (
            ("ADMIN", membership.admin),
            ("INHERIT", membership.inherit),
            ("SET", membership.set_role),
        ):
            if value is not None:
                options.append(f"{word} {'TRUE' if value else 'FALSE'}")
    elif membership.admin:
        options.append("ADMIN OPTION")
    text = "GRANT {} TO {}" + (f" WITH {', '.join(options)}" if options else "")
    return sql.SQL(text).format(sql.Identifier(membership.group), sql.Identifier(membership.member))

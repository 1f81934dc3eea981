# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing roles and planning their creation."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import (
    roles as postgres_roles,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import roles_client
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.roles import (
    Role,
    RoleMembership,
    RolePlan,
    Roles,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
    text_of,
)

HASH = "SCRAM-SHA-256$4096:salt$stored:server"


def roles(
    *names: t.Union[str, Role],
    memberships: tuple[RoleMembership, ...] = (),
    needed: tuple[str, ...] = (),
    passwords: bool = True,
) -> Roles:
    all_of = [Role(n, login=True) if isinstance(n, str) else n for n in names]
    return Roles({r.name: r for r in all_of}, memberships, frozenset(needed), passwords)


def test_all_means_all_but_the_systems_and_the_excluded() -> None:
    source = roles("app", "pg_monitor", "bucardo", "postgres")
    assert postgres_roles.wanted(source, "all", ["bucardo"]) == {"app", "postgres"}
    assert postgres_roles.wanted(source, "none", []) == set()


def test_needed_reaches_groups_and_members() -> None:
    source = roles(
        "owner",
        "app",
        "team",
        "boss",
        "stranger",
        "pg_monitor",
        memberships=(
            RoleMembership("owner", "app"),
            RoleMembership("team", "app"),
            RoleMembership("pg_monitor", "app"),
            RoleMembership("pg_monitor", "stranger"),
            RoleMembership("boss", "team"),
        ),
        needed=("owner",),
    )
    assert postgres_roles.wanted(source, "needed", []) == {"owner", "app", "team", "boss"}


def test_missing_roles_and_their_memberships_are_planned() -> None:
    source = roles("app", "team", memberships=(RoleMembership("team", "app", admin=True),))
    steps = postgres_roles.plan(source, roles(), {"app", "team"})
    assert [r.name for r in steps.create] == ["app", "team"]
    assert steps.grant == source.memberships
    assert not steps.conflicts


def test_nothing_to_do_when_equal() -> None:
    source = roles(Role("app", password=HASH), memberships=(RoleMembership("app", "app2"),))
    assert not postgres_roles.plan(source, source, {"app"}).changes


def test_a_differing_role_is_a_conflict_and_not_touched() -> None:
    steps = postgres_roles.plan(
        roles(Role("app", password=HASH, login=True, connection_limit=5)),
        roles(Role("app", password=HASH + "x", login=True)),
        {"app"},
    )
    assert not steps.changes
    (line,) = steps.conflict_lines("there")
    assert line == (
        "Role app exists on there with CONNECTION LIMIT -1 instead of 5, another password hash"
    )
    assert "SCRAM" not in line


def test_a_differing_role_is_updated_on_request() -> None:
    mine = Role("app", password=HASH, settings=(("work_mem", "1MB"),))
    steps = postgres_roles.plan(roles(mine), roles(Role("app")), {"app"}, update=True)
    assert steps.update == (mine,)
    assert not steps.conflicts


def test_unreadable_passwords_are_not_compared() -> None:
    source = roles(Role("app"), passwords=False)
    assert not postgres_roles.plan(source, roles(Role("app", password=HASH)), {"app"}).conflicts


def test_no_limit_equals_infinity() -> None:
    assert Role("app", valid_until="infinity").differences(Role("app")) == []
    assert Role("app", valid_until="2030-01-01").differences(Role("app"))


@pytest.mark.parametrize("untouchable", [{"admin"}, set()])
def test_the_login_role_and_the_first_superuser_are_left_alone(untouchable: set[str]) -> None:
    mine = Role("admin", superuser=True, password=HASH, bootstrap=not untouchable)
    steps = postgres_roles.plan(
        roles(mine), roles(Role("admin")), {"admin"}, untouchable=untouchable, update=True
    )
    assert not steps.changes
    assert not steps.conflicts


def test_a_missing_membership_of_existing_roles_is_a_conflict() -> None:
    both = ("app", "team")
    source = roles(*both, memberships=(RoleMembership("team", "app"),))
    assert postgres_roles.plan(source, roles(*both), set(both)).conflicts == {
        "app": ["no membership in team"]
    }
    assert (
        postgres_roles.plan(source, roles(*both), set(both), update=True).grant
        == source.memberships
    )


def test_memberships_of_groups_that_stay_away_are_left_out() -> None:
    source = roles("app", "bucardo", memberships=(RoleMembership("bucardo", "app"),))
    assert postgres_roles.plan(source, roles(), {"app"}).grant == ()


def test_grant_options_that_one_side_does_not_know_do_not_differ() -> None:
    old = roles("a", "b", memberships=(RoleMembership("a", "b"),))
    new = roles("a", "b", memberships=(RoleMembership("a", "b", inherit=True, set_role=True),))
    assert not postgres_roles.plan(old, new, {"a", "b"}).conflicts
    other = roles("a", "b", memberships=(RoleMembership("a", "b", inherit=False, set_role=True),))
    assert postgres_roles.plan(new, other, {"a", "b"}).conflicts == {
        "b": ["another membership in a"]
    }


def test_a_hash_is_not_in_what_people_see() -> None:
    role = Role("app", login=True, password=HASH)
    assert HASH not in repr(role)
    assert HASH not in str(role.describe())
    assert role.describe()["password"] == "set"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ('"$user", public', ["$user", "public"]),
        ('"Odd Schema", "a""b", c', ["Odd Schema", 'a"b', "c"]),
        ("public", ["public"]),
        ('"a, b"', ["a, b"]),
    ],
)
def test_lists_of_names_are_split(value: str, parts: list[str]) -> None:
    assert postgres_roles.split_list(value) == parts


def test_settings_may_hold_an_equals_sign() -> None:
    assert list(postgres_roles.parse_settings(["a.b=x=y", "c="])) == [("a.b", "x=y"), ("c", "")]


def sql_of(plan: RolePlan, version: int = 150000, masked: bool = False) -> list[str]:
    return [text_of(one) for one in postgres_roles.statements(plan, version, masked)]


APP = Role(
    "app",
    login=True,
    create_db=True,
    connection_limit=5,
    comment="It's us",
    settings=(("search_path", '"my schema", public'), ("work_mem", "4MB")),
    password=HASH,
)


def test_a_new_role_is_made_as_it_is() -> None:
    assert sql_of(RolePlan(create=(APP,))) == [
        'CREATE ROLE "app" WITH NOSUPERUSER INHERIT NOCREATEROLE CREATEDB LOGIN NOREPLICATION'
        f" NOBYPASSRLS CONNECTION LIMIT 5 PASSWORD '{HASH}'",
        "COMMENT ON ROLE \"app\" IS 'It''s us'",
        "ALTER ROLE \"app\" SET \"search_path\" TO 'my schema', 'public'",
        'ALTER ROLE "app" SET "work_mem" TO \'4MB\'',
    ]


def test_an_updated_role_loses_what_the_source_does_not_have() -> None:
    assert sql_of(RolePlan(update=(Role("app"),))) == [
        'ALTER ROLE "app" WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION'
        " NOBYPASSRLS CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD NULL",
        'COMMENT ON ROLE "app" IS NULL',
        'ALTER ROLE "app" RESET ALL',
    ]


def test_results_show_stars_and_a_login_that_cannot_read_hashes_sends_none() -> None:
    assert "PASSWORD '********'" in sql_of(RolePlan(create=(APP,)), masked=True)[0]
    assert "PASSWORD" not in sql_of(RolePlan(create=(APP,), with_passwords=False))[0]


@pytest.mark.parametrize(
    ("membership", "version", "text"),
    [
        (RoleMembership("g", "m"), 150000, 'GRANT "g" TO "m"'),
        (RoleMembership("g", "m", admin=True), 150000, 'GRANT "g" TO "m" WITH ADMIN OPTION'),
        (
            RoleMembership("g", "m", inherit=False, set_role=True),
            160000,
            'GRANT "g" TO "m" WITH ADMIN FALSE, INHERIT FALSE, SET TRUE',
        ),
    ],
)
def test_grants_as_the_version_writes_them(
    membership: RoleMembership, version: int, text: str
) -> None:
    assert sql_of(RolePlan(grant=(membership,)), version) == [text]


def test_hashes_are_kept_out_of_the_servers_log() -> None:
    session = FakeSession({"SELECT rolsuper": [{"rolsuper": True}]})
    roles_client.apply(session, RolePlan(create=(APP,)))
    hidden = next(n for n, text in enumerate(session.texts) if "'log_statement', 'none'" in text)
    assert hidden < min(n for n, text in enumerate(session.texts) if "PASSWORD" in text)
    assert session.texts[0] == "BEGIN"
    assert session.texts[-1] == "COMMIT"


def test_without_anything_to_do_nothing_is_begun() -> None:
    session = FakeSession()
    roles_client.apply(session, RolePlan())
    assert session.texts == []


def test_roles_are_read_without_hashes_where_those_may_not_be_read() -> None:
    row = {
        **dict.fromkeys(("superuser", "create_role", "create_db", "login"), False),
        **dict.fromkeys(("replication", "bypass_rls", "bootstrap"), False),
        "name": "app",
        "inherit": True,
        "connection_limit": -1,
        "valid_until": "",
        "comment": "",
        "settings": ["work_mem=4MB", "a=b=c"],
        "password": None,
    }
    session = FakeSession(
        {
            "has_table_privilege": [{"may": False}],
            "pg_auth_members": [
                {"group": "g", "member": "app", "admin": False, "inherit": None, "set_role": None}
            ],
            "pg_shdepend": [{"rolname": "app"}],
            'NULL AS password, r.oid = 10 AS bootstrap FROM pg_catalog."pg_roles"': [row],
        }
    )
    found = roles_client.read_roles(session, "shop")
    assert found.passwords is False
    assert found.needed == {"app"}
    assert found.roles["app"].settings == (("a", "b=c"), ("work_mem", "4MB"))
    assert found.memberships == (RoleMembership("g", "app"),)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing databases as objects of their servers."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import (
    database,
    database_client,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.database import (
    DatabaseSpec,
    Grant,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
    text_of,
)

SHOP = DatabaseSpec("shop", "app", "UTF8", "en_US.UTF-8", "en_US.UTF-8")


def test_spellings_of_a_locale_are_the_same() -> None:
    other = dataclasses.replace(SHOP, collate="en_US.utf8", ctype="en_US.utf8", name="x")
    assert database.lasting_differences(SHOP, other) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "LATIN1"}, "encoding LATIN1 instead of UTF8"),
        ({"collate": "C"}, "lc_collate C instead of en_US.UTF-8"),
        ({"provider": "i", "locale": "en"}, "locale provider icu instead of libc"),
    ],
)
def test_what_cannot_be_changed_later_is_named(change: dict[str, str], words: str) -> None:
    other = dataclasses.replace(SHOP, **change)
    assert database.lasting_differences(SHOP, other) == [words]


def test_properties_that_differ_are_named() -> None:
    mine = dataclasses.replace(
        SHOP,
        connection_limit=5,
        settings=(("work_mem", "1MB"),),
        role_settings=(("app", (("lock_timeout", "1s"),)),),
        grants=frozenset({Grant("app", "CONNECT")}),
    )
    assert database.property_differences(mine, dataclasses.replace(SHOP, owner="x")) == [
        "owner x instead of app",
        "connection limit -1 instead of 5",
        "other privileges",
        "setting work_mem = None instead of 1MB",
        "setting lock_timeout of role app = None instead of 1s",
    ]


def test_what_only_the_target_has_stays() -> None:
    theirs = dataclasses.replace(SHOP, settings=(("work_mem", "1MB"),))
    assert database.property_differences(SHOP, theirs) == []


def test_excluded_roles_are_forgotten() -> None:
    mine = dataclasses.replace(
        SHOP,
        grants=frozenset({Grant("bucardo", "CONNECT"), Grant("", "CONNECT")}),
        role_settings=(("bucardo", (("lock_timeout", "1s"),)),),
    ).without_roles(["bucardo"])
    assert mine.grants == {Grant("", "CONNECT")}
    assert mine.role_settings == ()


@pytest.mark.parametrize(
    ("change", "version", "end"),
    [
        ({}, 140000, ""),
        ({}, 150000, ' LOCALE_PROVIDER "libc"'),
        (
            {"provider": "i", "locale": "de", "icu_rules": "&a < b"},
            150000,
            " LOCALE_PROVIDER \"icu\" ICU_LOCALE 'de'",
        ),
        (
            {"provider": "i", "locale": "de", "icu_rules": "&a < b"},
            160000,
            " LOCALE_PROVIDER \"icu\" ICU_LOCALE 'de' ICU_RULES '&a < b'",
        ),
        (
            {"provider": "b", "locale": "C.UTF-8", "tablespace": "fast"},
            170000,
            ' LOCALE_PROVIDER "builtin" BUILTIN_LOCALE \'C.UTF-8\' TABLESPACE "fast"',
        ),
    ],
)
def test_a_database_is_created_as_the_version_takes_it(change, version, end) -> None:
    statement = database.create_statement(dataclasses.replace(SHOP, **change), "new", version)
    assert text_of(statement) == (
        'CREATE DATABASE "new" WITH TEMPLATE template0 OWNER "app" ENCODING \'UTF8\''
        " LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'" + end
    )


def test_an_older_server_does_not_know_the_provider() -> None:
    with pytest.raises(Refused, match="locale provider builtin, which PostgreSQL 16 does not have"):
        database.create_statement(dataclasses.replace(SHOP, provider="b"), "new", 160000)


def test_the_target_gets_the_properties_that_differ() -> None:
    source = dataclasses.replace(
        SHOP,
        connection_limit=7,
        comment="live",
        default_grants=False,
        grants=frozenset({Grant("", "CONNECT"), Grant("app", "CREATE", True)}),
        settings=(("search_path", "a, b"),),
        role_settings=(("app", (("work_mem", "4MB"),)),),
    )
    target = dataclasses.replace(SHOP, name="there", owner="postgres")
    assert [text_of(one) for one in database.property_statements(source, target)] == [
        'ALTER DATABASE "there" OWNER TO "app"',
        'ALTER DATABASE "there" WITH CONNECTION LIMIT 7',
        "COMMENT ON DATABASE \"there\" IS 'live'",
        'REVOKE ALL ON DATABASE "there" FROM PUBLIC',
        'REVOKE ALL ON DATABASE "there" FROM "app"',
        'GRANT CONNECT ON DATABASE "there" TO PUBLIC',
        'GRANT CREATE ON DATABASE "there" TO "app" WITH GRANT OPTION',
        "ALTER DATABASE \"there\" SET \"search_path\" TO 'a', 'b'",
        'ALTER ROLE "app" IN DATABASE "there" SET "work_mem" TO \'4MB\'',
    ]


def test_the_locale_that_the_system_lacks_is_named() -> None:
    error = StatementFailed('invalid locale name: "en_US.UTF-8"', sqlstate="42809")
    with pytest.raises(Refused, match="The system of here lacks the locale of database shop"):
        database_client.create(FakeSession({"CREATE DATABASE": error}), SHOP, "new")

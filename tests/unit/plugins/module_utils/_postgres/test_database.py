# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing databases as objects of their servers."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import database
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.database import (
    DatabaseSpec,
    Grant,
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

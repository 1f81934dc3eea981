# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which types of keys are believed to carry changes."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.key_types import (
    KeyType,
)

SOUND = ["integer", "numeric(12,2)", "text", "character varying(20)", "timestamp(3)", "bytea"]
SOUND += ["timestamp with time zone", "uuid", "boolean", "inet", "bit(4)", "public.ltree"]


@pytest.mark.parametrize("text", SOUND)
def test_types_that_come_through(text):
    assert KeyType.of(text).problem == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("double precision", "15 digits"),
        ("real", "Perl rounds it"),
        ("numeric", "1 and 1.0"),
        ("interval", "30 days"),
        ("public.citext", "in case"),
        ("integer[]", "nobody has proven"),
        ("numrange", "nobody has proven"),
        ("app.money_of_ours", "nobody has proven"),
    ],
)
def test_types_that_lose_changes(text, words):
    assert words in KeyType.of(text).problem


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (KeyType("text", collation="nocase"), "collation nocase"),
        (KeyType("bytea", is_domain=True), "no domain"),
        (KeyType("double precision", is_domain=True), "15 digits"),
        (KeyType("numeric", has_scale=True, is_domain=True), ""),
        (KeyType("text", is_domain=True), ""),
        (KeyType("app.mood", is_enum=True), ""),
    ],
)
def test_what_is_under_a_domain_or_in_a_collation_decides(found, words):
    assert words in found.problem
    assert bool(found.problem) == bool(words)

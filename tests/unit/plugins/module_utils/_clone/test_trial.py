# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of all that a server refuses, what is the cause and what only follows from it."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._clone import trial
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.facts import RefusedObject
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.dump import TocEntry

TABLE = RefusedObject("TABLE", "shop.doubled", "syntax error", "42601")
FUNCTION = RefusedObject("FUNCTION", "shop.half(integer)", "syntax error", "42601")
EXTENSION = RefusedObject("EXTENSION", "geo", "must be preloaded", "XX000")


@pytest.mark.parametrize(
    ("message", "sqlstate", "follows"),
    [
        ('relation "shop.doubled" does not exist', "42P01", True),
        ('relation "shop.doubled_up" does not exist', "42P01", False),
        ("function shop.half(integer) does not exist", "42883", True),
        ('syntax error at or near "doubled"', "42601", False),
    ],
)
def test_what_is_missing_follows_from_what_was_refused(message, sqlstate, follows):
    said = RefusedObject("VIEW", "shop.v", message, sqlstate)
    assert trial._follows(said, [TABLE, FUNCTION]) is follows


def test_of_an_extension_anything_may_be_missing():
    said = RefusedObject("TABLE", "shop.place", 'type "point3d" does not exist', "42704")
    assert trial._follows(said, [EXTENSION])
    assert not trial._follows(said, [TABLE])


def test_rights_are_tried_after_all_objects():
    labels = [
        *("TABLE shop t app", "ACL shop TABLE t app", "POLICY shop t p app"),
        *("COMMENT shop POLICY p ON t app", "INDEX shop i app"),
    ]
    entries = [TocEntry(number, 0, 0, label) for number, label in enumerate(labels)]
    plain, of_roles = trial._apart(entries)
    assert [entry.label.split()[0] for entry in plain] == ["TABLE", "INDEX"]
    assert [entry.label.split()[0] for entry in of_roles] == ["ACL", "POLICY", "COMMENT"]

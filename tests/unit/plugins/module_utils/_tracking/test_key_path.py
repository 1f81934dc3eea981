# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where Bucardo's role looks for the operators of keys."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import key_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('"$user", public', ("$user", "public")),
        ("app,ext", ("app", "ext")),
        ('"Mixed, ""Case""", x', ('Mixed, "Case"', "x")),
        ("", ()),
    ],
)
def test_a_search_path_is_read_as_postgresql_keeps_it(text, path):
    assert key_path.parse(text) == path


def test_only_what_is_not_searched_yet_is_lacking():
    assert key_path.lacking(("$user", "public"), ["ext", "pg_catalog", "public"]) == ("ext",)
    assert key_path.lacking(("ext",), ["ext"]) == ()

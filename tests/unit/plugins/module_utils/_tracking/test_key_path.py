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

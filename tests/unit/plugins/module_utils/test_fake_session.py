# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session of the other tests answers only what it was told, and spells SQL as psycopg2 does."""

from __future__ import annotations

import pytest
from psycopg2 import sql

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
    text_of,
)


def test_a_query_is_answered_by_a_piece_of_its_text():
    session = FakeSession(
        {"FROM a": [{"x": 1}, {"x": 2}], "FROM b": lambda params: [{"y": params}]}
    )
    assert session.column("SELECT x\n  FROM a") == [1, 2]
    assert session.value("SELECT y FROM b WHERE z = %s", (3,)) == (3,)
    assert session.ran[-1] == ("SELECT y FROM b WHERE z = %s", (3,))


def test_a_query_that_nobody_thought_of_fails():
    with pytest.raises(AssertionError, match="no answer for: SELECT 1"):
        FakeSession().value("SELECT 1")


def test_a_transaction_that_fails_is_rolled_back():
    session = FakeSession({"UPDATE a": Refused("no")})
    with pytest.raises(Refused), session.transaction("READ WRITE"):
        session.execute("UPDATE a SET x = 1")
    assert session.texts == ["BEGIN READ WRITE", "UPDATE a SET x = 1", "ROLLBACK"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            sql.SQL("SELECT {}").format(sql.Identifier("my schema", 'a"b')),
            'SELECT "my schema"."a""b"',
        ),
        (sql.Literal("it's é"), "'it''s é'"),
        (sql.Literal(-3), "-3"),
        (sql.Literal(None), "NULL"),
        (sql.Literal(["a", 1]), "ARRAY['a', 1]"),
        (sql.SQL(", ").join([sql.Placeholder(), sql.Placeholder("x")]), "%s, %(x)s"),
    ],
)
def test_composed_sql_as_text(query, text):
    assert text_of(query) == text

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight tries, letter for letter, and what it makes of the answers."""

from __future__ import annotations

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    BadExpression,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import trials
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

A, B = TableName("public", "a"), TableName("odd Schema", 'b"')
INDEX = {"schema": "public", "table": "a", "name": "a_low", "predicate": None}
PATIENT = "SET statement_timeout = 5000"


def failed(message: str, sqlstate: str = "42501", **said: t.Any) -> StatementFailed:
    return StatementFailed(f"here: {message}", sqlstate=sqlstate, **said)


def test_what_is_made_is_rolled_back() -> None:
    session = FakeSession()
    assert trials.refused_ddl(session) == ""
    assert (session.texts[0], session.texts[-1]) == ("BEGIN READ WRITE", "ROLLBACK")
    assert session.texts[-2].startswith("DROP SCHEMA")


def test_the_first_refusal_ends_the_trial() -> None:
    session = FakeSession({"CREATE TABLE": failed("not on Mondays")})
    assert trials.refused_ddl(session) == "not on Mondays"
    assert session.texts[-2].startswith("CREATE TABLE")
    assert session.texts[-1] == "ROLLBACK"


def test_extensions_and_locales_are_tried_one_by_one() -> None:
    session = FakeSession({'"pg_cron"': failed("must be preloaded"), "'xx'": failed("no locale")})
    refused = trials.refused_extensions(session, ["pg_cron", "odd name"])
    assert refused == {"pg_cron": "must be preloaded"}
    assert 'CREATE EXTENSION IF NOT EXISTS "odd name" CASCADE' in session.texts
    assert trials.known_locales(session, ["de_DE.utf8", "xx"]) == {"de_DE.utf8"}
    assert session.texts.count("ROLLBACK") == 4


def test_deleting_is_explained_not_done() -> None:
    session = FakeSession({'"a"': failed("cannot delete", detail="No identity.")})
    assert trials.refused_changes(session, [A, B]) == {A: "cannot delete (No identity)"}
    assert session.texts[1] == 'EXPLAIN DELETE FROM ONLY "odd Schema"."b"""'


def test_an_expression_is_planned_then_evaluated_once() -> None:
    session = FakeSession({"pg_get_expr": [{**INDEX, "expressions": "low(v), '%'"}], "": []})
    assert trials.bad_expressions(session) == ()
    planned, run = session.texts[-3:-1]
    assert planned == "EXPLAIN " + run
    assert run == """SELECT low(v), '%%' FROM ONLY "public"."a" LIMIT 1"""


def test_where_planning_fails_nothing_is_evaluated() -> None:
    index = {**INDEX, "expressions": "low(v)", "predicate": "good(v)"}
    session = FakeSession({"pg_get_expr": [index], "EXPLAIN": failed("no unaccent"), "": []})
    assert trials.bad_expressions(session) == (BadExpression(A, "a_low", "no unaccent"),)
    session = FakeSession({"pg_get_expr": [index], "EXPLAIN": [], "SELECT": failed("no such")})
    assert trials.bad_expressions(session) == (BadExpression(A, "a_low", "no such", True),)


def test_a_search_that_takes_too_long_tells_nothing() -> None:
    late = failed("canceling statement", "57014")
    session = FakeSession({'"a"': late, '"odd Schema"': [{"exists": True}]})
    found = trials.backslashes(session, {A: ("v",), B: ("v", "w")})
    assert found == {A: None, B: True}
    held = [f'pg_catalog.strpos("{x}"::text, pg_catalog.chr(92)) > 0' for x in ("v", "w")]
    assert session.texts[2] == (
        f'SELECT EXISTS (SELECT FROM ONLY "odd Schema"."b""" WHERE {" OR ".join(held)})'
    )
    assert (session.texts[0], session.texts[-1]) == (PATIENT, "SET statement_timeout = 0")


def test_where_nothing_is_to_be_asked_nothing_is() -> None:
    session = FakeSession()
    assert trials.backslashes(session, {}) == {}
    assert session.texts == []

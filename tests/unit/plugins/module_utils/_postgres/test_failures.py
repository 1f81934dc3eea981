# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A failed statement is in the result, so that it is found in the code; its values are not."""

from __future__ import annotations

import types

import psycopg2
from psycopg2 import sql

from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


def statement(query) -> str:
    session = FakeSession()
    session.connection = types.SimpleNamespace(closed=0)
    error = session.failure(psycopg2.ProgrammingError("ERROR:  no such thing"), query)
    return error.details.get("statement", "")


def test_a_statement_is_one_line():
    assert statement("SELECT a\n  FROM b\n WHERE c = %s") == "SELECT a FROM b WHERE c = %s"


def test_it_is_there_without_its_values():
    query = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
        sql.Identifier("bucardo"), sql.Literal("it's a \\ secret")
    )
    found = statement(query)
    assert "secret" not in found
    assert 'ALTER ROLE "bucardo" PASSWORD' in found


def test_a_long_one_is_cut_and_a_script_left_out():
    assert statement("SELECT " + "a, " * 1000).endswith(" ...")
    assert len(statement("SELECT " + "a, " * 1000)) < 600
    assert statement(b"SELECT 1; SELECT 2") == ""

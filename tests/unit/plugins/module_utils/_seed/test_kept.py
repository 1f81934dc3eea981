# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only the target has of a table that is replaced: put aside, then put back."""

from __future__ import annotations

import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import kept
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.delta_function import (
    EQUALS,
)

from ..fake_session import FakeSession
from .made import job

ODD = TableName("public", "t")
KEYS, ROWS = '"pg_temp"."multimaster_keys_0"', '"pg_temp"."multimaster_rows_0"'


@pytest.fixture(name="enrolled")
def _enrolled(monkeypatch):
    """The key of the table t as its triggers note it; None: it is not enrolled."""

    def said(delta=(("id", ()), ("Of %s", ())), equals=None):
        found = types.SimpleNamespace(delta=delta, equals=equals or {"Of %s": ("ext", "=")})
        monkeypatch.setattr(kept.tracking_read, "read", lambda _session, _names: {ODD: found})

    said()
    return said


def target(keys=2, truncated=False):
    return FakeSession({"bucardo_truncate_trigger": [{"is": truncated}]}, "there", touched=keys)


def told(session, beginning):
    return [text for text in session.texts if text.startswith(beginning)]


def test_the_keys_that_wait_and_their_rows_are_put_aside(enrolled):
    session = target()
    [one] = kept.save(session, [job("t", keep=True)], "there")
    assert (one.name, one.count) == (ODD, 2)
    assert one.key == (("id", EQUALS), ("Of %s", ("ext", "=")))
    keys, rows = told(session, "CREATE TEMPORARY TABLE")
    assert keys.startswith(
        f'CREATE TEMPORARY TABLE {KEYS} ON COMMIT DROP AS SELECT DISTINCT "d"."id", "d"."Of %s"'
        ' FROM "bucardo"."delta_public_t" d WHERE EXISTS ('
    )
    # What is kept for a master that is just being taken in has reached the others.
    assert "starts_with(g.target, 'joining ')" in keys
    assert 'NOT EXISTS (SELECT FROM "bucardo"."track_public_t" k' in keys
    assert rows.startswith(f"CREATE TEMPORARY TABLE {ROWS} ON COMMIT DROP AS SELECT ")
    assert f'FROM ONLY "public"."t" t JOIN {KEYS} c ON "t"."id" OPERATOR("pg_catalog".=)' in rows


def test_where_nothing_waits_nothing_is_put_aside(enrolled):
    session = target(keys=0)
    assert kept.save(session, [job("t", keep=True)], "there") == []
    assert len(told(session, "CREATE")) == 1


def test_a_table_that_is_not_enrolled_has_no_queue(enrolled):
    enrolled(delta=None)
    session = target()
    assert kept.save(session, [job("t", keep=True)], "there") == []
    assert session.texts == []


def test_after_a_truncate_no_key_tells_what_is_meant(enrolled):
    with pytest.raises(Refused, match=r"A TRUNCATE of public\.t waits on there"):
        kept.save(target(truncated=True), [job("t", keep=True)], "there")


def test_what_came_of_these_keys_makes_room(enrolled):
    made = job("t", keep=True)
    aside = kept.save(target(), [made], "there")
    session = target()
    kept.put_back(session, aside, [made])
    away, back = session.texts
    assert away.startswith(f'DELETE FROM ONLY "public"."t" t USING {KEYS} c WHERE "t"."id" ')
    assert back.startswith('INSERT INTO "public"."t" (')
    assert back.endswith(f"FROM {ROWS}")
    assert "OVERRIDING SYSTEM VALUE" in back


def test_a_row_that_does_not_fit_among_those_of_the_source(enrolled):
    made = job("t", keep=True)
    aside = kept.save(target(), [made], "there")
    said = StatementFailed("duplicate key value violates t_code", sqlstate="23505")
    session = FakeSession({"INSERT INTO": said}, "there")
    with pytest.raises(StatementFailed, match=r"public\.t: a row .* violates t_code") as caught:
        kept.put_back(session, aside, [made])
    assert caught.value.sqlstate == "23505"
    assert "conflicting-rows" in caught.value.cure

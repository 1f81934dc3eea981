# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys a pass is about, what is copied and what is marked, and in which order."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import joining_rows

from ..fake_session import FakeSession, text_of

MARKER = "joining epoch"
TABLE = joining_rows.Table(TableName("public", "Orders"), ("id", "Line"))
DELTA, TRACK = '"bucardo"."delta_public_Orders"', '"bucardo"."track_public_Orders"'
UNMARKED = (
    f"NOT EXISTS (SELECT FROM {TRACK} k WHERE k.txntime = d.txntime AND k.target = '{MARKER}')"
)


class Log(list):
    """What ran on all masters, in one order."""

    def session(self, name, *, filled=True, times=(), held=False, keys=0, failure=None):
        """A master.

        :param filled: its delta table holds something.
        :param times: transactions that were brought to the group and are not marked.
        :param held: it has changes without a mark.
        :param keys: how many keys it gives.
        :param failure: what it says to rows.
        """
        log = self

        class Session(FakeSession):
            def _note(self, query, params):
                text = super()._note(query, params)
                log.append((name, text))
                return text

            def copy(self, statement, stream, size=1 << 20):
                text = text_of(statement)
                super().copy(statement, stream, size)
                if failure and text.startswith('COPY "public"."Orders"'):
                    raise failure
                return keys if "DISTINCT" in text else 1

        return Session(
            {
                "c.relname ~ '^delta_'": [{"name": "delta_public_Orders"}] if filled else [],
                "SELECT DISTINCT d.txntime": [{"time": one} for one in times],
                "SELECT EXISTS": [{"is": held}],
                "a.attgenerated = ''": [{"name": "id"}, {"name": "Line"}, {"name": "note"}],
            },
            name,
        )

    def of(self, name, *words):
        return [text for who, text in self if who == name and text.startswith(words)]


def passes(log, origin=None, other=None, newcomer=None):
    members = {
        "here": log.session("here", **(origin or {})),
        "there": log.session("there", **(other or {})),
    }
    new = joining_rows.Newcomer("new", log.session("new", **(newcomer or {})), MARKER)
    return joining_rows.Passes(members, "here", "shop", [TABLE], new)


def test_without_changes_nothing_is_copied():
    log = Log()
    quiet = {"filled": False}
    assert passes(log, quiet, quiet).once() == 0
    assert log.of("new", "") == []
    # Nor where all of them have been marked.
    assert passes(log).once() == 0
    assert log.of("new", "") == []


def test_one_pass():
    log = Log()
    done = passes(log, {"held": True, "keys": 2}, {"times": ["t1", "t2"], "keys": 3})
    assert done.once() == 5
    copies = [(who, text) for who, text in log if text.startswith("COPY")]
    assert copies == [
        # Of the origin all without a mark, since its rows show them; of the others what it has got.
        (
            "here",
            f'COPY (SELECT DISTINCT "id", "Line" FROM {DELTA} d WHERE {UNMARKED})'
            " TO STDOUT (ENCODING 'UTF8')",
        ),
        (
            "there",
            f'COPY (SELECT DISTINCT "id", "Line" FROM {DELTA} d'
            " WHERE d.txntime = ANY(ARRAY['t1', 't2']::timestamptz[]))"
            " TO STDOUT (ENCODING 'UTF8')",
        ),
        ("here", "COPY pg_temp.multimaster_keys FROM STDIN (ENCODING 'UTF8')"),
        (
            "here",
            'COPY (SELECT "id", "Line", "note" FROM ONLY "public"."Orders"'
            ' WHERE ("id", "Line") IN (SELECT "id", "Line" FROM pg_temp.multimaster_keys))'
            " TO STDOUT (ENCODING 'UTF8')",
        ),
        ("new", "COPY pg_temp.multimaster_keys FROM STDIN (ENCODING 'UTF8')"),
        (
            "new",
            'COPY "public"."Orders" ("id", "Line", "note") FROM STDIN (ENCODING \'UTF8\')',
        ),
    ]


def test_times_are_read_before_the_origin_s_snapshot_and_marked_after_the_rows_are_there():
    log = Log()
    passes(log, {"keys": 0}, {"times": ["t1"], "keys": 1}).once()
    words = [(who, " ".join(text.split()[:2])) for who, text in log]
    times, snapshot = (
        words.index(("there", "SELECT DISTINCT")),
        words.index(("here", "BEGIN ISOLATION")),
    )
    commit, mark = words.index(("new", "COMMIT")), words.index(("there", "INSERT INTO"))
    assert times < snapshot < commit < mark
    assert words[-1] == ("here", "COMMIT")
    assert log.of("there", "INSERT") == [
        f"INSERT INTO {TRACK} (txntime, target) SELECT g, '{MARKER}'"
        " FROM pg_catalog.unnest(ARRAY['t1']::timestamptz[]) g"
        f" WHERE NOT EXISTS (SELECT FROM {TRACK} k WHERE k.txntime = g AND k.target = '{MARKER}')"
    ]


def test_the_newcomer_s_rows_are_replaced_in_one_transaction_that_nobody_is_told_of():
    log = Log()
    passes(log, {"held": True, "keys": 1}).once()
    assert [text.split(" IN")[0] for text in log.of("new", "")] == [
        "BEGIN",
        "SET LOCAL session_replication_role = replica",
        log.of("new", "")[2],
        'CREATE TEMPORARY TABLE multimaster_keys AS SELECT "id", "Line" FROM ONLY "public"."Orders"'
        " LIMIT 0",
        "COPY pg_temp.multimaster_keys FROM STDIN (ENCODING 'UTF8')",
        'DELETE FROM ONLY "public"."Orders" WHERE ("id", "Line")',
        'COPY "public"."Orders" ("id", "Line", "note") FROM STDIN (ENCODING \'UTF8\')',
        "DROP TABLE pg_temp.multimaster_keys",
        "COMMIT",
    ]


def unique(state="23505"):
    return {"failure": StatementFailed("duplicate key value", sqlstate=state)}


def test_a_value_that_moves_between_rows_waits_for_a_later_pass():
    log = Log()
    busy = passes(log, {"held": True, "keys": 1}, {"times": ["t1"], "keys": 1}, unique())
    assert busy.once() == 2
    # Not marked: the next pass is about these keys again.
    assert log.of("there", "INSERT") == []
    assert log.of("new", "ROLLBACK")


@pytest.mark.parametrize(("final", "state"), [(True, "23505"), (False, "23503")])
def test_but_not_for_ever_and_nothing_else_does(final, state):
    busy = passes(Log(), {"held": True, "keys": 1}, {}, unique(state))
    with pytest.raises(StatementFailed):
        busy.once(final=final)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements of a chunk, word by word."""

from __future__ import annotations

import pytest
from psycopg2 import sql

from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up.statements import (
    Statements,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName

PENDING = (
    'NOT EXISTS (SELECT FROM "bucardo"."track_Odd_T" k'
    " WHERE k.txntime OPERATOR(pg_catalog.=) d.txntime"
    " AND k.target OPERATOR(pg_catalog.=) 'dbgroup g')"
)
CHUNK = '"pg_temp"."multimaster_chunk"'
NUMBER = '"multimaster_number"'
PART = f"c.{NUMBER} OPERATOR(pg_catalog.>=) 3 AND c.{NUMBER} OPERATOR(pg_catalog.<=) 9"


@pytest.fixture
def made():
    return Statements(
        name=TableName("Odd", "T"),
        columns=("a", 'b"c', "d"),
        key=(("a", ("pg_catalog", "=")), ('b"c', ("My", "=="))),
        dbgroup="g",
    )


def text(composed) -> str:
    """As psycopg2 would write it, which it does for literals only when there is a server."""
    if isinstance(composed, sql.Composed):
        return "".join(map(text, composed.seq))
    if isinstance(composed, sql.Identifier):
        return ".".join('"' + part.replace('"', '""') + '"' for part in composed.strings)
    if isinstance(composed, sql.Literal):
        return (
            f"'{composed.wrapped}'" if isinstance(composed.wrapped, str) else str(composed.wrapped)
        )
    return composed.string


def same(left, right):
    return (
        f'"{left}"."a" OPERATOR("pg_catalog".=) "{right}"."a"'
        f' AND "{left}"."b""c" OPERATOR("My".==) "{right}"."b""c"'
    )


def test_the_snapshot_is_taken_under_locks(made):
    assert text(made.lock_source()) == (
        'LOCK TABLE ONLY "Odd"."T", "bucardo"."delta_Odd_T", "bucardo"."track_Odd_T"'
        " IN ACCESS SHARE MODE"
    )
    assert text(made.lock_target()) == 'LOCK TABLE ONLY "Odd"."T" IN ROW EXCLUSIVE MODE'


@pytest.mark.parametrize(
    ("part", "condition"),
    [
        ((0, 1), ""),
        (
            (1, 4),
            ' AND (pg_catalog.hashtext(pg_catalog.concat_ws(\',\', "d"."a", "d"."b""c"))'
            " & 2147483647) % 4 = 1",
        ),
    ],
)
def test_a_chunk_is_what_waits_in_some_pages(made, part, condition):
    assert text(made.take((5, 7), part)) == (
        f"CREATE TEMPORARY TABLE {CHUNK} ON COMMIT DROP AS"
        f" SELECT pg_catalog.row_number() OVER ()::int AS {NUMBER}, q.* FROM ("
        'SELECT "d"."a", "d"."b""c" FROM "bucardo"."delta_Odd_T" d'
        " WHERE d.ctid OPERATOR(pg_catalog.>=) '(5,0)'::pg_catalog.tid"
        " AND d.ctid OPERATOR(pg_catalog.<) '(7,0)'::pg_catalog.tid"
        f" AND {PENDING}{condition}"
        ' GROUP BY "d"."a", "d"."b""c" ORDER BY "d"."a", "d"."b""c") q'
    )


def test_a_server_without_ranges_of_pages_is_told_each_place(made):
    assert (
        ' FROM "bucardo"."delta_Odd_T" d WHERE d.ctid OPERATOR(pg_catalog.=) ANY (ARRAY('
        "SELECT pg_catalog.format('(%s,%s)', p, i)::pg_catalog.tid"
        " FROM pg_catalog.generate_series(5::int, 6::int) p,"
        " pg_catalog.generate_series(1, pg_catalog.current_setting('block_size')::int"
        f" OPERATOR(pg_catalog./) 28) i)) AND {PENDING}"
    ) in text(made.take((5, 7), version=130016))


def test_keys_and_rows_of_a_part_leave_the_source(made):
    assert text(made.keys_out(3, 9)) == f"COPY (SELECT c.* FROM {CHUNK} c WHERE {PART}) TO STDOUT"
    assert text(made.rows_out(3, 9)) == (
        f'COPY (SELECT "t"."a", "t"."b""c", "t"."d" FROM {CHUNK} c JOIN ONLY "Odd"."T" t'
        f" ON {same('t', 'c')} WHERE {PART}) TO STDOUT"
    )


def test_they_reach_the_target(made):
    assert text(made.make_chunk()) == (
        f"CREATE TEMPORARY TABLE {CHUNK} ON COMMIT DROP AS"
        f' SELECT 0 AS {NUMBER}, "t"."a", "t"."b""c" FROM ONLY "Odd"."T" t WITH NO DATA'
    )
    assert text(made.keys_in()) == f"COPY {CHUNK} FROM STDIN"
    assert text(made.index_chunk()) == f'CREATE INDEX ON {CHUNK} ("a", "b""c")'
    assert text(made.delete_rows()) == (
        f'DELETE FROM ONLY "Odd"."T" t USING {CHUNK} c WHERE {same("t", "c")}'
    )
    assert text(made.rows_in()) == 'COPY "Odd"."T" ("a", "b""c", "d") FROM STDIN'


def test_a_conflict_is_a_key_that_waits_there_too(made):
    assert text(made.conflicts()) == (
        f'SELECT c.{NUMBER} FROM {CHUNK} c WHERE EXISTS (SELECT FROM "bucardo"."delta_Odd_T" d'
        f" WHERE {same('d', 'c')} AND {PENDING}) ORDER BY c.{NUMBER}"
    )


def test_only_changes_that_wait_leave_the_queue(made):
    assert text(made.forget()) == (
        f'DELETE FROM "bucardo"."delta_Odd_T" d USING {CHUNK} c WHERE {same("d", "c")}'
        f" AND {PENDING}"
    )


def test_keys_that_are_left_go_on_waiting(made):
    assert text(made.leave()) == (
        f"DELETE FROM {CHUNK} WHERE {NUMBER} OPERATOR(pg_catalog.=) ANY (%s)"
    )
    assert text(made.leave_part()) == (
        f"DELETE FROM {CHUNK} WHERE {NUMBER} OPERATOR(pg_catalog.>=) %s"
        f" AND {NUMBER} OPERATOR(pg_catalog.<=) %s"
    )


def test_a_truncate_is_looked_for_by_name(made):
    assert text(made.truncated()) == (
        "SELECT EXISTS (SELECT FROM bucardo.bucardo_truncate_trigger WHERE replicated IS NULL"
        " AND sname OPERATOR(pg_catalog.=) 'Odd' AND tname OPERATOR(pg_catalog.=) 'T')"
    )


XID = (
    "(pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint"
    " - ((pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint"
    " - d.xmin::text::bigint) & 4294967295))"
)
OVER = (
    f"({XID} OPERATOR(pg_catalog.<)"
    " pg_catalog.pg_snapshot_xmin('7:9:8'::pg_catalog.pg_snapshot)::text::bigint"
    f" OR {XID} OPERATOR(pg_catalog.=) ANY ([]::bigint[]))"
)
SAME = '"d"."a" OPERATOR("pg_catalog".=) "c"."a" AND "d"."b""c" OPERATOR("My".==) "c"."b""c"'


def test_keys_that_were_written_only_after_a_copy(made):
    assert text(made.written_since("7:9:8")) == (
        f"CREATE TEMPORARY TABLE {CHUNK} ON COMMIT DROP AS"
        f' SELECT pg_catalog.row_number() OVER ()::int AS {NUMBER}, "d"."a", "d"."b""c"'
        f' FROM "bucardo"."delta_Odd_T" d WHERE {PENDING} GROUP BY "d"."a", "d"."b""c"'
        f" HAVING pg_catalog.bool_and(NOT pg_catalog.pg_visible_in_snapshot("
        f"{XID}::text::pg_catalog.xid8, '7:9:8'::pg_catalog.pg_snapshot))"
    )
    assert text(made.keys_out_all()) == f"COPY {CHUNK} TO STDOUT"


def test_changes_that_a_copy_holds(made):
    assert text(made.superseded("7:9:8")) == (
        f'SELECT c.{NUMBER} FROM {CHUNK} c JOIN "bucardo"."delta_Odd_T" d ON {SAME}'
        f" WHERE {PENDING} GROUP BY c.{NUMBER} HAVING pg_catalog.bool_and({OVER})"
    )
    assert text(made.forget_superseded("7:9:8")) == (
        f'DELETE FROM "bucardo"."delta_Odd_T" d USING {CHUNK} c WHERE {SAME}'
        f" AND c.{NUMBER} OPERATOR(pg_catalog.=) ANY (%s) AND {PENDING} AND {OVER}"
    )

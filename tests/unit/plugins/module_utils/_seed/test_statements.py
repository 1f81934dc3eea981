# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of every statement, as the server gets it."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import sql
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Column
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.plan import TEXT
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    INTEGER,
    index,
    job,
    name,
    table,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    one_line,
    text_of,
)

ODD = TableName('My "S"', "a.b")


def text(statement):
    return one_line(text_of(statement))


def texts(found):
    return [text(statement) for statement in found]


def columns(*names):
    return {"source": table(columns=[Column(one, "text", False) for one in names])}


class TestSource:
    def test_the_snapshot_is_entered_and_the_tables_locked_before_their_files_are_read(self):
        jobs = [job("a"), job("b")]
        assert text(statements.enter_snapshot("00000003-1B-1", jobs)) == (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
            " SET TRANSACTION SNAPSHOT '00000003-1B-1';"
            ' LOCK TABLE ONLY "public"."a", ONLY "public"."b" IN ACCESS SHARE MODE;'
            " SELECT o.oid::bigint AS oid,"
            " COALESCE(pg_catalog.pg_relation_filenode(o.oid), 0)::bigint AS filenode"
            " FROM unnest(ARRAY[1, 1]::bigint[]::oid[]) AS o (oid)"
        )

    def test_whole_tables_by_their_columns_names(self):
        made = job(**columns("id", 'odd "c'))
        assert text(statements.copy_out(made, None)) == (
            'COPY "public"."t" ("id", "odd ""c") TO STDOUT (FORMAT binary)'
        )
        assert text(statements.copy_in(made)) == (
            'COPY "public"."t" ("id", "odd ""c") FROM STDIN (FORMAT binary)'
        )

    def test_text_is_the_default_format(self):
        assert text(statements.copy_out(job(format=TEXT), None)) == (
            'COPY "public"."t" ("id") TO STDOUT'
        )

    def test_a_table_without_columns(self):
        assert text(statements.copy_in(job(format=TEXT, **columns()))) == (
            'COPY "public"."t" FROM STDIN'
        )

    def test_generated_columns_stay_at_home(self):
        made = job(
            format=TEXT,
            source=table(columns=[INTEGER, Column("twice", "integer", False, generated="s")]),
        )
        assert text(statements.copy_in(made)) == 'COPY "public"."t" ("id") FROM STDIN'

    @pytest.mark.parametrize(
        ("part", "where"),
        [
            (
                (0, 128),
                "WHERE ctid >= '(0,0)'::pg_catalog.tid AND ctid < '(128,0)'::pg_catalog.tid",
            ),
            ((128, None), "WHERE ctid >= '(128,0)'::pg_catalog.tid"),
        ],
    )
    def test_a_part_is_a_range_of_blocks(self, part, where):
        assert text(statements.copy_out(job(), part)) == (
            f'COPY (SELECT "id" FROM ONLY "public"."t" {where}) TO STDOUT (FORMAT binary)'
        )


class TestSums:
    def test_of_several_tables_in_one_statement(self):
        aggregates = [(number, sql.SQL(f"SELECT sums FROM t{number}")) for number in (3, 4)]
        assert texts(statements.sums(aggregates)) == [
            "SET search_path TO pg_catalog;"
            " SELECT 3 AS job, s.rows, s.hash FROM (SELECT sums FROM t3) AS s"
            " UNION ALL SELECT 4 AS job, s.rows, s.hash FROM (SELECT sums FROM t4) AS s"
        ]

    def test_of_a_part(self):
        [found] = texts(statements.sums([(0, sql.SQL("SELECT sums FROM t"))], (0, 7)))
        assert found.endswith(
            "FROM (SELECT sums FROM t WHERE ctid >= '(0,0)'::pg_catalog.tid"
            " AND ctid < '(7,0)'::pg_catalog.tid) AS s"
        )

    def test_no_statement_takes_too_many(self):
        found = texts(statements.sums([(number, sql.SQL("q")) for number in range(120)]))
        assert [one.count("AS job") for one in found] == [50, 50, 20]
        assert statements.sums([]) == []


class TestTarget:
    @pytest.mark.parametrize(
        ("mode", "words"),
        [
            (statements.NO_WRITERS, "SHARE ROW EXCLUSIVE"),
            (statements.NOBODY, "ACCESS EXCLUSIVE"),
        ],
    )
    def test_locks_leave_children_alone(self, mode, words):
        assert text(statements.lock([name("a"), ODD], mode)) == (
            f'LOCK TABLE ONLY "public"."a", ONLY "My ""S"""."a.b" IN {words} MODE'
        )

    def test_rows_go_without_those_of_children(self):
        assert text(statements.empty(ODD, False)) == 'TRUNCATE ONLY "My ""S"""."a.b"'
        assert text(statements.empty(ODD, True)) == 'DELETE FROM ONLY "My ""S"""."a.b"'

    def test_which_tables_hold_rows(self):
        assert text(statements.with_rows([(7, name("a")), (8, ODD)])) == (
            'SELECT 7 AS oid WHERE EXISTS (SELECT 1 FROM ONLY "public"."a")'
            ' UNION ALL SELECT 8 AS oid WHERE EXISTS (SELECT 1 FROM ONLY "My ""S"""."a.b")'
        )

    def test_what_is_queued_goes(self):
        assert text(statements.clear_queue("delta_public_t")) == (
            'DELETE FROM "bucardo"."delta_public_t"'
        )

    def test_dead_rows_go(self):
        assert text(statements.vacuum(name("t"))) == 'VACUUM "public"."t"'

    def test_triggers_and_indexes_get_out_of_the_way_and_come_back(self):
        made = job(
            state={"always_triggers": (("first", "A"), ('sec"ond', "R"))},
            recreate=(index("i"),),
        )
        assert texts(statements.before(made)) == [
            'ALTER TABLE "public"."t" DISABLE TRIGGER "first"',
            'ALTER TABLE "public"."t" DISABLE TRIGGER "sec""ond"',
            'DROP INDEX "public"."i"',
        ]
        assert texts(statements.after(made)) == [
            'ALTER TABLE "public"."t" ENABLE ALWAYS TRIGGER "first"',
            'ALTER TABLE "public"."t" ENABLE REPLICA TRIGGER "sec""ond"',
            "CREATE INDEX i ON t (id)",
        ]

    def test_most_tables_need_none_of_that(self):
        assert statements.before(job()) == statements.after(job()) == []

    def test_indexes_are_deferred_and_other_sessions_told(self):
        made = job(defer=(index("i", 7), index("j", 8)))
        assert text(statements.defer_indexes(made)) == (
            "UPDATE pg_catalog.pg_index SET indisvalid = false, indisready = false"
            " WHERE indexrelid = ANY (ARRAY[7, 8]::bigint[]::oid[]);"
            " UPDATE pg_catalog.pg_class SET relname = relname WHERE oid = 2::oid"
        )


class TestAfterwards:
    @pytest.mark.parametrize(
        ("parallel", "helpers"),
        [
            (True, 'RESET "max_parallel_maintenance_workers"'),
            (False, 'SET "max_parallel_maintenance_workers" TO 0'),
        ],
    )
    def test_an_index_is_built_with_the_databases_own_path(self, parallel, helpers):
        assert text(statements.reindex(name("i"), parallel)) == (
            f'SET LOCAL search_path TO DEFAULT; {helpers}; REINDEX INDEX "public"."i"'
        )

    def test_statistics(self):
        assert text(statements.analyze([name("a"), name("b")])) == (
            'SET LOCAL search_path TO DEFAULT; ANALYZE "public"."a", "public"."b"'
        )

    def test_materialized_views(self):
        assert text(statements.refresh(name("v"))) == (
            'SET LOCAL search_path TO DEFAULT; REFRESH MATERIALIZED VIEW "public"."v"'
        )

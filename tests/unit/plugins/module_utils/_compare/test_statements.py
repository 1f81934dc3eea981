# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries of a comparison, letter for letter."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare.plan import Step
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import sql
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    text_of,
)

HASHED = statements.Hashed(
    sql.SQL('ONLY "public"."t"'), ("id", "part"), sql.SQL("hash(key)"), sql.SQL("hash(row)")
)
STEP = Step((3, 5), 10, 12, True)


def test_the_first_pass_counts_and_sums_every_bucket():
    assert text_of(statements.buckets(HASHED, 10)) == (
        "SELECT k & 1023 AS bucket, count(*) AS n, sum(r)::text AS s FROM"
        ' (SELECT hash(key) AS k, hash(row) AS r FROM ONLY "public"."t") q  GROUP BY 1'
    )


def test_a_finer_pass_looks_into_some_buckets_of_the_coarser_one():
    assert text_of(statements.buckets(HASHED, 12, STEP)).endswith(
        "q WHERE k & 1023 IN (SELECT unnest(ARRAY[3, 5]::bigint[])) GROUP BY 1"
    )


def test_rows_come_with_their_key_as_text():
    assert text_of(statements.rows_of_buckets(HASHED, STEP)) == (
        'SELECT k, key, r FROM (SELECT hash(key) AS k, ARRAY[concat("id"), concat("part")] AS key,'
        ' hash(row) AS r FROM ONLY "public"."t") q'
        " WHERE k & 1023 IN (SELECT unnest(ARRAY[3, 5]::bigint[]))"
    )


def test_keys_are_looked_for_by_value_where_an_index_can_find_them():
    condition = statements.key_is_among(
        {"id": "integer", "part": "character varying(3)"}, [("1", "a"), ("2", "b'")]
    )
    assert text_of(condition) == (
        '("id", "part") IN (SELECT CAST("x0" AS integer), CAST("x1" AS character varying(3)) FROM'
        " unnest(ARRAY['1', '2']::text[], ARRAY['a', 'b''']::text[]) AS u (\"x0\", \"x1\"))"
    )
    assert text_of(statements.rows_of_keys(HASHED, condition)).endswith(text_of(condition))


def test_keys_are_looked_for_by_hash_elsewhere():
    assert text_of(statements.hash_is_among(HASHED, [-1, 2])) == (
        "hash(key) IN (SELECT unnest(ARRAY[-1, 2]::bigint[]))"
    )


def test_a_key_waits_while_any_target_lacks_its_transaction():
    name = TableName("public", "t.x")
    assert text_of(statements.queued(name, HASHED.key, ["dbgroup shop"], [1])) == (
        'SELECT DISTINCT k FROM (SELECT hash(key) AS k FROM "bucardo"."delta_public_t_x" d WHERE'
        " EXISTS (SELECT FROM unnest(ARRAY['dbgroup shop']::text[]) AS g (target) WHERE NOT EXISTS"
        ' (SELECT FROM "bucardo"."track_public_t_x" t WHERE t.txntime = d.txntime'
        " AND t.target = g.target))) q WHERE k IN (SELECT unnest(ARRAY[1]::bigint[]))"
    )


def test_whether_anything_waits():
    assert text_of(statements.waits(TableName("public", "t"), ["dbgroup shop"])) == (
        'WITH q AS MATERIALIZED (SELECT FROM "bucardo"."delta_public_t" d WHERE'
        " EXISTS (SELECT FROM unnest(ARRAY['dbgroup shop']::text[]) AS g (target) WHERE NOT EXISTS"
        ' (SELECT FROM "bucardo"."track_public_t" t WHERE t.txntime = d.txntime'
        " AND t.target = g.target))) SELECT EXISTS (SELECT FROM q)"
    )


def test_many_aggregates_are_told_apart_by_their_place():
    assert text_of(statements.together([sql.SQL("SELECT 1"), sql.SQL("SELECT 2")])) == (
        "SELECT 0 AS i, q.* FROM (SELECT 1) q UNION ALL SELECT 1 AS i, q.* FROM (SELECT 2) q"
    )

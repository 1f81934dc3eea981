# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many tables are locked at a time, and who holds a lock."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    DeadlineExceeded,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import locks, sql
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
    text_of,
)


@pytest.mark.parametrize(
    ("size", "hold", "expected"),
    [
        (4, 0.004, 7),  # quick: grow, but by no more than a half and one
        (40, 0.1, 40),  # as wanted: stay
        (40, 0.2, 20),  # too long: shrink in proportion
        (1, 5.0, 1),  # never none at all
        (50, 0.001, 50),  # never more than the limit
        (10, 0.0, 16),  # nothing measured
    ],
)
def test_next_size(size, hold, expected):
    assert locks.next_size(size, hold, 0.1) == expected


def test_the_size_settles_where_the_hold_is_as_wanted():
    size = 4
    for _batch in range(30):
        size = locks.next_size(size, size * 0.004, 0.1)
    assert size == 25


def test_a_holder_is_named_with_all_that_finds_it():
    holder = locks.Holder(
        TableName("public", "orders"),
        4711,
        "app",
        "nightly report",
        "idle in transaction",
        62.3,
        "UPDATE orders SET x = 1",
        "RowExclusiveLock",
    )
    text = str(holder)
    for part in ("public.orders", "4711", "nightly report", "app", "62 s", "UPDATE orders"):
        assert part in text


def test_a_prepared_transaction_has_no_pid():
    holder = locks.Holder(
        TableName("public", "orders"),
        None,
        "app",
        "",
        "prepared transaction x1",
        5.0,
        "",
        "RowExclusiveLock",
    )
    assert "prepared transaction x1" in str(holder)
    assert "None" not in str(holder)


JOBS = [locks.LockJob(TableName("public", f"t{n}"), n, [sql.SQL(f"WORK {n}")]) for n in range(9)]


def test_a_batch_is_one_message_that_measures_how_long_it_waited():
    assert text_of(locks.statement(JOBS[:2], locks.SHARE_ROW_EXCLUSIVE, 100, "app")).split(
        ";\n"
    ) == [
        "SET LOCAL deadlock_timeout = '20ms'",
        "SET LOCAL lock_timeout = '100ms'",
        "SET LOCAL statement_timeout = '100ms'",
        'SET LOCAL ROLE "app"',
        "SELECT pg_catalog.set_config('multimaster.begun',"
        " EXTRACT(epoch FROM pg_catalog.clock_timestamp())::text, true)",
        'LOCK TABLE ONLY "public"."t0", ONLY "public"."t1" IN SHARE ROW EXCLUSIVE MODE',
        "SELECT pg_catalog.set_config('multimaster.locked',"
        " EXTRACT(epoch FROM pg_catalog.clock_timestamp())::text, true)",
        "SET LOCAL statement_timeout = 0",
        "WORK 0",
        "WORK 1",
        "SELECT pg_catalog.current_setting('multimaster.locked')::float8"
        " - pg_catalog.current_setting('multimaster.begun')::float8",
    ]


def holder(oid, age, yields=False):
    row = {"oid": oid, "pid": 1, "usename": "app", "application_name": "", "state": "active"}
    return {**row, "age": age, "query": "", "mode": "RowExclusiveLock", "yields": yields}


def session(held=(), **answers):
    return FakeSession(
        {"pg_locks": list(held), **answers, "LOCK TABLE": [{"x": 0.0}], "SELECT 1": [{"x": 1}]}
    )


def order(fake):
    """Tables in the order in which their locks were asked for."""
    return [
        sorted(job.oid for job in JOBS if f'"t{job.oid}"' in text)
        for text in fake.texts
        if "LOCK TABLE" in text
    ]


def test_those_that_are_free_are_done_before_one_that_an_old_transaction_holds(monkeypatch):
    fake = session()
    rows = iter([[holder(0, 60)], [holder(0, 60)], []])
    fake.answers["pg_locks"] = lambda _params: next(rows)
    report = locks.run_locked(fake, JOBS[:6], locks.ACCESS_EXCLUSIVE, locks.LockPolicy())
    assert [oid for batch in order(fake) for oid in batch] == [1, 2, 3, 4, 5, 0]
    assert (report.tables, report.refusals) == (6, 0)


def test_autovacuum_is_in_nobodys_way():
    fake = session([holder(0, 60, yields=True)])
    locks.run_locked(fake, JOBS[:1], locks.ACCESS_EXCLUSIVE, locks.LockPolicy())
    assert order(fake) == [[0]]


def test_what_could_not_be_locked_is_tried_again_in_smaller_batches(monkeypatch):
    monkeypatch.setattr(locks.time, "sleep", lambda _seconds: None)
    fake = session()
    outcomes = iter([StatementFailed("canceled", sqlstate="57014")])

    def answer(_params):
        for error in outcomes:
            raise error
        return [{"x": 0.0}]

    fake.answers["LOCK TABLE"] = answer
    report = locks.run_locked(fake, JOBS[:4], locks.ACCESS_EXCLUSIVE, locks.LockPolicy())
    assert order(fake)[:2] == [[0, 1, 2, 3], [0, 1]]
    assert (report.tables, report.refusals) == (4, 1)


def test_another_error_is_not_swallowed():
    fake = session(**{"WORK 0": StatementFailed("no such column", sqlstate="42703")})
    with pytest.raises(StatementFailed, match="no such column"):
        locks.run_locked(fake, JOBS[:1], locks.ACCESS_EXCLUSIVE, locks.LockPolicy())


def test_who_was_in_the_way_is_named_when_the_time_is_over():
    fake = session([holder(3, 60)])
    with pytest.raises(DeadlineExceeded) as caught:
        locks.run_locked(fake, JOBS[3:4], locks.ACCESS_EXCLUSIVE, locks.LockPolicy(timeout=-1))
    assert "1 tables could not be locked within -1 s: public.t3 (public.t3 held by pid 1" in str(
        caught.value
    )
    assert caught.value.details["unfinished"] == ["public.t3"]

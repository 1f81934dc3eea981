"""How many tables are locked at a time, and who holds a lock."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import locks


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

"""The pure parts of the ledger."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import (
    COPIED,
    COPYING,
    SEEDED,
    Entry,
    vouches,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._rowhash import PROOF

ORDERS, ITEMS = TableName("public", "orders"), TableName("public", "Order Items")


def entry(name, state=SEEDED):
    return Entry(
        name=name,
        table_oid=1,
        state=state,
        rows=0,
        bytes=0,
        hash=None,
        format="text",
        index_mode="keep",
        snapshot="",
        source="",
        seconds=0.0,
    )


@pytest.mark.parametrize(
    ("hash_", "proof", "proven"),
    [("42", PROOF, True), ("42", None, False), (None, None, False), ("42", "older", False)],
    ids=["today", "version 1.0.0", "not asked for", "another way"],
)
def test_a_sum_is_a_proof_only_when_it_was_made_as_today(hash_, proof, proven):
    one = dataclasses.replace(entry(ORDERS), hash=hash_, proof=proof)
    assert one.proven is proven
    # A copy all the same, whose changes have been recorded since.
    assert vouches({ORDERS: one}, [ORDERS])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([entry(ORDERS), entry(ITEMS)], True),
        ([entry(ORDERS), entry(ITEMS), entry(TableName("public", "other"), COPIED)], True),
        ([entry(ORDERS)], False),
        ([entry(ORDERS), entry(ITEMS, COPIED)], False),
        ([entry(ORDERS), entry(ITEMS, COPYING)], False),
        ([], False),
    ],
    ids=["all", "more", "one is missing", "indexes are missing", "half copied", "none"],
)
def test_a_ledger_vouches_for_what_is_seeded_to_the_end(found, expected):
    assert vouches({one.name: one for one in found}, [ORDERS, ITEMS]) is expected


def test_no_tables_are_never_seeded():
    assert vouches({ORDERS: entry(ORDERS)}, []) is False

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure parts of the ledger."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger.doubts import Today, doubt
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger.states import (
    SEEDED,
    Entry,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.proof import PROOF

ORDERS = TableName("public", "orders")


@pytest.mark.parametrize(
    ("hash_", "proof", "proven"),
    [("42", PROOF, True), ("42", None, False), (None, None, False), ("42", "older", False)],
    ids=["today", "version 1.0.0", "not asked for", "another way"],
)
def test_a_sum_is_a_proof_only_when_it_was_made_as_today(hash_, proof, proven):
    one = Entry(
        name=ORDERS,
        table_oid=1,
        state=SEEDED,
        rows=0,
        bytes=0,
        hash=hash_,
        format="text",
        index_mode="keep",
        snapshot="",
        source="1/2/shop",
        seconds=0.0,
        source_oid=3,
        target="here",
        epoch="one",
        proof=proof,
    )
    assert one.proven is proven
    # A copy all the same, whose changes have been recorded since.
    assert doubt(one, Today("1/2/shop", {ORDERS: 3}, "here", "one")) == ""

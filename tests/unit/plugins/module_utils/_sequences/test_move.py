# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order sequences are moved, and what happens when one is in use."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import move, plan
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import Sequence
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

NAME = TableName("public", "s")
HERE = Sequence(NAME, 1, 1, 1, 1, 2**63 - 1, False, 10, True)
THERE = dataclasses.replace(HERE, oid=2, last_value=1, is_called=False)
PLAN = plan.interleave(NAME, {"here": HERE, "there": THERE}, 2, "here", "shop")


def session(last_value, **answers):
    return FakeSession(
        {
            **answers,
            "ALTER SEQUENCE": [{"i": 0, "last_value": last_value, "is_called": True}],
            "pg_locks": [],
            # The schema and the table are this collection's own.
            "pg_catalog": [],
            # First in order, and not what the lines above say.
            **answers,
        }
    )


def written(fake):
    """What changed something, by its first words."""
    words = ("BEGIN", "ROLLBACK", "COMMIT", "SELECT pg_catalog.setval")
    return [text[:40] for text in fake.texts if text.startswith(words)]


def test_what_was_handed_out_until_the_lock_counts():
    here, there = session(31), session(1)
    started = move.carry_out({"here": here, "there": there}, [PLAN], move.MovePolicy())
    # 31 is the highest that any master has handed out under the lock.
    assert started == {(NAME, "here"): 33, (NAME, "there"): 32}
    assert "INCREMENT BY 2 START WITH 1" in "".join(here.texts)
    assert "setval(2::oid::regclass, 32, false)" in "".join(there.texts)
    assert [texts[-1] for texts in (here.texts, there.texts)] == ["COMMIT", "COMMIT"]


@pytest.mark.parametrize("sqlstate", ["55P03", "40P01"])
def test_one_that_is_in_use_leaves_all_masters_as_they_were(sqlstate):
    in_use = StatementFailed("there: canceled", sqlstate=sqlstate)
    here, there = session(31), session(1, **{"ALTER SEQUENCE": in_use})
    with pytest.raises(DeadlineExceeded, match=r"could not lock public\.s") as caught:
        move.carry_out({"here": here, "there": there}, [PLAN], move.MovePolicy(timeout=0))
    assert caught.value.details == {"pending": ["public.s"]}
    assert here.texts[-1] == there.texts[-1] == "ROLLBACK"
    assert not any("setval" in text for text in here.texts + there.texts)


def test_a_server_that_is_lost_before_the_commits_leaves_the_others_as_they_were():
    here, there = session(31), session(1, setval=ConnectionFailed("lost there"))
    with pytest.raises(ConnectionFailed, match="lost there"):
        move.carry_out({"here": here, "there": there}, [PLAN], move.MovePolicy())
    assert here.texts[-1] == "ROLLBACK"
    assert "COMMIT" not in here.texts

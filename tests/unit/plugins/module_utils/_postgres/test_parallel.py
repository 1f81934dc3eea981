# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All masters at the same time, and what a failure on some of them means."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    MultimasterError,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.parallel import (
    each,
    open_each,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


def failing(errors):
    def work(place, _item):
        if place in errors:
            raise errors[place]
        return place

    return work


def test_all_work_at_the_same_time_and_answers_keep_the_order():
    everybody = threading.Barrier(3, timeout=10)
    assert each({"c": 1, "a": 2, "b": 3}, lambda place, item: (everybody.wait(), item)[1]) == {
        "c": 1,
        "a": 2,
        "b": 3,
    }


def test_nobody_to_ask():
    assert each({}, failing({})) == {}


def test_the_others_are_done_before_a_failure_is_raised():
    done = []

    def work(place, _item):
        if place == "a":
            raise ConnectionFailed("a is away")
        done.append(place)

    with pytest.raises(ConnectionFailed, match="a is away"):
        each(dict.fromkeys("abc"), work)
    assert sorted(done) == ["b", "c"]


def test_several_failures_of_one_kind_keep_the_kind_and_what_it_carries():
    errors = {
        "a": StatementFailed("a: locked", "Wait.", sqlstate="55P03", detail="d"),
        "b": StatementFailed("b: locked", sqlstate="40P01"),
    }
    with pytest.raises(StatementFailed) as caught:
        each(dict.fromkeys("ab"), failing(errors))
    assert str(caught.value) == caught.value.one_line == "a: locked; b: locked. Wait."
    assert (caught.value.sqlstate, caught.value.details) == ("55P03", {"detail": "d"})
    assert errors["a"].message == "a: locked"


def test_failures_of_several_kinds_are_only_a_failure():
    errors = {"a": DeadlineExceeded("a: late", pending=["t"]), "b": ConnectionFailed("b: away")}
    with pytest.raises(MultimasterError) as caught:
        each(dict.fromkeys("ab"), failing(errors))
    assert not isinstance(caught.value, (DeadlineExceeded, ConnectionFailed))
    assert caught.value.message == "a: late; b: away"
    assert caught.value.details == {"pending": ["t"]}


def test_what_nobody_foresaw_comes_first():
    errors = {"a": ConnectionFailed("a: away"), "b": KeyError("b")}
    with pytest.raises(KeyError):
        each(dict.fromkeys("ab"), failing(errors))


def test_sessions_are_closed_again_when_one_fails():
    opened = []

    def connect(login):
        if login.name == "b":
            raise ConnectionFailed("b is away")
        opened.append(FakeSession(name=login.name))
        return opened[-1]

    with pytest.raises(ConnectionFailed):
        open_each({name: ConnInfo(name, {}) for name in "abc"}, connect)
    assert [session.closed for session in opened] == [True, True]

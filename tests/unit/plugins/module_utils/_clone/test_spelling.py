# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which differences between two dumps an echo explains."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._clone import spelling
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.schema import (
    Block,
    Comparison,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


def block(name, body):
    return Block("TABLE", "public", name, body)


OLD, NEW, OTHER = (block("t", body) for body in ("old text", "new text", "other text"))


@pytest.mark.parametrize(
    ("found", "echo", "equal"),
    [
        (Comparison(changed=((OLD, NEW),)), [NEW], True),
        (Comparison(changed=((OLD, NEW),)), [OTHER], False),
        (Comparison(changed=((OLD, NEW),)), [], False),
        # The target's server does not know such objects.
        (Comparison(missing=(OLD,)), [], True),
        (Comparison(missing=(OLD,)), [NEW], False),
        (Comparison(extra=(NEW,)), [NEW], True),
        (Comparison(extra=(NEW,)), [OTHER], False),
        (Comparison(extra=(NEW,)), [], False),
    ],
)
def test_an_echo_explains_what_it_prints_itself(found, echo, equal):
    assert spelling.explained(found, echo).equal is equal


@pytest.mark.parametrize(
    ("echo", "echo_of_target", "equal"),
    [([NEW], [NEW], True), ([NEW], [OTHER], False), ([], [], False), ([NEW], [], False)],
)
def test_texts_are_equal_whose_echoes_are(echo, echo_of_target, equal):
    found = Comparison(changed=((OLD, OTHER),))
    assert spelling.explained_by_both(found, echo, echo_of_target).equal is equal


def test_what_was_shown_once_is_known_until_a_text_changes():
    found = Comparison((OLD,), (block("u", "x"),), ((OLD, NEW),))
    known = spelling.pairs(found)
    assert len(known) == 3
    assert spelling.without(found, known).equal
    changed = Comparison(changed=((OLD, OTHER),))
    assert spelling.without(changed, known) == changed
    assert not spelling.without(Comparison(changed=((NEW, OLD),)), known).equal


def test_what_was_shown_to_be_equal_is_remembered_and_what_is_no_longer_printed_forgotten():
    found = Comparison(changed=((OLD, NEW),))
    (pair,) = spelling.pairs(found)
    session = FakeSession()
    spelling.record(session, {pair}, {pair})
    created, inserted, deleted = session.ran
    assert "CREATE TABLE IF NOT EXISTS multimaster.spelling" in created.text
    assert inserted.params == ([pair.object], [pair.source], [pair.target])
    assert deleted.params == ([f"{pair.object} {pair.source} {pair.target}"],)
    row = {"object": pair.object, "source": pair.source, "target": pair.target}
    session = FakeSession({"to_regclass": [{"x": True}], "FROM multimaster.spelling": [row]})
    assert spelling.without(found, spelling.read(session)).equal


def test_without_the_table_nothing_is_remembered():
    session = FakeSession({"to_regclass": [{"x": False}]})
    assert spelling.read(session) == set()
    assert len(session.ran) == 1

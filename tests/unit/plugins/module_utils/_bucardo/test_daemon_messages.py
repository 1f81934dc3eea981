# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said to the daemon through the control database, and what its answers mean."""

from __future__ import annotations

import os
import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import daemon_messages
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.daemon_messages import (
    DaemonMessages,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    DeadlineExceeded,
    Refused,
)

from ..fake_session import FakeSession

MCP, SIGN = "application_name LIKE 'bucardo MCP", "ELSE state_change END)"


class Connection:
    """Whose messages come when they are polled for."""

    def __init__(self):
        self.notifies = []
        self.coming = []
        self._read, self._write = os.pipe()

    def fileno(self):
        return self._read

    def poll(self):
        if self.coming:
            self.notifies.append(types.SimpleNamespace(channel=self.coming.pop(0)))

    def close(self):
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(name="talk")
def _talk(monkeypatch):
    monkeypatch.setattr(daemon_messages, "_LOOK_EVERY", 0.01)
    connection = Connection()
    opened = []

    def _session(*, says=(), pids=(7,), signs=("now",), works=False):
        """A control database.

        :param says: what the daemon answers to each message, "" for nothing.
        :param pids: of its main process, at each look; the last one for ever.
        """
        says, pids, signs = list(says), list(pids), list(signs)

        def shifting(values, column):
            def answer(_params):
                value = values.pop(0) if len(values) > 1 else values[0]
                return [] if value is None else [{column: value}]

            return answer

        class Session(FakeSession):
            def execute(self, query, params=None):
                done = super().execute(query, params)
                if self.texts[-1].startswith("NOTIFY") and says:
                    answer = says.pop(0)
                    if answer:
                        connection.coming.append(f"bucardo_{answer}")
                return done

        session = Session(
            {
                MCP: shifting(pids, "pid"),
                SIGN: shifting(signs, "max"),
                "pg_catalog.starts_with(application_name": [{"is": works}],
            }
        )
        session.connection = connection
        opened.append(session)
        return DaemonMessages(session), session

    yield _session
    connection.close()


def sent(session):
    return [text for text in session.texts if text.startswith(("NOTIFY", "LISTEN"))]


def test_without_a_control_database_none_serves_it():
    nobody = DaemonMessages(None)
    assert nobody.pid() is None
    assert nobody.reload(1) is False
    assert nobody.runs("shop")
    with pytest.raises(Refused, match="Bucardo is not installed"):
        nobody.answers()


def test_a_ping(talk):
    daemon, session = talk(says=["mcp_pong"])
    assert daemon.answers(1)
    assert sent(session) == ['LISTEN "bucardo_mcp_pong"', 'NOTIFY "bucardo_mcp_ping"']
    silent, _session = talk(says=[""])
    assert not silent.answers(0)


def test_what_came_before_is_no_answer(talk):
    daemon, session = talk(says=[""])
    session.connection.notifies.append(types.SimpleNamespace(channel="bucardo_mcp_pong"))
    assert not daemon.answers(0)
    assert session.texts[0] == "UNLISTEN *"


@pytest.mark.parametrize(
    ("answer", "runs"),
    [("syncdone_shop", True), ("synckill_shop", True), ("syncerror_shop", False), ("", False)],
)
def test_a_daemon_runs_a_sync_that_it_can_be_woken_for(talk, monkeypatch, answer, runs):
    monkeypatch.setattr(daemon_messages, "_KICK_TIMEOUT", 0.0)
    daemon, session = talk(says=[answer])
    assert daemon.runs("shop") is runs
    assert sent(session)[-1] == 'NOTIFY "bucardo_kick_sync_shop"'


def test_one_whose_worker_is_there_is_not_woken(talk):
    daemon, session = talk(works=True)
    assert daemon.runs("shop")
    assert sent(session) == []


class TestReload:
    def test_it_is_confirmed(self, talk):
        daemon, session = talk(says=["reloaded_mcp"])
        assert daemon.reload(1)
        assert sent(session) == ['LISTEN "bucardo_reloaded_mcp"', 'NOTIFY "bucardo_mcp_reload"']

    def test_where_no_daemon_is_connected_nothing_is_sent(self, talk):
        daemon, session = talk(pids=[None])
        assert daemon.reload(1) is False
        assert sent(session) == []

    def test_a_daemon_that_ended_runs_nothing(self, talk):
        daemon, _session = talk(pids=[7, None])
        assert daemon.reload(1)

    def test_one_that_started_anew_is_told_again(self, talk):
        daemon, session = talk(says=["", "reloaded_mcp"], pids=[7, 8])
        assert daemon.reload(1)
        assert sent(session).count('NOTIFY "bucardo_mcp_reload"') == 2

    def test_patience_ends_when_it_does_nothing_any_more(self, talk):
        daemon, _session = talk(says=[""])
        with pytest.raises(DeadlineExceeded, match="did not confirm a reload"):
            daemon.reload(0.05)

    def test_and_not_while_it_is_seen_at_work_on_any_master(self, talk):
        daemon, _session = talk(says=[""])
        signs = [{"max": str(number)} for number in range(30)]
        there = FakeSession({SIGN: lambda _p: [signs.pop(0)] if len(signs) > 1 else signs})
        with pytest.raises(DeadlineExceeded):
            daemon.reload(0.05, [there])
        # It was asked until it did no more.
        assert len(signs) == 1

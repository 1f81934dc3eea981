# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a seed opens its sessions."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import connections
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


@pytest.fixture
def opened(monkeypatch):
    """What sessions were asked for, and the sessions."""
    found = []

    def open_(conninfo, _application_name):
        found.append((conninfo.params, FakeSession()))
        return found[-1][1]

    monkeypatch.setattr(connections.pg, "Session", open_)
    return found


def test_both_ends_notice_that_the_other_is_gone(opened):
    connections.connect(ConnInfo("here", {"host": "here", "keepalives_idle": "60"}), "seed")
    [(params, session)] = opened
    # The user's own is kept.
    assert (params["keepalives_idle"], params["tcp_user_timeout"]) == ("60", "30000")
    names, values = session.ran[0].params
    assert dict(zip(names, values))["client_connection_check_interval"] == "1s"


def test_its_name_is_the_seeds_whatever_the_user_calls_it(opened):
    connections.connect(ConnInfo("here", {"application_name": "mine"}), "seed")
    assert opened[0][0]["application_name"] == "seed"


def test_it_is_fit_for_hashing(opened):
    connections.connect(ConnInfo("here", {}), "seed")
    assert "search_path" in opened[0][1].ran[1].params[0]

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last line of a bootstrap that failed."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.standstill import (
    _moment,
    text,
)

RUN = {"outcome": "good", "ended": "2026-01-02 03:04:06.1+00"}
COMMAND = "ansible-playbook multimaster.bucardo.bootstrap --inventory hosts.yml"


def seed(master, state="finished", first="2026-01-01 05:00:00+02:00", **more):
    return {
        "master": master,
        "state": state,
        "first_finished": first,
        "tables_done": 3,
        "tables_total": 9,
        **more,
    }


def said(status="held", runs=(RUN,), seeds=None, running=True, **more):
    info = {
        "syncs": {"mm": {"status": status, "dbgroup": "all", "runs": list(runs)}},
        "dbgroups": {"all": {"here": "source", "there": "source", "third": "source"}},
        "daemon": {"running": running, "answers": running},
        "queues": [
            {"sync": "mm", "master": "here", "changes": 40, "oldest": 300.0},
            {"sync": "mm", "master": "there", "changes": 2, "oldest": 1.0},
            {"sync": "other", "master": "there", "changes": 9999, "oldest": 9999.0},
        ],
        "seeds": seeds or [seed("there"), seed("third", "interrupted", None)],
        **more,
    }
    return text(info, "mm", "here", COMMAND)


def test_masters_that_replicated_before_are_named_and_the_new_one_is_not():
    line = said()
    assert line.startswith(
        "REPLICATION IS STOPPED BETWEEN here AND there SINCE 2026-01-02 03:04:06.1+00:"
    )
    assert "42 changes wait, the oldest for 5 min" in line
    assert f"start the bootstrap again: {COMMAND} - it ends" in line


def test_a_master_whose_first_seed_ended_only_after_the_hold_never_replicated():
    late = seed("third", first="2026-01-02 03:30:00+00:00")
    assert "BETWEEN here AND there SINCE" in said(seeds=[seed("there"), late])


def test_a_master_that_gets_a_further_table_did_replicate():
    again = seed("there", "interrupted")
    assert "BETWEEN here AND there SINCE" in said(seeds=[again])


def test_a_first_bootstrap_that_fails_has_stopped_nothing():
    for line in (said(runs=()), said(runs=[{"outcome": "bad", "ended": RUN["ended"]}])):
        assert line.startswith("Nothing is replicated yet")
        assert COMMAND in line
        assert "STOPPED" not in line


def test_without_a_sync_nothing_is_replicated_yet():
    assert said(syncs={}).startswith("Nothing is replicated yet")


@pytest.mark.parametrize("status", ["held", "active"])
def test_another_run_is_waited_for(status):
    line = said(status, seeds=[seed("there"), seed("third", "running", None)])
    assert line.startswith("Another run is under way and seeds third (3 of 9 tables): wait")
    assert "STOPPED" not in line
    assert COMMAND not in line


def test_a_sync_that_is_active_goes_on():
    assert said("active").startswith("Sync mm is active and its daemon answers: replication goes")


def test_an_active_sync_without_a_daemon_stands_still():
    assert said("active", running=False).startswith("REPLICATION IS STOPPED: the daemon")


def test_what_cannot_be_read_is_not_called_good():
    line = text({"msg": "Cannot connect to the control database"}, "mm", "here", COMMAND)
    assert line.startswith("WHETHER SYNC mm REPLICATES COULD NOT BE READ (Cannot connect")
    assert COMMAND in line


@pytest.mark.parametrize("status", ["held", "active"])
@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("runs", [(), (RUN,)])
def test_nobody_is_told_to_release_by_hand(status, running, runs):
    assert "bucardo_sync" not in said(status, runs, running=running)


def test_times_of_servers_in_other_zones_are_compared_as_moments():
    assert _moment("2026-01-01 05:00:00+02:00") == _moment("2026-01-01 03:00:00.0+00")
    assert _moment("2026-01-01 08:30:00.25+05:30") == _moment("2026-01-01 03:00:00.250000+00:00")

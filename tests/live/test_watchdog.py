# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Without systemd: what nobody is there to mend is mended, counted, and told to other machines."""

from __future__ import annotations

import re
import subprocess

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.note (id integer PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note SELECT i, 'note ' || i FROM generate_series(1, 50) i;
"""
METRICS = "/var/lib/prometheus/node-exporter"
SAMPLE = re.compile(r'bucardo_[a-z_]+(\{([a-z]+="[^"]*",?)*\})? -?[0-9.e+-]+')


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


@pytest.fixture(scope="module")
def inventory(site, masters):
    site.run("db", f"mkdir -p {METRICS}")
    inventory = site.inventory(
        masters, bucardo_watchdog=True, bucardo_watchdog_interval=2, bucardo_alarm_age=4
    )
    site.play("bootstrap", inventory)
    return inventory


def check(site, user="root"):
    """Exit code and output of the plugin."""
    done = subprocess.run(
        ["docker", "exec", "--user", user, site.container("db")]
        + ["/usr/local/sbin/bucardo-watchdog", "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def metrics(site):
    """Name with labels to value."""
    text = site.run("db", f"cat {METRICS}/bucardo-multimaster.prom || true")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not SAMPLE.fullmatch(line)] == []
    return dict(line.rsplit(" ", 1) for line in lines)


def log(site):
    return site.run("db", "cat /var/log/bucardo/watchdog.log || true")


def main_process(site):
    return site.run("db", "pgrep -f '^Bucardo Master' || true").strip()


def replicates(masters, id_):
    masters[0].sql(f"INSERT INTO note VALUES ({id_}, 'new')")
    return eventually(lambda: masters[1].value(f"SELECT 1 FROM note WHERE id = {id_}") == "1", 60)


def test_it_runs_after_the_bootstrap_and_is_left_alone_by_the_next(site, masters, inventory):
    before = site.run("db", "pgrep -f '[b]ucardo-watchdog loop'")
    assert site.play("bootstrap", inventory).changes == []
    assert site.run("db", "pgrep -f '[b]ucardo-watchdog loop'") == before


def test_where_all_is_well_machines_are_told_so(site, masters, inventory):
    assert replicates(masters, 100)
    assert eventually(lambda: check(site)[0] == 0), check(site)
    said = check(site)[1]
    assert said.startswith("MULTIMASTER OK - 1 sync | 'multimaster/left changes'=")
    assert check(site, "bucardo")[0] == 0
    assert eventually(lambda: metrics(site).get("bucardo_check_success") == "1")
    found = metrics(site)
    assert found["bucardo_daemon_running"] == "1"
    assert found['bucardo_sync_state{sync="multimaster"}'] == "1"
    assert found['bucardo_master_reachable{sync="multimaster",master="right"}'] == "1"
    assert found['bucardo_problems{severity="critical"}'] == "0"
    assert found['bucardo_detector_problems{detector="daemon_down"}'] == "0"
    assert log(site) == ""


def test_nobody_else_is_told_anything(site, inventory):
    code, said = check(site, "nobody")
    assert code == 3
    assert said.startswith("MULTIMASTER UNKNOWN")


def test_a_daemon_that_was_killed_is_started(site, masters, inventory):
    site.run("db", "pkill -KILL -f '^Bucardo '")
    assert replicates(masters, 101)
    assert "start: because of daemon_down" in log(site)


def test_a_daemon_whose_children_have_stayed_is_started(site, masters, inventory):
    """They hold its connections open: only on its host is it seen to have gone."""
    # A look must have seen that the last start helped.
    assert eventually(lambda: metrics(site).get('bucardo_problems{severity="critical"}') == "0")
    started = log(site).count("start: because of daemon_down")
    site.run("db", "pkill -KILL -f '^Bucardo Master'")
    assert eventually(lambda: log(site).count("start: because of daemon_down") > started, 60), log(
        site
    )
    assert "daemon_stuck" not in log(site)
    assert replicates(masters, 111)


def test_a_sync_that_was_paused_goes_on(site, masters, inventory):
    site.bucardo("pause", "sync", "multimaster")
    assert eventually(lambda: "reload: because of controller_missing multimaster" in log(site))
    assert replicates(masters, 102)
    assert log(site).count("reload:") == 1


def test_a_daemon_that_is_stuck_is_restarted(site, masters, inventory):
    stuck = main_process(site)
    site.run("db", f"kill -STOP {stuck}")
    assert eventually(lambda: "restart: because of daemon_stuck" in log(site))
    assert eventually(lambda: main_process(site) not in ("", stuck), 120)
    assert replicates(masters, 103)


def test_a_restart_of_the_control_server_does_not_end_replication(site, masters, inventory):
    site.run(
        "db",
        "pg_ctlcluster $(pg_lsclusters --no-header | awk '{print $1, $2}') restart -m immediate",
    )
    assert replicates(masters, 104)
    assert same_rows(masters, "note")


def test_a_daemon_that_somebody_stopped_stays_so_and_that_is_said(site, masters, inventory):
    started = log(site).count("start: because of daemon_down")
    site.module("bucardo_daemon", inventory, state="stopped")
    masters[0].sql("INSERT INTO note VALUES (105, 'waits')")
    # The server may notice a moment later that the process has gone.
    assert eventually(lambda: check(site)[0] == 2, 10)
    said = check(site)[1]
    assert said.startswith("MULTIMASTER CRITICAL - Bucardo's daemon does not run")
    assert "CRITICAL daemon_down: " in said
    down = 'bucardo_detector_problems{detector="daemon_down"}'
    assert eventually(lambda: metrics(site)[down] == "1")
    assert main_process(site) == ""
    # Nor does it say that it starts it.
    assert log(site).count("start: because of daemon_down") == started
    site.module("bucardo_daemon", inventory, state="started")
    assert eventually(lambda: check(site)[0] == 0), check(site)
    assert metrics(site)["bucardo_check_success"] == "1"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a reboot everything runs again, and nobody has to kick anything."""

from __future__ import annotations

import os
import subprocess

from masters import eventually


def daemon(there):
    """Process id of the daemon that serves, "" when there is none."""
    # In one step: a daemon that starts removes the file of the one before.
    return there.host.run("head -n 1 /run/bucardo/bucardo.mcp.pid").stdout.strip()


def test_the_daemon_runs_and_is_enabled(there):
    service = there.host.service("bucardo")
    assert eventually(lambda: service.is_running)
    assert service.is_enabled
    assert there.host.service("bucardo-watchdog.timer").is_enabled


def test_the_poller_runs_and_starts_again(there):
    service = there.host.service("bucardo-poll")
    assert service.is_running
    assert service.is_enabled
    there.host.run("systemctl kill --signal=KILL bucardo-poll")
    assert eventually(lambda: service.is_running)


def test_what_queued_during_the_reboot_arrives(there):
    assert eventually(
        lambda: there.value("SELECT n FROM counters WHERE name = 'during the reboot'") == "1"
    )


def test_both_directions(here, there):
    here.sql("INSERT INTO counters VALUES ('from here', 1)")
    there.sql("INSERT INTO counters VALUES ('from there', 2)")
    both = "SELECT count(*) FROM counters WHERE name LIKE 'from %'"
    assert eventually(lambda: here.value(both) == there.value(both) == "2")


def watchdog(there):
    """Run the watchdog at once."""
    return there.host.run("/usr/local/sbin/bucardo-watchdog watch")


def test_the_watchdog_finds_nothing_to_do(there):
    before = daemon(there)
    assert eventually(lambda: there.host.run("/usr/local/sbin/bucardo-watchdog check").rc == 0)
    done = watchdog(there)
    assert (done.rc, done.stdout, done.stderr) == (0, "", "")
    assert daemon(there) == before


def test_the_watchdog_is_run(there):
    assert there.host.run("systemctl start bucardo-watchdog.service").rc == 0


def pinged(scenario) -> subprocess.CompletedProcess[str]:
    """What the module says of the daemon."""
    return subprocess.run(
        ["ansible", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], f"{scenario}-there"]
        + ["--become", "--become-user", "bucardo"]
        + ["--module-name", "multimaster.bucardo.bucardo_daemon"]
        + ["--args", "state=pinged timeout=5"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_watchdog_restarts_a_daemon_that_hangs(here, there, scenario):
    hung = daemon(there)
    done = pinged(scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    assert there.host.run("kill -STOP %s", hung).rc == 0
    assert "did not answer within 5 s. It hangs" in pinged(scenario).stdout
    # It is given time, since it may be busy; then it is not asked again.
    assert eventually(lambda: "restart: because of daemon_stuck" in watchdog(there).stdout)
    assert eventually(lambda: daemon(there) not in ("", hung))
    here.sql("INSERT INTO counters VALUES ('after it hung', 1)")
    assert eventually(
        lambda: there.value("SELECT n FROM counters WHERE name = 'after it hung'") == "1"
    )


def test_systemd_restarts_a_daemon_that_was_killed(here, there):
    killed = daemon(there)
    assert there.host.run("kill -KILL %s", killed).rc == 0
    assert eventually(lambda: daemon(there) not in ("", killed))
    here.sql("INSERT INTO counters VALUES ('after it was killed', 1)")
    assert eventually(
        lambda: there.value("SELECT n FROM counters WHERE name = 'after it was killed'") == "1"
    )


def test_the_watchdog_goes_on_after_a_master_was_down_at_the_start(here, there):
    there.host.run("systemctl stop bucardo-watchdog.timer")
    assert here.host.run("systemctl stop postgresql").rc == 0
    assert there.host.run("systemctl restart bucardo").rc == 0
    there.sql("INSERT INTO counters VALUES ('while here was down', 1)")
    # Nothing is tried while a master is away.
    said = watchdog(there).stdout
    assert "here cannot be read" in said
    assert "reload: because of " not in said
    assert here.host.run("systemctl start postgresql").rc == 0
    arrived = "SELECT n FROM counters WHERE name = 'while here was down'"
    assert here.value(arrived) == ""
    # What may be a moment of a start counts when a second look sees it.
    assert eventually(lambda: "reload: because of " in watchdog(there).stdout)
    assert eventually(lambda: here.value(arrived) == "1")
    assert watchdog(there).stdout == ""


def test_logs_rotate(there):
    done = there.host.run("logrotate --force /etc/logrotate.d/bucardo")
    assert done.rc == 0, done.stderr
    assert there.host.file("/var/log/bucardo/log.bucardo.1").exists

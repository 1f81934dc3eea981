"""After a reboot everything runs again, and nobody has to kick anything."""

from __future__ import annotations

from conftest import eventually


def test_the_daemon_runs_and_is_enabled(there):
    service = there.host.service("bucardo")
    assert eventually(lambda: service.is_running)
    assert service.is_enabled
    assert there.host.service("bucardo-watchdog.timer").is_enabled


def test_what_queued_during_the_reboot_arrives(there):
    assert eventually(
        lambda: there.value("SELECT n FROM counters WHERE name = 'during the reboot'") == "1"
    )


def test_both_directions(here, there):
    here.sql("INSERT INTO counters VALUES ('from here', 1)")
    there.sql("INSERT INTO counters VALUES ('from there', 2)")
    both = "SELECT count(*) FROM counters WHERE name LIKE 'from %'"
    assert eventually(lambda: here.value(both) == there.value(both) == "2")


def test_the_watchdog_restarts_a_daemon_that_hangs(there):
    pid = int(there.host.file("/run/bucardo/bucardo.mcp.pid").content_string.split()[0])
    assert there.host.run("kill -STOP %d", pid).rc == 0
    assert there.host.run("systemctl start bucardo-watchdog.service").rc == 0
    ping = "runuser -u bucardo -- bucardo --bucardorc /etc/bucardorc ping 20"
    assert eventually(lambda: there.host.run(ping).rc == 0)
    assert int(there.host.file("/run/bucardo/bucardo.mcp.pid").content_string.split()[0]) != pid


def test_logs_rotate(there):
    done = there.host.run("logrotate --force /etc/logrotate.d/bucardo")
    assert done.rc == 0, done.stderr
    assert there.host.file("/var/log/bucardo/log.bucardo.1").exists

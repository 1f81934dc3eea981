# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a sync is held or replicates is a fact of the daemon's processes, not of a row."""

from __future__ import annotations

import time

import pytest
from servers import REPOSITORY, docker
from site_of_tests import eventually, same_rows

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import (
    daemon_messages,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    DeadlineExceeded,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import pg

# See CONTRIBUTING.md.
LONG = True

TABLES = 20
SCHEMA = "CREATE TABLE public.note (id int PRIMARY KEY, body text NOT NULL);" + "".join(
    f"CREATE TABLE public.t{number} (id int PRIMARY KEY);" for number in range(TABLES)
)
SYNC = {"name": "multimaster", "relgroup": "multimaster", "dbgroup": "multimaster"}
# The daemon's main process, not the workers.
MCP = "$(head -n 1 /run/bucardo/bucardo.mcp.pid)"
WORKERS = "ps axo args | grep -cE '^Bucardo (Controller|Kid)' || true"


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


def hold(site, inventory, **options):
    """As the bootstrap does before a master or a table comes in."""
    return site.module("bucardo_sync", inventory, status="held", enrol=False, **SYNC, **options)


def release(site, inventory, masters):
    site.module(
        "bucardo_sync",
        inventory,
        status="active",
        masters=site.masters_option(inventory),
        **SYNC,
    )
    site.module("bucardo_kick", inventory, name="multimaster")
    assert same_rows(masters, "public.note")


def assert_still(site, masters, number):
    """Nothing is brought over, and nobody is there who could."""
    left, right = masters
    left.sql(f"INSERT INTO note VALUES ({number}, 'waits')")
    assert site.run("db", WORKERS).strip() == "0"
    # A worker that is left takes a fraction of a second.
    assert not eventually(lambda: right.value(f"SELECT id FROM note WHERE id = {number}"), 3)


def test_a_run_that_ended_between_the_row_and_the_daemon_is_noticed(site, inventory, masters):
    site.psql("db", "bucardo", "UPDATE bucardo.sync SET status = 'inactive'")
    assert hold(site, inventory)["changed"]
    assert_still(site, masters, 1)
    assert not hold(site, inventory)["changed"]
    release(site, inventory, masters)


def test_a_controller_whose_process_file_is_gone_is_told_to_end(site, inventory, masters):
    """A reload does not find it: the one before it, when it ended, has removed the file."""
    ended = (
        "grep -c 'Controller .* exiting .*Reason: Stop sync request' /var/log/bucardo/log.bucardo"
    )
    before = int(site.run("db", f"{ended} || true"))
    site.run("db", "rm /run/bucardo/bucardo.ctl.sync.multimaster.pid")
    assert hold(site, inventory)["changed"]
    # Not because its sessions were closed, long after.
    assert int(site.run("db", f"{ended} || true")) == before + 1
    assert_still(site, masters, 4)
    release(site, inventory, masters)


def test_a_daemon_that_does_not_react_is_not_believed(site, inventory, masters):
    """Its workers would go on, and mark as done what a new master lacks."""
    site.run("db", f"kill -STOP {MCP}")
    try:
        for _time in ("first", "second", "third"):
            found = hold(site, inventory, check=False)
            assert found["failed"]
            assert "does not answer" in found["msg"]
            assert "Restart" in found["msg"]
        assert_still(site, masters, 2)
    finally:
        site.run("db", f"kill -CONT {MCP}")
    assert eventually(lambda: not hold(site, inventory, check=False).get("failed"))
    assert_still(site, masters, 3)
    release(site, inventory, masters)


def test_a_reload_that_works_is_waited_for_however_long_it_takes(site, inventory, masters):
    """Many tables far away: each is asked for with several statements."""
    far(site, "left")
    site.module("bucardo_daemon", inventory, state="restarted")
    control = site.conninfo(masters[0]).database("bucardo")
    with pg.Session(control) as session, pg.Session(site.conninfo(masters[0])) as master:
        daemon = daemon_messages.DaemonMessages(session)
        begun = time.monotonic()
        assert daemon.reload(2, [master])
        assert time.monotonic() - begun > 4, "too quick to tell"
        # Patience ends with one that does nothing.
        site.run("db", f"kill -STOP {MCP}")
        try:
            with pytest.raises(DeadlineExceeded):
                daemon.reload(2, [master])
        finally:
            site.run("db", f"kill -CONT {MCP}")


def far(site, name):
    """Put a master behind a long way for the daemon."""
    site.copy("db", REPOSITORY / "tests/bench/write_stall/delay_proxy.py", "/tmp/delay_proxy.py")
    docker(
        *("exec", "--detach", site.container("db"), "python3", "/tmp/delay_proxy.py", "0.06"),
        "6000=db:5432",
    )
    # Bucardo's own functions connect as well, as the server's user.
    for user in ("bucardo", "postgres"):
        site.run("db", f"sed 's/:5432:/:6000:/' ~{user}/.pgpass >> ~{user}/.pgpass")
    site.psql(
        "db",
        "bucardo",
        "SET session_replication_role = replica; UPDATE bucardo.db"
        f" SET dbport = '6000', dbconn = 'hostaddr=127.0.0.1' WHERE name = '{name}'",
    )

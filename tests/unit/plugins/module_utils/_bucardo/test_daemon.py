# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the daemon's files."""

from __future__ import annotations

import os

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.daemon import (
    Daemon,
    Process,
    control_conninfo,
    is_daemon,
    last_error,
    parse_rc,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused

LOG = """\
(931) [Sun Nov 22 11:53:59 2026] MCP  warning_file              => ''
(931) [Sun Nov 22 11:53:59 2026] MCP Warning: Killed (line 8018): DBD::Pg::st execute failed: \
ERROR:  relation "bucardo.syncrun" does not exist
(931) [Sun Nov 22 11:54:01 2026] MCP End of cleanup_mcp. Sys time: Sun Nov 22 11:54:01 2026.
"""


def test_parse_rc_as_the_program_does():
    text = (
        "# dbname = no\ndbname = bucardo\n piddir: /run/bucardo \nnonsense\ndbname=x\nlogdest=a,b"
    )
    assert parse_rc(text) == {"dbname": "x", "piddir": "/run/bucardo", "logdest": "a,b"}


def test_the_control_database_is_the_one_of_the_rc_file():
    found = control_conninfo({"dbhost": "db1", "dbport": "5433", "dbname": "b2", "dbpass": "x"})
    assert found.params == {
        "host": "db1",
        "port": "5433",
        "password": "x",
        "dbname": "b2",
        "user": "bucardo",
    }
    assert control_conninfo({}).params == {"dbname": "bucardo", "user": "bucardo"}


def test_last_error():
    assert 'relation "bucardo.syncrun" does not exist' in last_error(LOG)
    assert last_error("all is well\n") == ""


@pytest.fixture
def daemon(tmp_path):
    rc = tmp_path / "rc"
    rc.write_text(f"piddir = {tmp_path}\n", encoding="utf-8")
    daemon = Daemon(str(rc))
    # As the catalog would answer, without one.
    daemon.adopt_settings({"reason_file": str(tmp_path / "reason")})
    return daemon


@pytest.mark.parametrize("content", ["", "nonsense\n", "999999999\n"])
def test_a_pid_file_of_nobody(daemon, tmp_path, content):
    (tmp_path / "bucardo.mcp.pid").write_text(content, encoding="utf-8")
    process = daemon.process()
    assert process.pid == 0


def test_a_pid_file_of_another_process_is_stale(daemon, tmp_path):
    (tmp_path / "bucardo.mcp.pid").write_text(f"{os.getppid()}\n1\n", encoding="utf-8")
    assert daemon.process() == Process(stale_pid=os.getppid())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Bucardo Master Control Program v5.6.0. Active syncs: s", True),
        ("/usr/bin/perl|/usr/bin/bucardo|--batch|start|Ansible", True),
        ("/usr/bin/perl|/usr/bin/bucardo|--batch|kick|s", False),
        ("tail|-f|/var/log/bucardo/log.bucardo", False),
        ("", False),
    ],
)
def test_the_daemon_is_known_by_its_title(line, expected):
    assert is_daemon(line.split("|")) is expected


def test_no_pid_file(daemon):
    assert daemon.process() == Process()


def test_an_rc_file_that_cannot_be_read(tmp_path):
    with pytest.raises(Refused, match="cannot read"):
        Daemon(str(tmp_path / "missing"))

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running PostgreSQL's client programs."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import pgdump
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo

PASSWORD = "a,b'c\"d e%f=g\\h"


TOOLS = pgdump.Tools("/usr/lib/postgresql/17/bin", 17)


def test_a_directory_without_the_programs_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(Refused, match=r"pg_bin_dir: .* holds no program pg_dump"):
        pgdump.find_tools(str(tmp_path))


def test_a_newer_server_is_refused_by_name() -> None:
    TOOLS.require({"here": 13, "there": 17})
    with pytest.raises(Refused, match=r"cannot read there, which runs PostgreSQL 18\. Install"):
        TOOLS.require({"here": 13, "there": 18})


def test_what_others_can_see_has_no_password() -> None:
    conninfo = ConnInfo("here", {"host": "h", "password": PASSWORD, "dbname": "it's \\ here"})
    shown = pgdump._conninfo_string(conninfo)
    assert shown == "connect_timeout='15' host='h' dbname='it\\'s \\\\ here'"


def test_a_given_timeout_wins() -> None:
    conninfo = ConnInfo("here", {"connect_timeout": "3"})
    assert pgdump._conninfo_string(conninfo) == "connect_timeout='3'"


def test_a_secret_that_would_be_seen_is_refused() -> None:
    with pytest.raises(Refused, match="sslpassword would show in the list of processes"):
        pgdump._conninfo_string(ConnInfo("here", {"sslpassword": "x"}))


def test_schemas_are_left_out_by_their_exact_name() -> None:
    assert pgdump._pattern('odd"*') == '"odd""*"'

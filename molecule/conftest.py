# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scenarios' tests share: two masters that answer SQL, and patience."""

from __future__ import annotations

import json
import os
import pathlib
import sys

import pytest
import testinfra
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from masters import Master, eventually


@pytest.fixture(scope="session")
def scenario() -> str:
    return os.environ["MOLECULE_SCENARIO_NAME"]


@pytest.fixture(scope="session")
def database() -> str:
    """Its name as the inventory has it, in the one place where that is written down."""
    written = yaml.safe_load(pathlib.Path(os.environ["MOLECULE_FILE"]).read_text("utf-8"))
    groups = written["provisioner"]["inventory"]["group_vars"]
    # A scenario that names its masters otherwise has the database of all others.
    return str(groups.get("masters", {}).get("master_db", "shop"))


@pytest.fixture(scope="session")
def here(scenario: str, database: str) -> Master:
    """The origin."""
    return Master(testinfra.get_host(f"docker://{scenario}-here"), "here", database)


@pytest.fixture(scope="session")
def there(scenario: str, database: str) -> Master:
    """The new master; Bucardo runs on its host."""
    return Master(testinfra.get_host(f"docker://{scenario}-there"), "there", database)


@pytest.fixture(scope="session")
def writer(here: Master) -> dict:
    """The figures of the writer that ran through it all; it is stopped first."""
    # Brackets keep the pattern from finding the shell that looks for it.
    pattern = "/opt/state/[w]riter.json"
    here.host.run("pkill -TERM --full %s", pattern)
    assert eventually(lambda: here.host.run("pgrep --full %s", pattern).rc == 1)
    return dict(json.loads(here.host.file("/opt/state/writer.json").content_string))

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scenarios' tests share: two masters that answer SQL, and patience."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import time

import pytest
import testinfra
import yaml

# Seconds that replication may take before a test calls it broken.
PATIENCE = 60


@dataclasses.dataclass
class Master:
    """One master, asked with psql inside its container: not by the code under test."""

    host: testinfra.host.Host
    name: str
    database: str

    def sql(self, statement: str, database: str = "") -> list[list[str]]:
        """Rows of a statement as text; fails on any error."""
        conninfo = f"dbname='{database or self.database}'"
        done = self.host.run(
            "runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align"
            " --field-separator='|' --set=ON_ERROR_STOP=1 --dbname %s --command %s",
            conninfo,
            statement,
        )
        assert done.rc == 0, done.stderr
        return [line.split("|") for line in done.stdout.splitlines() if line]

    def value(self, statement: str, database: str = "") -> str:
        """The first field of the first row, "" when there is none."""
        rows = self.sql(statement, database)
        return rows[0][0] if rows else ""

    def tables(self) -> list[str]:
        """All tables that are replicated, quoted."""
        return [
            row[0]
            for row in self.sql(
                "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
                " AND n.nspname !~ '^pg_' AND c.relname <> 'import_staging'"
                " AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')"
                " ORDER BY 1"
            )
        ]

    def fingerprint(self, table: str) -> str:
        """Rows and an MD5 over all rows in order."""
        return "|".join(
            self.sql(
                "SET TimeZone = 'UTC'; SELECT count(*), md5(string_agg(md5(r::text), ''"
                f' ORDER BY r::text COLLATE "C")) FROM {table} r'
            )[0]
        )


def eventually(condition, seconds: float = PATIENCE) -> bool:
    """Whether the condition becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.5)
    return bool(condition())


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

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masters that are asked with psql, and patience: for the scenarios' tests."""

from __future__ import annotations

import dataclasses
import time

import testinfra

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

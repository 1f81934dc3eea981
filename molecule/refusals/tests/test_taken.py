# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that belong to another replication, made with Bucardo's own program, are not taken over."""

from __future__ import annotations

import pytest
from test_refusals import Case, Inventory, refused, setting

BUCARDO = "runuser -u bucardo -- bucardo --bucardorc /etc/bucardorc "


@pytest.fixture(scope="module")
def neighbour(bootstrapped, there, states):
    """A sync called crm between two other databases, and nothing that runs."""
    there.sql("CREATE ROLE crm SUPERUSER LOGIN PASSWORD 'crm'")
    for name in ("crm1", "crm2"):
        there.sql(f"CREATE DATABASE {name}")
        there.sql("CREATE TABLE visits (id integer PRIMARY KEY)", name)
        there.host.run_expect(
            [0],
            f"{BUCARDO} add database {name} dbname={name} host=refusals-there user=crm pass=crm",
        )
    there.host.run_expect(
        [0], f"{BUCARDO} add sync crm tables=public.visits dbs=crm1:source,crm2:source"
    )
    listed = there.host.run_expect([0], f"{BUCARDO} list syncs").stdout
    assert "crm" in listed, listed
    # The daemon writes down every run, until its processes have ended, for which no stop waits, and
    # the watchdog that there is none.
    there.host.run_expect([0], "pkill --full '[b]ucardo-watchdog (loop|watch|look)'")
    there.host.run_expect([0], f"{BUCARDO} stop test")
    there.host.run_expect(
        [0], "timeout 120 sh -c 'while pgrep --full ^Bucardo >/dev/null; do sleep 0.2; done'"
    )
    states.update(states.settled())


@pytest.mark.parametrize(
    "case",
    [
        Case(
            "sync-between-other-databases",
            setting(multimaster_sync="crm"),
            ["crm: this sync exists between other databases: crm1, crm2", "Choose another name"],
            "sync-taken",
        ),
        Case(
            "sync-with-other-groups",
            setting(multimaster_relgroup="crm", multimaster_dbgroup="multimaster"),
            [
                "multimaster: this sync exists with relgroup multimaster and dbgroup multimaster",
                "Choose another name",
            ],
            "sync-taken",
        ),
    ],
    ids=lambda case: case.id,
)
def test_a_taken_name_is_refused(case, neighbour, inventory, play, unchanged):
    wrong = Inventory(all=dict(inventory["all"]))
    wrong["all"]["vars"] = dict(inventory["all"]["vars"])
    case.change(wrong)
    refused(play("bootstrap", wrong), case)
    unchanged()

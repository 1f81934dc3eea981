# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing is lost or doubled by kills, and three masters replicate with each other."""

from __future__ import annotations

import pytest
import testinfra
from masters import Master, eventually


@pytest.fixture(scope="session")
def third(scenario, database):
    return Master(testinfra.get_host(f"docker://{scenario}-third"), "third", database)


def test_the_application_never_noticed(writer):
    assert writer["writes"] > 500
    assert writer["failed"] == {}


def test_all_rows_are_equal(writer, here, there, third):
    def differing():
        return [
            table
            for table in here.tables()
            if len({master.fingerprint(table) for master in (here, there, third)}) > 1
        ]

    assert eventually(lambda: not differing()), differing()


@pytest.mark.parametrize("source", ["here", "there", "third"])
def test_every_master_reaches_the_others(writer, here, there, third, source):
    masters = {"here": here, "there": there, "third": third}
    masters[source].sql(f"INSERT INTO counters VALUES ('from {source}', 1)")
    arrived = f"SELECT count(*) FROM counters WHERE name = 'from {source}'"
    for master in masters.values():
        assert eventually(lambda master=master: master.value(arrived) == "1"), master.name


def test_sequences_never_meet(writer, here, there, third):
    masters = (here, there, third)
    for master in masters:
        master.sql(
            "INSERT INTO orders (customer_id) SELECT 5 FROM generate_series(1, 300);"
            "INSERT INTO measurements (region) SELECT 'three' FROM generate_series(1, 300)"
        )
    count = "SELECT count(*) FROM measurements WHERE region = 'three'"
    assert eventually(lambda: all(master.value(count) == "900" for master in masters))


def test_no_process_is_left_of_killed_runs(there):
    assert there.host.run("pgrep --full '[A]nsiballZ'").stdout == ""


def test_nothing_is_left_half_made(here, there, third):
    for master in (here, there, third):
        assert master.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"
        # every enrolled table has all three triggers
        assert (
            master.sql(
                "SELECT tgrelid::regclass, count(*) FROM pg_trigger WHERE tgname LIKE 'bucardo%'"
                " AND tgrelid::regclass::text NOT LIKE 'bucardo.%' GROUP BY 1 HAVING count(*) <> 3"
            )
            == []
        )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a seed says of a table that cannot be copied, and what becomes of its neighbours."""

from __future__ import annotations

import pytest

TABLES = [f"t{number}" for number in range(1, 9)]
SCHEMA = "".join(f"CREATE TABLE {name} (id integer PRIMARY KEY);" for name in TABLES)
FILL = "".join(f"INSERT INTO {name} VALUES (1), (2);" for name in TABLES)
# Refuses a row, but not before the source was read to its end: the hash takes a second.
# A CHECK would not be asked: the origin's rows have passed theirs.
SLOW = "CREATE UNIQUE INDEX at_most_one ON t8 (md5(repeat('x', 300000000 + 0 * id)));"


@pytest.fixture(scope="module")
def masters(site):
    return [
        site.master("source", schema=SCHEMA + FILL),
        site.master("target", schema=SCHEMA + SLOW),
    ]


@pytest.fixture(scope="module")
def failed(site, masters):
    """Two tables share a transaction, and the last one of all cannot be copied."""
    inventory = site.inventory(masters)
    source, target = site.masters_option(inventory)
    options = {"source": source, "target": target, "require_triggers": False}
    return site.module("data_seed", inventory, "postgres", False, **options, workers=1, rounds=1)


def test_the_culprit_is_named_at_once(failed):
    assert failed["msg"].startswith("public.t8: target")
    assert 'violates unique constraint "at_most_one"' in failed["msg"]
    assert [text.split(":")[0] for text in failed["failures"]] == ["public.t8"]


def test_what_the_server_said_besides_is_in_the_result(failed):
    [cause] = failed["causes"]
    assert cause["failure"] == failed["failures"][0]
    assert cause["detail"].startswith("Key (md5(")
    assert cause["context"].startswith("COPY t8, line 2")


def test_its_neighbours_are_kept(masters, failed):
    seeded = masters[1].sql("SELECT table_name FROM multimaster.seed ORDER BY 1")
    assert seeded == [[name] for name in TABLES[:-1]]
    assert masters[1].value("SELECT count(*) FROM t7") == "2"
    assert masters[1].value("SELECT count(*) FROM t8") == "0"

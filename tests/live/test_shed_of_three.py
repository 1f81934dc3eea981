# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of three masters one is away, and a table is shed on one of the two that live."""

from __future__ import annotations

import pytest
from disturbances import writing
from site_of_tests import eventually, same_rows
from test_shed import BIG, BULK, LIVE, SCHEMA, TRIGGERS, away, bootstrap, is_shed, log, reseed

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("there", "here")


@pytest.fixture(scope="module")
def masters(site):
    return [
        site.master("here", "shop", "here", SCHEMA),
        site.master("also", "also", "here"),
        site.master("there", "shop", "there"),
    ]


@pytest.fixture(scope="module")
def inventory(site, masters):
    return bootstrap(site, masters)


def test_what_the_other_one_that_lives_wrote_is_named_before_it_is_replaced(
    site, masters, inventory
):
    here, also, there = masters
    with writing(here, LIVE), writing(also, LIVE), away(site):
        here.sql(BULK * 3)
        assert eventually(lambda: is_shed(here), 120), log(site)
        assert here.value(TRIGGERS) == "0"
        also.sql(f"UPDATE {BIG} SET body = 'only also' WHERE id = 7")
    assert same_rows(masters, "note", seconds=180), log(site)
    words = ("-e", "multimaster_reseed_from=here")
    said = reseed(site, inventory, *words, check=False)
    assert said.code != 0
    assert "also holds changes of these tables that no other master has" in said.error
    with writing(here, LIVE), writing(also, LIVE), writing(there, LIVE):
        reseed(site, inventory, *words, "-e", "multimaster_discard_queue=true")
    assert same_rows(masters, BIG, "note")
    assert also.value(f"SELECT body FROM {BIG} WHERE id = 7") != "only also"
    for number, master in enumerate(masters):
        master.sql(f"UPDATE {BIG} SET body = 'from {master.name}' WHERE id = 50 + {number}")
    assert same_rows(masters, BIG)
    assert site.play("bootstrap", inventory).changes == []
    assert eventually(lambda: site.play("status", inventory, check=False).code == 0)

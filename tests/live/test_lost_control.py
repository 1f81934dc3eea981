# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucardo's host is gone with its control database: another one takes over, as docs/runbooks says.

What waited in the masters' queues is brought over then, and nothing is copied again.
"""

from __future__ import annotations

import pytest
from disturbances import writing
from servers import docker
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

# Bucardo runs on the last one.
HOSTS = ("oslo", "paris", "new", "old")
SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
"""
LIVE = "INSERT INTO note (body) VALUES ('live')"
SEEDED = "SELECT max(finished_at) FROM multimaster.seed_run"


@pytest.fixture(scope="module")
def masters(site):
    return [site.master(host, "shop", host, SCHEMA if host == "oslo" else "") for host in HOSTS[:2]]


@pytest.fixture(scope="module")
def after(site, masters):
    """The inventory with another host of Bucardo, after the first one's loss."""
    oslo, paris = masters
    site.play("bootstrap", site.inventory(masters))
    assert same_rows(masters, "note")
    seeded = paris.value(SEEDED)
    with writing(oslo, LIVE), writing(paris, LIVE):
        docker("kill", site.container("old"))
        site.bucardo_host = "new"
        inventory = site.inventory(masters)
        oslo.sql("UPDATE note SET body = 'of oslo, meanwhile' WHERE id = 1")
        paris.sql("DELETE FROM note WHERE id = 2")
        site.play("bootstrap", inventory)
        assert eventually(lambda: paris.value("SELECT body FROM note WHERE id = 1")[:2] == "of")
    assert paris.value(SEEDED) == seeded
    return inventory


def test_what_waited_and_what_comes_is_on_both(masters, after):
    assert same_rows(masters, "note")
    assert masters[0].value("SELECT count(*) FROM note WHERE id = 2") == "0"
    assert masters[1].value("SELECT body FROM note WHERE id = 1") == "of oslo, meanwhile"


def test_the_next_run_changes_nothing(site, after):
    assert site.play("bootstrap", after).changes == []
    site.play("status", after)
    site.play("verify", after)


def test_no_two_rows_got_one_id(masters, after):
    for master in masters:
        assert master.value("SELECT count(*) - count(DISTINCT id) FROM note") == "0"


def test_the_old_host_is_noticed_when_it_comes_back(site, masters, after):
    """Two daemons on the same masters mark each other's changes as done."""
    docker("start", site.container("old"))
    site.run("old", "pg_ctlcluster $(pg_lsclusters --no-header | awk '{print $1, $2}') start")
    assert eventually(lambda: "accepting" in site.run("old", "pg_isready || true"))
    site.run("old", "bucardo start", user="bucardo")
    masters[0].sql("INSERT INTO note (body) VALUES ('for both')")
    said = "A second daemon, at "
    assert eventually(lambda: said in site.play("status", after, check=False).error, 90)
    site.run("old", "bucardo stop", user="bucardo")
    assert eventually(lambda: site.play("status", after, check=False).code == 0, 90)

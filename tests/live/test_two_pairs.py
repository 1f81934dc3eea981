# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two inventories on the same hosts, each with hosts "here" and "there", do not touch each other.

And what is there of another Bucardo is not taken over without a word.
"""

from __future__ import annotations

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.{0} (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.{0} (body) SELECT '{0} ' || i FROM generate_series(1, 300) i;
"""


@pytest.fixture(scope="module")
def widgets(site):
    origin = site.master("here", "widgets", schema=SCHEMA.format("widget"))
    return [origin, site.master("there", "widgets2")]


@pytest.fixture(scope="module")
def gadgets(site):
    origin = site.master("here", "gadgets", schema=SCHEMA.format("gadget"))
    return [origin, site.master("there", "gadgets2")]


def replicates(masters, table):
    """Both ways, whatever was there before."""
    for number, master in enumerate(masters):
        master.sql(f"INSERT INTO {table} (body) VALUES ('new on {number}')")
    assert same_rows(masters, f"public.{table}")


@pytest.fixture(scope="module")
def first(site, widgets):
    inventory = site.inventory(widgets, multimaster_sync="widgets")
    site.play("bootstrap", inventory)
    return inventory


def named(site, masters, **variables):
    """The inventory of masters that have names of their own in Bucardo."""
    inventory = site.inventory(masters, **variables)
    for host, one in inventory["all"]["children"]["masters"]["hosts"].items():
        one["master_name"] = f"{host}_{one['master_db']}"
    return inventory


def test_a_name_that_another_sync_uses_for_another_database_is_refused(
    site, first, widgets, gadgets
):
    said = site.play("bootstrap", site.inventory(gadgets, multimaster_sync="gadgets"), check=False)
    assert said.code != 0
    assert "[name-taken] here: sync widgets uses this name for db:5432/widgets" in said.text
    assert "master_name: here_gadgets" in said.text
    options = site.masters_option(site.inventory(gadgets))
    found = site.module(
        "bucardo_db",
        first,
        check=False,
        login_user="bucardo",
        masters=options,
        sync="gadgets",
    )
    assert "The name here belongs to db:5432/widgets of the sync widgets" in found["msg"]
    assert "here_gadgets" in found["msg"]
    replicates(widgets, "widget")


def test_two_inventories_on_the_same_hosts_work_side_by_side(site, first, widgets, gadgets):
    second = named(site, gadgets, multimaster_sync="gadgets")
    site.play("bootstrap", second)
    replicates(widgets, "widget")
    replicates(gadgets, "gadget")
    # The daemon reads how to log in when it starts.
    site.run(site.hosts[0], "bucardo restart", user="bucardo")
    assert eventually(lambda: "MCP" in site.bucardo("status"))
    replicates(widgets, "widget")
    replicates(gadgets, "gadget")
    for inventory, ours in ((first, "widgets"), (second, "gadgets")):
        assert ours in site.play("status", inventory).text
        assert site.play("bootstrap", inventory).changes == []


def test_each_pair_keeps_its_lines_of_the_password_files(site, first, gadgets):
    for home in ("/var/lib/bucardo", "/var/lib/postgresql"):
        lines = site.run(site.hosts[0], f"cat {home}/.pgpass").splitlines()
        for database in ("widgets", "widgets2", "gadgets", "gadgets2"):
            assert any(line.startswith(f"db:5432:{database}:bucardo:") for line in lines)


def test_a_block_of_an_older_version_is_left_to_whom_it_belongs(site, first, widgets):
    host, file = site.hosts[0], "/var/lib/bucardo/.pgpass"
    site.run(
        host,
        f"printf '%s\\n' '# BEGIN multimaster.bucardo' 'db:*:others:bucardo:x'"
        f" '# END multimaster.bucardo' >> {file}",
    )
    site.play("bootstrap", first)
    assert "db:*:others:bucardo:x" in site.run(host, f"cat {file}")
    replicates(widgets, "widget")


def test_teardown_of_one_leaves_the_other_alone(site, first, widgets, gadgets):
    second = named(site, gadgets, multimaster_sync="gadgets")
    site.play("teardown", second, "--extra-vars", "multimaster_confirm_teardown=gadgets")
    replicates(widgets, "widget")
    assert site.play("bootstrap", first).changes == []


def test_a_bucardo_that_others_made_is_not_taken_over_without_a_word(site, first, widgets):
    """The same installation, as if it had been made by hand: with a configuration of its own."""
    host = site.hosts[0]
    site.run(host, "cp -a /etc/bucardorc /srv/bucardorc")
    site.run(host, "printf 'dbhost = elsewhere\\ndbname = bucardo\\n' > /etc/bucardorc")
    before = site.run(host, "cat /etc/bucardorc")
    said = site.play("bootstrap", first, check=False)
    assert said.code != 0
    assert "[foreign-installation]" in said.text
    assert "multimaster_adopt_bucardo: true" in said.text
    assert site.run(host, "cat /etc/bucardorc") == before
    # No configuration at all, but syncs that somebody made.
    site.run(host, "rm /etc/bucardorc")
    said = site.play("bootstrap", first, check=False)
    assert "[foreign-installation] bucardo: the control database holds widgets" in said.text
    adopted = site.inventory(widgets, multimaster_sync="widgets", multimaster_adopt_bucardo=True)
    site.play("bootstrap", adopted)
    assert site.run(host, "cat /etc/bucardorc") == site.run(host, "cat /srv/bucardorc")
    site.play("bootstrap", first)

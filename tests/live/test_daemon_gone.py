# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever needs the daemon starts one that has gone, also where its children have stayed: the main
process alone is killed, as the kernel does it for want of memory, while applications write.
"""

from __future__ import annotations

import pytest
from disturbances import writing
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
INSERT INTO item (body) SELECT 'row ' || i FROM generate_series(1, 200) i;
CREATE TABLE other (id bigint PRIMARY KEY);
"""
WRITE = "INSERT INTO item (body) VALUES ('live')"
MAIN = "^Bucardo Master"
CHILD = "^Bucardo (Controller|Kid|VAC)"

RESEED = {"multimaster_reseed_master": "right", "multimaster_reseed_tables": ["public.item"]}
LAST = {"multimaster_remove_master": "right"}
# What has to work, with its variables.
PLAYS = {
    "reseed": RESEED,
    "reseed, all tables": {**RESEED, "multimaster_reseed_tables": ["*.*"]},
    "catch_up": {},
    "bootstrap": {},
    "remove_master": {"multimaster_remove_master": "third"},
}


@pytest.fixture(scope="module")
def masters(site):
    made = [site.master("left", schema=SCHEMA), *map(site.master, ("right", "third"))]
    site.play("bootstrap", site.inventory(made))
    return made


def there(site, process):
    return site.run("db", f"pgrep -f '{process}' || true").split()


# The last one leaves two masters.
CASES = [
    *(
        (name, gone)
        for gone in (MAIN, f"{MAIN}|{CHILD}")
        for name in PLAYS
        if name != "remove_master"
    ),
    ("remove_master", MAIN),
]


def test_one_without_its_pid_file_is_found(site, masters):
    """Bucardo removes that by its name, also another process's, and starts a second one then."""
    inventory = site.inventory(masters)
    [before] = there(site, MAIN)
    site.run("db", "rm /run/bucardo/bucardo.mcp.pid")
    found = site.module("bucardo_daemon", inventory, state="started")
    assert (found["changed"], found["pid"]) == (False, int(before))
    site.module("bucardo_daemon", inventory, state="restarted")
    [after] = there(site, MAIN)
    assert after != before
    # Two of them end together.
    site.run("db", "rm /run/bucardo/bucardo.mcp.pid")
    site.bucardo("start")
    assert eventually(lambda: len(there(site, MAIN)) == 2)
    site.module("bucardo_daemon", inventory, state="restarted")
    assert len(there(site, MAIN)) == 1
    assert not {after} & set(there(site, MAIN))


@pytest.mark.parametrize(("name", "gone"), CASES)
def test_it_is_started(site, masters, name, gone):
    inventory = site.inventory(masters, **PLAYS[name])
    site.module("bucardo_daemon", inventory, state="started")
    assert eventually(lambda: there(site, CHILD))
    left, right = masters[:2]
    with writing(left, WRITE), writing(right, WRITE):
        site.run("db", f"pkill -KILL -f '{gone}'")
        play = site.play(name.split(",")[0], inventory, check=False)
        assert play.code == 0, play.text
        assert len(there(site, MAIN)) == 1
    assert same_rows(masters[:2], "item")
    left.sql("INSERT INTO other SELECT coalesce(max(id), 0) + 1 FROM other")
    assert same_rows(masters[:2], "other")


def test_it_is_started_where_all_but_one_leave(site, masters):
    """What waits on the one that leaves is brought to the one that remains before."""
    left, right = masters[:2]
    inventory = site.inventory(masters[:2], **LAST)
    site.module("bucardo_daemon", inventory, state="started")
    assert eventually(lambda: there(site, CHILD))
    site.run("db", f"pkill -KILL -f '{MAIN}|{CHILD}'")
    right.sql("INSERT INTO other VALUES (1000000)")
    play = site.play("remove_master", inventory, check=False)
    assert play.code == 0, play.text
    assert left.value("SELECT 1 FROM other WHERE id = 1000000") == "1"

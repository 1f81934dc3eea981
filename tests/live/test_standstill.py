# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A third master that fails to come in, with a table that is new to all, leaves two that no longer
replicate. Nobody may miss it.
"""

from __future__ import annotations

import disturbances
import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE big (id bigint PRIMARY KEY, pad text NOT NULL);
INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 4000) i;
"""


@pytest.fixture(scope="module")
def masters(site):
    made = [site.master("left", schema=SCHEMA), site.master("right"), site.master("third")]
    site.play("bootstrap", site.inventory(made[:2]))
    made[1].sql("INSERT INTO big VALUES (-1, 'replicated before')")
    assert same_rows(made[:2], "big")
    # For a master alone the others would not have to wait.
    for master in made[:2]:
        master.sql("CREATE TABLE small (id bigint PRIMARY KEY)")
    return made


@pytest.fixture(scope="module")
def failed(site, masters):
    """The seed of the third master is killed."""
    inventory = site.inventory(masters, data_seed_rate_limit=500_000, data_seed_workers=1)
    disturbed = disturbances.run(site, inventory, "seed", disturbances.kill_job, "db")
    assert disturbed.hit, disturbed.play.text
    assert disturbed.play.code, disturbed.play.text
    return disturbed.play


def last_error(play):
    return play.text.rpartition("[ERROR]: ")[2].splitlines()[0]


def test_the_play_says_so_when_it_holds_the_sync(failed):
    said, _step, _rest = failed.text.partition("5 Data seed")
    assert "from now until its release" in " ".join(said.split())


def test_the_last_line_says_who_no_longer_replicates_and_what_to_type(failed):
    line = last_error(failed)
    assert "REPLICATION IS STOPPED BETWEEN left AND right SINCE 20" in line
    assert "third" not in line.partition("sync multimaster is held")[0]
    assert "start the bootstrap again: ansible-playbook multimaster.bucardo.bootstrap" in line
    assert "--inventory /" in line


def test_it_is_true(failed, site, masters):
    left, right, _third = masters
    left.sql("INSERT INTO big VALUES (-2, 'waits')")
    assert site.psql("db", "bucardo", "SELECT status FROM bucardo.sync").strip() == "inactive"
    assert right.rows("big") != left.rows("big")


def test_nobody_is_told_to_release_a_sync_that_is_held(failed, site, masters):
    inventory = site.inventory(masters)
    found = site.module("bucardo_kick", inventory, check=False, name="multimaster")
    assert found["failed"]
    assert "bucardo_sync" not in found["msg"]
    assert "Wait for the bootstrap" in found["msg"]


def test_without_the_new_master_the_same_command_starts_replication(failed, site, masters):
    left, right, _third = masters
    site.play("bootstrap", site.inventory(masters[:2]))
    assert same_rows(masters[:2], "big")
    right.sql("INSERT INTO big VALUES (-3, 'from the right')")
    assert eventually(lambda: left.value("SELECT pad FROM big WHERE id = -3"))

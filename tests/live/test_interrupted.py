# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A step believes only what it saw.

While an application writes on the origin, the host of Bucardo and of the new master is frozen,
loses its power, its temporary files, or the seed's processes. Afterwards the play has ended well
and both sides are equal, or it has failed with one line that says what to do, and replicates
nothing that is not proven; and a second run ends well. With MULTIMASTER_ALL=1 at every step.
"""

from __future__ import annotations

import os

import disturbances
import pytest
from disturbances import STEPS, kill_job, pause, restart, wipe
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("here", "there")
EVERYTHING = bool(os.environ.get("MULTIMASTER_ALL"))
SCHEMA = """
CREATE TABLE big (id bigint PRIMARY KEY, pad text NOT NULL);
INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 22000) i;
CREATE TABLE small (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO small (body) SELECT i::text FROM generate_series(1, 100) i;
"""
# Slow enough for the seed to be seen at work.
VARIABLES = {"data_seed_rate_limit": 2_000_000, "data_seed_workers": 1}
ACTS = {
    "paused for half a second, five times": pause(0.5, 5),
    "paused for 4 s": pause(4),
    "paused for 40 s": pause(40),
    "paused for 400 s": pause(400),
    "restarted": restart,
    "temporary files wiped": wipe,
    "job killed": kill_job,
}
# In the seed, which is the one step that works in the background; restarting and losing the job
# look alike to it, so one of the two is enough here.
CASES = [("seed", "paused for half a second, five times"), ("seed", "restarted")]
CASES += [("seed", "temporary files wiped")]
if EVERYTHING:
    CASES = [(step, act) for step in STEPS for act in ACTS]


@pytest.fixture(scope="module", autouse=True)
def _pausable(site):
    with disturbances.pausable(site):
        yield


@pytest.fixture
def masters(site):
    """A live database, and one to be made; nothing of an earlier case is left."""
    site.run(
        "there",
        "pkill -KILL -f '[B]ucardo' || true; rm -rf /run/bucardo/*;"
        " su postgres -c 'psql -qc \"DROP DATABASE IF EXISTS bucardo WITH (FORCE)\"'",
        check=False,
    )
    for host in HOSTS:
        site.psql(host, "postgres", "DROP DATABASE IF EXISTS shop WITH (FORCE)")
    return [site.master("here", "shop", "here", SCHEMA), site.master("there", "shop", "there")]


def statuses(site):
    """Of all syncs, as the control database says it; {} without one."""
    query = "SELECT count(*) FROM pg_database WHERE datname = 'bucardo'"
    if site.psql("there", "postgres", query).strip() == "0":
        return {}
    if not site.psql("there", "bucardo", "SELECT to_regclass('bucardo.sync')").strip():
        return {}
    return set(site.psql("there", "bucardo", "SELECT status FROM bucardo.sync").split())


def leftovers(site):
    """Modules' files, which hold passwords, and processes of them."""
    return site.run(
        "there",
        "ls -d /tmp/multimaster.* /root/.ansible/tmp/*/Ansiball[Z]_data_seed.py 2>/dev/null;"
        " pgrep -f '[/]AnsiballZ_' || true",
        check=False,
    )


@pytest.mark.parametrize(("step", "act"), CASES)
def test_what_happens_to_the_host_loses_nothing(site, masters, step, act):
    here, there = masters
    inventory = site.inventory(masters, **VARIABLES)
    with disturbances.writing(here, "INSERT INTO small (body) VALUES ('live')"):
        disturbed = disturbances.run(site, inventory, step, ACTS[act], "there")
        play = disturbed.play
        print(f"{step}, {act}: {play.code} after {disturbed.seconds:.0f} s: {play.error}")
        assert disturbed.hit, play.text
        if play.code:
            assert_failed_loudly(site, masters, step, play)
            again = site.play("bootstrap", inventory, check=False)
            assert again.code == 0, again.text
    assert same_rows(masters, "small", "big")
    assert statuses(site) == {"active"}
    there.sql("INSERT INTO small (body) VALUES ('from there')")
    assert same_rows(masters, "small")
    assert leftovers(site) == ""


def assert_failed_loudly(site, masters, step, play):
    here, there = masters
    assert play.error or "UNREACHABLE" in play.text, play.text
    if step in ("preflight", "bucardo", "clone", "enrol", "seed"):
        assert "active" not in statuses(site), play.text
    if step == "seed":
        assert "Nothing is replicated yet" in play.text, play.text
        assert "start the bootstrap again: ansible-playbook multimaster" in play.text
        assert "bucardo_sync (status" not in play.text
    if "active" in statuses(site):
        assert there.value("SELECT increment_by FROM pg_sequences") != "1", play.text
        assert there.rows("big") == here.rows("big"), play.text

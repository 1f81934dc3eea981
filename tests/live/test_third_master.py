# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A further master comes in while the others go on replicating: they wait for seconds, not for the
whole copy. Applications write on both all the time, and change keys and values that must be unique.
"""

from __future__ import annotations

import contextlib
import re

import disturbances
import pytest
from disturbances import writing
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE big (id bigint PRIMARY KEY, pad text NOT NULL);
INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 6000) i;
CREATE TABLE item (id bigint PRIMARY KEY, code int NOT NULL UNIQUE, body text);
INSERT INTO item SELECT i, i, 'item' FROM generate_series(1, 400) i;
-- An application of its own rows, so that nothing is a conflict.
CREATE FUNCTION live(n int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO item SELECT m, m, 'new'
      FROM (SELECT max(id) + 10 AS m FROM item WHERE id % 10 = n AND id < 90000) s;
    UPDATE item SET id = id + 100000
     WHERE id = (SELECT min(id) FROM item WHERE id % 10 = n AND id < 90000);
    UPDATE item SET body = body || '.' WHERE id = (SELECT max(id) - 10 FROM item WHERE id % 10 = n);
    DELETE FROM item WHERE id = (SELECT min(id) FROM item WHERE id % 10 = n AND id > 100000)
       AND code % 20 = n;
    UPDATE big SET pad = n || ' at ' || clock_timestamp()
     WHERE id = 10 * (random() * 500)::int + n
$$;
"""
TABLES = ("big", "item")
SLOW = {"data_seed_rate_limit": 150_000, "data_seed_workers": 1}
COPYING = "SELECT finished_at IS NULL FROM multimaster.seed_run"
KEPT = "SELECT count(*) FROM bucardo.bucardo_delta_targets WHERE target LIKE 'joining%'"


@pytest.fixture(scope="module")
def masters(site):
    made = [site.master("left", schema=SCHEMA), *map(site.master, ("right", "third", "fourth"))]
    site.play("bootstrap", site.inventory(made[:2]))
    return made


@contextlib.contextmanager
def applications(left, right):
    """They write all the time, without one statement that fails."""
    with writing(left, "SELECT live(1)"), writing(right, "SELECT live(2)"):
        yield


def arrives(left, right, number):
    """Whether a row of one is on the other soon."""
    left.sql(f"INSERT INTO big VALUES ({number}, 'soon')")
    return eventually(lambda: right.value(f"SELECT id FROM big WHERE id = {number}"))


def statuses(site):
    return set(site.psql("db", "bucardo", "SELECT status FROM bucardo.sync").split())


def test_the_others_go_on_while_it_is_copied_and_where_that_fails(site, masters):
    left, right, third = masters[:3]
    inventory = site.inventory(masters[:3], **SLOW)
    seen = []

    def while_copied(_site, _host):
        # Whoever reads the table itself waits until it is loaded.
        seen.append((arrives(left, right, -1), third.value(COPYING)))
        disturbances.kill_job(site, "db")

    with applications(left, right):
        disturbed = disturbances.run(site, inventory, "seed", while_copied, "db")
        assert disturbed.play.code, disturbed.play.text
        assert "STOPPED" not in disturbed.play.text
        assert statuses(site) == {"active"}
        assert seen == [(True, "t")]
        assert arrives(left, right, -2)
        assert int(left.value(KEPT)) == int(right.value(KEPT)) == 2


def test_the_next_run_takes_it_in(site, masters):
    left, right, _third = masters[:3]
    inventory = site.inventory(masters[:3])
    with applications(left, right):
        play = site.play("bootstrap", inventory, "-v")
    held = re.search(r'"held_for": ([0-9.]+)', play.text)
    print(f"passes {re.search(r'passes.: .*?]', play.text, re.S).group()}, held {held.group(1)} s")
    assert "is held while further masters" not in play.text
    assert same_rows(masters[:3], *TABLES)
    assert left.value(KEPT) == "0"
    for number, master in enumerate(masters[:3]):
        master.sql(f"INSERT INTO big VALUES ({-10 - number}, 'from each')")
    assert same_rows(masters[:3], *TABLES)
    assert site.play("bootstrap", site.inventory(masters[:3])).changes == []
    # Nothing of what was kept is left behind.
    queued = "SELECT (SELECT count(*) FROM bucardo.delta_public_item)"
    assert eventually(lambda: left.value(queued) == "0", 120)


def test_for_one_that_is_given_up_nothing_is_kept(site, masters):
    inventory = site.inventory(masters, **SLOW)
    disturbed = disturbances.run(site, inventory, "seed", disturbances.kill_job, "db")
    assert disturbed.play.code, disturbed.play.text
    assert masters[2].value(KEPT) == "2"
    site.play("bootstrap", site.inventory(masters[:3]))
    assert [master.value(KEPT) for master in masters[:3]] == ["0", "0", "0"]
    assert arrives(masters[0], masters[2], -20)

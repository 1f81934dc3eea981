# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/runbooks/full-disk.md says helps: the queue for a dead master filled a real volume."""

from __future__ import annotations

import pytest
from disturbances import writing
from site_of_tests import Site, eventually, same_rows
from test_runbooks import command, words

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("away", "full", "control")
PAGE = "full-disk.md"
VOLUME = 220 * 2**20
BALLAST = 40 * 2**20
SETTINGS = ("max_wal_size = 64MB", "min_wal_size = 32MB", "wal_recycle = off")
CLUSTER = "set -- $(pg_lsclusters --no-header | head -n 1); "
MOVE = CLUSTER + (
    "pg_ctlcluster $1 main stop; mv $6 /small/main; ln -s /small/main $6;"
    " pg_ctlcluster $1 main start"
)
START = CLUSTER + "pg_isready -q || pg_ctlcluster $1 main start"
READY = "pg_isready -q && echo yes"
FREE = "df --output=avail -B1 /small | tail -n 1"
SCHEMA = """
CREATE TABLE public.events (id int PRIMARY KEY, body text NOT NULL);
INSERT INTO public.events SELECT i, 'event ' || i FROM generate_series(1, 30000) i;
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 50) i;
"""
BULK = "UPDATE events SET body = body || '.'; VACUUM events"
LIVE = "INSERT INTO note (body) VALUES ('live')"
QUEUED = "SELECT pg_total_relation_size('bucardo.delta_public_events')"


class SmallSite(Site):
    """One of the masters has a small volume for all that its server writes."""

    def options_of(self, host):
        return ("--tmpfs", f"/small:rw,size={VOLUME},mode=0777") if host == "full" else ()


@pytest.fixture(scope="module")
def site():
    with SmallSite("full-disk", HOSTS) as made:
        made.run("full", MOVE)
        made.configure("full", SETTINGS)
        made.run("full", f"fallocate -l {BALLAST} /small/may-be-deleted")
        yield made


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("full", "shop", "full", SCHEMA), site.master("away", "shop", "away")]


def ad_hoc(site, inventory, module, **names):
    """One of the page's commands, by the module that it runs."""
    site.ad_hoc(inventory, *words(command(PAGE, "ansible bucardo", module, **names)))


def fill(master):
    """Write until the disk is full; returns what the application was told."""
    for _number in range(200):
        try:
            master.sql(BULK)
        except RuntimeError as error:
            return str(error)
    raise AssertionError("the volume is too large")


def test_a_full_disk(site, masters, inventory):
    full, away = masters
    site.run("away", CLUSTER + "pg_ctlcluster $1 main stop -m immediate")
    said = fill(full)
    assert "No space left on device" in said or "terminat" in said or "recovery" in said, said

    # As the page says: what may be deleted, and the start.
    site.run("full", "rm /small/may-be-deleted")
    site.run("full", START, check=False)
    # It has a log to go through.
    assert eventually(lambda: site.run("full", READY, check=False).strip() == "yes")
    status = site.play("status", inventory, check=False)
    assert "away cannot be read" in status.text

    before = int(site.run("full", FREE))
    queued = int(full.value(QUEUED))
    with writing(full, LIVE):
        ad_hoc(site, inventory, "bucardo_shed", FULL="full")
        assert int(full.value(QUEUED)) < 100_000
        assert eventually(lambda: int(site.run("full", FREE)) > before + queued // 2)
        full.sql("INSERT INTO events VALUES (-1, 'noted nowhere')")
        assert "public.events was shed on full" in site.play("status", inventory, check=False).text

        site.run("away", START)
        ad_hoc(site, inventory, "bucardo_daemon", FULL="full")
    assert same_rows(masters, "note", seconds=120)

    line = command(PAGE, "ansible-playbook multimaster.bucardo.reseed", RIGHT="full")
    _playbook, *options = words(line)
    with writing(full, LIVE), writing(away, LIVE):
        site.play("reseed", inventory, *options)
    assert same_rows(masters, "events", "note")
    assert away.value("SELECT body FROM events WHERE id = -1") == "noted nowhere"
    site.play("verify", inventory)
    assert eventually(lambda: site.play("status", inventory, check=False).code == 0)

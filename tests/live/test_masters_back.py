# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A master whose server went back in time is noticed, whatever Bucardo says.

Its data directory is replaced by a backup, or its standby takes its place; its database is dropped
and made anew. The bootstrap then replicates only what was compared or copied.
"""

from __future__ import annotations

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("here", "there", "control")
SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
CREATE TABLE public.line (id int PRIMARY KEY, note int NOT NULL REFERENCES public.note);
INSERT INTO public.line SELECT i, i FROM generate_series(1, 500) i;
"""
TABLES = ("public.note", "public.line")
# The whole server but for its configuration, which Debian keeps elsewhere.
CLUSTER = 'set -- $(pg_lsclusters --no-header | head -n 1); data=$6; slot="$1 $2"; '
BACKUP = CLUSTER + "rm -rf $data.kept; runuser -u postgres -- pg_basebackup -D $data.kept -c fast"
REPLACED = (
    CLUSTER + "pg_ctlcluster $slot stop -m immediate || true; rm -rf $data;"
    " mv $data.kept $data; {} pg_ctlcluster $slot start"
)


def backup(site, host):
    """Keep the server as it is now."""
    site.run(host, BACKUP)


def put_back(site, host):
    """As after the loss of a disk: the server is what it was when it was kept."""
    site.run(host, REPLACED.format(""))
    assert eventually(lambda: "accepting" in site.run(host, "pg_isready || true"))


def promote(site, host):
    """The same as a standby that was promoted: it begins a new timeline."""
    site.run(host, REPLACED.format("touch $data/standby.signal; chown postgres: $data/*.signal;"))
    assert eventually(lambda: "accepting" in site.run(host, "pg_isready || true"))
    site.psql(host, "postgres", "SELECT pg_promote()")
    assert site.psql(host, "postgres", "SELECT pg_is_in_recovery()").strip() == "f"


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("here", "shop", "here", SCHEMA), site.master("there", "shop", "there")]


def assert_together(site, masters, inventory):
    """They replicate, hold the same rows, and another run finds nothing to do."""
    for master in masters:
        master.sql(f"INSERT INTO note (body) VALUES ('by {master.name}')")
    assert same_rows(masters, *TABLES)
    assert site.play("bootstrap", inventory).changes == []


def test_a_standby_that_takes_a_masters_place_has_its_queue(site, masters, inventory):
    here, there = masters
    site.module("bucardo_daemon", inventory, state="stopped")
    there.sql("INSERT INTO note (body) VALUES ('queued 1'), ('queued 2')")
    here.sql("UPDATE note SET body = 'of here' WHERE id = 1")
    backup(site, "there")
    promote(site, "there")
    play = site.play("bootstrap", inventory)
    assert "was promoted, moved, or restored" in " ".join(play.text.split())
    assert here.value("SELECT count(*) FROM note WHERE body LIKE 'queued%'") == "2"
    assert_together(site, masters, inventory)


def test_what_a_standby_had_not_got_is_named_and_replaced_by_choice(site, masters, inventory):
    """The last transactions of the old server are lost there, and were marked as brought there."""
    here, there = masters
    backup(site, "there")
    here.sql("INSERT INTO note (body) VALUES ('after the last of the standby')")
    assert same_rows(masters, *TABLES)
    promote(site, "there")
    assert there.value("SELECT count(*) FROM note WHERE body LIKE 'after%'") == "0"
    play = site.play("bootstrap", inventory, check=False)
    assert play.code
    assert "Replication would never even out what differs: public.note on there" in play.text
    assert "public.line" not in play.error
    site.play("bootstrap", inventory, "-e", '{"data_seed_replace": ["public.note"]}')
    assert_together(site, masters, inventory)


def test_a_backup_that_is_started_as_it_is_is_noticed(site, masters, inventory):
    """It begins no new timeline; nothing but the token tells it from a crash."""
    here, there = masters
    backup(site, "there")
    site.play("bootstrap", inventory)
    here.sql("UPDATE note SET body = 'newer than the backup' WHERE id = 7")
    assert same_rows(masters, *TABLES)
    put_back(site, "there")
    assert there.value("SELECT body FROM note WHERE id = 7") == "note 7"
    said = site.play("status", inventory, check=False)
    assert "there was restored to an earlier moment" in said.text
    play = site.play("bootstrap", inventory, check=False)
    assert play.code
    assert "there was restored to an earlier moment" in " ".join(play.text.split())
    assert "what differs: public.note on there" in play.text
    site.play("bootstrap", inventory, "-e", '{"data_seed_replace": ["public.note"]}')
    assert_together(site, masters, inventory)


def test_a_database_that_was_made_anew_is_seeded(site, masters, inventory):
    there = masters[1]
    site.psql("there", "postgres", "DROP DATABASE shop WITH (FORCE)")
    site.psql("there", "postgres", "CREATE DATABASE shop TEMPLATE template0")
    site.play("bootstrap", inventory)
    assert there.value("SELECT count(*) >= 500 FROM note") == "t"
    assert_together(site, masters, inventory)


def test_an_origin_that_was_promoted_is_compared_with_the_others(site, masters, inventory):
    backup(site, "here")
    promote(site, "here")
    play = site.play("bootstrap", inventory)
    assert "here was promoted, moved, or restored" in " ".join(play.text.split())
    assert_together(site, masters, inventory)


def test_the_rows_of_others_are_not_replaced_by_those_of_an_origin_that_went_back(
    site, masters, inventory
):
    """As docs/runbooks/restored-master.md says, another becomes the origin, and it comes back."""
    here, there = masters
    backup(site, "here")
    there.sql("INSERT INTO note (body) VALUES ('only there')")
    assert same_rows(masters, *TABLES)
    promote(site, "here")
    play = site.play("bootstrap", inventory, check=False)
    assert play.code
    assert "The origin went back in time, so the others may be right" in play.text
    assert "data_seed_replace" not in play.text
    site.run("here", "pg_ctlcluster $(pg_lsclusters --no-header | cut -d' ' -f1,2) stop -m fast")
    site.play("remove_master", inventory, "-e", "multimaster_lost_master=here")
    site.run("here", "pg_ctlcluster $(pg_lsclusters --no-header | cut -d' ' -f1,2) start")
    turned = site.inventory(masters, "there")
    site.play("remove_master", turned, "-e", "multimaster_remove_master=here")
    site.play("bootstrap", turned, "-e", '{"data_seed_replace": ["*.*"]}')
    assert here.value("SELECT count(*) FROM note WHERE body = 'only there'") == "1"
    assert_together(site, masters, turned)

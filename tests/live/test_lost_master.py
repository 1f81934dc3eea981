# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A master's server is gone for good: the others go on after one command, as docs/runbooks says.

Each master has a host of its own, whose power goes; applications write on the others all the time.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time

import pytest
from disturbances import writing
from servers import docker
from site_of_tests import Play, eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("oslo", "paris", "rome", "control")
SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
CREATE TABLE public.line (id int PRIMARY KEY, note int NOT NULL REFERENCES public.note);
INSERT INTO public.line SELECT i, i FROM generate_series(1, 500) i;
"""
TABLES = ("public.note", "public.line")
TRACES = """
SELECT (SELECT count(*) FROM pg_trigger WHERE tgname ~ '^bucardo')
     + (SELECT count(*) FROM pg_namespace WHERE nspname IN ('bucardo', 'multimaster'))
     + (SELECT count(*) FROM pg_roles WHERE rolname = 'bucardo')
"""
INCREMENT = "SELECT increment_by FROM pg_sequences WHERE sequencename = 'note_id_seq'"
LIVE = "INSERT INTO note (body) VALUES ('live')"
AFTER = "SELECT count(*) FROM note WHERE body = 'after the loss'"
# Seconds from the moment at which the command begins to change something.
GOAL = 15


@pytest.fixture(scope="module")
def masters(site):
    return [site.master(host, "shop", host, SCHEMA if host == "oslo" else "") for host in HOSTS[:3]]


@contextlib.contextmanager
def applications(*masters):
    """Each of these is written without one statement that fails."""
    with contextlib.ExitStack() as stack:
        for master in masters:
            stack.enter_context(writing(master, LIVE))
        yield


def lose(site, host):
    """Its power is gone."""
    docker("kill", site.container(host))


def return_(site, host):
    docker("start", site.container(host))
    site.run(host, "pg_ctlcluster $(pg_lsclusters --no-header | awk '{print $1, $2}') start")
    assert eventually(lambda: "accepting" in site.run(host, "pg_isready || true"))


def removed(site, inventory, options, here, there):
    """The play, and how long after its first change a row of one survivor was on the other."""
    lines, seconds, watchers = [], [], []

    def watch():
        begun = time.monotonic()
        here.sql("INSERT INTO note (body) VALUES ('after the loss')")
        assert eventually(lambda: there.value(AFTER) == here.value(AFTER))
        seconds.append(time.monotonic() - begun)

    with site.started("remove_master", inventory, *options) as process:
        for line in process.stdout:
            lines.append(line)
            if "Take what is lost out of the sync" in line:
                watchers.append(threading.Thread(target=watch))
                watchers[0].start()
        code = process.wait()
    for watcher in watchers:
        watcher.join()
    play = Play(code, "".join(lines))
    assert play.code == 0, play.text
    print(f"replicated again after {seconds[0]:.1f} s")
    return play, seconds[0]


def said(play):
    """The last word of the play."""
    return re.search(r'"msg": "(.*)"', play.text.rpartition("Say how it stands")[2]).group(1)


def test_two_go_on_without_the_third(site, masters, inventory):
    oslo, paris, rome = masters
    site.module("bucardo_daemon", inventory, state="stopped")
    paris.sql("INSERT INTO note (body) VALUES ('never left 1'), ('never left 2')")
    oslo.sql("UPDATE note SET body = 'of oslo' WHERE id <= 3")
    with applications(oslo, rome):
        lose(site, "paris")
        site.module("bucardo_daemon", inventory, check=False, state="started")
        play, seconds = removed(
            site, inventory, ("-e", "multimaster_lost_master=paris"), oslo, rome
        )
        assert seconds <= GOAL
    assert same_rows([oslo, rome], *TABLES)
    assert rome.value("SELECT body FROM note WHERE id = 2") == "of oslo"
    words = said(play)
    assert re.search(r"What paris committed before 20\S+ \S+ UTC has reached oslo, rome", words)
    assert "and only paris can tell" in words
    assert re.search(r"not lost: \d+ on oslo", words)


def test_it_can_be_said_twice(site, masters, inventory):
    play = site.play("remove_master", inventory, "-e", "multimaster_lost_master=paris")
    assert play.changes == []


def test_when_it_comes_back_it_tells_what_nobody_else_has_and_is_cleaned(site, masters, inventory):
    paris = masters[1]
    return_(site, "paris")
    refused = site.play(
        "remove_master", inventory, "-e", "multimaster_lost_master=paris", check=False
    )
    assert refused.code == 0, refused.text
    play = site.play("remove_master", inventory, "-e", "multimaster_remove_master=paris")
    assert "2 on paris (public.note 2)" in " ".join(play.text.split())
    assert paris.value(TRACES) == "0"
    assert paris.value(INCREMENT) == "1"
    assert paris.value("SELECT count(*) FROM note WHERE body LIKE 'never left%'") == "2"


def test_a_master_that_answers_is_not_lost(site, masters, inventory):
    play = site.play("remove_master", inventory, "-e", "multimaster_lost_master=rome", check=False)
    assert play.code
    assert "rome is said to be lost, but answers" in play.error
    play = site.play("remove_master", inventory, check=False)
    assert "multimaster_remove_master=NAME" in play.error


def test_it_is_taken_in_again_and_seeded_anew(site, masters, inventory):
    """Nothing of what it holds is believed."""
    choice = ("-e", '{"data_seed_replace": ["*.*"]}')
    refused = site.play("bootstrap", inventory, check=False)
    assert refused.code
    assert "public.note" in refused.error
    with applications(masters[0], masters[2]):
        site.play("bootstrap", inventory, *choice)
    assert same_rows(masters, *TABLES)
    assert masters[0].value("SELECT count(*) FROM note WHERE body LIKE 'never left%'") == "0"


def test_the_origin_is_lost_and_another_becomes_it(site, masters, inventory):
    _oslo, paris, rome = masters
    with applications(paris, rome):
        lose(site, "oslo")
        play, seconds = removed(
            site, inventory, ("-e", "multimaster_lost_master=oslo"), paris, rome
        )
        assert seconds <= GOAL
    assert "The origin is paris now" in said(play)
    assert same_rows([paris, rome], *TABLES)
    left = site.inventory([paris, rome])
    again = site.play("bootstrap", left)
    assert "seed of" not in again.text
    assert site.play("bootstrap", left).changes == []


def test_the_last_but_one_is_lost_and_one_master_remains(site, masters, inventory):
    _oslo, paris, rome = masters
    lose(site, "rome")
    rows = paris.rows("public.note")
    play = site.play(
        "remove_master", site.inventory([paris, rome]), "-e", "multimaster_lost_master=rome"
    )
    assert "Replication has ended; paris holds all rows" in said(play)
    assert paris.value(TRACES) == "0"
    assert paris.value(INCREMENT) == "1"
    assert paris.rows("public.note") == rows

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""States in which Bucardo says "Good" and loses, withholds or delays rows: each is seen, and named.

And none of them is seen where all is well. What other files provoke as well: purging (test_purge),
lost TRUNCATEs (test_truncate), sequences (test_sequences).
"""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from site_of_tests import eventually

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("here", "there")
NAMES = ("calm", "gagged", "keyed", "wider", "twice", "twin", "narrow", "veiled", "clash", "busy")
SCHEMA = "".join(
    f"CREATE TABLE public.{name} (id integer PRIMARY KEY, other integer NOT NULL UNIQUE,"
    " body text);"
    f"INSERT INTO public.{name} SELECT i, i, 'n' FROM generate_series(1, 20) i;"
    for name in NAMES
)
SCHEMA += """
CREATE TABLE public.event (id integer, day integer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE public.event_1 PARTITION OF public.event FOR VALUES FROM (0) TO (100);
CREATE TABLE public.left_out (id integer PRIMARY KEY);
"""
SYNC = "multimaster"
PARTITION = "CREATE TABLE public.event_2 PARTITION OF public.event FOR VALUES FROM (100) TO (200)"


@pytest.fixture(scope="module")
def masters(site):
    return [
        site.master("left", host="here", schema=SCHEMA),
        site.master("right", host="there"),
    ]


@pytest.fixture(scope="module")
def inventory(site, masters):
    inventory = site.inventory(masters, multimaster_exclude=["left_out"])
    site.play("bootstrap", inventory)
    return inventory


@pytest.fixture(scope="module")
def left(masters, inventory):
    return masters[0]


@pytest.fixture(scope="module")
def right(masters, inventory):
    return masters[1]


class Status:
    """What bucardo_info says now."""

    def __init__(self, site, inventory, **limits):
        info = site.module(
            "bucardo_info",
            inventory,
            login_user="bucardo",
            tables=["*.*"],
            exclude=["left_out"],
            **limits,
        )
        self.alarms = info["alarms"]
        self.problems = info["problems"]

    @property
    def names(self):
        return {one["name"] for one in self.alarms}

    def of(self, name, **about):
        """The lines of one detector, about a master or a table."""
        return [
            one["text"]
            for one in self.alarms
            if one["name"] == name and about.items() <= one.items()
        ]

    def one(self, name, **about):
        found = self.of(name, **about)
        assert len(found) == 1, (name, self.problems)
        return found[0]


@pytest.fixture
def status(site, inventory):
    return lambda **limits: Status(site, inventory, **limits)


def processes(site, signal, title):
    site.run("there", f"pkill -{signal} -f '^Bucardo {title}'")


def arrives(master, table, id_):
    return eventually(lambda: master.value(f"SELECT 1 FROM {table} WHERE id = {id_}") == "1")


def healthy(status, **limits):
    """All that waits is gone soon, and then nothing is wrong."""
    found = []

    def well():
        found[:] = status(**limits).problems
        return not found

    return eventually(well, 30), found


def test_nothing_is_found_on_a_healthy_pair(status, left, right):
    for number, master in enumerate((left, right)):
        for name in NAMES:
            master.sql(
                f"BEGIN; UPDATE {name} SET body = body || '.' WHERE id = {number + 1};"
                f" SAVEPOINT s; DELETE FROM {name} WHERE id = {number + 11}; COMMIT"
            )
    assert eventually(lambda: not status().problems, 20), status().problems


# What is wrong with tables and masters: all of it at once, and one look.


@pytest.fixture(scope="module")
def spoilt(site, inventory, left, right):
    processes(site, "STOP", "VAC")
    # A transaction begins, another of the same microsecond is replicated, the first one ends.
    with left.connected() as slow:
        slow.sql("BEGIN")
        slow.sql("UPDATE twin SET body = 'slow' WHERE id = 1")
        ((moment,),) = slow.sql("SELECT max(txntime) FROM bucardo.delta_public_twin WHERE id = 1")
        left.sql(
            "BEGIN; SET LOCAL session_replication_role = replica;"
            " UPDATE twin SET body = 'quick' WHERE id = 2;"
            f" INSERT INTO bucardo.delta_public_twin (id, txntime) VALUES (2, '{moment}');"
            " COMMIT; UPDATE calm SET body = 'go' WHERE id = 1"
        )
        assert eventually(lambda: right.value("SELECT body FROM twin WHERE id = 2") == "quick")
        slow.sql("COMMIT")
    left.sql("INSERT INTO twice VALUES (100, 100)")
    assert arrives(right, "twice", 100)
    left.sql("INSERT INTO bucardo.track_public_twice SELECT * FROM bucardo.track_public_twice")
    left.sql("ALTER TABLE gagged DISABLE TRIGGER bucardo_delta")
    right.sql("ALTER TABLE keyed DROP CONSTRAINT keyed_pkey")
    for master in (left, right):
        master.sql("ALTER TABLE wider ADD COLUMN more text")
        master.sql(PARTITION)
    # What Bucardo's role needs beside being a superuser, but for two things.
    given = (
        "USAGE ON SCHEMA public, bucardo, multimaster",
        "ALL ON ALL TABLES IN SCHEMA public, bucardo, multimaster",
        "EXECUTE ON ALL FUNCTIONS IN SCHEMA bucardo",
    )
    left.sql("; ".join(f"GRANT {what} TO bucardo" for what in given))
    left.sql(
        "REVOKE TRUNCATE ON narrow FROM bucardo; ALTER TABLE veiled ENABLE ROW LEVEL SECURITY;"
        " ALTER ROLE bucardo NOSUPERUSER"
    )
    found = Status(site, inventory, alarm_bytes=1)
    left.sql("ALTER ROLE bucardo SUPERUSER; ALTER TABLE veiled DISABLE ROW LEVEL SECURITY")
    left.sql("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM bucardo")
    left.sql("REVOKE ALL ON SCHEMA public FROM bucardo")
    return found


CASES = {
    "equal_times": ({"table": "public.twin"}, r'public\.twin: \{"id" : 1\} differ'),
    "track_doubled": ({"master": "left"}, r"times of public\.twice are marked as replicated twice"),
    "disk_fills": ({"master": "left"}, r"tables of changes take [\d.]+ MB"),
    "columns_changed": ({}, r"other columns on left, right"),
    "not_enrolled": ({"master": "right"}, r"right: public\.event_2 matches"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_with_a_table_is_named(spoilt, name):
    about, says = CASES[name]
    assert re.search(says, spoilt.one(name, **about))


def test_a_trigger_that_is_disabled_and_a_key_that_is_gone_are_named(spoilt):
    assert "the trigger bucardo_delta is disabled" in spoilt.one(
        "enrolment_broken", table="public.gagged"
    )
    assert "the key is" in spoilt.one("enrolment_broken", table="public.keyed")
    assert {one["table"] for one in spoilt.alarms if one["name"] == "enrolment_broken"} == {
        "public.gagged",
        "public.keyed",
    }


def test_what_the_role_of_bucardo_may_not_do_is_named(spoilt):
    assert "may not TRUNCATE of public.narrow" in spoilt.one(
        "rights_missing", table="public.narrow"
    )
    assert "row security" in spoilt.one("rights_missing", table="public.veiled")
    assert len(spoilt.of("rights_missing")) == 2


def test_nothing_else_is_named(spoilt):
    known = {*CASES, "enrolment_broken", "rights_missing"}
    assert spoilt.names == known, spoilt.problems


def test_what_is_marked_twice_is_never_purged(left, spoilt):
    left.sql("SELECT bucardo.bucardo_purge_delta('0 seconds')")
    assert left.value("SELECT count(*) FROM bucardo.delta_public_twice WHERE id = 100") == "1"


def test_the_cures_help(site, inventory, status, left, right, spoilt):
    processes(site, "CONT", "VAC")
    right.sql("ALTER TABLE keyed ADD PRIMARY KEY (id)")
    left.sql(
        "DELETE FROM bucardo.track_public_twice a USING bucardo.track_public_twice b"
        " WHERE a.ctid > b.ctid AND a.txntime = b.txntime AND a.target = b.target;"
        " UPDATE twin SET body = body WHERE id = 1"
    )
    site.play("bootstrap", inventory)
    assert right.value("SELECT body FROM twin WHERE id = 1") == "slow"
    well, problems = healthy(status)
    assert well, problems


# What holds up the daemon's processes.


def test_rows_that_cannot_be_together_are_named_and_the_other_tables_can_go_on(
    site, inventory, status, left, right
):
    left.sql("INSERT INTO clash VALUES (101, 500)")
    right.sql("INSERT INTO clash VALUES (102, 500)")
    left.sql("INSERT INTO calm VALUES (101, 101)")
    assert eventually(lambda: "worker_fails" in status().names)
    line = status().one("worker_fails", table="public.clash")
    assert "duplicate key value" in line
    assert "(id)=(101) on left; (id)=(102) on right" in line
    assert "bucardo_aside" in line
    assert right.value("SELECT count(*) FROM calm WHERE id = 101") == "0"
    aside = {"name": SYNC, "tables": ["public.clash"], "login_user": "bucardo"}
    site.module("bucardo_aside", inventory, state="aside", **aside)
    site.bucardo("kick", SYNC, "0")
    assert arrives(right, "calm", 101)
    right.sql("UPDATE clash SET other = 501 WHERE id = 102")
    site.module("bucardo_aside", inventory, state="back", **aside)
    site.bucardo("kick", SYNC, "0")
    assert arrives(right, "clash", 101)
    assert arrives(left, "clash", 102)
    well, problems = healthy(status)
    assert well, problems


def test_a_lock_and_a_worker_that_is_stuck_behind_it_are_told_apart(site, status, left, right):
    with right.connected() as application:
        application.sql("BEGIN; LOCK TABLE busy IN SHARE MODE")
        left.sql("INSERT INTO busy VALUES (101, 101)")
        assert eventually(lambda: "worker_blocked" in status(alarm_age=2).names)
        found = status(alarm_age=2, alarm_rows=1)
        assert {"worker_blocked", "backlog_old", "backlog_large"} == found.names
        assert "right for" in found.one("worker_blocked")
        assert "idle in transaction since" in found.one("worker_blocked")
        assert "public.busy 1" in found.one("backlog_old")
        # Within the usual limits a lock of a few seconds is no alarm.
        assert not status().problems
        processes(site, "STOP", "Kid")
        application.sql("COMMIT")
    assert eventually(lambda: "worker_stuck" in status(alarm_age=2).names)
    assert "has done nothing for" in status(alarm_age=2).one("worker_stuck")
    processes(site, "CONT", "Kid")
    assert arrives(right, "busy", 101)


def test_a_backlog_that_grew_at_each_of_the_last_looks_is_seen(site, status, left, right):
    """The looks are written down here, since they are minutes apart; what waits now does wait."""
    file = "/var/lib/bucardo-watchdog/state.json"
    now = float(site.run("there", "date +%s"))
    looks = [[now - 60 * (5 - number), number + 1, (number + 1) / 1000] for number in range(5)]
    with right.connected() as application:
        application.sql("BEGIN; LOCK TABLE busy IN SHARE MODE")
        left.sql("INSERT INTO busy SELECT i, i FROM generate_series(201, 210) i")
        state = json.dumps({"samples": {f"{SYNC}/left": looks}})
        site.run("there", f"echo '{state}' > {file}")
        try:
            grows = status(alarm_age=900).one("backlog_grows", master="left")
        finally:
            site.run("there", f"rm {file}")
        assert "come faster than they are replicated" in grows
        assert not status().of("backlog_grows")
        application.sql("COMMIT")
    assert arrives(right, "busy", 210)


def test_a_sync_that_somebody_paused_is_seen(site, inventory, status, left, right):
    site.bucardo("pause", "sync", SYNC)
    assert eventually(
        lambda: not site.run("there", "pgrep -f '^Bucardo Controller' || true").strip()
    )
    left.sql("INSERT INTO calm VALUES (102, 102)")
    found = status()
    assert found.names == {"controller_missing"}, found.problems
    site.module("bucardo_daemon", inventory, state="reloaded")
    assert arrives(right, "calm", 102)


def test_a_controller_that_starts_no_worker_is_seen(site, status, left, right):
    processes(site, "STOP", "Controller")
    processes(site, "KILL", "Kid")
    left.sql("INSERT INTO calm VALUES (204, 204)")
    assert eventually(lambda: "worker_missing" in status(alarm_age=3).names)
    # A worker is replaced within moments.
    assert not status().problems
    processes(site, "CONT", "Controller")
    assert arrives(right, "calm", 204)


def test_a_master_that_forgot_what_it_was_told_last_is_seen(status, left):
    """As one is that an older backup was put in the place of; test_masters_back.py does that."""
    left.sql("UPDATE multimaster.sighted SET token = 'older' || token")
    assert "left was restored to an earlier moment" in status().one("master_went_back")
    left.sql("UPDATE multimaster.sighted SET token = substr(token, 6)")
    assert not status().of("master_went_back")


def test_a_daemon_that_is_stuck_and_one_that_is_gone_are_told_apart(
    site, inventory, status, left, right
):
    processes(site, "STOP", "Master")
    assert eventually(lambda: "daemon_stuck" in status(alarm_age=3).names)
    # One that reads many tables anew answers late, too.
    assert not status().problems
    processes(site, "KILL", "")
    left.sql("INSERT INTO calm VALUES (103, 103)")
    assert eventually(lambda: "daemon_down" in status().names, 10)
    found = status()
    assert found.names == {"daemon_down"}, found.problems
    assert "multimaster replicates nothing" in found.one("daemon_down")
    site.module("bucardo_daemon", inventory, state="started")
    assert arrives(right, "calm", 103)


def test_that_nobody_looks_for_writes_is_seen(site, inventory, status, left, right):
    program = "/usr/local/sbin/bucardo-watchdog"
    site.run("there", f"pkill -KILL -f '[/]{program[1:]} poll'")
    assert eventually(lambda: "poll_missing" in status().names, 10)
    assert status().names == {"poll_missing"}
    left.sql("INSERT INTO calm VALUES (991, 991)")
    site.run("there", f"{program} start-poll")
    # What was written meanwhile, too.
    assert arrives(right, "calm", 991)
    assert not status().problems


def test_that_runs_are_not_corrected_is_seen(site, inventory, status):
    site.psql(site.bucardo_host, "bucardo", "UPDATE bucardo.customcode SET status = 'inactive'")
    assert status().names == {"not_corrected"}
    play = site.play("bootstrap", inventory)
    assert play.changes
    assert not status().problems


@contextlib.contextmanager
def down(site, host):
    """A server that is away."""
    cluster = site.run(host, "pg_lsclusters --no-header | awk '{print $1, $2}'").strip()
    site.run(host, f"pg_ctlcluster {cluster} stop -m immediate")
    try:
        yield
    finally:
        site.run(host, f"pg_ctlcluster {cluster} start")


def test_a_master_that_is_away_and_the_sync_that_is_given_up_are_seen(site, status, left, right):
    with down(site, "here"):
        site.run("there", "timeout 20 bucardo reload || true", user="bucardo")
        found = status()
        assert "left cannot be read" in found.one("master_unreachable")
        # When it reads the tables anew just as the master goes, the daemon ends instead.
        if "daemon_down" in found.names:
            assert "multimaster replicates nothing" in found.one("daemon_down")
        else:
            stalled = found.one("sync_stalled")
            assert "Bucardo has stalled multimaster, since it lost left" in stalled
        assert found.names <= {"master_unreachable", "sync_stalled", "purge_dead", "daemon_down"}


def test_all_is_well_at_the_end(site, inventory, status):
    site.module("bucardo_daemon", inventory, state="restarted")
    well, problems = healthy(status)
    assert well, problems
    said = site.play("status", inventory)
    assert said.code == 0


def test_a_sync_that_nobody_releases_is_seen(site, inventory, status, left):
    site.module(
        "bucardo_sync",
        inventory,
        name=SYNC,
        relgroup=SYNC,
        dbgroup=SYNC,
        masters=site.masters_option(inventory),
        login_user="bucardo",
        status="held",
    )
    left.sql("INSERT INTO calm VALUES (990, 990)")
    assert eventually(lambda: "held" in status(alarm_age=1).names, 10)
    assert status(alarm_age=1).names == {"held"}
    assert status().problems == []

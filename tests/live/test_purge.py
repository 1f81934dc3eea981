# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has been replicated leaves the queue's tables, whatever was done to the daemon before."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from site_of_tests import SOMEBODY, Master, eventually, same_rows

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import statements
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import pg, sql
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import purge

# See CONTRIBUTING.md.
LONG = True
WAITS = True

SCHEMA = """
CREATE TABLE public.note (id integer PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note SELECT i, 'note ' || i FROM generate_series(1, 200) i;
"""
# Seconds after replication within which nothing of it is left.
PURGED_WITHIN = 90
# The same where much is written, long before Bucardo's own process looks at it.
PURGED_SOON = 20

QUEUED = """
SELECT (SELECT count(*) FROM bucardo.delta_public_note)
     + (SELECT count(*) FROM bucardo.track_public_note)
"""

# Each in a transaction of its own, so with a time of its own.
CHANGES = 5000
CHANGE = f"""
DO $$ BEGIN FOR i IN 1..{CHANGES} LOOP
  UPDATE public.note SET body = 'change ' || i WHERE id = 1; COMMIT;
END LOOP; END $$
"""
# With which every run begins. The server writes its plans to standard error.
CHECK = """
SET client_min_messages = warning; LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
SET auto_explain.log_nested_statements = on; SET auto_explain.log_format = json;
SET client_min_messages = log;
SELECT bucardo.bucardo_delta_check('multimaster', 'dbgroup multimaster');
"""
NOTE = TableName("public", "note")
# As for a master that comes in.
WAITS_FOR = sql.any_row(
    sql.SQL(
        "SELECT FROM bucardo.delta_public_note d WHERE NOT EXISTS (SELECT FROM"
        " bucardo.track_public_note k WHERE k.txntime = d.txntime AND k.target = {})"
    ).format(sql.Literal("dbgroup multimaster"))
)
# Nobody has looked at them yet, as after a bootstrap.
UNKNOWN = """
DELETE FROM pg_statistic
 WHERE starelid IN ('bucardo.delta_public_note'::regclass, 'bucardo.track_public_note'::regclass)
"""

# Of the oldest change that waits, in seconds.
AGE = "SELECT extract(epoch FROM now() - min(txntime)) FROM bucardo.delta_public_note"


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right"), site.master("third")]


@pytest.fixture(scope="module")
def inventory(site, masters):
    """A pair that has just been made."""
    inventory = site.inventory(masters[:2])
    site.play("bootstrap", inventory)
    return inventory


def write_and_wait_for_the_purge(masters: list[Master]) -> None:
    for number, master in enumerate(masters):
        master.sql(f"UPDATE public.note SET body = body || '.' WHERE id % 7 = {number}")
    assert same_rows(masters, "public.note")
    for master in masters:
        assert eventually(lambda master=master: master.value(QUEUED) == "0", PURGED_WITHIN), (
            master.name,
            master.value(QUEUED),
        )


def test_after_the_bootstrap(masters, inventory):
    write_and_wait_for_the_purge(masters[:2])


def test_what_much_is_written_of_is_purged_at_once(masters, inventory):
    """Bucardo's own process leaves it alone for 45 s, through which every run reads."""
    left, right = masters[:2]
    for writer in (left, right):
        writer.sql(CHANGE)
        assert same_rows(masters[:2], "public.note")
        assert eventually(lambda writer=writer: writer.value(QUEUED) == "0", PURGED_SOON)


def test_only_what_all_have_for_certain_is_purged_at_once(site, masters, inventory):
    left = masters[0]
    group = "dbgroup multimaster"
    # By their time: how many transactions noted a change, and its marks.
    noted = {
        "2001-01-01": (1, (group, SOMEBODY)),
        "2001-01-02": (2, (group, SOMEBODY)),
        "2001-01-03": (1, (group,)),
        "2001-01-04": (1, (group, group)),
        "2001-01-05": (1, (group, group, SOMEBODY)),
        "2001-01-06": (1, ()),
    }
    with left.unpurged("public.note"):
        for time, (transactions, marks) in noted.items():
            for _each in range(transactions):
                left.sql(f"INSERT INTO bucardo.delta_public_note VALUES (1, '{time}')")
            for mark in marks:
                left.sql(f"INSERT INTO bucardo.track_public_note VALUES ('{time}', '{mark}')")
        with pg.Session(site.conninfo(left)) as session:
            session.execute(
                purge.statement(int(left.value("SELECT 'public.note'::regclass::oid")), NOTE)
            )
        old = "WHERE txntime < '2002-01-01'"
        times = f"SELECT DISTINCT txntime::date FROM bucardo.{{}} {old} ORDER BY 1"
        kept = sorted(noted)[1:]
        assert [row[0] for row in left.sql(times.format("delta_public_note"))] == kept
        assert kept[0] in [row[0] for row in left.sql(times.format("track_public_note"))]
        assert "2001-01-01" not in [row[0] for row in left.sql(times.format("track_public_note"))]
        for table in ("delta_public_note", "track_public_note"):
            left.sql(f"DELETE FROM bucardo.{table} {old}")


def handled(node: dict[str, t.Any]) -> float:
    """How many rows a plan has taken into its hands."""
    rows = node["Actual Rows"] + node.get("Rows Removed by Join Filter", 0)
    return rows * node["Actual Loops"] + sum(map(handled, node.get("Plans", ())))


def test_what_is_not_yet_purged_is_not_gone_over_for_each_of_it(site, masters, inventory):
    left = masters[0]
    with left.unpurged("public.note"):
        left.sql(CHANGE)
        assert same_rows(masters[:2], "public.note")
        left.sql(UNKNOWN)
        said = site.run(
            left.host,
            f'runuser -u postgres -- psql -XAtq -d {left.database} -c "$CHECK" 2>&1',
            CHECK=CHECK,
        )
        assert "0,public.note" in said
        plans = re.split(r"LOG:.* plan:\n", said)[1:]
        of_check = [json.JSONDecoder().raw_decode(text)[0] for text in plans]
        (found,) = [one for one in of_check if "delta_public_note" in one["Query Text"]]
        assert CHANGES < handled(found["Plan"]) < 10 * CHANGES
        # So do questions of our own.
        with pg.Session(site.conninfo(left)) as session:
            for query in (WAITS_FOR, statements.waits(NOTE, ["dbgroup multimaster"])):
                explained = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) {}").format(query)
                ((found,),) = session.column(explained)
                assert CHANGES < handled(found["Plan"]) < 10 * CHANGES


def test_after_the_purging_process_was_killed_and_the_bootstrap_run_again(site, masters, inventory):
    """Bucardo looks for the file with its process id only, so it never starts another."""
    killed = site.run(site.bucardo_host, "pkill -KILL --full '^[B]ucardo VAC'; echo $?")
    assert killed.strip() == "0"
    # It purges only where much is written, and may find that it is.
    with site.without_poller():
        masters[0].sql("INSERT INTO public.note VALUES (1000, 'waits')")
        site.bucardo("kick", "multimaster")
        assert same_rows(masters[:2], "public.note")
        # What was replicated stays, and the status says so and fails: not at once, since a process
        # that ends by itself is replaced.
        assert eventually(lambda: float(masters[0].value(AGE)) > 120, 130)
        assert "purg" in site.play("status", inventory, check=False).error.lower()
    assert site.play("bootstrap", inventory).changes != []
    assert site.play("bootstrap", inventory).changes == []
    site.play("status", inventory)


def test_a_process_that_ended_by_itself_is_waited_for(site, masters, inventory):
    """Any error ends it, and the daemon replaces it."""
    ended = masters[0].sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name LIKE 'bucardo VAC%' AND datname = current_database()"
    )
    assert ended
    site.play("status", inventory)
    assert site.play("bootstrap", inventory).changes == []
    write_and_wait_for_the_purge(masters[:2])


def test_what_is_kept_for_a_master_that_comes_in_is_not_late(site, masters, inventory):
    """Its copy may take hours; a daemon that is restarted meanwhile purges no more than before."""
    left = masters[0]
    with left.unpurged("public.note"):
        left.sql("UPDATE public.note SET body = body || '!' WHERE id = 1")
        assert same_rows(masters[:2], "public.note")
        assert left.value("SELECT count(*) FROM bucardo.delta_public_note") != "0"
        with pg.Session(site.conninfo(left)) as session:
            found = purge.read(session, "multimaster", [NOTE])
        assert found.rows == 0


def test_after_a_third_master_came_in(site, masters, inventory):
    site.play("bootstrap", site.inventory(masters))
    write_and_wait_for_the_purge(masters)
    site.play("status", site.inventory(masters))


def test_status_shows_the_purge(site, masters, inventory):
    text = site.play("status", site.inventory(masters)).text
    assert re.search(r"left +multimaster +\d+ +[\d.]+ s", text), text


def test_after_it_has_left(site, masters, inventory):
    """Its schema goes, and the process that was connected to it ends."""
    leaves = ("--extra-vars", "multimaster_remove_master=third")
    site.play("remove_master", site.inventory(masters), *leaves)
    write_and_wait_for_the_purge(masters[:2])
    # Only its lines in the password files are left.
    assert all("Passwords" in one for one in site.play("bootstrap", inventory).changes)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table of one master is made new from the origin while everything else goes on replicating."""

from __future__ import annotations

import threading
import time

import pytest
from site_of_tests import eventually, same_rows

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public."Big One" (id integer PRIMARY KEY, body text NOT NULL);
INSERT INTO public."Big One" SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 4000) i;
CREATE TABLE public.other (id integer PRIMARY KEY, body text NOT NULL);
INSERT INTO public.other SELECT i, 'row ' || i FROM generate_series(1, 100) i;
"""
BIG = 'public."Big One"'
# As nothing that replicates would do it.
DAMAGE = f"""
SET session_replication_role = replica;
DELETE FROM {BIG} WHERE id % 100 = 1;
UPDATE {BIG} SET body = 'damaged' WHERE id % 100 = 2;
INSERT INTO {BIG} VALUES (-1, 'nobody knows whence');
"""


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


class Writer(threading.Thread):
    """Writes on one master until it is stopped, and counts."""

    def __init__(self, master, statement: str) -> None:
        super().__init__()
        self.master, self.statement, self.done, self.writes = master, statement, False, 0

    def run(self) -> None:
        while not self.done:
            self.writes += 1
            self.master.sql(self.statement.format(self.writes))
            time.sleep(0.2)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.done = True
        self.join()


def reseed(tables: list[str], **more) -> dict:
    return {"multimaster_reseed_master": "right", "multimaster_reseed_tables": tables, **more}


def with_variables(inventory, variables):
    changed = {**inventory["all"], "vars": {**inventory["all"]["vars"], **variables}}
    return {"all": changed}


def test_nothing_happens_without_saying_what(site, inventory):
    play = site.play("reseed", inventory, check=False)
    assert play.code != 0
    assert "multimaster_reseed_master=NAME, one of right" in play.error
    assert play.changes == []


def test_one_table_is_made_new_under_writers_and_the_rest_replicates(site, masters, inventory):
    left, right = masters
    right.sql(DAMAGE)
    wanted = with_variables(inventory, reseed([BIG], multimaster_reseed_rate_limit=300_000))
    arrived = ""
    updates = Writer(right, f"UPDATE {BIG} SET body = 'right {{0}}' WHERE id = {{0}} * 7 + 5")
    inserts = Writer(right, f"INSERT INTO {BIG} VALUES (9000 + {{0}}, 'right')")
    with (
        Writer(left, f"UPDATE {BIG} SET body = 'left {{0}}' WHERE id = {{0}} * 7"),
        updates,
        inserts,
        Writer(left, "INSERT INTO public.other VALUES (1000 + {0}, 'left')"),
        Writer(right, "INSERT INTO public.other VALUES (-1000 - {0}, 'right')"),
        site.started("reseed", wanted) as process,
    ):
        text = ""
        for line in process.stdout:
            text += line
            if "Copy the rows anew" in line:
                left.sql("INSERT INTO public.other VALUES (999, 'while it was copied')")
                seen = eventually(
                    lambda: right.value("SELECT body FROM public.other WHERE id = 999"), 30
                )
                arrived = "before its end" if seen and process.poll() is None else "too late"
        assert process.wait() == 0, text
    assert "Copy the rows anew" in text
    assert arrived == "before its end"
    assert same_rows(masters, BIG, "public.other")
    assert left.value(f"SELECT count(*) FROM {BIG} WHERE id <= 4000") == "4000"
    # What was written to the very table on the very master, before, meanwhile, and after.
    assert left.value(f"SELECT count(*) FROM {BIG} WHERE id > 9000") == str(inserts.writes)
    wanted = [7 * i + 5 for i in range(1, updates.writes + 1) if 7 * i + 5 <= 4000]
    written = f"SELECT count(*) FROM {BIG} WHERE body = 'right ' || (id - 5) / 7"
    # Before the reseed, the rows that the damage had deleted were not there to be changed.
    damaged = len([one for one in wanted if one % 100 == 1])
    assert 0 <= len(wanted) - int(left.value(written)) <= damaged
    # Both directions, the table that was aside included.
    right.sql(f"UPDATE {BIG} SET body = 'from the right' WHERE id = 4000")
    assert same_rows(masters, BIG)
    site.play("verify", inventory)


def test_a_killed_one_is_finished_by_running_it_again(site, masters, inventory):
    left, right = masters
    right.sql(DAMAGE)
    wanted = with_variables(inventory, reseed([BIG], multimaster_reseed_rate_limit=100_000))
    with site.started("reseed", wanted) as process:
        for line in process.stdout:
            if "Copy the rows anew" in line:
                time.sleep(5)
                break
    left.sql(f"UPDATE {BIG} SET body = 'after the kill' WHERE id = 11")
    right.sql(f"UPDATE {BIG} SET body = 'after the kill' WHERE id = 12")
    site.play(
        "reseed",
        with_variables(inventory, reseed([BIG], multimaster_discard_queue=True)),
    )
    assert same_rows(masters, BIG, "public.other")
    assert left.value(f"SELECT body FROM {BIG} WHERE id = 11") == "after the kill"
    assert site.play("bootstrap", inventory).changes == []


@pytest.mark.parametrize("other", ["nobody else", "a transaction that idles"])
def test_what_was_written_upon_a_copied_change_is_no_conflict_with_it(
    site, masters, inventory, other
):
    """Both wait: the change that the copy has brought, and what an application made of it."""
    left, _right = masters
    if other == "nobody else":
        written_upon_a_copied_change(site, masters, inventory)
        return
    # It has a number, so that all later ones may be of its subtransactions.
    with Session(site.conninfo(left)) as session, session.transaction():
        session.execute("SELECT pg_catalog.txid_current()")
        written_upon_a_copied_change(site, masters, inventory)


def written_upon_a_copied_change(site, masters, inventory):
    left, right = masters
    sync = {"name": "multimaster", "relgroup": "multimaster", "dbgroup": "multimaster"}
    site.module("bucardo_sync", inventory, **sync, status="held", enrol=False)
    left.sql("UPDATE public.other SET body = 'before the copy' WHERE id BETWEEN 20 AND 24")
    right.sql("UPDATE public.other SET body = 'not knowing it' WHERE id = 24")
    here, there = site.masters_option(inventory)
    done = site.module(
        "data_seed",
        inventory,
        source=here,
        target=there,
        tables=["public.other"],
        replace=["public.other"],
        replace_vouched=True,
        keep_queued=True,
    )
    assert done["totals"]["kept"] == 1
    assert right.value("SELECT body FROM public.other WHERE id = 24") == "not knowing it"
    # Each is the last word on its row, but for 23 and 24, where both masters wrote.
    right.sql("UPDATE public.other SET body = body || ', then right' WHERE id IN (20, 22, 23)")
    right.sql("DELETE FROM public.other WHERE id = 21")
    left.sql("UPDATE public.other SET body = 'left, unseen' WHERE id = 23")
    # By its rule, Bucardo would take the rows of the master that wrote last for all conflicts.
    left.sql("UPDATE public.other SET body = 'the last write' WHERE id = 30")
    options = {"masters": site.masters_option(inventory)}
    caught = site.module("bucardo_catch_up", inventory, name="multimaster", **options)
    assert caught["totals"]["superseded"] == 3
    site.play("bootstrap", inventory)
    assert same_rows(masters, "public.other")
    bodies = left.value(
        "SELECT string_agg(id || ': ' || body, '; ' ORDER BY id) FROM public.other"
        " WHERE id BETWEEN 20 AND 24"
    )
    assert bodies.startswith(
        "20: before the copy, then right; 22: before the copy, then right; 23: "
    )
    assert left.value("SELECT body FROM public.other WHERE id = 30") == "the last write"
    left.sql("INSERT INTO public.other VALUES (21, 'row 21')")
    assert same_rows(masters, "public.other")


def test_the_playbook_knows_of_it_too(site, masters, inventory):
    """While the table is out of the sync, which Bucardo then does not know any more."""
    left, right = masters
    seen = "UPDATE public.other SET body = body || ', then right' WHERE id IN (40, 41)"
    acts = {
        "Copy the rows anew": (left, "UPDATE public.other SET body = 'left' WHERE id IN (40, 41)"),
        "Hold the sync for a moment": (right, seen),
        # By its rule, Bucardo would take the rows of the master that wrote last for all conflicts.
        "Put the tables back": (left, "UPDATE public.other SET body = 'last' WHERE id = 42"),
    }
    wanted = with_variables(inventory, reseed(["public.other"]))
    lines = []
    with site.started("reseed", wanted) as process:
        for line in process.stdout:
            lines.append(line)
            for words, (master, statement) in acts.items():
                if line.startswith(f"TASK [Reseed | {words}"):
                    master.sql(statement)
        assert process.wait() == 0, "".join(lines)
    assert same_rows(masters, "public.other")
    bodies = "SELECT string_agg(DISTINCT body, '; ') FROM public.other WHERE id IN (40, 41)"
    assert left.value(bodies) == "left, then right"


def test_changes_that_only_this_master_has_are_kept(site, masters, inventory):
    left, right = masters
    site.bucardo("stop", "test")
    right.sql("UPDATE public.other SET body = 'only here' WHERE id IN (1, 2)")
    right.sql("DELETE FROM public.other WHERE id = 3")
    left.sql("UPDATE public.other SET body = 'only there' WHERE id = 4")
    wanted = with_variables(inventory, reseed(["*.*"], multimaster_reseed_drain_timeout=3))
    # All tables: the sync is held, and its release starts a daemon.
    site.play("reseed", wanted)
    assert same_rows(masters, "public.other", BIG)
    assert left.value("SELECT body FROM public.other WHERE id = 2") == "only here"
    assert left.value("SELECT count(*) FROM public.other WHERE id = 3") == "0"
    assert right.value("SELECT body FROM public.other WHERE id = 4") == "only there"

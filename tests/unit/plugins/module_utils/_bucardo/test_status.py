# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of replication as text."""

from __future__ import annotations

import datetime
import re

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import status
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import states


def run(outcome, started="2026-01-02 03:04:05.678+00", ended="2026-01-02 03:04:06.1+00", **more):
    return {
        "sync": "multimaster",
        "started": started,
        "ended": ended,
        "outcome": outcome,
        "status": "Complete",
        "details": "",
        "truncates": 0,
        "deletes": 3,
        "inserts": 20,
        "conflicts": 0,
        **more,
    }


def queue(master, changes=0, oldest=0.0, error=""):
    return {
        "sync": "multimaster",
        "master": master,
        "changes": changes,
        "oldest": oldest,
        "error": error,
    }


def pending(table, changes, oldest=1.0, truncated=False, master="here"):
    return {
        "sync": "multimaster",
        "master": master,
        "table": table,
        "changes": changes,
        "oldest": oldest,
        "truncated": truncated,
    }


def info(**more):
    return {
        "installed": True,
        "version": "5.6.0",
        "daemon": {"running": True, "answers": True},
        "dbgroups": {"all": {"here": "source", "there": "source"}},
        "syncs": {"multimaster": {"status": "active", "dbgroup": "all", "runs": [run("good")]}},
        "queues": [queue("here"), queue("there")],
        "pending": [],
        "purges": [],
        "truncates_lost": [],
        "settings": {"bucardo_vac": "1"},
        "seeds": [],
        **more,
    }


def seed(active=False, finished=False, **more):
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.timezone.utc)
    fields = {
        "active": active,
        "phase": "copy",
        "source": "1/shop",
        "started_at": moment,
        "updated_at": moment,
        "finished_at": moment if finished else None,
        "tables_total": 8,
        "tables_done": 2,
        "bytes_total": 1000,
        "bytes_done": 255,
        "current_tables": ["public.orders"],
        **more,
    }
    return status.seed_row("there", states.Run(**fields))


def test_all_is_well():
    assert status.lines(info()) == [
        "Bucardo 5.6.0: the daemon runs and answers",
        "",
        "Sync         Status  Master  Waiting  Oldest",
        "multimaster  active  here          0",
        "                     there         0",
        "",
        "Sync         Last run  Began                   Ended"
        "                   Deletes  Inserts  Conflicts",
        "multimaster  good      2026-01-02 03:04:05+00  2026-01-02 03:04:06+00"
        "        3       20          0",
    ]


@pytest.mark.parametrize(
    ("daemon", "said"),
    [
        ({"running": False, "answers": False}, "NOT RUNNING"),
        ({"running": True, "answers": False}, "DOES NOT ANSWER"),
    ],
)
def test_a_daemon_in_trouble_is_seen_in_the_first_line(daemon, said):
    assert said in status.lines(info(daemon=daemon))[0]


def test_bucardo_is_not_there():
    assert status.lines({"installed": False}) == [
        "Bucardo is not installed in the control database"
    ]


def test_no_sync():
    assert status.lines(info(syncs={}))[1:] == ["There is no sync"]


def test_another_result_is_refused():
    with pytest.raises(KeyError, match="installed"):
        status.lines({"changed": False})


def test_what_waits_and_since_when():
    text = status.lines(info(queues=[queue("here", 1234, 7260.0), queue("there", 1, 0.44)]))
    assert text[3:5] == [
        "multimaster  active  here       1234  2 h 01 min",
        "                     there         1       0.4 s",
    ]


def test_a_master_that_cannot_be_read_is_named_with_the_reason():
    text = status.lines(info(queues=[queue("here"), queue("there", error="Cannot connect:\n no")]))
    assert text[4].split() == ["there", "unknown"]
    assert text[5] == "there: Cannot connect: no"


def test_a_target_has_no_queue():
    text = status.lines(info(dbgroups={"all": {"here": "source", "copy": "target"}}))
    assert text[4].strip() == "copy (target)"


def test_the_error_of_the_last_bad_run_in_one_line_of_bearable_length():
    bad = run("bad", ended=None, details="DBD::Pg::st execute failed:\n  ERROR " + "x" * 1000)
    text = status.lines(
        info(syncs={"multimaster": {"status": "held", "dbgroup": "all", "runs": [bad]}})
    )
    assert text[-1].startswith("Error of multimaster: DBD::Pg::st execute failed: ERROR xxx")
    assert text[-1].endswith("x…")
    assert len(text[-1]) < 400
    assert any(line.split()[:2] == ["multimaster", "held"] for line in text)


def test_a_sync_that_never_ran():
    text = status.lines(info(syncs={"s": {"status": "held", "dbgroup": "all", "runs": []}}))
    assert text[-1].split() == ["s", "never"]


def test_superseded_runs_are_left_out():
    runs = [run("running", ended=None), run("other", ended=None), run("empty")]
    text = status.lines(info(syncs={"s": {"status": "active", "dbgroup": "all", "runs": runs}}))
    assert [line.split()[0] for line in text[-2:]] == ["s", "empty"]
    assert "running" in text[-2]


def test_ten_tables_with_most_and_how_many_more():
    many = [pending(f"public.t{number:02d}", number) for number in range(1, 13)]
    text = status.lines(info(pending=many))
    start = next(place for place, line in enumerate(text) if line.startswith("Table"))
    assert text[start + 1].split()[0] == "public.t12"
    assert text[start + 10].split()[0] == "public.t03"
    assert text[start + 11 :] == ["and 2 more with 3 changes"]


def test_a_waiting_truncate_is_told():
    text = status.lines(info(pending=[pending("public.t", 0, truncated=True)]))
    assert text[-1].startswith("public.t (TRUNCATE)")


def test_a_seed_that_runs():
    assert status.lines(info(seeds=[seed(active=True)]))[1] == (
        "Seed of there is running: 25 %, 2 of 8 tables, copy, now public.orders"
    )


def test_a_seed_that_was_killed():
    row = seed()
    assert (row["state"], row["tables"], row["finished"]) == ("interrupted", [], None)
    assert status.lines(info(seeds=[row]))[1] == (
        "Seed of there was INTERRUPTED 2026-01-02 03:04:05+00:00: 25 %, 2 of 8 tables; run it again"
    )


def test_a_seed_before_bucardo_is_there():
    text = status.lines({"installed": False, "seeds": [seed(active=True)]})
    assert text[1].startswith("Seed of there is running")


def test_a_finished_seed_is_data_only():
    row = seed(finished=True, phase="finished")
    assert (row["state"], row["percent"]) == ("finished", 100)
    assert status.lines(info(seeds=[row])) == status.lines(info())


@pytest.mark.parametrize(("done", "total", "percent"), [(0, 0, 0), (1000, 1000, 99), (5, 1000, 0)])
def test_percent_is_100_only_at_the_end(done, total, percent):
    assert seed(active=True, bytes_done=done, bytes_total=total)["percent"] == percent


def purge(master="here", alive=True, rows=3, oldest=20.0):
    return {
        "sync": "multimaster",
        "master": master,
        "alive": alive,
        "rows": rows,
        "oldest": oldest,
    }


def test_what_is_purged_and_by_whom_is_shown():
    shown = status.lines(
        info(
            purges=[
                purge(),
                purge("there", alive=False, rows=7, oldest=121.0),
                purge("x", alive=False),
            ]
        )
    )
    assert "here   multimaster           3    20 s  alive" in shown
    assert any(re.fullmatch("there  multimaster +7 +.*  DEAD", line) for line in shown)
    assert any(re.fullmatch("x      multimaster +3 +20 s  awaited", line) for line in shown)

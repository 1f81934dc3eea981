# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a worker does for each task, in which order, and what it says when that fails."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import tasks, worker
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.connections import (
    Connections,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.copy import Moved
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.pool import Channel
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    MB,
    index,
    job,
    name,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.sides import (
    CHUNK,
    ROWS,
    SUMS,
    settings,
    source,
    target,
)

BYTES = len(CHUNK)
LOCK_TIMEOUT = StatementFailed("canceling statement due to lock timeout", sqlstate="55P03")


class Made:
    """A worker between two sides, and the other end of its channel."""

    def __init__(self, *jobs, here=None, there=None, **options):
        self.here, self.there = here or source(), there or target()
        self.opened = []
        sides = {"source": self.here, "target": self.there}
        known = settings(sides, jobs, **options)

        def open_(conninfo, application_name):
            self.opened.append(conninfo.name)
            return sides[conninfo.name]

        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self.worker = worker.Worker(known, Connections(known, open_), Channel(theirs), 0)
        self._sockets = (ours, theirs)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for sock in self._sockets:
            sock.close()

    def do(self, task):
        return self.worker.do(task)

    def events(self):
        """What was sent besides the answer."""
        self._sockets[0].setblocking(False)
        return [tasks.event_of(message) for message in self._channel.receive() or []]

    def wrote(self, *pieces):
        """The target's statements that contain one of these, by the piece."""
        return [
            piece
            for text in self.there.texts
            for piece in pieces
            if text.replace('"', "").startswith(piece) or f"; {piece}" in text.replace('"', "")
        ]


def proven(number=0, rows=ROWS, count=BYTES, complete=True, discarded=0):
    def is_same(event):
        [table] = event.tables
        assert (table.job, table.rows, table.bytes) == (number, rows, count)
        assert (table.complete, event.discarded) == (complete, discarded)
        return True

    return is_same


class TestWholeTables:
    def test_copied_proven_entered_and_analyzed_in_one_transaction(self):
        with Made(job("t", MB)) as made:
            assert proven()(made.do(tasks.CopyTables((0,))))
            assert made.events() == [tasks.SourceRead((0,), len(CHUNK))]
        order = ("BEGIN", "LOCK TABLE", "COPY", "SET search_path", "INSERT INTO multimaster.seed")
        order += ("ANALYZE public.t", "COMMIT")
        assert made.wrote(*order, "ROLLBACK") == list(order)
        assert [text.split()[0] for text in made.here.texts if "COPY" in text] == ["COPY"]
        assert made.here.texts[-1] == "COMMIT"

    def test_what_the_ledger_says(self):
        with Made(job("t", MB)) as made:
            made.do(tasks.CopyTables((0,)))
        [entry] = [text for text in made.there.texts if "INSERT INTO multimaster.seed" in text]
        # table_oid, state, rows, bytes, hash, proof
        assert (
            f"('public', 't', 2, 'seeded', {ROWS}, {len(CHUNK)}, '{SUMS[1]}', 'mixed-64'," in entry
        )

    def test_several_tables_one_after_the_other(self):
        with Made(job("a"), job("b"), there=target(queues=["delta_public_b"])) as made:
            found = made.do(tasks.CopyTables((0, 1)))
        assert [(table.job, table.rows) for table in found.tables] == [(0, ROWS), (1, ROWS)]
        # The queue of one of them was not empty.
        assert found.discarded == 1
        assert [text for text in made.here.texts if text.startswith("COPY")] == [
            f'COPY "public"."{text}" ("id") TO STDOUT (FORMAT binary)' for text in "ab"
        ]

    def test_without_proof_nothing_is_hashed(self):
        with Made(job("t", MB), proof=False) as made:
            assert proven()(made.do(tasks.CopyTables((0,))))
        assert not any("s.hash" in text for text in made.here.texts + made.there.texts)
        [entry] = [text for text in made.there.texts if "INSERT INTO multimaster.seed" in text]
        assert "NULL, NULL, 'binary'" in entry

    def test_indexes_are_deferred_after_the_lock_and_left_to_be_built(self):
        made_job = job("t", MB, defer=(index("i"),), index_mode="catalog")
        with Made(made_job) as made:
            assert proven(complete=False)(made.do(tasks.CopyTables((0,))))
        order = ["LOCK TABLE", "UPDATE pg_catalog.pg_index", "COPY", "ANALYZE"]
        assert made.wrote(*order) == order[:-1]
        assert any("ACCESS EXCLUSIVE" in text for text in made.there.texts)
        assert any("'copied'" in text for text in made.there.texts)

    def test_triggers_and_indexes_that_are_in_the_way_come_back_before_the_proof(self):
        made_job = job(
            "t", MB, state={"always_triggers": (("audit", "A"),)}, recreate=(index("i"),)
        )
        with Made(made_job) as made:
            made.do(tasks.CopyTables((0,)))
        order = [
            "ALTER TABLE public.t DISABLE",
            "DROP INDEX",
            "COPY",
            "ALTER TABLE public.t ENABLE",
        ]
        order += ["CREATE INDEX i", "SET search_path"]
        assert made.wrote(*order) == order

    def test_dead_rows_of_a_killed_load_go_first(self):
        with Made(job("t", 2 * MB, state={"target_bytes": 2 * MB})) as made:
            made.do(tasks.CopyTables((0,)))
        assert made.wrote("VACUUM", "COPY") == ["VACUUM", "COPY"]

    @pytest.mark.parametrize("referenced", [True, False])
    def test_what_a_killed_run_has_copied_in_parts_goes_first(self, referenced):
        there = target(referenced=[2] if referenced else [])
        with Made(job("t", MB, state={"half": True}), there=there) as made:
            made.do(tasks.CopyTables((0,)))
        how = "DELETE FROM ONLY" if referenced else "TRUNCATE ONLY"
        wrote = made.wrote("DELETE FROM ONLY", "TRUNCATE ONLY", "DELETE FROM multimaster", "COPY")
        assert wrote == [how, "DELETE FROM multimaster", "COPY"]

    @pytest.mark.parametrize("referenced", [True, False])
    def test_rows_that_may_go_are_replaced(self, referenced):
        there = target(filled=[2], referenced=[2] if referenced else [])
        with Made(job("t", MB, replace=True), there=there) as made:
            made.do(tasks.CopyTables((0,)))
        how = "DELETE FROM ONLY" if referenced else "TRUNCATE ONLY"
        assert made.wrote("BEGIN", "DELETE FROM ONLY", "TRUNCATE ONLY", "COPY") == [
            "BEGIN",
            how,
            "COPY",
        ]


class TestFailures:
    def test_rows_that_came_meanwhile_stay(self):
        with Made(job("t", MB), there=target(filled=[2])) as made:
            found = made.do(tasks.CopyTables((0,)))
        assert (found.why, found.text.split(" got")[0]) == (tasks.FAILED, "public.t")
        assert made.wrote("COPY", "ROLLBACK") == ["ROLLBACK"]

    def test_what_arrived_is_not_what_was_sent(self):
        there = target(sums=(ROWS, "54321"))
        with Made(job("t", MB), there=there) as made:
            found = made.do(tasks.CopyTables((0,)))
        assert found.why == tasks.FAILED
        assert "public.t: the 1000 rows that arrived are not the 1000 that were read" in found.text
        assert made.wrote("INSERT", "ROLLBACK", "COMMIT") == ["ROLLBACK"]
        assert made.there.closed

    def test_a_table_was_truncated_since_the_snapshot(self):
        with Made(job("t", MB), here=source(snapshot=[{"oid": 1, "filenode": 99}])) as made:
            assert made.do(tasks.CopyTables((0,))) == tasks.Failed(tasks.MOVED)
            assert made.events() == []
        assert made.wrote("INSERT", "ROLLBACK") == ["ROLLBACK"]

    @pytest.mark.parametrize(
        ("error", "why"),
        [
            (LOCK_TIMEOUT, tasks.LOCKED),
            (StatementFailed("invalid snapshot identifier", sqlstate="22023"), tasks.LOST),
            (StatementFailed("terminating connection", sqlstate="57P01"), tasks.LOST),
            (ConnectionFailed("Lost the connection"), tasks.LOST),
            (StatementFailed("permission denied", sqlstate="42501"), tasks.FAILED),
        ],
    )
    def test_of_the_source_are_told_as_such(self, error, why):
        """Not as those of the target, which only sees that its input ends."""
        with Made(job("t", MB), here=source(snapshot=error)) as made:
            found = made.do(tasks.CopyTables((0,)))
        assert (found.why, found.text) == (why, error.one_line)
        # Nobody knows in which state it is.
        assert made.here.closed
        assert made.worker.do(tasks.Analyze(name("t"))) == tasks.Done()
        assert made.opened == ["target", "source", "target"]

    def test_of_the_target_end_the_reading(self):
        refused = StatementFailed(
            'violates check constraint "t_check"', sqlstate="23514", detail="Failing row: (7)."
        )
        with Made(job("t", MB), there=target(answers={"FROM STDIN": refused})) as made:
            found = made.do(tasks.CopyTables((0,)))
        assert found.why == tasks.FAILED
        assert found.text == 'public.t: violates check constraint "t_check"'
        assert found.details == {"detail": "Failing row: (7)."}
        assert made.here.closed

    def test_a_lock_of_the_target(self):
        with Made(job("t", MB), there=target(answers={"LOCK TABLE": LOCK_TIMEOUT})) as made:
            assert made.do(tasks.CopyTables((0,))).why == tasks.LOCKED

    def test_that_nobody_thought_of_keep_their_traceback(self):
        with Made(job("t", MB), there=target(answers={"ANALYZE": KeyError("x")})) as made:
            found = made.do(tasks.Analyze(name("t")))
        assert (found.why, found.text) == (tasks.FAILED, "KeyError: 'x'")
        assert "in _analyze" in found.details["traceback"]
        assert made.there.closed

    def test_also_those_of_the_reading_thread(self):
        with Made(job("t", MB), here=source(snapshot=ZeroDivisionError("oops"))) as made:
            found = made.do(tasks.CopyTables((0,)))
        assert found.text == "ZeroDivisionError: oops"
        assert "in _feed" in found.details["traceback"]


class TestParts:
    def test_the_ledger_knows_before_there_are_rows(self):
        with Made(job("t", MB, parts=((0, 5), (5, None)))) as made:
            found = made.do(tasks.BeginParts(0))
        assert isinstance(found, tasks.PartsBegun)
        assert made.wrote("BEGIN", "LOCK", "INSERT", "COMMIT") == [
            *("BEGIN", "LOCK", "INSERT", "COMMIT")
        ]
        assert any("'copying'" in text for text in made.there.texts)

    def test_a_part(self):
        with Made(job("t", MB, parts=((0, 5), (5, None)))) as made:
            found = made.do(tasks.CopyPart(0, (5, None)))
            assert made.events() == [tasks.SourceRead((0,), len(CHUNK))]
        assert found == tasks.PartCopied(tasks.Read(ROWS, len(CHUNK), SUMS))
        # No lock: others copy other parts.
        assert made.wrote("BEGIN", "LOCK", "COPY", "COMMIT") == ["BEGIN", "COPY", "COMMIT"]
        assert any("ctid >= '(5,0)'" in text for text in made.here.texts)

    def test_their_sum_is_the_proof(self):
        with Made(job("t", MB, parts=((0, 5), (5, None)))) as made:
            read = tasks.Read(ROWS, 2 * len(CHUNK), SUMS)
            found = made.do(tasks.ProveParts(0, read, 0.0))
        assert proven(count=2 * len(CHUNK))(found)
        assert made.opened == ["target"]
        assert made.wrote("LOCK", "SET search_path", "INSERT") == [
            *("LOCK", "SET search_path", "INSERT")
        ]

    def test_too_few_of_them(self):
        with Made(job("t", MB, parts=((0, 5), (5, None)))) as made:
            found = made.do(tasks.ProveParts(0, tasks.Read(ROWS + 1, 1, (ROWS + 1, "1")), 0.0))
        assert "the 1000 rows that arrived are not the 1001" in found.text

    def test_what_they_left_is_taken_away(self):
        with Made(job("t", MB, parts=((0, 5), (5, None)))) as made:
            assert made.do(tasks.EmptyTable(0)) == tasks.Done()
        assert made.wrote("TRUNCATE", "DELETE FROM multimaster") == [
            *("TRUNCATE", "DELETE FROM multimaster")
        ]


class TestAfterwards:
    @pytest.mark.parametrize(
        ("task", "wrote"),
        [
            (tasks.BuildIndex(name("i"), name("t"), True), ["REINDEX INDEX"]),
            (
                tasks.FinishTable(name("t")),
                ["BEGIN", "UPDATE multimaster.seed", "ANALYZE", "COMMIT"],
            ),
            (tasks.Analyze(name("t")), ["ANALYZE"]),
            (tasks.Refresh(name("v")), ["REFRESH MATERIALIZED VIEW", "ANALYZE"]),
        ],
        ids=str,
    )
    def test_the_source_is_left_alone(self, task, wrote):
        with Made(job("t")) as made:
            assert made.do(task) == tasks.Done()
        known = ["BEGIN", "UPDATE multimaster.seed", "REINDEX INDEX", "REFRESH MATERIALIZED VIEW"]
        assert made.wrote(*known, "ANALYZE", "COMMIT") == wrote
        assert made.opened == ["target"]


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (Moved(), tasks.Failed(tasks.MOVED)),
        (
            Refused("No.", "Do that.", hint="h", count=3),
            tasks.Failed(tasks.FAILED, "No. Do that.", {"hint": "h", "count": "3"}),
        ),
    ],
    ids=str,
)
def test_what_an_error_means(error, event):
    assert worker.failed(error) == event


def test_every_task_is_known():
    with Made() as made:
        for kind in tasks.Task.__args__:
            found = made.do(kind(**dict.fromkeys(kind.__dataclass_fields__, 0)))
            assert getattr(found, "text", "") != f"KeyError: {kind}"


def test_sessions_say_how_they_are_to_be_treated():
    with Made(job("t"), maintenance_work_mem="1GB", lock_timeout=77) as made:
        made.do(tasks.CopyTables((0,)))
    [wanted] = [ran.params for ran in made.there.ran if "pg_settings s ON" in ran.text]
    given = dict(zip(*wanted))
    assert given["session_replication_role"] == "replica"
    assert (given["maintenance_work_mem"], given["default_toast_compression"]) == ("1GB", "lz4")
    [wanted] = [ran.params for ran in made.here.ran if "pg_settings s ON" in ran.text]
    assert dict(zip(*wanted))["lock_timeout"] == "77"

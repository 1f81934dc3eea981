# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole seeds, with real processes between servers that are made up."""

from __future__ import annotations

import datetime
import os
import signal
import time
import types

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
    MultimasterError,
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Master
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import alone, run
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.options import Options
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import MB
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.sides import (
    CHUNK,
    ROWS,
    source,
    target,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

PASSWORD = "hunter2-is-secret"
# OID and bytes on the source; the target's tables have the same OIDs.
TABLES = {"big": (1, 10 * MB), "other": (2, 5 * MB), "small": (3, 8192)}
MASTERS = {
    side: Master(side, ConnInfo(side, {"host": side, "dbname": "app", "password": PASSWORD}))
    for side in ("source", "target")
}


def catalogs(tables, has):
    """What both sides answer about their tables.

    :param has: the target holds no rows and has no triggers.
    """
    oids = [oid for oid, _bytes in tables.values()]
    return {
        "AS not_null": [
            {
                "oid": oid,
                "name": "id",
                "not_null": True,
                "type": "integer",
                "type_oid": 23,
                "identity": "",
                "generated": "",
                "collation": "",
            }
            for oid in oids
        ],
        "i.indisunique AS is_unique": [],
        "c.relpersistence AS persistence": [
            {
                "oid": oid,
                "schema": "public",
                "name": text,
                "kind": "r",
                "persistence": "p",
                "rows": ROWS,
                "relispartition": False,
                "row_security": False,
                "quoted": "public.note",
                "bytes": 0,
                "extension": "",
            }
            for text, (oid, _bytes) in tables.items()
        ],
        "AS always_triggers": [
            {"oid": oid, "filenode": 50 + oid, "bytes": 0, "queues": has, "always_triggers": []}
            for oid in oids
        ],
        "SET TRANSACTION SNAPSHOT": [{"oid": oid, "filenode": 50 + oid} for oid in oids],
        "pg_table_size(o.oid": [
            {"oid": oid, "bytes": count, "pages": count // 8192} for oid, count in tables.values()
        ],
    }


SERVER = {
    "to_regclass('multimaster.membership')": [{"there": False}],
    "to_regclass('bucardo.bucardo_delta_names')": [{"there": False}],
    "pg_is_in_recovery": [{"is": True}],
    "SELECT rolsuper": [{"is": True}],
    "WITH RECURSIVE walk": [],
    "AS table_oid": [],
    "pg_try_advisory_lock": [{"got": True}],
    "SELECT count(*) FROM pg_catalog.pg_stat_activity": [{"count": 0}],
    "n_tup_ins": [{"count": 0}],
    "UPDATE multimaster.seed_run SET phase = 'start'": [{"id": 7}],
    "AS encoding": [{"encoding": "UTF8", "samples": "the same"}],
    "current_setting('server_encoding')": [{"encoding": "UTF8"}],
    "enumvals": [{"knows": True}],
    "t.typbasetype::bigint": [{"oid": 23, "typname": "int4", "base": 0}],
    "SELECT CAST(ARRAY[": [{"hash": "the same"}],
    "pg_export_snapshot": [{"snapshot": "00000003-1B-1"}],
    "relkind = 'm'": [],
    "s.finished_at >= r.started_at": [],
    "'/' || oid || '/' || datname": [{"identity": "1/2/app"}],
    # Nobody has ever seeded here.
    "multimaster.seed') IS NOT NULL": [{"there": False}],
}


class Seed:
    """A seeder between two made-up servers, each of whose sessions begins anew."""

    def __init__(self, tables=None, here=None, there=None, caller=None, **options):
        given = {"workers": 2, "rounds": 1, "require_triggers": False, **options}
        self.sessions = []
        self._tables = TABLES if tables is None else tables
        self._answers = {"source": here or {}, "target": there or {}}
        self._options = Options(tables=["*.*"], exclude=[], **given)
        self._caller = caller

    def run(self):
        """Plan and apply, as a module does."""
        return self._told(check=False)

    def preview(self):
        """Plan only, as a module does in check mode."""
        return self._told(check=True)

    def _told(self, check):
        with Scope(check=check) as scope:
            change = run.plan_change(
                MASTERS["source"],
                MASTERS["target"],
                self._options,
                scope,
                self._caller,
                self._open,
            )
            if not check:
                change.apply()
        told = {**change.values["totals"], **change.values}
        return types.SimpleNamespace(changed=change.changed, warnings=change.warnings, **told)

    def _open(self, conninfo, _name):
        make = {"source": source, "target": target}[conninfo.name]
        known = {**SERVER, **catalogs(self._tables, False)}
        known["pg_postmaster_start_time"] = [{"server": conninfo.name}]
        # Those of the test come first.
        given = self._answers[conninfo.name]
        session = make(answers={**given, **known, **given})
        session.conninfo = conninfo
        self.sessions.append(session)
        return session


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(run, "_BACKOFF", (0.0, 0.0))


def killed(_params):
    os.kill(os.getpid(), signal.SIGKILL)


def failing(text, error):
    """An answer of the target to the load of one table."""
    return {f'COPY "public"."{text}"': error}


def test_everything_is_copied():
    reports = []
    caller = run.Caller(lambda progress: reports.append((progress.phase, progress.tables_done)))
    made = Seed(caller=caller)
    outcome = made.run()
    assert (outcome.changed, outcome.rounds, outcome.selected, outcome.workers) == (True, 1, 3, 2)
    assert [(one["table"], one["rows"], one["bytes"]) for one in outcome.tables] == [
        (f"public.{text}", ROWS, len(CHUNK)) for text in sorted(TABLES)
    ]
    assert outcome.tables[0]["size"] == 10 * MB
    assert outcome.snapshot_seconds > 0
    assert reports[-1] == ("finished", 3)
    # The parent's two sessions; the workers' are in other processes.
    here, there = made.sessions
    assert here.closed
    assert there.closed
    exported = here.texts.index("SELECT pg_catalog.pg_export_snapshot()")
    assert here.texts[exported - 1] == "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    assert here.texts.count("COMMIT") == 2  # with that of the sizes
    assert "SET synchronous_commit = on" in there.texts[-1]


def test_check_mode_writes_nothing_and_says_what_would_be():
    made = Seed()
    outcome = made.preview()
    assert outcome.changed
    assert [(one["table"], one["rows"]) for one in outcome.tables] == [
        ("public.big", ROWS),
        ("public.other", ROWS),
        ("public.small", ROWS),
    ]
    words = ("INSERT", "UPDATE", "CREATE", "DELETE", "LOCK", "TRUNCATE")
    assert not [text for one in made.sessions for text in one.texts if text.startswith(words)]


def test_nothing_selected_is_copied_but_a_run_is_entered():
    outcome = Seed(tables={}).run()
    assert (outcome.changed, outcome.tables, outcome.rounds) == (True, [], 1)


def test_a_table_that_cannot_be_copied_is_named_with_what_the_server_said():
    refused = StatementFailed(
        "violates check constraint", sqlstate="23514", detail="Failing row contains (7)."
    )
    with pytest.raises(MultimasterError) as caught:
        Seed(there=failing("other", refused)).run()
    error = caught.value
    text = "public.other: violates check constraint"
    assert error.message == text
    assert error.details["failures"] == [text]
    assert error.details["causes"] == [{"failure": text, "detail": "Failing row contains (7)."}]
    assert error.details["changed"]


def test_an_exception_that_nobody_thought_of_keeps_its_traceback_and_no_secrets():
    with pytest.raises(MultimasterError) as caught:
        Seed(there=failing("other", KeyError("x"))).run()
    [cause] = caught.value.details["causes"]
    assert cause["failure"] == "public.other: KeyError: 'x'"
    assert "in _load" in cause["traceback"]
    assert PASSWORD not in str(caught.value.details) + caught.value.one_line


def test_workers_that_are_killed_again_and_again():
    with pytest.raises(MultimasterError) as caught:
        Seed(here={"SET TRANSACTION SNAPSHOT": killed}, workers=1).run()
    assert "Not everything could be seeded in 1 rounds: public.big, public.other" in str(
        caught.value
    )
    assert "Last error: A worker process was killed" in str(caught.value)


def test_what_was_locked_is_copied_in_the_next_round(tmp_path):
    flag = tmp_path / "tried"

    def once(_params):
        if not flag.exists():
            flag.touch()
            raise StatementFailed("canceling statement due to lock timeout", sqlstate="55P03")
        return catalogs(TABLES, False)["SET TRANSACTION SNAPSHOT"]

    outcome = Seed(here={"SET TRANSACTION SNAPSHOT": once}, rounds=2, workers=1).run()
    assert outcome.rounds == 2
    assert len(outcome.tables) == 3


def test_it_gives_up_what_stays_locked():
    locked = StatementFailed("canceling statement due to lock timeout", sqlstate="55P03")
    with pytest.raises(MultimasterError, match=r"public\.big.*: locked by others") as caught:
        Seed(here={"SET TRANSACTION SNAPSHOT": locked}).run()
    assert caught.value.details["changed"]


def test_it_stops_when_nobody_wants_it_any_more():
    asked = []

    def keep_going():
        asked.append(1)
        return len(asked) < 3

    def slow(_params):
        time.sleep(60)

    made = Seed(here={"SET TRANSACTION SNAPSHOT": slow}, caller=run.Caller(keep_going=keep_going))
    begun = time.monotonic()
    with pytest.raises(run.Interrupted, match="The seed of target was stopped"):
        made.run()
    assert time.monotonic() - begun < 30
    with pytest.raises(ChildProcessError):
        # Its processes are gone, and were waited for.
        os.waitpid(-1, os.WNOHANG)


def test_a_wrong_password_is_not_tried_again():
    def refuse(_conninfo, _name):
        raise ConnectionFailed("Cannot connect to target: password authentication failed")

    options = Options(["*.*"], [])
    with (
        Scope(check=False) as scope,
        pytest.raises(ConnectionFailed, match="password authentication failed"),
    ):
        run.plan_change(MASTERS["source"], MASTERS["target"], options, scope, open_=refuse)


def test_a_server_that_went_away_is_waited_for(tmp_path):
    flag = tmp_path / "lost"

    def once(_params):
        if not flag.exists():
            flag.touch()
            raise ConnectionFailed("Lost the connection to source")
        return [{"snapshot": "00000003-1B-1"}]

    outcome = Seed(here={"pg_export_snapshot": once}).run()
    # That was no round.
    assert (outcome.rounds, len(outcome.tables)) == (1, 3)


NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def ledger(states, finished, proof="mixed-64"):
    """What the target's ledger says.

    :param states: of tables, by name.
    :param finished: the last run came to its end.
    """
    entry = {
        "rows": ROWS,
        "bytes": 1,
        "hash": "1",
        "format": "binary",
        "index_mode": "keep",
        "snapshot": "s",
        "source": "1/2/app",
        "seconds": 0.1,
        "finished_at": NOW,
        "proof": proof,
        "target": "0/1/2/app",
        "epoch": None,
        "how": "copied",
    }
    return {
        "multimaster.seed') IS NOT NULL": [{"there": True}],
        "CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(s)": [
            {
                "schema_name": "public",
                "table_name": text,
                "table_oid": TABLES[text][0],
                "source_oid": TABLES[text][0],
                "state": state,
                **entry,
            }
            for text, state in states.items()
        ],
        "FROM multimaster.seed_run ORDER BY id DESC": [
            {
                "phase": "finished",
                "source": "1/2/app",
                "started_at": NOW,
                "updated_at": NOW,
                "finished_at": NOW if finished else None,
                "tables_total": 3,
                "tables_done": 3,
                "bytes_total": 3,
                "bytes_done": 3,
                "current_tables": [],
                "first_finished_at": NOW if finished else None,
                "active": False,
            }
        ],
        "attname = %s": [{"there": True}],
        "FROM multimaster.seed_run WHERE finished_at IS NOT NULL": [{"was": finished}],
        "backend_type = 'client backend'": [{"is": True}],
    }


def test_nothing_is_written_where_everything_is_seeded():
    made = Seed(there=ledger(dict.fromkeys(TABLES, "seeded"), True))
    outcome = made.run()
    assert (outcome.changed, outcome.rounds, outcome.tables) == (False, 0, [])
    assert (outcome.selected, outcome.unproven) == (3, [])
    words = ("INSERT", "UPDATE", "CREATE", "DELETE", "LOCK", "TRUNCATE")
    assert not [text for one in made.sessions for text in one.texts if text.startswith(words)]


def test_a_proof_of_version_1_0_0_is_named_and_not_copied_again():
    made = Seed(there=ledger(dict.fromkeys(TABLES, "seeded"), True, proof=None))
    assert made.run().unproven == ["public.big", "public.other", "public.small"]


def test_a_killed_run_is_gone_on_with():
    """One table is finished, one lacks its index, and one has not been begun."""
    lacking = {
        "table_oid": 2,
        "oid": 77,
        "schema": "public",
        "name": "i",
        "method": "btree",
        "valid": False,
        "plain": True,
        "definition": "",
        "late": False,
    }

    def indexes(params):
        return [lacking] if params["oids"] == [2] else []

    there = ledger({"big": "seeded", "other": "copied"}, False)
    outcome = Seed(there={**there, "AS table_oid": indexes}).run()
    assert [one["table"] for one in outcome.tables] == ["public.small"]
    assert outcome.indexes_built == 1


def test_on_a_master_in_use_indexes_stay():
    there = ledger({"big": "seeded", "other": "seeded"}, True)
    [one] = Seed(there=there).preview().tables
    assert (one["table"], one["index_mode"]) == ("public.small", "keep")


def test_what_is_vouched_for_is_replaced_once():
    there = ledger(dict.fromkeys(TABLES, "seeded"), True)
    question = "CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(s)"
    entries = there[question]

    def left(_params):
        gone = any("DELETE FROM multi" in text for one in made.sessions for text in one.texts)
        return [one for one in entries if not (gone and one["table_name"] == "other")]

    made = Seed(there={**there, question: left}, replace=["public.other"], replace_vouched=True)
    outcome = made.run()
    assert [one["table"] for one in outcome.tables] == ["public.other"]
    forgotten = [ran for ran in made.sessions[1].ran if ran.text.startswith("DELETE FROM multi")]
    assert [ran.params for ran in forgotten] == [([2],)]


def test_only_a_superuser_can_keep_indexes_from_being_filled():
    there = {"SELECT rolsuper": [{"is": False}]}
    with pytest.raises(Refused, match="index_mode catalog needs a superuser on target"):
        Seed(there=there, index_mode="catalog").run()


ORIGIN = {
    "to_regclass('multimaster.membership')": [{"there": True}],
    "FROM multimaster.membership": [{"dbgroup": "g", "epoch": "e", "is_origin": True}],
}


def test_the_origin_is_not_seeded_in_check_mode():
    outcome = Seed(there=ORIGIN).preview()
    assert outcome.warnings == ["target is the origin of its group, and not seeded"]
    assert not outcome.changed
    assert outcome.tables == []


def test_a_run_refuses_the_origin_and_so_does_a_check_that_would_replace_its_rows():
    with pytest.raises(Refused, match="target is the origin of its group"):
        Seed(there=ORIGIN).run()
    with pytest.raises(Refused, match="target is the origin of its group"):
        Seed(there=ORIGIN, replace=["public.big"]).preview()


def test_a_database_is_not_copied_into_itself():
    made = Seed(there={"pg_postmaster_start_time": [{"server": "source"}]})
    with pytest.raises(Refused, match="are the same database"):
        made.run()


def test_what_the_server_does_not_let_a_seed_set_is_refused_before_anything_is_written():
    denied = StatementFailed("permission denied to set parameter", sqlstate="42501")
    made = Seed(there={"SELECT pg_catalog.set_config(%s, %s, false)": denied})
    with pytest.raises(Refused, match="permission denied to set parameter"):
        made.run()
    assert not any(text.startswith(("CREATE", "SET client_min")) for text in made.sessions[1].texts)


class TestAlone:
    def test_another_seed_is_waited_for_no_longer_than_it_may_live(self):
        session = FakeSession({"pg_try_advisory_lock": [{"got": False}]})
        with pytest.raises(Refused, match="Another seed of there is under way"):
            alone.lock(session, "there", -1.0, lambda: None)

    def test_whoever_waits_asks_whether_it_is_wanted(self):
        session = FakeSession({"pg_try_advisory_lock": [{"got": False}]})

        def stop():
            raise run.Interrupted("stopped")

        with pytest.raises(run.Interrupted):
            alone.lock(session, "there", 60.0, stop)

    def test_what_a_killed_run_left_is_ended(self):
        answers = iter([2, 0])
        session = FakeSession({"SELECT count(*)": lambda _params: [{"count": next(answers)}]})
        alone.end_orphans(session, "the name", 60.0, lambda: None)
        assert session.ran[0].text.startswith("SELECT pg_catalog.pg_terminate_backend(pid)")
        assert {ran.params for ran in session.ran} == {("the name",)}

    def test_and_refuses_to_end(self):
        session = FakeSession({"SELECT count(*)": [{"count": 1}]})
        with pytest.raises(Refused, match="still runs statements of a seed that was killed"):
            alone.end_orphans(session, "the name", -1.0, lambda: None)

    def test_each_database_has_a_name_of_its_own(self):
        def named(identity, text="there"):
            session = FakeSession({"datname": [{"identity": identity}]}, text)
            return alone.application_name(session)

        assert named("1/2/app") != named("1/3/app")
        # The server would cut off more, and replace what is not ASCII; then nobody would be found.
        assert len(named("1/2/app", "x" * 99)) == 63
        assert named("1/2/app", "größe").startswith("multimaster.bucardo seed gr??e ")


def an_ended_look(text):
    """An answer to a statement of the first look: an error once, then no rows."""
    tried = []

    def answer(_params):
        if not tried:
            tried.append(text)
            raise StatementFailed(
                "terminating connection due to administrator command", sqlstate="57P01"
            )
        return []

    return {text: answer}


def test_a_run_looks_again_where_its_first_look_was_ended():
    here = an_ended_look("AS table_oid")
    assert len(Seed(there=here).run().tables) == 3


def test_a_check_that_was_ended_says_so():
    with pytest.raises(StatementFailed, match="terminating connection"):
        Seed(there=an_ended_look("AS table_oid")).preview()


class TestNoDatabase:
    """The target's is still to be cloned."""

    def made(self, **options):
        def nowhere(conninfo, name):
            if conninfo.name == "target" and conninfo.dbname == "app":
                raise ConnectionFailed("Cannot connect to target")
            return known(conninfo, name)

        made = Seed(there={"FROM pg_catalog.pg_database WHERE datname": []}, **options)
        known, made._open = made._open, nowhere
        return made

    def test_a_check_takes_it_for_cloned(self):
        outcome = self.made(require_triggers=True).preview()
        assert [one["table"] for one in outcome.tables] == [
            "public.big",
            "public.other",
            "public.small",
        ]

    def test_a_run_refuses(self):
        with pytest.raises(Refused, match=r"There is no database app on target\. Clone it first"):
            self.made().run()

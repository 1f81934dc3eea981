# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes reach the server in one transaction, and their secrets reach nobody else."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.statements import (
    SECRET,
    Program,
    Statement,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import (
    SHOWN,
    Control,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName

from ..fake_session import FakeSession

FIRST = Statement("UPDATE one SET a = %(a)s", {"a": "it's"})
SECOND = Statement("DELETE FROM two")


def control(answers=None, **more):
    session = FakeSession(answers, **more)
    return Control(session), session


def test_all_statements_or_none():
    writer, session = control()
    writer.execute([FIRST, SECOND])
    assert session.texts == [
        "SET search_path TO bucardo",
        "BEGIN",
        "UPDATE one SET a = %(a)s",
        "DELETE FROM two",
        "COMMIT",
    ]
    assert session.ran[2].params == {"a": "it's"}


def test_nothing_is_no_transaction():
    writer, session = control()
    writer.execute([])
    assert session.texts == ["SET search_path TO bucardo"]


def test_what_is_refused_before_the_commit_is_rolled_back():
    writer, session = control()

    def refuse():
        raise Refused("another database")

    with pytest.raises(Refused, match="another database"):
        writer.execute([FIRST], refuse)
    assert session.texts[-2:] == ["UPDATE one SET a = %(a)s", "ROLLBACK"]


def test_a_statement_that_fails_is_rolled_back():
    writer, session = control({"DELETE FROM two": StatementFailed("no")})
    with pytest.raises(StatementFailed):
        writer.execute([FIRST, SECOND])
    assert session.texts[-1] == "ROLLBACK"


def test_what_is_shown_is_what_is_run_with_its_values():
    writer, session = control()
    assert writer.shown([FIRST, SECOND]) == ["UPDATE one SET a = 'it''s'", "DELETE FROM two"]
    assert session.texts == ["SET search_path TO bucardo"]


def test_percent_signs_are_shown_as_they_are_run():
    writer, _session = control()
    assert writer.shown([Statement("SELECT 'a%'")]) == ["SELECT 'a%'"]
    shown = writer.shown([Statement("SELECT 'a%%' WHERE x = %(x)s", {"x": 1})])
    assert shown == ["SELECT 'a%' WHERE x = 1"]


def test_a_long_statement_is_cut():
    writer, _session = control()
    (line,) = writer.shown([Statement("SELECT %(x)s", {"x": "y" * 2 * SHOWN})])
    assert len(line) == SHOWN + len(" ...")


def test_a_password_is_masked_and_kept_out_of_the_log():
    writer, session = control()
    write = Statement("UPDATE x SET y = %(password)s", {"password": "s3cret"})
    assert writer.shown([write]) == ["UPDATE x SET y = '********'"]
    writer.execute([write])
    hidden = next(i for i, text in enumerate(session.texts) if "log_statement" in text)
    assert session.texts[hidden + 1] == "UPDATE x SET y = %(password)s"


def test_a_secret_is_sent_as_data_before_its_statement():
    writer, session = control()
    write = Statement(f"UPDATE x SET y = {SECRET}", secret="s3cret")
    assert "s3cret" not in repr(write) + writer.shown([write])[0]
    writer.execute([write])
    assert [text.split(" (")[0].split(",")[0] for text in session.texts[1:]] == [
        "BEGIN",
        "SELECT pg_catalog.set_config('log_statement'",
        "CREATE TEMPORARY TABLE multimaster_secret",
        "COPY pg_temp.multimaster_secret FROM STDIN",
        "UPDATE x SET y =",
        "COMMIT",
    ]
    assert all("s3cret" not in str(one) for one in session.ran)


def test_without_a_control_database_writes_are_shown_without_values():
    writer = Control(None)
    assert writer.shown([FIRST, Program(("add", "dbgroup", "g"))]) == [
        "UPDATE one SET a = %(a)s",
        "bucardo add dbgroup g",
    ]


def test_a_server_that_cannot_connect_is_told_from_one_that_can():
    writer, _session = control(
        {"db_testconn": [{"r": "Connection failed: no route to host at line 12, <DATA> line 1."}]}
    )
    with pytest.raises(Refused, match=r"cannot connect to here: no route to host\. Its operating"):
        writer.require_connection("here")
    writer, _session = control({"db_testconn": [{"r": "Database connection successful"}]})
    writer.require_connection("here")


@pytest.mark.parametrize("exists", [True, False])
def test_a_probe_is_validated_and_nothing_of_it_stays(exists):
    writer, session = control(touched=1 if exists else 0)
    writer.validate_probe("s", ["a", "b"], TableName("multimaster", "bucardo_probe"))
    assert session.texts[1] == "BEGIN"
    assert session.texts[-1] == "ROLLBACK"
    assert any(text.startswith("UPDATE bucardo.sync SET herd") for text in session.texts)
    inserted = any(text.startswith("INSERT INTO bucardo.sync") for text in session.texts)
    assert inserted != exists


def test_a_probe_that_fails_leaves_nothing():
    writer, session = control({"UPDATE bucardo.sync": StatementFailed("no")})
    with pytest.raises(StatementFailed):
        writer.validate_probe("s", ["a"], TableName("multimaster", "bucardo_probe"))
    assert session.texts[-1] == "ROLLBACK"


def test_two_runs_are_not_at_work_on_one_sync():
    busy = StatementFailed("canceling statement due to lock timeout", sqlstate="55P03")
    writer, session = control({"pg_advisory_lock": busy})
    with pytest.raises(Refused, match="Another run is working on sync s"), writer.alone("s"):
        pass
    assert session.texts[-1] == "RESET lock_timeout"
    writer, session = control(
        {"pg_advisory_lock": [{"r": None}], "pg_advisory_unlock": [{"r": True}]}
    )
    with writer.alone("s"):
        pass
    assert "pg_advisory_unlock" in session.texts[-1]

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clone from what was found to what is done, in a check and in a run."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._clone import run, target
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.facts import (
    CloneOptions,
    SchemaDump,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.read import Side
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.schema import Block
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.database import (
    DatabaseSpec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.dump import TocEntry
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.roles import (
    Role,
    RolePlan,
    Roles,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

TABLE = Block("TABLE", "public", "t", "CREATE TABLE public.t (a integer);", "app")
OTHER = Block("TABLE", "public", "t", "CREATE TABLE public.t (b integer);", "app")
INDEX = Block("INDEX", "public", "t_a_idx", "CREATE INDEX t_a_idx ON public.t (a);", "app")
SHOP = DatabaseSpec("shop", "app", "UTF8", "C", "C")
APP = Role("app", login=True, password="SCRAM-SHA-256$secret")


def dumped(*blocks, label="source"):
    entries = tuple(TocEntry(number, 0, 0, block.label) for number, block in enumerate(blocks))
    return SchemaDump(label, f"pg_dump {label}", entries, list(blocks), [])


class Dumper:
    """Hands out dumps that were made beforehand: one for each label, or one after the other."""

    tools = None

    def __init__(self, dumps, options):
        self.dumps = dumps
        self.options = options
        self.asked = []

    def schema_of(self, login, label):
        self.asked.append((label, login.dbname))
        found = self.dumps[label]
        return found.pop(0) if isinstance(found, list) else found


@pytest.fixture
def restored(monkeypatch):
    """What is sent to a server instead of being restored there."""
    done = []

    def restore(self, login, todo, one_transaction):
        done.append((login.dbname, [entry.label for entry in todo], one_transaction))

    monkeypatch.setattr(target.Restorer, "restore", restore)
    return done


class Case:
    """A source with one table and a target, both made up."""

    def __init__(self, there=None, existing=None, roles=None, dumps=None, **options):
        self.server = FakeSession(
            {
                "to_regclass": [{"x": False}],
                "pg_available_extensions": [],
                "pg_tablespace s ON s.oid = d": [],
                "spcname FROM pg_catalog.pg_tablespace": [{"spcname": "pg_default"}],
                "SELECT rolsuper": [{"x": True}],
                **{key: [] for key in ("pg_db_role_setting s", "aclexplode")},
                "d.datname AS name": [
                    {**dataclasses.asdict(SHOP), "owner": "postgres", "settings": []}
                    | dict.fromkeys(("grants", "role_settings"), None)
                ],
            },
            name="there",
        )
        source = FakeSession({"pg_extension": [], "DISTINCT s.spcname": []})
        sides = [
            Side(ConnInfo(name, {"dbname": "shop"}), session, Roles({"app": APP}), SHOP)
            for name, session in (("here", source), ("there", self.server))
        ]
        dumps = {"source": dumped(TABLE), "verify": dumped(TABLE, label="verify"), **(dumps or {})}
        self.dumper = Dumper(dumps, CloneOptions(**options))
        self.clone = run._Clone(
            run._Look(
                self.dumper,
                sides[0],
                sides[1],
                SHOP,
                existing,
                roles or RolePlan(),
                [],
                dumps["source"],
                there,
            )
        )

    def change(self, check=False):
        with Scope(check=check) as scope:
            return self.clone.change(scope)


@pytest.fixture(autouse=True)
def sessions(monkeypatch):
    """Sessions with the target's own database."""
    opened = []

    def connect(login):
        opened.append(FakeSession({"to_regclass": [{"x": False}]}, name=login.name))
        return opened[-1]

    monkeypatch.setattr(run, "Session", connect)
    return opened


def test_a_database_that_is_not_there_is_made_aside_and_renamed(restored, monkeypatch):
    case = Case()
    made = dataclasses.replace(SHOP, name="multimaster_clone_x", owner="postgres")
    monkeypatch.setattr(target.database_client, "read_database", lambda _s, _name: made)
    change = case.change()
    assert (change.changed, change.values["state"]) == (True, "cloned")
    assert change.values["objects"] == {"table": 1}
    assert all(text.startswith("SELECT") for text in case.server.texts)
    change.apply()
    (scratch, labels, one_transaction) = restored[0]
    assert scratch.startswith("multimaster_clone_")
    assert (labels, one_transaction) == ([TABLE.label], False)
    assert case.dumper.asked == [("verify", scratch)]
    assert case.server.texts[-1] == f'ALTER DATABASE "{scratch}" RENAME TO "shop"'
    assert change.commands[0] == "pg_dump source"
    assert change.commands[-1] == case.server.texts[-1]


def test_what_was_made_wrong_is_dropped_again(restored):
    case = Case(dumps={"verify": dumped(TABLE, INDEX, label="verify"), "echo": dumped(TABLE)})
    change = case.change()
    with pytest.raises(CommandFailed, match="The restored schema differs on there"):
        change.apply()
    assert case.server.texts[-1].startswith('DROP DATABASE IF EXISTS "multimaster_clone_')
    assert not any("RENAME" in text for text in case.server.texts)


def test_an_empty_database_is_filled_in_one_transaction(restored):
    case = Case(there=dumped(label="target"), existing=SHOP)
    change = case.change()
    assert change.values["database_created"] is False
    change.apply()
    assert restored == [("shop", [TABLE.label], True)]


def test_an_equal_schema_needs_no_scratch_database(restored, sessions):
    case = Case(there=dumped(TABLE, label="target"), existing=SHOP)
    change = case.change()
    assert (change.changed, change.always, change.values["state"]) == (False, False, "identical")
    assert (restored, sessions) == ([], [])


def test_another_text_is_a_question_for_a_run_and_a_remark_in_a_check():
    case = Case(there=dumped(OTHER, label="target"), existing=SHOP)
    change = case.change(check=True)
    assert (change.always, change.values["state"]) == (True, "identical")
    (line,) = change.warnings
    assert "A run compares what they mean in a scratch database" in line


def test_an_echo_that_is_printed_alike_shows_that_the_schemas_are_equal(restored, sessions):
    case = Case(there=dumped(OTHER, label="target"), existing=SHOP, dumps={"echo": dumped(OTHER)})
    change = case.change()
    change.apply()
    assert change.values["state"] == "identical"
    assert change.warnings == []
    recorded = [text for session in sessions for text in session.texts if "INSERT INTO" in text]
    assert len(recorded) == 1
    assert case.server.texts[-1].startswith('DROP DATABASE IF EXISTS "multimaster_echo_')


@pytest.mark.parametrize("differences", ["fail", "warn"])
def test_a_schema_that_means_something_else_is_never_overwritten(restored, differences):
    case = Case(
        there=dumped(OTHER, label="target"),
        existing=SHOP,
        # Of the source's dump, then of the target's.
        dumps={"echo": [dumped(TABLE), dumped(OTHER)]},
        differences=differences,
        roles=RolePlan(create=(APP,)),
    )
    change = case.change()
    if differences == "fail":
        with pytest.raises(Refused, match=r"differs from here .*TABLE public\.t \(differs\)"):
            change.apply()
        assert not any("CREATE ROLE" in text for text in case.server.texts)
        return
    change.apply()
    assert change.values["state"] == "different"
    assert change.values["differences"]
    assert any("CREATE ROLE" in text for text in case.server.texts)
    assert all(name.startswith("multimaster_echo_") for name, _labels, _one in restored)


def test_what_is_missing_or_more_ends_a_check():
    case = Case(there=dumped(TABLE, INDEX, label="target"), existing=SHOP)
    with pytest.raises(Refused, match="not in the source"):
        case.change(check=True)
    assert case.change().always


def test_roles_are_made_with_hashes_that_no_result_shows(restored):
    case = Case(there=dumped(TABLE, label="target"), existing=SHOP, roles=RolePlan(create=(APP,)))
    change = case.change()
    assert change.values["roles_created"] == ["app"]
    assert change.after["roles"]["app"]["password"] == "set"
    change.apply()
    assert any("SCRAM-SHA-256$secret" in text for text in case.server.texts)
    assert "secret" not in repr(change)
    assert any("PASSWORD '********'" in command for command in change.commands)


def test_what_the_target_lacks_is_said_before_anything_is_changed():
    case = Case()
    case.clone._source.session.answers = {
        "pg_extension": [{"extname": "postgis"}],
        "DISTINCT s.spcname": [],
    }
    with pytest.raises(Refused, match="Extensions that are not available on there: postgis"):
        case.change()

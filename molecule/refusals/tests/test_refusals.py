# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrong input: one clear error that names the thing and the cure, and nothing changed anywhere."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import subprocess
import typing as t

import pytest

PLAYS_AT_ONCE = 3


@dataclasses.dataclass
class Case:
    """One mistake.

    :param change: makes the mistake in a sound inventory.
    :param says: texts of the error: the thing, and the cure.
    :param blocker: the check of preflight that finds it, "" when none is needed.
    """

    id: str
    change: t.Callable[[Inventory], None]
    says: list[str]
    blocker: str = ""


class Inventory(dict):
    """An inventory as a dictionary, with short ways to its parts."""

    @property
    def all(self) -> dict[str, t.Any]:
        return self["all"]["vars"]

    @property
    def here(self) -> dict[str, t.Any]:
        return self["all"]["children"]["masters"]["hosts"]["refusals-here"]

    @property
    def there(self) -> dict[str, t.Any]:
        return self["all"]["children"]["masters"]["hosts"]["refusals-there"]

    @property
    def groups(self) -> dict[str, t.Any]:
        return self["all"]["children"]


def setting(**variables: t.Any) -> t.Callable[[Inventory], None]:
    return lambda inventory: inventory.all.update(variables)


CASES = [
    Case(
        "unknown-table-in-tables",
        setting(multimaster_tables=["public.*", "public.ordrs"]),
        ["public.ordrs", "public.orders", "Correct the spelling"],
        "unknown-table",
    ),
    Case(
        "unknown-table-in-exclude",
        setting(multimaster_exclude=["import_staging", "public.Orders"]),
        ["public.Orders", "public.orders", "Correct the spelling"],
        "unknown-table",
    ),
    Case(
        "table-without-key",
        setting(multimaster_exclude=[]),
        ["public.import_staging", "primary key", "exclude"],
        "no-key",
    ),
    Case(
        "unknown-host",
        lambda inventory: inventory.there.update(master_host="no-such-host.invalid"),
        ["no-such-host.invalid", "on there", "Check its host", "master_"],
        "unreachable",
    ),
    Case(
        "wrong-password",
        lambda inventory: inventory.there.update(master_password="wr0ng!"),
        ["on there", "password authentication failed", "Check its host", "pg_hba.conf"],
        "unreachable",
    ),
    Case(
        "wrong-database-of-the-origin",
        lambda inventory: inventory.here.update(master_db="shopp"),
        ["shopp on here", "does not exist", "Check"],
        "origin-database",
    ),
    Case(
        "typo-in-a-shared-variable",
        setting(multimaster_xclude=["audit.*"]),
        ["multimaster_xclude: did you mean multimaster_exclude?"],
    ),
    Case(
        "typo-in-a-variable-of-a-role",
        setting(replication_conflct_strategy="bucardo_latest"),
        ["replication_conflct_strategy: did you mean replication_conflict_strategy?"],
    ),
    Case(
        "typo-in-a-variable-of-a-master",
        lambda inventory: inventory.here.update(master_prot=5432),
        ["refusals-here", "master_prot", "Did you mean master_port?"],
    ),
    Case(
        "value-that-a-later-role-cannot-take",
        setting(data_seed_index_mode="fast"),
        ["data_seed_index_mode must be one of", "auto, catalog", "got: fast"],
    ),
    Case(
        "number-that-is-none",
        setting(replication_lock_timeout="soon"),
        ["replication_lock_timeout", "int", "soon"],
    ),
    Case(
        "two-origins",
        lambda inventory: inventory.there.update(master_origin=True),
        ["master_origin is set on here, there", "on exactly one host"],
    ),
    Case(
        "no-origin",
        lambda inventory: inventory.here.pop("master_origin"),
        ["master_origin is set on none", "on exactly one host"],
    ),
    Case(
        "one-master",
        lambda inventory: inventory.groups["masters"]["hosts"].pop("refusals-there"),
        ["has 1 master(s)", "at least two", "Put every master into the group 'masters'"],
    ),
    Case(
        "same-master-twice",
        lambda inventory: inventory.there.update(master_host="refusals-here"),
        ["masters here and there are the same database", "Check login_host"],
        "same-database",
    ),
    Case(
        "no-group-of-masters",
        lambda inventory: inventory.groups.pop("masters"),
        ["no host in the group 'masters'", "Put every master into it"],
    ),
    Case(
        "no-group-for-bucardo",
        lambda inventory: inventory.groups.pop("bucardo"),
        ["no host in the group 'bucardo'", "the one host on which Bucardo runs"],
    ),
    Case(
        "two-hosts-for-bucardo",
        lambda inventory: inventory.groups["bucardo"]["hosts"].update({"refusals-here": None}),
        ["group 'bucardo' has 2 hosts", "leave just that one"],
    ),
    Case(
        "reserved-name-of-the-sync",
        setting(multimaster_sync="swap"),
        ["swap", "reserved by Bucardo", "Choose another name"],
        "sync-name",
    ),
    Case(
        "too-long-name-of-the-sync",
        setting(multimaster_sync="s" * 64),
        ["s" * 64, "longer than 42", "Choose another name"],
        "sync-name",
    ),
    Case(
        "strategy-that-bucardo-lacks",
        setting(replication_conflict_strategy="bucardo_source"),
        ["bucardo_source", "not implemented", "Use bucardo_latest"],
        "conflict-strategy",
    ),
    Case(
        "strategy-that-names-a-stranger",
        setting(replication_conflict_strategy="here elsewhere"),
        ["conflict_strategy", "elsewhere", "Use bucardo_latest"],
        "conflict-strategy",
    ),
    Case(
        "no-password-for-bucardo",
        lambda inventory: inventory.all.pop("multimaster_bucardo_password"),
        ["multimaster_bucardo_password is not set", "set it, in a vault"],
    ),
]


def refused(done, case: Case) -> None:
    """Assert on what a play said: one error, the right one, in plain words."""
    text = done.stdout + done.stderr
    assert done.returncode != 0, text
    assert text.count("[ERROR]") == 1, text
    assert text.count("fatal: ") == 1, text
    assert text.count("UNREACHABLE") == 0, text
    for noise in ("Traceback", "caused by", "[WARNING]", "[DEPRECATION", "Error while"):
        assert noise not in text, text
    assert "changed=0" in text, text
    # The error alone, without what Ansible shows of the play's source.
    error = text[text.index("[ERROR]") :].split("\nOrigin:")[0]
    for part in case.says:
        assert part in error, error
    if case.blocker:
        assert "Preflight found 1 blocker; nothing was changed." in error, error
        assert f"1. [{case.blocker}] " in error, error


@pytest.fixture(scope="module")
def plays(play, inventory, states):
    """All wrong plays: none should change anything, so they need not wait for each other."""

    def run(case: Case) -> subprocess.CompletedProcess:
        wrong = Inventory(copy.deepcopy(inventory))
        case.change(wrong)
        return play("bootstrap", wrong)

    with concurrent.futures.ThreadPoolExecutor(PLAYS_AT_ONCE) as pool:
        return dict(zip((case.id for case in CASES), pool.map(run, CASES), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_wrong_input_is_refused(case, plays):
    refused(plays[case.id], case)


def test_nothing_was_changed_by_any_of_them(plays, unchanged):
    unchanged()


def test_a_target_with_rows_is_refused(here, there, inventory, play, states, unchanged):
    """One table of a complete clone holds a row that nobody seeded."""
    there.host.run_expect([0], "runuser -u postgres -- createdb --template template0 shop")
    dump = here.host.run_expect([0], "runuser -u postgres -- pg_dump --schema-only shop").stdout
    there.load(dump)
    there.sql("INSERT INTO counters VALUES ('mine', 1)")
    states.update(states.now())
    try:
        case = Case(
            "target-not-empty",
            lambda _inventory: None,
            ["public.counters on there", "is not empty", "name the table in data_seed_replace"],
            "target-not-empty",
        )
        refused(play("bootstrap", Inventory(inventory)), case)
        unchanged()
    finally:
        there.host.run_expect([0], "runuser -u postgres -- dropdb shop")
        states.update(states.now())

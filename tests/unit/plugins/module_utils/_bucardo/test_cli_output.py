# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the bucardo program's output means, by transcripts of the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.cli_output import (
    Transcript,
    reason,
    verdict,
)

TRANSCRIPTS = Path(__file__).parents[3] / "transcripts" / "5.6.0"


def recorded():
    for path in sorted(TRANSCRIPTS.glob("*.yaml")):
        for name, said in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            yield (
                name,
                Transcript(
                    argv=("bucardo", *said["words"]),
                    words=tuple(said["words"]),
                    rc=said["rc"],
                    stdout=said["stdout"],
                    stderr=said["stderr"],
                ),
            )


RECORDED = dict(recorded())

# Did what was asked, or what was asked was so already.
GOOD = {
    "version",
    "list_dbs_empty",
    "show_setting",
    "set_setting",
    "add_db",
    "update_db_nothing",
    "add_dbgroup",
    "update_dbgroup",
    "add_table",
    "add_table_without_key",
    "add_sync",
    "validate",
    "remove_sync",
    "add_customname",
    "remove_customname",
    "upgrade_nothing",
    "upgrade_done",
    "remove_dbgroup",
    "stop_not_running",
    "start",
    "ping",
    "kick",
    "kick_without_daemon",
    "kick_done",
    "reload",
    "reload_config",
    "reload_sync",
    "status",
    "stop",
}
# Did not, and said so with exit code 0.
SILENT = {
    "add_table_missing": "public.zoo",
    "remove_table_missing": "No such table: public.zoo",
    "add_relgroup_again": "already exists",
    "kick_inactive": "Cannot kick inactive sync",
    "reload_sync_inactive": "status of sync",
    "pause_inactive": "unless it is active",
    "add_customname_again": "Already have an entry",
    "remove_customname_missing": "77 does not exist",
    "remove_customcols_missing": "77 does not exist",
    "upgrade_refused": "not committed",
}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_success_and_failure_are_told_apart(name):
    assert verdict(RECORDED[name]).ok is (name in GOOD)


@pytest.mark.parametrize("name", sorted(SILENT))
def test_a_failure_with_exit_code_0_does_not_pass(name):
    transcript = RECORDED[name]
    assert transcript.rc == 0
    found = verdict(transcript)
    assert not found.ok
    assert SILENT[name] in found.message


@pytest.mark.parametrize("name", ["show_setting", "upgrade_nothing"])
def test_a_success_with_exit_code_1_passes(name):
    assert RECORDED[name].rc == 1
    assert verdict(RECORDED[name]).ok


@pytest.mark.parametrize("name", sorted(set(RECORDED) - GOOD))
def test_every_failure_has_a_reason_of_one_line(name):
    message = verdict(RECORDED[name]).message
    assert message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wrong_password", 'password authentication failed for user "bucardo"'),
        ("add_sync_reserved", 'violates check constraint "sync_name_sane"'),
        ("remove_relgroup_used", 'violates foreign key constraint "sync_herd_fk"'),
        ("start_host_refused", "configured to only run on"),
        ("start_version_mismatch", "bucardo database is 5.5.0"),
    ],
)
def test_the_reason_is_the_line_that_tells_most(name, text):
    assert text in verdict(RECORDED[name]).message


def test_a_failed_show_is_no_success():
    broken = Transcript(("bucardo",), ("show", "x"), 1, "x", "DBI connect('dbname=bucardo') failed")
    assert not verdict(broken).ok


def test_a_failed_reload_of_a_sync_is_seen():
    said = "Reloading sync s...Reload of sync s failed"
    assert not verdict(Transcript(("bucardo",), ("reload", "sync", "s"), 0, said, "")).ok


def test_silence_has_a_reason_too():
    assert reason(Transcript(("bucardo",), ("kick", "s"), 3, "", "")) == (
        "exit code 3 without a message"
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole bootstrap, as talkative as can be: no password in any argument, log, result or diff."""

from __future__ import annotations

import json
import subprocess

from watching import DECOY, LOOKS_PER_SECOND, forms


def test_the_bootstrap_works(bootstrapped):
    done, _seen = bootstrapped
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "[WARNING]" not in done.stdout + done.stderr
    assert "[DEPRECATION" not in done.stdout + done.stderr


def test_no_process_had_a_password_in_its_arguments(bootstrapped):
    _done, seen = bootstrapped
    for place, report in seen.items():
        real = [words for words in report["hits"] if DECOY not in " ".join(words)]
        assert real == [], place
        assert len(real) < len(report["hits"]), f"{place}: the watcher missed the decoy"
        assert report["looks"] / report["seconds"] > LOOKS_PER_SECOND, (place, report)
    assert {"pg_dump", "bucardo"} & set(seen["refusals-there"]["programs"]), seen


def test_no_output_holds_a_password(bootstrapped, needles):
    done, _seen = bootstrapped
    text = done.stdout + done.stderr
    assert len(text) > 100_000, "this was not -vvv"
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in text, "nothing was masked"
    lines = [line for line in text.splitlines() if any(needle in line for needle in needles)]
    assert lines == []


def test_no_log_of_a_server_holds_a_password(bootstrapped, here, there, needles):
    for master in (here, there):
        log = master.host.run_expect([0], "cat /var/log/postgresql/*.log").stdout
        assert "statement: " in log, "this log has no statements"
        assert "bucardo" in log
        assert [line for line in log.splitlines() if any(n in line for n in needles)] == []


def test_only_password_files_hold_a_password(bootstrapped, here, there, needles):
    """Looks at every file of the host: configuration, logs, left-overs, the servers' own files."""
    patterns = "\n".join(needles)
    for master in (here, there):
        found = subprocess.run(
            ["docker", "exec", "--interactive", master.name, "grep", "--recursive", "--text"]
            + ["--files-with-matches", "--fixed-strings", "--no-messages", "--devices=skip"]
            + ["--file=-", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local"]
            + ["/var"],
            input=patterns, text=True, capture_output=True, check=False,
        ).stdout.splitlines()  # fmt: skip
        expected = (
            ["/var/lib/bucardo/.pgpass", "/var/lib/postgresql/.pgpass"] if master is there else []
        )
        assert sorted(found) == expected, master.name
        for path in found:
            assert master.host.file(path).mode == 0o600, path


def test_the_control_database_holds_no_password(bootstrapped, there, needles):
    dump = there.host.run_expect([0], "runuser -u postgres -- pg_dump bucardo").stdout
    assert "bucardo_config" in dump
    assert [line for line in dump.splitlines() if any(n in line for n in needles)] == []


def test_a_failure_does_not_show_a_password(bootstrapped, inventory, play, needles):
    """A rejected password and the right ones, at -vvv, on the way out through an error."""
    wrong = json.loads(json.dumps(inventory))
    rejected = "w,r'o\"n x%q=z\\g"
    wrong["all"]["children"]["masters"]["hosts"]["refusals-here"]["master_password"] = rejected
    done = play("bootstrap", wrong, "-vvv", "--diff")
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "password authentication failed" in text
    looked_for = [*needles, *forms(rejected)]
    assert [line for line in text.splitlines() if any(n in line for n in looked_for)] == []

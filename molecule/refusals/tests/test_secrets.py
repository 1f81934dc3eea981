"""A whole bootstrap, as talkative as can be: no password in any argument, log, result or diff."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import re
import subprocess
import time
import urllib.parse

import pytest

WATCHER = pathlib.Path(__file__).parents[3] / "tests" / "workload" / "argv_watch.py"
DECOY = "not-a-secret-but-looked-for"
# Looks per second below which a short process is likely to be missed.
LOOKS_PER_SECOND = 20


def forms(password: str) -> set[str]:
    """Texts by which a password is known again, however it was quoted."""
    # Quoting changes quotes, backslashes, blanks and commas: look for what is between them.
    core = max(re.split(r"""[\s,'"\\]""", password), key=len)
    return {
        core,
        core.replace("%", "%%"),
        urllib.parse.quote(core, safe=""),
        urllib.parse.quote_plus(core, safe=""),
        base64.b64encode(password.encode()).decode().rstrip("="),
    }


@pytest.fixture(scope="module")
def passwords(inventory) -> list[str]:
    return [
        inventory["all"]["vars"]["multimaster_bucardo_password"],
        inventory["all"]["children"]["masters"]["vars"]["master_password"],
    ]


@pytest.fixture(scope="module")
def needles(passwords) -> list[str]:
    return sorted(form for password in passwords for form in forms(password))


class Watcher:
    """Watches the processes of one place until it is told to stop."""

    def __init__(self, command: list[str], needles: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(f"{text}\n" for text in [*needles, DECOY]) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "watching\n"

    def stop(self) -> dict:
        said, _none = self._process.communicate(timeout=30)
        return dict(json.loads(said))


@pytest.fixture(scope="module")
def watched(inventory, play, here, there, needles):
    """The bootstrap's output, and what was seen in each place meanwhile."""
    script = WATCHER.read_text(encoding="utf-8")
    for master in (here, there):
        subprocess.run(
            ["docker", "exec", "--interactive", master.name, "tee", "/opt/argv_watch.py"],
            input=script, text=True, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    with contextlib.ExitStack() as stack:
        watchers = {"controller": Watcher(["python3", str(WATCHER)], needles)}
        for master in (here, there):
            watchers[master.name] = Watcher(
                ["docker", "exec", "--interactive", master.name, "python3", "/opt/argv_watch.py"],
                needles,
            )
        seen: dict[str, dict] = {}
        stack.callback(lambda: seen.update({n: w.stop() for n, w in watchers.items()}))
        done = play("bootstrap", inventory, "-vvv", "--diff")
        # As short as the shortest of ours; a watcher that misses all of them proves nothing.
        sleep = "import time; time.sleep(0.1)"
        for _decoy in range(3):
            subprocess.run(["python3", "-c", sleep, DECOY], check=True)
            for master in (here, there):
                master.host.run_expect([0], "python3 -c %s %s", sleep, DECOY)
        time.sleep(0.2)
    return done, seen


def test_the_bootstrap_works(watched):
    done, _seen = watched
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "[WARNING]" not in done.stdout + done.stderr
    assert "[DEPRECATION" not in done.stdout + done.stderr


def test_no_process_had_a_password_in_its_arguments(watched):
    _done, seen = watched
    for place, report in seen.items():
        real = [words for words in report["hits"] if DECOY not in " ".join(words)]
        assert real == [], place
        assert len(real) < len(report["hits"]), f"{place}: the watcher missed the decoy"
        assert report["looks"] / report["seconds"] > LOOKS_PER_SECOND, (place, report)
    assert {"pg_dump", "bucardo"} & set(seen["refusals-there"]["programs"]), seen


def test_no_output_holds_a_password(watched, needles):
    done, _seen = watched
    text = done.stdout + done.stderr
    assert len(text) > 100_000, "this was not -vvv"
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in text, "nothing was masked"
    lines = [line for line in text.splitlines() if any(needle in line for needle in needles)]
    assert lines == []


def test_no_log_of_a_server_holds_a_password(watched, here, there, needles):
    for master in (here, there):
        log = master.host.run_expect([0], "cat /var/log/postgresql/*.log").stdout
        assert "statement: " in log, "this log has no statements"
        assert "bucardo" in log
        assert [line for line in log.splitlines() if any(n in line for n in needles)] == []


def test_only_password_files_hold_a_password(watched, here, there, needles):
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


def test_the_control_database_holds_no_password(watched, there, needles):
    dump = there.host.run_expect([0], "runuser -u postgres -- pg_dump bucardo").stdout
    assert "bucardo_config" in dump
    assert [line for line in dump.splitlines() if any(n in line for n in needles)] == []


def test_a_failure_does_not_show_a_password(watched, inventory, play, needles):
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

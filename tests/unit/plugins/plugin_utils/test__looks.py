# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is believed about a job in the background: with the real shell and real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from ansible_collections.multimaster.bucardo.plugins.plugin_utils import _looks


@pytest.fixture
def job(tmp_path):
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "lease").touch()
    module_directory = tmp_path / f"ansible-tmp-1700000000.25-{os.getpid()}-77"
    module_directory.mkdir()
    return _looks.Job(
        str(tmp_path / "progress"), f"{module_directory}/", str(tmp_path / "j1.2"), "j1.2"
    )


def shell(command):
    # As Ansible does: with something behind it.
    return subprocess.run(
        ["/bin/sh", "-c", f"{command} && sleep 0"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": os.environ.get("LOOKS_TMPDIR", "/nonexistent")},
    )


def look(job):
    done = shell(_looks.command(job))
    return _looks.read(done.returncode, done.stdout)


@pytest.fixture
def process(job):
    """As Ansible's wrapper runs it: the module's file is in its arguments."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", f"{job.module_directory}AnsiballZ_x"]
    ) as process:
        yield process
        process.kill()


def write(job, result):
    with open(job.results_file, "w", encoding="utf-8") as stream:
        json.dump(result, stream)


STARTED = {"started": True, "finished": False, "ansible_job_id": "j1.2"}


def test_a_job_with_a_process_runs(job, process):
    write(job, STARTED)
    with open(f"{job.directory}/progress.json", "w", encoding="utf-8") as stream:
        json.dump({"phase": "copy"}, stream)
    assert look(job) == _looks.Look(_looks.RUNNING, {"phase": "copy"})


def test_a_job_whose_process_was_killed_is_gone(job, process):
    write(job, STARTED)
    process.kill()
    process.wait()
    assert look(job).state == _looks.GONE


def test_a_look_does_not_take_itself_for_the_job(job):
    write(job, STARTED)
    assert look(job).state == _looks.GONE


def test_a_job_that_wrote_its_result_has_ended(job):
    write(job, {"changed": True, "tables": ["started"]})
    assert look(job).state == _looks.ENDED


def test_a_job_without_a_file_for_its_result_is_lost(job, process):
    assert look(job).state == _looks.LOST


def test_a_look_renews_the_lease(job, process):
    write(job, STARTED)
    os.utime(f"{job.directory}/lease", (1, 1))
    look(job)
    assert time.time() - os.stat(f"{job.directory}/lease").st_mtime < 60


def test_a_look_makes_no_lease_where_it_was_withdrawn(job, process):
    write(job, STARTED)
    os.unlink(f"{job.directory}/lease")
    look(job)
    assert not os.path.exists(f"{job.directory}/lease")


@pytest.mark.parametrize(
    ("rc", "stdout"),
    [
        (1, ""),
        (0, ""),
        (137, '{"phase": "copy"}\nmultimaster-look ended dead end\n'),
        (0, '{"phase": "copy"}\nmultimaster-look ended'),
        (0, '{"phase": "copy"}\n'),
        (0, "sudo: a password is required\n"),
        (0, "multimaster-look nonsense alive end"),
    ],
)
def test_what_is_no_whole_answer_says_nothing(rc, stdout):
    assert _looks.read(rc, stdout).state == _looks.SILENT


@pytest.mark.parametrize(
    ("collected", "state"),
    [
        ({"changed": True, "tables": [], "finished": True}, _looks.ENDED),
        ({"changed": False, "failed": True, "msg": "no", "finished": True}, _looks.ENDED),
        # What an unfinished seed looked like when it was reported as ok.
        ({"started": True, "finished": False, "changed": True}, _looks.RUNNING),
        ({}, _looks.RUNNING),
        ({"failed": True, "module_stdout": "", "msg": "deserialization"}, _looks.SILENT),
        ({"failed": True, "_ansible_parsed": False}, _looks.SILENT),
        (
            {"failed": True, "started": True, "finished": True, "msg": "could not find job"},
            _looks.LOST,
        ),
        # The wrapper's words for a module that was killed.
        ({"failed": True, "cmd": "x", "data": "", "msg": "Traceback", "finished": True}, "gone"),
        # Not this module's.
        ({"changed": True, "finished": True}, _looks.GONE),
        ({"tables": [], "finished": True}, _looks.GONE),
    ],
)
def test_only_the_modules_own_finished_result_counts(collected, state):
    assert _looks.judge(collected, ("tables",)) == state


def test_a_result_is_handed_on_as_the_module_wrote_it():
    collected = {"changed": True, "tables": [], "finished": True, "ansible_job_id": "j1.2"}
    assert _looks.own(collected) == {"changed": True, "tables": []}


def test_a_directory_is_made_with_a_lease(job, monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKS_TMPDIR", str(tmp_path))
    done = shell(_looks.prepare(job.module_directory, 1))
    made, left = _looks.prepared(done.returncode, done.stdout, job.module_directory)
    assert left == []
    assert sorted(os.listdir(made)) == ["lease", "module"]
    assert os.stat(made).st_mode & 0o777 == 0o700


def test_what_a_killed_play_left_is_removed_once_it_is_old(job, monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKS_TMPDIR", str(tmp_path))
    old = tmp_path / "ansible-tmp-1.5-2-3"
    old.mkdir()
    (old / "AnsiballZ_data_seed.py").write_text("a password")
    results = tmp_path / "j7.8"
    results.touch()
    left = tmp_path / "multimaster.abcdefgh"
    left.mkdir()
    (left / "module").write_text(f"{old}/\n")
    (left / "results").write_text(f"{results}\n")
    (left / "lease").touch()

    def prepare():
        done = shell(_looks.prepare(job.module_directory, 1))
        return _looks.prepared(done.returncode, done.stdout, job.module_directory)[1]

    assert prepare() == []
    for path in (left / "lease", left):
        os.utime(path, (time.time() - 90,) * 2)
    with subprocess.Popen([sys.executable, "-c", "input()", f"{old}/x"], stdin=-1) as process:
        assert prepare() == []
        process.kill()
    assert old.exists()
    assert prepare() == [str(old)]
    assert not any(path.exists() for path in (old, results, left))


@pytest.mark.parametrize(
    "name",
    [
        "/etc/ansible-tmp-1.5-2-3",
        "/root/.ansible/tmp/../../ansible-tmp-1.5-2-3",
        "/root/.ansible/tmp/other",
        "/root/.ansible/tmp/ansible-tmp-1.5-2-3; reboot",
    ],
)
def test_nothing_else_is_removed_as_the_user_that_logged_in(name):
    module_directory = "/root/.ansible/tmp/ansible-tmp-7.5-8-9/"
    assert _looks.prepared(0, f"left {name}/\nnew /tmp/x\n", module_directory) == ("/tmp/x", [])

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program on Bucardo's host that looks regularly: its commands and its processes.

As root it looks through a child that is Bucardo's user, and only restarts the daemon and writes the
metrics itself. docs/monitoring.md describes it to people.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pwd
import signal
import subprocess
import sys
import time
import typing as t

from .._bucardo.daemon import Daemon
from .._common.errors import DeadlineExceeded, MultimasterError
from .._wake import process as poll_process
from . import mend, render
from .look import Look, Settings, look, stopped_on_purpose
from .memory import Memory

USER = "bucardo"
CONFIG = "/etc/bucardo-watchdog"
# Root's own directory: whoever may replace files that root opens is root.
LOCK = "/run/bucardo-watchdog.lock"
LOG = "/var/log/bucardo/watchdog.log"
METRICS = "bucardo-multimaster.prom"
UNIT = "bucardo.service"
# What a start answers.
_RUNS, _STARTED = "runs", "started"
_START_POLL = "start-poll"
# Steps that the program takes by itself where no unit runs the daemon, by its command for each.
_STEPS = {"start-daemon": mend.START, "restart-daemon": mend.RESTART}
# Seconds.
_LOOK_TIMEOUT = 1200.0
_STOP_TIMEOUT = 60.0
_START_TIMEOUT = 120.0


def main(argv: t.Sequence[str] | None = None) -> int:
    """Entry point of the program."""
    parser = argparse.ArgumentParser(
        prog="bucardo-watchdog", description="Judges replication by Bucardo and mends what is safe."
    )
    parser.add_argument(
        "command",
        choices=[
            *("check", "metrics", "watch", "loop", "start", poll_process.COMMAND, _START_POLL),
            *("look", *_STEPS),
        ],
        help="check: a Nagios plugin. metrics: Prometheus' text. watch: look once, mend, write the"
        " metrics. loop: watch for ever. start: loop in the background, if none is there."
        " poll: wake syncs whose writes advance a sequence. start-poll: the same in background."
        " The others are for this program itself.",
    )
    parser.add_argument("--config", default=CONFIG, help="directory of settings")
    parser.add_argument("--mend", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    program = Program(os.path.abspath(sys.argv[0]), given.config)
    try:
        return program.run(given.command, given.mend)
    except MultimasterError as error:
        sys.stderr.write(f"{error.one_line}\n")
        return 1


class Program:
    """Its commands.

    :param path: its own file, which is run again as another user.
    """

    def __init__(self, path: str, config: str) -> None:
        self.path = path
        self.config = config

    def run(self, command: str, mending: bool = False) -> int:
        """One command; returns the exit code."""
        if command == "check":
            found = self.look(mending=False)
            _say(found.text)
            return found.code
        if command == "metrics":
            sys.stdout.write(self.look(mending=False).metrics)
            return 0
        if command == "watch":
            return self.watch(print)
        if command == "look":
            _say(json.dumps(dataclasses.asdict(look(Settings.load(self.config), mending))))
            return 0
        if command in _STEPS:
            _say(run_daemon(Settings.load(self.config).bucardorc, _STEPS[command]))
            return 0
        if command == poll_process.COMMAND:
            settings = Settings.load(self.config)
            words = [command, "--config", self.config]
            return poll_process.serve(self.path, words, settings.bucardorc, settings.systemd)
        if command == _START_POLL:
            _say(self.start_poll())
            return 0
        return self.start() if command == "start" else self.loop()

    def look(self, mending: bool) -> Look:
        """Look as the user that runs the daemon, whose files hold the passwords."""
        if os.geteuid() == _account().pw_uid:
            return look(Settings.load(self.config), mending)
        words = ["look", "--config", self.config, *(["--mend"] if mending else [])]
        try:
            done = self._as_bucardo(words, _LOOK_TIMEOUT)
        except subprocess.TimeoutExpired:
            return _no_look(f"a look did not end within {_LOOK_TIMEOUT:g} s")
        except PermissionError:
            return _no_look(f"only root and {USER} may look: try sudo -u {USER}")
        if done.returncode:
            return _no_look((done.stderr.strip().splitlines() or ["no answer"])[-1])
        return Look(**json.loads(done.stdout))

    def watch(self, say: t.Callable[[str], object]) -> int:
        """Look once, mend what is safe, write the metrics."""
        settings = Settings.load(self.config)
        if settings.systemd and not _unit_is_active():
            # Stopped on purpose, or systemd restarts it.
            return 0
        if not Memory.load().is_due(time.time()):
            return 0
        if not settings.systemd and self.start_poll() == _STARTED:
            say("started the program that wakes syncs")
        found = self.look(mending=True)
        for line in found.log:
            say(line)
        write_metrics(settings.metrics, found.metrics)
        if found.step and settings.systemd:
            _call(["systemctl", found.step, UNIT])
        elif found.step and not stopped_on_purpose():
            (command,) = (name for name, step in _STEPS.items() if step == found.step)
            done = self._as_bucardo(
                [command, "--config", self.config], _STOP_TIMEOUT + _START_TIMEOUT + 60
            )
            say((done.stdout + done.stderr).strip())
        return 0

    def loop(self) -> int:
        """Watch for ever; a second one ends at once."""
        lock = poll_process.alone(LOCK)
        if lock is None:
            return 0
        with lock:
            version = os.stat(self.path).st_mtime_ns
            while True:
                # A look that fails, whatever the reason, must not be the last.
                try:
                    self.watch(_log)
                    interval = Settings.load(self.config).interval
                except (OSError, ValueError, TypeError, KeyError, subprocess.SubprocessError) as e:
                    _log(f"{type(e).__name__}: {e}")
                    interval = 60.0
                time.sleep(interval)
                if os.stat(self.path).st_mtime_ns != version:
                    lock.close()
                    os.execv(self.path, [self.path, "loop", "--config", self.config])

    def start(self) -> int:
        """Begin the loop in the background, where none is; says which of both."""
        lock = poll_process.alone(LOCK)
        if lock is None:
            _say(_RUNS)
            return 0
        lock.close()
        self._begin("loop")
        _say(_STARTED)
        return 0

    def start_poll(self) -> str:
        """Begin to poll in the background, where nobody does; says which of both."""
        if poll_process.runs(self.path):
            return _RUNS
        self._begin(poll_process.COMMAND, **_user(_account()))
        return _STARTED

    def _begin(self, command: str, **more: t.Any) -> None:
        with open(os.devnull, "r+b") as nothing:
            subprocess.Popen(
                [self.path, command, "--config", self.config],
                stdin=nothing,
                stdout=nothing,
                stderr=nothing,
                cwd="/",
                start_new_session=True,
                env=_environment(),
                **more,
            )

    def _as_bucardo(
        self, words: t.Sequence[str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            cwd="/",
            env=_environment(),
            **_user(_account()),
        )


def run_daemon(bucardorc: str, step: str) -> str:
    """Start or restart a daemon that no unit runs; one that does not end is killed.

    :returns: what was done.
    """
    daemon = Daemon(bucardorc)
    pid = daemon.process().pid
    if pid and step == mend.START:
        # After it lost a server it waits some seconds before it connects again.
        return f"the daemon is there (PID {pid})"
    if pid:
        try:
            daemon.stop(_STOP_TIMEOUT)
        except DeadlineExceeded:
            # Its run is rolled back by the servers, and done again.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return f"the daemon runs (PID {daemon.start(_START_TIMEOUT)})"


def write_metrics(directory: str, text: str) -> None:
    """Whole or not at all: the collector may read at any moment."""
    if not directory or not os.path.isdir(directory):
        return
    temporary = os.path.join(directory, f".{METRICS}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, os.path.join(directory, METRICS))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def loop_runs() -> bool:
    """Whether a loop is there."""
    lock = poll_process.alone(LOCK) if os.path.exists(LOCK) else None
    if lock is None:
        return os.path.exists(LOCK)
    lock.close()
    return False


def _no_look(why: str) -> Look:
    code, text = render.unknown(why)
    return Look(code, text, render.prometheus_failed(time.time(), 0.0), [f"cannot look: {why}"])


def _account() -> pwd.struct_passwd:
    return pwd.getpwnam(USER)


def _user(account: pwd.struct_passwd) -> dict[str, t.Any]:
    """For a process of this account's; nothing where this is one."""
    if os.geteuid() == account.pw_uid:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    """libpq finds its password file in HOME."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": _account().pw_dir,
        "USER": USER,
        "LC_ALL": "C.UTF-8",
    }


def _unit_is_active() -> bool:
    return _call(["systemctl", "--quiet", "is-active", UNIT]) == 0


def _call(argv: t.Sequence[str]) -> int:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode


def _say(text: object) -> None:
    """What the caller asked for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _log(line: str) -> None:
    """By name each time, as the file is rotated; never through a link of Bucardo's user."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S%z")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    with (
        contextlib.suppress(OSError),
        open(os.open(LOG, flags, 0o640), "a", encoding="utf-8") as file,
    ):
        if os.fstat(file.fileno()).st_nlink == 1:
            file.write(f"{moment} {line}\n")

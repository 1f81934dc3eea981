# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucardo's daemon: its files, its process, and the verbs around it."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import time
import typing as t

from .._common.errors import CommandFailed, DeadlineExceeded, MultimasterError, Refused
from .._postgres import pg
from .._postgres.conninfo import ConnInfo
from . import daemon_messages
from .catalog import CONTROL_DB, THE_CONTROL_DB
from .cli import Bucardo, shown
from .cli_output import Transcript, reason, verdict

PID_FILE = "bucardo.mcp.pid"
# Bucardo.pm calls its processes "Bucardo Master Control Program v5.6.0."
_TITLE = "Bucardo Master Control"
# Seconds between two looks at the process.
POLL = 0.2
# The reason is for Bucardo's log.
START = ("start", "Ansible")
STOP = ("stop", "Ansible")
_CONNECTED = """
SELECT (pg_catalog.regexp_match(application_name, 'PID ([0-9]+)'))[1]::int AS pid
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND application_name ~ '^bucardo MCP .*PID [0-9]+'
 ORDER BY backend_start
"""
# Bytes of the log's end that are searched for the reason of a death.
_LOG_TAIL = 65536


@dataclasses.dataclass(frozen=True)
class Files:
    """Where the daemon keeps what.

    :param logs: file or directory names, from the rc file's logdest.
    """

    piddir: str
    reason_file: str
    logs: tuple[str, ...] = ("/var/log/bucardo",)

    @property
    def pid_file(self) -> str:
        """The PID file of the master control program."""
        return os.path.join(self.piddir, PID_FILE)


@dataclasses.dataclass(frozen=True)
class Process:
    """What the PID file and the process table say.

    :param pid: of the running daemon, 0 when there is none.
    :param stale_pid: in a PID file whose process is gone or is something else, or 0.
    """

    pid: int = 0
    stale_pid: int = 0


def parse_rc(text: str) -> dict[str, str]:
    """The settings of an rc file (pure); as the program reads it, the last one wins."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"^\s*(\w[\w-]+)\s*[:=]\s*(.+?)\s*$", line)
        if match and not line.lstrip().startswith("#"):
            found[match.group(1)] = match.group(2)
    return found


def control_conninfo(rc: t.Mapping[str, str]) -> ConnInfo:
    """How the program logs in to the control database with these settings (pure)."""
    found = {
        keyword: rc[name]
        for name, keyword in (
            ("dbhost", "host"),
            ("dbport", "port"),
            ("dbpass", "password"),
        )
        if rc.get(name)
    }
    found.update(dbname=rc.get("dbname", CONTROL_DB), user=rc.get("dbuser", "bucardo"))
    return ConnInfo(THE_CONTROL_DB, found)


def last_error(log: str) -> str:
    """The line of a log that tells most about a death (pure), "" when there is none."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        if re.search(
            r"\b(FATAL|ERROR|Error|failed|died|cannot|Cannot|could not|Could not)\b", line
        ):
            return line
    for line in reversed(lines):
        if "Warning" in line:
            return line
    return ""


class Daemon:
    """The daemon of one rc file; to be used as the operating system's user that runs it.

    :param bucardorc: the rc file.
    """

    def __init__(self, bucardorc: str) -> None:
        self.cli = Bucardo(bucardorc=bucardorc)
        self.rc = self._read_rc(bucardorc)
        self._files: Files | None = None

    @property
    def files(self) -> Files:
        """Read once; the rc file wins over the catalog."""
        if self._files is None:
            # Not by "bucardo show": the program takes a quarter of a second to start.
            with pg.Session(control_conninfo(self.rc)) as session:
                settings = {
                    row["name"]: row["setting"]
                    for row in session.rows(
                        "SELECT name, setting FROM bucardo.bucardo_config"
                        " WHERE item IS NULL AND name IN ('piddir', 'reason_file')"
                    )
                }
            if "piddir" not in settings:
                raise CommandFailed("Bucardo has no setting piddir")
            return self.adopt_settings(settings)
        return self._files

    def adopt_settings(self, settings: t.Mapping[str, str]) -> Files:
        """Take the places of files from Bucardo's settings (and the rc file)."""
        found = {**settings, **self.rc}
        logs = tuple(found.get("logdest", "/var/log/bucardo").split(","))
        self._files = Files(found["piddir"], found.get("reason_file", ""), logs)
        return self._files

    def process(self) -> Process:
        """Whether it runs, by PID file, process table and its connection.

        Bucardo removes the file by its name when a process ends, also that of another one, and
        starts a second daemon beside one whose file is missing.
        """
        found = self._by_file()
        return found if found.pid else Process(self._connected(), found.stale_pid)

    def _connected(self) -> int:
        """A main process on this host that is connected to the control database, or 0."""
        with (
            contextlib.suppress(MultimasterError),
            pg.Session(control_conninfo(self.rc)) as session,
        ):
            pids = session.column(_CONNECTED)
            return next((pid for pid in pids if _alive(pid) and _is_bucardo(pid)), 0)
        return 0

    def _by_file(self) -> Process:
        try:
            with open(self.files.pid_file, encoding="utf-8", errors="replace") as file:
                match = re.match(r"\s*(\d+)", file.readline())
        except FileNotFoundError:
            return Process()
        except OSError as error:
            raise Refused(
                f"Cannot read {self.files.pid_file}: {error.strerror}",
                "Run this as the user that runs the daemon (become_user: bucardo).",
            ) from error
        pid = int(match.group(1)) if match else 0
        if pid and _alive(pid) and _is_bucardo(pid):
            return Process(pid=pid)
        return Process(stale_pid=pid)

    def answers(self, timeout: float) -> bool:
        """Whether it answers within `timeout` seconds.

        Not asked by "bucardo ping", which takes any process's message for the answer: it says OK
        while the daemon is stopped.
        """
        with pg.Session(control_conninfo(self.rc)) as session:
            return daemon_messages.DaemonMessages(session).answers(timeout)

    def start(self, timeout: float) -> int:
        """Start it, wait until it answers, and return its PID.

        :raises CommandFailed: when it dies, with the last error of its log.
        """
        deadline = time.monotonic() + timeout
        stale = self.process().stale_pid
        if stale and _alive(stale):
            # The program takes any live process for the daemon, and refuses to start.
            os.unlink(self.files.pid_file)
        began = time.time()
        transcript = self.cli.run(*START, check=False)
        if not verdict(transcript).ok:
            raise CommandFailed(f"bucardo start: {verdict(transcript).message}", _cure(transcript))
        pid = 0
        while time.monotonic() < deadline:
            pid = self.process().pid or pid
            if pid and not _alive(pid):
                break
            # The PID file is the daemon's first act after its fork.
            if not pid and time.time() - began > 10:
                break
            if pid and self.answers(2):
                return pid
            time.sleep(POLL)
        if pid and _alive(pid):
            raise DeadlineExceeded(
                f"Bucardo runs (PID {pid}), but did not answer within {timeout:g} s",
                f"See {', '.join(self.files.logs)}.",
            )
        why = last_error(self._log_since(began)) or "its log says nothing"
        raise CommandFailed(
            f"Bucardo ended right after its start: {why}", f"See {', '.join(self.files.logs)}."
        )

    def stop(self, timeout: float) -> None:
        """Stop it and wait for its process to end.

        :raises DeadlineExceeded: when it has not ended in time; it still ends later.
        """
        pid = self.process().pid
        self.cli.run(*STOP)
        deadline = time.monotonic() + timeout
        while (pid and _alive(pid)) or (pid := self._connected()):
            if time.monotonic() >= deadline:
                raise DeadlineExceeded(
                    f"Bucardo (PID {pid}) did not end within {timeout:g} s",
                    "A sync may be in the middle of a large run; wait, or raise timeout.",
                )
            time.sleep(POLL)

    def reload(self, timeout: float) -> None:
        """Let it read its settings and syncs again, and wait until it has."""
        words = reload_words(timeout)
        transcript = self.cli.run(*words, timeout=int(words[-1]) + 30, check=False)
        if not verdict(transcript).ok or "DONE" not in transcript.stdout:
            raise CommandFailed(f"bucardo reload config: {reason(transcript)}")

    def shown(self, words: t.Iterable[str]) -> str:
        """A call of the program, as a line for results."""
        return shown(self.cli.argv(*words))

    def require_directories(self) -> None:
        """:raises Refused: when it could not be started or stopped for want of a directory."""
        for what, directory in (
            ("piddir", self.files.piddir),
            ("directory of reason_file,", os.path.dirname(self.files.reason_file)),
        ):
            if not directory:
                continue
            if not os.path.isdir(directory):
                raise Refused(
                    f"Bucardo's {what} {directory} is missing",
                    "Create it for the user that runs the daemon; below /run it must be made anew"
                    " after every boot (systemd-tmpfiles or RuntimeDirectory=).",
                )
            if not os.access(directory, os.W_OK | os.X_OK):
                raise Refused(
                    f"This user cannot write into Bucardo's {what} {directory}",
                    "Run this as the user that runs the daemon (become_user: bucardo).",
                )

    def _log_since(self, began: float) -> str:
        texts = []
        for place in self.files.logs:
            path = os.path.join(place, "log.bucardo") if os.path.isdir(place) else place
            try:
                if os.stat(path).st_mtime < began - 1:
                    continue
                with open(path, "rb") as file:
                    file.seek(0, os.SEEK_END)
                    file.seek(max(0, file.tell() - _LOG_TAIL))
                    texts.append(file.read().decode("utf-8", "replace"))
            except OSError:
                continue
        return "\n".join(texts)

    def _read_rc(self, path: str) -> dict[str, str]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return parse_rc(file.read())
        except OSError as error:
            raise Refused(
                f"bucardorc: cannot read {path}: {error.strerror}",
                "Run this as the user that runs the daemon (become_user: bucardo).",
            ) from error


def _cure(transcript: Transcript) -> str:
    if "Version mismatch" in transcript.stdout + transcript.stderr:
        return "Run bucardo_install with state=upgraded."
    return ""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        # EPERM: it is there, but another user's.
        return error.errno == errno.EPERM
    # A child that nobody has waited for has ended all the same.
    return _status(pid) != "Z"


def _status(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _is_bucardo(pid: int) -> bool:
    """By the process's title; without /proc a live process is believed."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return is_daemon(file.read().split("\0"))
    except FileNotFoundError:
        return not os.path.isdir("/proc/self")
    except OSError:
        return True


def is_daemon(argv: t.Sequence[str]) -> bool:
    """Whether this is the daemon's argument list (pure).

    It overwrites that with a title, but begins as "perl /usr/bin/bucardo start".
    """
    if argv and argv[0].startswith(_TITLE):
        return True
    programs = [os.path.basename(word) for word in argv[:2]]
    return "bucardo" in programs and "start" in argv


def reload_words(timeout: float) -> tuple[str, ...]:
    """Reads the settings and then all syncs; a plain "reload" would leave the settings out."""
    return ("reload", "config", str(max(1, int(timeout))))


def wait_seconds(value: t.Any) -> float:
    """:raises Refused: for a timeout that is not positive."""
    if value <= 0:
        raise Refused(f"timeout must be positive, not {value}")
    return float(value)

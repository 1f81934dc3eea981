# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of the bucardo program: the only place that runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import typing as t

from .._common.errors import CommandFailed, DeadlineExceeded, Refused
from .._postgres.conninfo import ConnInfo
from .cli_output import Transcript, verdict

PROGRAM = "bucardo"


class Bucardo:
    """Runs `bucardo` with an argument list, without a shell, in English, without secrets in argv.

    :param conninfo: the control database; dbname and user must be given, for the program's own
        defaults ("bucardo" for both) would win over libpq's. None with `bucardorc`.
    :param bucardorc: read this file instead; needed by the verbs around the daemon.
    """

    def __init__(
        self, conninfo: ConnInfo | None = None, bucardorc: str = "", program: str = PROGRAM
    ) -> None:
        self.conninfo = conninfo
        self.bucardorc = bucardorc
        self.program = program

    def argv(self, *words: str) -> list[str]:
        """The whole argument list of a call; safe to show."""
        argv = [self.program]
        if self.bucardorc:
            argv += ["--bucardorc", self.bucardorc]
        else:
            # The first rc file found would win, be it a stray one in the working directory.
            argv += ["--no-bucardorc"]
        if self.conninfo is not None:
            argv += ["--dbname", self.conninfo.params["dbname"]]
            argv += ["--dbuser", self.conninfo.params["user"]]
        return argv + ["--batch"] + list(words)

    def run(
        self, *words: str, answer: str = "", timeout: float | None = 120, check: bool = True
    ) -> Transcript:
        """Run one verb and return what it said.

        :param answer: text for its standard input, else that is empty.
        :param timeout: seconds, None for no limit.
        :param check: raise when the transcript does not mean success; see `verdict`.
        :raises CommandFailed: as above, or when the program cannot be run.
        :raises DeadlineExceeded: after `timeout`; the program is ended.
        """
        argv = self.argv(*words)
        rc, out, err = run_program(argv, libpq_environment(self.conninfo), answer, timeout)
        transcript = Transcript(
            argv=tuple(argv),
            words=tuple(words),
            rc=rc,
            stdout=out,
            stderr=err,
        )
        if check:
            result = verdict(transcript)
            if not result.ok:
                raise CommandFailed(
                    f"bucardo {' '.join(words)}: {result.message}", rc=transcript.rc
                )
        return transcript

    def version(self) -> str:
        """The program's version, e.g. "5.6.0"; needs no database."""
        said = self.run("--version").stdout.split()
        if len(said) < 3:
            raise CommandFailed(f"{self.program} --version said {' '.join(said)!r}")
        return said[2]


def run_program(
    argv: t.Sequence[str],
    environment: t.Mapping[str, str],
    answer: str = "",
    timeout: float | None = 120,
    package: str = "bucardo",
) -> tuple[int, str, str]:
    """Run a program in "/" and return its exit code, standard output and standard error.

    :param package: Debian's package that holds it, for the message when it is missing.
    :raises CommandFailed: when it cannot be started.
    :raises DeadlineExceeded: after `timeout` seconds; it is ended with all of its children.
    """
    # Files instead of pipes: a daemon that inherits a pipe would keep us waiting for its end.
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(answer.encode("utf-8"))
        given.seek(0)
        try:
            # AnsibleModule.run_command can neither end a process in time nor leave its pipes alone.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv,
                stdin=given,
                stdout=out,
                stderr=err,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(
                f"Cannot run {argv[0]}: {error.strerror}",
                f"Install Debian's package {package} on this host.",
            ) from error
        try:
            process.wait(timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise DeadlineExceeded(f"{argv[0]} did not end within {timeout:g} s") from error
            raise
        out.seek(0)
        err.seek(0)
        return (
            process.returncode,
            out.read().decode("utf-8", "replace"),
            err.read().decode("utf-8", "replace"),
        )


# Around the code that Bucardo.pm 5.6.0 compiles (validate_sync): its pragmas and its variables.
_AS_IN_BUCARDO = """use strict;
use warnings;
use utf8;
package Bucardo;
our ($VERSION, %config, %config_about, %msg, $lang);
my ($hostname, $shorthost, $self, $s, $c);
"""


def perl_complaint(source: str) -> str:
    """What `perl -c` says against custom code, "" when it compiles."""
    text = f"{_AS_IN_BUCARDO}package Bucardo::CustomCode;\nsub {{ {source} }};\n"
    argv = ["perl", "-w", "-c", "-"]
    rc, out, err = run_program(argv, libpq_environment(None), text, package="perl")
    if rc == 0:
        return ""
    lines = [line.strip() for line in (err + out).splitlines() if line.strip()]
    return lines[0] if lines else f"perl ended with {rc}"


def libpq_environment(conninfo: ConnInfo | None) -> dict[str, str]:
    """This process's environment in English, pointing libpq at a database.

    :raises Refused: for a connection parameter that programs cannot take.
    """
    # BUCARDO_* and DBI_* of the caller's would change what bucardo does.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BUCARDO_", "DBI_"))
    }
    if conninfo is not None:
        try:
            environment.update(conninfo.environment())
        except ValueError as error:
            raise Refused(str(error), "Use a libpq service file.") from error
    environment["LC_ALL"] = "C"
    environment["PGCLIENTENCODING"] = "UTF8"
    return environment


def shown(argv: t.Iterable[str]) -> str:
    """An argument list as a line for results."""
    return " ".join(word if word and " " not in word else f"'{word}'" for word in argv)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""The client of the bucardo program: the only place that runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._cli_output import (
    Transcript,
    Verdict,
    verdict,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import (
    CommandFailed,
    DeadlineExceeded,
    Refused,
)

PROGRAM = "bucardo"


class Bucardo:
    """Runs C(bucardo) with an argument list, without a shell, in English, without secrets in argv.

    :param conninfo: the control database; dbname and user must be given, for the program's own
        defaults ("bucardo" for both) would win over libpq's. None with C(bucardorc).
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
        :param check: raise when the transcript does not mean success; see C(verdict).
        :raises CommandFailed: as above, or when the program cannot be run.
        :raises DeadlineExceeded: after C(timeout); the program is ended.
        """
        argv = self.argv(*words)
        try:
            # In a session of its own, so that a time-out ends it with all of its children.
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(
                f"Cannot run {self.program}: {error.strerror}",
                "Install Debian's package bucardo on this host.",
            ) from error
        try:
            out, err = process.communicate(answer.encode("utf-8"), timeout=timeout)
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise DeadlineExceeded(
                f"bucardo {' '.join(words)} did not end within {timeout:g} s"
            ) from error
        transcript = Transcript(
            argv=tuple(argv),
            words=tuple(words),
            rc=process.returncode,
            stdout=out.decode("utf-8", "replace"),
            stderr=err.decode("utf-8", "replace"),
        )
        if check:
            result: Verdict = verdict(transcript)
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

    def _environment(self) -> dict[str, str]:
        # BUCARDO_* and a PGDATABASE of the caller's would change what the verbs do.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BUCARDO_", "DBI_"))
        }
        if self.conninfo is not None:
            try:
                environment.update(self.conninfo.environment())
            except ValueError as error:
                raise Refused(str(error), "Use a libpq service file.") from error
        environment["LC_ALL"] = "C"
        environment["PGCLIENTENCODING"] = "UTF8"
        return environment


def shown(argv: t.Iterable[str]) -> str:
    """An argument list as a line for results."""
    return " ".join(word if word and " " not in word else f"'{word}'" for word in argv)

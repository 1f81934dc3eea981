# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs pg_dump and pg_restore."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
import shutil
import subprocess
import typing as t

from .._common.errors import CommandFailed, Refused
from . import dump
from .conninfo import ConnInfo

# Debian and its family, then the PostgreSQL project's RPMs
_BIN_DIRS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_PROGRAMS = ("pg_dump", "pg_restore")
_CONNECT_TIMEOUT = "15"
_SECRET_KEYWORDS = ("sslpassword", "oauth_client_secret")


@dataclasses.dataclass(frozen=True)
class Tools:
    """The client programs of one directory.

    :param major: major version of its pg_dump.
    """

    bin_dir: str
    major: int

    def path(self, program: str) -> str:
        """Full path of one program."""
        return os.path.join(self.bin_dir, program)

    def require(self, majors: t.Mapping[str, int]) -> None:
        """pg_dump cannot read a server newer than itself.

        :param majors: server's name to its major version.
        :raises Refused: naming the server and the version that is needed.
        """
        for name, major in majors.items():
            if major > self.major:
                raise Refused(
                    f"pg_dump {self.major} ({self.bin_dir}) cannot read {name}, which runs"
                    f" PostgreSQL {major}",
                    f"Install postgresql-client-{major} on this host or set pg_bin_dir.",
                )

    def dump_schema(
        self,
        conninfo: ConnInfo,
        archive: str,
        snapshot: str,
        exclude_schemas: t.Sequence[str],
        lock_timeout: int,
    ) -> list[str]:
        """Write the database's schema into an archive and return the argv.

        :param snapshot: name of an exported snapshot.
        :param lock_timeout: milliseconds to wait for a table's ACCESS SHARE lock, 0 for ever.
        """
        argv = [
            self.path("pg_dump"),
            "--schema-only",
            "--format=custom",
            "--encoding=UTF8",
            "--no-publications",
            "--no-subscriptions",
            f"--snapshot={snapshot}",
            f"--file={archive}",
            *(f"--exclude-schema={_pattern(schema)}" for schema in exclude_schemas),
        ]
        if lock_timeout:
            argv.append(f"--lock-wait-timeout={lock_timeout}")
        argv.append(f"--dbname={_conninfo_string(conninfo)}")
        self._run(argv, conninfo, f"Cannot dump the schema of {conninfo}")
        return argv

    def toc(self, archive: str) -> list[dump.TocEntry]:
        """An archive's table of contents."""
        argv = [self.path("pg_restore"), "--list", archive]
        return dump.parse_toc(self._run(argv, None, "Cannot list the dump"))

    def script(
        self,
        archive: str,
        entries: t.Iterable[dump.TocEntry],
        sections: t.Sequence[str] = (),
        tablespaces: bool = True,
        owners: bool = True,
    ) -> str:
        """Some entries of an archive as SQL text.

        :param sections: pre-data, post-data; both when empty.
        :param owners: whether it says whose the objects are.
        """
        use_list = archive + ".list"
        with open(use_list, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.writelines(f"{entry.line}\n" for entry in entries)
        argv = [
            self.path("pg_restore"),
            f"--use-list={use_list}",
            *(f"--section={section}" for section in sections),
            *([] if tablespaces else ["--no-tablespaces"]),
            *([] if owners else ["--no-owner"]),
            "--file=-",
            archive,
        ]
        return self._run(argv, None, "Cannot read the dump")

    def _run(self, argv: list[str], conninfo: t.Optional[ConnInfo], problem: str) -> str:
        done = self._start(argv, conninfo)
        if done.returncode != 0:
            error = dump.redact(_first_error(_text(done.stderr)))
            raise CommandFailed(f"{problem}: {error}", _cure(_text(done.stderr)))
        return _text(done.stdout)

    def _start(
        self, argv: list[str], conninfo: t.Optional[ConnInfo]
    ) -> subprocess.CompletedProcess[bytes]:
        password = conninfo.password if conninfo is not None else None
        return _run(argv, {"PGPASSWORD": password} if password else {})


def find_tools(bin_dir: t.Optional[str] = None) -> Tools:
    """The newest set of client programs, or that of the given directory.

    :raises Refused: when there is none.
    """
    if bin_dir:
        for program in _PROGRAMS:
            if not os.access(os.path.join(bin_dir, program), os.X_OK):
                raise Refused(f"pg_bin_dir: {bin_dir} holds no program {program}")
        return Tools(bin_dir, _major(bin_dir))
    places = {path for pattern in _BIN_DIRS for path in glob.glob(pattern)}
    complete = [
        place
        for place in sorted(places)
        if all(os.access(os.path.join(place, program), os.X_OK) for program in _PROGRAMS)
    ]
    if complete:
        return max((Tools(place, _major(place)) for place in complete), key=lambda t_: t_.major)
    found = shutil.which("pg_dump")
    if found and all(shutil.which(program) for program in _PROGRAMS):
        place = os.path.dirname(found)
        return Tools(place, _major(place))
    raise Refused(
        "There is no pg_dump on this host",
        "Install postgresql-client there or set pg_bin_dir.",
    )


def _run(argv: t.Sequence[str], secrets: t.Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    try:
        # AnsibleModule.run_command exists in modules only, and is for text: this may be none.
        return subprocess.run(  # pylint: disable=ansible-bad-function
            argv,
            env={**os.environ, "LC_ALL": "C", "LANGUAGE": "", **secrets},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise CommandFailed(f"Cannot run {argv[0]}: {error.strerror}") from error


def _major(bin_dir: str) -> int:
    argv = [os.path.join(bin_dir, "pg_dump"), "--version"]
    done = _run(argv, {})
    match = re.search(r"\(PostgreSQL\) (\d+)", _text(done.stdout))
    if not match:
        raise CommandFailed(f"{argv[0]} --version says {_text(done.stdout).strip()!r}")
    return int(match[1])


def _conninfo_string(conninfo: ConnInfo) -> str:
    """Everything but the password, for argv.

    Not as environment variables: libpq ranks them below a service file, while the session of
    this collection ranks the same options above it.
    """
    secret = [keyword for keyword in _SECRET_KEYWORDS if keyword in conninfo.params]
    if secret:
        raise Refused(
            f"connect_params of {conninfo.name}: {secret[0]} would show in the list of processes",
            "Use a key without a passphrase or a service file.",
        )
    params = {"connect_timeout": _CONNECT_TIMEOUT, **conninfo.params}
    params.pop("password", None)
    quoted = {
        keyword: value.replace("\\", "\\\\").replace("'", "\\'")
        for keyword, value in params.items()
    }
    return " ".join(f"{keyword}='{value}'" for keyword, value in quoted.items())


def _pattern(name: str) -> str:
    """An exact name as a pattern of pg_dump's."""
    return '"' + name.replace('"', '""') + '"'


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="surrogateescape")


def _first_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for line in lines:
        if re.search(r"error:|ERROR:|FATAL:", line):
            return line
    return lines[0] if lines else "no message"


def _cure(text: str) -> str:
    if "max_locks_per_transaction" in text:
        return "Raise max_locks_per_transaction on that server and restart it."
    return ""

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site for a test: containers with PostgreSQL, masters in them, and the real playbooks.

By default all masters are databases of one server, on which Bucardo runs as well: quick to make,
and real in all that matters to most tests. Tests that stop, pause or cut off a master give each
its own host.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

import yaml
from servers import REPOSITORY, Servers, docker

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo

DEBIAN = os.environ.get("DEBIAN", "bookworm")
IMAGE = f"multimaster/postgresql:{DEBIAN}"
# With another major version of PostgreSQL; "tools/setup other" makes it.
OTHER_IMAGE = f"multimaster/postgresql:{'bookworm' if DEBIAN == 'trixie' else 'trixie'}"
PASSWORD = "p,o's\"t g%r=e\\s"
BUCARDO_PASSWORD = "b,u'c\"a r%d=o\\1"
# The process that wakes syncs, and not the shell that looks for it.
POLLER = "[/]usr/local/sbin/bucardo-watchdog poll"
# A module that is given to Python by its standard input, and so has no name.
PIPELINED = "^/usr/bin/python3 ?$"
# As for a master that is being taken in.
SOMEBODY = "joining somebody"
# Seconds.
PLAY_TIMEOUT = 900
PATIENCE = 60


@dataclasses.dataclass
class Play:
    """What a playbook said."""

    code: int
    text: str

    @property
    def changes(self) -> list[str]:
        """The tasks that changed something, each with its host."""
        found, task = [], ""
        for line in self.text.splitlines():
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                task = line.partition("[")[2].rpartition("]")[0]
            elif line.startswith("changed: ["):
                found.append(f"{task}, {line[9:]}")
        return found

    @property
    def error(self) -> str:
        """The one error, without what Ansible shows of the play's source."""
        return self.text.partition("[ERROR]")[2].split("\nOrigin:")[0]


@dataclasses.dataclass
class Master:
    """A database of the site, asked with psql inside its container: not by the code under test."""

    site: Site
    name: str
    host: str
    database: str
    port: int = 5432

    def sql(self, text: str) -> list[list[str]]:
        """Rows of the statements as text; fails on any error."""
        output = self.site.psql(self.host, self.database, text, self.port)
        return [line.split("\x1f") for line in output.splitlines() if line]

    def value(self, text: str) -> str:
        """The first field of the first row, "" when there is none."""
        rows = self.sql(text)
        return rows[0][0] if rows else ""

    def refused(self, text: str) -> str:
        """What psql says to statements that must fail."""
        try:
            self.sql(text)
        except RuntimeError as error:
            return str(error)
        raise AssertionError(f"not refused: {text}")

    def rows(self, table: str) -> list[list[str]]:
        """All rows of a table, in order."""
        return self.sql(f'SELECT r::text FROM {table} r ORDER BY r::text COLLATE "C"')

    @contextlib.contextmanager
    def unpurged(self, table: str) -> t.Iterator[None]:
        """Keep all changes of a table, as for a master that is being taken in."""
        self.sql(
            "INSERT INTO bucardo.bucardo_delta_targets (tablename, target)"
            f" VALUES ('{table}'::regclass, '{SOMEBODY}')"
        )
        try:
            yield
        finally:
            self.sql(f"DELETE FROM bucardo.bucardo_delta_targets WHERE target = '{SOMEBODY}'")

    @contextlib.contextmanager
    def connected(self) -> t.Iterator[Connection]:
        """A session that stays open, as an application's; it ends with the block."""
        connection = Connection(self)
        try:
            yield connection
        finally:
            connection.close()

    def variables(self) -> dict[str, t.Any]:
        """Its entry in an inventory."""
        return {
            "master_host": self.host,
            "master_port": self.port,
            "master_db": self.database,
            "master_user": "postgres",
            "master_password": PASSWORD,
        }


class Connection:
    """psql that waits for the next statement, in the state that the last one left it in."""

    _END = "--end of the answer--"

    def __init__(self, master: Master) -> None:
        site = master.site
        self._psql = subprocess.Popen(
            [
                *("docker", "exec", "--interactive", "--user", "postgres"),
                *(site.container(master.host), "psql", "--no-psqlrc", "--quiet"),
                *("--tuples-only", "--no-align", "--field-separator=\x1f"),
                f"--dbname=dbname='{master.database}' port={master.port}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def sql(self, text: str) -> list[list[str]]:
        """Rows of statements, or the one field of an error message."""
        assert self._psql.stdin
        assert self._psql.stdout
        self._psql.stdin.write(f"{text.rstrip(';')};\n\\echo {self._END}\n")
        self._psql.stdin.flush()
        rows = []
        for line in self._psql.stdout:
            if line.strip() == self._END:
                break
            rows.append(line.rstrip("\n").split("\x1f"))
        return rows

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        assert self._psql.stdin
        assert self._psql.stdout
        self._psql.stdin.close()
        self._psql.wait()
        self._psql.stdout.close()


class Site(Servers):
    """See the module. A context manager; the containers go at its end.

    :param hosts: one container each; Bucardo runs on the last one.
    :param images: those of hosts that are not made from `image`.
    """

    def __init__(
        self,
        name: str,
        hosts: t.Sequence[str] = ("db",),
        image: str = IMAGE,
        images: t.Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, image, hosts, kind="live")
        self._images = dict(images or {})
        self.bucardo_host = hosts[-1]
        # Further variables of the environment in which playbooks run.
        self.environment: dict[str, str] = {}
        self._files = tempfile.TemporaryDirectory(prefix="multimaster-live-")

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._files.cleanup()

    def start(self) -> None:
        """Make the containers; the servers want passwords from the network."""
        super().start()
        for host in self.hosts:
            self.psql(host, "postgres", f"ALTER ROLE postgres PASSWORD $${PASSWORD}$$")

    def image_of(self, host: str) -> str:
        """What a container is made from."""
        return self._images.get(host, self.image)

    def configure(
        self, host: str, lines: t.Sequence[str] = (), auth: str = "scram-sha-256"
    ) -> None:
        """(Re)start a server with these further lines of configuration."""
        quick = ("fsync = off", "password_encryption = 'scram-sha-256'")
        super().configure(host, [*quick, *lines], auth)

    def psql(self, host: str, database: str, text: str, port: int = 5432) -> str:
        """Output of a script as postgres, fields separated by \\x1f; fails on any error."""
        return docker(
            *("exec", "--interactive", "--user", "postgres", self.container(host), "psql"),
            *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\x1f"),
            *("--set=ON_ERROR_STOP=1", f"--dbname=dbname='{database}' port={port}"),
            stdin=text,
        )

    def master(self, name: str, database: str = "", host: str = "", schema: str = "") -> Master:
        """A master by its name in the inventory; its database is made when a schema is given."""
        master = Master(self, name, host or self.hosts[0], database or name)
        if schema:
            quoted = master.database.replace('"', '""')
            self.psql(master.host, "postgres", f'CREATE DATABASE "{quoted}" TEMPLATE template0')
            master.sql(schema)
        return master

    def conninfo(self, master: Master) -> ConnInfo:
        """For the collection's own sessions, opened by the test itself."""
        address = docker(
            *("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"),
            self.container(master.host),
        ).strip()
        params = {"host": address, "user": "postgres", "password": PASSWORD}
        return ConnInfo(master.name, {**params, "dbname": master.database})

    def inventory(
        self, masters: t.Sequence[Master], origin: str = "", **variables: t.Any
    ) -> dict[str, t.Any]:
        """An inventory of these masters, the first one or the one named being the origin.

        Without the watchdog, which would mend what tests provoke.
        """
        hosts = {master.name: master.variables() for master in masters}
        hosts[origin or masters[0].name]["master_origin"] = True
        return {
            "all": {
                "vars": {
                    "ansible_connection": "community.docker.docker",
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "multimaster_bucardo_password": BUCARDO_PASSWORD,
                    "bucardo_watchdog": False,
                    **variables,
                },
                "children": {
                    "masters": {"hosts": hosts},
                    "bucardo": {
                        "hosts": {"control": {"ansible_host": self.container(self.bucardo_host)}}
                    },
                },
            }
        }

    def play(
        self, playbook: str, inventory: dict[str, t.Any], *options: str, check: bool = True
    ) -> Play:
        """Run a playbook of the collection, or a file, as a user does.

        :param check: whether it must end well.
        """
        with self.started(playbook, inventory, *options) as process:
            text, _errors = process.communicate(timeout=PLAY_TIMEOUT)
        play = Play(process.returncode, text)
        assert not check or play.code == 0, text
        return play

    @contextlib.contextmanager
    def started(
        self, playbook: str, inventory: dict[str, t.Any], *options: str
    ) -> t.Iterator[subprocess.Popen[str]]:
        """The same, under way; stopped at the end of the block."""
        name = playbook if playbook.endswith(".yml") else f"multimaster.bucardo.{playbook}"
        process = self._start("ansible-playbook", inventory, name, *options)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def ad_hoc(self, inventory: dict[str, t.Any], *words: str) -> str:
        """Run `ansible` with these words, as a user does; returns what it said."""
        process = self._start("ansible", inventory, *words)
        text, _errors = process.communicate(timeout=PLAY_TIMEOUT)
        assert process.returncode == 0, text
        return text

    def _start(
        self, program: str, inventory: dict[str, t.Any], *words: str
    ) -> subprocess.Popen[str]:
        path = pathlib.Path(tempfile.mkdtemp(dir=self._files.name)) / "inventory.yml"
        path.write_text(yaml.safe_dump(copy.deepcopy(inventory), allow_unicode=True), "utf-8")
        return subprocess.Popen(
            [
                str(pathlib.Path(sys.executable).with_name(program)),
                *words,
                "--inventory",
                str(path),
            ],
            cwd=path.parent,
            env={**_environment(), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def task(self, module: str, user: str = "bucardo", /, **options: t.Any) -> str:
        """A playbook that runs one module, see `module`; its result goes to a file beside it."""
        path = pathlib.Path(tempfile.mkdtemp(dir=self._files.name)) / "task.yml"
        result = path.with_name("result.json")
        task = {
            f"multimaster.bucardo.{module}": options,
            "become": True,
            "become_user": user,
            "register": "__result",
            "ignore_errors": True,
            "vars": {"ansible_pipelining": True},
        }
        write = {
            "ansible.builtin.copy": {"content": "{{ __result | to_json }}", "dest": str(result)},
            "delegate_to": "localhost",
            "check_mode": False,
            "vars": {"ansible_connection": "local"},
        }
        play = [{"hosts": "bucardo", "gather_facts": False, "tasks": [task, write]}]
        path.write_text(yaml.safe_dump(play, allow_unicode=True), "utf-8")
        return str(path)

    def module(
        self,
        module: str,
        inventory: dict[str, t.Any],
        /,
        user: str = "bucardo",
        check: bool = True,
        dry: bool = False,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """Result of one module of the collection on the host of Bucardo.

        :param user: the operating-system user; `bucardo` reaches the control database.
        :param check: whether it must end well.
        :param dry: in check mode.
        """
        path = self.task(module, user, **options)
        result = pathlib.Path(path).with_name("result.json")
        said = self.play(path, inventory, *(["--check"] if dry else []))
        found = dict(json.loads(result.read_text("utf-8")))
        assert not check or not found.get("failed"), said.text
        return found

    def masters_option(self, inventory: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """The masters of an inventory as the modules' option `masters` wants them."""
        hosts = inventory["all"]["children"]["masters"]["hosts"]
        return [
            {
                "name": name,
                "origin": bool(variables.get("master_origin")),
                "login_host": variables["master_host"],
                "login_db": variables["master_db"],
                "login_user": variables["master_user"],
                "login_password": variables["master_password"],
            }
            for name, variables in hosts.items()
        ]

    def kill(self, words: str) -> None:
        """End the processes of modules whose arguments hold these words, on Bucardo's host."""
        self.run(self.bucardo_host, f"pkill -9 -f -- '{words}'")

    @contextlib.contextmanager
    def without_poller(self) -> t.Iterator[None]:
        """Let the process that wakes syncs stand still."""
        self.run(self.bucardo_host, f"pkill -STOP --full '{POLLER}'")
        try:
            yield
        finally:
            self.run(self.bucardo_host, f"pkill -CONT --full '{POLLER}'")

    def bucardo(self, *words: str) -> str:
        """Output of Bucardo's own program."""
        return docker(
            "exec", "--user", "bucardo", self.container(self.bucardo_host), "bucardo", *words
        )


def _environment() -> dict[str, str]:
    """As on a user's terminal: none of what a test tool has set but for where things are."""
    kept = ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME")
    env = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_") or k in kept}
    env.setdefault("ANSIBLE_COLLECTIONS_PATH", str(REPOSITORY / ".cache"))
    env.setdefault("ANSIBLE_HOME", str(REPOSITORY / ".cache" / "ansible"))
    # Ansible leaves its standard output to Python, which keeps what goes into a pipe back for long.
    env["PYTHONUNBUFFERED"] = "1"
    return {**env, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INJECT_INVOCATION": "1", "LC_ALL": "C.UTF-8"}


def eventually(condition: t.Callable[[], t.Any], seconds: float = PATIENCE) -> bool:
    """Whether the condition becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.5)
    return bool(condition())


def same_rows(masters: t.Sequence[Master], *tables: str, seconds: float = PATIENCE) -> bool:
    """Whether all masters come to hold the same rows of these tables in time."""
    return eventually(
        lambda: all(
            other.rows(table) == masters[0].rows(table) for other in masters[1:] for table in tables
        ),
        seconds,
    )

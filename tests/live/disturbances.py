# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can happen to the host of Bucardo and of the new master while a play is under way."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import typing as t

from servers import docker
from site_of_tests import PLAY_TIMEOUT, Master, Play, Site

Act = t.Callable[[Site, str], None]

# The steps, by what the play says when they begin.
STEPS = {
    "preflight": r"TASK \[1 Preflight\]",
    "bucardo": r"TASK \[2 Bucardo\]",
    "clone": r"TASK \[3 Schema clone\]",
    "enrol": r"TASK \[.*Hold \| Enrol the tables\]",
    # The first line of the live display: rows are being copied.
    "seed": r"^seed of \w+: \d+ %",
    "sequences": r"TASK \[.*Sequences \| ",
    "release": r"TASK \[.*Release \| Let the sync replicate\]",
    "verify": r"TASK \[7 Verify\]",
}


# In front of Ansible's docker: what Docker says of a paused container, at once and with nothing on
# stdout. Docker's own pause is not used: when a process is just being started in the container, the
# engine waits for that process for ever, with a lock that "unpause" needs.
_DOCKER = """#!/bin/sh
[ ! -e {flag} ] || {{ echo "Error response from daemon: Container is paused" >&2; exit 1; }}
exec {docker} "$@"
"""


@contextlib.contextmanager
def pausable(site: Site) -> t.Iterator[None]:
    """Let plays of this site see pauses."""
    with tempfile.TemporaryDirectory(prefix="multimaster-docker-") as directory:
        place = pathlib.Path(directory)
        script = _DOCKER.format(flag=place / "paused", docker=shutil.which("docker"))
        (place / "docker").write_text(script, "utf-8")
        (place / "docker").chmod(0o755)
        site.environment["PATH"] = f"{place}:{os.environ['PATH']}"
        site.environment["MULTIMASTER_PAUSED"] = str(place / "paused")
        yield


def pause(seconds: float, times: int = 1) -> Act:
    """Freeze all processes of the host, refuse connections to it, and let it go on."""

    def act(site: Site, host: str) -> None:
        flag = pathlib.Path(site.environment["MULTIMASTER_PAUSED"])
        for number in range(times):
            if number:
                time.sleep(1)
            flag.touch()
            site.run(host, "kill -STOP -1")
            time.sleep(seconds)
            flag.unlink()
            site.run(host, "kill -CONT -1")

    return act


def restart(site: Site, host: str) -> None:
    """As after a loss of power; the database server starts by itself, nothing else does."""
    docker("kill", site.container(host))
    docker("start", site.container(host))
    site.run(host, "pg_ctlcluster $(pg_lsclusters --no-header | awk '{print $1, $2}') start")


def wipe(site: Site, host: str) -> None:
    """Empty the temporary directories, and the one where Ansible expects results."""
    site.run(
        host,
        "rm -rf /root/.ansible_async ~bucardo/.ansible_async /root/.ansible/tmp;"
        " find /tmp /var/tmp -mindepth 1 -delete",
        check=False,
    )


def kill_job(site: Site, host: str) -> None:
    """What the kernel does for want of memory: the module and Ansible's wrapper, at once."""
    site.run(host, "pkill -KILL -f '[/]AnsiballZ_'", check=False)


@dataclasses.dataclass
class Disturbed:
    """A play during which something happened."""

    play: Play
    seconds: float
    hit: bool


def run(
    site: Site, inventory: dict[str, t.Any], step: str, act: Act, host: str, *options: str
) -> Disturbed:
    """The bootstrap, with an act when a step begins. It may fail; it must end."""
    lines, hit, begun = [], False, time.monotonic()
    with site.started("bootstrap", inventory, *options) as process:
        assert process.stdout is not None
        limit = threading.Timer(PLAY_TIMEOUT, process.kill)
        limit.start()
        try:
            for line in process.stdout:
                lines.append(line)
                if not hit and re.search(STEPS[step], line):
                    hit = True
                    act(site, host)
            code = process.wait()
        finally:
            limit.cancel()
            process.stdout.close()
    return Disturbed(Play(code, "".join(lines)), time.monotonic() - begun, hit)


@contextlib.contextmanager
def unseen(site: Site) -> t.Iterator[None]:
    """The daemon stands still, and what is written meanwhile meets afterwards."""
    site.run("db", "pkill -STOP -f '^Bucardo'")
    try:
        yield
    finally:
        site.run("db", "pkill -CONT -f '^Bucardo'")


@contextlib.contextmanager
def writing(master: Master, statement: str) -> t.Iterator[None]:
    """Run a statement again and again, as an application does."""
    name = f"writer-{master.database}"
    with subprocess.Popen(
        [
            *("docker", "exec", "--interactive", "--user", "postgres"),
            *("--env", f"PGAPPNAME={name}", master.site.container(master.host)),
            *("psql", "--no-psqlrc", "--quiet", "--tuples-only"),
            f"--dbname=dbname='{master.database}' port={master.port}",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(f"{statement}\n\\watch 0.05\n")
        process.stdin.flush()
        try:
            yield
            assert process.poll() is None, "the application was disturbed"
        finally:
            master.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE application_name = '{name}'"
            )
            process.kill()

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What benchmarks and live tests share: PostgreSQL in containers, and how a figure is handed on."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
IMAGE = "multimaster/postgresql:bookworm"
# With Debian's 64 "bucardo add sync" fails: its one transaction creates the objects of all tables.
LOCKS = ("max_locks_per_transaction = 256",)
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install"


@dataclasses.dataclass
class Figure:
    """One line of the table.

    :param other: the plain procedure's or another tool's, in `unit`; None without one.
    :param ratio: what the goal speaks of; None when it speaks of `ours` itself.
    :param limit: the largest good `ratio`, or `ours` where there is no ratio; None: no goal.
    """

    bench: str
    case: str
    other: t.Optional[float]
    ours: float
    unit: str = "s"
    ratio: t.Optional[float] = None
    limit: t.Optional[float] = None

    @property
    def met(self) -> t.Optional[bool]:
        if self.limit is None:
            return None
        return (self.ours if self.ratio is None else self.ratio) <= self.limit


def docker(*words: str, stdin: str | None = None, check: bool = True) -> str:
    """Run docker and return its output; what it said goes into the error."""
    done = subprocess.run(
        ["docker", *words], input=stdin, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        said = "\n".join((done.stdout[-1500:], done.stderr[-3000:])).strip()
        raise RuntimeError(f"docker {words[0]} ended with {done.returncode}: {said}")
    return done.stdout


class Servers:
    """Containers on a network of their own, each with Debian's cluster; removed at the end."""

    def __init__(self, name: str, image: str, hosts: t.Sequence[str], kind: str = "bench") -> None:
        self.prefix = f"{kind}-{name}-{os.getpid()}"
        self.image = image
        self.hosts = hosts

    def __enter__(self) -> t.Any:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for host in self.hosts:
            docker("rm", "--force", "--volumes", self.container(host), check=False)
        docker("network", "rm", self.prefix, check=False)

    def start(self) -> None:
        """Make the containers and start the servers."""
        docker("network", "create", self.prefix)
        for host in self.hosts:
            docker(
                *("run", "--detach", "--init", "--name", self.container(host), "--hostname", host),
                *("--network", self.prefix, "--network-alias", host, "--cap-add", "NET_ADMIN"),
                *("--shm-size", "1g", *self.options_of(host)),
                *(self.image_of(host), "sleep", "infinity"),
            )
            self.configure(host)

    def image_of(self, host: str) -> str:
        """What a container is made from."""
        return self.image

    def options_of(self, host: str) -> t.Sequence[str]:
        """Further options of the container, such as a volume."""
        return ()

    def container(self, host: str) -> str:
        """Docker's name of one of ours."""
        return f"{self.prefix}-{host}"

    def configure(self, host: str, lines: t.Sequence[str] = (), auth: str = "trust") -> None:
        """(Re)start a server that listens to the network of the containers."""
        conf = "\n".join(["listen_addresses = '*'", *lines, ""])
        hba = f"local all,replication all peer map=bench\nhost all all all {auth}\n"
        ident = "".join(
            f"bench {user} {role}\n"
            for user, role in (
                ("postgres", "postgres"),
                ("bucardo", "bucardo"),
                ("root", "postgres"),
                ("root", "bucardo"),
            )
        )
        self.run(
            host,
            "set -e; set -- $(pg_lsclusters --no-header | head -n 1); d=/etc/postgresql/$1/main;"
            ' echo "$BENCH_CONF" > $d/conf.d/bench.conf; echo "$BENCH_HBA" > $d/pg_hba.conf;'
            ' echo "$BENCH_IDENT" > $d/pg_ident.conf; pg_ctlcluster $1 main restart',
            BENCH_CONF=conf,
            BENCH_HBA=hba,
            BENCH_IDENT=ident,
        )

    def run(
        self, host: str, script: str, user: str = "root", check: bool = True, **env: str
    ) -> str:
        """Run a shell script in a container and return its output."""
        settings = [word for key, value in env.items() for word in ("--env", f"{key}={value}")]
        return docker(
            *("exec", "--user", user, *settings, self.container(host)),
            *("bash", "-o", "pipefail", "-c", script),
            check=check,
        )

    def sql(self, host: str, text: str, dbname: str = "app") -> str:
        """Run SQL as postgres and return the rows, unaligned."""
        return docker(
            *("exec", "--interactive", "--user", "postgres", self.container(host), "psql"),
            *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
            *("--set=ON_ERROR_STOP=1", "--dbname", dbname),
            stdin=text,
        )

    def install(self, host: str, package: str) -> bool:
        """Have a Debian package there; False when no archive has it."""
        if self.run(host, f"dpkg -s {package} 2>/dev/null || true"):
            return True
        try:
            # Its daemon is not to start.
            self.run(
                host,
                "set -e; printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d;"
                f" chmod +x /usr/sbin/policy-rc.d; {INSTALL} {package} >/dev/null 2>&1;"
                " rm /usr/sbin/policy-rc.d",
            )
        except RuntimeError:
            return False
        return True

    def copy_collection(self, host: str, place: str) -> None:
        """Put the modules' code below a directory that goes into PYTHONPATH."""
        parent = f"{place}/ansible_collections/multimaster/bucardo"
        self.run(host, f"mkdir -p {parent}")
        docker("cp", str(REPOSITORY / "plugins"), f"{self.container(host)}:{parent}/plugins")

    def copy(self, host: str, file: pathlib.Path, place: str) -> None:
        """Put a file there."""
        docker("cp", str(file), f"{self.container(host)}:{place}")


def parser(text: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has; ends in good order when it is told to."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    made = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    made.add_argument("--image", default=IMAGE)
    made.add_argument("--small", action="store_true", help="for correctness only")
    made.add_argument("--json", type=pathlib.Path, help="file for the figures")
    return made


def hand_on(file: pathlib.Path | None, figures: list[Figure], details: t.Any) -> None:
    """Write the figures where tests/bench/run reads them."""
    if file:
        rows = [{**dataclasses.asdict(figure), "met": figure.met} for figure in figures]
        file.write_text(json.dumps({"figures": rows, "details": details}, indent=1) + "\n")

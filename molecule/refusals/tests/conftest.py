# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the playbooks like a user, on inventories of the tests' own, and looks for what changed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

import pytest
import testinfra
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from watching import DECOY, WATCHER, Watcher, forms

# Seconds that a play may take.
PLAY_TIMEOUT = 900

# Everything that a play could change: all databases with roles and rows, packages, and files but
# for those that a server at rest writes itself, the log of runs and what the watchdog remembers.
_STATE = r"""
set -e
runuser -u postgres -- pg_dumpall | grep -v '^\\\(un\)\?restrict '
dpkg-query --show
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /run \
    -o -path /var/tmp -o -path /var/log/postgresql -o -path /var/lib/postgresql \
    -o -path /root/.ansible -o -path /var/lib/bucardo-watchdog -o -name multimaster-runs\* \
    -o -name __pycache__ \) -prune \
    -o -type f -printf '%p %s %u %m %T+\n' | sort
find /var/lib/postgresql /run /tmp -maxdepth 1 -not -path '/tmp/*ansible*' | sort
"""


@dataclasses.dataclass
class Host:
    """A container."""

    name: str
    host: testinfra.host.Host

    def sql(self, statement: str, database: str = "shop") -> str:
        """Output of a statement; fails on any error."""
        return self.host.run_expect(
            [0],
            "runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align"
            " --set=ON_ERROR_STOP=1 --dbname %s --command %s",
            database,
            statement,
        ).stdout

    def load(self, script: str, database: str = "shop") -> None:
        """Run a script of SQL."""
        subprocess.run(
            ["docker", "exec", "--interactive", "--user=postgres", self.name, "psql", "--quiet"]
            + [
                "--no-psqlrc",
                "--set=ON_ERROR_STOP=1",
                f"--dbname={database}",
                "--output=/dev/null",
            ],
            input=script,
            text=True,
            check=True,
        )

    def state(self) -> list[str]:
        """Lines that say how everything is."""
        return self.host.run_expect([0], _STATE).stdout.splitlines()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those who need a bootstrap come last: the others find hosts that have none."""
    items.sort(key=lambda item: "bootstrapped" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def here() -> Host:
    """The live server."""
    return Host("refusals-here", testinfra.get_host("docker://refusals-here"))


@pytest.fixture(scope="session")
def there() -> Host:
    """The empty one."""
    return Host("refusals-there", testinfra.get_host("docker://refusals-there"))


@pytest.fixture(scope="session")
def inventory() -> dict[str, t.Any]:
    """The scenario's inventory, from the one place where it is written down."""
    scenario = yaml.safe_load(pathlib.Path(os.environ["MOLECULE_FILE"]).read_text("utf-8"))
    written = scenario["provisioner"]["inventory"]
    groups: dict[str, t.Any] = {}
    for platform in scenario["platforms"]:
        for group in platform["groups"]:
            hosts = groups.setdefault(group, {"hosts": {}})["hosts"]
            hosts[platform["name"]] = (
                copy.deepcopy(written["host_vars"].get(platform["name"], {}))
                if group == "masters"
                else None
            )
    groups["masters"]["vars"] = written["group_vars"]["masters"]
    everywhere = {"ansible_connection": "community.docker.docker", **written["group_vars"]["all"]}
    return {"all": {"vars": everywhere, "children": groups}}


@pytest.fixture(scope="session")
def play(tmp_path_factory):
    """Run a playbook of the collection on an inventory."""
    # Made here once: the plays run in threads, and the factory is not made for those.
    directory = tmp_path_factory.mktemp("plays")

    def run(name: str, inventory: dict[str, t.Any], *options: str) -> subprocess.CompletedProcess:
        tmp_path = pathlib.Path(tempfile.mkdtemp(dir=directory))
        path = tmp_path / "inventory.yml"
        path.write_text(yaml.safe_dump(dict(inventory), allow_unicode=True), "utf-8")
        # As on a user's terminal: none of what the test tool has set.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
        for kept in ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_PIPELINING", "ANSIBLE_HOME"):
            if kept in os.environ:
                environment[kept] = os.environ[kept]
        environment["ANSIBLE_NOCOLOR"] = "1"
        # What modules were called with, which ansible-core 2.21 shows to those only who ask for it.
        environment["ANSIBLE_INJECT_INVOCATION"] = "1"
        return subprocess.run(
            ["ansible-playbook", f"multimaster.bucardo.{name}", "--inventory", str(path), *options],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PLAY_TIMEOUT,
            check=False,
        )

    return run


class States:
    """How both hosts were when the tests began, or when a test meant to change them."""

    def __init__(self, hosts: t.Sequence[Host]) -> None:
        self._hosts = hosts
        self._known = self.now()

    def now(self) -> dict[str, list[str]]:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = pool.map(Host.state, self._hosts)
        return dict(zip((host.name for host in self._hosts), found, strict=True))

    def settled(self) -> dict[str, list[str]]:
        """The state once nothing is at work any more."""
        for _attempt in range(20):
            before = self.now()
            time.sleep(0.5)
            if self.now() == before:
                return before
        raise AssertionError("something keeps changing the hosts")

    def update(self, state: dict[str, list[str]]) -> None:
        self._known = state

    def differences(self) -> list[str]:
        lines = []
        now = self.now()
        for name, before in self._known.items():
            lines += [f"{name}: - {line}" for line in sorted({*before} - {*now[name]})]
            lines += [f"{name}: + {line}" for line in sorted({*now[name]} - {*before})]
        return lines


@pytest.fixture(scope="session")
def states(here: Host, there: Host) -> States:
    return States([here, there])


@pytest.fixture
def unchanged(states: States) -> t.Callable[[], None]:
    """Assert that both hosts are as they were."""

    def check() -> None:
        assert states.differences() == []

    return check


@pytest.fixture(scope="session")
def passwords(inventory) -> list[str]:
    return [
        inventory["all"]["vars"]["multimaster_bucardo_password"],
        inventory["all"]["children"]["masters"]["vars"]["master_password"],
    ]


@pytest.fixture(scope="session")
def needles(passwords) -> list[str]:
    return sorted(form for password in passwords for form in forms(password))


@pytest.fixture(scope="session")
def bootstrapped(inventory, play, here, there, needles):
    """The output of a bootstrap, and what was seen in each place meanwhile."""
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
        for _decoy in range(10):
            subprocess.run(["python3", "-c", sleep, DECOY], check=True)
            for master in (here, there):
                master.host.run_expect([0], "python3 -c %s %s", sleep, DECOY)
        time.sleep(0.2)
    return done, seen

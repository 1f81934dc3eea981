# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that can be harmed: each master in a container of its own, on a small volume, with a
proxy between it and Bucardo. Clients reach the masters directly.
"""

from __future__ import annotations

import collections
import pathlib
import threading
import time
import typing as t

import psycopg2
import tables
from clients import Client, Keys
from history import ACKNOWLEDGED, Change, History, Transaction
from proxy import Link, Proxy
from servers import docker
from site_of_tests import PASSWORD, Master, Play, Site, eventually

BUCARDO = "control"
DATABASE = "shop"
# Bytes of the volume of a master: its server, WAL included, and little more.
VOLUME = 640 * 2**20
SETTINGS = ("max_wal_size = 96MB", "min_wal_size = 32MB", "max_locks_per_transaction = 256")
# To a volume of its own, which a mere restart of the server does not empty.
MOVE = (
    "set -e; set -- $(pg_lsclusters --no-header | head -n 1); pg_ctlcluster $1 main stop;"
    " mv $6 /small/main; ln -s /small/main $6; pg_ctlcluster $1 main start"
)
CLUSTER = "set -- $(pg_lsclusters --no-header | head -n 1); "
STOP = CLUSTER + "pg_ctlcluster $1 main stop -m immediate"
KILL = CLUSTER + "kill -9 $(head -n 1 $6/postmaster.pid)"
START = CLUSTER + "pg_isready -q || pg_ctlcluster $1 main start"
FILL = "f=$(df --output=avail -B1 /small | tail -n 1); fallocate -l $((f - {left})) /small/filler"
CLEAR = "rm -f /small/filler"
FIRST_ROWS = 400
# Writes per second of all clients.
PACE = 30.0
# Seconds that the watchdog has, once nothing disturbs any more.
WATCHDOG = 150
# What waits to be brought over, without asking Bucardo.
QUEUES = "SELECT relname FROM pg_class WHERE relname ~ '^delta_' AND relkind = 'r'"
WAITING = """
SELECT count(*) FROM bucardo.{delta} d
 WHERE NOT EXISTS (SELECT FROM bucardo.{track} t WHERE t.txntime = d.txntime)
"""


class Failed(Exception):
    """Something is not as it must be, although nothing disturbs any more."""


class World(Site):
    """The masters and what happens to them. A context manager.

    :param results: a directory for what plays and servers say.
    """

    def __init__(
        self, masters: t.Sequence[str], history: History, results: pathlib.Path, rule: str
    ) -> None:
        super().__init__("chaos", (*masters, BUCARDO))
        self.names, self.origin, self.history = list(masters), masters[0], history
        self.results, self.rule = results, rule
        self.present = list(masters)
        self.masters = {name: Master(self, name, name, DATABASE) for name in masters}
        self.links: dict[str, Link] = {}
        self.clients: dict[str, list[Client]] = {}
        self.plays: collections.Counter[str] = collections.Counter()
        self.errors: collections.Counter[str] = collections.Counter()
        self.changed_columns = 0
        # Set while nothing disturbs.
        self.calm = threading.Event()
        self.calm.set()
        self.calm_since = 0.0
        # How often the watchdog did not mend in time, or may not any more in this hour.
        self.by_hand = 0
        self._keys = Keys()
        self._born = 0
        self._lock = threading.Lock()

    def __enter__(self) -> World:
        super().__enter__()
        try:
            address = docker(
                *("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}}{{end}}"),
                self.prefix,
            ).strip()
            self.links = {name: Link(self.address(name), 5432) for name in self.names}
            self.proxy = Proxy(address, self.links)
            self.proxy.__enter__()
        except BaseException:
            super().__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop_clients()
        self.proxy.__exit__()
        super().__exit__(*exc)

    def start(self) -> None:
        """Make the containers; the masters' data goes to their small volumes."""
        super().start()
        for name in self.names:
            self.run(name, MOVE)
            self.configure(name, SETTINGS)

    def options_of(self, host: str) -> t.Sequence[str]:
        """A small volume for each master."""
        return () if host == BUCARDO else ("--tmpfs", f"/small:rw,size={VOLUME},mode=0777")

    def address(self, host: str) -> str:
        """Of its container."""
        return docker(
            *("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"),
            self.container(host),
        ).strip()

    def dsn(self, name: str) -> str:
        """For clients and the checker, without a proxy."""
        password = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        host = self.links[name].target[0]
        return f"host={host} dbname={DATABASE} user=postgres password='{password}'"

    def make_rows(self) -> None:
        """The database on the origin, with rows that were always there."""
        self.psql(self.origin, "postgres", f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        self.masters[self.origin].sql(tables.SCHEMA)
        client = Client("first", self.origin, self.dsn(self.origin), self.history, self._keys, 0)
        with psycopg2.connect(self.dsn(self.origin)) as connection, connection.cursor() as cursor:
            changes: list[Change] = []
            for _number in range(FIRST_ROWS):
                client.insert(cursor, changes)
        connection.close()
        moment = time.monotonic()
        self.history.add(
            Transaction(self.origin, "first", moment, moment, ACKNOWLEDGED, tuple(changes))
        )

    # Clients.

    def start_clients(self, *names: str) -> None:
        """Two on each of these masters."""
        with self._lock:
            for name in names:
                pause = 2 * len(self.names) / PACE
                for _number in range(2):
                    self._born += 1
                    client = Client(
                        f"{name}-{self._born}",
                        name,
                        self.dsn(name),
                        self.history,
                        self._keys,
                        pause,
                    )
                    client.start()
                    self.clients.setdefault(name, []).append(client)

    def stop_clients(self, *names: str) -> None:
        """Those of these masters, or all, when their transactions have ended."""
        with self._lock:
            stopped = [
                client for name in names or self.names for client in self.clients.pop(name, [])
            ]
        for client in stopped:
            client.stop()
        for client in stopped:
            client.join(60)
            if client.is_alive():
                raise RuntimeError(f"client {client.name} does not end")
            self.errors.update(client.errors)

    # Plays.

    def wanted(self, names: t.Sequence[str] = (), **variables: t.Any) -> dict[str, t.Any]:
        """The inventory of masters, by default those that are members now."""
        made = self.inventory(
            [self.masters[name] for name in names or self.present],
            self.origin,
            bucardo_watchdog=True,
            bucardo_watchdog_interval=5,
            replication_conflict_strategy=self.rule,
            **variables,
        )
        for name, host in made["all"]["children"]["masters"]["hosts"].items():
            host.update(master_host=self.proxy.address, master_port=self.links[name].port)
        return made

    def try_play(self, playbook: str, inventory: dict[str, t.Any], *options: str) -> Play:
        """Run it; that it fails may be right."""
        begun = time.monotonic()
        play = self.play(playbook, inventory, *options, check=False)
        self.note_play(playbook, play, time.monotonic() - begun)
        return play

    def until_good(self, playbook: str, *options: str, members: t.Sequence[str] = ()) -> None:
        """Run it until it ends well. When nothing disturbs any more, the bootstrap must at once.

        Others want a daemon that answers. The watchdog has its time for that; it takes one that is
        stuck for dead after 120 s, and restarts it twice in an hour. Then somebody does by hand
        what the error says.
        """
        restarted = False
        while True:
            calm = self.calm.is_set()
            waited = time.monotonic() - self.calm_since >= WATCHDOG
            play = self.try_play(playbook, self.wanted(members), *options)
            if play.code == 0:
                return
            if calm and (restarted or playbook == "bootstrap"):
                raise Failed(f"{playbook} fails although all is well:\n{play.text[-6000:]}")
            if calm and waited:
                restarted = True
                self.tell("the daemon is restarted by hand")
                self.by_hand += 1
                self.module("bucardo_daemon", self.wanted(members), state="restarted")

    def until_done(self, name: str, statements: str) -> None:
        """The same with SQL on a master."""
        while True:
            calm = self.calm.is_set()
            try:
                self.masters[name].sql(statements)
            except RuntimeError as error:
                if calm and "lock timeout" not in str(error):
                    raise
                time.sleep(0.5)
            else:
                return

    def note_play(self, playbook: str, play: Play, seconds: float) -> None:
        """Keep what it said."""
        with self._lock:
            good = "ended well" if play.code == 0 else "failed"
            self.plays[f"{playbook} {good}"] += 1
            number = sum(self.plays.values())
        (self.results / f"play-{number:03d}-{playbook}.log").write_text(play.text, "utf-8")
        self.tell(f"play {number} {playbook} {good} after {seconds:.0f} s")

    def tell(self, text: str) -> None:
        """To whoever looks, and to the history."""
        self.history.note(at=time.monotonic(), event=text)
        print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)

    # The end of a round.

    def heal(self) -> None:
        """Undo whatever faults have done to servers and links."""
        self.proxy.heal()
        for host in self.hosts:
            if host != BUCARDO:
                self.run(host, CLEAR)
            self.start_server(host)

    def start_server(self, host: str) -> None:
        """Have the server up."""

        def up() -> bool:
            self.run(host, START, check=False)
            return "accepting" in self.run(host, "pg_isready || true")

        if not eventually(up):
            raise RuntimeError(f"the server of {host} does not come up")

    def waiting(self) -> dict[str, int]:
        """Changes in the queue of each master that has some."""
        found = {}
        for name in self.present:
            connection = psycopg2.connect(self.dsn(name))
            try:
                with connection.cursor() as cursor:
                    cursor.execute(QUEUES)
                    count = 0
                    for (delta,) in cursor.fetchall():
                        track = delta.replace("delta_", "track_", 1)
                        cursor.execute(WAITING.format(delta=delta, track=track))
                        count += cursor.fetchone()[0]
            finally:
                connection.close()
            if count:
                found[name] = count
        return found

    def read(self) -> dict[str, dict[str, list[t.Any]]]:
        """All rows of all members, past all indexes."""
        found: dict[str, dict[str, list[t.Any]]] = {}
        for name in self.present:
            connection = psycopg2.connect(
                self.dsn(name), options="-c enable_indexscan=off -c enable_indexonlyscan=off"
            )
            try:
                with connection.cursor() as cursor:
                    for table in tables.TABLES:
                        cursor.execute(table.found)
                        found.setdefault(name, {})[table.name] = cursor.fetchall()
            finally:
                connection.close()
        return found

    def keep_logs(self) -> None:
        """What servers and Bucardo said, for whoever has to explain a violation."""
        for host in self.hosts:
            for place in ("/var/log/postgresql", "/var/log/bucardo"):
                target = self.results / f"{host}-{pathlib.Path(place).name}"
                docker("cp", f"{self.container(host)}:{place}", str(target), check=False)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pairs of databases that replicate each other: with Bucardo, each way to wake it, and natively."""

from __future__ import annotations

import typing as t

from site_of_tests import Master, Site, eventually

ROWS = 100_000
SCHEMA = f"""
CREATE TABLE item (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0, body text NOT NULL);
INSERT INTO item SELECT i, 0, md5(i::text) || md5((-i)::text) FROM generate_series(1, {ROWS}) i;
CREATE TABLE beat (id integer PRIMARY KEY, at double precision NOT NULL);
"""
# How writes wake Bucardo: the variables of the inventory with which a pair is made. Each further
# one is a pair, a kind of triggers and a way to replicate, in all that is measured.
KICKS: dict[str, dict[str, t.Any]] = {
    "poll": {"replication_kick": "poll"},
    "notify": {"replication_kick": "notify"},
}
NATIVE = "native"
# Of subscriptions that leave out what came from a subscription.
NATIVE_SINCE = 16
# Those of a pair that are on; a TRUNCATE's stay as they are, nobody makes one.
DELTA, ALL = "bucardo_delta", "USER"
NO_TRIGGERS = "no triggers"
# Kinds of triggers: whose pair has them, and which are on.
TRIGGERS: dict[str, tuple[str, str]] = {
    NO_TRIGGERS: (next(iter(KICKS)), ""),
    "delta": (next(iter(KICKS)), DELTA),
    **{f"delta and {kick}": (kick, ALL) for kick in KICKS},
}
# Ways to replicate, each with the kind of writers that it has.
WAYS = {**{kick: f"delta and {kick}, replicating" for kick in KICKS}, NATIVE: "native, replicating"}
# Seconds until all has come over.
PATIENCE = 900
# All updates of the counters that have come to a master, however they are brought there.
UPDATES = "SELECT COALESCE(sum(n), 0)::bigint FROM public.item"
SUM = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM public.{} t"


class Pair:
    """Two databases of one server, with the same table; `left` is the one that is written to.

    Replicates when it is made.
    """

    def __init__(self, site: Site, name: str, schema: str = SCHEMA) -> None:
        self.site, self.name = site, name
        self.left = site.master(f"{name}_left", schema=schema)
        self.right = site.master(f"{name}_right")

    @property
    def masters(self) -> tuple[Master, Master]:
        """Both."""
        return self.left, self.right

    def start(self) -> None:
        """Replicate, from equal rows; ends when a row has come over."""
        self.begin()
        self.left.sql("INSERT INTO beat SELECT COALESCE(max(id), 0) + 1, 0 FROM beat")
        self.drain()

    def check(self) -> None:
        """Bring over what waits; then the rows are equal."""
        self.drain()
        for table in ("item", "beat"):
            if len({str(master.sql(SUM.format(table))) for master in self.masters}) > 1:
                raise SystemExit(f"error: {self.name}: rows of {table} differ")

    def drain(self) -> None:
        """Wait until nothing waits."""
        asked = f"SELECT max(id), ({UPDATES}) FROM beat"
        if not eventually(lambda: self.left.sql(asked) == self.right.sql(asked), PATIENCE):
            raise SystemExit(f"error: {self.name}: changes wait after {PATIENCE} s")

    def begin(self) -> None:
        """Let it replicate."""
        raise NotImplementedError

    def end(self) -> None:
        """Let it stand still."""
        raise NotImplementedError


class Bucardo(Pair):
    """A pair that the playbook makes; it is named after what wakes Bucardo."""

    def __init__(self, site: Site, name: str, schema: str = SCHEMA) -> None:
        super().__init__(site, name, schema)
        self._sync = f"by_{name}"
        words = {"multimaster_sync": self._sync, **KICKS[name]}
        self._inventory = site.inventory(self.masters, **words)
        site.play("bootstrap", self._inventory)

    def begin(self) -> None:
        """From equal rows, whatever was written before."""
        self.forget()
        for master in self.masters:
            self.enable("", master)
            master.sql("UPDATE item SET n = 0 WHERE n <> 0; VACUUM item")
            self.enable(ALL, master)
        self._set("active", masters=self.site.masters_option(self._inventory))

    def end(self) -> None:
        """Only the triggers are left."""
        self._set("held", enrol=False)

    def enable(self, triggers: str, master: Master | None = None) -> None:
        """Let only these triggers be on."""
        statement = "ALTER TABLE item DISABLE TRIGGER USER"
        if triggers:
            statement += f"; ALTER TABLE item ENABLE TRIGGER {triggers}"
        (master or self.left).sql(statement)

    def forget(self) -> None:
        """Empty the queue, which nobody is to bring."""
        for master in self.masters:
            master.sql(
                "TRUNCATE bucardo.delta_public_item, bucardo.track_public_item; VACUUM item;"
            )

    def _set(self, status: str, **options: t.Any) -> None:
        words = {"name": self._sync, "relgroup": self._sync, "dbgroup": self._sync}
        self.site.module("bucardo_sync", self._inventory, **words, status=status, **options)


class Native(Pair):
    """A pair with a subscription each way.

    A slot costs its server all that is written to any of its databases, so that there is none while
    this pair stands still.
    """

    def __init__(self, site: Site, name: str, schema: str = SCHEMA) -> None:
        super().__init__(site, name, schema)
        self.site.master(self.right.name, schema=schema)
        for master in self.masters:
            master.sql("CREATE PUBLICATION p FOR ALL TABLES")
        self.begin()

    def begin(self) -> None:
        """Both sides are equal: nobody has written since the last time."""
        for here, there in (self.masters, self.masters[::-1]):
            slot = f"to_{there.database}"
            # Of a database of the same server, a subscription that makes it would wait for itself.
            here.sql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
            there.sql(
                f"CREATE SUBSCRIPTION s CONNECTION 'dbname={here.database}' PUBLICATION p WITH"
                f" (create_slot = false, slot_name = '{slot}', copy_data = false, origin = none)"
            )

    def end(self) -> None:
        """With their slots."""
        for master in self.masters:
            master.sql("DROP SUBSCRIPTION s")


class Stage:
    """All pairs, of which one at a time replicates."""

    def __init__(self, site: Site, ways: t.Iterable[str]) -> None:
        self.pairs: dict[str, Pair] = {}
        self._running: Pair | None = None
        for way in ways:
            self.only(None)
            self._running = self.pairs[way] = made(site, way)

    def only(self, pair: Pair | None) -> None:
        """Let this one replicate, if any; all rows of the one that did are equal then."""
        if self._running is pair:
            return
        if self._running:
            self._running.check()
            self._running.end()
        if pair:
            pair.start()
        self._running = pair


def made(site: Site, way: str, schema: str = SCHEMA) -> Pair:
    """The pair of a way."""
    return (Native if way == NATIVE else Bucardo)(site, way, schema)

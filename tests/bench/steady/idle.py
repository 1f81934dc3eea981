# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it costs when nobody writes: processor time of Bucardo's daemon and of the server."""

from __future__ import annotations

import json
import time
import typing as t

import pairs
import servers
from results import Idle
from site_of_tests import Site

NOTHING = "no replication"
TABLES = """
SELECT format('CREATE TABLE t%1$s (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
               INSERT INTO t%1$s SELECT generate_series(1, 10)', i)
  FROM generate_series(1, {tables}) i
\\gexec
CREATE TABLE item (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
CREATE TABLE beat (id integer PRIMARY KEY, at double precision NOT NULL);
"""
# Processes of each kind and their seconds, with those of their children that have ended. Of what
# lives the nanoseconds count: "stat" leaves out up to a hundredth of a second of each process, and
# all of them together need little more than that.
PROCESSES = """
import glob, json, os, re
kinds = {
    "daemon": r"^Bucardo |bucardo-watchdog poll",
    "server": r"^(/usr/lib/postgresql/\\S+/)?postgres[: ]",
}
found = {kind: [0, 0.0] for kind in kinds}
for name in glob.glob("/proc/[0-9]*"):
    # The text of this program has all patterns.
    if name == f"/proc/{os.getpid()}":
        continue
    try:
        with open(name + "/cmdline") as file:
            line = file.read().replace("\\0", " ")
        with open(name + "/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(name + "/schedstat") as file:
            own = int(file.read().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists(name):
            raise
        continue
    for kind, pattern in kinds.items():
        if re.search(pattern, line):
            found[kind][0] += 1
            found[kind][1] += own + sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
print(json.dumps(found))
"""


def measure(
    image: str, way: str, tables: int, settle: float, seconds: float, base: t.Sequence[str]
) -> Idle:
    """One way, alone on its server."""
    schema = TABLES.format(tables=tables - 2)
    with Site(f"idle-{way.replace(' ', '-')}", image=image) as site:
        host = site.hosts[0]
        site.configure(host, [*base, *servers.LOCKS])
        if way == NOTHING:
            for side in ("left", "right"):
                site.master(side, schema=schema)
        else:
            pair = pairs.made(site, way, schema)
            pair.left.sql("INSERT INTO beat VALUES (1, 0)")
            pair.drain()
        # What autovacuum would begin with.
        site.run(host, "vacuumdb --all --analyze --quiet; psql -c CHECKPOINT", user="postgres")
        time.sleep(settle)
        first = _processes(site)
        time.sleep(seconds)
        second = _processes(site)
    for kind, wanted in (("daemon", way in pairs.KICKS), ("server", True)):
        # Of processes that were not found nothing would be said by a 0.
        if bool(second[kind][0]) != wanted:
            raise SystemExit(f"error: {way}: {second[kind][0]} processes of the {kind}")
    minutes = seconds / 60
    spent = {kind: (second[kind][1] - first[kind][1]) / minutes for kind in first}
    return Idle(way, tables, **spent)


def _processes(site: Site) -> dict[str, tuple[int, float]]:
    said = site.run(site.hosts[0], 'python3 -c "$PROGRAM"', PROGRAM=PROCESSES)
    return {kind: (number, spent) for kind, (number, spent) in json.loads(said).items()}

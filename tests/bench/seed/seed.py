#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds a database as the module data_seed does, without Ansible around it.

Prints one line of JSON with the seconds and the memory that all of its processes took together.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import threading

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Master
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.options import Options
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.run import plan_change

# Seconds between two looks at the memory.
INTERVAL = 0.5
ended = threading.Event()
peak = 0.0


def memory() -> float:
    """Megabytes of this process and its children, shared pages counted once."""
    mine = str(os.getpid())
    total = 0
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
            if mine in (place.name, parent):
                for line in (place / "smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


def watch() -> None:
    """Remember the most."""
    global peak
    while not ended.wait(INTERVAL):
        peak = max(peak, memory())


options = json.loads(sys.argv[1])
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
here, there = (
    Master(name, ConnInfo(name, {"host": name, "user": "postgres", "dbname": "app"}))
    for name in ("here", "there")
)
with Scope(check=False) as scope:
    wanted = Options(tables=["*.*"], exclude=[], require_triggers=False, **options)
    change = plan_change(here, there, wanted, scope)
    change.apply()
peak = max(peak, memory())
ended.set()
print(
    json.dumps(
        {
            "tables": len(change.values["tables"]),
            "seconds": change.values["totals"]["seconds"],
            "megabytes": round(peak, 1),
        }
    )
)

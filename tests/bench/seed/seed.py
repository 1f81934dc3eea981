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

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.run import Options, Seeder

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
outcome = Seeder(
    ConnInfo("here", {"host": "here", "user": "postgres", "dbname": "app"}),
    ConnInfo("there", {"host": "there", "user": "postgres", "dbname": "app"}),
    "postgres",
    Options(tables=["*.*"], exclude=[], require_triggers=False, **options),
).run()
peak = max(peak, memory())
ended.set()
print(
    json.dumps(
        {
            "tables": len(outcome.tables),
            "seconds": outcome.seconds,
            "megabytes": round(peak, 1),
        }
    )
)

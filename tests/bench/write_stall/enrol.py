# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enrols the tables of a sync with this collection's code; runs on the Bucardo host.

Prints one line of JSON; ends non-zero unless afterwards nothing is missing on any master.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

sys.path.insert(0, "/bench/collections")

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.locks import LockPolicy
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import present
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.desired import Desired
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.keeper import Keeper, Terms


def main() -> int:
    """Enrol, then look again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock-timeout", type=int, default=500)
    options = parser.parse_args()
    desired = Desired("stall", "stall", "stall", held=True, options={})
    terms = Terms(LockPolicy(lock_timeout=options.lock_timeout))
    with Scope(check=False) as scope:
        session = scope.enter_context(
            Session(ConnInfo("control", {"dbname": "bucardo", "user": "bucardo"}))
        )
        begun = time.monotonic()
        change = present.plan(Keeper(Control(session), scope, {}, terms), desired)
        change.apply()
        seconds = time.monotonic() - begun
    with Scope(check=True) as scope:
        session = scope.enter_context(
            Session(ConnInfo("control", {"dbname": "bucardo", "user": "bucardo"}))
        )
        again = present.plan(Keeper(Control(session), scope, {}, terms), desired)
    masters = {
        name: {key: value for key, value in figures.items() if not isinstance(value, list)}
        for name, figures in change.values["enrolment"].items()
    }
    print(json.dumps({"seconds": round(seconds, 2), "masters": masters}))
    return 1 if again.changed or not change.changed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a sync and waits until its queue is drained."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_kick
short_description: Run a sync and wait until its queue is drained
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Wakes a sync and waits until every change that waited on any master at that moment has reached
    the others.
  - Bucardo's own answer to a kick may come from a run that began earlier, so the queues on the
    masters are read instead. Changes that are made meanwhile are not waited for; so it ends under
    load too.
  - Does nothing when nothing waits.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Reads the queues and returns what would be waited for.
  diff_mode:
    support: full
    description: Shows the number of waiting changes per master.
options:
  name:
    description: Name of the sync.
    type: str
    required: true
  timeout:
    description: Seconds after which the task fails, saying what still waits per table and master.
    type: float
    default: 300
  drained:
    description: With V(false), it is enough that one run has ended well.
    type: bool
    default: true
  progress_dir:
    description:
      - An existing directory of the user that runs the task. The file C(progress.json) in it is
        replaced every few seconds; the task stops when the file C(lease) in it was not touched for
        a minute or disappears.
      - Used by the live display of this collection, which sets it.
    type: path
  progress_interval:
    description: Seconds between two lines of the live display. V(0) shows none.
    type: int
    default: 5
  masters:
    description:
      - How to log in to the masters. For those left out, what
        M(multimaster.bucardo.bucardo_db) holds is used.
    required: false
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.
"""

EXAMPLES = r"""
- name: Bring over everything that has queued so far
  multimaster.bucardo.bucardo_kick:
    name: multimaster
    timeout: 3600
  become: true
  become_user: bucardo
"""

RETURN = r"""
before:
  description: What waited at the start.
  returned: success
  type: list
  elements: dict
  sample: [{master: here, table: public.orders, changes: 12, oldest: 4.2, truncated: false}]
after:
  description: What waits now; changes that were made meanwhile.
  returned: success
  type: list
  elements: dict
  sample: []
runs:
  description: Runs that ended well meanwhile.
  returned: success
  type: int
  sample: 1
seconds:
  description: Seconds that it took.
  returned: success
  type: float
  sample: 3.1
pending:
  description: What of it still waits.
  returned: failure
  type: list
  elements: dict
  sample: [{master: here, table: public.orders, changes: 12}]
"""

import contextlib
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.progress import Watcher
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.control import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    MultimasterError,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import kick
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import (
    as_rows,
    open_queues,
)


def body(params: module.Params, check_mode: bool) -> module.Result:
    """Look, kick, look again."""
    name = params["name"]
    logins = {one["name"]: ConnInfo.from_options(one) for one in params["masters"] or []}
    with contextlib.ExitStack() as stack:
        control = stack.enter_context(connect(params, check_mode))
        if not control.installed:
            return module.Result(values=_values(kick.Outcome({})))
        if check_mode:
            sync = control.sync(name)
            dbgroup = sync.dbgroup if sync else ""
        else:
            dbgroup = kick.check(control, name).dbgroup
        queues = open_queues(stack, control, logins, name, dbgroup)
        if check_mode:
            outcome = kick.Outcome(kick.read(queues))
        else:
            outcome = kick.until_drained(
                control,
                queues,
                name,
                params["timeout"],
                params["drained"],
                _reporter(name, Watcher(params["progress_dir"])),
            )
    waited = any(outcome.before.values())
    return module.Result(
        changed=waited or bool(outcome.runs),
        before={"waiting": _total(outcome.before)},
        after={"waiting": dict.fromkeys(outcome.before, 0)},
        values=_values(outcome),
    )


def _reporter(
    name: str, watcher: Watcher
) -> t.Callable[[kick.Found, kick.Found, int, float], None]:
    def report(before: kick.Found, left: kick.Found, runs: int, seconds: float) -> None:
        if not watcher.keep_going():
            raise MultimasterError(
                f"The wait for sync {name} was stopped", "Bucardo goes on by itself."
            )
        pending = [one for found in left.values() for one in found]
        watcher.report(
            {
                "waited": sum(_total(before).values()),
                "left": {master: count for master, count in _total(left).items() if count},
                "tables": [str(one.table) for one in pending],
                "oldest": max((one.oldest for one in pending), default=0),
                "runs": runs,
                "elapsed": seconds,
            }
        )

    return report


def _total(found: kick.Found) -> dict[str, int]:
    return {master: sum(one.changes for one in pending) for master, pending in found.items()}


def _values(outcome: kick.Outcome) -> dict[str, t.Any]:
    return {
        "before": _rows(outcome.before),
        "after": _rows(outcome.after),
        "runs": outcome.runs,
        "seconds": round(outcome.seconds, 2),
    }


def _rows(found: kick.Found) -> list[dict[str, t.Any]]:
    return [row for master, pending in found.items() for row in as_rows(master, pending)]


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "timeout": {"type": "float", "default": 300},
        "drained": {"type": "bool", "default": True},
        "progress_dir": {"type": "path"},
        "progress_interval": {"type": "int", "default": 5},
        "masters": {**masters_option(), "required": False},
    }
    module.run(spec, body)


if __name__ == "__main__":
    main()

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
  fail_on_timeout:
    description: With V(false), the task returns RV(unfinished) then, instead of failing.
    type: bool
    default: true
    version_added: "1.1.0"
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
unfinished:
  description: Whether O(timeout) was over before everything was brought over.
  returned: success
  type: bool
  sample: false
pending:
  description: What of it still waits.
  returned: failure
  type: list
  elements: dict
  sample: [{master: here, table: public.orders, changes: 12}]
commands:
  description: The message that woke the daemon, or would.
  returned: when something waits
  type: list
  elements: str
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.progress import Watcher
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    MultimasterError,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import kick


def plan(params: module.Params, scope: Scope) -> Change:
    """What waits in the queue."""
    name = params["name"]
    logins = Topology.from_options(params["masters"], least=0).logins
    control = connect(params, scope)
    report = _reporter(name, Watcher(params["progress_dir"]))
    wait = kick.Wait(params["timeout"], params["drained"], params["fail_on_timeout"], report)
    return kick.plan(control, scope, logins, name, wait)


def _reporter(name: str, watcher: Watcher) -> kick.Report:
    """Tells the live display how far it is, and ends the wait when nobody looks on any more."""

    def report(before: kick.Found, left: kick.Found, runs: int, seconds: float) -> None:
        if not watcher.keep_going():
            raise MultimasterError(
                f"The wait for sync {name} was stopped", "Bucardo goes on by itself."
            )
        watcher.report(kick.progress(before, left, runs, seconds))

    return report


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "timeout": {"type": "float", "default": 300},
        "fail_on_timeout": {"type": "bool", "default": True},
        "drained": {"type": "bool", "default": True},
        "progress_dir": {"type": "path"},
        "progress_interval": {"type": "int", "default": 5},
        "masters": {**masters_option(), "required": False},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

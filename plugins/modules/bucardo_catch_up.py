#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings what waits in the queues of a held sync to the other masters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_catch_up
short_description: Bring what waits in the queues of a held sync over at the speed of COPY
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Bucardo brings everything that waits in one run, which is one transaction on each master and
    begins anew when it fails. This does the same work in chunks that are committed one by one, with
    COPY, in little memory however much waits. For what has queued during a long seed, or while a
    master was away.
  - Works while the sync is held; the masters may be written meanwhile, as always. The
    playbook C(multimaster.bucardo.catch_up) holds a sync, catches up and releases it.
  - Brings only rows whose key waits on no other master, so that there is nothing to decide.
    Conflicts, rows that violate a constraint on another master and tables of which a TRUNCATE waits
    are left to Bucardo and its rules.
  - What was brought is taken out of the queue, exactly, after every other master has committed it.
    A run that was killed is finished by running it again, or by Bucardo.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Reads the queues and returns what would be brought.
  diff_mode:
    support: full
    description: Shows the number of waiting changes per master.
options:
  name:
    description: Name of the sync.
    type: str
    required: true
  above:
    description:
      - Do nothing when no more changes wait than this. Bucardo brings a few thousand in seconds.
    type: int
    default: 0
  if_active:
    description:
      - What to do when the sync is not held, so that Bucardo itself brings what waits, or when not
        all databases of its dbgroup are active masters, so that only Bucardo can bring it. V(skip)
        ends well without a look at the queues, in the second case with a warning.
    type: str
    choices: [refuse, skip]
    default: refuse
  enough:
    description: End when no more changes wait than this; the rest is Bucardo's.
    type: int
    default: 1000
  workers:
    description: How many sessions are at work at once on each master.
    type: int
    default: 2
  rate_limit:
    description:
      - Most bytes per second that are read from the masters, over all workers. V(0) is no limit.
    type: int
    default: 0
  timeout:
    description:
      - Seconds after which no further chunk is begun. What was brought is kept, and the task does
        not fail. V(0) is no limit.
    type: float
    default: 0
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
      - How to log in to the masters, as a superuser. For those left out, what
        M(multimaster.bucardo.bucardo_db) holds is used.
    required: false
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.
seealso:
  - module: multimaster.bucardo.bucardo_kick
  - module: multimaster.bucardo.bucardo_sync
"""

EXAMPLES = r"""
- name: Bring over what has queued, if that is much
  multimaster.bucardo.bucardo_catch_up:
    name: multimaster
    above: 10000
  become: true
  become_user: bucardo
"""

RETURN = r"""
before:
  description: What waited at the start.
  returned: success
  type: list
  elements: dict
  sample: [{master: here, table: public.orders, changes: 120000, oldest: 840.2, truncated: false}]
after:
  description: What waits now, for Bucardo.
  returned: success
  type: list
  elements: dict
  sample: []
left_alone:
  description: Tables that are left to Bucardo, with the reason.
  returned: success
  type: dict
  sample: {public.items: a TRUNCATE of it waits}
unfinished:
  description: Whether O(timeout) was over while more than O(enough) changes waited.
  returned: success
  type: bool
  sample: false
totals:
  description: Sums over all tables, and how it went.
  returned: success
  type: dict
  contains:
    changes: {description: What was taken from the queues., type: int}
    keys: {description: "Rows that were brought, several changes of one being one.", type: int}
    conflicts:
      description: Keys that were left since they wait on several masters, counted on each of them.
      type: int
    violations: {description: Keys that were left since their rows violate a constraint., type: int}
    superseded:
      description:
        - Changes that left a master's queue since another one got them with a copy, see the option
          O(multimaster.bucardo.data_seed#module:keep_queued), and has written these rows anew
          since. Bucardo would take that for a conflict.
      type: int
    busy: {description: Keys that were left since somebody held a lock of them., type: int}
    rounds: {description: How often the queues were gone through., type: int}
    bytes: {description: Bytes of the rows., type: int}
    seconds: {description: Time of the whole., type: float}
    growing: {description: Whether changes arrived faster than they were applied., type: bool}
  sample:
    changes: 120000
    keys: 98000
    conflicts: 0
    violations: 0
    superseded: 0
    busy: 0
    rounds: 1
    bytes: 9123456
    seconds: 1.4
    growing: false
"""

import dataclasses
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.progress import Watcher
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._catch_up import change, run
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology


def plan(params: module.Params, scope: Scope) -> Change:
    """What waits in the queues of a held sync."""
    logins = Topology.from_options(params["masters"], least=0).logins
    control = connect(params, scope)
    options = run.Options(
        **{field.name: params[field.name] for field in dataclasses.fields(run.Options)}
    )
    watch = _reporter(Watcher(params["progress_dir"]))
    skips = params["if_active"] == "skip"
    return change.plan(control, scope, logins, params["name"], options, skips, watch)


def _reporter(watcher: Watcher) -> change.Watch:
    """Tells the live display how far it is, and ends the work when nobody looks on any more."""

    def watch(state: run.State) -> bool:
        watcher.report(dataclasses.asdict(state))
        return watcher.keep_going()

    return watch


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "above": {"type": "int", "default": 0},
        "if_active": {"type": "str", "choices": ["refuse", "skip"], "default": "refuse"},
        "enough": {"type": "int", "default": 1000},
        "workers": {"type": "int", "default": 2},
        "rate_limit": {"type": "int", "default": 0},
        "timeout": {"type": "float", "default": 0},
        "progress_dir": {"type": "path"},
        "progress_interval": {"type": "int", "default": 5},
        "masters": {**masters_option(), "required": False},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

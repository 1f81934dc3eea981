#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes every trace of replication from the masters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_teardown
short_description: Remove every trace of Bucardo from the masters
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Removes the triggers, functions and tables of Bucardo, its schema C(bucardo) and this
    collection's schema C(multimaster) from every master. The rows of your tables stay.
  - Needs nothing but the masters, so it also works when the control database is lost.
  - Triggers are dropped in short transactions, since dropping one keeps even readers out.
  - Indexes that a seed left invalid when it was killed are rebuilt before its ledger goes; among
    them may be a primary key that accepts duplicates. Where that fails, nothing is removed, and the
    message names index and key.
  - To remove one master while the others go on, take it out of the dbgroup, then name just it here;
    the playbook C(multimaster.bucardo.teardown) does so with C(multimaster_teardown_only).
  - Remove the sync first (M(multimaster.bucardo.bucardo_sync) with O(state=absent), or stop the
    daemon), as Bucardo would fail on masters that lost their triggers.
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what would be removed.
  diff_mode:
    support: full
    description: Shows the schemas and the number of tables with triggers per master.
options:
  state:
    description: There is nothing but V(absent).
    type: str
    choices: [absent]
    default: absent
  masters:
    description: The masters to clean.
  syncs:
    description:
      - Names of the syncs that may go.
    type: list
    elements: str
    default: [multimaster]
  other_syncs:
    description:
      - What to do with a master that takes part in other syncs than O(syncs).
      - V(refuse) touches none of the masters, V(keep) removes only what those named have there.
        The schemas stay then, with what the other syncs need.
    type: str
    choices: [refuse, keep]
    default: refuse
  discard_queue:
    description:
      - Whether to go on when changes wait that no other master has got. Otherwise the task fails
        before anything is removed, naming tables and numbers.
    type: bool
    default: false
  lock_timeout:
    description:
      - Longest wait for the lock of a single table, in milliseconds. Writers of the table wait
        behind it, so this is about what one of them may notice.
      - A table whose lock is held by a transaction that is already older is not waited for but
        looked at again later; only every 15 seconds, when no other table is left, one such table
        is tried for this long.
    type: int
    default: 500
  lock_hold:
    description:
      - How long the locks of one transaction should be held, in milliseconds. The number of tables
        per transaction follows the time measured.
    type: int
    default: 50
  timeout:
    description:
      - Seconds after which the task fails when tables could still not be locked, naming them and
        who holds them. The next run goes on from there.
    type: int
    default: 600
extends_documentation_fragment:
  - multimaster.bucardo.masters
"""

EXAMPLES = r"""
- name: Leave the masters as they were
  multimaster.bucardo.bucardo_teardown:
    syncs: [multimaster]
    masters:
      - name: here
        login_host: here.example.com
        login_user: postgres
        login_db: app
      - name: there
        login_host: there.example.com
        login_user: postgres
        login_db: app
"""

RETURN = r"""
removed:
  description:
    - By master, the schemas and the tables whose triggers were or would be removed, and the indexes
      that were or would be rebuilt.
  returned: success
  type: dict
  sample:
    here:
      schemas: [bucardo, multimaster]
      syncs: [multimaster]
      tables: [public.orders]
      rebuilt: []
lost:
  description: Changes that waited for other masters when the queue was removed, or would be.
  returned: success, and on failure because of them
  type: list
  elements: dict
  sample: [{master: here, table: public.orders, changes: 12, oldest: 4.2, truncated: false}]
commands:
  description: What was run on the masters, or would be; the first few tables stand for all.
  returned: when something differs
  type: list
  elements: str
disturbs:
  description: What others notice of it, one line each.
  returned: when others notice anything
  type: list
  elements: str
  sample: ["here: who uses public.orders waits for moments"]
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.locks import LockPolicy
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import removal


def plan(params: module.Params, scope: Scope) -> Change:
    """What Bucardo and this collection have on the masters."""
    request = removal.Request(
        syncs=params["syncs"],
        keep_others=params["other_syncs"] == "keep",
        discard_queue=params["discard_queue"],
        policy=LockPolicy(params["lock_timeout"], params["lock_hold"], params["timeout"]),
    )
    logins = Topology.from_options(params["masters"], least=0).logins
    return removal.plan(scope, logins, request)


def main() -> t.NoReturn:
    """Module entry point."""
    spec: dict[str, t.Any] = {
        "state": {"type": "str", "choices": ["absent"], "default": "absent"},
        "masters": masters_option(),
        "syncs": {"type": "list", "elements": "str", "default": ["multimaster"]},
        "other_syncs": {"type": "str", "choices": ["refuse", "keep"], "default": "refuse"},
        "discard_queue": {"type": "bool", "default": False},
        "lock_timeout": {"type": "int", "default": 500},
        "lock_hold": {"type": "int", "default": 50},
        "timeout": {"type": "int", "default": 600},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

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
      - Names of the syncs that may go. A master that takes part in another sync is refused, and
        then none is touched.
    type: list
    elements: str
    default: [multimaster]
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
  description: By master, the schemas and the tables whose triggers were or would be removed.
  returned: success
  type: dict
  sample:
    here: {schemas: [bucardo, multimaster], syncs: [multimaster], tables: [public.orders]}
"""

import contextlib
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils import _module, _teardown
from ansible_collections.multimaster.bucardo.plugins.module_utils._args import masters_option
from ansible_collections.multimaster.bucardo.plugins.module_utils._conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._locks import Policy
from ansible_collections.multimaster.bucardo.plugins.module_utils._pg import Session


def body(params: _module.Params, check_mode: bool) -> _module.Result:
    """Look at all masters, refuse or not, then clean one after another."""
    policy = Policy(params["lock_timeout"], params["lock_hold"], params["timeout"])
    result = _module.Result(before={}, after={}, values={"removed": {}})
    with contextlib.ExitStack() as stack:
        found = []
        for options in params["masters"]:
            session = stack.enter_context(Session(ConnInfo.from_options(options)))
            found.append((session, _teardown.look(options["name"], session)))
        for _session, traces in found:
            _teardown.check(traces, params["syncs"])
        for session, traces in found:
            if not traces:
                continue
            result.changed = True
            result.before[traces.master] = {
                "schemas": list(traces.schemas),
                "tables_with_triggers": len(traces.tables),
            }
            result.after[traces.master] = {"schemas": [], "tables_with_triggers": 0}
            removed: dict[str, t.Any] = {
                "schemas": list(traces.schemas),
                "syncs": traces.syncs,
                "tables": [str(table.name) for table in traces.tables],
            }
            result.values["removed"][traces.master] = removed
            if not check_mode:
                report = _teardown.remove(session, traces, policy)
                removed["longest_hold_ms"] = round(report.longest_hold * 1000)
                removed["longest_wait_ms"] = round(report.longest_wait * 1000)
    return result


def main() -> t.NoReturn:
    """Module entry point."""
    spec: dict[str, t.Any] = {
        "state": {"type": "str", "choices": ["absent"], "default": "absent"},
        "masters": masters_option(),
        "syncs": {"type": "list", "elements": "str", "default": ["multimaster"]},
        "lock_timeout": {"type": "int", "default": 500},
        "lock_hold": {"type": "int", "default": 50},
        "timeout": {"type": "int", "default": 600},
    }
    _module.run(spec, body)


if __name__ == "__main__":
    main()

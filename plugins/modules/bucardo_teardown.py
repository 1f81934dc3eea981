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
"""

import contextlib
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.locks import (
    Policy,
    Report,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import (
    departure,
    indexes,
    teardown,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.queue import Pending


def body(params: module.Params, check_mode: bool) -> module.Result:
    """Look at all masters, refuse or not, then clean one after another."""
    syncs, keep_others = params["syncs"], params["other_syncs"] == "keep"
    policy = Policy(params["lock_timeout"], params["lock_hold"], params["timeout"])
    result = module.Result(before={}, after={}, values={"removed": {}})
    with contextlib.ExitStack() as stack:
        found = []
        for options in params["masters"]:
            session = stack.enter_context(Session(ConnInfo.from_options(options)))
            found.append((session, teardown.look(options["name"], session)))
        lost = _check(found, params)
        broken = {traces.master: indexes.broken(session) for session, traces in found}
        if not check_mode:
            for session, traces in found:
                indexes.rebuild(traces.master, session, broken[traces.master])
            _stop_vouching(found, syncs)
        for session, traces in found:
            partly = keep_others and bool(teardown.others(traces, syncs))
            if not traces or (partly and not set(traces.syncs) & set(syncs)):
                continue
            shown = _shown(traces, syncs if partly else traces.syncs)
            result.changed = True
            result.before[traces.master] = {
                "schemas": list(traces.schemas),
                "tables_with_triggers": len(traces.tables),
            }
            left = len(traces.tables) - len(shown["tables"])
            result.after[traces.master] = {
                "schemas": list(traces.schemas) if partly else [],
                "tables_with_triggers": left,
            }
            shown["rebuilt"] = [str(one) for one in broken[traces.master]]
            result.values["removed"][traces.master] = shown
            if not check_mode:
                remove = teardown.remove_syncs if partly else _remove_all
                report = remove(session, traces, syncs, policy)
                shown["longest_hold_ms"] = round(report.longest_hold * 1000)
                shown["longest_wait_ms"] = round(report.longest_wait * 1000)
    result.values["lost"] = departure.rows(lost)
    if lost and not check_mode:
        result.warnings.append(departure.warning(lost))
    return result


Found = t.List[t.Tuple[Session, teardown.Traces]]


def _check(found: Found, params: module.Params) -> dict[str, list[Pending]]:
    """Everything that can refuse; returns what will be lost."""
    syncs = params["syncs"]
    lost = {}
    for session, traces in found:
        teardown.check(traces, syncs, params["other_syncs"] == "keep")
        teardown.check_seed(traces.master, session)
        waiting = teardown.waiting(session, traces, syncs)
        if waiting:
            lost[traces.master] = waiting
    if lost and not params["discard_queue"]:
        raise Refused(
            f"Changes would be lost, {departure.counted(lost)}",
            "Remove the sync first, with bucardo_sync (state: absent), which lets them be"
            " replicated; or say that they may be lost (discard_queue: true).",
            lost=departure.rows(lost),
        )
    return lost


def _stop_vouching(found: Found, syncs: t.Collection[str]) -> None:
    """On all masters before the first trigger goes on any."""
    names = set()
    for _session, traces in found:
        for sync in set(syncs) & set(traces.syncs):
            names |= teardown.leaving(traces, sync)
    teardown.stop_vouching([session for session, _traces in found], names)


def _shown(traces: teardown.Traces, syncs: t.Collection[str]) -> dict[str, t.Any]:
    partly = bool(teardown.others(traces, syncs))
    tables = [table.name for table in traces.tables]
    if partly:
        going = {one for sync in syncs for one in teardown.to_drop(traces, sync)}
        tables = sorted(one.name for one in going)
    return {
        "schemas": [] if partly else list(traces.schemas),
        "syncs": [name for name in traces.syncs if name in syncs],
        "tables": [str(name) for name in tables],
    }


def _remove_all(
    session: Session, traces: teardown.Traces, syncs: t.Collection[str], policy: Policy
) -> Report:
    return teardown.remove(session, traces, policy)


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
    module.run(spec, body)


if __name__ == "__main__":
    main()

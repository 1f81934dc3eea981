#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that Bucardo knows, as data."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_info
short_description: Read everything about Bucardo
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Returns databases, groups, relgroups, syncs, settings, the daemon, the last runs, and what waits
    per table and master, as data. Passwords are never among it.
  - A master that cannot be reached does not make it fail but is named with the reason.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  sync:
    description: Only this sync, with its groups and queue.
    type: str
  pending:
    description: Whether the masters are asked what waits there and whether a seed runs.
    type: bool
    default: true
  tables:
    description:
      - Shell-like patterns on C(schema.table), as in the inventory. A table of a master that
        matches and takes no part is an alarm. Without patterns nobody misses one.
    type: list
    elements: str
    default: []
  exclude:
    description: Tables that O(tables) does not mean, in the same notation.
    type: list
    elements: str
    default: []
  tables_of:
    description: Name of the sync whose selection O(tables) is. Left out, of every sync.
    type: str
  alarm_age:
    description: Seconds that the oldest change may wait.
    type: float
    default: 300.0
  alarm_rows:
    description: Changes of a sync that may wait on one master.
    type: int
    default: 1000000
  alarm_bytes:
    description: Bytes that Bucardo's tables of changes may take on one master.
    type: int
    default: 1000000000
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
- name: Read everything
  multimaster.bucardo.bucardo_info:
  register: bucardo
  become: true
  become_user: bucardo

- name: Show it to people
  ansible.builtin.debug:
    msg: "{{ bucardo | multimaster.bucardo.status_table }}"

- name: Complain about old changes
  ansible.builtin.assert:
    that: bucardo.pending | map(attribute="oldest") | max(default=0) < 300
"""

RETURN = r"""
installed:
  description: Whether Bucardo's schema is there.
  returned: success
  type: bool
version:
  description: The version of Bucardo's schema.
  returned: success
  type: str
  sample: 5.6.0
databases:
  description: By name, how Bucardo connects to each database; without the password.
  returned: success
  type: dict
dbgroups:
  description: By name, the members of each group and their roles.
  returned: success
  type: dict
  sample: {multimaster: {here: source, there: source}}
relgroups:
  description: By name, the tables and sequences of each group, and whose they are.
  returned: success
  type: dict
  sample: {multimaster: {db: here, tables: [public.orders], sequences: []}}
syncs:
  description:
    - By name, each sync, with its running, last good, last bad and last empty runs, and which
      masters M(multimaster.bucardo.bucardo_join) is taking in.
  returned: success
  type: dict
settings:
  description: By name, the settings of bucardo_config. Passwords are left out.
  returned: success
  type: dict
daemon:
  description: Whether the daemon is connected to the control database and answers.
  returned: success
  type: dict
  sample: {running: true, answers: true}
pending:
  description:
    - Changes that wait, largest first, per sync, master and table; age in seconds. Those of tables
      that were set aside or shed are among them, but not counted in RV(queues).
  returned: success
  type: list
  elements: dict
  sample:
    - {sync: multimaster, master: here, table: public.orders, changes: 3, oldest: 0.4,
       truncated: false}
queues:
  description: Per sync and master, the number of waiting changes, the age of the oldest, or error.
  returned: success
  type: list
  elements: dict
  sample: [{sync: multimaster, master: here, changes: 3, oldest: 0.4, error: ""}]
purges:
  description:
    - Per sync and master, how many replicated changes still fill the queue's tables, the age of
      the oldest in seconds, and whether Bucardo's purging process is connected there. While it
      lives they are gone within 90 s.
  returned: success
  type: list
  elements: dict
  sample: [{sync: multimaster, master: here, alive: true, rows: 12, oldest: 31.2}]
shed:
  description:
    - Tables that were shed on a master, see M(multimaster.bucardo.bucardo_shed), and not made new
      since; C(age) in seconds, C(changes) and C(bytes) as they were then. Until C(done) everything
      is still queued.
  returned: success
  type: list
  elements: dict
  sample:
    - {sync: multimaster, master: here, table: public.events, changes: 59701, bytes: 8000000,
       since: "2026-01-02 03:04:05+00", age: 3600.0, done: true}
truncates_lost:
  description:
    - Per sync, master and table, how many TRUNCATEs Bucardo has marked as replicated without
      doing it, because a foreign key of another table refers to this one, and when the last was.
    - Only as long as TRUNCATE is left to Bucardo, see the option
      O(multimaster.bucardo.bucardo_sync#module:truncate).
  returned: success
  type: list
  elements: dict
  sample:
    - {sync: multimaster, master: here, table: public.customers, count: 1,
       last: "2026-01-02 03:04:05+00"}
problems:
  description:
    - What is wrong and does not mend itself, one line each with the cure. Empty when all is well.
  returned: success
  type: list
  elements: str
  sample: ["here: what has been replicated is not purged ... Run the playbook bootstrap again."]
alarms:
  description:
    - The same for machines. RV(alarms[].name) is the detector's, see docs/silent-failures.md;
      RV(alarms[].age) is since how many seconds, 0 where that is not known.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The detector., type: str}
    severity: {description: V(critical) or V(warning)., type: str}
    sync: {description: Which sync it is about., type: str}
    master: {description: Which master; empty for none., type: str}
    table: {description: Which table; empty for none., type: str}
    age: {description: Since how many seconds., type: float}
    what: {description: What is wrong., type: str}
    cure: {description: What to do., type: str}
    text: {description: Both as one line., type: str}
  sample:
    - {name: backlog_old, severity: critical, sync: multimaster, master: here, table: "",
       age: 412.5, what: "here: 3 changes of multimaster wait ...", cure: "See ...", text: "..."}
seeds:
  description:
    - The last seed of each master that ever was one's target, by
      M(multimaster.bucardo.data_seed). RV(seeds[].state) is V(running), V(interrupted) or
      V(finished).
    - Masters that cannot be read are left out; RV(queues) names the reason.
  returned: success
  type: list
  elements: dict
  contains:
    master: {description: Name of the target., type: str}
    state: {description: Whether a process is at work on it., type: str}
    phase: {description: What it does or did last., type: str}
    percent: {description: Copied bytes of all; 100 only when all is done., type: int}
    tables_done: {description: Tables that are proven equal., type: int}
    tables_total: {description: Tables that are to be copied., type: int}
    bytes_done: {description: Size of what was copied., type: int}
    bytes_total: {description: Size of what is to be copied., type: int}
    tables: {description: Tables or indexes in work., type: list, elements: str}
    started: {description: Time at which it began., type: str}
    updated: {description: Time of the last of these figures., type: str}
    finished: {description: Time at which it ended., type: str}
    first_finished: {description: Time at which the first seed of it ever ended., type: str}
  sample:
    - {master: there, state: running, phase: copy, percent: 40, tables_done: 12, tables_total: 80,
       bytes_done: 400000000, bytes_total: 1000000000, tables: [public.orders],
       started: "2026-01-02 03:04:05+00:00", updated: "2026-01-02 03:05:05+00:00", finished: null,
       first_finished: null}
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.facts import Limits
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.info import info
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor.read import Wanted
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology


def plan(params: module.Params, scope: Scope) -> Change:
    """Nothing is changed: it is all in the values."""
    logins = Topology.from_options(params["masters"], least=0).logins
    limits = Limits(params["alarm_age"], params["alarm_rows"], params["alarm_bytes"])
    wanted = {
        "": Wanted(limits=limits),
        params["tables_of"] or "": Wanted(
            tuple(params["tables"]), tuple(params["exclude"]), limits
        ),
    }
    control = connect(params, scope)
    return Change(
        values=info(control, logins, params["sync"], wanted if params["pending"] else None)
    )


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "sync": {"type": "str"},
        "pending": {"type": "bool", "default": True},
        "tables": {"type": "list", "elements": "str", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "tables_of": {"type": "str"},
        "alarm_age": {"type": "float", "default": 300.0},
        "alarm_rows": {"type": "int", "default": 1000000},
        "alarm_bytes": {"type": "int", "default": 1000000000},
        "masters": {**masters_option(), "required": False},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

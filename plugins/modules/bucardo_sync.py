#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manages a sync: its row and its triggers on the masters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_sync
short_description: Manage a sync, its triggers enrolled without stopping writers
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Creates, changes and removes a sync, and the change tracking of its tables on every master.
  - C(bucardo add sync) creates the triggers of all tables in one transaction per database and keeps
    writers waiting from the first to the last. This module makes everything that locks no table of
    yours in bulk, then the triggers in short transactions, then the sync, for which Bucardo finds
    nothing left to create.
  - Tables that join the relgroup and masters that join the dbgroup later are enrolled the same way
    when the module runs again; tables that left the relgroup lose the triggers of this sync.
  - A new sync is held. Changes queue from then on, and none that is committed after this module
    has ended is missed.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns which tables would be locked where.
  diff_mode:
    support: full
    description: Shows the settings and the number of enrolled tables per master.
options:
  name:
    description: Name of the sync; a letter, then letters, digits and underscores, 42 at most.
    type: str
    required: true
  state:
    description:
      - V(absent) removes the sync's triggers and its part of the queue from every master, then the
        sync itself. What waits in the queue is replicated first, see O(discard_queue).
    type: str
    choices: [present, absent]
    default: present
  relgroup:
    description: Group of tables to replicate. Required with O(state=present). It cannot be changed.
    type: str
  dbgroup:
    description:
      - Group of databases to replicate between. Required with O(state=present). It cannot be
        changed.
      - With O(state=absent) only needed to clean the masters when the sync is already gone.
    type: str
  status:
    description:
      - V(held) lets changes queue with all triggers in place, V(active) brings them over.
      - Left out, a new sync is held and the status of another stays.
      - A sync is active only if every table of its relgroup was copied and proven on every master
        but the one whose tables these are, by M(multimaster.bucardo.data_seed), in the membership
        of today. The module asks the masters and refuses otherwise, also when it is active already.
      - An active sync that a running daemon has left out is taken up again by a reload.
    type: str
    choices: [active, held]
  seeded_elsewhere:
    description:
      - You vouch that every master holds every row of the relgroup's tables as they were when
        changes began to be queued, as after a copy with tools of your own. It is noted in the
        ledgers of the masters, and believed from then on.
      - If it is not so, rows stay missing on a master for good while Bucardo reports no error, and
        changes of a master that lacks them may win. Run M(multimaster.bucardo.data_compare) first.
      - Only heeded while the sync is, or becomes, active.
    type: bool
    default: false
    version_added: 1.1.0
  conflict_strategy:
    description:
      - Who wins when a row was changed on several masters. V(bucardo_latest),
        V(bucardo_latest_all_tables), V(bucardo_abort), V(bucardo_custom), or databases of the group
        in order of precedence, separated by blanks. At most one may be left out, which then never
        wins. One of O(masters) that is no member of the group yet takes part when it is.
      - V(bucardo_latest) decides per table and run, not per row.
      - V(bucardo_source), V(bucardo_target), V(bucardo_skip) and V(bucardo_random) are refused;
        Bucardo 5.6.0 documents them without having them.
    type: str
  autokick:
    description:
      - Whether writes wake the sync, by a trigger on every table. Without it set O(checktime).
      - Changing it changes a trigger on every table, with the same care for locks.
    type: bool
  checktime:
    description: How often to run without being woken, as an interval; empty for never.
    type: str
  stayalive:
    description: Whether the controller stays connected between runs.
    type: bool
  kidsalive:
    description: Whether the workers stay connected between runs.
    type: bool
  deletemethod:
    description: How a full copy empties a table.
    type: str
    choices: [delete, truncate, truncate_cascade]
  rebuild_index:
    description: Whether indexes are rebuilt after a full copy.
    type: int
  priority:
    description: Syncs with a higher one are started first.
    type: int
  analyze_after_copy:
    description: Whether tables are analyzed after a full copy.
    type: bool
  vacuum_after_copy:
    description: Whether tables are vacuumed after a full copy.
    type: bool
  strict_checking:
    description: Whether differing columns on a target stop the sync.
    type: bool
  overdue:
    description: Interval after which monitoring should warn.
    type: str
  expired:
    description: Interval after which monitoring should alert.
    type: str
  track_rates:
    description: Whether the speed of replication is recorded.
    type: bool
  onetimecopy:
    description:
      - Copies whole tables at the start, V(1) always and V(2) into empty tables. Refused between
        several masters, where it does nothing; use M(multimaster.bucardo.data_seed).
    type: int
    choices: [0, 1, 2]
  lifetime:
    description: Interval after which workers are replaced; empty for never.
    type: str
  maxkicks:
    description: Number of runs after which workers are replaced; V(0) for never.
    type: int
  isolation_level:
    description: Isolation level of the runs; Bucardo's setting when left out.
    type: str
    choices: [repeatable read, serializable]
  truncate:
    description:
      - What becomes of a TRUNCATE of a table of this sync that is typed on a master. Never of one
        with C(session_replication_role=replica), like those of Bucardo and of
        M(multimaster.bucardo.data_seed).
      - V(delete) queues the key of every row, as DELETE would. Rows that are written on another
        master in the meantime stay, and tables that a foreign key refers to are emptied
        everywhere. A transaction with the isolation level REPEATABLE READ or SERIALIZABLE may not
        truncate, since it does not see all rows that TRUNCATE removes.
      - V(refuse) makes TRUNCATE an error that says to use DELETE.
      - V(bucardo) leaves it to Bucardo, which empties the table on the other masters at the next
        run, B(with every row that was written there in the meantime), and skips tables that a
        foreign key refers to without an error, so that the masters differ.
      - Left out, a new sync gets V(delete) and another keeps what it has. Changing it changes a
        trigger on every table, with the same care for locks.
      - A TRUNCATE that was already noted under V(bucardo) is still replayed at the next run.
    type: str
    choices: [delete, refuse, bucardo]
    version_added: "1.1.0"
  kick:
    description:
      - How a write on a master wakes the sync, where O(autokick) is true.
      - V(notify) is Bucardo's way, a NOTIFY. PostgreSQL lets transactions that notify commit one
        after the other, so that many clients together write no faster than one.
      - V(poll) takes the next value of a sequence, for which nobody waits. The program that
        M(multimaster.bucardo.bucardo_watchdog) installs looks at it five times a second and wakes
        the sync; without the program changes wait for O(checktime).
      - Left out, a new sync gets V(notify) and another keeps what it has. Changing it replaces one
        function on each master, and locks no table.
    type: str
    choices: [notify, poll]
    version_added: "1.1.0"
  masters:
    description:
      - How to log in to the masters. For those left out, what
        M(multimaster.bucardo.bucardo_db) holds is used.
      - An empty list together with O(state=absent) leaves the masters alone, as when they are gone.
    required: false
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
  enrol_timeout:
    description:
      - Seconds after which the task fails when tables could still not be locked, naming them and
        who holds them. What is enrolled stays valid, and the next run goes on from there.
    type: int
    default: 600
  drain_timeout:
    description:
      - Seconds to wait until what waits in the queue of tables that leave the sync is replicated,
        with O(state=absent) or because they left the relgroup.
    type: float
    default: 300
  discard_queue:
    description:
      - Whether tables may leave the sync although changes of them can't be replicated first, as
        the daemon does not run, the sync is held or O(drain_timeout) is over. RV(lost) tells what
        was lost then.
      - Otherwise the task fails before anything is removed, naming tables and numbers. A sync that
        has never been released has nothing to lose, since no master counts on its changes.
    type: bool
    default: false
  reload:
    description:
      - Whether a running daemon is told to read its syncs again after a change, and waited for.
        This ends the runs in progress of all syncs, which are then repeated.
    type: bool
    default: true
  enrol:
    description:
      - V(false) looks at no master and no table. It goes with O(status=held) only, for a sync that
        exists, and holds it even where tables of its relgroup were dropped or renamed.
    type: bool
    default: true
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.
  - Works with Bucardo 5.6.0, whose triggers and tables it knows in detail; others are refused.
seealso:
  - module: multimaster.bucardo.bucardo_kick
  - module: multimaster.bucardo.bucardo_teardown
"""

EXAMPLES = r"""
- name: Enrol all tables of the relgroup, changes queue from here on
  multimaster.bucardo.bucardo_sync:
    name: multimaster
    relgroup: multimaster
    dbgroup: multimaster
    status: held
  become: true
  become_user: bucardo

- name: Release it
  multimaster.bucardo.bucardo_sync:
    name: multimaster
    relgroup: multimaster
    dbgroup: multimaster
    status: active
    checktime: 60 seconds
  become: true
  become_user: bucardo

- name: Remove it with its triggers
  multimaster.bucardo.bucardo_sync:
    name: multimaster
    state: absent
  become: true
  become_user: bucardo
"""

RETURN = r"""
sync:
  description: The sync as it is now; empty when absent. Its status is active, held or stalled.
  returned: success
  type: dict
  sample: {name: multimaster, relgroup: multimaster, dbgroup: multimaster, status: held}
enrolment:
  description:
    - By master, the tables that were or would be locked (to_enrol, to_remove), those among them
      whose triggers or queue were of another name, key or table (to_rebuild), and what it took.
  returned: success
  type: dict
  sample:
    here:
      to_enrol: [public.orders]
      to_rebuild: []
      to_register: 1
      to_remove: []
      batches: 1
      refused_locks: 0
      longest_wait_ms: 0
      longest_hold_ms: 4
      seconds: 0.01
reloaded:
  description: Whether a running daemon confirmed that it has read the syncs anew.
  returned: success
  type: bool
purging:
  description:
    - Whether Bucardo's purging process is connected to every master of an active sync. The daemon
      decides only when it starts whether it needs one, so where this is false it has to be
      restarted, or what is replicated stays in the queue's tables for ever. Also false where no
      daemon runs, and true where there is nothing to purge.
  returned: success
  type: bool
lost:
  description:
    - Changes of tables that left the sync which no other master got. In check mode, and on failure,
      those that wait; a running daemon would replicate them first.
  returned: success, and on failure because of them
  type: list
  elements: dict
  sample: [{master: here, table: public.orders, changes: 12, oldest: 4.2, truncated: false}]
blocked:
  description: Who held the locks that were not obtained in time.
  returned: when enrol_timeout is over
  type: list
  elements: dict
  sample:
    - {table: public.orders, pid: 4711, usename: app, age: 812.4, state: idle in transaction}
commands:
  description:
    - What was run, or would be, on the masters and in the control database. The first few tables
      of a master stand for all.
  returned: when something differs
  type: list
  elements: str
disturbs:
  description: What others notice of it, one line each.
  returned: when others notice anything
  type: list
  elements: str
  sample: ["here: writers of public.orders wait for moments"]
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.locks import LockPolicy
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import absent, present
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.desired import Desired
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync.keeper import Keeper, Terms
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.kick import KICKS
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.truncate import (
    POLICIES as TRUNCATE_POLICIES,
)


def plan(params: module.Params, scope: Scope) -> Change:
    """What the sync and its masters lack, or that it goes."""
    name, is_absent = params["name"], params["state"] == "absent"
    if not is_absent and not params["enrol"] and params["status"] != "held":
        raise Refused("enrol: a sync can only be held without it", "Set status to held.")
    control = connect(params, scope)
    terms = Terms(
        LockPolicy(params["lock_timeout"], params["lock_hold"], params["enrol_timeout"]),
        reload=params["reload"],
        drain_timeout=params["drain_timeout"],
        discard_queue=params["discard_queue"],
    )
    logins = Topology.from_options(params["masters"], least=0).logins
    keeper = Keeper(control, scope, logins, terms)
    if is_absent:
        return absent.plan(keeper, name, params["masters"] == [], params["dbgroup"] or "")
    if not params["enrol"]:
        return present.hold(keeper, name)
    desired = Desired(
        name=name,
        relgroup=params["relgroup"] or "",
        dbgroup=params["dbgroup"] or "",
        held=None if params["status"] is None else params["status"] == "held",
        options=columns.given(columns.SYNC, params, control.interval),
        seeded_elsewhere=params["seeded_elsewhere"],
        truncate=params["truncate"] or "",
        kick=params["kick"] or "",
    )
    return present.plan(keeper, desired)


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "relgroup": {"type": "str"},
        "dbgroup": {"type": "str"},
        "status": {"type": "str", "choices": ["active", "held"]},
        "seeded_elsewhere": {"type": "bool", "default": False},
        **columns.spec(columns.SYNC),
        "truncate": {"type": "str", "choices": list(TRUNCATE_POLICIES)},
        "kick": {"type": "str", "choices": sorted(KICKS)},
        "masters": {**masters_option(), "required": False},
        "lock_timeout": {"type": "int", "default": 500},
        "lock_hold": {"type": "int", "default": 50},
        "enrol_timeout": {"type": "int", "default": 600},
        "drain_timeout": {"type": "float", "default": 300},
        "discard_queue": {"type": "bool", "default": False},
        "reload": {"type": "bool", "default": True},
        "enrol": {"type": "bool", "default": True},
    }
    module.run(
        spec,
        plan,
        required_if=[("state", "present", ("relgroup", "dbgroup"))],
    )


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_seed
short_description: Copy the tables of a live database into a new master, and prove the copy
version_added: 1.0.0
description:
  - Copies the rows of all selected tables from O(source) to O(target), with several processes that
    share one snapshot of the source. Writers of the source are not held up.
  - The snapshot is taken after the triggers by which Bucardo queues changes exist, so what changes
    later is replayed by Bucardo once the sync is released.
  - Triggers and foreign keys do not fire on the target, sequences are left alone, and nothing of
    the schemas C(bucardo) and C(multimaster) is copied.
  - Every table is all or nothing. Its count and its sum of row hashes on the target must equal
    those of the source within the snapshot, or nothing of it is kept and the task fails.
  - A table C(multimaster.seed) on the target notes each table in the transaction that loads it.
    A task that was killed, on whichever side, is finished by running it again. Tables that were
    seeded once are not touched again, as long as the target stays in its group and both tables
    are those that they were.
  - What the target had queued of a table before the table was loaded is discarded with the load;
    writers of the table on the target wait meanwhile, and readers as well where its rows are
    replaced or its indexes are built after the load.
  - A table that dominates the database can be copied in parts, see O(split_above). Until it is
    proven, readers of the target see some of its rows, and the ledger calls it V(copying). When the
    task is run again after it was killed, such a table is emptied first, by TRUNCATE, or by DELETE
    where foreign keys of other tables point at it. Write nothing into it on the target before.
  - Larger tables are loaded without maintaining their indexes, which are built right afterwards
    by several processes. Materialized views are refreshed and statistics gathered at the end.
author:
  - multimaster.bucardo contributors (@multimaster)
options:
  source:
    description: The master to copy from. Its login role must be able to read all selected tables.
  target:
    description:
      - The master to copy to. Its tables must exist, with the same columns, and be empty, unless
        O(replace) names them.
      - Its login role must be a superuser, or own the tables and be allowed to set
        C(session_replication_role).
  tables:
    description:
      - Tables that take part, as C(schema.table) or as shell-like patterns.
      - Patterns match ordinary tables and partitions only. Other relations must be named.
    type: list
    elements: str
    default: ["*.*"]
  exclude:
    description: Tables or patterns to leave out of O(tables).
    type: list
    elements: str
    default: []
  replace:
    description:
      - Tables, in the notation of O(tables), whose rows on the target may go. Without it a table
        that holds rows for which the ledger does not vouch is refused.
      - Each is emptied in the transaction that loads it, by TRUNCATE, or by DELETE where foreign
        keys of other tables point at it, without triggers. Nothing of that reaches other masters,
        and what the target had queued of the table goes as well; RV(totals.discarded) counts it.
        O(keep_queued) keeps it.
      - Tables for which the ledger vouches stay as they are, so a task that was killed is finished
        by running it again. See O(replace_vouched).
      - Refused while Bucardo replicates to and from the target; hold the sync first.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  replace_vouched:
    description:
      - Replace the tables of O(replace) even where the ledger vouches for them. It forgets all of
        them first, so nothing is released before each was copied and proven anew.
      - A task that was killed is finished without this option; with it, it begins anew.
    type: bool
    default: false
    version_added: 1.1.0
  replace_while_active:
    description:
      - Replace although Bucardo replicates to and from the target. Right only for tables that its
        daemon leaves alone, see M(multimaster.bucardo.bucardo_aside); a row that it brings to one
        of the others meanwhile could be overwritten by an older one.
    type: bool
    default: false
    version_added: 1.1.0
  keep_queued:
    description:
      - What the target has queued of a table of O(replace), and no other master has seen, stays.
        The rows of these keys are put back as they were when the copy is proven, and the changes go
        on waiting. So applications can write to the target while its tables are made new.
      - Such a table is loaded in one transaction, and into its indexes.
      - Refused when a TRUNCATE of the table waits.
    type: bool
    default: false
    version_added: 1.1.0
  copy_once:
    description:
      - Tables that do not take part, in the notation of O(tables), whose rows are copied all the
        same, as they are in the snapshot. V(@without-key) are those that cannot be replicated since
        they have no usable key.
      - Nothing that happens to them later is replicated, and they are never touched again. One that
        holds rows on the target that this module did not put there is left alone.
      - Those that take part according to O(tables) and O(exclude) are not concerned.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  dbgroup:
    description:
      - Bucardo's group of databases of which the target is a member. Entries of the ledger are
        worth something only within the membership in which they were made.
      - Needed where the target is a member of several.
    type: str
    version_added: 1.1.0
  require_triggers:
    description:
      - Refuse to start when a selected table lacks an enabled trigger C(bucardo_delta) on either
        side, because changes during the copy would be lost.
      - Set it to V(false) only when nothing writes to the source.
    type: bool
    default: true
  workers:
    description:
      - Processes that copy and build indexes at once. Each uses one connection per server.
      - The default is the number of processors where the task runs, at least 2 and at most 4.
    type: int
  rate_limit:
    description: Bytes per second to read from the source at most. V(0) is no limit.
    type: int
    default: 0
  split_above:
    description:
      - Tables of more bytes than this, without indexes, are copied in parts by several workers.
      - V(0) splits a table only where it pays, which is with at least three workers, and a table
        that has 512 MB or more and is larger than a worker's share of everything to be copied.
      - V(-1) splits none.
      - Parts have 256 MB or O(split_above) bytes at least, and there are at most four per worker.
        They are written side by side, so neighbours on the source may be apart on the target.
      - Never split are tables of a source older than PostgreSQL 14, with one worker, with triggers
        that are enabled ALWAYS or as REPLICA, and those whose indexes are dropped because of
        O(index_mode).
    type: int
    default: 0
  index_mode:
    description:
      - How indexes of tables of 1 MB and more are kept out of the way of the load.
      - V(catalog) marks them as not ready in C(pg_index) and rebuilds them by C(REINDEX), which
        leaves constraints, foreign keys, names and comments alone. Needs a superuser.
      - V(recreate) drops plain secondary indexes and creates them again in the transaction that
        loads the table. Indexes of constraints are kept.
      - V(keep) leaves them all in place.
      - With V(catalog) an index that is unique checks nothing until it is rebuilt, and with
        V(recreate) readers of the table wait for the end of its load.
      - V(auto) is V(keep) where that would be noticed, on a master that was seeded before and to
        which anybody else is connected; else V(catalog) for superusers and V(recreate) for others.
    type: str
    choices: [auto, catalog, recreate, keep]
    default: auto
  maintenance_work_mem:
    description: PostgreSQL's parameter of that name, for each worker that builds indexes.
    type: str
    default: 256MB
  toast_compression:
    description:
      - How long values are compressed on the target, in columns that do not say it themselves.
      - V(lz4) needs less than half of the processor time where the target knows it (14 and newer).
      - V(server) leaves it to the server's C(default_toast_compression).
    type: str
    choices: [lz4, server]
    default: lz4
  lock_timeout:
    description:
      - Milliseconds to wait for a table of the source that others have locked exclusively. Such a
        table is tried again later.
    type: int
    default: 5000
  rounds:
    description:
      - How often to try again what failed because of a lock, a lost connection or a server that
        restarted, each time with a new snapshot.
    type: int
    default: 6
  proof:
    description:
      - Compare every table's count and sum of row hashes with the source's, within the snapshot.
      - Without it, only counts of what the servers said they copied are known.
    type: bool
    default: true
  progress_dir:
    description:
      - An existing directory of the user that runs the task. The file C(progress.json) in it is
        replaced every second; the task stops when the file C(lease) in it was not touched for
        a minute or disappears.
      - Used by the live display of this collection, which sets it.
    type: path
  progress_interval:
    description: Seconds between two lines of the live display. V(0) shows none.
    type: int
    default: 5
attributes:
  check_mode:
    support: full
    description: Shows what would be copied and how. Nothing is written on either server.
  diff_mode:
    support: full
    description: Lists the tables that are or would be seeded.
notes:
  - While it runs, one line every few seconds tells how far it is. The same can be read from
    C(multimaster.seed_run) on the target.
extends_documentation_fragment:
  - multimaster.bucardo.masters.source_and_target
"""

EXAMPLES = r"""
- name: Copy everything that is replicated
  multimaster.bucardo.data_seed:
    source:
      name: here
      login_host: here.example.com
      login_user: postgres
      login_password: "{{ admin_password }}"
      login_db: shop
    target:
      name: there
      login_host: there.example.com
      login_user: postgres
      login_password: "{{ admin_password }}"
      login_db: shop
    exclude:
      - public.log_*

- name: Copy gently, from a server with much to do
  multimaster.bucardo.data_seed:
    source: {name: here, connect_params: {service: here}}
    target: {name: there, connect_params: {service: there}}
    workers: 1
    rate_limit: 20000000

- name: Copy one table anew, while the sync is held
  multimaster.bucardo.data_seed:
    source: {name: here, connect_params: {service: here}}
    target: {name: there, connect_params: {service: there}}
    replace: [public.orders]
    replace_vouched: true
"""

RETURN = r"""
tables:
  description: The tables that were or would be copied; those seeded earlier are not listed.
  returned: success
  type: list
  elements: dict
  contains:
    table: {description: Name in SQL notation., type: str}
    rows: {description: Number of rows; in check mode an estimate., type: int}
    bytes: {description: Bytes that came from the source. Not in check mode., type: int}
    size: {description: Size of the table on the source without indexes., type: int}
    seconds:
      description: Time from the first byte to the proof. Tables of a batch share it evenly.
      type: float
    format: {description: Format of COPY (binary or text)., type: str}
    reason: {description: Why text was needed., type: str}
    index_mode: {description: How the indexes were treated., type: str}
    parts: {description: In how many parts the table was copied., type: int}
totals:
  description: Sums over RV(tables), and how the whole went.
  returned: success
  type: dict
  contains:
    selected: {description: Number of tables that take part., type: int}
    tables: {description: Number of tables that were or would be copied., type: int}
    rows: {description: Rows of these., type: int}
    bytes: {description: Bytes that came from the source. Not in check mode., type: int}
    seconds: {description: Time of the whole task., type: float}
    workers: {description: Number of processes., type: int}
    rounds: {description: Number of snapshots that were needed., type: int}
    snapshot_seconds: {description: How long the source's snapshot was held., type: float}
    queued_rows:
      description: Rows that Bucardo's triggers queued on the source meanwhile.
      type: int
    discarded:
      description: Changes that the target had queued of these tables before they were loaded.
      type: int
    kept:
      description: Keys of which O(keep_queued) has put back what only the target had.
      type: int
    indexes_built: {description: Indexes that were built after the load., type: int}
copied_once:
  description:
    - Tables that are not replicated, and whose rows were, or would be, copied once.
    - Tables of extensions with rows that users put there are among them, without being asked for.
  returned: success
  type: list
  elements: str
left_empty:
  description: Tables that are not replicated, and hold rows on the source, but none on the target.
  returned: success
  type: list
  elements: str
unproven:
  description:
    - Tables that were copied earlier, without O(proof) or by version 1.0.0, whose proof did not
      see values that were exchanged between rows. They are not copied again; compare the live
      rows with M(multimaster.bucardo.data_compare).
  returned: success
  type: list
  elements: str
materialized_views:
  description: Materialized views of the target that lacked rows and were refreshed.
  returned: success
  type: list
  elements: str
failures:
  description: What could not be done for a reason that stays, one line each; the message has five.
  returned: failure
  type: list
  elements: str
causes:
  description: What else is known of failures. There are no passwords in it, but values of rows.
  returned: failure, when something is known
  type: list
  elements: dict
  contains:
    failure: {description: The line to which it belongs., type: str}
    detail: {description: The server's DETAIL., type: str}
    hint: {description: The server's HINT., type: str}
    context: {description: The server's CONTEXT., type: str}
    statement: {description: What was run., type: str}
    traceback: {description: Where an exception that nobody thought of was raised., type: str}
"""

import dataclasses
import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import (
    options as ansible_options,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.progress import (
    LEASE,
    Watcher,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Master
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.options import Options
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.run import (
    Caller,
    plan_change,
)


def plan(params: module.Params, scope: Scope) -> Change:
    """Seed what is not seeded yet."""
    watcher = Watcher(params["progress_dir"])
    return plan_change(
        Master.from_options(params["source"]),
        Master.from_options(params["target"]),
        wanted(params),
        scope,
        Caller(lambda progress: watcher.report(vars(progress)), watcher.keep_going, LEASE),
    )


def wanted(params: t.Mapping[str, t.Any]) -> Options:
    """The module's options, as far as they say how to seed."""
    same = {field.name for field in dataclasses.fields(Options)} & set(params)
    given = {
        **{name: params[name] for name in same},
        "dbgroup": params["dbgroup"] or "",
        "workers": params["workers"] or 0,
        "lz4": params["toast_compression"] == "lz4",
    }
    return Options(**given)


def main() -> None:
    """Entry point."""
    module.run(
        {
            "source": ansible_options.master_option(),
            "target": ansible_options.master_option(),
            **ansible_options.selection_spec(),
            "replace": {"type": "list", "elements": "str", "default": []},
            "replace_vouched": {"type": "bool", "default": False},
            "replace_while_active": {"type": "bool", "default": False},
            "keep_queued": {"type": "bool", "default": False},
            "copy_once": {"type": "list", "elements": "str", "default": []},
            "dbgroup": {"type": "str"},
            "require_triggers": {"type": "bool", "default": True},
            "workers": {"type": "int"},
            "rate_limit": {"type": "int", "default": 0},
            "split_above": {"type": "int", "default": 0},
            "index_mode": {
                "type": "str",
                "choices": ["auto", "catalog", "recreate", "keep"],
                "default": "auto",
            },
            "maintenance_work_mem": {"type": "str", "default": "256MB"},
            "toast_compression": {"type": "str", "choices": ["lz4", "server"], "default": "lz4"},
            "lock_timeout": {"type": "int", "default": 5000},
            "rounds": {"type": "int", "default": 6},
            "proof": {"type": "bool", "default": True},
            "progress_dir": {"type": "path"},
            "progress_interval": {"type": "int", "default": 5},
        },
        plan,
    )


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sheds a table whose changes fill a disk, and ends that once the table is new everywhere."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_shed
short_description: Stop queueing a table's changes for a master that is away
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - While a master is away, changes queue on those that live, and may fill their disks. This drops
    Bucardo's triggers of one table on one of them, and the changes of it that wait there, so that
    its disk is free at once and its application goes on. Other tables and masters keep queueing.
  - The table is left out of replication from then on. A mark on the master, in
    C(multimaster.shed), keeps it out until its rows were copied anew from a master of your choice,
    which the playbook C(multimaster.bucardo.reseed) does with C(multimaster_reseed_from).
  - The watchdog does the same by itself where C(bucardo_shed_bytes) of the role C(bucardo) says so.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows the table.
options:
  name:
    description: Name of the sync.
    type: str
    required: true
  tables:
    description:
      - Names in SQL notation, such as V(public.orders) or V("My Schema"."Order Items"). With
        O(state=shed) exactly one.
    type: list
    elements: str
    required: true
  master:
    description: The master whose disk fills. Needed with O(state=shed).
    type: str
  state:
    description:
      - V(shed) sheds the table. Refused while all masters answer, since their queues drain then,
        and for the last table of a sync.
      - V(over) takes the marks off, on all masters. Refused while a master may lack rows of one of
        the tables.
    type: str
    choices: [shed, over]
    default: shed
  masters:
    description:
      - How to log in to the masters. For those left out, what
        M(multimaster.bucardo.bucardo_db) holds is used.
    required: false
  bucardorc:
    description: The configuration file of the daemon on this host.
    type: path
    default: /etc/bucardorc
notes:
  - Run it as the operating system's user that runs the daemon (C(become_user=bucardo)), whose
    processes it ends.
seealso:
  - module: multimaster.bucardo.bucardo_aside
  - module: multimaster.bucardo.bucardo_info
"""

EXAMPLES = r"""
- name: Let the disk of paris live, while oslo is away
  multimaster.bucardo.bucardo_shed:
    name: shop
    master: paris
    tables: [public.events]
  become: true
  become_user: bucardo
"""

RETURN = r"""
tables:
  description: The tables that are shed, or whose marks were taken off.
  returned: success
  type: list
  elements: str
  sample: [public.events]
text:
  description: What was done.
  returned: when a table was shed
  type: str
restart_required:
  description:
    - Whether the daemon was ended, and is to be started. Systemd and the watchdog do that.
  returned: success
  type: bool
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.daemon import Daemon
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking import shedding


def plan(params: module.Params, scope: Scope) -> Change:
    """Shed a table, or take marks off."""
    control = connect(params, scope)
    sync = control.sync(params["name"])
    if sync is None:
        raise Refused(f"There is no sync {params['name']!r}", "Run the playbook bootstrap.")
    tables = [TableName.parse(table) for table in params["tables"]]
    over = params["state"] == "over"
    logins = Topology.from_options(params["masters"], least=0).logins
    sessions = shedding.open_masters(scope, control, sync.dbgroup, logins, not over)
    if over:
        return shedding.plan_over(control, sync, sessions, tables)
    if len(tables) != 1 or not params["master"]:
        raise Refused("One table of one master is shed at a time", "Name it, and the master.")
    piddir = Daemon(params["bucardorc"]).files.piddir
    return shedding.plan(
        shedding.Shedding(control, sync, params["master"], tables[0], sessions, piddir)
    )


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "tables": {"type": "list", "elements": "str", "required": True},
        "master": {"type": "str"},
        "state": {"type": "str", "choices": ["shed", "over"], "default": "shed"},
        "masters": {**masters_option(), "required": False},
        "bucardorc": {"type": "path", "default": "/etc/bucardorc"},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

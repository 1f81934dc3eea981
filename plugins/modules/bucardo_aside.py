#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets tables of a running sync aside, and puts them back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_aside
short_description: Set tables of a running sync aside while it replicates the others
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Takes tables out of what the daemon looks at, and nothing else. Their triggers stay, so that
    their changes queue on every master, and nothing of them is purged. Put back, they go on where
    they were.
  - For work on one table of one master that must not meet a replicated row, as the playbook
    C(multimaster.bucardo.reseed) does it. A run of the playbook C(multimaster.bucardo.bootstrap)
    puts such tables back as well.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows which of the named tables the daemon looks at.
options:
  name:
    description: Name of the sync.
    type: str
    required: true
  tables:
    description: Names in SQL notation, such as V(public.orders) or V("My Schema"."Order Items").
    type: list
    elements: str
    required: true
  state:
    description:
      - V(aside) takes them out, and waits until no worker is left that knows of them.
      - V(back) puts them back. Kick the sync afterwards, see M(multimaster.bucardo.bucardo_kick).
    type: str
    choices: [aside, back]
    required: true
  enrol:
    description:
      - Make the triggers that these tables lack on a master while they are aside, as a table does
        that was shed, see M(multimaster.bucardo.bucardo_shed). Every master must be reachable.
    type: bool
    default: false
  masters:
    description:
      - How to log in to the masters, for O(enrol). For those left out, what
        M(multimaster.bucardo.bucardo_db) holds is used.
    required: false
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.
seealso:
  - module: multimaster.bucardo.data_seed
"""

EXAMPLES = r"""
- name: Let the daemon leave one table alone
  multimaster.bucardo.bucardo_aside:
    name: multimaster
    tables: [public.orders]
    state: aside
  become: true
  become_user: bucardo
"""

RETURN = r"""
aside:
  description: Of the named tables, those that the daemon leaves alone now, or would.
  returned: success
  type: list
  elements: str
enrolled:
  description: The tables of which something was made, or would be, each with its master.
  returned: with enrol
  type: list
  elements: str
  sample: [public.orders on here]
reloaded:
  description: Whether a running daemon confirmed that it has read the sync anew.
  returned: success
  type: bool
commands:
  description: The statements that were run, or would be.
  returned: when something differs
  type: list
  elements: str
disturbs:
  description: What others notice of it, one line each.
  returned: when others notice anything
  type: list
  elements: str
  sample: ["the runs in progress of all syncs end, and are repeated"]
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Sync
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import aside


def plan(params: module.Params, scope: Scope) -> Change:
    """The tables that go aside, or come back."""
    control = connect(params, scope)
    logins = Topology.from_options(params["masters"], least=0).logins

    def enrolling(sync: Sync, names: t.Collection[TableName]) -> aside.Enrolling:
        return aside.Enrolling(control, scope, logins, sync, names)

    away = params["state"] == "aside"
    made = enrolling if away and params["enrol"] else None
    return aside.plan(control, params["name"], params["tables"], away, made)


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "tables": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["aside", "back"], "required": True},
        "enrol": {"type": "bool", "default": False},
        "masters": {**masters_option(), "required": False},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_prove
short_description: Prove anew that a master holds the rows of the origin
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Looks for tables that hold rows on O(target) although the ledger of
    M(multimaster.bucardo.data_seed) does not vouch for them, because a change of theirs may have
    been missed - their triggers were missing, disabled or those of another table, their key was
    another one, or the table was dropped and made anew on one side.
  - Their rows are compared with those of O(source), as M(multimaster.bucardo.data_compare) does. A
    table is entered into the ledger when every row is equal or waits in the queue of a master; the
    others are refused by name, with examples of the rows.
  - The tables must be enrolled on both masters and the sync should be held, so that every change
    queues. Both masters may be written to meanwhile.
  - Empty tables are left to M(multimaster.bucardo.data_seed).
options:
  source:
    description: The origin.
  target:
    description: The master whose tables are to be proven.
  tables:
    description: Which tables take part; see M(multimaster.bucardo.table_info).
    type: list
    elements: str
    default: ["*.*"]
  exclude:
    description: Which of O(tables) do not take part, in the same notation.
    type: list
    elements: str
    default: []
  replace:
    description:
      - Tables that are not compared since their rows on O(target) are going to be replaced, see the
        option of that name of M(multimaster.bucardo.data_seed).
    type: list
    elements: str
    default: []
  source_went_back:
    description:
      - The origin was restored or promoted, so that O(target) may hold rows that it lacks. Where
        rows differ, the message does not advise to replace those of O(target).
    type: bool
    default: false
  sync:
    description: The sync that replicates the tables.
    type: str
    required: true
  dbgroup:
    description: The dbgroup of the sync; a row must wait in its queue. By default the sync's name.
    type: str
  timeout:
    description:
      - Seconds, counted from the end of the first pass, in which rows that are being changed must
        be seen equal or queued.
    type: float
    default: 60
  workers:
    description: Tables to read at the same time on both masters.
    type: int
    default: 2
attributes:
  check_mode:
    support: full
    description: Compares nothing and returns the tables that would have to be proven.
  diff_mode:
    support: none
    description: Only an entry of the ledger is written for each table.
extends_documentation_fragment:
  - multimaster.bucardo.masters.source_and_target
seealso:
  - module: multimaster.bucardo.data_compare
  - module: multimaster.bucardo.data_seed
"""

EXAMPLES = r"""
- name: Prove tables whose triggers were not as they must be
  multimaster.bucardo.data_prove:
    source:
      name: here
      login_host: here.example.org
      login_user: postgres
      login_db: shop
    target:
      name: there
      login_host: there.example.org
      login_user: postgres
      login_db: shop
    sync: shop
"""

RETURN = r"""
proven:
  description: The tables that were proven, or in check mode would have to be, sorted.
  returned: success
  type: list
  elements: str
  sample: [public.orders]
commands:
  description: The statement that enters the tables into the ledger.
  returned: when a table was proven
  type: list
  elements: str
differences:
  description: The tables that differ, as M(multimaster.bucardo.data_compare) returns them.
  returned: when a table is refused
  type: list
  elements: dict
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    Spec,
    master_option,
    selection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import SyncKey
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare.prove import (
    DesiredProof,
    plan_change,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Selection
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Master


def argument_spec() -> Spec:
    return {
        "source": master_option(),
        "target": master_option(),
        "sync": {"type": "str", "required": True},
        "dbgroup": {"type": "str"},
        "replace": {"type": "list", "elements": "str", "default": []},
        "source_went_back": {"type": "bool", "default": False},
        "timeout": {"type": "float", "default": 60},
        "workers": {"type": "int", "default": 2},
        **selection_spec(),
    }


def plan(params: module.Params, scope: Scope) -> Change:
    desired = DesiredProof(
        selection=Selection.from_options(params).without(params["replace"]),
        key=SyncKey.from_options(params),
        timeout=params["timeout"],
        workers=params["workers"],
        source_went_back=params["source_went_back"],
    )
    source, target = Master.from_options(params["source"]), Master.from_options(params["target"])
    return plan_change(source, target, desired, scope)


def main() -> None:
    module.run(argument_spec(), plan)


if __name__ == "__main__":
    main()

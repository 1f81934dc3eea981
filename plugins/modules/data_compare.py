#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: compare the rows of all masters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: data_compare
short_description: Prove that all masters hold the same rows
version_added: "1.0.0"
description:
  - Compares every selected table on all masters by the number of its rows and the sum of an exact
    hash of every row, independent of the rows' and the columns' physical order. All masters may be
    written to meanwhile.
  - A table that differs is looked at again, key by key, until it is found equal, or its differing
    rows are sure to differ, or O(timeout) is over.
  - A key counts as equal as soon as every master has been seen with the same version of its row,
    and as different when its row has stayed the same on every master through four looks,
    O(interval) seconds apart, while it waited in no queue of Bucardo.
  - Values are compared as they are written, so V(1.0) and V(1.00) in a C(numeric) column differ.
    Generated columns are compared like all others. Sequences are not compared.
  - Only reads, with ordinary queries that take no lock that a writer could notice.
options:
  masters:
    description:
      - All masters, two or more. Their login roles must be allowed to read all selected tables.
      - Tables are selected on the one with O(masters[].origin) set; by default on the first.
  tables:
    description:
      - Tables to compare, as patterns like V(sales.*) or exact names; see
        M(multimaster.bucardo.table_info).
    type: list
    elements: str
    default: ["*.*"]
  exclude:
    description: Tables to leave out of O(tables), in the same notation.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds, counted from the end of the first pass over all tables, that differences have to
        vanish in.
      - With V(0) there is only the first pass, which suits masters that nobody writes to.
    type: float
    default: 300
  interval:
    description:
      - Seconds between two looks at what differs.
      - Where the masters have no queue of Bucardo to look into, choose more than the replication
        needs to carry a row over.
    type: float
    default: 1
  max_keys:
    description: How many differing keys to name per table.
    type: int
    default: 20
  workers:
    description: Tables to read at the same time on every master.
    type: int
    default: 2
  dbgroup:
    description:
      - Look only at rows that are queued for this dbgroup of Bucardo. By default all queues count,
        also one that a removed sync has left behind.
    type: str
  foreign_keys:
    description:
      - Whether to look for rows whose foreign key refers to nothing, too. Foreign keys are checked
        where a row is written and not where it is replicated, so that a row which one master
        inserts while another deletes its parent stays alone on all masters.
      - Looks at foreign keys between selected tables that are valid and enforced. Such rows fail
        the task like a difference, see O(fail_on_difference).
    type: bool
    default: false
    version_added: "1.1.0"
  fail_on_difference:
    description: Whether to fail when a table is not equal.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Does the same in check mode, since it only reads.
  diff_mode:
    support: none
    description: Nothing is changed.
extends_documentation_fragment:
  - multimaster.bucardo.masters
seealso:
  - module: multimaster.bucardo.bucardo_kick
author:
  - multimaster.bucardo contributors (@multimaster)
"""

EXAMPLES = r"""
- name: Both masters hold the same rows
  multimaster.bucardo.data_compare:
    masters:
      - name: here
        origin: true
        login_host: here.example.org
        login_user: postgres
        login_db: shop
      - name: there
        login_host: there.example.org
        login_user: postgres
        login_db: shop
    exclude: [public.scratch]

- name: List what differs, without failing
  multimaster.bucardo.data_compare:
    masters: "{{ masters }}"
    tables: ["sales.*"]
    timeout: 30
    fail_on_difference: false
  register: comparison
"""

RETURN = r"""
equal:
  description: Whether all selected tables are equal on all masters.
  returned: always
  type: bool
  sample: true
summary:
  description: The outcome in one line.
  returned: always
  type: str
  sample: 12 tables, all equal
tables:
  description: What is known about every table, sorted by name.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the table, in SQL notation.
      type: str
      sample: public.orders
    equal:
      description: Whether the table is equal on all masters.
      type: bool
    proof:
      description:
        - V(sums) when number of rows and sum of hashes were the same on all masters.
        - V(keys) when, while rows were being written, every key was seen with the same version of
          its row on all masters.
        - Empty when the table is not equal.
      type: str
    rows:
      description: Number of rows per master when they were last counted.
      type: dict
      sample: {here: 1000, there: 1000}
    problem:
      description: Why it is not equal, in a few words.
      type: str
    undecided:
      description: Whether rows still changed, or waited in a queue, when O(timeout) was over.
      type: bool
    differences:
      description: The first O(max_keys) differing keys.
      type: list
      elements: dict
      contains:
        key:
          description: The key's columns, with their values as text.
          type: dict
          sample: {id: "42"}
        problem:
          description: V(missing), V(different) or V(missing and different).
          type: str
        missing_on:
          description: Masters that have no row with this key.
          type: list
          elements: str
        versions:
          description: The other masters; those that hold the same row are listed together.
          type: list
          elements: list
          sample: [["here"], ["there"]]
orphans:
  description: Foreign keys that rows break, by table.
  returned: with O(foreign_keys)
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table, in SQL notation.
      type: str
      sample: public.order_lines
    constraint:
      description: Name of the foreign key.
      type: str
      sample: order_lines_order_fkey
    parent:
      description: The table that it refers to.
      type: str
      sample: public.orders
    rows:
      description: Number of rows that refer to nothing, by master.
      type: dict
      sample: {here: 1, there: 1}
    keys:
      description: The first O(max_keys) of what they refer to, by the table's own columns.
      type: list
      elements: dict
      sample: [{order: "42"}]
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    Spec,
    masters_option,
    selection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare import orphans
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare.plan import to_result
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare.run import (
    CompareOptions,
    compare,
    refuse_differences,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Selection
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology


def argument_spec() -> Spec:
    return {
        "masters": masters_option(),
        **selection_spec(),
        "timeout": {"type": "float", "default": 300},
        "interval": {"type": "float", "default": 1},
        "max_keys": {"type": "int", "default": 20, "no_log": False},
        "workers": {"type": "int", "default": 2},
        "dbgroup": {"type": "str"},
        "foreign_keys": {"type": "bool", "default": False},
        "fail_on_difference": {"type": "bool", "default": True},
    }


def plan(params: module.Params, _scope: Scope) -> Change:
    topology = Topology.from_options(params["masters"])
    results = compare(
        topology,
        Selection.from_options(params),
        CompareOptions(
            timeout=params["timeout"],
            interval=params["interval"],
            max_keys=params["max_keys"],
            workers=params["workers"],
            dbgroup=params["dbgroup"] or "",
        ),
    )
    if params["fail_on_difference"]:
        refuse_differences(results)
    values = to_result(results)
    if params["foreign_keys"]:
        found = orphans.find(topology, {one.name for one in results}, params["max_keys"])
        values["orphans"] = [one.to_dict() for one in found]
        if params["fail_on_difference"]:
            orphans.refuse(found, values)
    return Change(values=values)


def main() -> None:
    module.run(argument_spec(), plan)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module table_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: table_info
short_description: List the tables of a database that take part in replication
description:
  - Reads a master's catalogs and says which tables O(tables) and O(exclude) select.
  - Nothing is changed. The cost does not depend on the number of tables but for their sizes, which
    the server reads from its file system.
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
attributes:
  check_mode:
    support: full
    description: The module only reads, in check mode and out of it.
  diff_mode:
    support: none
    description: There is nothing that could differ.
options:
  source:
    description: The master to read, as a rule the origin.
  targets:
    description:
      - Masters to look at as well. Those for which the ledger of M(multimaster.bucardo.data_seed)
        does not vouch for every selected table, as it is on both sides today, are returned as
        RV(unseeded), and so are those where a change of such a table may have been missed, there or
        on O(source).
    required: false
    default: []
  sync:
    description: Which sync's triggers the tables must have, besides the one that all syncs share.
    type: str
  tables:
    description:
      - Which tables take part. Shell-like patterns match C(schema.table) without quotes; a name
        in SQL notation means just that table.
      - Wildcards leave out what cannot be replicated by its nature, such as partitioned parents,
        and tables of extensions; a name does not.
      - An entry that matches nothing is an error.
    type: list
    elements: str
    default: ["*.*"]
  exclude:
    description: Which of O(tables) do not take part, in the same notation.
    type: list
    elements: str
    default: []
  dbgroup:
    description:
      - Bucardo's group of databases that O(targets) are members of; see
        M(multimaster.bucardo.data_seed).
    type: str
    version_added: 1.1.0
extends_documentation_fragment:
  - multimaster.bucardo.masters.source_and_targets
seealso:
  - module: multimaster.bucardo.preflight
"""

EXAMPLES = r"""
- name: Which tables take part?
  multimaster.bucardo.table_info:
    source:
      name: here
      login_host: db1.example.com
      login_user: postgres
      login_password: "{{ here_password }}"
      login_db: shop
    exclude:
      - "*.log_*"
  register: found

- name: Put them into a relgroup
  multimaster.bucardo.bucardo_relgroup:
    name: shop
    db: here
    tables: "{{ found.tables }}"
"""

RETURN = r"""
tables:
  description: The tables' names in SQL notation, sorted.
  returned: success
  type: list
  elements: str
  sample: [public.orders, 'public."Order Items"']
others:
  description: Likewise the names of all other tables of O(source).
  returned: success
  type: list
  elements: str
details:
  description: The tables, in the same order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name in SQL notation.
      type: str
      returned: always
      sample: public.orders
    key:
      description: Columns that identify a row; empty when there is no usable key.
      type: list
      elements: str
      returned: always
      sample: [id]
    bytes:
      description: Size of the table, TOAST included, indexes not.
      type: int
      returned: always
    rows:
      description: Number of rows as the planner estimates it, -1 when never analyzed.
      type: int
      returned: always
unseeded:
  description: Names of O(targets) that do not hold every selected table, seeded and enrolled.
  returned: success
  type: list
  elements: str
  sample: [there]
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    Spec,
    master_option,
    masters_option,
    selection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.keys import (
    registered_key,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import SyncKey
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import pg
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.catalog import (
    read_tables,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Selection
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import (
    Master,
    Topology,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.seeded import unseeded


def argument_spec() -> Spec:
    return {
        "source": master_option(),
        "targets": {**masters_option(), "required": False, "default": []},
        **selection_spec(),
        "dbgroup": {"type": "str"},
        "sync": {"type": "str"},
    }


def plan(params: module.Params, scope: Scope) -> Change:
    session = scope.enter_context(pg.Session(Master.from_options(params["source"]).login))
    everything = read_tables(session)
    selected = Selection.from_options(params).of(everything)
    names = {table.name for table in selected}
    targets = Topology.from_options(params["targets"], least=0).masters
    key = SyncKey(params["sync"] or "", params["dbgroup"] or "")
    return Change(
        values={
            "unseeded": unseeded(session, targets, selected, key),
            "tables": [str(table.name) for table in selected],
            "others": [str(table.name) for table in everything if table.name not in names],
            "details": [
                {
                    "name": str(table.name),
                    "key": list(registered_key(table)),
                    "bytes": table.bytes,
                    "rows": table.rows,
                }
                for table in selected
            ],
        }
    )


def main() -> None:
    module.run(argument_spec(), plan)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manages rows of bucardo.herd, bucardo.goat and bucardo.herdmap."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_relgroup
short_description: Manage groups of tables and sequences
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Creates and removes relgroups, makes tables and sequences known to Bucardo, and puts them in.
  - Each table needs a primary key or a unique index over columns that are never null; others are
    refused by name.
extends_documentation_fragment:
  - multimaster.bucardo.connection
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows the members that come and go.
options:
  name:
    description: Name of the relgroup; a letter, then letters, digits and underscores.
    type: str
    required: true
  state:
    description:
      - V(absent) is refused while a sync uses the relgroup.
      - Relations that no other relgroup holds are forgotten with it.
    type: str
    choices: [present, absent]
    default: present
  db:
    description:
      - Bucardo's name of the database from whose catalog names and keys are read.
      - All relations of a relgroup belong to one database; in a group of masters any of them will
        do, the origin by custom.
      - Required with O(tables) or O(sequences).
    type: str
  tables:
    description:
      - Names in SQL notation, such as V(public.orders) or V("My Schema"."Order Items"). Names keep
        their capitals without quotes, too. Without a schema, V(public) is meant.
      - Left out, the tables stay as they are.
    type: list
    elements: str
  sequences:
    description:
      - Names of sequences, likewise.
      - Keep sequences out of a relgroup for several masters, where Bucardo would set them all to
        the highest value.
    type: list
    elements: str
  exclusive:
    description: Whether relations that the given list does not name leave the relgroup.
    type: bool
    default: false
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.

  - Only rows of the control database change; no lock is taken on any master. A sync that already
    uses the relgroup learns of new tables by M(multimaster.bucardo.bucardo_sync), which creates
    their triggers; likewise it removes those of tables that left.
  - The module logs in to O(db) as Bucardo does, to read the catalog. A registered key stays as long
    as it identifies rows; the key of a table that has another one now, or other types, is
    registered anew.
"""
EXAMPLES = r"""
- name: Put some tables into a relgroup
  multimaster.bucardo.bucardo_relgroup:
    name: multimaster
    db: here
    tables:
      - public.customers
      - public.orders
      - '"My Schema"."Order Items"'
    exclusive: true
  become: true
  become_user: bucardo
"""

RETURN = r"""
relgroup:
  description: The relgroup as it is now, or would be; null when absent.
  returned: success
  type: dict
  sample: {name: multimaster, tables: [public.customers, public.orders], sequences: []}
syncs:
  description: Names of the syncs that use the relgroup.
  returned: success
  type: list
  elements: str
added:
  description: Relations that came in, or would.
  returned: success
  type: list
  elements: str
removed:
  description: Relations that left, or would.
  returned: success
  type: list
  elements: str
commands:
  description: The statements that were run, or would be.
  returned: when something differs
  type: list
  elements: str
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import relgroups
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)


def plan(params: module.Params, scope: Scope) -> Change:
    """The relations that come and go."""
    control = connect(params, scope)
    if params["state"] == "absent":
        return relgroups.plan_absent(control, params["name"])
    lists = {"tables": params["tables"], "sequences": params["sequences"]}
    request = relgroups.Request.of(params["name"], params["db"] or "", lists, params["exclusive"])
    return relgroups.plan(control, scope, request)


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "db": {"type": "str"},
        "tables": {"type": "list", "elements": "str"},
        "sequences": {"type": "list", "elements": "str"},
        "exclusive": {"type": "bool", "default": False},
    }
    module.run(spec, plan, required_by={"tables": ["db"], "sequences": ["db"]})


if __name__ == "__main__":
    main()

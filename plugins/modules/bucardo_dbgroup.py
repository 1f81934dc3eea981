#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manages rows of bucardo.dbgroup and bucardo.dbmap."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_dbgroup
short_description: Manage groups of databases
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Creates and removes groups of databases, and sets their members and roles.
  - A sync replicates between the members of one such group.
extends_documentation_fragment:
  - multimaster.bucardo.connection
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows the members and roles that differ.
options:
  name:
    description: Name of the group; a letter, then letters, digits and underscores.
    type: str
    required: true
  state:
    description: V(absent) is refused while a sync uses the group.
    type: str
    choices: [present, absent]
    default: present
  members:
    description:
      - Name of a database, as in M(multimaster.bucardo.bucardo_db), to its role.
      - V(source) for a master, whose changes go to all others. V(target) receives only.
        V(fullcopy) is filled anew by every run.
      - Left out, the members stay as they are.
    type: dict
  exclusive:
    description: Whether databases that O(members) does not name leave the group.
    type: bool
    default: true
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.

  - A group cannot be renamed, since the masters remember under its name which changes went where.
  - A sync that already uses the group learns of a new member by
    M(multimaster.bucardo.bucardo_sync), which creates what the member needs.
"""
EXAMPLES = r"""
- name: Two masters
  multimaster.bucardo.bucardo_dbgroup:
    name: multimaster
    members:
      here: source
      there: source
  become: true
  become_user: bucardo
"""

RETURN = r"""
dbgroup:
  description: The group as it is now, or would be; null when absent.
  returned: success
  type: dict
  sample: {name: multimaster, members: {here: source, there: source}}
syncs:
  description: Names of the syncs that use the group.
  returned: success
  type: list
  elements: str
commands:
  description: What was run, or would be.
  returned: when something differs
  type: list
  elements: str
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import dbgroups
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import membership


def plan(params: module.Params, scope: Scope) -> Change:
    """The members that come and go."""
    name = params["name"]
    control = connect(params, scope)
    if params["state"] == "absent":
        return dbgroups.plan_absent(control, name)

    def joined(members: t.AbstractSet[str]) -> None:
        membership.join(control.session, name, members)

    return dbgroups.plan(control, scope, name, params["members"], params["exclusive"], joined)


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "members": {"type": "dict"},
        "exclusive": {"type": "bool", "default": True},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manages the role as which Bucardo logs in to the masters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_role
short_description: Manage the role as which Bucardo logs in to the masters
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Makes the role a superuser that can log in, with the given password, and switches off every
    timeout for it, since one that is set for a database or a whole server would end Bucardo's long
    transactions half-way.
  - The password is sent as a hash and only when the role has another one.
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what would be executed.
  diff_mode:
    support: full
    description: Shows the role's attributes per master, without the password.
options:
  masters:
    description: The servers on which the role is managed, through O(masters[].maintenance_db).
  name:
    description: Name of the role.
    type: str
    default: bucardo
  state:
    description:
      - V(absent) drops the role where nothing belongs to it. Where it owns something, for example
        Bucardo's control database, it stays, and RV(kept) says why.
    type: str
    choices: [present, absent]
    default: present
  password:
    description: The role's password. Left out, it stays as it is; a new role gets none.
    type: str
  change_password:
    description:
      - Whether a role that has another password gets this one, which locks out whatever else
        logs in as it.
      - With V(false), that is refused. A role without a password gets one in any case.
    type: bool
    default: true
extends_documentation_fragment:
  - multimaster.bucardo.masters
"""

EXAMPLES = r"""
- name: Let Bucardo log in to both masters
  multimaster.bucardo.bucardo_role:
    masters:
      - {name: here, login_host: db1.example.com, login_user: postgres}
      - {name: there, login_host: db2.example.com, login_user: postgres}
    password: "{{ vault_bucardo_password }}"
"""

RETURN = r"""
roles:
  description: By master, what the role is like after the task.
  returned: success
  type: dict
  sample:
    here:
      superuser: true
      login: true
      password: as given
      timeouts: none
      output: as on all masters
kept:
  description: By master, why the role could not be dropped.
  returned: success
  type: dict
  sample: {}
commands:
  description: What was executed, or in check mode would be; without the password.
  returned: when something changes
  type: list
  elements: str
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import login_roles
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology


def plan(params: module.Params, scope: Scope) -> Change:
    """What the role lacks, or that it goes."""
    masters = Topology.from_options(params["masters"], least=0).masters
    servers = {one.name: one.maintenance for one in masters}
    if params["state"] == "absent":
        return login_roles.plan_absent(scope, servers, params["name"])
    return login_roles.plan(
        scope, servers, params["name"], params["password"], params["change_password"]
    )


def main() -> t.NoReturn:
    """Module entry point."""
    module.run(
        {
            "masters": masters_option(),
            "name": {"type": "str", "default": "bucardo"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "password": {"type": "str", "no_log": True},
            "change_password": {"type": "bool", "default": True, "no_log": False},
        },
        plan,
    )


if __name__ == "__main__":
    main()

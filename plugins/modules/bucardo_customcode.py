#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manages rows of bucardo.customcode."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_customcode
short_description: Manage Bucardo's custom code
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Adds, changes and removes Perl code that Bucardo runs at certain moments, for example to settle
    a conflict, and attaches it to a sync or to a table.
extends_documentation_fragment:
  - multimaster.bucardo.connection
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows what differs, the code included.
options:
  name:
    description: Name of the code.
    type: str
    required: true
  state:
    description: Whether it shall be there.
    type: str
    choices: [present, absent]
    default: present
  whenrun:
    description:
      - The moment at which it runs. Required for new code.
      - Bucardo's own program offers C(before_trigger_drop) and C(after_trigger_drop), which its
        catalog refuses; they are called V(before_trigger_disable) and V(after_trigger_disable).
    type: str
    choices:
      - before_txn
      - before_check_rows
      - before_trigger_disable
      - after_trigger_disable
      - after_table_sync
      - exception
      - conflict
      - before_trigger_enable
      - after_trigger_enable
      - after_txn
      - before_sync
      - after_sync
  src:
    description: The code, the body of a Perl subroutine. New code needs this or O(src_file).
    type: str
  src_file:
    description: A file with the code, on the host where the module runs.
    type: path
  about:
    description: A remark.
    type: str
  getdbh:
    description: Whether the code gets database handles. V(true) for new code.
    type: bool
  status:
    description: Whether the code runs. V(active) for new code.
    type: str
    choices: [active, inactive]
  sync:
    description: Attach it to this sync, and to nothing else.
    type: str
  relation:
    description: Attach it to this table, in SQL notation, and to nothing else.
    type: str
  relation_db:
    description: The database to which the table belongs, where several have one of that name.
    type: str
  priority:
    description: Order among the code of the same sync or table; lower runs first.
    type: int
    default: 0
  validate:
    description:
      - Let C(perl -c) read new code first; code that does not compile stops its sync. Needs Perl on
        the host where the module runs. As ever with Perl, C(BEGIN) and C(use) are executed by that.
    type: bool
    default: true
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.

  - A running daemon reads the code when it reloads its syncs, see RV(reload_required).
"""
EXAMPLES = r"""
- name: The row with the higher version wins
  multimaster.bucardo.bucardo_customcode:
    name: newest_version
    whenrun: conflict
    sync: multimaster
    src: |
      my ($args) = @_;
      $args->{message} = 'Conflict settled by custom code';
      return;
  become: true
  become_user: bucardo
"""

RETURN = r"""
customcode:
  description: The code as it is now, or would be; null when absent.
  returned: success
  type: dict
reload_required:
  description: Whether a running daemon must be told to reload.
  returned: success
  type: bool
commands:
  description: What was run, or would be.
  returned: when something differs
  type: list
  elements: str
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import customcode
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import WHENRUN
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)


def plan(params: module.Params, scope: Scope) -> Change:
    """The code that comes, changes or goes."""
    control = connect(params, scope)
    if params["state"] == "absent":
        return customcode.plan_absent(control, params["name"])
    source = params["src"]
    if params["src_file"] is not None:
        source = customcode.read_source(params["src_file"])
    request = customcode.Request(
        name=params["name"],
        source=source,
        columns={name: params[name] for name in ("whenrun", "about", "getdbh", "status")},
        sync=params["sync"],
        relation=params["relation"],
        relation_db=params["relation_db"] or "",
        priority=params["priority"],
        validate=params["validate"],
    )
    return customcode.plan(control, scope, request)


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "whenrun": {"type": "str", "choices": WHENRUN},
        "src": {"type": "str"},
        "src_file": {"type": "path"},
        "about": {"type": "str"},
        "getdbh": {"type": "bool"},
        "status": {"type": "str", "choices": ["active", "inactive"]},
        "sync": {"type": "str"},
        "relation": {"type": "str"},
        "relation_db": {"type": "str"},
        "priority": {"type": "int", "default": 0},
        "validate": {"type": "bool", "default": True},
    }
    module.run(spec, plan, mutually_exclusive=[["src", "src_file"], ["sync", "relation"]])


if __name__ == "__main__":
    main()

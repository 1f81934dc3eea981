#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manages rows of bucardo.customname."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_customname
short_description: Give a table another name on a target
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Lets Bucardo write the rows of a table into one of another name, on databases that only receive.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.override
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows the value that differs.
options:
  newname:
    description:
      - The other name, with or without a schema. Bucardo takes letters, digits, blanks and any of
        C(" _ . ~).
      - Required unless O(state=absent).
    type: str
"""
EXAMPLES = r"""
- name: Orders go to a table of another name on the reporting database
  multimaster.bucardo.bucardo_customname:
    relation: public.orders
    newname: archive.orders
    db: reports
  become: true
  become_user: bucardo
"""

RETURN = r"""
customname:
  description: The entry as it is now, or would be; null when absent.
  returned: success
  type: dict
  sample: {relation: public.orders, relation_db: here, newname: archive.orders, db: reports}
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
    override_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import overrides
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.object_plan import (
    check_newname,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)


def plan(params: module.Params, scope: Scope) -> Change:
    """The row that comes, changes or goes."""
    value = params["newname"] if params["state"] == "present" else None
    if value is not None:
        check_newname(value)
    place = overrides.Place.from_options("customname", "newname", params)
    return overrides.plan(connect(params, scope), scope, place, value)


def main() -> None:
    """Module entry point."""
    module.run(override_spec("newname"), plan, required_if=[["state", "present", ["newname"]]])


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the files of Bucardo's host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_files
short_description: Write the files and directories of Bucardo's host in one step
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Makes directories, then writes files, where they are not as they shall be. A file is replaced at
    once, so that a daemon that reads it sees the old text or the new one.
  - For what M(ansible.builtin.template) and M(ansible.builtin.file) do, in one step for all.
attributes:
  check_mode:
    support: full
    description: Compares, and changes nothing. Users and groups may still be missing then.
  diff_mode:
    support: full
    description: Shows the texts, owners and modes that differ. Do not write secrets with it.
options:
  directories:
    description: Directories, each after the one that it lies in.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Where it is., type: path, required: true}
      owner: {description: Name of its owner., type: str, default: root}
      group: {description: Name of its group., type: str, default: root}
      mode: {description: Its permissions in octal digits., type: str, default: "755"}
  files:
    description: Files with their whole text.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Where it is., type: path, required: true}
      content: {description: Its text., type: str, required: true}
      owner: {description: Name of its owner., type: str, default: root}
      group: {description: Name of its group., type: str, default: root}
      mode: {description: Its permissions in octal digits., type: str, default: "644"}
      backup: {description: Keep a copy of another text beside it., type: bool, default: false}
seealso:
  - module: ansible.builtin.template
"""

EXAMPLES = r"""
- name: Write Bucardo's configuration
  multimaster.bucardo.bucardo_files:
    directories:
      - {path: /var/log/bucardo, owner: bucardo, group: adm, mode: "750"}
    files:
      - path: /etc/bucardorc
        content: |
          dbhost = /var/run/postgresql
          dbname = bucardo
        group: bucardo
        mode: "640"
        backup: true
  become: true
"""

RETURN = r"""
written:
  description: What was not as it should be.
  returned: success
  type: list
  elements: str
  sample: [/etc/bucardorc]
commands:
  description: What was done, or would be.
  returned: when something differs
  type: list
  elements: str
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import Spec
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import files
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)


def argument_spec() -> Spec:
    def listed(mode: str, more: Spec) -> t.Any:
        options = {
            "path": {"type": "path", "required": True},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str", "default": mode},
            **more,
        }
        return {"type": "list", "elements": "dict", "default": [], "options": options}

    text = {"type": "str", "required": True}
    return {
        "directories": listed("755", {}),
        "files": listed("644", {"content": text, "backup": {"type": "bool", "default": False}}),
    }


def plan(params: module.Params, scope: Scope) -> Change:
    wanted = [*params["directories"], *params["files"]]
    return files.plan(scope, [files.Wanted(**one) for one in wanted])


def main() -> t.NoReturn:
    """Module entry point."""
    module.run(argument_spec(), plan)


if __name__ == "__main__":
    main()

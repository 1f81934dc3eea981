#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs or upgrades Bucardo's control database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_install
short_description: Install or upgrade Bucardo's control database
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Makes the role C(bucardo), the database C(bucardo), PL/PerlU and Bucardo's schema. Both names
    are fixed in the schema's file.
  - What is there already is kept; what an interrupted installation left unfinished is finished.
extends_documentation_fragment:
  - multimaster.bucardo.connection
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows what is there and what will be; never a password.
options:
  state:
    description:
      - V(present) installs what is missing, and leaves an older schema alone, with a warning.
      - V(upgraded) also brings an older schema to the version of the program. Stop the daemon
        before.
    type: str
    choices: [present, upgraded]
    default: present
  bucardo_password:
    description:
      - Password of the role C(bucardo). It is set only if the role has another one.
      - Left out, the role's password stays as it is; a new role gets none, and can log in only
        where the server asks for none.
    type: str
  change_password:
    description:
      - Whether a role that has another password gets O(bucardo_password), which locks out whatever
        else logs in as it. With V(false), that is refused.
    type: bool
    default: true
  schema_file:
    description: Bucardo's schema, on the host where the module runs.
    type: path
    default: /usr/share/bucardo/bucardo.schema
notes:
  - O(login_host) and its companions name the server of the control database and one of its
    superusers; O(login_db) defaults to V(postgres). On the server itself, become C(postgres).
  - Needs the programs C(bucardo) and C(psql) on the host where the module runs, and on the server
    the packages C(postgresql-plperl-NN), C(libdbi-perl) and C(libdbd-pg-perl).
"""

EXAMPLES = r"""
- name: Install the control database on this host
  multimaster.bucardo.bucardo_install:
    bucardo_password: "{{ vault_bucardo_password }}"
  become: true
  become_user: postgres

- name: Bring it to the version of the program
  multimaster.bucardo.bucardo_install:
    state: upgraded
  become: true
  become_user: postgres
"""

RETURN = r"""
status:
  description:
    - What was found. V(absent); V(partial) when there is a role or a database, but no schema;
      V(current); V(needs_upgrade) when the schema is older than the program. A schema that is newer
      is an error.
  returned: success
  type: str
  sample: current
schema_version:
  description: Version of the schema as it is now, or would be.
  returned: success
  type: str
  sample: 5.6.0
program_version:
  description: Version of the program C(bucardo).
  returned: success
  type: str
  sample: 5.6.0
settings:
  description: Bucardo's settings as they were found, without passwords; empty without a schema.
  returned: success
  type: dict
  sample: {statement_chunk_size: "300"}
commands:
  description: What was run, or would be; secrets are masked.
  returned: when something differs
  type: list
  elements: str
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import install
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo


def plan(params: module.Params, scope: Scope) -> Change:
    """What is missing of the control database."""
    conninfo = ConnInfo.from_options(params, "the control server", "postgres")
    installer = install.Installer(conninfo, params["schema_file"], params["bucardo_password"])
    upgraded = params["state"] == "upgraded"
    return install.plan(scope, installer, upgraded, params["change_password"])


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "state": {"type": "str", "choices": ["present", "upgraded"], "default": "present"},
        "bucardo_password": {"type": "str", "no_log": True},
        "change_password": {"type": "bool", "default": True, "no_log": False},
        "schema_file": {"type": "path", "default": "/usr/share/bucardo/bucardo.schema"},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

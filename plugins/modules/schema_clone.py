#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: schema_clone
version_added: "1.0.0"
short_description: Clone roles, database and schema of one master to another
description:
  - Gives the target the login roles with their password hashes, settings and memberships, the
    database with its owner, encoding, locale, privileges and settings, the extensions, and the
    schema of the source.
  - Compares first. A target whose schema is the same is left alone, an absent or empty database is
    filled, and one that holds something else is never overwritten - the module fails and shows
    the difference.
  - A database that does not exist is made under a temporary name (V(multimaster_clone_...)), and
    renamed when it is complete and equal to the source's. An empty database that exists is filled
    in one transaction. Either way nothing is left half-created, and a run that was killed is
    finished by running it again.
  - Bucardo's schema and triggers and this collection's schema C(multimaster) are neither compared
    nor cloned, nor are publications and subscriptions. The start and the increment of sequences
    are cloned but not compared, since masters differ in them on purpose.
  - Schemas are compared by what they mean. Servers print many objects in another form once their
    own text was read back, or in another version; where texts differ, the source's schema is
    restored into a scratch database of the target's server (V(multimaster_echo_...), removed at
    once) and what is printed there is compared. What was found equal is remembered in the schema
    C(multimaster) of the target, so that later runs need no scratch database. A check makes none
    either, and warns where it would be needed.
  - Indexes of the target that are invalid because their table is still being filled count as
    there.
options:
  source:
    description:
      - The master to clone from. It is only read.
      - Needs to be a superuser, or roles are created without passwords.
  target:
    description:
      - The master to clone to. Its role must be a superuser.
      - O(target.login_db) defaults to the source's.
  roles:
    description:
      - Which roles of the source the target must have.
      - V(all) are all but those in O(exclude_roles) and PostgreSQL's own (C(pg_...)).
      - V(needed) are those that own something in the database, were granted something there or
        appear in a policy, and all groups and members that belong to these.
      - V(none) leaves roles alone.
    type: str
    choices: [all, needed, none]
    default: all
  exclude_roles:
    description:
      - Roles that are neither created nor compared, nor given privileges on or settings for the
        database.
      - The superuser made by C(initdb) and the target's O(target.login_user) are never changed.
    type: list
    elements: str
    default: [bucardo]
  role_conflict:
    description:
      - What to do about a role that exists on the target with another password hash, other
        attributes, settings or memberships.
      - V(keep) warns, V(update) makes it as on the source, V(fail) fails before anything is
        changed.
      - Memberships that only the target has are kept in any case.
    type: str
    choices: [keep, update, fail]
    default: keep
  exclude_schemas:
    description: Exact names of further schemas that are neither compared nor cloned.
    type: list
    elements: str
    default: []
  sections:
    description:
      - V(whole) clones everything at once.
      - V(pre_data) leaves out indexes, constraints and triggers, V(post_data) adds them, once the
        data is there, to a database whose other objects are equal; what is there already is kept.
    type: str
    choices: [whole, pre_data, post_data]
    default: whole
  differences:
    description:
      - What to do when the schemas differ.
      - V(warn) leaves the target as it is and returns RV(state=different).
    type: str
    choices: [fail, warn]
    default: fail
  tablespaces:
    description: Whether objects keep their tablespaces, which the target must have then.
    type: bool
    default: true
  pg_bin_dir:
    description:
      - Directory of C(pg_dump) and C(pg_restore) on the host that runs this module.
      - The default is the newest version that is installed. It must not be older than any of the
        two servers.
    type: path
  lock_timeout:
    description:
      - Milliseconds to wait for a lock on a table while the schema is read, V(0) for no limit.
      - Reading takes C(ACCESS SHARE), which waits for nothing but changes of the schema.
    type: int
    default: 30000
  diff_lines:
    description: At most so many lines of difference are returned.
    type: int
    default: 100
attributes:
  check_mode:
    support: full
    description: Reads and compares everything, writes nothing.
  diff_mode:
    support: full
    description: Shows roles and properties of the database, without password hashes, and the number
      of objects.
extends_documentation_fragment:
  - multimaster.bucardo.masters.source_and_target
requirements:
  - pg_dump and pg_restore, not older than any of the servers
notes:
  - Host, user and database show in the list of processes while C(pg_dump) runs; passwords never do.
  - Roles are created in one transaction before the database, and stay when the rest fails.
seealso:
  - module: multimaster.bucardo.preflight
  - module: multimaster.bucardo.data_seed
author:
  - multimaster.bucardo contributors (@multimaster)
"""

EXAMPLES = r"""
- name: Clone the schema of here to there
  multimaster.bucardo.schema_clone:
    source:
      name: here
      login_host: here.example.com
      login_user: postgres
      login_password: "{{ here_password }}"
      login_db: shop
    target:
      name: there
      login_host: there.example.com
      login_user: postgres
      login_password: "{{ there_password }}"

- name: Show what a clone would do, with only the roles that the database needs
  multimaster.bucardo.schema_clone:
    source: "{{ here }}"
    target: "{{ there }}"
    roles: needed
  check_mode: true
  diff: true

- name: Indexes, constraints and triggers, after the data
  multimaster.bucardo.schema_clone:
    source: "{{ here }}"
    target: "{{ there }}"
    sections: post_data
"""

RETURN = r"""
state:
  description:
    - V(identical) when the schemas were equal, V(cloned) when the target got, or in check mode
      would get, the source's.
    - V(different) is possible with O(differences=warn).
  returned: success
  type: str
  sample: cloned
database_created:
  description: Whether the database did not exist.
  returned: success
  type: bool
objects:
  description: Number of the source's objects in the chosen sections, per type as pg_dump calls it.
  returned: success
  type: dict
  sample: {"table": 12, "index": 9, "fk constraint": 4}
roles_created:
  description: Roles that the target did not have.
  returned: success
  type: list
  elements: str
  sample: [app, reporting]
roles_updated:
  description: Roles that were changed, with O(role_conflict=update).
  returned: success
  type: list
  elements: str
memberships:
  description: Memberships that were granted.
  returned: success
  type: list
  elements: str
  sample: [app in writers]
differences:
  description: Unified diff from the target's schema to the source's, passwords masked.
  returned: when the schemas differ, on failure too
  type: list
  elements: str
pending_indexes:
  description: Invalid indexes of the target, which count as there.
  returned: success
  type: list
  elements: str
commands:
  description: Programs and statements that were run, secrets masked.
  returned: when there were any
  type: list
  elements: str
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import (
    options as ansible_options,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.facts import CloneOptions
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.run import plan_change
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Master


def argument_spec() -> ansible_options.Spec:
    return {
        "source": ansible_options.master_option(),
        "target": ansible_options.master_option(),
        "roles": {"type": "str", "choices": ["all", "needed", "none"], "default": "all"},
        "exclude_roles": {"type": "list", "elements": "str", "default": ["bucardo"]},
        "role_conflict": {"type": "str", "choices": ["keep", "update", "fail"], "default": "keep"},
        "exclude_schemas": {"type": "list", "elements": "str", "default": []},
        "sections": {
            "type": "str",
            "choices": ["whole", "pre_data", "post_data"],
            "default": "whole",
        },
        "differences": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        "tablespaces": {"type": "bool", "default": True},
        "pg_bin_dir": {"type": "path"},
        "lock_timeout": {"type": "int", "default": 30000},
        "diff_lines": {"type": "int", "default": 100},
    }


def plan(params: module.Params, scope: Scope) -> Change:
    source, target = Master.from_options(params["source"]), Master.from_options(params["target"])
    return plan_change(source, target, CloneOptions.from_options(params), scope)


def main() -> None:
    module.run(argument_spec(), plan)


if __name__ == "__main__":
    main()

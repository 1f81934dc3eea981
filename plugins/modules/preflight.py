#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module preflight."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Report everything that stands in the way of a second writable master
description:
  - Connects to all masters, reads their catalogs, and reports every blocker and warning at once.
    Nothing is changed anywhere; what can only be known by trying is rolled back, or done in a
    scratch database of a target, see O(try_restore).
  - An error on one server is a finding like others; the survey goes on with the next server.
  - All checks, with what they mean and what to do, are listed in C(docs/preflight.md).
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
attributes:
  check_mode:
    support: full
    description:
      - The module only reads. In check mode it makes no scratch database either, see
        O(try_restore).
  diff_mode:
    support: none
    description: There is nothing that could differ.
options:
  masters:
    description: All masters of the topology, exactly one of them with O(masters[].origin) set.
  tables:
    description:
      - Which tables take part. Shell-like patterns match C(schema.table) without quotes; a name
        in SQL notation means just that table.
      - Wildcards leave out what cannot be replicated by its nature, such as partitioned parents;
        a name does not, so that it is reported.
    type: list
    elements: str
    default: ["*.*"]
  exclude:
    description: Which of O(tables) do not take part, in the same notation.
    type: list
    elements: str
    default: []
  replace:
    description:
      - Tables whose rows on the targets are going to be replaced, as for
        M(multimaster.bucardo.data_seed).
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  sync:
    description: Name that Bucardo's sync has or will have.
    type: str
    default: multimaster
  dbgroup:
    description: Name of its dbgroup.
    type: str
    default: multimaster
  relgroup:
    description: Name of its relgroup.
    type: str
    default: multimaster
  conflict_strategy:
    description: How the sync will settle conflicts, see M(multimaster.bucardo.bucardo_sync).
    type: str
    default: bucardo_latest
  truncate:
    description: What will become of a TRUNCATE, see M(multimaster.bucardo.bucardo_sync).
    type: str
    choices: [delete, refuse, bucardo]
    default: delete
    version_added: "1.1.0"
  sequences:
    description:
      - What will be done with sequences, see
        O(multimaster.bucardo.sequence_interleave#module:strategy).
    type: str
    choices: [interleave, none]
    default: interleave
    version_added: "1.1.0"
  exclude_sequences:
    description:
      - Sequences that will not be shared out, see
        O(multimaster.bucardo.sequence_interleave#module:exclude_sequences).
    type: list
    elements: str
    default: []
    version_added: "1.1.0"
  sequence_slots:
    description:
      - Among how many masters their numbers will be shared out, see
        O(multimaster.bucardo.sequence_interleave#module:slots). V(0) means the number of masters.
    type: int
    default: 0
    version_added: "1.1.0"
  tablespaces:
    description:
      - Whether tables will be put into the origin's tablespaces, see
        O(multimaster.bucardo.schema_clone#module:tablespaces).
    type: bool
    default: true
    version_added: "1.1.0"
  notifies:
    description:
      - Whether changes will wake the sync by a NOTIFY, see
        O(multimaster.bucardo.bucardo_sync#module:kick).
    type: bool
    default: false
    version_added: "1.1.0"
  bucardo_user:
    description: Role as which Bucardo logs in to every master.
    type: str
    default: bucardo
  bucardo_password:
    description:
      - The password that O(bucardo_user) shall have. Where the role exists with another one, that
        is a blocker, unless O(change_password) is set.
    type: str
  bucardo_ssl_cert:
    description: File with the client certificate of O(bucardo_user), on this host.
    type: path
  bucardo_ssl_key:
    description: File with the key of O(bucardo_ssl_cert).
    type: path
  change_password:
    description: Whether the role's password may be changed, for all who use it.
    type: bool
    default: false
  adopt:
    description: Whether an installation of Bucardo that others made may be taken over.
    type: bool
    default: false
  os_users:
    description:
      - Operating-system users of this host that must be able to log in to every master as
        O(bucardo_user), with what they have (their password files).
    type: list
    elements: str
    default: [bucardo, postgres]
  check_os_users:
    description:
      - Whether to try these logins. This needs root.
      - V(auto) reports only what is there and wrong. Users, roles, password files and lines in
        them that are still missing are passed over, since a bootstrap makes them.
      - V(always) reports every login that fails, V(never) tries none.
    type: str
    choices: [auto, always, never]
    default: auto
  control:
    description:
      - How to reach Bucardo's control database, C(bucardo) if O(control.login_db) is not given.
        It need not exist yet.
      - An empty dictionary means the local socket; as root the OS users V(bucardo) and
        V(postgres) are tried.
      - Without this option nothing is known about the control database. Triggers of any other
        sync than O(sync) are then blockers.
  pg_bin_dir:
    description: Directory of C(pg_dump); the newest that is installed by default.
    type: path
  try_restore:
    description:
      - Whether the origin's schema, without rows, is restored on each target that has none yet,
        to see what its server refuses.
      - Where the target's database is still to be made, in a scratch database that is removed
        again, by the next run if this one is killed; else in a transaction that is rolled back.
        In check mode always in such a transaction, without a database in
        O(masters[].maintenance_db), if that is empty and the server's lock table has room.
    type: bool
    default: true
    version_added: "1.1.0"
  max_transaction_age:
    description: Seconds after which an open transaction is worth a warning.
    type: float
    default: 60
  max_clock_skew:
    description: Seconds by which the masters' clocks may differ.
    type: float
    default: 1
  workers:
    description: How many workers the seed will have; each takes a connection on each side.
    type: int
    default: 4
  fail_on_blockers:
    description: Whether to fail when there are blockers. The message lists all of them.
    type: bool
    default: true
extends_documentation_fragment:
  - multimaster.bucardo.masters
  - multimaster.bucardo.masters.control
seealso:
  - module: multimaster.bucardo.table_info
"""

EXAMPLES = r"""
- name: Report everything that stands in the way
  multimaster.bucardo.preflight:
    masters:
      - name: here
        origin: true
        login_host: db1.example.com
        login_user: postgres
        login_password: "{{ here_password }}"
        login_db: shop
      - name: there
        login_host: db2.example.com
        login_user: postgres
        login_password: "{{ there_password }}"
        login_db: shop
    exclude:
      - audit.*
    control: {}

- name: Only look, and go on
  multimaster.bucardo.preflight:
    masters: "{{ masters }}"
    fail_on_blockers: false
  register: found

- name: Show what would stop a bootstrap
  ansible.builtin.debug:
    var: found.blockers_text
"""

RETURN = r"""
blockers:
  description: What must be cured first.
  returned: always
  type: list
  elements: dict
  contains: &finding
    check:
      description: Id of the check, see C(docs/preflight.md).
      type: str
      returned: always
      sample: no-key
    severity:
      description: One of V(blocker), V(warning), V(info).
      type: str
      returned: always
      sample: blocker
    object:
      description: Name of the table, role, database or other object.
      type: str
      returned: always
      sample: public.visits
    master:
      description: Name of the master, empty when it concerns none or all of them.
      type: str
      returned: always
      sample: here
    message:
      description: What is wrong.
      type: str
      returned: always
      sample: has no primary key and no unique index
    cure:
      description: What to do about it.
      type: str
      returned: always
      sample: Add a primary key, or exclude the table.
cautions:
  description: What may go wrong later, the findings of severity V(warning).
  returned: always
  type: list
  elements: dict
  contains: *finding
notes:
  description: What is good to know, the findings of severity V(info).
  returned: always
  type: list
  elements: dict
  contains: *finding
blockers_text:
  description: The blockers as text, one line for all objects of which exactly the same is said.
  returned: always
  type: list
  elements: str
warnings_text:
  description: The warnings in the same way.
  returned: always
  type: list
  elements: str
tables:
  description: The tables that take part, in SQL notation.
  returned: always
  type: list
  elements: str
  sample: [public.orders, 'public."Order Items"']
seeded:
  description: Names of the targets into which every table was seeded to the end.
  returned: always
  type: list
  elements: str
  sample: [there]
all_seeded:
  description: Whether this is true of all targets.
  returned: always
  type: bool
empty_targets:
  description: Names of the targets whose database is missing or holds no rows of these tables.
  returned: always
  type: list
  elements: str
target_exists:
  description: Target to whether its database exists.
  returned: always
  type: dict
  sample: {there: false}
versions:
  description: Master to the version of its server.
  returned: always
  type: dict
  sample: {here: "15.12", there: "17.6"}
sizes:
  description: What the origin's tables amount to.
  returned: always
  type: dict
  contains:
    tables:
      description: Number of tables that take part.
      type: int
      returned: always
    bytes:
      description: Their size in bytes, TOAST included, indexes not.
      type: int
      returned: always
    rows:
      description: Their rows, as the planner estimates them.
      type: int
      returned: always
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    Spec,
    connection_spec,
    masters_option,
    selection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import Wanted
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.report import (
    Blocked,
    examine,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.restore import (
    try_restores,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.run import (
    survey,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import strategies
from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.truncate import (
    DEFAULT,
    POLICIES,
)


def argument_spec() -> Spec:
    names = {"type": "str", "default": "multimaster"}
    return {
        "masters": masters_option(),
        **selection_spec(),
        "replace": {"type": "list", "elements": "str", "default": []},
        "sync": dict(names),
        "dbgroup": dict(names),
        "relgroup": dict(names),
        "conflict_strategy": {"type": "str", "default": "bucardo_latest"},
        "truncate": {"type": "str", "choices": list(POLICIES), "default": DEFAULT},
        "sequences": {
            "type": "str",
            "choices": list(strategies.LASTING),
            "default": strategies.DEFAULT,
        },
        "exclude_sequences": {"type": "list", "elements": "str", "default": []},
        "sequence_slots": {"type": "int", "default": 0},
        "tablespaces": {"type": "bool", "default": True},
        "notifies": {"type": "bool", "default": False},
        "bucardo_user": {"type": "str", "default": "bucardo"},
        "bucardo_password": {"type": "str", "no_log": True},
        "bucardo_ssl_cert": {"type": "path"},
        "bucardo_ssl_key": {"type": "path", "no_log": False},
        "change_password": {"type": "bool", "default": False, "no_log": False},
        "adopt": {"type": "bool", "default": False},
        "os_users": {"type": "list", "elements": "str", "default": ["bucardo", "postgres"]},
        "check_os_users": {
            "type": "str",
            "choices": ["auto", "always", "never"],
            "default": "auto",
        },
        "control": {"type": "dict", "options": connection_spec()},
        "pg_bin_dir": {"type": "path"},
        "try_restore": {"type": "bool", "default": True},
        "max_transaction_age": {"type": "float", "default": 60},
        "max_clock_skew": {"type": "float", "default": 1},
        "workers": {"type": "int", "default": 4},
        "fail_on_blockers": {"type": "bool", "default": True},
    }


def plan(params: module.Params, scope: Scope) -> Change:
    facts = survey(
        params["masters"],
        Wanted.from_options(params),
        params["control"],
        params["os_users"],
        params["pg_bin_dir"],
    )
    if params["try_restore"]:
        masters, pg_bin_dir = params["masters"], params["pg_bin_dir"]
        facts = scope.tries(
            facts,
            lambda known: try_restores(known, masters, pg_bin_dir),
            lambda known: try_restores(known, masters, pg_bin_dir, scratch=False),
        )
    report = examine(facts)
    values = report.values()
    if values["blockers"] and params["fail_on_blockers"]:
        raise Blocked(report)
    return Change(values=values)


def main() -> None:
    module.run(argument_spec(), plan)


if __name__ == "__main__":
    main()

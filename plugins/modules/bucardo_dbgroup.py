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

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.control import (
    Control,
    connect,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.object_plan import (
    check_name,
    plan_members,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import Dbgroup
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.text import nearest
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import membership


def body(params: module.Params, check_mode: bool) -> module.Result:
    """Compare, write, read again."""
    name = params["name"]
    check_name("dbgroup", name)
    with connect(params, check_mode) as control:
        current = control.dbgroups().get(name)
        users = sorted(sync.name for sync in control.syncs().values() if sync.dbgroup == name)
        if params["state"] == "absent":
            return _absent(control, current, users)
        return _present(control, current, users, params)


def _present(
    control: Control, current: Dbgroup | None, users: list[str], params: module.Params
) -> module.Result:
    name = params["name"]
    old = dict(current.members) if current else {}
    new = plan_members(old, params["members"], params["exclusive"])
    result = module.Result(
        changed=current is None or old != new,
        before=_described(name, old) if current else {},
        after=_described(name, new),
        values={"dbgroup": _described(name, new), "syncs": users},
    )
    if not result.changed:
        return result
    known = control.databases()
    # In a check, an earlier task of the play may be the one that would have added it.
    for db in new if not control.dry else ():
        if db not in known:
            hint = nearest(db, known) or "Add it with bucardo_db first."
            raise Refused(f"members: Bucardo has no database {db!r}", hint)
    gone = sorted(set(old) - set(new))
    if gone and users:
        result.warnings.append(
            f"{', '.join(gone)} leaves dbgroup {name}, which sync {', '.join(users)} uses: its"
            " triggers stay, and go on queueing changes until they are removed"
        )
    control.save_members(name, current, new)
    if not control.dry:
        membership.join(control.session, name, set(new) - set(old))
        found = control.dbgroups().get(name)
        if found is None or dict(found.members) != new:
            raise CommandFailed(f"Bucardo's catalog does not hold dbgroup {name} as asked")
    result.commands = control.commands
    return result


def _absent(control: Control, current: Dbgroup | None, users: list[str]) -> module.Result:
    if current is None:
        return module.Result(values={"dbgroup": None, "syncs": []})
    if users:
        raise Refused(
            f"dbgroup {current.name} is used by the sync {', '.join(users)}",
            "Remove the sync first.",
        )
    control.run("remove", "dbgroup", current.name)
    if not control.dry and current.name in control.dbgroups():
        raise CommandFailed(f"Bucardo's catalog still holds dbgroup {current.name}")
    return module.Result(
        changed=True,
        before=_described(current.name, dict(current.members)),
        after={},
        values={"dbgroup": None, "syncs": []},
        commands=control.commands,
    )


def _described(name: str, members: dict[str, str]) -> dict[str, object]:
    return {"name": name, "members": dict(sorted(members.items()))}


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "members": {"type": "dict"},
        "exclusive": {"type": "bool", "default": True},
    }
    module.run(spec, body)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes masters into a sync that goes on replicating."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_join
short_description: Take masters into a sync that goes on replicating meanwhile
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - With O(state=prepared) the masters of a sync keep their queues for further ones, which can then
    be seeded by M(multimaster.bucardo.data_seed) while the sync replicates.
  - With O(state=enrolled) their own changes are queued, too; it comes before the seed, and after
    M(multimaster.bucardo.bucardo_db).
  - With O(state=joined) what changed meanwhile is copied to them; for the last bit of it the sync
    is held. Then they are members of its dbgroup. M(multimaster.bucardo.bucardo_sync) with
    O(ignore:status=active) enrols them and lets it replicate.
  - Where the others cannot go on, nothing is done and RV(obstacle) says why. The sync must be held
    then before further masters come in.
  - A master that is no longer named is no longer waited for.
  - Does nothing while there is no such sync.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Looks, and changes nothing.
  diff_mode:
    support: full
    description: Shows who is being taken in.
options:
  sync:
    description: Name of the sync.
    type: str
    required: true
  state:
    description: Whether to prepare for the seed, or to take in who is seeded.
    type: str
    choices: [prepared, enrolled, joined]
    required: true
  masters:
    description: How to log in to all masters, those that are to come included.
  timeout:
    description: Seconds for a running daemon to confirm that the sync is held.
    type: int
    default: 120
seealso:
  - module: multimaster.bucardo.bucardo_sync
  - module: multimaster.bucardo.data_seed
"""

EXAMPLES = r"""
- name: Let the others go on while rome is seeded
  multimaster.bucardo.bucardo_join:
    sync: shop
    state: prepared
    masters:
      - {name: oslo, login_host: db1.example.com, login_user: postgres, login_db: shop}
      - {name: rome, login_host: db2.example.com, login_user: postgres, login_db: shop}
  become: true
  become_user: bucardo
"""

RETURN = r"""
joining:
  description: The masters that are being taken in, or with O(state=joined) became members.
  returned: success
  type: list
  elements: str
obstacle:
  description: Why the sync must be held for it, empty when it need not.
  returned: success
  type: str
passes:
  description: How many keys were copied in each pass; the sync was held for the last one.
  returned: with O(state=joined)
  type: list
  elements: int
held_for:
  description: Seconds for which the sync was held so far.
  returned: with O(state=joined)
  type: float
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import newcomers
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import joining


def plan(params: module.Params, scope: Scope) -> Change:
    """Who is to come, and whether the others may go on."""
    control = connect(params, scope)
    if control.installed:
        # A catch-up takes changes from the queues that are to be kept from now on.
        scope.lock(control.alone(params["sync"]))
    sync = control.sync(params["sync"]) if control.installed else None
    nothing = {"joining": [], "obstacle": ""}
    if sync is None:
        return Change(values=nothing)
    logins = {one["name"]: ConnInfo.from_options(one) for one in params["masters"]}
    # A member that is not named is about to leave, and perhaps nobody can log in there any more.
    members = {
        name: scope.enter_context(Session(logins[name]))
        for name in control.dbgroups()[sync.dbgroup].sources
        if name in logins
    }
    goats = [goat for goat in control.goats(sync.relgroup) if goat.reltype == "table"]
    if not goats or goats[0].db not in members:
        return Change(values=nothing)
    group = joining.Group(sync, goats[0].db, goats, members)
    begun = newcomers.known(control.session, sync.dbgroup)
    coming = [name for name in logins if name not in members]
    if params["state"] != "prepared":
        coming = [name for name in coming if name in begun]
    sessions = {name: scope.enter_context(Session(logins[name])) for name in coming}
    obstacle = joining.obstacle(group, set(coming) <= set(begun)) if coming else ""
    wanted = [] if obstacle else coming
    act = _Act(control, group, sessions if wanted else {}, params["timeout"])
    change = Change(
        before={"joining": sorted(begun)},
        after={"joining": sorted(wanted)},
        values={"joining": wanted, "obstacle": obstacle},
    )
    if params["state"] == "prepared":
        change.changed = not set(wanted) <= set(begun)
        # What an earlier run began for somebody who is not named any more.
        change.always, change.work = True, act.prepare
    elif params["state"] == "enrolled":
        change.always, change.work = bool(wanted), act.enrol
    elif wanted:
        change.changed, change.after, change.work = True, {"joining": []}, act.join
    return change


class _Act:
    """What is done."""

    def __init__(
        self,
        control: Control,
        group: joining.Group,
        coming: t.Mapping[str, Session],
        timeout: float,
    ) -> None:
        self.control, self.group, self.coming = control, group, coming
        self.timeout = timeout

    def prepare(self, _change: Change) -> None:
        """Keep the queues."""
        joining.sweep(self.control, self.group, self.coming)
        if self.coming:
            joining.prepare(self.control, self.group, self.coming)

    def enrol(self, change: Change) -> None:
        """Let their changes queue."""
        users = {name: one.user for name, one in self.control.databases().items()}
        given = {name: (one, users[name]) for name, one in self.coming.items()}
        tables = joining.enrol_newcomers(self.control, self.group, given)
        change.changed = any(tables.values())

    def join(self, change: Change) -> None:
        """Take in who is seeded."""
        daemon = self.control.daemon
        members = list(self.group.members.values())
        change.values.update(
            joining.join(
                self.control,
                self.group,
                self.coming,
                lambda: daemon.reload(self.timeout, members),
            )
        )


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "sync": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["prepared", "enrolled", "joined"], "required": True},
        "masters": masters_option(),
        "timeout": {"type": "int", "default": 120},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

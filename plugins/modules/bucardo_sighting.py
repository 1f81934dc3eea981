#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices a master that went back in time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_sighting
short_description: Notice a master that was promoted, restored or made anew
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - A server that is replaced by its standby, or by a backup, answers under the same name and lacks
    what it held last. Bucardo goes on as if nothing had happened, and what is missing never comes.
  - With O(state=checked) each master of the sync is compared with what was noted when it was last
    seen. The ledger of M(multimaster.bucardo.data_seed) no longer vouches for the rows of one that
    is not the same; when it is the origin, none does. The bootstrap then compares all rows before
    the sync replicates again. Where all are the same this is noted, as with O(state=noted).
  - With O(state=noted) it is noted how they are, with a token on each master. What happens to a
    master between two such looks is noticed by the second.
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
    description: Shows which masters are not the ones that they were.
options:
  sync:
    description: Name of the sync.
    type: str
    required: true
  state:
    description: Whether to compare, or to note how it is.
    type: str
    choices: [checked, noted]
    default: checked
  masters:
    description:
      - How to log in to the masters; those that are left out are not looked at. Without this
        option all members are, as M(multimaster.bucardo.bucardo_db) holds them.
    required: false
seealso:
  - module: multimaster.bucardo.bucardo_sync
  - module: multimaster.bucardo.data_prove
"""

EXAMPLES = r"""
- name: Look whether all masters are the ones that they were
  multimaster.bucardo.bucardo_sighting:
    sync: shop
    state: checked
  become: true
  become_user: bucardo
"""

RETURN = r"""
returned:
  description: By master, what happened to it.
  returned: success
  type: dict
  sample: {oslo: "was restored to an earlier moment"}
origin:
  description: Whether the origin is among them.
  returned: success
  type: bool
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import ledger, sightings
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session


def plan(params: module.Params, scope: Scope) -> Change:
    """Who is not who it was, and whom nobody vouches for in consequence."""
    control = connect(params, scope)
    sync = control.sync(params["sync"]) if control.installed else None
    if sync is None:
        return Change(values={"returned": {}, "origin": False})
    logins = {one["name"]: ConnInfo.from_options(one) for one in params["masters"] or []}
    # A member that is not named is about to leave, and perhaps nobody can log in there any more.
    masters = {
        name: scope.enter_context(Session(control.login(name, logins)))
        for name in control.dbgroups()[sync.dbgroup].sources
        if not logins or name in logins
    }
    found = sightings.look(control.session, sync.dbgroup, masters)
    goats = [goat for goat in control.goats(sync.relgroup) if goat.reltype == "table"]
    origin = goats[0].db if goats else ""
    values = {"returned": found, "origin": origin in found}
    if params["state"] == "noted" or not found:
        # A token more is nothing that anybody would call a change.
        return Change(
            values=values,
            always=True,
            work=lambda _change: sightings.note(control.session, sync.dbgroup, masters),
        )
    doubted = [name for name in masters if name != origin and (name in found or origin in found)]

    def work(_change: Change) -> None:
        for name in doubted:
            ledger.distrust(masters[name], {goat.name for goat in goats})

    return Change(
        changed=True,
        before=dict.fromkeys(found, "as it was last seen"),
        after=found,
        values=values,
        warnings=[f"{name} {why}: its rows are compared" for name, why in found.items()],
        work=work,
    )


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "sync": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["checked", "noted"], "default": "checked"},
        "masters": {**masters_option(), "required": False},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

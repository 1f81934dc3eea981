#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes masters out of a sync."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_master
short_description: Take masters out of a sync while the others go on
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Bucardo runs a sync only while all of its masters answer. This ends the membership of one, be it
    there or lost, so that the others replicate again.
  - The master itself is not touched; M(multimaster.bucardo.bucardo_teardown) removes what is there.
  - When the lost master was the origin, another becomes it, and the ledgers of the others speak of
    that one, so that nothing is copied again.
  - When one master remains, the sync is held, since nobody is left to replicate with.
  - Does nothing while there is no such sync or none of the masters is a member of it.
  - The playbook C(multimaster.bucardo.remove_master) does this with all that belongs to it.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Looks whether the master can leave, and changes nothing.
  diff_mode:
    support: full
    description: Shows the members and the origin before and after.
options:
  name:
    description: The master that leaves, or several of them.
    type: list
    elements: str
    required: true
  state:
    description: There is nothing but V(absent).
    type: str
    choices: [absent]
    default: absent
  sync:
    description: Name of the sync.
    type: str
    default: multimaster
  lost:
    description:
      - The master does not answer, and what it has not replicated is given up.
      - Ends all processes of the daemon on this host at once, because a worker that waits for the
        lost master can neither be stopped nor reloaded. Start the daemon afterwards.
      - Is refused when the master answers.
    type: bool
    default: false
  origin:
    description:
      - Who becomes the origin when the lost master was. By default the first for whose rows the
        ledgers vouch most.
    type: str
  masters:
    description:
      - How to log in to the masters. For those left out, what
        M(multimaster.bucardo.bucardo_db) holds is used.
    required: false
  timeout:
    description: Seconds for a running daemon to confirm that it goes on without the master.
    type: int
    default: 120
  bucardorc:
    description: The configuration file of the daemon on this host.
    type: path
    default: /etc/bucardorc
notes:
  - Run it as the operating system's user that runs the daemon (C(become_user=bucardo)).
seealso:
  - module: multimaster.bucardo.bucardo_origin
  - module: multimaster.bucardo.bucardo_teardown
"""

EXAMPLES = r"""
- name: Go on without oslo, whose server is gone
  multimaster.bucardo.bucardo_master:
    name: oslo
    sync: shop
    lost: true
    state: absent
  become: true
  become_user: bucardo
"""

RETURN = r"""
remaining:
  description: The masters that remain.
  returned: success
  type: list
  elements: str
  sample: [paris, rome]
origin:
  description: Name of the master that is, or would be, the origin.
  returned: success
  type: str
  sample: paris
missing:
  description:
    - What the others lack of lost masters. Empty unless a lost master leaves.
  returned: success
  type: dict
  contains:
    masters: {description: Their names., type: list, elements: str}
    until:
      description: What had been committed before has reached the others. Empty when nothing has.
      type: str
    seconds: {description: Time since then., type: float}
    interrupted:
      description: Whether a run that began later may have reached some of the others, and not all.
      type: bool
    waiting:
      description: What the lost masters had not got from the others, who get it now.
      type: list
      elements: dict
  sample:
    masters: [oslo]
    until: "2026-01-02 03:04:05.678901 UTC"
    seconds: 42.3
    interrupted: false
    waiting: [{master: paris, table: public.orders, changes: 12, oldest: 4.2, truncated: false}]
text:
  description: The same as a sentence.
  returned: success
  type: str
commands:
  description: The statements that were run.
  returned: when the master left
  type: list
  elements: str
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.daemon import Daemon
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import remove


def plan(params: module.Params, scope: Scope) -> Change:
    """Who leaves, who remains, and what is lost with it."""
    control = connect(params, scope)
    wanted = remove.Wanted(
        params["sync"], tuple(params["name"]), params["lost"], params["origin"] or ""
    )
    removal = remove.Removal(
        control,
        {one["name"]: ConnInfo.from_options(one) for one in params["masters"] or []},
        wanted,
        Daemon(params["bucardorc"]).files.piddir if params["lost"] else "",
        params["timeout"],
    )
    return removal.plan(scope)


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["absent"], "default": "absent"},
        "sync": {"type": "str", "default": "multimaster"},
        "lost": {"type": "bool", "default": False},
        "origin": {"type": "str"},
        "masters": {**masters_option(), "required": False},
        "timeout": {"type": "int", "default": 120},
        "bucardorc": {"type": "path", "default": "/etc/bucardorc"},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes another master the origin of a running sync."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_origin
short_description: Make another master the origin of a running sync
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - The origin is the master whose tables the relgroup's are, and from which further masters are
    cloned and seeded. Between masters that replicate it is a matter of words only, so no row is
    copied and no table is locked.
  - Every master of the sync must be known to hold all rows, by the ledgers of
    M(multimaster.bucardo.data_seed), and the daemon must be running the sync. Afterwards the
    ledgers speak of the new origin, and that of the former one says that it was the origin.
  - Does nothing while there is no such sync.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Looks whether the origin can move, and changes nothing.
  diff_mode:
    support: full
    description: Shows the former and the new origin.
options:
  sync:
    description: Name of the sync.
    type: str
    required: true
  origin:
    description: Name of the master that is to be the origin.
    type: str
    required: true
  masters:
    description:
      - How to log in to the masters. For those left out, what
        M(multimaster.bucardo.bucardo_db) holds is used.
    required: false
seealso:
  - module: multimaster.bucardo.bucardo_sync
  - module: multimaster.bucardo.data_seed
"""

EXAMPLES = r"""
- name: Further masters are seeded from oslo
  multimaster.bucardo.bucardo_origin:
    sync: shop
    origin: oslo
  become: true
  become_user: bucardo
"""

RETURN = r"""
former:
  description: Name of the master that was the origin.
  returned: success
  type: str
  sample: paris
origin:
  description: Name of the master that is, or would be, the origin.
  returned: success
  type: str
  sample: oslo
reloaded:
  description: Whether a running daemon confirmed that it has read the sync anew.
  returned: success
  type: bool
commands:
  description: The statements that were run.
  returned: when the origin moved
  type: list
  elements: str
disturbs:
  description: What others notice of it, one line each.
  returned: when others notice anything
  type: list
  elements: str
  sample: ["the runs in progress of all syncs end, and are repeated"]
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
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology
from ansible_collections.multimaster.bucardo.plugins.module_utils._sync import origin


def plan(params: module.Params, scope: Scope) -> Change:
    """Whether the origin moves."""
    logins = Topology.from_options(params["masters"], least=0).logins
    control = connect(params, scope)
    return origin.plan(control, scope, logins, params["sync"], params["origin"])


def main() -> t.NoReturn:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "sync": {"type": "str", "required": True},
        "origin": {"type": "str", "required": True},
        "masters": {**masters_option(), "required": False},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: share the numbers of sequences out among the masters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_interleave
short_description: Let sequences hand out different numbers on every master
version_added: "1.0.0"
description:
  - With N masters, every sequence gets N times its C(INCREMENT BY), and on each master another of
    the values that it had before, so that no number is handed out twice. All start above the
    highest value that any master has handed out or stored.
  - By default all permanent sequences of the database take part, whoever calls C(nextval()) for
    them, except those of columns of tables that do not take part. Unlogged sequences and those of
    extensions take part where a selected table uses them; temporary ones never do.
  - Its START is set to the first of each master's own numbers, so that C(RESTART) and
    C(TRUNCATE ... RESTART IDENTITY) do not lead to numbers of another master.
  - A sequence is changed on all masters at the same moment, in short transactions. Callers of
    C(nextval()) wait until then, some milliseconds; sequences in use by longer transactions are
    tried again later.
  - What the sequences were before is kept in table C(multimaster.sequence) on every master, for
    O(strategy=restore) and for a change of the number of masters, with the syncs that need them.
  - A sequence that has left its share, by C(setval()) or C(ALTER SEQUENCE), is placed anew on all
    masters, above everything that was handed out or stored. RV(problems) tells which were found so.
options:
  masters:
    description:
      - All masters. Their order decides which numbers each gets, so append new masters at the end.
      - Tables are selected on the one with O(masters[].origin) set; by default on the first.
      - Each login role must own the sequences, or be a superuser.
  tables:
    description:
      - Tables whose sequences are meant, as patterns like V(sales.*) or exact names; see
        M(multimaster.bucardo.table_info).
    type: list
    elements: str
    default: ["*.*"]
  exclude:
    description: Tables to leave out of O(tables), in the same notation.
    type: list
    elements: str
    default: []
  sync:
    description:
      - For which sync of Bucardo. A sequence stays shared out as long as any sync needs it.
    type: str
    default: multimaster
    version_added: "1.1.0"
  strategy:
    description:
      - V(interleave) shares the numbers out.
      - V(none) shares nothing out, for applications with keys that do not collide. A new master's
        sequences go on where those of the origin are.
      - V(restore) gives every sequence that no other sync needs its old C(INCREMENT BY) and
        C(START WITH) again, above the highest value of all masters, and removes the record of it.
        It looks at O(sync) only, not at O(tables).
      - V(watch) changes nothing, and reports in RV(problems) what V(interleave) would mend.
    type: str
    choices: [interleave, none, restore, watch]
    default: interleave
  slots:
    description:
      - Among how many masters to share the numbers out, at least as many as there are.
      - A higher number leaves room for masters that join later; until then, their numbers stay
        unused. By default the number of masters.
    type: int
  sequences:
    description:
      - V(all) takes every sequence but those of columns of tables that were left out.
      - V(owned) takes only those that a column of a selected table owns or has in its default.
    type: str
    choices: [owned, all]
    default: all
  exclude_sequences:
    description:
      - Sequences that are not shared out, as patterns like V(sales.*_seq) or exact names like
        V(sales.orders_id_seq). You see to it that the masters do not hand out the same numbers.
      - On a new master such a sequence goes on where the origin's is; after that it is left alone.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Longest time to wait for a sequence that is in use, in milliseconds.
    type: int
    default: 100
  timeout:
    description: Seconds after which to give up on sequences that stay in use.
    type: float
    default: 120
attributes:
  check_mode:
    support: full
    description: Reads everything and reports the same changes without making them.
  diff_mode:
    support: full
    description: Shows how each sequence counts on each master, without its current value.
notes:
  - Sequences must not take part in a sync of Bucardo besides; it would set them to the same value
    on all masters.
  - When a server or this task dies between the commits on two masters, run it again before both are
    written to.
extends_documentation_fragment:
  - multimaster.bucardo.masters
author:
  - multimaster.bucardo contributors (@multimaster)
"""

EXAMPLES = r"""
- name: Two masters, with room for two more
  multimaster.bucardo.sequence_interleave:
    masters:
      - name: here
        origin: true
        login_host: here.example.org
        login_user: postgres
        login_db: shop
      - name: there
        login_host: there.example.org
        login_user: postgres
        login_db: shop
    slots: 4

- name: Undo it
  multimaster.bucardo.sequence_interleave:
    masters: "{{ masters }}"
    strategy: restore
"""

RETURN = r"""
sequences:
  description: Sequences that were changed, or would be, sorted by name.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the sequence, in SQL notation.
      type: str
      sample: public.orders_id_seq
    masters:
      description:
        - The masters on which it is changed. C(increment) is its new C(INCREMENT BY), C(share) its
          part of the numbers, C(start) the first value that it hands out, null in check mode.
      type: dict
      sample: {there: {increment: 2, share: "2 of 2", start: 1002}}
problems:
  description:
    - One line for each sequence and master that was found outside of its share, or that had none
      although others have, with the cure.
  returned: always
  type: list
  elements: str
  sample:
    - "public.orders_id_seq on there: goes on with 1003, a number of another master. Run the
      bootstrap again to move it above all numbers in use."
commands:
  description: Statements that were run, or would be, each behind the name of its master.
  returned: when there are any
  type: list
  elements: str
  sample: ['there: ALTER SEQUENCE "public"."orders_id_seq" INCREMENT BY 2 START WITH 2']
unchanged:
  description: How many of the sequences were as wanted.
  returned: always
  type: int
  sample: 12
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import (
    options as ansible_options,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Selection
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import Topology
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.move import MovePolicy
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.run import (
    DesiredSequences,
    plan_change,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.strategies import (
    DEFAULT,
    STRATEGIES,
)


def argument_spec() -> ansible_options.Spec:
    return {
        "masters": ansible_options.masters_option(),
        **ansible_options.selection_spec(),
        "sync": {"type": "str", "default": "multimaster"},
        "strategy": {"type": "str", "choices": list(STRATEGIES), "default": DEFAULT},
        "slots": {"type": "int"},
        "sequences": {"type": "str", "choices": ["owned", "all"], "default": "all"},
        "exclude_sequences": {"type": "list", "elements": "str", "default": []},
        "lock_timeout": {"type": "int", "default": 100},
        "timeout": {"type": "float", "default": 120},
    }


def plan(params: module.Params, scope: Scope) -> Change:
    desired = DesiredSequences(
        strategy=params["strategy"],
        selection=Selection.from_options(params),
        exclude_sequences=tuple(params["exclude_sequences"]),
        owned_only=params["sequences"] == "owned",
        sync=params["sync"],
        slots=params["slots"],
        policy=MovePolicy(params["lock_timeout"], params["timeout"]),
    )
    return plan_change(Topology.from_options(params["masters"], least=1), desired, scope)


def main() -> None:
    module.run(argument_spec(), plan)


if __name__ == "__main__":
    main()

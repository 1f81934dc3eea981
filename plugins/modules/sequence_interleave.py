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
  - It is meant for the sequences of C(serial), C(bigserial) and identity columns, and those that a
    column's default names.
  - A sequence is changed on all masters at the same moment, in short transactions. Callers of
    C(nextval()) wait until then, some milliseconds; sequences in use by longer transactions are
    tried again later.
  - What the sequences were before is kept in table C(multimaster.sequence) on every master, for
    O(strategy=restore) and for a change of the number of masters.
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
  strategy:
    description:
      - V(interleave) shares the numbers out.
      - V(none) leaves all sequences alone, for applications with keys that do not collide.
      - V(restore) gives every sequence that was changed its old C(INCREMENT BY) again, above the
        highest value of all masters, and removes the record of it. It does not look at O(tables).
    type: str
    choices: [interleave, none, restore]
    default: interleave
  slots:
    description:
      - Among how many masters to share the numbers out, at least as many as there are.
      - A higher number leaves room for masters that join later; until then, their numbers stay
        unused. By default the number of masters.
    type: int
  sequences:
    description:
      - V(owned) takes the sequences of the selected tables; those that a column owns or has in its
        default.
      - V(all) takes every sequence of the database.
    type: str
    choices: [owned, all]
    default: owned
  exclude_sequences:
    description: Sequences to leave alone, as exact names like V(sales.orders_id_seq).
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
unchanged:
  description: How many of the sequences were as wanted.
  returned: always
  type: int
  sample: 12
"""

import dataclasses

from ansible_collections.multimaster.bucardo.plugins.module_utils import (
    _args,
    _module,
    _sequences,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils import (
    _sequence_plan as plan,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._errors import (
    ConnectionFailed,
    Refused,
)


def body(params, check_mode):
    """Plan and change; see DOCUMENTATION."""
    if params["strategy"] == "none":
        return _module.Result(values={"sequences": [], "unchanged": 0})
    masters = params["masters"]
    names = [master["name"] for master in masters]
    if not names:
        raise Refused("masters: the list is empty", "Name all masters.")
    if len(set(names)) < len(names):
        raise Refused("masters: two masters have the same name", "Give each a name of its own.")
    origins = [master["name"] for master in masters if master["origin"]]
    if len(origins) > 1:
        raise Refused(
            f"masters: {', '.join(origins)} are all marked as origin", "Mark exactly one."
        )
    slots = len(names) if params["slots"] is None else params["slots"]
    if slots < len(names):
        raise Refused(f"slots: {slots} is less than the {len(names)} masters", "Raise it.")
    if params["lock_timeout"] < 1:
        raise Refused(f"lock_timeout: {params['lock_timeout']} is too little", "Use 1 or more.")
    reference = (origins or names)[0]
    sessions = _open(masters, reference, check_mode)
    try:
        return _run(params, check_mode, sessions, reference, slots)
    finally:
        for session in sessions.values():
            session.close()


def _open(masters, reference, check_mode):
    """Connect to all masters; a check passes over databases that are still to be cloned."""
    conninfos = [ConnInfo.from_options(master) for master in masters]
    if not check_mode:
        return _sequences.open_all(conninfos)
    sessions = {}
    for conninfo in conninfos:
        try:
            sessions.update(_sequences.open_all([conninfo]))
        except ConnectionFailed as error:
            if conninfo.name == reference or "does not exist" not in error.message:
                raise
    return sessions


def _run(params, check_mode, sessions, reference, slots):
    surveys = _sequences.read_all(sessions)
    if check_mode:
        # What a clone of the reference would have.
        names = [master["name"] for master in params["masters"]]
        model = surveys[reference]
        surveys = {
            name: dataclasses.replace(
                surveys.get(name, dataclasses.replace(model, ledger=False)),
                sequences={
                    **model.sequences,
                    **(surveys[name].sequences if name in surveys else {}),
                },
            )
            for name in names
        }
    if params["strategy"] == "restore":
        names = sorted({name for survey in surveys.values() for name in survey.sequences})
    else:
        names = _sequences.wanted(
            sessions[reference],
            surveys[reference],
            None if params["sequences"] == "all" else (params["tables"], params["exclude"]),
            params["exclude_sequences"],
        )

    def one(name):
        sides = {master: survey.sequences.get(name) for master, survey in surveys.items()}
        if params["strategy"] == "restore":
            return plan.restore(name, sides)
        return plan.interleave(name, sides, slots, reference)

    plans, warnings = plan.collect(names, one)
    work = [item for item in plans if item.changes]
    ledgers = [master for master, survey in surveys.items() if survey.ledger]
    clean = params["strategy"] == "restore" and bool(ledgers)
    started = {}
    if not check_mode:
        policy = _sequences.Policy(params["lock_timeout"], params["timeout"])
        started = _sequences.change(sessions, work, policy)
        for master in ledgers if clean else ():
            _sequences.drop_empty_ledger(sessions[master])
    return _module.Result(
        changed=bool(work) or clean,
        before={str(item.name): plan.state(item, after=False) for item in work},
        after={str(item.name): plan.state(item, after=True) for item in work},
        values={
            "sequences": [
                {
                    "name": str(item.name),
                    "masters": {
                        master: {**state, "start": started.get((item.name, master))}
                        for master, state in plan.state(item, after=True).items()
                    },
                }
                for item in work
            ],
            "unchanged": len(plans) - len(work),
        },
        warnings=warnings,
    )


def main():
    """Run the module."""
    _module.run(
        {
            "masters": _args.masters_option(),
            **_args.selection_spec(),
            "strategy": {
                "type": "str",
                "choices": ["interleave", "none", "restore"],
                "default": "interleave",
            },
            "slots": {"type": "int"},
            "sequences": {"type": "str", "choices": ["owned", "all"], "default": "owned"},
            "exclude_sequences": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 100},
            "timeout": {"type": "float", "default": 120},
        },
        body,
    )


if __name__ == "__main__":
    main()

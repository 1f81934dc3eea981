#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts, stops, reloads and pings Bucardo's daemon."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_daemon
short_description: Start, stop, reload and ping Bucardo's daemon
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Controls the daemon by Bucardo's own program, and waits until what was asked for is so.
  - Where a service manager starts the daemon, use that for starting and stopping.
attributes:
  check_mode:
    support: full
    description: Reads everything, changes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows the state of the daemon before and after.
options:
  state:
    description:
      - V(started) waits until the daemon answers; when it ends right away, the last error of its
        log is the message.
      - V(stopped) waits until its process has ended.
      - V(restarted) does both. V(reloaded) lets a running daemon read its settings and all syncs
        again, and starts it when it is not running.
      - V(pinged) changes nothing, and fails when the daemon does not answer.
    type: str
    choices: [started, stopped, restarted, reloaded, pinged]
    default: started
  bucardorc:
    description: The configuration file that names the control database.
    type: path
    default: /etc/bucardorc
  timeout:
    description: Seconds to wait for each of the above.
    type: int
    default: 60
notes:
  - Run it as the operating system's user that runs the daemon (C(become_user=bucardo)); that user
    can read O(bucardorc) and write into Bucardo's C(piddir).
requirements:
  - psycopg2 >= 2.8
"""

EXAMPLES = r"""
- name: See that the daemon runs
  multimaster.bucardo.bucardo_daemon:
    state: started
  become: true
  become_user: bucardo

- name: Let it read its settings and syncs again
  multimaster.bucardo.bucardo_daemon:
    state: reloaded
    timeout: 120
  become: true
  become_user: bucardo
"""

RETURN = r"""
running:
  description: Whether the daemon runs now, or would.
  returned: success
  type: bool
pid:
  description: Process ID of its master control program, 0 when it does not run.
  returned: success
  type: int
  sample: 4711
commands:
  description: What was run, or would be.
  returned: when something differs
  type: list
  elements: str
disturbs:
  description: What others notice of it, one line each.
  returned: when others notice anything
  type: list
  elements: str
  sample: ["the runs in progress of all syncs end, and are repeated"]
"""

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import Spec
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import daemon_state
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.daemon import (
    Daemon,
    wait_seconds,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)


def plan(params: module.Params, scope: Scope) -> Change:
    """What the daemon is to be told."""
    timeout = wait_seconds(params["timeout"])
    return daemon_state.plan(Daemon(params["bucardorc"]), params["state"], timeout)


def main() -> None:
    """Module entry point."""
    spec: Spec = {
        "state": {
            "type": "str",
            "choices": ["started", "stopped", "restarted", "reloaded", "pinged"],
            "default": "started",
        },
        "bucardorc": {"type": "path", "default": "/etc/bucardorc"},
        "timeout": {"type": "int", "default": 60},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

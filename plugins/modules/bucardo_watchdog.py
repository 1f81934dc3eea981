#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the program that judges replication between two plays, and starts its loop."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_watchdog
short_description: Install the program that watches replication
version_added: "1.1.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Writes one file to the host of Bucardo, made of the code that
    M(multimaster.bucardo.bucardo_info) runs. It judges replication, mends what is safe, writes
    metrics for Prometheus, and is a plugin for Nagios.
  - The role C(bucardo) of this collection writes its settings and has systemd run it.
attributes:
  check_mode:
    support: full
    description: Tells whether the file would be written or the loop started, and does neither.
  diff_mode:
    support: full
    description: Shows the file's hash.
options:
  path:
    description: Where the program goes.
    type: path
    default: /usr/local/sbin/bucardo-watchdog
  loop:
    description:
      - Have the program look again and again in the background, for hosts without systemd. A loop
        that runs takes up a new program by itself.
    type: bool
    default: false
  poll:
    description:
      - Have the program wake syncs in the background, for hosts without systemd. A sync needs it
        whose C(kick) is V(poll), see M(multimaster.bucardo.bucardo_sync).
    type: bool
    default: false
    version_added: "1.1.0"
notes:
  - Run it as root. C(/usr/bin/python3) must find psycopg2, as with Debian's package
    C(python3-psycopg2).
seealso:
  - module: multimaster.bucardo.bucardo_info
"""

EXAMPLES = r"""
- name: Install the program
  multimaster.bucardo.bucardo_watchdog:
  become: true

- name: Let it run without systemd
  multimaster.bucardo.bucardo_watchdog:
    loop: true
  become: true
"""

RETURN = r"""
path:
  description: Where the program is.
  returned: success
  type: str
  sample: /usr/local/sbin/bucardo-watchdog
started:
  description: Whether something was, or in a check would be, started.
  returned: success
  type: bool
"""

import hashlib
import os
import subprocess

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import Spec
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import files
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    Refused,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._monitor import pack, program
from ansible_collections.multimaster.bucardo.plugins.module_utils._wake import (
    process as poll_process,
)

MODE = 0o755


def plan(params: module.Params, _scope: Scope) -> Change:
    """Compare the file with what it shall be."""
    path, content = params["path"], pack.packed()
    written = not _is(path, content)
    starts = []
    if params["poll"] and not poll_process.runs(path):
        starts.append("start-poll")
    # After it, which it would start itself, and note that.
    if params["loop"] and not program.loop_runs():
        starts.append("start")
    changed = written or bool(starts)
    change = Change(
        changed=changed,
        before={"sha256": _hash(_read(path)), "started": []} if changed else {},
        after={"sha256": _hash(content), "started": starts} if changed else {},
        values={"path": path, "started": bool(starts)},
        commands=[f"write {path}"] * written + [f"{path} {command}" for command in starts],
    )

    def work(_change: Change) -> None:
        if written:
            _write(path, content)
        for command in starts:
            done = subprocess.run(
                [path, command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
            )
            if done.returncode:
                raise CommandFailed(
                    f"{path} {command}: {done.stderr.strip() or done.stdout.strip()}"
                )

    change.work = work
    return change


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _is(path: str, content: bytes) -> bool:
    if _read(path) != content:
        return False
    found = os.stat(path)
    return (found.st_uid, found.st_mode & 0o7777) == (0, MODE)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if content else ""


def _write(path: str, content: bytes) -> None:
    try:
        files.replace(path, content, 0, 0, MODE)
    except OSError as error:
        raise Refused(f"Cannot write {path}: {error.strerror}", "Run this as root.") from error


def main() -> None:
    spec: Spec = {
        "path": {"type": "path", "default": "/usr/local/sbin/bucardo-watchdog"},
        "loop": {"type": "bool", "default": False},
        "poll": {"type": "bool", "default": False},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

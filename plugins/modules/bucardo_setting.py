#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets rows of bucardo.bucardo_config."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_setting
short_description: Set Bucardo's settings
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Sets any number of Bucardo's settings (the table C(bucardo_config) of the control database).
extends_documentation_fragment:
  - multimaster.bucardo.connection
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing, and returns what the real run would.
  diff_mode:
    support: full
    description: Shows the settings that differ.
options:
  settings:
    description:
      - Name of a setting to its value. A null sets the default.
      - Bucardo stores every value in lower case, except those of settings that hold a file name or
        a format; a value is compared as it will be stored, and refused where lower case would
        change its meaning (as in V(piddir)).
      - The settings that must not be seen are options of their own.
    type: dict
    default: {}
  email_auth_pass:
    description: The setting C(email_auth_pass), without capitals, since Bucardo would lower them.
    type: str
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.

  - A running daemon reads its settings when it is told to, see RV(reload_required).
seealso:
  - module: multimaster.bucardo.bucardo_daemon
"""
EXAMPLES = r"""
- name: Notice dead connections within two minutes
  multimaster.bucardo.bucardo_setting:
    settings:
      tcp_keepalives_idle: 60
      tcp_keepalives_interval: 10
      tcp_keepalives_count: 6
  become: true
  become_user: bucardo
  register: bucardo_settings

- name: Let the daemon read them
  multimaster.bucardo.bucardo_daemon:
    state: reloaded
  become: true
  become_user: bucardo
  when: bucardo_settings.reload_required
"""

RETURN = r"""
settings:
  description: The named settings as they are now, or would be.
  returned: success
  type: dict
  sample: {tcp_keepalives_idle: "60"}
reload_required:
  description: Whether a running daemon must be told to read its settings.
  returned: success
  type: bool
commands:
  description: The statements that were run, or would be; secrets are masked.
  returned: when something differs
  type: list
  elements: str
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.control import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.object_plan import (
    plan_settings,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    Refused,
)

SECRET = "email_auth_pass"


def body(params: module.Params, check_mode: bool) -> module.Result:
    """Compare, write, read again."""
    wanted: dict[str, t.Any] = dict(params["settings"])
    if SECRET in {str(name).lower() for name in wanted}:
        raise Refused(f"settings: {SECRET} would be shown", f"Use the option {SECRET}.")
    if params[SECRET] is not None:
        wanted[SECRET] = params[SECRET]
    with connect(params, check_mode) as control:
        current = control.settings()
        changes = plan_settings(current, wanted, known=bool(current))
        before = {name: current[name].value for name in changes if name in current}
        if changes:
            control.set_settings(changes)
        if changes and not check_mode:
            missed = plan_settings(control.settings(), wanted)
            if missed:
                raise CommandFailed(f"Bucardo did not take the settings {', '.join(missed)}")
        values = {str(name).lower(): setting for name, setting in wanted.items()}
        shown = {
            name: changes.get(name, current[name].value if name in current else "")
            for name in values
        }
    return module.Result(
        changed=bool(changes),
        before=_masked(before),
        after=_masked(changes),
        values={"settings": _masked(shown), "reload_required": bool(changes)},
        commands=control.commands,
    )


def _masked(values: dict[str, str]) -> dict[str, str]:
    return {
        name: "********" if name == SECRET and value else value for name, value in values.items()
    }


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "settings": {"type": "dict", "default": {}},
        SECRET: {"type": "str", "no_log": True},
    }
    module.run(spec, body)


if __name__ == "__main__":
    main()

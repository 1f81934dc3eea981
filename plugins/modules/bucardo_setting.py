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

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import settings
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)


def plan(params: module.Params, scope: Scope) -> Change:
    """The settings that differ."""
    return settings.plan(connect(params, scope), params["settings"], params[settings.SECRET])


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "settings": {"type": "dict", "default": {}},
        settings.SECRET: {"type": "str", "no_log": True},
    }
    module.run(spec, plan)


if __name__ == "__main__":
    main()

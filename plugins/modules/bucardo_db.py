#!/usr/bin/python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manages rows of bucardo.db."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucardo_db
short_description: Manage the databases that Bucardo knows
version_added: "1.0.0"
author:
  - multimaster.bucardo contributors (@multimaster)
description:
  - Adds, changes and removes a database in Bucardo's control database.
  - What is left out stays as it is; for a new database it is empty, and libpq decides.
extends_documentation_fragment:
  - multimaster.bucardo.connection
  - multimaster.bucardo.masters
attributes:
  check_mode:
    support: full
    description: Reads everything, writes nothing; the control server's own test is left out.
  diff_mode:
    support: full
    description: Shows the columns that differ; never a password.
options:
  name:
    description:
      - Bucardo's name of the database; a letter, then letters, digits and underscores.
      - One of O(name) and O(masters) is required.
    type: str
  masters:
    description:
      - All masters at once, instead of O(name), O(host), O(port), O(dbname), O(service) and
        O(conn), which follow from how the masters are reached. Every libpq parameter is passed on
        but for the role to log in as, its password and its certificate, see O(user),
        O(password) and O(bucardo_ssl_cert).
      - With O(validate), Bucardo's login must meet the same database as the one given here, asked
        from the module's host and from the server of the control database.
      - A name that another sync than O(sync) uses for another database is refused.
    required: false
  state:
    description:
      - V(absent) is refused while a sync uses a group that holds the database, and while Bucardo
        knows tables of it.
    type: str
    choices: [present, absent]
    default: present
  host:
    description: Host of the database, as both the daemon and the control server reach it.
    type: str
  port:
    description: Port of the database.
    type: int
  dbname:
    description:
      - The database's own name. Needed for a new database without O(service).
      - Capitals, blanks and Unicode are fine. A name with a single quote, with C(db=), or with a
        double quote beside a blank cannot pass through Bucardo, and is refused; put such a name
        into a service file.
    type: str
  user:
    description:
      - The role with which Bucardo logs in, a superuser. V(bucardo) for a new database.
      - It is never created here.
    type: str
  password:
    description:
      - The role's password. Bucardo stores it in clear text; a password file is the better place.
      - An empty text removes it.
    type: str
  conn:
    description: Further libpq connection parameters, for example C(sslmode) and C(sslrootcert).
    type: dict
  sync:
    description: The sync for which O(masters) are registered.
    type: str
  bucardo_ssl_cert:
    description:
      - File with the client certificate of O(user), for O(masters) that ask for one; for a single
        database see O(conn).
      - The daemon and the control server's operating-system user (usually C(postgres)) must be
        able to read it, each on its own host, and the key as well.
    type: path
  bucardo_ssl_key:
    description:
      - File with the key of O(bucardo_ssl_cert). libpq wants it to belong to C(root) with mode
        V(0640), and to a group that both users are in.
    type: path
  service:
    description: Name of a service in libpq's service file, of every user that connects.
    type: str
  status:
    description:
      - Whether Bucardo uses the database. V(active) for a new one.
      - A database that the daemon found unreachable (V(stalled)) counts as V(active).
    type: str
    choices: [active, inactive]
  server_side_prepares:
    description: Whether Bucardo may prepare statements on the server; not behind PgBouncer.
    type: bool
  validate:
    description:
      - Connect before anything is changed, from the module's host as the module's user, and from
        the server of the control database, whose user (usually C(postgres)) runs parts of Bucardo.
        Nothing is changed when either fails.
      - Without it, Bucardo still tries to connect when an active database changes, and ignores the
        outcome; that can take minutes for a host that does not answer.
    type: bool
    default: true
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.

  - The daemon keeps connection parameters in memory, see RV(restart_required).
"""
EXAMPLES = r"""
- name: Make the database shop on db1 known, its password in the password files
  multimaster.bucardo.bucardo_db:
    name: here
    host: db1.example.com
    dbname: shop
    user: bucardo
    conn:
      sslmode: verify-full
      sslrootcert: /etc/ssl/certs/ca-certificates.crt
  become: true
  become_user: bucardo

- name: Make all masters known
  multimaster.bucardo.bucardo_db:
    masters:
      - {name: here, login_host: db1.example.com, login_db: shop}
      - {name: there, login_host: db2.example.com, login_db: shop}
  become: true
  become_user: bucardo

- name: Take a database out
  multimaster.bucardo.bucardo_db:
    name: here
    state: absent
  become: true
  become_user: bucardo
"""

RETURN = r"""
database:
  description: The database as it is now, or would be; null when absent. Never holds the password.
  returned: success, with O(name)
  type: dict
  sample:
    name: here
    host: db1.example.com
    port: ""
    dbname: shop
    user: bucardo
    conn: ""
    service: ""
    has_password: false
    status: active
    server_side_prepares: true
databases:
  description: The same by name, for all of O(masters).
  returned: success, with O(masters)
  type: dict
restart_required:
  description: Whether a running daemon must be restarted to use the new connection parameters.
  returned: success
  type: bool
commands:
  description: What was run, or would be; secrets are masked.
  returned: when something differs
  type: list
  elements: str
"""

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
    masters_option,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import columns, databases
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.connect import connect
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.registration import (
    registration,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo


def plan(params: module.Params, scope: Scope) -> Change:
    """The databases that come, change or go."""
    control = connect(params, scope)
    if params["masters"] is None:
        return _one(control, params)
    return databases.together(
        {master["name"]: _of_master(control, params, master) for master in params["masters"]}
    )


def _of_master(control: Control, params: module.Params, master: dict[str, t.Any]) -> Change:
    """The task's options for one of its masters."""
    if params["state"] == "absent":
        return databases.plan_absent(control, master["name"])
    cert, key = params["bucardo_ssl_cert"] or "", params["bucardo_ssl_key"] or ""
    derived = registration(master, params["user"] or "bucardo", cert, key)
    return _one(control, {**params, **derived}, ConnInfo.from_options(master))


def _one(control: Control, options: module.Params, login: ConnInfo | None = None) -> Change:
    if options["state"] == "absent":
        return databases.plan_absent(control, options["name"])
    request = databases.Request(
        options=options,
        password=options["password"],
        validate=options["validate"],
        login=login,
        sync=options["sync"] or "",
    )
    return databases.plan(control, request)


def main() -> None:
    """Module entry point."""
    spec = {
        **connection_spec(),
        "name": {"type": "str"},
        "masters": {**masters_option(), "required": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **columns.spec(columns.DATABASE),
        "password": {"type": "str", "no_log": True},
        "sync": {"type": "str"},
        "bucardo_ssl_cert": {"type": "path"},
        "bucardo_ssl_key": {"type": "path", "no_log": False},
        "validate": {"type": "bool", "default": True},
    }
    module.run(
        spec,
        plan,
        required_one_of=[("name", "masters")],
        required_together=[("bucardo_ssl_cert", "bucardo_ssl_key")],
        mutually_exclusive=[
            ("masters", option) for option in ("name", "host", "port", "dbname", "service", "conn")
        ],
    )


if __name__ == "__main__":
    main()

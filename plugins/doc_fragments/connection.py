# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the login options of one database."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of `connection_spec` of _ansible/options.py."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Host name, address or socket directory of the server.
      - What is left out is decided by libpq, so a service file, a password file and the
        environment variables of PostgreSQL keep working.
    type: str
  login_port:
    description: Port of the server.
    type: int
  login_user:
    description: Role to log in as.
    type: str
  login_password:
    description: Password of O(login_user). It is never passed on a command line.
    type: str
  login_db:
    description: Database to connect to.
    type: str
  login_unix_socket:
    description: Directory of the Unix socket, used when O(login_host) is empty or V(localhost).
    type: str
  ssl_mode:
    description: libpq's C(sslmode).
    type: str
    choices: [allow, disable, prefer, require, verify-ca, verify-full]
  ca_cert:
    description: File with the certificate authority that signed the server's certificate.
    type: path
  ssl_cert:
    description: File with the client's certificate.
    type: path
  ssl_key:
    description: File with the client's private key.
    type: path
  connect_params:
    description:
      - Further libpq connection parameters, for example C(service) or C(passfile).
      - Secrets have options of their own and are refused here, and so is what makes one address
        lead to several servers.
    type: dict
requirements:
  - psycopg2 >= 2.8
"""

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that describe masters: C(masters), C(source), C(target), C(targets).

A module adds the description of the option itself, and C(required) where it is not.
"""

from __future__ import annotations

_MASTER = r"""
      name:
        description: Bucardo's name of the database, letters, digits and underscores.
        type: str
        required: true
      origin:
        description: Whether this is the live database that the others were copied from.
        type: bool
        default: false
      maintenance_db:
        description: Database of the server to connect to where O(@login_db) does not exist yet.
        type: str
        default: postgres
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
        description: Role to log in as, as a rule a superuser.
        type: str
      login_password:
        description: Password of O(@login_user). It is never passed on a command line.
        type: str
      login_db:
        description: The replicated database.
        type: str
      login_unix_socket:
        description:
          - Directory of the Unix socket, used when O(@login_host) is empty or C(localhost).
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
        description: Further libpq connection parameters, for example C(service) or C(passfile).
        type: dict
"""


def _one(option: str) -> str:
    return f"""
  {option}:
    type: dict
    required: true
    suboptions:{_MASTER.replace("@", f"{option}.")}"""


def _several(option: str) -> str:
    return f"""
  {option}:
    type: list
    elements: dict
    required: true
    suboptions:{_MASTER.replace("@", f"{option}[].")}"""


_REQUIREMENTS = """
requirements:
  - psycopg2 >= 2.8
"""


class ModuleDocFragment:
    """Options of C(_args.masters_option) and C(_args.master_option)."""

    DOCUMENTATION: str = "options:" + _several("masters") + _REQUIREMENTS
    SOURCE_AND_TARGET: str = "options:" + _one("source") + _one("target") + _REQUIREMENTS
    SOURCE_AND_TARGETS: str = "options:" + _one("source") + _several("targets") + _REQUIREMENTS

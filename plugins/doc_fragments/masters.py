# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that describe masters: `masters`, `source`, `target`, `targets`.

Each holds the login options of `connection.py`, and so does `control`. A module adds the
description of the option itself, and `required` where it is not.
"""

from __future__ import annotations

import textwrap

from ansible_collections.multimaster.bucardo.plugins.doc_fragments import connection

_LOGIN = connection.ModuleDocFragment.DOCUMENTATION.partition("options:\n")[2]
_LOGIN = _LOGIN.partition("requirements:")[0]
_MASTER = """\
  name:
    description: Bucardo's name of the database, letters, digits and underscores.
    type: str
    required: true
  origin:
    description: Whether this is the live database that the others were copied from.
    type: bool
    default: false
  maintenance_db:
    description: Database of the server to connect to where O(login_db) does not exist yet.
    type: str
    default: postgres
"""


def _suboptions(text: str, prefix: str) -> str:
    """Options of the top level, as those of another option."""
    return "    suboptions:\n" + textwrap.indent(text.replace("O(", f"O({prefix}."), " " * 4)


def _one(option: str) -> str:
    head = f"  {option}:\n    type: dict\n    required: true\n"
    return head + _suboptions(_MASTER + _LOGIN, option)


def _several(option: str) -> str:
    head = f"  {option}:\n    type: list\n    elements: dict\n    required: true\n"
    return head + _suboptions(_MASTER + _LOGIN, f"{option}[]")


_CONTROL = "  control:\n    type: dict\n" + _suboptions(_LOGIN, "control")
_REQUIREMENTS = """\
requirements:
  - psycopg2 >= 2.8
"""


class ModuleDocFragment:
    """Options of `masters_option` and `master_option` of _ansible/options.py."""

    DOCUMENTATION: str = "options:\n" + _several("masters") + _REQUIREMENTS
    CONTROL: str = "options:\n" + _CONTROL + _REQUIREMENTS
    SOURCE_AND_TARGET: str = "options:\n" + _one("source") + _one("target") + _REQUIREMENTS
    SOURCE_AND_TARGETS: str = "options:\n" + _one("source") + _several("targets") + _REQUIREMENTS

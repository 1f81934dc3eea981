# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that the modules for rows of customname and customcols share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of `override_spec` of _ansible/options.py, without the one for the value."""

    DOCUMENTATION = r"""
options:
  state:
    description: Whether it shall be there.
    type: str
    choices: [present, absent]
    default: present
  relation:
    description: The table, in SQL notation; Bucardo must know it.
    type: str
    required: true
  relation_db:
    description: The database to which the table belongs, where several have one of that name.
    type: str
  db:
    description: For this database only. Left out, for all.
    type: str
  sync:
    description: For this sync only. Left out, for all.
    type: str
notes:
  - The O(login_host) and its companions name the control database; O(login_db) defaults to
    V(bucardo). Log in as the role C(bucardo), which is a superuser there.
  - Bucardo looks at this only for databases whose role is not V(source). Between masters it has no
    effect; the module warns when no database could use it.
  - A running daemon reads it when it reloads its syncs, see RV(reload_required).
"""

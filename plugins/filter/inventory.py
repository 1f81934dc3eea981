# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters between inventory variables and the modules' options."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    MultimasterError,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import inventory


def masters(
    hosts: t.Iterable[t.Mapping[str, t.Any]], any_number: bool = False
) -> list[inventory.Options]:
    """The masters that a list of hosts' variables describes, the origin first."""
    try:
        return inventory.masters(hosts, any_number)
    except MultimasterError as error:
        raise AnsibleFilterError(error.one_line) from error


def problem_with_masters(hosts: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Why the hosts' variables describe no topology, "" when they do."""
    return inventory.problem_with_masters(hosts)


def mistyped_variables(names: t.Iterable[str], known: t.Collection[str]) -> list[str]:
    """Lines about variables that were probably meant to be one of the known ones."""
    return inventory.mistyped(names, known)


def pgpass_lines(
    databases: t.Iterable[t.Mapping[str, t.Any]], user: str, password: str
) -> list[str]:
    """Lines of a password file for one role on several databases."""
    try:
        return [line for db in databases for line in inventory.pgpass_lines(db, user, password)]
    except MultimasterError as error:
        raise AnsibleFilterError(error.one_line) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name to function."""
        return {
            "masters": masters,
            "mistyped_variables": mistyped_variables,
            "pgpass_lines": pgpass_lines,
            "problem_with_masters": problem_with_masters,
        }

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that show results to people."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import (
    standstill as bucardo_standstill,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import status


def status_table(info: t.Mapping[str, t.Any]) -> list[str]:
    """Lines of text about replication, from what bucardo_info returned."""
    try:
        return status.lines(info)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "status_table takes the result of multimaster.bucardo.bucardo_info;"
            f" this is none: {type(error).__name__} {error}"
        ) from error


def standstill(info: t.Mapping[str, t.Any], sync: str, origin: str, command: str) -> str:
    """One line on what a bootstrap that failed leaves, from what bucardo_info returned."""
    try:
        return bucardo_standstill.text(info, sync, origin, command)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(
            "standstill takes the result of multimaster.bucardo.bucardo_info;"
            f" this is none: {type(error).__name__} {error}"
        ) from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_table": status_table, "standstill": standstill}

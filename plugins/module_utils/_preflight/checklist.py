# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks, in the order in which they are reported and stand in the manual (pure)."""

from __future__ import annotations

import typing as t

from .checks import (
    activity,
    addresses,
    control,
    keys,
    names,
    needs,
    other_replication,
    reach,
    request,
    restore,
    roles,
    rows,
    sequences,
    servers,
    tables,
    target_rows,
    target_servers,
)
from .registry import Check, checks_in

# What makes other findings pointless comes first.
FILES = (
    request,
    reach,
    addresses,
    servers,
    roles,
    control,
    names,
    keys,
    tables,
    rows,
    sequences,
    other_replication,
    activity,
    target_rows,
    target_servers,
    needs,
    restore,
)
CHECKS: t.Sequence[Check] = tuple(found for file in FILES for found in checks_in(file))

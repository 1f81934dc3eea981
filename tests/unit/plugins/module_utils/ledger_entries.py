# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An entry of a ledger, of which a test says only what it is about."""

from __future__ import annotations

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import states


def entry(name: TableName, **about: t.Any) -> states.Entry:
    """Of a table that was copied, proven and finished."""
    values = {
        "table_oid": 1,
        "state": states.SEEDED,
        "rows": 3,
        "bytes": 1,
        "hash": "1",
        "format": "binary",
        "index_mode": "keep",
        "snapshot": "s",
        "source": "1/2/app",
        "seconds": 0.1,
        **about,
    }
    return states.Entry(name=name, **values)

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The building blocks of SQL text, for files that compose statements and ask no server (pure).

Without psycopg2 the names are missing and C(pg.IMPORT_ERROR) says why; only annotations may name
them outside of functions.
"""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):
    from psycopg2.sql import SQL, Composable, Composed, Identifier, Literal, Placeholder

__all__ = ["SQL", "Composable", "Composed", "Identifier", "Literal", "Placeholder"]

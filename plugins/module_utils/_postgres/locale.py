# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of locales, which systems spell differently (pure)."""

from __future__ import annotations

# pg_database.datlocprovider ("d", of collations, is the database's own).
PROVIDERS = {"b": "builtin", "c": "libc", "i": "icu", "d": "libc"}


def normal_locale(name: str) -> str:
    """`en_US.UTF-8` and `en_US.utf8` are the same to the C library."""
    return name.lower().replace("-", "")

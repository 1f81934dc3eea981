# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cures that several features name (pure)."""

from __future__ import annotations

# What to do about rows that nobody vouches for. Never "empty it": a TRUNCATE or DELETE on a master
# that is enrolled already is replayed on the origin.
REPLACE = (
    "If these rows may go, name the table in data_seed_replace (option replace of data_seed):"
    " they are removed on this master alone, and the origin's are copied; the playbook"
    " multimaster.bucardo.reseed does it while the other masters go on."
)

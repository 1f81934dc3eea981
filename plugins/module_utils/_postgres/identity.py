# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which running server a session is on (pure)."""

from __future__ import annotations

# The same text from two sessions on one running server, and from no other two: a copy of the files
# has the system identifier, but not the microsecond in which its server started; two copies that
# are started together may have the millisecond. It names every operator's schema, since it is also
# asked where others' functions may come first.
RUNNING_SERVER = """pg_catalog.concat_ws('/',
         (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c),
         (pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())
            OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8)"""

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemon and its sync are healthy."""

from __future__ import annotations


def test_daemon_answers(there):
    done = there.host.run("runuser -u bucardo -- bucardo --bucardorc /etc/bucardorc ping 30")
    assert done.rc == 0, done.stdout


def test_sync_is_good(there):
    assert there.sql("SELECT name, status, autokick FROM bucardo.sync", "bucardo") == [
        ["multimaster", "active", "t"]
    ]
    last = (
        "SELECT coalesce(lastbad, false) FROM bucardo.syncrun WHERE ended IS NOT NULL"
        " ORDER BY ended DESC LIMIT 1"
    )
    assert there.value(last, "bucardo") == "f"


def test_sequences_are_not_replicated(there):
    query = "SELECT count(*) FROM bucardo.goat WHERE reltype = 'sequence'"
    assert there.value(query, "bucardo") == "0"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a table is purged at once."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._wake.purger import MANY, Count


def purged(count: Count, rows: int, noted: range) -> list[int]:
    """At which of these numbers of changes there is a purge, each of so many rows."""
    found = []
    for changes in noted:
        if count.is_due(changes):
            count.purged(changes, rows)
            found.append(changes)
    return found


def test_a_table_with_few_changes_is_left_to_bucardo():
    assert purged(Count(), 1, range(MANY)) == []


def test_each_time_that_many_were_noted():
    assert purged(Count(), 1, range(3 * MANY + 1)) == [MANY, 2 * MANY, 3 * MANY]


def test_what_cannot_be_purged_is_looked_at_ever_more_rarely():
    # Else each purge would read all that waits, for nothing.
    count = Count()
    assert purged(count, 0, range(20 * MANY)) == [MANY, 3 * MANY, 7 * MANY, 15 * MANY]
    # And as before when it can.
    later = range(20 * MANY, 34 * MANY)
    assert purged(count, 1, later) == [31 * MANY, 32 * MANY, 33 * MANY]


def test_a_server_that_counts_anew():
    count = Count()
    count.purged(50 * MANY, 1)
    assert count.is_due(10)

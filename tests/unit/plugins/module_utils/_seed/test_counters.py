# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workers of a seed count."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.counters import Counters


def test_a_table_that_several_workers_read():
    counters = Counters(4)
    for slot, job in enumerate([7, 7, 0]):
        counters.reading(slot, job)
        counters.add(slot, 100 + slot)
    assert counters.current() == {7: 201, 0: 102}
    assert counters.readers() == 3
    counters.hashing(1)
    assert (counters.current(), counters.readers()) == ({7: 201, 0: 102}, 2)
    counters.reading(0, None)
    assert (counters.current(), counters.total()) == ({7: 101, 0: 102}, 303)

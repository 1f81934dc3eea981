# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workers of a seed count."""

from __future__ import annotations

import json

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.worker import Counters, Read


def test_parts_add_up_exactly():
    # more than a float or 64 bits hold
    parts = [Read(2, 10, (2, "18446744073709551617")), Read(1, 5, (1, "-3")), Read(0, 0, (0, "0"))]
    assert parts[0] + parts[1] + parts[2] == Read(3, 15, (3, "18446744073709551614"))


def test_parts_without_proof():
    assert Read(0, 0, None) + Read(2, 10, None) == Read(2, 10, None)


@pytest.mark.parametrize("read", [Read(2, 10, (2, "-7")), Read(2, 10, None)])
def test_what_was_read_goes_to_other_processes(read):
    assert Read.of(json.loads(json.dumps({"event": "done", **vars(read)}))) == read


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

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The thread that reads from the source, and the stream that it makes of it."""

from __future__ import annotations

import time

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.connections import (
    Connections,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.copy import Feeder
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import job
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.sides import (
    CHUNK,
    SUMS,
    Side,
    settings,
    source,
    target,
)

SIZE = 300_000


class Large(Side):
    """Sends so many pieces of 300 kB of each table."""

    pieces = 3

    def copy(self, statement, stream, size=0):
        for _piece in range(self.pieces):
            stream.write(b"x" * SIZE)
        return self.pieces


def feeder(session, *jobs, **options):
    known = settings({"source": session, "target": target()}, jobs, **options)
    connections = Connections(known, lambda _conninfo, _name: session)
    read = []
    made = Feeder(connections, known, 0, range(len(jobs)), None, read.append)
    return made, read, known


def test_one_stream_for_each_table_in_pieces_as_asked_for():
    made, read, _known = feeder(source(), job("a"), job("b"))
    made.start()
    for _table in range(2):
        pieces = list(iter(lambda: made.read(700), b""))
        assert b"".join(pieces) == CHUNK
        assert max(map(len, pieces)) == 700
    found = made.finish()
    assert [one.sums for one in found.values()] == [SUMS, SUMS]
    assert read == [2 * len(CHUNK)]


def test_all_at_once():
    made, _read, _known = feeder(source(), job("a"))
    made.start()
    assert made.read() == CHUNK


def test_its_failure_comes_out_of_the_stream_and_at_the_end():
    made, read, _known = feeder(source(snapshot=ZeroDivisionError("oops")), job("a"))
    made.start()
    with pytest.raises(ZeroDivisionError):
        made.read(700)
    with pytest.raises(ZeroDivisionError):
        made.finish()
    assert read == []


def large(pieces):
    session = Large("source", {"SET TRANSACTION SNAPSHOT": [{"oid": 1, "filenode": 0}]})
    session.pieces = pieces
    return session


def test_it_ends_although_nobody_takes_what_it_reads():
    session = large(1000)
    made, read, known = feeder(session, job("a"))
    made.start()
    # Far more than the queue holds.
    made.stop()
    assert not made.is_alive()
    assert session.closed
    assert read == []
    assert known.counters.total() < 1000 * SIZE
    assert known.counters.current() == {}


def test_the_rate_is_kept():
    made, _read, known = feeder(large(3), job("a"), rate_limit=5_000_000)
    begun = time.monotonic()
    made.start()
    assert len(b"".join(iter(lambda: made.read(1 << 20), b""))) == 3 * SIZE
    # All but the last piece must have been waited for.
    assert time.monotonic() - begun >= (3 * SIZE - (256 << 10)) / 5_000_000 * 0.9
    assert known.counters.total() == 3 * SIZE
    made.finish()

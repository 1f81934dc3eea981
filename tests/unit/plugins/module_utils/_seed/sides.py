# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two sides of a seed that answer as servers would, as far as a copy needs it."""

from __future__ import annotations

import os
import re

from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import doubts
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import rowhash
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.connections import Settings
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.counters import Counters
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.options import Options
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
    Ran,
    one_line,
    text_of,
)

CHUNK = b"row\n" * 1000
ROWS = 1000
SUMS = (ROWS, "12345")


class Connection:
    """Something with a file descriptor that may be closed after a fork."""

    def __init__(self):
        self._end, self._other = os.pipe()

    def fileno(self):
        return self._end


class Side(FakeSession):
    """A session that copies: sends the same rows of any table, and counts those that come.

    :param sums: count and sum of row hashes of every table.
    """

    def __init__(self, name, answers, sums=SUMS):
        super().__init__(answers, name)
        self.connection = Connection()
        self._sums = sums

    def rows(self, query, params=None):
        text = one_line(query if isinstance(query, str) else text_of(query))
        jobs = re.findall(r"SELECT (\d+) AS job", text)
        if not jobs:
            return super().rows(query, params)
        self.ran.append(Ran(text, params))
        return [{"job": int(job), "rows": self._sums[0], "hash": self._sums[1]} for job in jobs]

    def copy(self, statement, stream, size=1 << 20):
        super().copy(statement, stream, size)
        if "TO STDOUT" in self.texts[-1]:
            stream.write(CHUNK)
            return ROWS
        received = b""
        while True:
            data = stream.read(700)
            if not data:
                return received.count(b"\n")
            received += data


def source(snapshot=({"oid": 1, "filenode": 0},), answers=None):
    """Tables have the file that the plan saw.

    :param snapshot: the answer to who enters the snapshot.
    """
    others = {"SET TRANSACTION SNAPSHOT": snapshot, "unnest(e.extconfig)": []}
    return Side("source", _first(answers, others))


def target(filled=(), queues=(), referenced=(), sums=SUMS, answers=None):
    """No table holds rows, and nothing is queued.

    :param filled: OIDs of tables with rows.
    :param queues: Bucardo's tables with rows.
    :param referenced: OIDs of tables to which foreign keys point.
    """
    return Side(
        "target",
        _first(
            answers,
            {
                "AS oid WHERE EXISTS (SELECT 1 FROM": [{"oid": oid} for oid in filled],
                "c.relname::text FROM pg_catalog.pg_class": [{"queue": queue} for queue in queues],
                "bucardo_truncate_trigger') IS NOT NULL": [{"there": False}],
                "WHERE contype = 'f'": [{"oid": oid} for oid in referenced],
                "FOR UPDATE": [{"copying": True}],
                "multimaster.seed') IS NOT NULL": [{"there": True}],
                "WITH ours": [],
            },
        ),
        sums,
    )


def _first(answers, others):
    """These answers before the others, and instead of those to the same question."""
    return {**(answers or {}), **others, **(answers or {})}


def settings(sides, jobs, **options):
    """For a worker that copies these jobs between these sides."""
    types = rowhash.Types({23: "int4"}, {})
    return Settings(
        source=sides["source"].conninfo,
        target=sides["target"].conninfo,
        target_name="target",
        today=doubts.Today("1/2/app", {}, "00000001/1/3/app", None),
        snapshot="00000003-1B-1",
        jobs=jobs,
        source_types=types,
        target_types=types,
        method=rowhash.Method(key=42),
        application_name="test",
        options=Options(tables=["*.*"], exclude=[], **options),
        counters=Counters(2),
    )

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A row that is changed all the time on every master keeps nothing else from being replicated.

By itself Bucardo 5.6.0 tries again for ever: a run may write no row that was changed since it
began.
"""

from __future__ import annotations

import contextlib

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE hot (id integer PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
INSERT INTO hot SELECT i FROM generate_series(1, 4) i;
CREATE TABLE calm (id integer PRIMARY KEY);
"""
# So often that a run does not succeed by luck either; for at most two minutes.
WRITER = r"""
\set id random(1, 4)
UPDATE hot SET n = n + 1 WHERE id = :id;
"""
WAITING = """SELECT count(*) FROM bucardo.delta_public_calm d WHERE NOT EXISTS (
  SELECT FROM bucardo.track_public_calm k WHERE k.txntime = d.txntime)"""
LOG = "/var/log/bucardo/log.bucardo"


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


@contextlib.contextmanager
def written_to(site, master):
    """Until it is left."""
    file = f"/tmp/writer-{master.name}"
    site.run(
        master.host,
        f'echo "$SCRIPT" > {file}.sql && runuser -u postgres --'
        f" bash -c 'pgbench -n -c 4 -T 120 -R 400 -f {file}.sql {master.database}"
        f" >{file}.log 2>&1 </dev/null &'",
        SCRIPT=WRITER,
    )
    try:
        yield
    finally:
        site.run(master.host, f"pkill -f '[p]gbench .*{file}.sql' || true")


def test_a_hot_row_holds_nothing_up(site, masters):
    left, right = masters
    site.play("bootstrap", site.inventory(masters))
    with written_to(site, left), written_to(site, right):
        for number, (there, other) in enumerate([(left, right), (right, left)]):
            there.sql(f"INSERT INTO calm VALUES ({number})")
            assert eventually(
                lambda other=other, number=number: (
                    other.value(f"SELECT 1 FROM calm WHERE id = {number}") == "1"
                ),
                45,
            )
            # And is not brought again.
            assert eventually(lambda there=there: there.value(WAITING) == "0", 10)
    assert "Locked on left" in site.run(left.host, f"cat {LOG}")
    assert same_rows(masters, "calm", "hot")
    for master in masters:
        log = site.run(master.host, f"cat /tmp/writer-{master.name}.log")
        assert "deadlock" not in log
        assert "aborted" not in log

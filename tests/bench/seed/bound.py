#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least that a copy takes: the servers read and write on their own, no byte goes between them.

`bound.py unload` writes each table of the target into a file there. `bound.py load` has the
source send each table to /dev/null and the target load those files and build the indexes, by two
processes, the largest table first. `bound.py prove` has both also hash every row.
"""

from __future__ import annotations

import multiprocessing
import sys

import psycopg2

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import (
    catalog,
    pg,
    rowhash,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo

WORKERS = 2
# Bytes from which on building indexes afterwards is quicker, and of a transaction of small tables.
LARGE = 1_000_000
BATCH = 16_000_000
PLACE = "/var/tmp/bound"
TABLES = """
SELECT c.oid::regclass::text, pg_table_size(c.oid)
  FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
 ORDER BY pg_table_size(c.oid) DESC
"""
INDEXES = """
SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am a ON a.oid = x.relam
 WHERE i.indrelid = %s::regclass AND a.amname <> 'gin'
"""


def connect(host: str) -> psycopg2.extensions.connection:
    """Each statement in a transaction of its own."""
    connection = psycopg2.connect(
        host=host,
        user="postgres",
        dbname="app",
        # As ours.
        options="-c session_replication_role=replica -c synchronous_commit=off"
        " -c maintenance_work_mem=256MB -c max_parallel_maintenance_workers=0"
        " -c default_toast_compression=lz4",
    )
    connection.autocommit = True
    return connection


def hashes() -> dict[str, str]:
    """By table, the query for the sum of its row hashes."""
    with pg.Session(ConnInfo("here", {"host": "here", "user": "postgres", "dbname": "app"})) as s:
        types = rowhash.read_types(s)
        return {
            table.name.name: rowhash.aggregate(table, types, rowhash.Method()).as_string(
                s.connection
            )
            for table in catalog.read_tables(s, sizes=False)
        }


def work(queue: multiprocessing.Queue[list[str] | None], proofs: dict[str, str]) -> None:
    """Take tables until there are none; a list of several is a batch of small ones."""
    with connect("here").cursor() as source, connect("there").cursor() as target:
        while tables := queue.get():
            indexes = []
            if len(tables) == 1:
                target.execute(INDEXES, tables)
                indexes = [row[0] for row in target.fetchall()]
                target.execute(
                    "UPDATE pg_index SET indisvalid = false, indisready = false"
                    " WHERE indexrelid = ANY (%s::regclass[])",
                    (indexes,),
                )
            target.execute("BEGIN")
            for table in tables:
                source.execute(f"COPY {table} TO '/dev/null' (FORMAT binary)")
                target.execute(f"COPY {table} FROM '{PLACE}/{table}' (FORMAT binary)")
                for side in (source, target) if proofs else ():
                    side.execute(proofs[table])
            target.execute("COMMIT")
            for index in indexes:
                target.execute(f"REINDEX INDEX {index}")


def main() -> None:
    """Unload, load, or load and prove."""
    proofs = hashes() if sys.argv[1] == "prove" else {}
    with connect("there" if sys.argv[1] == "unload" else "here").cursor() as cursor:
        cursor.execute(TABLES)
        tables = cursor.fetchall()
        if sys.argv[1] == "unload":
            for name, _size in tables:
                cursor.execute(f"COPY {name} TO '{PLACE}/{name}' (FORMAT binary)")
            return
    queue: multiprocessing.Queue[list[str] | None] = multiprocessing.Queue()
    batch: list[str] = []
    filled = 0
    for name, size in tables:
        if size >= LARGE:
            queue.put([name])
            continue
        batch.append(name)
        filled += size
        if filled >= BATCH or len(batch) >= 200:
            queue.put(batch)
            batch, filled = [], 0
    if batch:
        queue.put(batch)
    for _worker in range(WORKERS):
        queue.put(None)
    workers = [
        multiprocessing.Process(target=work, args=(queue, proofs)) for _worker in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        sys.exit("a worker failed")
    with connect("there").cursor() as cursor:
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    main()

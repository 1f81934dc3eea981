#!/usr/bin/env python
"""A client that writes all the time and measures every single write.

Inserts, updates, deletes, changes keys and now and then truncates a small table, one statement a
transaction, until SIGTERM or for a number of seconds. Every few seconds and at the end it writes
its figures as JSON, so that whoever watches sees that the application never stops.

Two writers on two masters never touch the same row: each updates only rows that its own side
"owns" (key modulo 2), which is what a sane multi-master application does. The table that is
truncated belongs to side 0: Bucardo replays a TRUNCATE over rows that another master wrote
meanwhile, which then are on one side only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import time

import psycopg2
import psycopg2.errors

OPERATIONS = [
    (10, "insert customer", "INSERT INTO customers (email, name) VALUES (%(new)s, %(new)s)"),
    (15, "insert order", "INSERT INTO orders (customer_id, total) VALUES (%(customer)s, %(n)s)"),
    (
        10,
        "insert item",
        'INSERT INTO "Order Items" SELECT id, %(line)s, %(new)s FROM orders WHERE id = %(order)s'
        " ON CONFLICT DO NOTHING",
    ),
    (
        10,
        "insert measurement",
        "INSERT INTO measurements (region, value) VALUES (%(region)s, %(n)s)",
    ),
    (
        5,
        "insert document",
        "INSERT INTO documents (body, content) VALUES (jsonb_build_object('n', %(n)s),"
        " repeat(%(new)s, 200))",
    ),
    (
        10,
        "update customer",
        "UPDATE customers SET attributes = attributes || jsonb_build_object('seen', %(n)s)"
        " WHERE id = %(customer)s",
    ),
    (
        10,
        "update order",
        "UPDATE orders SET status = 'paid', total = total + 1 WHERE id = %(order)s",
    ),
    (
        5,
        "update Größen",
        'UPDATE "Sales Data"."Größen" SET "der Wert" = %(n)s WHERE "Schlüssel" = %(size)s',
    ),
    (10, "update counter", "UPDATE counters SET n = n + 1 WHERE name = %(counter)s"),
    (
        3,
        "change key of item",
        'UPDATE "Order Items" SET "Line No" = %(line)s WHERE "Order" = %(order)s AND "Line No" = 2',
    ),
    (
        2,
        "move measurement",
        "UPDATE measurements SET region = 'south' WHERE id = %(measurement)s AND region = 'north'",
    ),
    (3, "delete order", "DELETE FROM orders WHERE id = %(order)s"),
    (2, "delete measurement", "DELETE FROM measurements WHERE id = %(measurement)s"),
    (4, "insert note", "INSERT INTO scratch (note) VALUES (%(new)s)"),
    (0.05, "truncate notes", "TRUNCATE scratch"),
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", default="", help="libpq connection string")
    parser.add_argument("--side", type=int, choices=(0, 1), default=0, help="rows that it owns")
    parser.add_argument("--label", default="writer")
    parser.add_argument("--seconds", type=float, default=3600, help="stop by itself after this")
    parser.add_argument("--rate", type=float, default=0, help="writes per second, 0: full speed")
    parser.add_argument("--scale", type=float, default=1, help="scale of schema.sql")
    parser.add_argument("--report", required=True, help="file for the figures")
    return parser.parse_args()


class Writer:
    """One connection, one statement after the other."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.stopping = False
        self.random = random.Random(os.getpid())
        self.operations = [o for o in OPERATIONS if args.side == 0 or "note" not in o[1]]
        self.weights = [weight for weight, _name, _sql in self.operations]
        self.writes: dict[str, int] = {name: 0 for _w, name, _s in self.operations}
        self.skipped = 0
        self.failed: dict[str, int] = {}
        self.longest = 0.0
        self.longest_operation = ""
        self.slow = 0
        self.started = time.time()
        self.last_report = 0.0

    def values(self) -> dict[str, object]:
        def own(limit: int) -> int:
            return self.random.randrange(1, int(limit * self.args.scale), 2) + self.args.side

        return {
            "new": f"{self.args.label} {self.started:.0f} {self.random.getrandbits(64):x}",
            "n": self.random.randrange(100000),
            "line": self.random.randrange(3, 10**9) * 2 + self.args.side,
            "customer": own(30000),
            "order": own(80000),
            "measurement": own(80000),
            "region": self.random.choice(["north", "south", "east", "west"]),
            "size": f"größe {own(5000)}",
            "counter": f"counter {own(100)}",
        }

    def run(self) -> None:
        connection = psycopg2.connect(self.args.dsn)
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SET application_name = 'shop'")
        pause = 1 / self.args.rate if self.args.rate else 0
        deadline = time.monotonic() + self.args.seconds
        while not self.stopping and time.monotonic() < deadline:
            _weight, name, statement = self.random.choices(self.operations, self.weights)[0]
            values = self.values()
            if name.startswith("truncate"):
                # What a careful application does: a TRUNCATE that waits would block everybody.
                cursor.execute("SET lock_timeout = '50ms'")
            begin = time.monotonic()
            try:
                cursor.execute(statement, values)
                self.writes[name] += 1
            except psycopg2.errors.LockNotAvailable:
                self.skipped += 1
            except psycopg2.Error as error:
                line = f"{name}: {str(error).splitlines()[0]}"
                self.failed[line] = self.failed.get(line, 0) + 1
                if connection.closed:
                    raise
            took = time.monotonic() - begin
            if name.startswith("truncate"):
                cursor.execute("RESET lock_timeout")
            elif took > self.longest:
                self.longest, self.longest_operation = took, name
            self.slow += took > 0.25
            if pause:
                time.sleep(pause)
            if time.monotonic() - self.last_report > 2:
                self.report(running=True)
        self.report(running=False)

    def report(self, running: bool) -> None:
        self.last_report = time.monotonic()
        figures = {
            "label": self.args.label,
            "running": running,
            "seconds": round(time.time() - self.started, 1),
            "writes": sum(self.writes.values()),
            "by_operation": self.writes,
            "longest_ms": round(self.longest * 1000, 1),
            "longest_operation": self.longest_operation,
            "slower_than_250ms": self.slow,
            "skipped": self.skipped,
            "failed": self.failed,
        }
        with open(self.args.report + ".new", "w", encoding="utf-8") as report:
            json.dump(figures, report, ensure_ascii=False, indent=1)
        os.replace(self.args.report + ".new", self.args.report)

    def stop(self, *_signal: object) -> None:
        self.stopping = True


if __name__ == "__main__":
    writer = Writer(arguments())
    signal.signal(signal.SIGTERM, writer.stop)
    signal.signal(signal.SIGINT, writer.stop)
    writer.run()

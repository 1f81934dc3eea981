# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables that clients write. What a row must hold follows from its version."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

# Rows that every client writes, so that there are conflicts.
HOT = 30
# Columns beside the long one of rows that are stored out of line.
COLUMNS = tuple(f"c{number:02d}" for number in range(24))


@dataclasses.dataclass(frozen=True)
class Table:
    """One of them.

    :param key: its columns, the first of which a sequence fills, unless the table is `hot`.
    :param pieces: a row has up to so many pieces of 32 bytes.
    :param weight: how often it is written.
    """

    name: str
    key: t.Tuple[str, ...]
    pieces: int
    weight: int
    columns: t.Tuple[str, ...] = ()
    sequence: str = ""

    def values(self, version: int) -> dict[str, t.Any]:
        """All columns but the key."""
        pieces = (_md5(f"{version}-{number}") for number in range(version % self.pieces + 1))
        columns = {name: _md5(f"{version}-{name}") for name in self.columns}
        return {"version": version, "body": "".join(pieces), **columns}

    @property
    def found(self) -> str:
        """A query for what the checker wants of each row, computed by the server."""
        pieces = (
            "(SELECT string_agg(md5(r.version || '-' || i), '' ORDER BY i)"
            f" FROM generate_series(0, r.version % {self.pieces}) i)"
        )
        whole = [f"r.body = {pieces}"]
        whole += [f"r.{name} = md5(r.version || '-{name}')" for name in self.columns]
        key = " || '|' || ".join(f"r.{name}" for name in self.key)
        return (
            f"SELECT ({key})::text, r.version, {' AND '.join(whole)}, md5(r::text)"
            f" FROM public.{self.name} r"
        )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("ascii")).hexdigest()


ITEM = Table("item", ("id",), 20, 10, sequence="item_id_seq")
WIDE = Table("wide", ("id",), 1500, 1, columns=COLUMNS, sequence="wide_id_seq")
PAIR = Table("pair", ("a", "b"), 3, 4, sequence="pair_a_seq")
HOTS = Table("hot", ("id",), 5, 4)
TABLES = (ITEM, WIDE, PAIR, HOTS)
BY_NAME = {table.name: table for table in TABLES}

SCHEMA = f"""
CREATE TABLE public.item (id bigserial PRIMARY KEY, version bigint NOT NULL UNIQUE,
                          body text NOT NULL);
CREATE TABLE public.wide (id bigserial PRIMARY KEY, version bigint NOT NULL, body text NOT NULL,
                          {", ".join(f"{name} text NOT NULL" for name in COLUMNS)});
CREATE TABLE public.pair (a bigserial, b text, version bigint NOT NULL, body text NOT NULL,
                          PRIMARY KEY (a, b));
CREATE TABLE public.hot (id int PRIMARY KEY, version bigint NOT NULL, body text NOT NULL);
"""

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that two servers print differently although they mean the same.

PostgreSQL prints many objects from a parse tree, and what it prints may be read back into another
tree: `status IN ('a', 'b')` over a varchar column, names of NOT NULL constraints between 18 and
older servers, qualifiers of columns in views. So texts that differ prove nothing. What proves is
an echo: the origin's dump restored into a scratch database of the target's server means there what
the origin means, and is printed as that server prints it. Pairs of texts that an echo has shown to
be equal are kept in the target's database, so that later runs need none.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from .schema import Block, Comparison

if t.TYPE_CHECKING:
    from .._postgres.pg import Session

# What an object prints as where it does not exist.
_NOTHING = ""

_CREATE = """
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS multimaster;
CREATE TABLE IF NOT EXISTS multimaster.spelling (
    object text NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    PRIMARY KEY (object, source, target)
);
RESET client_min_messages;
"""


@dataclasses.dataclass(frozen=True, order=True)
class Pair:
    """Two texts of one object.

    :param object: type, schema and name.
    :param source: digest of what the source prints, "" for nothing.
    :param target: the same of the target.
    """

    object: str
    source: str
    target: str


def pair(source: Block | None, target: Block | None) -> Pair:
    """The texts of an object on both sides; one of them exists."""
    block = source or target
    if block is None:
        raise AssertionError
    return Pair(" ".join(block.key), _digest(source), _digest(target))


def _digest(block: Block | None) -> str:
    if block is None:
        return _NOTHING
    return hashlib.sha256(block.body.encode("utf-8", errors="surrogateescape")).hexdigest()


def without(found: Comparison, known: t.Collection[Pair]) -> Comparison:
    """The differences that are not among the known pairs."""
    return Comparison(
        tuple(block for block in found.missing if pair(block, None) not in known),
        tuple(block for block in found.extra if pair(None, block) not in known),
        tuple((old, new) for old, new in found.changed if pair(old, new) not in known),
    )


def pairs(found: Comparison) -> set[Pair]:
    """The texts of everything that differs."""
    return {
        *(pair(block, None) for block in found.missing),
        *(pair(None, block) for block in found.extra),
        *(pair(old, new) for old, new in found.changed),
    }


def explained(found: Comparison, echo: t.Iterable[Block]) -> Comparison:
    """The differences that the source's echo does not show to be none.

    :param echo: what the target's server prints of the source's dump.
    """
    bodies = _bodies(echo)
    return Comparison(
        # What that server leaves out of the dump means nothing there.
        tuple(block for block in found.missing if block.key in bodies),
        tuple(block for block in found.extra if block.body not in bodies.get(block.key, ())),
        tuple((old, new) for old, new in found.changed if new.body not in bodies.get(new.key, ())),
    )


def explained_by_both(
    found: Comparison, echo: t.Iterable[Block], echo_of_target: t.Iterable[Block]
) -> Comparison:
    """The same where the target's own text is of an older generation than the echo's."""
    of_source, of_target = _bodies(echo), _bodies(echo_of_target)
    return dataclasses.replace(
        found,
        changed=tuple(
            (old, new)
            for old, new in found.changed
            if not of_source.get(old.key) or of_source.get(old.key) != of_target.get(new.key)
        ),
    )


def _bodies(blocks: t.Iterable[Block]) -> dict[tuple[str, str, str], set[str]]:
    bodies: dict[tuple[str, str, str], set[str]] = {}
    for block in blocks:
        bodies.setdefault(block.key, set()).add(block.body)
    return bodies


def read(session: Session) -> set[Pair]:
    """The pairs that earlier runs have shown to be equal."""
    if not session.value("SELECT pg_catalog.to_regclass('multimaster.spelling') IS NOT NULL"):
        return set()
    return {
        Pair(row["object"], row["source"], row["target"])
        for row in session.rows("SELECT object, source, target FROM multimaster.spelling")
    }


def record(session: Session, proven: t.Collection[Pair], current: t.Collection[Pair]) -> None:
    """Keep pairs, and forget those of texts that are no longer printed.

    :param proven: shown to be equal now.
    :param current: everything that differs in its text now.
    """
    session.execute(_CREATE)
    listed = sorted(proven)
    session.execute(
        "INSERT INTO multimaster.spelling (object, source, target)"
        " SELECT * FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.text[]),"
        " pg_catalog.unnest(%s::pg_catalog.text[]), pg_catalog.unnest(%s::pg_catalog.text[]))"
        " ON CONFLICT DO NOTHING",
        (
            [one.object for one in listed],
            [one.source for one in listed],
            [one.target for one in listed],
        ),
    )
    session.execute(
        "DELETE FROM multimaster.spelling WHERE NOT"
        " object || ' ' || source || ' ' || target = ANY (%s::pg_catalog.text[])",
        ([" ".join((one.object, one.source, one.target)) for one in current],),
    )

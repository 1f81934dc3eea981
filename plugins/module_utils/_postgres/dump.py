# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive's table of contents, and secrets in what is printed of one (pure)."""

from __future__ import annotations

import dataclasses
import re
import typing as t

_TOC_LINE = re.compile(r"^(\d+); (\d+) (\d+) (.*)$")
_EXTENSION = re.compile(r"^(?:COMMENT - )?EXTENSION (?:- )?(\S+)$")
_PASSWORD = re.compile(r"""(\b(?:\w*password|secret|\w*_key)\s+)'(?:[^']|'')*'""", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class TocEntry:
    """One line of `pg_restore --list`.

    :param class_oid: OID of the catalog that holds the object, e.g. 2620 for pg_trigger.
    :param oid: the object's OID on the server that was dumped.
    :param label: type, schema, name and owner as pg_restore prints them, newlines replaced.
    """

    dump_id: int
    class_oid: int
    oid: int
    label: str

    @property
    def line(self) -> str:
        """As pg_restore --use-list reads it: only the first number counts."""
        return f"{self.dump_id}; {self.class_oid} {self.oid} {self.label}"


def parse_toc(text: str) -> list[TocEntry]:
    """Read the output of `pg_restore --list`; its comments are left out."""
    entries = []
    for line in text.split("\n"):
        match = _TOC_LINE.match(line)
        if match:
            dump_id, class_oid, oid, label = match.groups()
            entries.append(TocEntry(int(dump_id), int(class_oid), int(oid), label))
    return entries


def without(
    entries: t.Iterable[TocEntry], class_oid: int, oids: t.Collection[int]
) -> list[TocEntry]:
    """All entries but the given objects of one catalog."""
    return [e for e in entries if not (e.class_oid == class_oid and e.oid in oids)]


def extensions(entries: t.Iterable[TocEntry]) -> dict[int, str]:
    """The extensions among them, and what is said of one, by their places."""
    found = {}
    for place, entry in enumerate(entries):
        match = _EXTENSION.match(entry.label.strip())
        if match:
            found[place] = match[1]
    return found


def redact(text: str) -> str:
    """Mask passwords in the options of foreign servers and user mappings."""
    return _PASSWORD.sub(r"\1'********'", text)

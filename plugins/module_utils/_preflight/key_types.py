# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which types of keys carry changes without loss (pure).

Bucardo fetches the keys that changed through Perl, as text, and looks for rows of the same text.
What tests/live/test_keys.py has proven to come through is named here; nothing else is believed.
"""

from __future__ import annotations

import dataclasses
import re

# Of schema pg_catalog, as format_type() writes them without a length.
PROVEN = frozenset(
    {
        *("smallint", "integer", "bigint", "oid", "boolean", "uuid"),
        *("text", "character varying", "character", "name"),
        *("date", "timestamp without time zone", "timestamp with time zone"),
        *("time without time zone", "inet", "cidr", "macaddr", "bit", "bit varying"),
        "public.ltree",
    }
)
_TEXTS = frozenset({"text", "character varying", "character", "name"})
# Behind names that format_type() does not use, as of a column that was not looked up.
_SPELLINGS = {"timestamp": "timestamp without time zone", "time": "time without time zone"}
_REASONS = {
    "real": "Perl rounds it",
    "double precision": "Perl rounds it to 15 digits",
    "interval": "equal values have several spellings, such as 1 mon and 30 days",
    "jsonb": "equal values have several spellings, such as 1 and 1.0",
    "money": "its text depends on lc_monetary",
    "citext": "values that differ in case are the same key, but another text",
}


@dataclasses.dataclass(frozen=True)
class KeyType:
    """What values of a key's column are, behind domains.

    :param base: the type under all domains, without length; with schema unless pg_catalog.
    :param is_enum: whether that is an enumeration.
    :param is_domain: whether there is a domain above it.
    :param has_scale: whether a numeric has a number of digits of its own.
    :param collation: name of a collation by which texts that differ may be equal, "" for none.
    """

    base: str
    is_enum: bool = False
    is_domain: bool = False
    has_scale: bool = False
    collation: str = ""

    @classmethod
    def of(cls, text: str) -> KeyType:
        """Of a column's type as format_type() writes it, where nothing else is known."""
        base = re.sub(r"\(.*?\)", "", text).strip()
        return cls(_SPELLINGS.get(base, base), has_scale="(" in text)

    @property
    def is_text(self) -> bool:
        """Whether a value may hold a backslash."""
        return self.base in _TEXTS

    @property
    def problem(self) -> str:
        """Why changes would be lost, "" where none are."""
        plain = self.base.rpartition(".")[2]
        if self.collation:
            return f"its collation {self.collation} takes texts that differ for equal"
        if self.base == "numeric":
            return "" if self.has_scale else "equal values have several spellings, as 1 and 1.0"
        if self.base == "bytea":
            return "Bucardo knows bytea only where no domain is above it" if self.is_domain else ""
        if self.is_enum or self.base in PROVEN or plain == "ltree":
            return ""
        return _REASONS.get(plain, "nobody has proven that its values come through unchanged")

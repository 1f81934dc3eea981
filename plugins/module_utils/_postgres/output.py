# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How sessions that copy rows between servers must print and read values (pure).

Bucardo copies the text that one server prints into another one that reads it, both by the settings
of its role. Where those of two servers differ, a value changes without an error: 03/04 is another
day, a number loses digits, an amount of money its currency.
"""

from __future__ import annotations

# All that decide how COPY prints a value, or how it is read. Every server has them.
OUTPUT_SETTINGS = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "array_nulls": "on",
    "standard_conforming_strings": "on",
}
_SAME = {"true": "on", "yes": "on", "1": "on"}


def is_output(name: str, value: str) -> bool:
    """Whether a stored value of one of these settings means what is needed."""
    wanted = OUTPUT_SETTINGS[name]
    if name == "extra_float_digits":
        # More than 1 means the same since PostgreSQL 12.
        return value.strip(" '").lstrip("-").isdigit() and int(value.strip(" '")) >= 1
    if name == "DateStyle":
        return "iso" in value.lower()
    plain = value.strip(" '").lower()
    return plain == wanted.lower() or (wanted == "on" and _SAME.get(plain) == "on")

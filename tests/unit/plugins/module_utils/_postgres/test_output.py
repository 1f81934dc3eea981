# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stored setting means for values that are copied as text."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.output import (
    OUTPUT_SETTINGS,
    is_output,
)


@pytest.mark.parametrize("name", sorted(OUTPUT_SETTINGS))
def test_what_the_role_gets_is_what_is_needed(name):
    assert is_output(name, OUTPUT_SETTINGS[name])
    assert not is_output(name, "")


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("DateStyle", "iso, dmy", True),
        ("DateStyle", "'ISO'", True),
        ("DateStyle", "SQL, DMY", False),
        ("DateStyle", "German", False),
        ("extra_float_digits", "3", True),
        ("extra_float_digits", "0", False),
        ("extra_float_digits", "-15", False),
        ("array_nulls", "true", True),
        ("array_nulls", "off", False),
        ("IntervalStyle", "sql_standard", False),
        ("lc_monetary", "de_DE.UTF-8", False),
        ("xmloption", "document", False),
    ],
)
def test_stored_values(name, value, fits):
    assert is_output(name, value) is fits

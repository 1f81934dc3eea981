# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure parts of installing."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.install import (
    compare_versions,
    schema_problem,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused


@pytest.mark.parametrize(
    ("schema", "program", "status"),
    [
        ("5.6.0", "5.6.0", "current"),
        ("5.6", "5.6.0", "current"),
        ("5.5.0", "5.6.0", "needs_upgrade"),
        ("5.6.0", "5.10.0", "needs_upgrade"),
        ("5.7.0", "5.6.0", "newer"),
    ],
)
def test_compare_versions(schema, program, status):
    assert compare_versions(schema, program) == status


def test_an_unknown_version_is_refused():
    with pytest.raises(Refused, match="'five'"):
        compare_versions("five", "5.6.0")


def test_the_problem_is_the_error_at_which_psql_stopped():
    output = (
        "NOTE: Creating bucardo prerequisites\n"
        'psql:bucardo.schema:20: ERROR:  database "bucardo" already exists\n'
        'psql:bucardo.schema:47: ERROR:  language "plperlu" does not exist\n'
        "HINT:  Use CREATE EXTENSION to load the language into the database.\n"
    )
    assert 'language "plperlu" does not exist' in schema_problem(output)
    assert schema_problem("") == "psql said nothing"

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors are one line that names the thing and the cure."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common import errors


@pytest.mark.parametrize(
    ("message", "cure", "line"),
    [
        ("No table", "", "No table"),
        ("No table", "Make one.", "No table. Make one."),
        ("No table.", "Make one.", "No table. Make one."),
        ("Is there one?", "Look.", "Is there one? Look."),
        ("ERROR:  a\n  DETAIL:  b\n", "Look\tthere.", "ERROR: a DETAIL: b. Look there."),
    ],
)
def test_one_line(message, cure, line):
    error = errors.MultimasterError(message, cure)
    assert error.one_line == line
    assert str(error) == line


def test_details_and_sqlstate_are_kept():
    error = errors.StatementFailed("no", "yes", sqlstate="55P03", tables=["a"])
    assert (error.sqlstate, error.details, error.one_line) == (
        "55P03",
        {"tables": ["a"]},
        "no. yes",
    )


@pytest.mark.parametrize(
    "name",
    ["ConnectionFailed", "StatementFailed", "CommandFailed", "Refused", "DeadlineExceeded"],
)
def test_all_are_caught_as_one(name):
    with pytest.raises(errors.MultimasterError):
        raise getattr(errors, name)("no")

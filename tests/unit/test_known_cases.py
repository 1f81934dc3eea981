# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/known-cases.md names tests, checks and detectors that there are."""

from __future__ import annotations

import pathlib
import re

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.checklist import CHECKS

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("| \n").split(" | ")]
    for line in (ROOT / "docs" / "known-cases.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| Case", "| ---"))
]


def test_there_are_some():
    assert len(ROWS) == 34


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_case_has_its_test(row):
    _case, _outcome, named = row
    path, _colons, name = named.partition("::")
    text = (ROOT / "tests" / path).read_text("utf-8")
    assert not name or re.search(rf"^def {name}\(", text, re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_it_names_exists(row):
    manual = (ROOT / "docs" / "silent-failures.md").read_text("utf-8")
    checks = {check.id for check in CHECKS}
    for name in re.findall(r"`([a-z]+[-_][a-z-_]+)`", row[1]):
        assert name in checks or f"| `{name}` |" in manual or name.startswith("multimaster_")

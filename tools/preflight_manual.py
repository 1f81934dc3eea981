#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the table of all checks into docs/preflight.md from the checks themselves."""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".cache"))

from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.checklist import (  # noqa: E402
    CHECKS,
)

HEAD = "| Check | Severity | Meaning | Cure |\n| --- | --- | --- | --- |\n"


def main() -> None:
    """Replace what stands between the table's head and the next empty line."""
    page = ROOT / "docs" / "preflight.md"
    before, head, rest = page.read_text("utf-8").partition(HEAD)
    if not head:
        sys.exit(f"error: {page} has no table of checks")
    rows = [
        " | ".join((f"| `{check.id}`", check.severity, _cell(check.meaning), _cell(check.cure)))
        for check in CHECKS
    ]
    after = rest.partition("\n\n")[2]
    page.write_text(before + head + "".join(f"{row} |\n" for row in rows) + "\n" + after, "utf-8")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()

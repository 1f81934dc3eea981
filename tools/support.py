#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes into docs/support.md which versions of PostgreSQL the last "make matrix" went through."""

from __future__ import annotations

import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".cache" / "matrix.json"
PAGE = ROOT / "docs" / "support.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- end of matrix -->\n"


def main() -> None:
    rows = ["| Origin | Second master | Seconds |\n", "| --- | --- | ---: |\n"]
    rows += [
        f"| {one['origin']} | {one['target']} | {one['seconds']} |\n"
        for one in json.loads(RESULTS.read_text("utf-8"))
    ]
    text = PAGE.read_text("utf-8")
    head, rest = text.split(BEGIN)
    PAGE.write_text(head + BEGIN + "".join(rows) + END + rest.split(END)[1], "utf-8")


if __name__ == "__main__":
    main()

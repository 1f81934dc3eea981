# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches processes for passwords, and knows the forms in which a password may show."""

from __future__ import annotations

import base64
import json
import pathlib
import re
import subprocess
import urllib.parse

WATCHER = pathlib.Path(__file__).parents[3] / "tests" / "workload" / "argv_watch.py"
DECOY = "not-a-secret-but-looked-for"
# Looks per second below which a short process is likely to be missed.
LOOKS_PER_SECOND = 20


def forms(password: str) -> set[str]:
    """Texts by which a password is known again, however it was quoted."""
    # Quoting changes quotes, backslashes, blanks and commas: look for what is between them.
    core = max(re.split(r"""[\s,'"\\]""", password), key=len)
    return {
        core,
        core.replace("%", "%%"),
        urllib.parse.quote(core, safe=""),
        urllib.parse.quote_plus(core, safe=""),
        base64.b64encode(password.encode()).decode().rstrip("="),
    }


class Watcher:
    """Watches the processes of one place until it is told to stop."""

    def __init__(self, command: list[str], needles: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(f"{text}\n" for text in [*needles, DECOY]) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "watching\n"

    def stop(self) -> dict:
        said, _none = self._process.communicate(timeout=30)
        return dict(json.loads(said))

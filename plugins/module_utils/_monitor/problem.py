# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong, in the words and numbers of one line (pure)."""

from __future__ import annotations

import dataclasses
import re

CRITICAL, WARNING = "critical", "warning"
BOOTSTRAP = "Run the playbook bootstrap again"
# Characters of an error; PostgreSQL's CONTEXT can be pages long.
_SHOWN = 300


@dataclasses.dataclass(frozen=True)
class Alarm:
    """One thing that does not mend itself, or has not for too long.

    :param name: the detector's.
    :param what: with the objects' names.
    :param cure: what to do.
    :param age: seconds since when it is so, 0 when that is not known.
    """

    name: str
    what: str
    cure: str
    severity: str = CRITICAL
    sync: str = ""
    master: str = ""
    table: str = ""
    age: float = 0.0

    @property
    def line(self) -> str:
        """What, and what to do."""
        return f"{self.what}. {self.cure}"

    @property
    def key(self) -> str:
        """The same problem in the next look has the same."""
        return "/".join((self.name, self.sync, self.master, self.table))


def one_line(text: str) -> str:
    """An error of a server or of Bucardo's, without line breaks, and not longer than a line."""
    line = " ".join(text.replace("\\n", " ").split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def said(status: str) -> str:
    """What the server said, out of the status of a failed run of Bucardo's."""
    line = one_line(status)
    found = re.search(r"(?:ERROR|FATAL):\s*(.*?)(?: at /usr/share/perl5| Line: \d+|$)", line)
    return found.group(1).strip() if found else line

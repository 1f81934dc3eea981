# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What figures depend on, and how they get into a document."""

from __future__ import annotations

import datetime
import os
import pathlib
import platform
import re
import subprocess
import typing as t

import servers

DOCUMENT = servers.REPOSITORY / "docs" / "performance.md"


def facts(image: str) -> dict[str, str]:
    """The machine and the versions."""
    said = subprocess.run(
        ["docker", "run", "--rm", image, "sh", "-c"]
        + [
            "pg_lsclusters --no-header | head -n 1; apt-cache policy bucardo | sed -n 3p;"
            " dpkg-query -W -f '${Version}' \"postgresql-$(pg_lsclusters -h | cut -c1-2)\""
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ansible = subprocess.run(["ansible", "--version"], capture_output=True, text=True, check=True)
    return {
        "date": datetime.date.today().isoformat(),
        "processor": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GB",
        "PostgreSQL": said[2] if len(said) > 2 else "unknown",
        "Bucardo": said[1].split()[-1] if len(said) > 1 else "unknown",
        "ansible-core": ansible.stdout.splitlines()[0].partition("core ")[2].rstrip("]"),
        "Python": platform.python_version(),
    }


def sentence(about: t.Mapping[str, str]) -> str:
    """Facts as a line of a document."""
    return "; ".join(f"{key} {value}" for key, value in about.items()) + "."


def load() -> str:
    """How many processes want a processor, on average of the last minute."""
    return pathlib.Path("/proc/loadavg").read_text("utf-8").split()[0]


def replace(document: pathlib.Path, name: str, text: str) -> None:
    """Put a text between the two markers of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, begun, rest = document.read_text(encoding="utf-8").partition(begin)
    _old, ended, tail = rest.partition(end)
    if not begun or not ended:
        raise SystemExit(f"error: {document} lacks {begin} and {end}")
    document.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}", encoding="utf-8")


def table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines)

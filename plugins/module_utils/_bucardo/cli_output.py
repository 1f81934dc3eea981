# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the bucardo program's output means (pure).

Its exit codes say little: most errors exit with the errno of the moment, some failures with 0,
and some successes with 1. The texts are those of 5.6.0; the transcripts in tests/unit/transcripts
were recorded from it.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t


@dataclasses.dataclass(frozen=True)
class Transcript:
    """One run of the program.

    :param argv: the whole argument list.
    :param words: the verb and what follows it.
    """

    argv: tuple[str, ...]
    words: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a run did what was asked; `message` is its reason in one line when it did not."""

    ok: bool
    message: str = ""


# Said with exit code 0 although nothing was done.
_SILENT_FAILURES: t.Final = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^Did not find matches for the following terms:",
        r"^Relgroup \".*\" already exists",
        r"^No such (?:table|sequence|relation|database|sync|dbgroup|relgroup|code)\b",
        r"^Nothing found to remove",
        r"^Invalid sync: ",
        r"^Cannot kick inactive sync ",
        r"^Cannot (?:pause|resume|activate|deactivate|reload|create)\b",
        r"\bReload of sync \S+ failed",
        r"^(?:Customname|Customcols) number \d+ does not exist",
        r"^Already have an entry for ",
        r"^No syncs? have been created yet",
        r"^Version mismatch: ",
        r"^Cannot start, ",
    )
)
# The exit code is not 0 although all is well: verb and text.
_HARMLESS_FAILURES: t.Final = (
    ("upgrade", re.compile(r"^No schema changes were needed", re.MULTILINE)),
)
# Refused at its question, "upgrade" exits with 0 and says nothing.
_UPGRADED: t.Final = re.compile(r"^.*Changes have been commited", re.MULTILINE)
# "show" exits with 1 always; these say that it did not even begin.
_SHOW_FAILED: t.Final = re.compile(
    r"DBI connect|could not connect|FATAL|Could not open", re.IGNORECASE
)


def verdict(transcript: Transcript) -> Verdict:
    """Tell success from failure by exit code and text together."""
    both = f"{transcript.stdout}\n{transcript.stderr}"
    verb = next((word for word in transcript.words if not word.startswith("-")), "")
    for pattern in _SILENT_FAILURES:
        found = pattern.search(both)
        if found and verb not in ("list", "status"):
            return Verdict(False, _line_and_next(both, found.start()))
    if transcript.rc == 0:
        if verb == "upgrade" and not _UPGRADED.search(both):
            return Verdict(False, "the upgrade was not committed")
        return Verdict(True)
    if verb == "show" and transcript.stdout.strip() and not _SHOW_FAILED.search(both):
        return Verdict(True)
    for harmless_verb, pattern in _HARMLESS_FAILURES:
        if verb == harmless_verb and pattern.search(both):
            return Verdict(True)
    return Verdict(False, reason(transcript))


def reason(transcript: Transcript) -> str:
    """The most telling line of a failed run."""
    lines = [
        line.strip()
        for text in (transcript.stderr, transcript.stdout)
        for line in text.splitlines()
        if line.strip()
    ]
    if not lines:
        return f"exit code {transcript.rc} without a message"
    for mark in ("FATAL:", "ERROR:", "failed"):
        for line in lines:
            if mark in line:
                return line
    return lines[0]


def _line_and_next(text: str, start: int) -> str:
    """The line at `start`, with the next one when it ends in a colon."""
    lines = [line.strip() for line in text[start:].splitlines() if line.strip()]
    if lines[0].endswith(":") and len(lines) > 1:
        return f"{lines[0]} {lines[1]}"
    return lines[0]

# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check is, and what it finds (pure).

A check is one decorated function in a file of checks/; `checklist.CHECKS` holds all of them.
"""

from __future__ import annotations

import dataclasses
import types
import typing as t

from .context import Context

BLOCKER, WARNING, INFO = "blocker", "warning", "info"


class Hit(t.NamedTuple):
    """One thing that a check found; the check's own cure stands where `cure` is empty.

    :param object: name of the table, role, database ... in question.
    :param master: name of the master, "" when it concerns none or all.
    """

    object: str
    master: str
    message: str
    cure: str = ""


Run = t.Callable[[Context], t.Iterator[Hit]]


@dataclasses.dataclass(frozen=True)
class Check:
    """One check.

    :param meaning: what a finding means, for the manual.
    :param cure: what to do about it.
    """

    id: str
    severity: str
    meaning: str
    cure: str
    run: Run


def check(id: str, severity: str, meaning: str, cure: str) -> t.Callable[[Run], Check]:
    """Make a check of a function; a file's checks are found in the order in which they stand."""

    def make(run: Run) -> Check:
        return Check(id, severity, meaning, cure, run)

    return make


def checks_in(file: types.ModuleType) -> list[Check]:
    """The checks of one file, from top to bottom."""
    return [found for found in vars(file).values() if isinstance(found, Check)]
